//! Which charts a pack lacks: those that `pack.yaml` names and `charts/` does not hold.

use cairn_spec::{
    ChartName, ChartRepository, Digest, FileTree, LockedChart, PackLock, PackManifest, SourceKind,
    Version, VersionRange,
};

use crate::Session;

/// The charts that are to be fetched before a pack is whole.
#[derive(Debug, Clone, Default)]
pub struct ChartsToFetch {
    /// One by one, in the order of `pack.yaml`.
    pub wanted: Vec<WantedPackChart>,
    /// What `pack.lock` says.
    pub locked: Vec<LockedChart>,
}

/// A chart that a pack wants of a repository.
#[derive(Debug, Clone)]
pub struct WantedPackChart {
    /// The chart.
    pub name: ChartName,
    /// Where it is.
    pub repository: ChartRepository,
    /// The versions that will do.
    pub range: VersionRange,
    /// The digest that its archive must have.
    pub digest: Option<Digest>,
}

impl WantedPackChart {
    /// What the lock says of the chart, if that still fits.
    pub fn locked<'l>(&self, locked: &'l [LockedChart]) -> Option<&'l LockedChart> {
        locked.iter().find(|locked| {
            locked.name == self.name
                && locked.repository == self.repository
                && locked.range == self.range
                && self.range.matches(&locked.version)
                && self
                    .digest
                    .as_ref()
                    .is_none_or(|digest| *digest == locked.digest)
        })
    }

    /// Where its archive is in the pack.
    pub fn path(&self, version: &Version) -> String {
        format!("charts/{}-{version}.tgz", self.name)
    }
}

/// The charts that a pack lacks. A pack that cannot be read lacks none: reading it says why.
pub fn charts_to_fetch(tree: &FileTree) -> ChartsToFetch {
    let mut session = Session::default();
    let text = |path: &str| {
        let file = tree.get(path)?;
        str::from_utf8(&file.bytes).ok().map(str::to_owned)
    };
    let manifest = text("pack.yaml").and_then(|text| {
        session
            .read_kind::<PackManifest>("pack.yaml", text, SourceKind::PackManifest)
            .map(|(manifest, _)| manifest)
    });
    let Some(manifest) = manifest else {
        return ChartsToFetch::default();
    };
    let wanted = manifest.spec.charts.into_iter().filter_map(|chart| {
        let range = chart.version.unwrap_or_else(VersionRange::any);
        if is_there(tree, &chart.name, &range) {
            return None;
        }
        Some(WantedPackChart {
            name: chart.name,
            repository: chart.repository?,
            range,
            digest: chart.digest,
        })
    });
    let wanted: Vec<_> = wanted.collect();
    let locked = text("pack.lock").and_then(|text| {
        session
            .read_kind::<PackLock>("pack.lock", text, SourceKind::Lock)
            .map(|(lock, _)| lock.charts)
    });
    ChartsToFetch {
        wanted,
        locked: locked.unwrap_or_default(),
    }
}

/// Whether `charts/` holds a folder of the chart, or an archive of one of the versions.
fn is_there(tree: &FileTree, name: &ChartName, range: &VersionRange) -> bool {
    tree.iter().any(|(path, _)| {
        let Some(below) = path.below("charts") else {
            return false;
        };
        if let Some((folder, _)) = below.split_once('/') {
            return folder == name.as_str();
        }
        below
            .strip_suffix(".tgz")
            .and_then(|stem| stem.strip_prefix(name.as_str())?.strip_prefix('-'))
            .and_then(|version| version.parse::<Version>().ok())
            .is_some_and(|version| range.matches(&version))
    })
}
