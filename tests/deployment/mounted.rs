//! Files of a container or a host, kept in a sandbox instead.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{Sandbox, repository_root};

/// A user's name and password, as `cairn registry user add` takes them.
pub(crate) const USER: &str = "admin";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A sandbox in which folders that are mounted elsewhere are folders of its own.
pub(crate) struct Mounted {
    pub(crate) sandbox: Sandbox,
    /// Absolute folders, each with its name in the sandbox.
    folders: Vec<(&'static str, &'static str)>,
}

impl Mounted {
    pub(crate) fn new(folders: &[(&'static str, &'static str)]) -> Result<Self> {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
        for (_, name) in folders {
            fs::create_dir_all(sandbox.path().join(name))?;
        }
        let folders = folders.to_vec();
        Ok(Self { sandbox, folders })
    }

    /// A text with the folders of the sandbox in place of the mounted ones.
    pub(crate) fn translated(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (folder, name) in &self.folders {
            let here = self.sandbox.path().join(name);
            text = text.replace(folder, &here.display().to_string());
        }
        text
    }

    /// Copies a file of the repository to a mounted path, which must be in one of the folders.
    pub(crate) fn mount(&self, file: &str, path: &str) -> Result<()> {
        let text = fs::read_to_string(repository_root().join(file))
            .with_context(|| format!("failed to read {file}"))?;
        self.write(path, &text)
    }

    /// Writes a text to a mounted path.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<()> {
        let here = self.translated(path);
        ensure!(here != path, "`{path}` is in no mounted folder");
        fs::write(&here, self.translated(text)).with_context(|| format!("failed to write {here}"))
    }

    /// Makes a password file with one user at a mounted path.
    pub(crate) fn add_user(&self, path: &str) -> Result<()> {
        self.sandbox.write("password", PASSWORD)?;
        let password = fs::File::open(self.sandbox.path().join("password"))?;
        let mut command = self.sandbox.command();
        command
            .args(["registry", "user", "add", USER, "--password-stdin"])
            .args(["--file", &self.translated(path)])
            .stdin(password);
        let run = cairn_tests::run(&mut command)?;
        ensure!(run.status.success(), "{}", run.stderr);
        Ok(())
    }

    /// Runs the command with the paths of its arguments translated; it has to succeed.
    pub(crate) fn ok(&self, arguments: &str) -> Result<()> {
        self.sandbox.ok(&self.translated(arguments)).map(drop)
    }

    /// Asks an access policy what [`USER`] may do.
    pub(crate) fn allows(&self, policy: &str, action: &str) -> Result<bool> {
        let asked = format!("registry authz explain {USER} {action} apps/web:1 --policy {policy}");
        let run = self.sandbox.run(&self.translated(&asked))?;
        let denied = run.status.code() == Some(5);
        ensure!(run.status.success() || denied, "{asked}: {}", run.stderr);
        Ok(run.status.success())
    }
}
