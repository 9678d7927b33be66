//! Charts and arguments with what Helm 4.2.3 answers: the values of each chart, what is left of
//! its dependencies, or the error.

use std::{collections::BTreeMap, fmt::Write as _};

use cairn_chart::{Chart, Dependency, ImportValues, values};
use cairn_spec::Node;
use cairn_template::go_json::{self, JsonStyle};
use serde_json::{Value as Json, json};

use crate::charts::{Files, Run};

#[derive(serde::Deserialize)]
pub(crate) struct Vectors {
    pub(crate) charts: BTreeMap<String, Files>,
    pub(crate) cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
pub(crate) struct Case {
    pub(crate) chart: String,
    pub(crate) args: Vec<String>,
    /// The files that the arguments name.
    #[serde(default)]
    pub(crate) files: Files,
    #[serde(flatten)]
    pub(crate) answer: Answer,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// What each chart sees, by its path.
    Charts(BTreeMap<String, Json>),
    Error(String),
}

pub(crate) fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../vectors/values.json")).unwrap()
}

pub(crate) fn answer(files: &Files, case: &Case) -> Answer {
    let mut run = Run::default();
    match run.outcome(files, &case.args, &case.files) {
        Err(error) => Answer::Error(error),
        Ok(outcome) => {
            let mut charts = BTreeMap::new();
            let name = outcome.chart.name().to_owned();
            see(&outcome.chart, Some(&outcome.values), name, &mut charts);
            Answer::Charts(charts)
        }
    }
}

/// What the templates of a chart, and those of the charts in it, print.
fn see(chart: &Chart, own: Option<&Node>, path: String, charts: &mut BTreeMap<String, Json>) {
    for below in &chart.dependencies {
        let values = own.and_then(|own| values::of_subchart(own, below.name()));
        see(
            below,
            values,
            format!("{path}/charts/{}", below.name()),
            charts,
        );
    }
    if chart.metadata.chart_type == cairn_chart::ChartType::Library {
        return;
    }
    let mut seen = json!({
        "values": own.map_or(json!({}), to_json),
    });
    let declared = chart.metadata.dependencies.iter().flatten();
    let declared: Vec<Json> = declared.map(shown).collect();
    if !declared.is_empty() {
        seen["dependencies"] = declared.into();
    }
    charts.insert(path, seen);
}

fn shown(dependency: &Dependency) -> Json {
    let imports = dependency.import_values.iter().map(|import| match import {
        ImportValues::Path { child, parent } => json!({"child": child, "parent": parent}),
        ImportValues::Export(name) => json!(name),
        ImportValues::Other(node) => node.to_json(),
    });
    without_empty(json!({
        "Name": dependency.name,
        "Version": dependency.version,
        "Repository": dependency.repository,
        "Condition": dependency.condition,
        "Tags": dependency.tags,
        "Enabled": dependency.enabled,
        "ImportValues": imports.collect::<Json>(),
        "Alias": dependency.alias,
    }))
}

/// The fields that say something.
pub(crate) fn without_empty(json: Json) -> Json {
    let Json::Object(fields) = json else {
        return json;
    };
    let empty = [json!(""), json!([]), json!(false)];
    fields
        .into_iter()
        .filter(|(_, value)| !empty.contains(value))
        .collect()
}

/// As `toJson` writes it.
fn to_json(node: &Node) -> Json {
    let text = go_json::write(node, JsonStyle::Compact, &mut ()).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_case_gives_what_helm_gives() {
    let vectors = vectors();
    let mut wrong = String::new();
    let mut count = 0;
    for case in &vectors.cases {
        let found = answer(&vectors.charts[&case.chart], case);
        if found != case.answer {
            count += 1;
            let (chart, args) = (&case.chart, &case.args);
            let _ = writeln!(wrong, "{chart} {args:?}");
            let _ = match (&case.answer, &found) {
                (Answer::Charts(helm), Answer::Charts(cairn)) => {
                    let name = helm.keys().find(|name| helm.get(*name) != cairn.get(*name));
                    let name = name.or(cairn.keys().next()).unwrap();
                    let show = |charts: &BTreeMap<String, Json>| {
                        charts.get(name).map_or("none".to_owned(), Json::to_string)
                    };
                    let (helm, cairn) = (show(helm), show(cairn));
                    writeln!(wrong, "  {name}\n  helm:  {helm}\n  cairn: {cairn}")
                }
                (helm, cairn) => writeln!(wrong, "  helm:  {helm:?}\n  cairn: {cairn:?}"),
            };
        }
    }
    assert!(vectors.cases.len() > 400, "some are missing");
    assert!(
        wrong.is_empty(),
        "{count} of {} differ:\n{wrong}",
        vectors.cases.len()
    );
}
