//! Verdicts and messages as kstatus gives them: its answers were recorded from `github.com/fluxcd/cli-utils`
//! 1.2.1, on the facts of its own published cases and on a matrix of ours.

use cairn_runner::health::{Status, kstatus};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

#[derive(Deserialize)]
struct Vectors {
    now: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    object: Json,
    status: Status,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

#[test]
fn verdicts_are_those_of_kstatus() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/kstatus.json")).unwrap();
    let now: Timestamp = vectors.now.parse().unwrap();
    let mut differences = Vec::new();
    for case in &vectors.cases {
        let verdict = kstatus(&case.object, now);
        // Errors are worded by each language.
        let is_error = case.status == Status::Unknown && verdict.status == Status::Unknown;
        let expected = (case.status, case.reason.as_str(), case.message.as_str());
        let found = (verdict.status, &*verdict.reason, verdict.message.as_str());
        if expected != found && !is_error {
            differences.push(format!("{}: {found:?} instead of {expected:?}", case.name));
        }
    }
    assert!(vectors.cases.len() > 500, "the vectors are incomplete");
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{}",
        differences.len(),
        vectors.cases.len(),
        differences.join("\n")
    );
}
