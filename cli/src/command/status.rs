//! `cairn status`: how what was applied to a cluster is now.

use cairn_runner::{
    health::Status as Health,
    run::{ClusterStatus, status},
};
use clap::Args;

use crate::{
    client::runtime,
    cluster::{ClusterArgs, failure_of},
    config::Environment,
    exit::Outcome,
    output::{Output, lines, table},
};

/// Show the layers of a cluster, their objects, and how healthy they are
///
/// Without `--all`, healthy objects that nobody changed are only counted.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Show healthy objects, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Status {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let status = runtime()?.block_on(async {
            let cluster = self.cluster.connect(environment).await?;
            let status = status(&cluster).await;
            status.map_err(|error| failure_of(error, output))
        })?;
        for damage in &status.damaged {
            output.warning(damage);
        }
        output.result(
            &status,
            || self.text(&status),
            || lines(status.layers.iter().map(|layer| layer.layer.as_str())),
        );
        Ok(())
    }

    fn text(&self, status: &ClusterStatus) -> String {
        let heading = status.journal.run.as_ref().map_or_else(String::new, |run| {
            format!("bundle  {}\nphase   {}\n\n", run.bundle, run.phase)
        });
        let mut rows = Vec::new();
        for layer in &status.layers {
            let healthy = |health| {
                layer
                    .objects
                    .iter()
                    .filter(|it| it.health.status == health)
                    .count()
            };
            let current = healthy(Health::Current);
            let drifted = layer
                .objects
                .iter()
                .filter(|it| it.drifted == Some(true))
                .count();
            rows.push(vec![
                layer.layer.to_string(),
                format!("{current}/{}", layer.objects.len()),
                drifted.to_string(),
                String::new(),
            ]);
            for object in &layer.objects {
                let is_plain =
                    object.health.status == Health::Current && object.drifted != Some(true);
                if self.all || !is_plain {
                    rows.push(vec![
                        format!("  {}", object.identity),
                        format!("{:?}", object.health.status),
                        if object.drifted == Some(true) {
                            "yes"
                        } else {
                            ""
                        }
                        .to_owned(),
                        object.health.message.clone(),
                    ]);
                }
            }
        }
        heading + &table(&["LAYER", "HEALTHY", "DRIFTED", "WHY"], &rows)
    }
}
