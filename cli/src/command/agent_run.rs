//! `cairn agent run`: the agent as a command of this program; in clusters it is a smaller program of its own.

use cairn_agent::{command::Run, config::Environment};
use clap::Args;

use crate::{client::runtime, exit::Outcome};

/// Keep a cluster in its desired state
///
/// What `cairn-agent run` does: without a hub, the bundle that a tag or a digest in a registry names is
/// verified, applied, and kept as it is; a new one is applied when the tag moves. It goes on until it is told
/// to stop (Ctrl-C).
#[derive(Debug, Args)]
pub(crate) struct AgentRun {
    #[command(flatten)]
    run: Run,
}

impl AgentRun {
    pub(crate) fn run(self) -> Outcome {
        runtime()?.block_on(self.run.run_to_the_end(&Environment::read()))?;
        Ok(())
    }
}
