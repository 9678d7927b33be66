//! The harness of the black-box tests: the command in a folder of its own, and a registry process.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// A folder of its own to run commands in, with an empty home.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    binary: PathBuf,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Run {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How it ended.
    pub status: ExitStatus,
}

impl Sandbox {
    /// A new folder. `binary` is `env!("CARGO_BIN_EXE_cairn-under-test")`, which only tests know.
    pub fn new(binary: &str) -> Result<Self> {
        Ok(Self {
            folder: TempDir::new()?,
            binary: binary.into(),
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below the folder.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    /// The command, ready to be given arguments; nothing of the caller's environment but `PATH`.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs the command with arguments split at blanks.
    pub fn run(&self, arguments: &str) -> Result<Run> {
        let mut command = self.command();
        command.args(arguments.split_whitespace());
        run(&mut command)
    }

    /// Runs the command and fails unless it succeeds.
    pub fn ok(&self, arguments: &str) -> Result<Run> {
        let run = self.run(arguments)?;
        if !run.status.success() {
            bail!(
                "`cairn {arguments}` ended with {}:\n{}{}",
                run.status,
                run.stdout,
                run.stderr
            );
        }
        Ok(run)
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Result<Run> {
    let output = command
        .output()
        .with_context(|| format!("failed to run {command:?}"))?;
    Ok(Run {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        status: output.status,
    })
}

/// A registry process on a free port of this machine; killed when dropped.
#[derive(Debug)]
pub struct RegistryProcess {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    log: Arc<Log>,
    /// Reads the log to its end.
    reader: Option<JoinHandle<()>>,
}

/// What a process said on standard error.
#[derive(Debug, Default)]
struct Log {
    text: Mutex<String>,
    grew: Condvar,
}

impl Log {
    fn add(&self, line: &str) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
        self.grew.notify_all();
    }
}

/// How long a process may take to say something.
const PATIENCE: Duration = Duration::from_secs(30);

impl RegistryProcess {
    /// Serves the folder `data` of a sandbox.
    pub fn start(sandbox: &Sandbox, data: &str) -> Result<Self> {
        Self::start_with(sandbox, data, &[])
    }

    /// Serves the folder `data` of a sandbox, with further options.
    pub fn start_with(sandbox: &Sandbox, data: &str, options: &[&str]) -> Result<Self> {
        Self::serve(sandbox, &[&["--data", data], options].concat())
    }

    /// Serves what a configuration file says.
    pub fn start_configured(sandbox: &Sandbox, config: &str) -> Result<Self> {
        Self::serve(sandbox, &["--config", config])
    }

    fn serve(sandbox: &Sandbox, options: &[&str]) -> Result<Self> {
        Self::spawn(&mut sandbox.command(), options)
    }

    /// Serves with a command that may have an environment of its own.
    pub fn spawn(command: &mut Command, options: &[&str]) -> Result<Self> {
        let mut child = command
            .args(["registry", "serve", "--listen", "127.0.0.1:0"])
            .args(options)
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child
            .stderr
            .take()
            .context("the registry has no standard error")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = String::new();
        while let Some(line) = lines.next().transpose()? {
            let url = line.strip_prefix("serving on ");
            if let Some((_, rest)) = url.and_then(|url| url.split_once("://")) {
                let address = rest.split('/').next().unwrap_or_default().to_owned();
                let log = Arc::new(Log::default());
                log.add(&said);
                let growing = Arc::clone(&log);
                // The log is drained, so that the process never waits for a reader.
                let reader = std::thread::spawn(move || {
                    for line in lines.map_while(Result::ok) {
                        growing.add(&line);
                    }
                });
                return Ok(Self {
                    child,
                    address,
                    log,
                    reader: Some(reader),
                });
            }
            said.push_str(&line);
            said.push('\n');
        }
        bail!("the registry did not start:\n{said}")
    }

    /// What the process said so far.
    pub fn said(&self) -> String {
        let text = self.log.text.lock();
        text.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the process has said something so often.
    pub fn wait_until_said(&self, what: &str, times: usize) -> Result<()> {
        let text = self.log.text.lock();
        let text = text.unwrap_or_else(PoisonError::into_inner);
        let is_missing = |text: &mut String| text.matches(what).count() < times;
        let waited = self.log.grew.wait_timeout_while(text, PATIENCE, is_missing);
        let (text, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            bail!("the registry never said `{what}`:\n{}", *text);
        }
        Ok(())
    }

    /// Sends a signal, such as `HUP`.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) -> Result<()> {
        let script = format!("kill -{name} {}", self.id());
        let sent = Command::new("/bin/sh").args(["-c", &script]).status()?;
        if !sent.success() {
            bail!("the registry is not there any more");
        }
        Ok(())
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the process to end (SIGTERM) and waits until it has; it must say that all went well.
    #[cfg(unix)]
    pub fn stop(&mut self) -> Result<()> {
        self.signal("TERM")?;
        let status = self.child.wait()?;
        self.read_to_the_end();
        if !status.success() {
            bail!("the registry was asked to end, and ended with {status}");
        }
        Ok(())
    }

    /// Ends the process at once (SIGKILL) and waits for its end.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.read_to_the_end();
        Ok(())
    }

    /// What the process said last may still have to be read.
    fn read_to_the_end(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for RegistryProcess {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Copies what is in a folder into another one, which is created; modes go along, times do not.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("failed to read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Every file below a folder, as paths relative to it, sorted.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(here) = open.pop() {
        for entry in
            fs::read_dir(&here).with_context(|| format!("failed to read {}", here.display()))?
        {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder)?.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The root of the repository.
pub fn repository_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
