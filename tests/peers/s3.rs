//! The registry over a bucket of an S3 server that others wrote: `versitygw` on a folder.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_tests::{RegistryProcess, Sandbox, repository_root};
use serde_json::Value;

use crate::harness::{program, text};

/// How often the server is asked whether it listens, every tenth of a second.
const PATIENCE: u32 = 100;

/// A running server with one bucket.
pub(crate) struct Versitygw {
    child: Child,
    address: String,
}

impl Drop for Versitygw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Versitygw {
    /// Serves a folder of the sandbox with one bucket, which is a folder in it.
    #[expect(
        clippy::disallowed_methods,
        reason = "a port that nobody listens on yet has no event to wait for"
    )]
    pub(crate) fn start(sandbox: &Sandbox) -> Result<Self> {
        let folder = sandbox.path().join("s3");
        fs::create_dir_all(folder.join("cairn"))?;
        // It takes no port 0, so one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(program("versitygw"))
            .args(["--port", &address, "--access", "key", "--secret", "secret"])
            .arg("posix")
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start versitygw")?;
        let server = Self { child, address };
        for _ in 0..PATIENCE {
            if TcpStream::connect(&server.address).is_ok() {
                return Ok(server);
            }
            sleep(Duration::from_millis(100));
        }
        bail!("versitygw does not listen on {}", server.address)
    }

    /// Writes the configuration of a registry over the bucket, `registry.yaml`.
    pub(crate) fn configure(&self, sandbox: &Sandbox) -> Result<()> {
        let address = &self.address;
        sandbox.write(
            "registry.yaml",
            format!(
                "storage:\n  s3:\n    bucket: cairn\n    endpoint: http://{address}\n    pathStyle: true\n    \
                 credentials: {{accessKeyId: key, secretAccessKey: secret}}\n"
            ),
        )
    }
}

#[test]
#[ignore = "needs versitygw"]
fn two_registries_share_a_bucket_of_versitygw() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let store = Versitygw::start(&sandbox)?;
    store.configure(&sandbox)?;
    let doctor = sandbox.ok("registry doctor --config registry.yaml -o json")?;
    let checks: Vec<Value> = serde_json::from_str(&doctor.stdout)?;
    ensure!(
        checks.iter().all(|check| check["answer"] == "yes"),
        "{checks:?}"
    );

    let first = RegistryProcess::start_configured(&sandbox, "registry.yaml")?;
    let second = RegistryProcess::start_configured(&sandbox, "registry.yaml")?;
    sandbox.ok("key generate us")?;
    let pack = repository_root().join("packs/addon/metrics-server");
    let push = |registry: &RegistryProcess| {
        sandbox.ok(&format!(
            "pack push {} {}/packs --key us.key -o json",
            pack.display(),
            registry.address
        ))
    };
    let pushed: Value = serde_json::from_str(&push(&first)?.stdout)?;
    // The other one has all of it, under the same digest.
    let again: Value = serde_json::from_str(&push(&second)?.stdout)?;
    ensure!(text(&pushed, "/digest")? == text(&again, "/digest")?);
    let inspected = sandbox.ok(&format!(
        "pack inspect {} -o json",
        text(&again, "/reference")?
    ))?;
    ensure!(inspected.stdout.contains("metrics-server"));
    Ok(())
}
