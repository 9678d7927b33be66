//! What nodes use, as `metrics.k8s.io` says: samples, put together between two reports.

use std::collections::BTreeMap;

use cairn_spec::agent::{MAX_NODES, NodeUsage, Series, Usage};
use serde_json::Value as Json;

use super::{
    cut::heaviest,
    quantity::{milli, whole},
};

/// Samples since the last report, and what each node used last.
#[derive(Debug, Default)]
pub(super) struct Samples {
    total: Option<Usage>,
    nodes: BTreeMap<String, NodeUsage>,
}

impl Samples {
    /// Takes a sample: `NodeMetrics` of all nodes.
    pub(super) fn take(&mut self, metrics: &[Json]) {
        self.nodes = metrics.iter().filter_map(node_usage).collect();
        let sum =
            |of: fn(&NodeUsage) -> u64| self.nodes.values().map(of).fold(0, u64::saturating_add);
        let (cpu_m, memory_bytes) = (sum(|it| it.cpu_m), sum(|it| it.memory_bytes));
        let total = self.total.get_or_insert_default();
        sample(&mut total.cpu_m, cpu_m);
        sample(&mut total.memory_bytes, memory_bytes);
    }

    /// Nobody measures any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What was used since the last time, by all together and by the nodes that use most.
    pub(super) fn drain(&mut self) -> (Option<Usage>, BTreeMap<String, NodeUsage>, usize) {
        let nodes = std::mem::take(&mut self.nodes).into_iter();
        let nodes = heaviest(nodes, MAX_NODES, |it| it.memory_bytes);
        (self.total.take(), nodes.items, nodes.left_out)
    }
}

fn node_usage(metrics: &Json) -> Option<(String, NodeUsage)> {
    let name = metrics["metadata"]["name"].as_str()?;
    let usage = NodeUsage {
        cpu_m: milli(metrics["usage"]["cpu"].as_str()?)?,
        memory_bytes: whole(metrics["usage"]["memory"].as_str()?)?,
    };
    Some((name.to_owned(), usage))
}

fn sample(series: &mut Series, value: u64) {
    let count = series.count.saturating_add(1);
    // The mean so far, moved by its share of what is new.
    let sum = u128::from(series.avg) * u128::from(series.count) + u128::from(value);
    *series = Series {
        value,
        min: if series.count == 0 {
            value
        } else {
            series.min.min(value)
        },
        avg: u64::try_from(sum / u128::from(count)).unwrap_or(u64::MAX),
        max: series.max.max(value),
        count,
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metrics(name: &str, cpu: &str, memory: &str) -> Json {
        json!({"metadata": {"name": name}, "usage": {"cpu": cpu, "memory": memory}})
    }

    #[test]
    fn samples_are_put_together_until_they_are_reported() {
        let mut samples = Samples::default();
        samples.take(&[metrics("a", "100m", "1Ki"), metrics("b", "300m", "3Ki")]);
        samples.take(&[metrics("a", "200000000n", "1Ki"), json!({"metadata": {}})]);
        let (usage, nodes, left_out) = samples.drain();
        let cpu = usage.unwrap().cpu_m;
        assert_eq!(
            (cpu.value, cpu.min, cpu.avg, cpu.max, cpu.count),
            (200, 200, 300, 400, 2)
        );
        assert_eq!((nodes["a"].cpu_m, nodes.len(), left_out), (200, 1, 0));
        assert_eq!(samples.drain().0, None);
    }
}
