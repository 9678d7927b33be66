//! `cairn registry webhooks list`: the events that webhooks never took.

use cairn_registry::{DeadLetter, DeadLetters};
use clap::Args;

use crate::{
    client::runtime,
    config::Environment,
    exit::Outcome,
    output::{Output, lines, table},
    storage::{StorageArgs, failed},
};

/// List the events that webhooks never took
///
/// An event is set aside as a dead letter after its last attempt (`webhooks[].attempts`).
#[derive(Debug, Args)]
pub(crate) struct RegistryWebhooksList {
    /// Those of this webhook only
    #[arg(long, value_name = "NAME")]
    webhook: Option<String>,
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryWebhooksList {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let which = DeadLetters {
            webhook: self.webhook,
            ids: Vec::new(),
        };
        let mut letters = Vec::new();
        runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            let mut found = |letter: DeadLetter| letters.push(letter);
            let listed = maintenance.dead_letters(&which, &mut found);
            listed.await.map_err(failed)
        })?;
        let heading = ["ID", "WEBHOOK", "TIME", "EVENT", "ATTEMPTS", "LAST FAILURE"];
        let rows = || -> Vec<Vec<String>> { letters.iter().map(row).collect() };
        output.result(
            &letters,
            || table(&heading, &rows()),
            || lines(letters.iter().map(|letter| &letter.id)),
        );
        Ok(())
    }
}

fn row(letter: &DeadLetter) -> Vec<String> {
    let text = |field: &str| letter.event[field].as_str().unwrap_or("-").to_owned();
    let kind = text("type");
    let kind = kind.strip_prefix("dev.cairn.registry.").unwrap_or(&kind);
    let place = text("source");
    let place = place.strip_prefix("/v2/").unwrap_or(&place);
    vec![
        letter.id.clone(),
        letter.webhook.clone(),
        text("time"),
        format!("{kind} {place} {}", text("subject")),
        letter.attempts.to_string(),
        letter.last_failure.clone().unwrap_or("-".to_owned()),
    ]
}
