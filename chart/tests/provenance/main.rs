//! Proof that the tracker misses nothing: one leaf of a chart's values is changed, the chart is
//! rendered again, and all that moved must be what the tracker had named the leaf for.

mod compare;
mod explain;
mod leaf;
mod lines;
mod proof;
mod render;

use std::{fs, path::Path};

use cairn_chart::{Chart, ChartFile, Ignore, load, load_archive};
use cairn_spec::{Origins, Sources};

use proof::Proof;

/// The charts of this crate's tests, and one made for this.
#[test]
fn whatever_moves_was_named() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let folder = tests.join("testdata");
    let mut proof = Proof::default();
    proof.add("shop", load_chart(&tests.join("provenance/shop"), "shop"));
    for entry in sorted(&folder) {
        if entry.join("Chart.yaml").exists() {
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            proof.add(&name, load_chart(&entry, &name));
        }
    }
    println!("{proof}");
    assert!(proof.misses.is_empty(), "{proof}");
    assert!(proof.leaves > 100, "{proof}");
}

/// The same for all charts in a folder of anybody's: `CAIRN_CHARTS` names it, or several with `:`
/// between them; unless it does, the charts are those that other tests render. A chart may be a
/// folder or an archive, at any depth.
#[test]
#[ignore = "needs a folder of charts"]
fn whatever_moves_in_other_charts_was_named() {
    let folders = std::env::var_os("CAIRN_CHARTS").unwrap_or_else(|| "tests/testdata".into());
    let mut proof = Proof::default();
    for folder in std::env::split_paths(&folders) {
        for chart in charts_below(&folder) {
            let name = chart.display().to_string();
            println!("{}", proof.add(&name, load_chart(&chart, &name)));
        }
    }
    println!("{proof}");
    assert!(proof.misses.is_empty(), "{} misses", proof.misses.len());
}

fn sorted(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths
}

fn charts_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let is_archive = folder
        .extension()
        .is_some_and(|extension| extension == "tgz");
    if is_archive || folder.join("Chart.yaml").exists() {
        return vec![folder.to_owned()];
    }
    sorted(folder)
        .iter()
        .filter(|path| path.is_dir() || path.extension().is_some_and(|it| it == "tgz"))
        .flat_map(|path| charts_below(path))
        .collect()
}

fn load_chart(path: &Path, name: &str) -> Result<(Chart, Sources, Origins), String> {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let chart = if path.is_dir() {
        let ignored = fs::read(path.join(".helmignore")).unwrap_or_default();
        let ignore = Ignore::parse(&ignored).map_err(|error| error.to_string())?;
        let mut files = Vec::new();
        add_files(path, "", &ignore, &mut files);
        load(files, name, &mut sources, &mut origins)
    } else {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        load_archive(&bytes, name, &mut sources, &mut origins)
    };
    let chart = chart.map_err(|error| error.to_string())?;
    Ok((chart, sources, origins))
}

fn add_files(folder: &Path, prefix: &str, ignore: &Ignore, files: &mut Vec<ChartFile>) {
    for path in sorted(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let below = format!("{prefix}{name}");
        if ignore.is_ignored(&below, path.is_dir()) {
            continue;
        }
        if path.is_dir() {
            add_files(&path, &format!("{below}/"), ignore, files);
        } else if let Ok(bytes) = fs::read(&path) {
            files.push(ChartFile::new(below, bytes));
        }
    }
}
