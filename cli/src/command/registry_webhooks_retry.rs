//! `cairn registry webhooks retry`: has events delivered that webhooks did not take.

use clap::Args;

use crate::{
    client::runtime,
    config::Environment,
    exit::Outcome,
    output::{Output, count},
    storage::{LetterArgs, StorageArgs, failed},
};

/// Have events delivered that webhooks did not take
///
/// They wait in the outbox again with all their attempts before them; the server delivers them
/// within half a minute, or once it is started.
#[derive(Debug, Args)]
pub(crate) struct RegistryWebhooksRetry {
    #[command(flatten)]
    letters: LetterArgs,
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryWebhooksRetry {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let which = self.letters.which();
        let retried = runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            maintenance.retry_dead_letters(&which).await.map_err(failed)
        })?;
        self.letters.check(retried)?;
        let events = count(usize::try_from(retried).unwrap_or(usize::MAX), "event");
        output.message(&format!("{events} will be delivered"));
        Ok(())
    }
}
