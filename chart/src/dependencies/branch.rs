//! A tree of charts while their dependencies are processed. As in Helm, copies of a chart that
//! stands below two aliases share their metadata: what is processed for one is processed for all.

use std::collections::BTreeSet;

use crate::{Chart, Metadata, values::ChartValues};

/// The metadata of a chart in a [`Trunk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MetadataId(usize);

/// A chart, whose own metadata and dependencies stand beside it.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) chart: Chart,
    pub(super) metadata: MetadataId,
    pub(super) dependencies: Vec<Self>,
}

/// What branches share.
#[derive(Debug, Default)]
pub(super) struct Trunk {
    metadata: Vec<Metadata>,
    /// Whose values are imported already.
    pub(super) imported: BTreeSet<MetadataId>,
}

impl Trunk {
    pub(super) fn branch(&mut self, mut chart: Chart) -> Branch {
        let dependencies = std::mem::take(&mut chart.dependencies);
        let metadata = self.add(std::mem::take(&mut chart.metadata));
        Branch {
            chart,
            metadata,
            dependencies: dependencies
                .into_iter()
                .map(|chart| self.branch(chart))
                .collect(),
        }
    }

    fn add(&mut self, metadata: Metadata) -> MetadataId {
        self.metadata.push(metadata);
        MetadataId(self.metadata.len() - 1)
    }

    /// Gives a branch metadata that it shares with nobody.
    pub(super) fn separate(&mut self, branch: &mut Branch) {
        branch.metadata = self.add(self.metadata[branch.metadata.0].clone());
    }

    pub(super) fn metadata(&self, branch: &Branch) -> &Metadata {
        &self.metadata[branch.metadata.0]
    }

    pub(super) fn metadata_mut(&mut self, branch: &Branch) -> &mut Metadata {
        &mut self.metadata[branch.metadata.0]
    }

    pub(super) fn name(&self, branch: &Branch) -> &str {
        &self.metadata(branch).name
    }

    pub(super) fn chart(&self, branch: Branch) -> Chart {
        Chart {
            metadata: self.metadata(&branch).clone(),
            dependencies: branch
                .dependencies
                .into_iter()
                .map(|branch| self.chart(branch))
                .collect(),
            ..branch.chart
        }
    }

    pub(super) fn values<'n>(&'n self, branch: &'n Branch) -> ChartValues<'n> {
        let below = branch.dependencies.iter();
        ChartValues {
            name: self.name(branch),
            values: &branch.chart.values,
            dependencies: below.map(|branch| self.values(branch)).collect(),
        }
    }
}
