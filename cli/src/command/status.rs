//! `cairn status`: how what was applied to a cluster is now.

use std::{convert::Infallible, fmt::Write as _, time::Duration};

use cairn_runner::{
    cluster::Cluster,
    drift::Drift,
    health::Status as Health,
    journal::{Journal, Rejected},
    run::{ClusterStatus, LayerStatus, ObjectStatus, status},
};
use clap::Args;
use tokio::time::sleep;

use crate::{
    args::Format,
    client::runtime,
    cluster::{ClusterArgs, failure_of},
    config::Environment,
    exit::{Failure, Outcome},
    output::{Output, lines, table},
};

/// How often a cluster that is watched is asked.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(2);

/// Show the layers of a cluster, their objects, and how healthy they are
///
/// Without `--all`, healthy objects that nobody changed are only counted.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Show healthy objects, too
    #[arg(long)]
    all: bool,
    /// Go on, and show what changes, until it is interrupted
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Status {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        runtime()?.block_on(async {
            let cluster = self.cluster.connect(environment).await?;
            if self.watch {
                match self.watch(&cluster, output).await? {}
            }
            let status = ask(&cluster, output).await?;
            output.result(
                &status,
                || self.text(&status),
                || lines(status.layers.iter().map(|layer| layer.layer.as_str())),
            );
            Ok(())
        })
    }

    /// Prints the status whenever it is another one: on a terminal in place of the one before.
    async fn watch(&self, cluster: &Cluster, output: &Output) -> Result<Infallible, Failure> {
        let mut before = String::new();
        loop {
            let status = ask(cluster, output).await?;
            let text = if output.format == Format::Json {
                serde_json::to_string(&status).unwrap_or_default()
            } else {
                self.text(&status)
            };
            if text != before {
                output.replace(&text);
                before = text;
            }
            sleep(LOOKED_AT_EVERY).await;
        }
    }

    fn text(&self, status: &ClusterStatus) -> String {
        let heading = heading(&status.journal);
        let mut rows = Vec::new();
        for layer in &status.layers {
            rows.push(layer_row(layer));
            for object in &layer.objects {
                if self.all || !is_plain(object) {
                    rows.push(object_row(object));
                    rows.extend(object.drift.iter().filter_map(drift_row));
                }
            }
        }
        heading + &table(&["LAYER", "HEALTHY", "DRIFTED", "WHY"], &rows)
    }
}

/// What is there, how far it is, and what is not tried again.
fn heading(journal: &Journal) -> String {
    let Some(run) = &journal.run else {
        return String::new();
    };
    let mut text = format!(
        "bundle    {}\nphase     {}, since {}\n",
        run.bundle, run.phase, run.since
    );
    for Rejected {
        bundle,
        time,
        reason,
    } in &journal.rejected
    {
        let _ = writeln!(text, "rejected  {bundle} at {time}: {reason}");
    }
    text + "\n"
}

async fn ask(cluster: &Cluster, output: &Output) -> Result<ClusterStatus, Failure> {
    let status = status(cluster).await;
    let status = status.map_err(|error| failure_of(error, output))?;
    for damage in &status.damaged {
        output.warning(damage);
    }
    Ok(status)
}

fn is_plain(object: &ObjectStatus) -> bool {
    object.health.status == Health::Current && object.drifted != Some(true)
}

fn layer_row(layer: &LayerStatus) -> Vec<String> {
    let number = |which: fn(&&ObjectStatus) -> bool| layer.objects.iter().filter(which).count();
    let healthy = number(|it| it.health.status == Health::Current);
    let drifted = number(|it| it.drifted == Some(true));
    vec![
        layer.layer.to_string(),
        format!("{healthy}/{}", layer.objects.len()),
        drifted.to_string(),
        String::new(),
    ]
}

/// What drifted, by whom and since when. That an object is gone is said already.
fn drift_row(drift: &Drift) -> Option<Vec<String>> {
    let Drift {
        field,
        manager,
        time,
    } = drift;
    if field.is_empty() {
        return None;
    }
    // Who scales leaves no time behind.
    let by = match (manager.as_str(), time.as_str()) {
        ("", _) => "was taken away".to_owned(),
        (manager, "") => format!("was changed by {manager}"),
        (manager, time) => format!("was changed by {manager} at {time}"),
    };
    let nothing = String::new;
    Some(vec![
        nothing(),
        nothing(),
        nothing(),
        format!("{field} {by}"),
    ])
}

fn object_row(object: &ObjectStatus) -> Vec<String> {
    let drifted = match object.drifted {
        Some(true) => "yes",
        _ => "",
    };
    vec![
        format!("  {}", object.identity),
        format!("{:?}", object.health.status),
        drifted.to_owned(),
        object.health.message.clone(),
    ]
}
