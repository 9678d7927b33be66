//! Registries of the distribution project, and of Debian, which packages an older one.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use cairn_tests::Sandbox;

use crate::harness::program;

/// One of them, which ends with this.
pub(crate) struct Distribution {
    process: Child,
    pub(crate) address: String,
}

impl Distribution {
    /// Starts `distribution` or `docker-registry`, over a storage as its configuration names it.
    pub(crate) fn start(sandbox: &Sandbox, name: &str, storage: &str) -> Result<Self> {
        // It cannot say which port it was given, so it is told one that was free just now.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        sandbox.write(
            "distribution.yaml",
            format!("version: 0.1\nstorage: {storage}\nhttp: {{addr: {address}}}\n"),
        )?;
        let mut process = Command::new(program(name))
            .args(["serve", "distribution.yaml"])
            .current_dir(sandbox.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("failed to start `{name}`"))?;
        while TcpStream::connect(&address).is_err() {
            ensure!(process.try_wait()?.is_none(), "`{name}` ended");
            std::thread::yield_now();
        }
        Ok(Self { process, address })
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
