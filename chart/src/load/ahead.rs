//! Charts in a chart that another thread loads: it begins with the last one, while this one begins
//! with the first.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cairn_spec::{Origins, Renumbered, Sources};

use super::{Loader, loads_below_charts, subcharts::Folder};
use crate::{Chart, ChartFile, Dialect};

/// Charts whose files are shorter than this together are loaded sooner than a thread begins, in
/// bytes.
const PARALLEL_BYTES: usize = 128 << 10;

/// The charts that are loaded by two threads.
pub(super) struct Ahead<'a> {
    folders: &'a [Folder],
    /// The path of the chart that they are in.
    path: &'a str,
    dialect: Dialect,
    bytes_left: u64,
    files_left: usize,
    state: Mutex<State>,
}

struct State {
    /// The folders that nobody has taken.
    untaken: Range<usize>,
    /// What the other thread loaded: the last folders, the very last first.
    loaded: Vec<Loaded>,
}

/// A chart, with tables of its own.
pub(super) struct Loaded {
    chart: Chart,
    sources: Sources,
    origins: Origins,
    bytes: u64,
    files: usize,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(folders: &'a [Folder], path: &'a str, loader: &Loader<'_>) -> Self {
        Self {
            folders,
            path,
            dialect: loader.dialect,
            bytes_left: loader.bytes_left,
            files_left: loader.files_left,
            state: Mutex::new(State {
                untaken: 0..folders.len(),
                loaded: Vec::new(),
            }),
        }
    }

    /// Whether they are worth another thread.
    pub(super) fn is_long(&self) -> bool {
        let files = self.folders.iter().flat_map(|folder| &folder.files);
        let looked_into = files.filter(|file| loads_below_charts(&file.path));
        let bytes: u64 = looked_into.map(ChartFile::length).sum();
        self.folders.len() > 1 && bytes >= PARALLEL_BYTES as u64
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first folder that nobody has taken.
    pub(super) fn first(&self) -> Option<usize> {
        self.state().untaken.next()
    }

    fn last(&self) -> Option<usize> {
        self.state().untaken.next_back()
    }

    /// Loads the last folder that nobody has taken, until none is left or there is something wrong
    /// with one, which the first thread is to find out.
    pub(super) fn run(&self) {
        while let Some(index) = self.last()
            && let Some(loaded) = self.load(index)
        {
            self.state().loaded.push(loaded);
        }
    }

    /// Nothing more is needed of the other thread.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.untaken.end = state.untaken.start;
    }

    /// What the other thread loaded, in the order of the folders: the last of them.
    pub(super) fn loaded(&self) -> impl ExactSizeIterator<Item = Loaded> + use<> {
        std::mem::take(&mut self.state().loaded).into_iter().rev()
    }

    fn load(&self, index: usize) -> Option<Loaded> {
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let mut loader = Loader::new(self.dialect, &mut sources, &mut origins);
        (loader.bytes_left, loader.files_left) = (self.bytes_left, self.files_left);
        let chart = loader.subchart(&self.folders[index], "", self.path);
        let chart = chart.ok()?;
        let (bytes, files) = (
            self.bytes_left - loader.bytes_left,
            self.files_left - loader.files_left,
        );
        Some(Loaded {
            chart,
            sources,
            origins,
            bytes,
            files,
        })
    }
}

impl Loader<'_> {
    /// Takes a chart over that another thread loaded, as if it were loaded now; not if it is too
    /// much.
    pub(super) fn adopt(&mut self, loaded: Loaded) -> Option<Chart> {
        self.bytes_left = self.bytes_left.checked_sub(loaded.bytes)?;
        self.files_left = self.files_left.checked_sub(loaded.files)?;
        let tables = (loaded.sources, loaded.origins);
        let numbers = Renumbered::append(self.sources, self.origins, tables);
        let mut chart = loaded.chart;
        renumber(&mut chart, numbers);
        Some(chart)
    }
}

fn renumber(chart: &mut Chart, numbers: Renumbered) {
    numbers.node(&mut chart.values);
    if let Some(source) = &mut chart.values_source {
        *source = numbers.source(*source);
    }
    for template in &mut chart.templates {
        template.source = numbers.source(template.source);
    }
    let places = chart.metadata_places.values_mut();
    for origin in places.chain(&mut chart.switched_on_by) {
        *origin = numbers.origin(*origin);
    }
    for dependency in &mut chart.dependencies {
        renumber(dependency, numbers);
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, io::Write as _};

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::{Error, MAX_LOADED_FILES};

    /// A chart of so many, in each of which there is another one, and what is wrong in the values of
    /// some.
    fn files(charts: usize, wrong: &[(usize, &str)]) -> Vec<ChartFile> {
        let metadata = |name| {
            let text = "{apiVersion: v2, name: web, version: 1.2.3}";
            ChartFile::new(format!("{name}Chart.yaml"), text)
        };
        let values = |name, text: &str| {
            let mut values = String::from("list: [1, {a: b}]\nnone: ~\n---\nlist: 2\n");
            for number in 0..100 {
                let _ = writeln!(values, "key{number}: &a{number} [text, {{in: {number}}}]");
            }
            ChartFile::new(format!("{name}values.yaml"), values + text)
        };
        let mut files = vec![metadata(String::new()), values(String::new(), "")];
        for number in 0..charts {
            let name = format!("charts/c{number:03}/");
            let inner = format!("{name}charts/inner/");
            let wrong = wrong.iter().filter(|(chart, _)| *chart == number);
            let text: String = wrong.map(|(_, text)| *text).collect();
            files.push(values(name.clone(), &text));
            files.push(metadata(name.clone()));
            files.push(ChartFile::new(format!("{name}templates/a.yaml"), "a: 1"));
            files.push(ChartFile::new(
                format!("{name}templates/long.tpl"),
                "x".repeat(PARALLEL_BYTES),
            ));
            files.push(metadata(inner.clone()));
            files.push(values(inner, ""));
        }
        files
    }

    /// The chart with its tables, or Helm's message.
    fn outcome(files: &[ChartFile], depth: usize, files_left: usize) -> Result<String, String> {
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let mut loader = Loader::new(Dialect::Helm4, &mut sources, &mut origins);
        // Only the charts in the outermost one are loaded by two threads.
        loader.depth = depth;
        loader.files_left = files_left;
        let chart = loader
            .take(files)
            .and_then(|()| loader.chart(files.to_vec(), "web"));
        let left = (loader.bytes_left, loader.files_left);
        let message = |error: Error| error.helm_message().to_owned();
        Ok(format!(
            "{:?}\n{left:?}\n{sources:?}\n{origins:?}",
            chart.map_err(message)?
        ))
    }

    fn assert_same(files: &[ChartFile], files_left: usize) -> Result<(), String> {
        let below = files.iter().filter_map(|file| {
            let path = file.path.strip_prefix("charts/")?;
            loads_below_charts(path).then(|| file.length())
        });
        assert!(below.sum::<u64>() >= PARALLEL_BYTES as u64);
        let alone = outcome(files, 1, files_left);
        for _ in 0..5 {
            assert_eq!(outcome(files, 0, files_left), alone);
        }
        alone.map(drop)
    }

    #[test]
    fn two_threads_load_what_one_loads() {
        for charts in [2, 3, 20] {
            assert_same(&files(charts, &[]), MAX_LOADED_FILES).unwrap();
        }
    }

    /// A chart as it is packed, without its padding.
    fn packed(name: &str) -> ChartFile {
        let mut tar = Vec::new();
        let metadata = format!("{{apiVersion: v2, name: {name}, version: 1.2.3}}");
        for (path, text) in [("Chart.yaml", &*metadata), ("README.md", "text")] {
            let mut header = [0; 512];
            let path = format!("{name}/{path}");
            header[..path.len()].copy_from_slice(path.as_bytes());
            header[124..136].copy_from_slice(format!("{:011o}\0", text.len()).as_bytes());
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            tar.extend(header);
            tar.extend(text.bytes());
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.resize(tar.len() + 1024, 0);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(&tar).unwrap();
        ChartFile::new(format!("charts/{name}.tgz"), encoder.finish().unwrap())
    }

    #[test]
    fn all_charts_share_one_limit() {
        let mut files = files(0, &[]);
        let archives = 100;
        for number in 0..archives {
            files.push(packed(&format!("c{number:03}")));
        }
        // Each holds two files, and is one.
        let all = files.len() + 2 * archives;
        assert_same(&files, all).unwrap();
        for missing in [1, archives, 2 * archives - 1] {
            let told = assert_same(&files, all - missing).unwrap_err();
            assert!(told.contains("hold more than"), "{told}");
        }
    }

    #[test]
    fn the_first_mistake_is_told() {
        for wrong in [&[(0, "{")][..], &[(19, "{")], &[(7, "{"), (12, "[")]] {
            let told = assert_same(&files(20, wrong), MAX_LOADED_FILES).unwrap_err();
            let name = format!("c{:03}", wrong[0].0);
            assert!(told.contains(&name), "{told}");
        }
    }
}
