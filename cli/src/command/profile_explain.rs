//! `cairn profile explain`: where what a profile builds to came from.

use std::path::PathBuf;

use cairn_chart::explain::FieldPath;
use cairn_compiler::{BuiltField, BuiltObject, LockMode, Maker, Session};
use clap::Args;
use serde_json::json;

use super::{
    chart_explain::{not_found, usage},
    profile_build::{ProfileSources, refused},
};
use crate::{
    config::Environment,
    exit::Outcome,
    explanation::{ExplainedField, Pointers},
    output::{Output, lines},
};

/// Say where a field of what a profile builds to came from
///
/// Without PATH it shows the whole object, each field beside its origin, which is as for `cairn chart
/// explain`, or: `patched`, a patch wrote it; `manifest`, a manifest says it; `cairn`, nobody wrote it.
///
///   cairn profile explain profile.yaml Deployment/web spec.replicas
///   cairn profile explain profile.yaml svc/shop/web --cluster cluster.yaml
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ProfileExplain {
    /// The profile
    #[arg(value_name = "PROFILE")]
    profile: PathBuf,
    /// KIND/NAME, KIND/NAMESPACE/NAME, or as much as names one object
    #[arg(value_name = "OBJECT")]
    object: String,
    /// The field: `spec.ports[0].name`, `metadata.labels["a.b/c"]`, or `/spec/ports/0/name`
    #[arg(value_name = "PATH")]
    path: Option<String>,
    #[command(flatten)]
    sources: ProfileSources,
}

impl ProfileExplain {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let path = FieldPath::parse(self.path.as_deref().unwrap_or_default()).map_err(usage)?;
        let mode = LockMode::Keep;
        let build = self
            .sources
            .build(&self.profile, mode, environment, output)?;
        if build.bundle.is_none() {
            return Err(refused(&build, output));
        }
        let session = &build.session;
        let object = build
            .explainable
            .object(&self.object, session)
            .map_err(not_found)?;
        let found = object.find(&path).map_err(not_found)?;
        let is_one = found.is_leaf();
        let fields = object.explain(found, session);
        show(&object, &fields, is_one, session, output);
        Ok(())
    }
}

fn show(
    object: &BuiltObject<'_>,
    fields: &[BuiltField<'_>],
    is_one: bool,
    session: &Session,
    output: &Output,
) {
    let pointers = Pointers {
        sources: &session.sources,
        origins: &session.origins,
        paths: object.paths.clone(),
    };
    let explained: Vec<ExplainedField> = fields
        .iter()
        .map(|field| explained(field, &pointers))
        .collect();
    let title = format!("{} of the layer {}", object.name, object.layer);
    output.result(
        &json!({"object": object.name, "layer": object.layer, "fields": explained}),
        || match explained.as_slice() {
            [only] if is_one => only.text(&title),
            _ => {
                let width = explained.iter().map(ExplainedField::width).max();
                let mut shown = format!("{title}\n");
                for field in &explained {
                    shown += &field.line(width.unwrap_or(0));
                }
                shown
            }
        },
        || {
            lines(
                explained
                    .iter()
                    .map(|field| field.places().trim_end().to_owned()),
            )
        },
    );
}

fn explained(field: &BuiltField<'_>, pointers: &Pointers<'_>) -> ExplainedField {
    let (path, value) = (field.path.clone(), field.value.to_json());
    let made = match &field.maker {
        Maker::Template(explanation) => pointers.field(path, value, explanation),
        Maker::Manifest(place) => pointers.written_as_it_is(path, value, "manifest", Some(*place)),
        Maker::Patch => pointers.written_as_it_is(path, value, "patched", None),
        Maker::Cairn => pointers.written_as_it_is(path, value, "cairn", None),
    };
    pointers.changed(made, &field.patches, field.mirror_of)
}
