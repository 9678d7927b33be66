//! Which checks ran, and how they ended.

use std::{collections::BTreeMap, fmt::Write as _, sync::Mutex};

use anyhow::Result;

/// What upstream's names begin with; left out here.
const ROOT: &str = "OCI Conformance Test/";

/// The checks of a run, by the names of their cases.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How often each case was checked: it repeats for each blob, manifest or tag of its data.
    passed: Mutex<BTreeMap<String, usize>>,
    failed: Mutex<Vec<String>>,
}

impl Report {
    /// Takes down how a case ended that counts as `checks` checks.
    pub(crate) fn record(&self, case: &str, checks: usize, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                let mut passed = self.passed.lock().unwrap();
                *passed.entry(case.to_owned()).or_default() += checks;
            }
            Err(error) => {
                let failure = format!("{ROOT}{case}: {error:#}");
                self.failed.lock().unwrap().push(failure);
            }
        }
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.failed.lock().unwrap().clone()
    }

    /// All checks, those that failed included.
    pub(crate) fn total(&self) -> usize {
        let passed: usize = self.passed.lock().unwrap().values().sum();
        passed + self.failed.lock().unwrap().len()
    }

    /// A line for each case: how many checks, and its name.
    pub(crate) fn counted(&self) -> String {
        let mut lines = String::new();
        for (case, checks) in self.passed.lock().unwrap().iter() {
            writeln!(lines, "{checks:3} {case}").unwrap();
        }
        lines
    }
}
