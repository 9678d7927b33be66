//! `cairn chart explain`: where what a Helm chart renders came from.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_chart::{
    Document, RenderOptions,
    explain::{Explanation, FieldPath, Fields, NoField, ValuePaths},
    render,
};
use clap::Args;
use serde_json::json;

use super::chart_template::{ReleaseArgs, UNNAMED};
use crate::{
    charts::{Failed, Texts, ValueArgs, load_chart_as, warn},
    exit::{ExitCode, Failure, Outcome},
    explanation::{ExplainedField, Pointers},
    generated::GeneratedArgs,
    output::{Output, lines},
};

/// Say where a field of what a Helm chart renders came from
///
/// Without PATH it shows the whole object, each line beside its origin: `exact`, it is a value as
/// it was written; `derived`, it was computed from values; `controlled`, it is text of a template
/// that is there because of values; `template`, it is text of a template; `opaque`, it was generated.
///
///   cairn chart explain ./web Deployment/web spec.template.spec.containers[0].image -f my.yaml
///   cairn chart explain ./web svc/web
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ChartExplain {
    /// A chart: a folder or a `.tgz`
    #[arg(value_name = "CHART")]
    chart: PathBuf,
    /// KIND/NAME, KIND/NAMESPACE/NAME, or as much as names one object; or the path of a template
    #[arg(value_name = "OBJECT")]
    object: String,
    /// The field: `spec.ports[0].name`, `metadata.labels["a.b/c"]`, or `/spec/ports/0/name`
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// The release's name
    #[arg(long, default_value = UNNAMED)]
    name: String,
    #[command(flatten)]
    values: ValueArgs,
    #[command(flatten)]
    release: ReleaseArgs,
    #[command(flatten)]
    generated: GeneratedArgs,
}

impl ChartExplain {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let mut texts = Texts::default();
        self.explain(&mut texts, output)
            .map_err(|failed| failed.report(&texts, output))
    }

    fn explain(self, texts: &mut Texts, output: &Output) -> Result<(), Failed> {
        let path = FieldPath::parse(self.path.as_deref().unwrap_or_default()).map_err(usage)?;
        let namespace = &self.release.namespace;
        let host = self.generated.host(&self.name, namespace, texts, output)?;
        let options = RenderOptions {
            host: &host,
            provenance: true,
            ..self.release.options(&self.name)?
        };
        let values = self.values.merge(options.dialect, texts)?;
        let chart = load_chart_as(options.dialect, &self.chart, texts)?;
        let paths = ValuePaths::of(&chart, &values, &texts.origins);
        let release = render(
            chart,
            &values,
            &options,
            &mut texts.sources,
            &mut texts.origins,
        )?;
        warn(&release.warnings, texts, output);
        let document = release.find_object(&self.object).map_err(not_found)?;
        let explaining = Explaining {
            document,
            pointers: Pointers {
                sources: &texts.sources,
                origins: &texts.origins,
                paths,
            },
        };
        explaining.show(&path, output)?;
        Ok(())
    }
}

struct Explaining<'a> {
    document: &'a Document,
    pointers: Pointers<'a>,
}

impl Explaining<'_> {
    fn show(&self, path: &FieldPath, output: &Output) -> Result<(), Failure> {
        let document = self.document;
        let fields = Fields::of(document).map_err(|error| {
            let name = document.name_for_people();
            Failure::new(
                ExitCode::InvalidInput,
                anyhow!("{name} cannot be read: {error}"),
            )
        })?;
        let found = path.find(&fields, document).map_err(not_found)?;
        let explained: Vec<ExplainedField> = fields
            .leaves(&found, document)
            .into_iter()
            .map(|leaf| {
                let explanation = Explanation::of(document, leaf.value, &leaf.leads);
                let value = leaf.node.to_json();
                self.pointers.field(leaf.path, value, &explanation)
            })
            .collect();
        let object = document.name_for_people();
        let table = || match explained.as_slice() {
            [only] if found.is_leaf() => only.text(&object),
            _ => self.pointers.side_by_side(&fields.lines(&found, document)),
        };
        output.result(
            &json!({"object": object, "template": document.path(), "fields": explained}),
            table,
            || {
                lines(
                    explained
                        .iter()
                        .map(|field| field.places().trim_end().to_owned()),
                )
            },
        );
        Ok(())
    }
}

pub(super) fn usage(problem: NoField) -> Failure {
    failure(ExitCode::Usage, problem)
}

pub(super) fn not_found(problem: NoField) -> Failure {
    failure(ExitCode::NotFound, problem)
}

fn failure(code: ExitCode, problem: NoField) -> Failure {
    let failure = Failure::new(code, anyhow!(problem.message));
    match problem.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
