//! `cairn profile lint`: every problem of a profile, without writing anything.

use cairn_compiler::LockMode;
use clap::Args;

use super::profile_build::ProfileArgs;
use crate::{
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::{Output, count},
};

/// Report every problem without writing anything
#[derive(Debug, Args)]
pub(crate) struct ProfileLint {
    #[command(flatten)]
    profile: ProfileArgs,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

impl ProfileLint {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let build = self.profile.build(LockMode::Keep, environment, output)?;
        let errors = build.session.diagnostics.error_count();
        let warnings = build.session.diagnostics.len() - errors;
        output.message(&format!(
            "{}: {}, {}",
            self.profile.profile.display(),
            count(errors, "error"),
            count(warnings, "warning")
        ));
        if errors > 0 || (self.strict && warnings > 0) {
            Err(Failure::reported(ExitCode::InvalidInput))
        } else {
            Ok(())
        }
    }
}
