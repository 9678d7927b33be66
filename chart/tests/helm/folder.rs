//! Reads a chart's folder, as the command line does.

use std::{fs, path::Path};

use cairn_chart::ChartFile;

/// The files below a folder, in the order in which Helm walks it.
pub(crate) fn read(folder: &Path) -> Vec<ChartFile> {
    let mut files = Vec::new();
    add(folder, "", &mut files);
    files
}

fn add(folder: &Path, prefix: &str, files: &mut Vec<ChartFile>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("the chart is a folder")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("it has a name").to_string_lossy();
        let below = format!("{prefix}{name}");
        if path.is_dir() {
            add(&path, &format!("{below}/"), files);
        } else {
            let bytes = fs::read(&path).expect("the file can be read");
            files.push(ChartFile::new(below.as_str(), bytes));
        }
    }
}
