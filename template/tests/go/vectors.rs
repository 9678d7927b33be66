//! Expressions with what Helm 4.2.3 answers, and the same again from a live Helm. Each file
//! under `vectors/` holds those of a family, with the values and files of the chart they are in.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

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
    let helm = std::env::var_os("CAIRN_PEERS")
        .map_or("helm".into(), |peers| Path::new(&peers).join("helm"));
    let folder = tempfile::tempdir().expect("helm and its files are there");
    let chart = folder.path().join("p");
    std::fs::create_dir_all(chart.join("templates")).expect("helm and its files are there");
    let write = |name: &str, text: &str| {
        std::fs::write(chart.join(name), text).expect("helm and its files are there");
    };
    write("Chart.yaml", "apiVersion: v2\nname: p\nversion: 0.1.0\n");
    write("values.yaml", &vectors.values);
    for (name, text) in &vectors.files {
        write(name, text);
    }
    let template = || {
        std::process::Command::new(&helm)
            .args(["template", "r", "--namespace", "n"])
            .arg(&chart)
            .output()
            .expect("helm runs")
    };
    // All outputs at once, each as JSON text of an object, since Helm shows only YAML.
    let mut expected = BTreeMap::new();
    for (number, vector) in vectors.all.iter().enumerate() {
        // What defines templates or names its own would mean something else beside others.
        let alone = ["define", "block", ".Template", "tpl"];
        if let Some(output) = &vector.output
            && !alone.iter().any(|word| vector.template.contains(word))
        {
            write(&format!("templates/_{number}.tpl"), &vector.template);
            let name = format!("p/templates/_{number}.tpl");
            let wrapper = format!(
                "out: {{{{ include {name:?} . | replace \"<no value>\" \"\" | toJson }}}}\n"
            );
            write(&format!("templates/{number}.yaml"), &wrapper);
            expected.insert(number, output);
        }
    }
    let rendered = template();
    assert!(rendered.status.success(), "{rendered:?}");
    let rendered = String::from_utf8(rendered.stdout).expect("helm and its files are there");
    let mut found = 0;
    for document in rendered.split("---\n# Source: p/templates/").skip(1) {
        let (number, text) = document
            .split_once(".yaml\nout: ")
            .expect("helm and its files are there");
        let number: usize = number.parse().expect("helm and its files are there");
        let text: String =
            serde_json::from_str(text.trim_end()).expect("helm and its files are there");
        assert_eq!(&text, expected[&number], "{}", vectors.all[number].template);
        found += 1;
    }
    assert_eq!(found, expected.len());
    for number in 0..vectors.all.len() {
        for name in [
            format!("templates/_{number}.tpl"),
            format!("templates/{number}.yaml"),
        ] {
            let _ = std::fs::remove_file(chart.join(name));
        }
    }
    // Errors one by one, since the first ends a run.
    for vector in vectors.all.iter().step_by(5) {
        let Some(error) = &vector.error else { continue };
        write("templates/a.txt", &vector.template);
        let failed = template();
        let message = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert!(
            message.contains(error.as_str()),
            "{}: {message}",
            vector.template
        );
    }
}
