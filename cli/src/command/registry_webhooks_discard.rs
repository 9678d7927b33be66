//! `cairn registry webhooks discard`: throws events away that webhooks did not take.

use clap::Args;

use crate::{
    client::runtime,
    config::Environment,
    exit::Outcome,
    output::{Output, count},
    storage::{LetterArgs, StorageArgs, failed},
};

/// Throw events away that webhooks did not take
#[derive(Debug, Args)]
pub(crate) struct RegistryWebhooksDiscard {
    #[command(flatten)]
    letters: LetterArgs,
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryWebhooksDiscard {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let which = self.letters.which();
        let discarded = runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            maintenance
                .discard_dead_letters(&which)
                .await
                .map_err(failed)
        })?;
        self.letters.check(discarded)?;
        let events = count(usize::try_from(discarded).unwrap_or(usize::MAX), "event");
        output.message(&format!("{events} will never be delivered"));
        Ok(())
    }
}
