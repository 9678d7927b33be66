//! What of a cluster is told at once when it changes; all else goes with the next report.

use std::collections::BTreeMap;

use cairn_spec::LayerName;

use super::{node::NodeView, observed::Observed};

/// How the cluster is, in so few words that they change only when somebody should look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pressing {
    /// Objects of each layer by health, and how many of them somebody changed.
    layers: BTreeMap<LayerName, (BTreeMap<String, usize>, usize)>,
    /// How many pods workloads lack.
    lacking: u64,
    /// How many nodes there are, and how many are ready.
    nodes: (usize, usize),
}

impl Observed {
    /// What is told at once.
    pub(super) fn pressing(&self) -> Pressing {
        let layers = self.layers.iter();
        let is_ready = |node: &&NodeView| node.report.ready;
        Pressing {
            layers: layers
                .map(|(name, layer)| (name.clone(), (layer.health.clone(), layer.drifted)))
                .collect(),
            lacking: self.lacking(),
            nodes: (
                self.nodes.len(),
                self.nodes.values().filter(is_ready).count(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::agent::LayerReport;

    use super::*;

    #[test]
    fn a_layers_health_is_told_at_once_and_its_reasons_are_not() {
        let mut observed = Observed::default();
        let told = |health: &str, reason: &str| LayerReport {
            health: [(health.to_owned(), 1)].into(),
            error: reason.to_owned(),
            ..LayerReport::default()
        };
        let name: LayerName = "web".parse().unwrap();
        let nothing = observed.pressing();
        observed.layers.insert(name.clone(), told("Current", ""));
        let healthy = observed.pressing();
        assert_ne!(nothing, healthy);
        observed.layers.insert(name.clone(), told("Failed", "a"));
        let failed = observed.pressing();
        assert_ne!(healthy, failed);
        observed.layers.insert(name, told("Failed", "b"));
        assert_eq!(failed, observed.pressing());
    }
}
