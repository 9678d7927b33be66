//! The charts in `charts/`: folders and archives.

use std::{collections::BTreeMap, sync::Arc};

use super::{Loader, extension, over_limit};
use crate::{Chart, ChartFile, ChartLimits, Dialect, Error, MAX_CHART_DEPTH, archive};

/// The files below `charts/`, by the folder or file right below it.
pub(super) type Folders = BTreeMap<Arc<str>, Vec<ChartFile>>;

impl Loader<'_> {
    /// `parent` is the chart's name, `path` where it is.
    pub(super) fn subcharts(
        &mut self,
        folders: Folders,
        parent: &str,
        path: &str,
    ) -> Result<Vec<Chart>, Error> {
        let mut charts = Vec::new();
        for (folder, files) in folders {
            if folder.starts_with(['_', '.']) {
                continue;
            }
            let path = format!("{path}/charts/{folder}");
            let chart = if extension(&folder) == Some("tgz") {
                self.archive(&folder, &files, parent, &path)?
            } else {
                let files = files.into_iter().filter_map(|file| {
                    let (_, below) = file.path.split_once('/')?;
                    Some(ChartFile {
                        path: below.into(),
                        bytes: file.bytes,
                    })
                });
                self.nested(files.collect(), &path)
            };
            charts.push(chart.map_err(|error| {
                error.within(format!("error unpacking subchart {folder} in {parent}"))
            })?);
        }
        Ok(charts)
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
        let read = archive::read(&file.bytes, &limits).map_err(|failure| {
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
