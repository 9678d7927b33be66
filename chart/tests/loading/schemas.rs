//! Schemas and values with what Helm 4.2.3 says of them.

use std::fmt::Write as _;

use cairn_chart::{Chart, ChartFile, Error, load, schema};
use cairn_spec::{Node, Origins, Sources, Value};

use crate::METADATA;

#[derive(serde::Deserialize)]
struct Vectors {
    #[serde(rename = "vectors")]
    all: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Vector {
    schema: String,
    values: String,
    error: Option<String>,
}

fn chart(schema: &str, values: &str) -> (Chart, Origins, Sources) {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let files = vec![
        ChartFile::new("Chart.yaml", METADATA),
        ChartFile::new("values.schema.json", schema.as_bytes().to_vec()),
        ChartFile::new("values.yaml", values.as_bytes().to_vec()),
    ];
    let chart = load(files, "web", &mut sources, &mut origins).expect("the chart loads");
    (chart, origins, sources)
}

/// Templates do not see nulls of `values.yaml`, and neither does the schema.
fn without_nulls(node: &mut Node) {
    if let Some(map) = node.as_map_mut() {
        let keys: Vec<_> = map.keys().cloned().collect();
        for key in keys {
            match map.get_mut(&key) {
                Some(node) if node.value == Value::Null => drop(map.remove(&key)),
                Some(node) => without_nulls(node),
                None => {}
            }
        }
    }
}

pub(crate) fn check(schema: &str, values: &str) -> Result<(), Error> {
    let (mut chart, origins, _) = chart(schema, values);
    without_nulls(&mut chart.values);
    schema::validate(&chart, &chart.values, &origins)
}

#[test]
fn schemas_are_applied_as_in_helm() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/schema.json")).unwrap();
    let mut wrong = String::new();
    let mut count = 0;
    for vector in &vectors.all {
        let found = check(&vector.schema, &vector.values).err();
        let found = found.as_ref().map(Error::helm_message);
        if found != vector.error.as_deref() {
            count += 1;
            let (schema, values) = (&vector.schema, &vector.values);
            let _ = writeln!(
                wrong,
                "{schema} {values}\n  helm:  {:?}\n  cairn: {found:?}",
                vector.error
            );
        }
    }
    let all = vectors.all.len();
    assert!(wrong.is_empty(), "{count} of {all} differ:\n{wrong}");
}
