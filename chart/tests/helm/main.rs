//! Charts rendered as Helm renders them: the answers of Helm 4.2.3 and 3.21.4 to the cases in
//! `testdata/` are recorded, compared, and checked again with a Helm that is there.

mod case;
mod folder;

use std::{ffi::OsString, fmt::Write as _, path::Path};

use cairn_chart::Dialect;
use case::{Case, Shown};

/// The cases of which the answer is not the recorded one, each with both.
fn differences(
    dialect: Dialect,
    cases: &[Case],
    answer: impl Fn(&Case) -> Result<Vec<u8>, String>,
) -> String {
    let mut differences = String::new();
    for case in cases {
        let (expected, found) = (case.recorded(dialect), answer(case));
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

fn every_case_gives_what_is_recorded(dialect: Dialect) {
    let cases = Case::all();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let differences = differences(dialect, &cases, |case| case.render(dialect));
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_case_gives_what_helm_gives() {
    every_case_gives_what_is_recorded(Dialect::Helm4);
}

#[test]
fn every_case_gives_what_helm_3_gives() {
    every_case_gives_what_is_recorded(Dialect::Helm3);
}

/// Runs the cases through a Helm that is there, so that the recorded answers stay true.
fn a_live_helm_gives_the_recorded_answers_in(dialect: Dialect, program: &str) {
    let helm = std::env::var_os("CAIRN_PEERS").map_or(OsString::from(program), |peers| {
        Path::new(&peers).join(program).into()
    });
    let differences = differences(dialect, &Case::all(), |case| case.ask(&helm));
    assert!(differences.is_empty(), "{differences}");
}

#[test]
#[ignore = "needs helm"]
fn a_live_helm_gives_the_recorded_answers() {
    a_live_helm_gives_the_recorded_answers_in(Dialect::Helm4, "helm");
}

#[test]
#[ignore = "needs helm 3, as `helm3`"]
fn a_live_helm_3_gives_the_recorded_answers() {
    a_live_helm_gives_the_recorded_answers_in(Dialect::Helm3, "helm3");
}
