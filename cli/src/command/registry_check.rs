//! `cairn registry check`: every problem of a configuration, without serving.

use std::path::{Path, PathBuf};

use cairn_compiler::Session;
use cairn_registry::{Config, read_config};
use clap::Args;

use crate::{
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::read_text,
    output::Output,
};

/// Check a registry's configuration without serving
///
/// Reads the file and the variables `CAIRN_REGISTRY_…` as `cairn registry serve` does, and reports
/// every problem with its line: unknown keys, wrong values, settings that contradict each other,
/// files that are not there.
#[derive(Debug, Args)]
pub(crate) struct RegistryCheck {
    /// The configuration file (YAML)
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl RegistryCheck {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        load(Some(&self.file), environment, output)?;
        output.message(&format!("{}: no problems", self.file.display()));
        Ok(())
    }
}

/// Reads a configuration file, if there is one, and what the environment sets over it.
pub(crate) fn load(
    file: Option<&Path>,
    environment: &Environment,
    output: &Output,
) -> Result<Config, Failure> {
    let text = file.map(read_text).transpose()?;
    let name = file.map(|file| file.display().to_string());
    let file = name.as_deref().zip(text);
    let mut session = Session::default();
    let config = read_config(
        file,
        &environment.registry_settings,
        &mut session.sources,
        &mut session.origins,
        &mut session.diagnostics,
    );
    config.ok_or_else(|| {
        output.diagnostics(&session);
        Failure::reported(ExitCode::InvalidInput)
            .hint("docs/registry-configuration.md describes every key")
    })
}
