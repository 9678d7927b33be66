//! The same cases again, through a Helm that is there, so that the recorded answers stay true.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value as Json;

use crate::vectors::{Answer, Case, vectors, without_empty};

/// What each chart renders: all that it sees.
const DUMP: &str = "{{ dict \"values\" .Values \"dependencies\" .Chart.Dependencies | toJson }}\n";
const DUMP_PATH: &str = "templates/dump.yaml";
/// One case in so many is enough to notice another Helm.
const STEP: usize = 7;

#[test]
#[ignore = "needs helm"]
fn a_live_helm_gives_the_recorded_answers() {
    let helm = std::env::var_os("CAIRN_PEERS")
        .map_or("helm".into(), |peers| Path::new(&peers).join("helm"));
    let vectors = vectors();
    let folder = tempfile::tempdir().unwrap();
    for (name, files) in &vectors.charts {
        for (path, text) in files {
            write(&folder.path().join(name).join(path), text);
            if let Some(chart) = path.strip_suffix("Chart.yaml") {
                write(&folder.path().join(name).join(chart).join(DUMP_PATH), DUMP);
            }
        }
    }
    for case in vectors.cases.iter().step_by(STEP) {
        assert_eq!(
            ask(&helm, folder.path(), case),
            case.answer,
            "{} {:?}",
            case.chart,
            case.args
        );
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn ask(helm: &Path, charts: &Path, case: &Case) -> Answer {
    let own = tempfile::tempdir().unwrap();
    for (name, text) in &case.files {
        write(&own.path().join(name), text);
    }
    let output = Command::new(helm)
        .current_dir(own.path())
        .args(["template", "r", "--namespace", "n"])
        .arg(charts.join(&case.chart))
        .args(&case.args)
        .output()
        .unwrap();
    if !output.status.success() {
        let messages = String::from_utf8(output.stderr).unwrap();
        let (_, error) = messages.split_once("Error: ").unwrap();
        return Answer::Error(error.trim_end_matches('\n').to_owned());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let seen = text.split("---\n# Source: ").skip(1).map(|document| {
        let (path, json) = document.split_once('\n').unwrap();
        let chart = path.strip_suffix(DUMP_PATH).unwrap().trim_end_matches('/');
        (chart.to_owned(), slim(serde_json::from_str(json).unwrap()))
    });
    Answer::Charts(seen.collect::<BTreeMap<String, Json>>())
}

/// As the answers are recorded: without what says nothing.
fn slim(mut seen: Json) -> Json {
    let fields = seen.as_object_mut().unwrap();
    let Some(Json::Array(declared)) = fields.remove("dependencies") else {
        return seen;
    };
    if !declared.is_empty() {
        let declared: Json = declared.into_iter().map(without_empty).collect();
        fields.insert("dependencies".to_owned(), declared);
    }
    seen
}
