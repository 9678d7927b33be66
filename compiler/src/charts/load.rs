//! Charts as packs and repositories bring them, loaded.

use std::{collections::BTreeMap, sync::Arc};

use cairn_chart::{Chart, ChartFile, load, load_archive};
use cairn_spec::{
    ChartName, ChartRepository, Diagnostic, Digest, GeneratedValues, LockedChart, Node, PackChart,
    Span, Version,
};

use super::{WantedChart, check_release};
use crate::{FetchedChart, Session};

/// A chart, and what is known of where it came from.
#[derive(Debug)]
pub(crate) struct LoadedChart {
    pub(crate) name: ChartName,
    pub(crate) chart: Chart,
    /// The name that is written for its release.
    pub(crate) release: Option<String>,
    pub(crate) repository: Option<ChartRepository>,
    /// The digest of its archive.
    pub(crate) digest: Option<Digest>,
    /// Values for what is not deterministic.
    pub(crate) generated: GeneratedValues,
    /// Where it is asked for.
    pub(crate) place: Option<Span>,
}

impl LoadedChart {
    fn new(chart: Chart, digest: Option<Digest>, session: &mut Session) -> Option<Self> {
        match chart.name().parse::<ChartName>() {
            Ok(name) => Some(Self {
                name,
                chart,
                release: None,
                repository: None,
                digest,
                generated: GeneratedValues::default(),
                place: None,
            }),
            Err(error) => {
                session.report(Diagnostic::error("chart-name", error.to_string()));
                None
            }
        }
    }

    /// A packed chart; `title` is what messages call it.
    pub(crate) fn of_archive(title: &str, bytes: &[u8], session: &mut Session) -> Option<Self> {
        let chart = archive(title, bytes, None, session)?;
        Self::new(chart, Some(Digest::sha256(bytes)), session)
    }

    /// A chart of the files below its folder; `title` is what messages call it.
    pub(crate) fn of_folder(title: &str, files: Contents, session: &mut Session) -> Option<Self> {
        let files = files
            .into_iter()
            .map(|(path, bytes)| ChartFile::new(path.as_str(), bytes.to_vec()))
            .collect();
        let Session {
            sources, origins, ..
        } = &mut *session;
        match load(files, title, sources, origins) {
            Ok(chart) => Self::new(chart, None, session),
            Err(error) => {
                session.report(error.into_diagnostic());
                None
            }
        }
    }

    /// The version that its `Chart.yaml` says.
    pub(crate) fn version(&self) -> &str {
        &self.chart.metadata.version
    }
}

/// The chart of a layer that is one.
#[derive(Debug)]
pub(crate) struct ResolvedChart {
    pub(crate) loaded: LoadedChart,
    pub(crate) locked: LockedChart,
}

impl ResolvedChart {
    /// Loads what was fetched, and checks that it is what was asked for.
    pub(crate) fn load(
        wanted: &WantedChart<'_>,
        (locked, fetched): (LockedChart, FetchedChart),
        session: &mut Session,
    ) -> Option<Self> {
        let title = format!("{}-{}.tgz", locked.name, locked.version);
        let chart = archive(&title, &fetched.archive, wanted.span, session)?;
        let mut loaded = LoadedChart::new(chart, Some(fetched.digest), session)?;
        if loaded.name != locked.name || !is_version(loaded.version(), &locked.version) {
            session.report(
                Diagnostic::error(
                    "chart-identity",
                    format!(
                        "the repository has {} {} under the name of `{}` {}",
                        loaded.name,
                        loaded.version(),
                        locked.name,
                        locked.version
                    ),
                )
                .at(wanted.span)
                .hint("tell the repository's owner, and do not use the chart"),
            );
            return None;
        }
        loaded.release.clone_from(&wanted.chart.release);
        loaded.repository = Some(locked.repository.clone());
        loaded.generated.clone_from(&wanted.chart.generated);
        loaded.place = wanted.span;
        Some(Self { loaded, locked })
    }
}

fn is_version(written: &str, version: &Version) -> bool {
    written
        .parse::<Version>()
        .is_ok_and(|written| written == *version)
}

/// Loads an archive; `place` is where it is asked for.
fn archive(title: &str, bytes: &[u8], place: Option<Span>, session: &mut Session) -> Option<Chart> {
    let Session {
        sources, origins, ..
    } = session;
    match load_archive(bytes, title, sources, origins) {
        Ok(chart) => Some(chart),
        Err(error) => {
            let diagnostic = error.into_diagnostic();
            session.report(if diagnostic.labels.is_empty() {
                diagnostic.at(place)
            } else {
                diagnostic.label(place, "of this chart")
            });
            None
        }
    }
}

/// Files by their paths.
pub(crate) type Contents = Vec<(String, Arc<[u8]>)>;

/// The files of the charts in a pack.
#[derive(Debug, Default)]
pub(crate) struct ChartFiles {
    /// Archives by their paths.
    pub(crate) archives: Contents,
    /// Files below each folder in `charts/`.
    pub(crate) folders: BTreeMap<String, Contents>,
}

/// The charts of a pack, by `pack.yaml` and `charts/`.
pub(crate) struct PackedCharts<'a> {
    /// What messages call the pack.
    pub(crate) label: &'a str,
    /// What `pack.yaml` says of them.
    pub(crate) entries: &'a [PackChart],
    /// `pack.yaml`.
    pub(crate) manifest: &'a Node,
}

impl PackedCharts<'_> {
    /// Loads the charts, sorted by name; each mistake is reported.
    pub(crate) fn load(&self, files: ChartFiles, session: &mut Session) -> Vec<LoadedChart> {
        let mut charts: Vec<LoadedChart> = Vec::new();
        for (path, bytes) in files.archives {
            let title = format!("{}/{path}", self.label);
            let chart = LoadedChart::of_archive(&title, &bytes, session);
            self.add(chart, &mut charts, session);
        }
        for (folder, files) in files.folders {
            let title = format!("{}/charts/{folder}", self.label);
            let chart = LoadedChart::of_folder(&title, files, session);
            self.add(chart, &mut charts, session);
        }
        charts.sort_by(|a, b| a.name.cmp(&b.name));
        self.entries(&mut charts, session);
        charts
    }

    fn add(
        &self,
        chart: Option<LoadedChart>,
        charts: &mut Vec<LoadedChart>,
        session: &mut Session,
    ) {
        let Some(chart) = chart else { return };
        if charts.iter().any(|known| known.name == chart.name) {
            session.report(
                Diagnostic::error(
                    "chart-duplicate",
                    format!("`{}` holds two charts called `{}`", self.label, chart.name),
                )
                .hint("remove one of them from `charts/`"),
            );
            return;
        }
        charts.push(chart);
    }

    /// What `pack.yaml` says of the charts; each of its entries must have a chart that fits.
    fn entries(&self, charts: &mut [LoadedChart], session: &mut Session) {
        for (index, entry) in self.entries.iter().enumerate() {
            let place = |below: &str| {
                session.span_at(self.manifest, &format!("/spec/charts/{index}{below}"))
            };
            let (at_name, at_release) = (place("/name"), place("/release"));
            let (at_version, at_digest) = (place("/version"), place("/digest"));
            check_release(entry.release.as_deref(), at_release, session);
            let Some(chart) = charts.iter_mut().find(|chart| chart.name == entry.name) else {
                // A chart that is there and broken is reported already.
                if !session.diagnostics.has_errors() {
                    session.report(missing(entry).at(at_name));
                }
                continue;
            };
            let fits = entry.version.as_ref().is_none_or(|range| {
                let version = chart.version().parse::<Version>();
                version.is_ok_and(|version| range.matches(&version))
            });
            if !fits {
                session.report(
                    Diagnostic::error(
                        "chart-version",
                        format!(
                            "the chart `{}` in `charts/` is of version {}",
                            chart.name,
                            chart.version()
                        ),
                    )
                    .at(at_version)
                    .hint("remove the chart from `charts/` to have it fetched, or correct the version"),
                );
            }
            if let Some(expected) = &entry.digest
                && chart.digest.as_ref() != Some(expected)
            {
                let found = match &chart.digest {
                    Some(found) => format!("has the digest `{found}`"),
                    None => "is a folder, which has no digest".to_owned(),
                };
                session.report(
                    Diagnostic::error(
                        "chart-digest",
                        format!("the chart `{}` in `charts/` {found}", chart.name),
                    )
                    .at(at_digest)
                    .hint("do not use it unless you know where it came from"),
                );
            }
            chart.release.clone_from(&entry.release);
            chart.repository.clone_from(&entry.repository);
            chart.generated.clone_from(&entry.generated);
            chart.place = at_name;
        }
    }
}

fn missing(entry: &PackChart) -> Diagnostic {
    let message = format!("the chart `{}` is not in `charts/`", entry.name);
    let hint = if entry.repository.is_some() {
        "`cairn pack build` fetches it; `cairn pack push` does that too"
    } else {
        "put its folder or archive there, or add the `repository` it is fetched from"
    };
    Diagnostic::error("chart-missing", message).hint(hint)
}
