//! Changes every leaf of a chart, one at a time, and counts what the tracker knew of it.

use std::{collections::BTreeMap, fmt};

use cairn_chart::Chart;
use cairn_spec::{Origins, Sources};

use crate::{
    compare::{Comparison, How},
    leaf::{CHANGES, leaves},
    render::rendered,
};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    pub(crate) charts: usize,
    pub(crate) leaves: usize,
    renders: usize,
    /// Renders that failed because of the change.
    refused: usize,
    /// How often the leaf was named how, for scalars that moved.
    moves: BTreeMap<How, usize>,
    /// Moves that nothing had named.
    pub(crate) misses: Vec<String>,
    /// Charts that do not render with their defaults.
    skipped: usize,
}

impl Proof {
    /// Perturbs a chart, and says what came of it.
    pub(crate) fn add(
        &mut self,
        name: &str,
        loaded: Result<(Chart, Sources, Origins), String>,
    ) -> String {
        let (chart, sources, origins) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return self.skip(name, &error),
        };
        let first = match rendered(chart.clone(), &sources, &origins) {
            Ok(first) => first,
            Err(error) => return self.skip(name, error.helm_message()),
        };
        self.charts += 1;
        let (mut count, missed) = (0, self.misses.len());
        for leaf in leaves(&chart, &origins) {
            count += 1;
            for change in CHANGES {
                let Some(changed) = leaf.changed(&chart, change) else {
                    continue;
                };
                let Ok(second) = rendered(changed, &sources, &origins) else {
                    self.refused += 1;
                    continue;
                };
                self.renders += 1;
                let comparison = Comparison {
                    first: &first,
                    second: &second,
                    leaf: &leaf,
                    change,
                };
                for one in comparison.moves() {
                    match one.how {
                        Some(how) => *self.moves.entry(how).or_default() += 1,
                        None => self.misses.push(format!(
                            "{name}: {} {change:?}: {}: {}",
                            leaf.shown(),
                            one.path,
                            one.what
                        )),
                    }
                }
            }
        }
        self.leaves += count;
        let found = self.misses.get(missed..).unwrap_or_default();
        let heading = format!("{name}: {count} leaves, {} misses", found.len());
        [&[heading][..], found].concat().join("\n  ")
    }

    fn skip(&mut self, name: &str, reason: &str) -> String {
        let line = reason.lines().next().unwrap_or_default();
        self.skipped += 1;
        format!("{name}: skipped: {line}")
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} charts, {} leaves, {} renders and {} refused, {} skipped",
            self.charts, self.leaves, self.renders, self.refused, self.skipped
        )?;
        let all: usize = self.moves.values().sum::<usize>() + self.misses.len();
        for (how, count) in &self.moves {
            let share = count * 1000 / all.max(1);
            writeln!(f, "{how:?}: {count} ({}.{} %)", share / 10, share % 10)?;
        }
        writeln!(f, "misses: {}", self.misses.len())?;
        for miss in self.misses.iter().take(40) {
            writeln!(f, "  {miss}")?;
        }
        Ok(())
    }
}
