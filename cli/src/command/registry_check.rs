//! `cairn registry check`: every problem of a configuration, without serving.

use std::path::{Path, PathBuf};

use cairn_compiler::Session;
use cairn_registry::{Config, check_config, read_config};
use cairn_spec::{Diagnostics, Origins, Sources};
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
        let file = Some(self.file.as_path());
        read_with(file, environment, output, check_config)?;
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
    read_with(file, environment, output, read_config)
}

fn read_with(
    file: Option<&Path>,
    environment: &Environment,
    output: &Output,
    read: impl FnOnce(
        Option<(&str, String)>,
        &[(String, String)],
        &mut Sources,
        &mut Origins,
        &mut Diagnostics,
    ) -> Option<Config>,
) -> Result<Config, Failure> {
    let text = file.map(read_text).transpose()?;
    let name = file.map(|file| file.display().to_string());
    let file = name.as_deref().zip(text);
    let mut session = Session::default();
    let config = read(
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
