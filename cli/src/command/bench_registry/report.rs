//! What was measured, as data and as a table.

use std::fmt::Write as _;

use cairn_spec::human_bytes;
use serde::Serialize;

use super::statistics::{median, percentile};
use crate::output::table;

/// A whole run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// What content was made from; the same seed makes the same content again.
    pub(crate) seed: u64,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) scale: f64,
    /// How many manifests those that are read were chosen from; 0 stands for a few.
    pub(crate) stored: usize,
    pub(crate) blob_bytes: u64,
    /// The registries, in the order of the figures in each row; ratios are for the first.
    pub(crate) registries: Vec<Registry>,
    /// What this command reaches against servers that do nothing but send.
    pub(crate) ceiling: Vec<Ceiling>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Registry {
    pub(crate) name: String,
    pub(crate) url: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Ceiling {
    pub(crate) connections: usize,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
}

/// One workload with one number of connections.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) workload: &'static str,
    pub(crate) connections: usize,
    pub(crate) unit: Unit,
    pub(crate) better: Better,
    pub(crate) figures: Vec<Figure>,
    /// How many times as good the first registry is as the best of the others.
    pub(crate) ratio: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Unit {
    OperationsPerSecond,
    BytesPerSecond,
    Seconds,
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// One registry's measurements in a row.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figure {
    /// The median of the samples.
    pub(crate) value: Option<f64>,
    pub(crate) samples: Vec<f64>,
    /// Over all operations of all samples.
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    /// The most memory that was resident during the samples.
    pub(crate) peak_memory_bytes: Option<u64>,
    /// Why there are no samples, or no further ones.
    pub(crate) failure: Option<String>,
    #[serde(skip)]
    pub(crate) latencies_us: Vec<u64>,
}

impl Figure {
    /// Sums up what was collected.
    pub(crate) fn close(&mut self) {
        self.value = median(&self.samples);
        self.latencies_us.sort_unstable();
        self.p50_us = percentile(&self.latencies_us, 50);
        self.p99_us = percentile(&self.latencies_us, 99);
    }
}

impl Row {
    /// Compares the first registry with the best of the others.
    pub(crate) fn compare(&mut self) {
        let values: Vec<Option<f64>> = self.figures.iter().map(|figure| figure.value).collect();
        let Some((first, others)) = values.split_first() else {
            return;
        };
        let others = others.iter().flatten().copied();
        self.ratio = match self.better {
            Better::Higher => others
                .max_by(f64::total_cmp)
                .and_then(|best| Some((*first)? / best)),
            Better::Lower => others
                .min_by(f64::total_cmp)
                .and_then(|best| Some(best / (*first)?)),
        };
    }
}

impl Report {
    pub(crate) fn table(&self) -> String {
        let mut headers = vec!["WORKLOAD".to_owned(), "CONNECTIONS".to_owned()];
        for registry in &self.registries {
            headers.push(registry.name.to_uppercase());
            headers.push("P50/P99".to_owned());
            headers.push("MEMORY".to_owned());
        }
        headers.push("RATIO".to_owned());
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(Row::cells).collect();
        let mut text = table(&headers, &rows);
        for ceiling in &self.ceiling {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "The load generator itself reaches {} over {} connections",
                ceiling.unit.written(ceiling.value),
                ceiling.connections
            );
        }
        for row in &self.rows {
            for (registry, figure) in self.registries.iter().zip(&row.figures) {
                if let Some(failure) = &figure.failure {
                    let _ = writeln!(text, "{} of {}: {failure}", row.workload, registry.name);
                }
            }
        }
        text
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.workload.to_owned(), self.connections.to_string()];
        for figure in &self.figures {
            let value = figure.value.map(|value| self.unit.written(value));
            cells.push(value.unwrap_or_else(|| "-".to_owned()));
            cells.push(match (figure.p50_us, figure.p99_us) {
                (Some(p50_us), Some(p99_us)) => {
                    format!("{}/{}", milliseconds(p50_us), milliseconds(p99_us))
                }
                _ => "-".to_owned(),
            });
            let memory = figure.peak_memory_bytes.map(human_bytes);
            cells.push(memory.unwrap_or_else(|| "-".to_owned()));
        }
        let ratio = self.ratio.map(|ratio| format!("{ratio:.1}×"));
        cells.push(ratio.unwrap_or_else(|| "-".to_owned()));
        cells
    }
}

impl Unit {
    fn written(self, value: f64) -> String {
        match self {
            Self::OperationsPerSecond => format!("{value:.0}/s"),
            Self::BytesPerSecond => format!("{:.0} MB/s", value / 1e6),
            Self::Seconds => format!("{:.1} ms", value * 1e3),
            Self::Bytes => format!("{:.1} MiB", value / (1024.0 * 1024.0)),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a latency is shown with few digits"
)]
fn milliseconds(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(better: Better, values: &[Option<f64>]) -> Option<f64> {
        let figure = |value: &Option<f64>| Figure {
            value: *value,
            ..Figure::default()
        };
        let mut row = Row {
            workload: "catalog",
            connections: 1,
            unit: Unit::OperationsPerSecond,
            better,
            figures: values.iter().map(figure).collect(),
            ratio: None,
        };
        row.compare();
        row.ratio
    }

    #[test]
    fn ratios_are_to_the_best_of_the_others() {
        assert_eq!(
            ratio(Better::Higher, &[Some(6.0), Some(2.0), Some(3.0)]),
            Some(2.0)
        );
        assert_eq!(
            ratio(Better::Lower, &[Some(2.0), Some(6.0), None]),
            Some(3.0)
        );
        assert_eq!(ratio(Better::Higher, &[Some(6.0), None]), None);
        assert_eq!(ratio(Better::Higher, &[None, Some(1.0)]), None);
        assert_eq!(ratio(Better::Higher, &[Some(6.0)]), None);
    }
}
