//! A folder with the command and a cluster that is nobody else's.

use std::{fmt::Write as _, process::Command};

use anyhow::{Context as _, Result, ensure};
use cairn_test_kube::KubeServer;
use cairn_tests::{Run, Sandbox, run};
use serde_json::Value as Json;

/// How commands end.
pub(crate) const NOT_FOUND: i32 = 3;
pub(crate) const DENIED: i32 = 5;
pub(crate) const CONFLICT: i32 = 6;

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: KubeServer,
}

impl World {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            sandbox: Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?,
            server: KubeServer::private()?,
        })
    }

    /// Runs `cairn`, as whoever the kubeconfig says, however it ends.
    pub(crate) fn run(&self, arguments: &str) -> Result<Run> {
        let mut command = self.sandbox.command();
        command
            .env("KUBECONFIG", self.server.kubeconfig())
            .args(arguments.split_whitespace());
        run(&mut command)
    }

    /// Runs `cairn`, which must succeed; its standard output.
    pub(crate) fn ok(&self, arguments: &str) -> Result<String> {
        self.ends(arguments, 0).map(|run| run.stdout)
    }

    /// Runs `cairn`, which must end with a code.
    pub(crate) fn ends(&self, arguments: &str, code: i32) -> Result<Run> {
        let run = self.run(arguments)?;
        ensure!(
            run.status.code() == Some(code),
            "`cairn {arguments}` ended with {}, not {code}:\n{}{}",
            run.status,
            run.stdout,
            run.stderr
        );
        Ok(run)
    }

    /// The same for one that prints an event a line: all of them, in order.
    pub(crate) fn events(&self, arguments: &str, code: i32) -> Result<Vec<Json>> {
        let run = self.ends(&format!("{arguments} -o json"), code)?;
        let lines = run.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}")))
            .collect()
    }

    pub(crate) fn json(&self, arguments: &str) -> Result<Json> {
        Ok(serde_json::from_str(
            &self.ok(&format!("{arguments} -o json"))?,
        )?)
    }

    pub(crate) fn kubectl(&self, arguments: &str) -> Result<String> {
        let mut command = self.server.kubectl();
        said(command.args(arguments.split_whitespace()))
    }

    /// Builds a bundle of plain manifests, a file a layer; the folder.
    pub(crate) fn bundle(&self, name: &str, layers: &[(&str, &str)]) -> Result<String> {
        let mut profile = format!(
            "apiVersion: cairn.dev/v1\nkind: Profile\nmetadata: {{name: {name}, version: 1.0.0}}\n\
             spec:\n  type: addon\n  kubernetes: 1.36.0\n  layers:\n"
        );
        for (layer, manifests) in layers {
            let path = format!("{name}/{layer}.yaml");
            self.sandbox.write(&path, manifests)?;
            writeln!(
                profile,
                "    - {{name: {layer}, manifests: [{layer}.yaml]}}"
            )?;
        }
        self.sandbox
            .write(&format!("{name}/profile.yaml"), profile)?;
        let folder = format!("{name}/out");
        self.sandbox.ok(&format!(
            "profile build {name}/profile.yaml --output {folder}"
        ))?;
        Ok(folder)
    }
}

/// What a program that must succeed prints.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let run = run(command)?;
    ensure!(
        run.status.success(),
        "{command:?} ended with {}:\n{}{}",
        run.status,
        run.stdout,
        run.stderr
    );
    Ok(run.stdout)
}

/// The events of one sort.
pub(crate) fn of_sort<'a>(events: &'a [Json], sort: &str) -> Vec<&'a Json> {
    events.iter().filter(|it| it["event"] == sort).collect()
}

/// `KIND NAMESPACE/NAME`, as Cairn names objects.
pub(crate) fn name(object: &Json) -> String {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    match object["namespace"].as_str() {
        Some(namespace) => format!("{} {namespace}/{}", text("kind"), text("name")),
        None => format!("{} {}", text("kind"), text("name")),
    }
}
