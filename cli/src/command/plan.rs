//! `cairn plan`: what applying a bundle would change.

use std::{fmt::Write as _, iter};

use cairn_runner::{
    prune::Decision,
    run::{ObjectPlan, Plan as RunPlan, Step, Verb, plan},
};
use clap::Args;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    bundles::BundleArgs,
    client::runtime,
    cluster::{ClusterArgs, RunArgs, Target, failure_of, holder},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
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
        let summary = Summary::of(&planned);
        output.result(
            &json!({
                "bundle": target.digest, "layers": layers,
                "missingRights": planned.missing, "summary": summary,
            }),
            || text(&planned, &summary, output),
            || lines(changed(&planned).map(|object| object.id.to_string())),
        );
        // As the run itself would end.
        if !planned.missing.is_empty() {
            return Err(Failure::reported(ExitCode::Denied));
        }
        if summary.foreign > 0 {
            return Err(Failure::reported(ExitCode::Conflict));
        }
        if summary.refused > 0 {
            return Err(Failure::reported(ExitCode::InvalidInput));
        }
        Ok(())
    }
}

/// How much a run would do, in objects.
#[derive(Debug, Serialize)]
struct Summary {
    create: usize,
    /// Some of those are not tried yet, since their kinds or namespaces come with the bundle.
    untried: usize,
    change: usize,
    recreate: usize,
    delete: usize,
    unchanged: usize,
    /// Somebody else's, so that the run would fail.
    foreign: usize,
    /// Objects that the API server would not take.
    refused: usize,
}

impl Summary {
    fn of(plan: &RunPlan) -> Self {
        let objects = || plan.layers.iter().flat_map(|layer| &layer.objects);
        let number = |verb: Verb| objects().filter(|it| it.step.verb() == verb).count();
        let deletions = plan.layers.iter().flat_map(|layer| &layer.deletions);
        let untried = number(Verb::Later);
        Self {
            create: number(Verb::Create) + untried,
            untried,
            change: number(Verb::Change),
            recreate: number(Verb::Recreate),
            delete: deletions
                .filter(|(_, it)| matches!(it, Decision::Delete { .. }))
                .count(),
            unchanged: number(Verb::Unchanged) + number(Verb::Skip),
            foreign: number(Verb::Foreign),
            refused: number(Verb::Refused),
        }
    }

    fn text(&self) -> String {
        let Self {
            create,
            change,
            recreate,
            delete,
            unchanged,
            ..
        } = self;
        let mut text = format!(
            "{create} to create, {change} to change, {recreate} to recreate, {delete} to delete, {unchanged} unchanged"
        );
        if self.untried > 0 {
            let _ = write!(
                text,
                "\n{} of those to create could not be tried: their namespaces or kinds come with the bundle",
                self.untried
            );
        }
        if self.foreign > 0 {
            let _ = write!(
                text,
                "\n{} somebody else's: the run would fail",
                self.foreign
            );
        }
        if self.refused > 0 {
            let _ = write!(text, "\n{} refused: the run would fail", self.refused);
        }
        text
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
                    "time": change.owner.as_ref().map(|owner| &owner.time),
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
fn text(plan: &RunPlan, summary: &Summary, output: &Output) -> String {
    let mut out = Vec::new();
    for layer in &plan.layers {
        let objects = layer
            .objects
            .iter()
            .flat_map(|object| lines_of(object, output));
        let deletions =
            layer
                .deletions
                .iter()
                .map(|(identity, decision)| match decided(decision) {
                    ("delete", _) => output.paint_data("31", &format!("  - {identity}")),
                    (what, why) => format!("  . {identity}: {what}, {why}"),
                });
        let lines: Vec<String> = objects.chain(deletions).collect();
        if !lines.is_empty() {
            out.push(layer.layer.to_string());
            out.extend(lines);
        }
    }
    if !plan.missing.is_empty() {
        out.push("rights that are missing".to_owned());
        let missing = plan.missing.iter();
        out.extend(missing.map(|right| output.paint_data("1;31", &format!("  ! {right}"))));
    }
    out.push(summary.text());
    out.join("\n")
}

fn lines_of(object: &ObjectPlan, output: &Output) -> Vec<String> {
    let id = &object.id;
    let (color, line) = match &object.step {
        Step::Unchanged => return Vec::new(),
        Step::Create | Step::Later(_) => ("32", format!("  + {id}")),
        Step::Change { changes, adopted } => {
            let adopted = if *adopted { " (taken over)" } else { "" };
            let line = output.paint_data("33", &format!("  ~ {id}{adopted}"));
            let changes = changes.iter().map(|change| format!("      {change}"));
            return iter::once(line).chain(changes).collect();
        }
        Step::Recreate(reason) => ("33", format!("  ± {id}: {reason}")),
        Step::Foreign => (
            "1;31",
            format!("  ! {id} is there already and is not Cairn's"),
        ),
        Step::Skip => ("2", format!("  . {id} is somebody else's and stays")),
        Step::Refused(reason) => ("1;31", format!("  ! {id}: {reason}")),
    };
    vec![output.paint_data(color, &line)]
}
