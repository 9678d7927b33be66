//! `cairn registry doctor`: tries out the storage before a registry relies on it.

use std::path::PathBuf;

use cairn_registry::{Answer, Check};
use clap::Args;

use super::registry_serve;
use crate::{
    client::runtime,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::Output,
};

/// Try out a registry's storage
///
/// Asks a folder or an S3 bucket to do all that the registry will rely on, and shows what it did.
/// What is written on the way is removed again. Ends with 1 if anything is not as it should be.
#[derive(Debug, Args)]
pub(crate) struct RegistryDoctor {
    /// The registry's configuration file (YAML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder to keep content in [default: .cairn/registry]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl RegistryDoctor {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let (file, data) = (self.config.as_deref(), self.data.as_deref());
        let config = registry_serve::load(file, data, environment, output)?;
        let checks = runtime()?
            .block_on(config.storage.examine())
            .map_err(registry_serve::refuse)?;
        output.result(&checks, || table(&checks), || names(&checks));
        let failed = checks.iter().filter(|one| one.answer == Answer::No).count();
        if failed == 0 {
            return Ok(());
        }
        let message = format!("the storage lacks {failed} of {} abilities", checks.len());
        Err(Failure::new(ExitCode::Error, anyhow::Error::msg(message))
            .hint("the last column says what each means; docs/registry-s3.md has the whole story"))
    }
}

fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.check.chars().count()).max();
    let width = width.unwrap_or_default().max("CHECK".len());
    let mut lines = vec![format!("{:width$}  HOLDS  OTHERWISE", "CHECK")];
    lines.extend(checks.iter().map(|check| {
        let (answer, otherwise) = match check.answer {
            Answer::Yes => ("yes", ""),
            Answer::No => ("no", check.otherwise),
        };
        let line = format!("{:width$}  {answer:5}  {otherwise}", check.check);
        line.trim_end().to_owned()
    }));
    lines.join("\n")
}

fn names(checks: &[Check]) -> String {
    let failed = checks.iter().filter(|check| check.answer == Answer::No);
    let names: Vec<&str> = failed.map(|check| check.check.as_str()).collect();
    names.join("\n")
}
