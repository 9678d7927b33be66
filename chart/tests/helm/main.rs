//! Charts rendered as Helm renders them: the answers of Helm 4.2.3 to the cases in `testdata/`
//! are recorded, compared, and checked again with a Helm that is there.

mod case;
mod folder;

use std::fmt::Write as _;

use case::{Case, Shown};

/// The cases of which the answer is not the recorded one, each with both.
fn differences(cases: &[Case], answer: impl Fn(&Case) -> Result<Vec<u8>, String>) -> String {
    let mut differences = String::new();
    for case in cases {
        let (expected, found) = (case.recorded(), answer(case));
        if found != expected {
            let _ = writeln!(
                differences,
                "--- {case}\nhelm:  {}\nfound: {}",
                Shown(&expected),
                Shown(&found)
            );
        }
    }
    differences
}

#[test]
fn every_case_gives_what_helm_gives() {
    let cases = Case::all();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let differences = differences(&cases, Case::render);
    assert!(differences.is_empty(), "{differences}");
}

/// Runs the cases through a Helm that is there, so that the recorded answers stay true.
#[test]
#[ignore = "needs helm"]
fn a_live_helm_gives_the_recorded_answers() {
    let helm = std::env::var_os("CAIRN_PEERS").map_or("helm".into(), |peers| {
        std::path::Path::new(&peers).join("helm")
    });
    let differences = differences(&Case::all(), |case| case.ask(&helm));
    assert!(differences.is_empty(), "{differences}");
}
