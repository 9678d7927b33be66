//! A chart that a layer asks for: which version, and its archive.

use cairn_spec::{Diagnostic, LayerChart, LayerName, LockedChart, Span, Version};

use crate::{FetchedChart, LockMode, PackSource};

/// What a layer asks of a repository of charts.
pub(crate) struct WantedChart<'a> {
    pub(crate) chart: &'a LayerChart,
    pub(crate) layer: &'a LayerName,
    pub(crate) span: Option<Span>,
}

/// A chart that was chosen and fetched, or why not.
pub(crate) type AcquiredChart = Result<(LockedChart, FetchedChart), Box<Diagnostic>>;

impl WantedChart<'_> {
    /// Chooses a version and fetches it.
    pub(crate) fn acquire(
        &self,
        source: &dyn PackSource,
        locked: &[LockedChart],
        mode: &LockMode,
    ) -> AcquiredChart {
        let chart = self.chart;
        let known = locked.iter().find(|locked| self.fits(locked));
        let known = known.filter(|locked| !mode.updates_chart(&locked.name));
        let (version, digest) = match known {
            Some(locked) => (locked.version.clone(), Some(&locked.digest)),
            None => (self.choose(source, mode)?, chart.digest.as_ref()),
        };
        let fetched = source
            .fetch_chart(&chart.repository, &chart.name, &version, digest)
            .map_err(|error| Box::new(error.at(self.span)))?;
        let locked = LockedChart {
            name: chart.name.clone(),
            version,
            repository: chart.repository.clone(),
            range: chart.version.clone(),
            digest: fetched.digest.clone(),
            required_by: vec![self.layer.clone()],
        };
        Ok((locked, fetched))
    }

    fn fits(&self, locked: &LockedChart) -> bool {
        let chart = self.chart;
        locked.name == chart.name
            && locked.repository == chart.repository
            && locked.required_by.contains(self.layer)
            && locked.range == chart.version
            && chart.version.matches(&locked.version)
            && chart
                .digest
                .as_ref()
                .is_none_or(|digest| *digest == locked.digest)
    }

    fn choose(&self, source: &dyn PackSource, mode: &LockMode) -> Result<Version, Box<Diagnostic>> {
        let LayerChart {
            name,
            repository,
            version: range,
            ..
        } = self.chart;
        if matches!(mode, LockMode::Locked) {
            let message = format!("the lock has no version of the chart `{name}` for `{range}`");
            return Err(Box::new(
                Diagnostic::error("lock-stale", message)
                    .at(self.span)
                    .hint("run `cairn profile update` and commit `profile.lock`"),
            ));
        }
        let versions = source
            .chart_versions(repository, name)
            .map_err(|error| Box::new(error.at(self.span)))?;
        if let Some(version) = range.highest(&versions) {
            return Ok(version.clone());
        }
        let message = format!("no version of the chart `{name}` at {repository} matches `{range}`");
        let diagnostic = Diagnostic::error("chart-version", message)
            .at(self.span)
            .hint(newest(&versions));
        Err(Box::new(diagnostic))
    }
}

/// What there is instead of a version that a repository of charts does not have, as a hint.
pub fn newest(versions: &[Version]) -> String {
    /// The newest few are shown.
    const SHOWN: usize = 5;
    let mut sorted: Vec<&Version> = versions.iter().collect();
    sorted.sort();
    let newest: Vec<String> = sorted
        .iter()
        .rev()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if newest.is_empty() {
        "the repository has no such chart: check its name and the address".to_owned()
    } else {
        format!("the newest are {}", newest.join(", "))
    }
}
