//! Expressions with what Helm 4.2.3 answers, and the same again from a live Helm. Each file
//! under `vectors/` holds those of a family, with the values and files of the chart they are in.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use crate::chart::Chart;

#[derive(serde::Deserialize)]
struct Vectors {
    values: String,
    files: BTreeMap<String, String>,
    #[serde(rename = "vectors")]
    all: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Vector {
    template: String,
    output: Option<String>,
    error: Option<String>,
}

fn families() -> Vec<Vectors> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/vectors");
    let files = std::fs::read_dir(folder).expect("there are vectors");
    files
        .map(|file| {
            let text = std::fs::read_to_string(file.expect("it is listed").path())
                .expect("it can be read");
            serde_json::from_str(&text).expect("the vectors are valid")
        })
        .collect()
}

fn answer(vectors: &Vectors, template: &str) -> Result<String, String> {
    let mut chart = Chart::new(template).values(&vectors.values);
    for (name, text) in &vectors.files {
        chart = chart.file(name, text);
    }
    match chart.render() {
        Ok(rendered) => Ok(String::from_utf8_lossy(&rendered.bytes).into_owned()),
        Err(error) => Err(error.helm_message()),
    }
}

#[test]
fn every_expression_gives_what_helm_gives() {
    let mut wrong = String::new();
    let (mut count, mut all) = (0, 0);
    for vectors in families() {
        all += vectors.all.len();
        for vector in &vectors.all {
            let expected = match (&vector.output, &vector.error) {
                (Some(output), _) => Ok(output.clone()),
                (None, error) => Err(error.clone().unwrap_or_default()),
            };
            let found = answer(&vectors, &vector.template);
            if found != expected {
                count += 1;
                let template = &vector.template;
                let _ = writeln!(
                    wrong,
                    "{template}\n  helm:  {expected:?}\n  cairn: {found:?}"
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{count} of {all} differ:\n{wrong}");
}

/// Runs the expressions through a Helm that is there, so that the recorded answers stay true.
#[test]
#[ignore = "needs helm"]
fn a_live_helm_gives_the_recorded_answers() {
    for vectors in families() {
        compare_with_live_helm(&vectors);
    }
}

fn compare_with_live_helm(vectors: &Vectors) {
    let chart = LiveChart::new(vectors);
    // What defines templates or names its own would mean something else in a file beside others,
    // and what changes values would change them for others.
    let fits_beside = |vector: &&Vector| {
        let words = ["define", "block", ".Template", "tpl"];
        !words.iter().any(|word| vector.template.contains(word))
    };
    let changes_values = |vector: &&Vector| {
        let words = ["set ", "erge"];
        words.iter().any(|word| vector.template.contains(word))
    };
    let outputs = vectors.all.iter().filter(|vector| vector.output.is_some());
    let (alone, together): (Vec<_>, Vec<_>) = outputs.filter(fits_beside).partition(changes_values);
    chart.compare_outputs(&together);
    for vector in alone.iter().step_by(5) {
        chart.compare_outputs(&[vector]);
    }
    // Errors one by one, since the first ends a run.
    for vector in vectors.all.iter().step_by(5) {
        let Some(error) = &vector.error else { continue };
        chart.write("templates/a.txt", &vector.template);
        let failed = chart.template();
        let message = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert!(
            message.contains(error.as_str()),
            "{}: {message}",
            vector.template
        );
    }
}

/// A chart that Helm itself renders.
struct LiveChart {
    folder: tempfile::TempDir,
    helm: OsString,
}

impl LiveChart {
    fn new(vectors: &Vectors) -> Self {
        let helm = std::env::var_os("CAIRN_PEERS")
            .map_or("helm".into(), |peers| Path::new(&peers).join("helm").into());
        let folder = tempfile::tempdir().expect("there is room");
        std::fs::create_dir_all(folder.path().join("p/templates")).expect("there is room");
        let chart = Self { folder, helm };
        chart.write("Chart.yaml", "apiVersion: v2\nname: p\nversion: 0.1.0\n");
        chart.write("values.yaml", &vectors.values);
        for (name, text) in &vectors.files {
            chart.write(name, text);
        }
        chart
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("p")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("there is room");
    }

    fn template(&self) -> std::process::Output {
        std::process::Command::new(&self.helm)
            .env("TZ", "UTC")
            .args(["template", "r", "--namespace", "n"])
            .arg(self.path())
            .output()
            .expect("helm runs")
    }

    /// Renders all at once, each as JSON text of an object, since Helm shows only YAML.
    fn compare_outputs(&self, vectors: &[&Vector]) {
        for (number, vector) in vectors.iter().enumerate() {
            self.write(&format!("templates/_{number}.tpl"), &vector.template);
            let name = format!("p/templates/_{number}.tpl");
            let wrapper = format!(
                "out: {{{{ include {name:?} . | replace \"<no value>\" \"\" | toJson }}}}\n"
            );
            self.write(&format!("templates/{number}.yaml"), &wrapper);
        }
        let rendered = self.template();
        assert!(rendered.status.success(), "{rendered:?}");
        let rendered = String::from_utf8(rendered.stdout).expect("JSON is UTF-8");
        let mut found = 0;
        for document in rendered.split("---\n# Source: p/templates/").skip(1) {
            let (number, text) = document.split_once(".yaml\nout: ").expect("it is ours");
            let vector = vectors[number.parse::<usize>().expect("it is a number")];
            let text: String = serde_json::from_str(text.trim_end()).expect("it is JSON");
            assert_eq!(Some(&text), vector.output.as_ref(), "{}", vector.template);
            found += 1;
        }
        assert_eq!(found, vectors.len());
        for number in 0..vectors.len() {
            for name in [
                format!("templates/_{number}.tpl"),
                format!("templates/{number}.yaml"),
            ] {
                std::fs::remove_file(self.path().join(name)).expect("it was written");
            }
        }
    }
}
