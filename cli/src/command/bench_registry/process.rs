//! A registry that this command starts: for its cold start and for its memory.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{connection::Connection, target::Target};

/// How often memory is looked at: 10 Hz.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);
/// How long a server may take to answer for the first time.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// Between two attempts to reach a server that starts.
const START_POLL: Duration = Duration::from_millis(1);

/// A server process; it ends with this.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    command: String,
    child: Option<Child>,
}

impl ServerProcess {
    pub(crate) fn new(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            child: None,
        }
    }

    /// The process id while the server runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts the server; how long it took until it answered `GET /v2/`.
    pub(crate) async fn start(&mut self, target: &Target) -> Result<Duration> {
        ensure!(
            Connection::open(target).await.is_err(),
            "something listens at {target} already"
        );
        let mut words = self.command.split_whitespace();
        let program = words.next().context("an empty command")?;
        let started = Instant::now();
        let child = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("failed to start `{}`", self.command))?;
        let child = self.child.insert(child);
        while !answers(target).await {
            if let Some(status) = child.try_wait()? {
                bail!("`{}` ended with {status}", self.command);
            }
            ensure!(
                started.elapsed() < START_TIMEOUT,
                "`{}` did not answer at {target} within {} s",
                self.command,
                START_TIMEOUT.as_secs()
            );
            tokio::time::sleep(START_POLL).await;
        }
        Ok(started.elapsed())
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            let id = child.id().to_string();
            let asked = Command::new("kill").args(["-TERM", &id]).status();
            if !asked.is_ok_and(|status| status.success()) {
                child.kill().context("failed to end a server")?;
            }
            child.wait().context("failed to wait for a server")?;
        }
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // A server that cannot be ended was reported when that was tried.
        drop(self.stop());
    }
}

async fn answers(target: &Target) -> bool {
    let asked = async { Connection::open(target).await?.get("/v2/").await };
    asked
        .await
        .is_ok_and(|answer| answer.status.as_u16() == 200)
}

/// Watches a process's memory from a thread of its own.
#[derive(Debug)]
pub(crate) struct MemorySampler {
    stop: mpsc::Sender<()>,
    sampling: thread::JoinHandle<Option<u64>>,
}

impl MemorySampler {
    pub(crate) fn start(pid: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let sampling = thread::spawn(move || {
            let mut peak = resident_bytes(pid);
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(SAMPLE_INTERVAL) {
                peak = peak.max(resident_bytes(pid));
            }
            peak.max(resident_bytes(pid))
        });
        Self { stop, sampling }
    }

    /// The most that was seen, in bytes; `None` where the system does not say.
    pub(crate) fn stop(self) -> Option<u64> {
        // It has ended already if it no longer listens.
        let _ = self.stop.send(());
        self.sampling.join().ok().flatten()
    }
}

/// A process's resident memory: `VmRSS` of `/proc/PID/status`.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_process_is_read() {
        let sampler = MemorySampler::start(std::process::id());
        assert!(sampler.stop() > Some(100_000));
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
