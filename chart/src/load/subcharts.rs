//! The charts in `charts/`: folders and archives.

use std::{collections::BTreeMap, sync::Arc, thread};

use cairn_template::Beside;

use super::{Loader, ahead::Ahead, extension, over_limit};
use crate::{Chart, ChartFile, ChartLimits, Dialect, Error, MAX_CHART_DEPTH, archive};

/// The files below `charts/`, by the folder or file right below it.
pub(super) type Folders = BTreeMap<Arc<str>, Vec<ChartFile>>;

/// What there is of a chart in `charts/`.
pub(super) struct Folder {
    name: Arc<str>,
    /// Their paths are below `charts/`.
    pub(super) files: Vec<ChartFile>,
}

impl Loader<'_> {
    /// `parent` is the chart's name, `path` where it is.
    pub(super) fn subcharts(
        &mut self,
        folders: Folders,
        parent: &str,
        path: &str,
    ) -> Result<Vec<Chart>, Error> {
        let folders = folders.into_iter();
        let folders: Vec<_> = folders
            .filter(|(name, _)| !name.starts_with(['_', '.']))
            .map(|(name, files)| Folder { name, files })
            .collect();
        let ahead = Ahead::new(&folders, path, self);
        if self.depth > 0 || !ahead.is_long() {
            let charts = folders.iter();
            return charts
                .map(|folder| self.subchart(folder, parent, path))
                .collect();
        }
        thread::scope(|scope| {
            let beside = Beside::begin(scope);
            beside.give(|| ahead.run());
            let charts = self.subcharts_ahead(&folders, parent, path, (&ahead, &beside));
            // What the other thread does now is of no use.
            ahead.close();
            charts
        })
    }

    fn subcharts_ahead(
        &mut self,
        folders: &[Folder],
        parent: &str,
        path: &str,
        (ahead, beside): (&Ahead<'_>, &Beside<'_>),
    ) -> Result<Vec<Chart>, Error> {
        let mut charts = Vec::new();
        while let Some(index) = ahead.first() {
            charts.push(self.subchart(&folders[index], parent, path)?);
        }
        beside.catch_up();
        let loaded = ahead.loaded();
        let first_loaded = folders.len() - loaded.len();
        for folder in &folders[charts.len()..first_loaded] {
            charts.push(self.subchart(folder, parent, path)?);
        }
        for loaded in loaded {
            let folder = &folders[charts.len()];
            let chart = self.adopt(loaded);
            charts.push(chart.map_or_else(|| self.subchart(folder, parent, path), Ok)?);
        }
        Ok(charts)
    }

    pub(super) fn subchart(
        &mut self,
        Folder { name, files }: &Folder,
        parent: &str,
        path: &str,
    ) -> Result<Chart, Error> {
        let path = format!("{path}/charts/{name}");
        let chart = if extension(name) == Some("tgz") {
            self.archive(name, files, parent, &path)?
        } else {
            let files = files.iter().filter_map(|file| {
                let (_, below) = file.path.split_once('/')?;
                Some(file.at(below))
            });
            self.nested(files.collect(), &path)
        };
        chart.map_err(|error| error.within(format!("error unpacking subchart {name} in {parent}")))
    }

    /// The outer error is of the parent, the inner one of the archive.
    fn archive(
        &mut self,
        name: &str,
        files: &[ChartFile],
        parent: &str,
        path: &str,
    ) -> Result<Result<Chart, Error>, Error> {
        let Some(file) = files.first().filter(|file| &*file.path == name) else {
            let found = files.first().map_or("", |file| &*file.path);
            let message =
                format!("error unpacking subchart tar in {parent}: expected {name}, got {found}");
            let diagnostic = cairn_spec::Diagnostic::error(
                "chart-files",
                format!("`{path}` is a folder, and its name that of an archive"),
            )
            .hint("rename the folder, or pack it");
            return Err(Error::new(message, diagnostic));
        };
        let limits = ChartLimits {
            bytes: self.bytes_left.min(ChartLimits::HELM.bytes),
            ..ChartLimits::HELM
        };
        let read = archive::read(file.bytes()?, &limits).map_err(|failure| {
            let message = match self.dialect {
                Dialect::Helm4 => failure.to_string(),
                Dialect::Helm3 => failure.helm_3_message(),
            };
            Error::new(message, failure.diagnostic(path))
        });
        Ok(read.and_then(|files| {
            self.take(&files)?;
            self.nested(files, path)
        }))
    }

    fn nested(&mut self, files: Vec<ChartFile>, path: &str) -> Result<Chart, Error> {
        if self.depth == MAX_CHART_DEPTH {
            return Err(over_limit(format!(
                "charts hold charts more than {MAX_CHART_DEPTH} deep"
            )));
        }
        self.depth += 1;
        let chart = self.chart(files, path);
        self.depth -= 1;
        chart
    }
}
