//! `cairn plan`: what applying a bundle would change.

use cairn_runner::{
    prune::Decision,
    run::{ObjectPlan, Plan as RunPlan, Step, Verb, plan},
};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::{
    bundles::BundleArgs,
    client::runtime,
    cluster::{ClusterArgs, RunArgs, Target, failure_of, holder},
    config::Environment,
    exit::Outcome,
    output::{Output, lines},
};

/// Show what applying a bundle would change; nothing is written
///
/// The API server is asked, so defaults and admission are part of the answer. Fields are shown as they
/// are and as they would be, with the manager who set them; secrets are not shown.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    bundle: BundleArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Plan {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        runtime()?.block_on(self.plan(environment, output))
    }

    async fn plan(&self, environment: &Environment, output: &Output) -> Outcome {
        let target = Target::read(&self.bundle, &self.cluster, environment, output).await?;
        let approved = self.run.approved();
        let holder = holder();
        let options = self.run.options(&target.secrets, &approved, &holder);
        let planned = plan(&target.cluster, &target.bundle, &options).await;
        let planned = planned.map_err(|error| failure_of(error, output))?;
        let layers: Vec<Json> = planned
            .layers
            .iter()
            .map(|layer| {
                let objects: Vec<Json> = layer.objects.iter().map(object_json).collect();
                let deletions = layer.deletions.iter().map(|(identity, decision)| {
                    let (what, why) = decided(decision);
                    json!({"object": identity, "decision": what, "reason": why})
                });
                json!({
                    "layer": layer.layer, "objects": objects,
                    "deletions": deletions.collect::<Vec<_>>(),
                })
            })
            .collect();
        output.result(
            &json!({"bundle": target.digest, "layers": layers}),
            || text(&planned),
            || lines(changed(&planned).map(|object| object.id.to_string())),
        );
        Ok(())
    }
}

fn changed(plan: &RunPlan) -> impl Iterator<Item = &ObjectPlan> {
    let objects = plan.layers.iter().flat_map(|layer| &layer.objects);
    objects.filter(|object| object.step.verb() != Verb::Unchanged)
}

fn object_json(object: &ObjectPlan) -> Json {
    let mut json = json!({"object": object.id, "stage": object.stage, "step": object.step.verb()});
    match &object.step {
        Step::Change { changes, adopted } => {
            let changes = changes.iter().map(|change| {
                json!({
                    "field": change.path.to_string(), "old": change.old, "new": change.new,
                    "manager": change.owner.as_ref().map(|owner| &owner.manager),
                })
            });
            json["changes"] = changes.collect();
            json["adopted"] = (*adopted).into();
        }
        Step::Recreate(reason) | Step::Later(reason) | Step::Refused(reason) => {
            json["reason"] = reason.as_str().into();
        }
        _ => {}
    }
    json
}

fn decided(decision: &Decision) -> (&'static str, &str) {
    match decision {
        Decision::Delete { .. } => ("delete", ""),
        Decision::Release(reason) => ("release", reason),
        Decision::Keep(reason) => ("keep", reason),
        Decision::Ask(reason) => ("ask", reason),
    }
}

/// The plan for people: what changes, and a line that counts.
fn text(plan: &RunPlan) -> String {
    let mut out = Vec::new();
    for layer in &plan.layers {
        out.push(layer.layer.to_string());
        for object in &layer.objects {
            let id = &object.id;
            match &object.step {
                Step::Unchanged => {}
                Step::Create => out.push(format!("  + {id}")),
                Step::Change { changes, adopted } => {
                    let adopted = if *adopted { " (taken over)" } else { "" };
                    out.push(format!("  ~ {id}{adopted}"));
                    out.extend(changes.iter().map(|change| format!("      {change}")));
                }
                Step::Recreate(reason) => out.push(format!("  ± {id}: {reason}")),
                Step::Later(reason) => out.push(format!("  + {id} (later: {reason})")),
                Step::Foreign => out.push(format!("  ! {id} is there already and is not Cairn's")),
                Step::Skip => out.push(format!("  . {id} is somebody else's and stays")),
                Step::Refused(reason) => out.push(format!("  ! {id}: {reason}")),
            }
        }
        for (identity, decision) in &layer.deletions {
            let line = match decided(decision) {
                ("delete", _) => format!("  - {identity}"),
                (what, why) => format!("  . {identity}: {what}, {why}"),
            };
            out.push(line);
        }
        if out.last().is_some_and(|last| !last.starts_with(' ')) {
            out.push("  no changes".to_owned());
        }
    }
    let number = |verb: Verb| changed(plan).filter(|it| it.step.verb() == verb).count();
    let deletions = plan.layers.iter().flat_map(|layer| &layer.deletions);
    let deleted = deletions
        .filter(|(_, it)| matches!(it, Decision::Delete { .. }))
        .count();
    out.push(format!(
        "{} to create, {} to change, {} to recreate, {deleted} to delete",
        number(Verb::Create) + number(Verb::Later),
        number(Verb::Change),
        number(Verb::Recreate),
    ));
    out.join("\n")
}
