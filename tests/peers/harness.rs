//! A registry, a signed pack or two, and other programs to run beside them.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_tests::{RegistryProcess, Run, Sandbox, repository_root, run};
use serde_json::Value;

/// The password of the keys that cosign makes.
pub(crate) const PASSWORD: &str = "a password";

/// A folder with a registry, a key and a trust policy for it.
pub(crate) struct Meeting {
    pub(crate) sandbox: Sandbox,
    pub(crate) registry: RegistryProcess,
}

impl Meeting {
    /// Starts a registry and makes the key `us`, which the trust policy trusts for all of it.
    pub(crate) fn new() -> Result<Self> {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
        let registry = RegistryProcess::start(&sandbox, "data")?;
        let meeting = Self { sandbox, registry };
        meeting.sandbox.ok("key generate us")?;
        meeting.trust("us.pub")?;
        meeting.sandbox.write("docker/config.json", "{}")?;
        Ok(meeting)
    }

    /// Makes the trust policy trust one key.
    pub(crate) fn trust(&self, public_key: &str) -> Result<()> {
        self.sandbox.write(
            ".cairn/trust.yaml",
            format!(
                "apiVersion: cairn.dev/v1\nkind: TrustPolicy\nrules:\n- repositories: ['**']\n  keys: [{{name: key, path: ../{public_key}}}]\n"
            ),
        )
    }

    /// Stops the registry, changes its data, and starts it again, on another port.
    pub(crate) fn change_data(&mut self, change: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.registry.stop()?;
        change(&self.path("data"))?;
        self.registry = RegistryProcess::start(&self.sandbox, "data")?;
        Ok(())
    }

    pub(crate) fn address(&self) -> &str {
        &self.registry.address
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.sandbox.path().join(below)
    }

    /// Builds, pushes and signs a pack of this repository; the reference by digest.
    pub(crate) fn push_pack(&self, folder: &str) -> Result<String> {
        let folder = repository_root().join(folder);
        let run = self.sandbox.ok(&format!(
            "pack push {} {}/packs --key us.key -o json",
            folder.display(),
            self.address()
        ))?;
        let pushed: Value = serde_json::from_str(&run.stdout)?;
        let (reference, digest) = (text(&pushed, "/reference")?, text(&pushed, "/digest")?);
        let (repository, _) = reference.rsplit_once(':').context("no tag")?;
        Ok(format!("{repository}@{digest}"))
    }

    /// Runs a program in the sandbox; what it printed.
    pub(crate) fn peer(&self, name: &str, arguments: &str) -> Result<String> {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.peer_with(name, &arguments)
    }

    /// The same for arguments that hold blanks.
    pub(crate) fn peer_with(&self, name: &str, arguments: &[impl AsRef<OsStr>]) -> Result<String> {
        let run = self.try_peer(name, arguments)?;
        ensure!(
            run.status.success(),
            "`{name}` ended with {}:\n{}{}",
            run.status,
            run.stdout,
            run.stderr
        );
        Ok(run.stdout)
    }

    /// Runs a program that may fail.
    pub(crate) fn try_peer(&self, name: &str, arguments: &[impl AsRef<OsStr>]) -> Result<Run> {
        let mut command = Command::new(program(name));
        command
            .args(arguments)
            .current_dir(self.sandbox.path())
            .env("HOME", self.sandbox.path())
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("XDG_RUNTIME_DIR", self.path("runtime"))
            .env("COSIGN_PASSWORD", PASSWORD)
            .stdin(Stdio::null());
        run(&mut command)
    }

    /// Fails when the program succeeds; what it complained about.
    pub(crate) fn peer_refuses(&self, name: &str, arguments: &str) -> Result<String> {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let run = self.try_peer(name, &words)?;
        if run.status.success() {
            bail!(
                "`{name} {arguments}` was to fail:\n{}{}",
                run.stdout,
                run.stderr
            );
        }
        Ok(run.stderr)
    }
}

/// Where a program is: in `CAIRN_PEERS`, or else on the path.
pub(crate) fn program(name: &str) -> PathBuf {
    std::env::var_os("CAIRN_PEERS")
        .map(|folder| Path::new(&folder).join(name))
        .filter(|path| path.exists())
        .unwrap_or_else(|| name.into())
}

/// The text at a JSON pointer.
pub(crate) fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found
        .with_context(|| format!("no text at {pointer} in {value}"))?
        .to_owned())
}

pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}
