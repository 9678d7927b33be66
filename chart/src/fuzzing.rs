//! What reads charts of strangers, as the fuzz target runs it: `fuzz/` gives it any bytes, and
//! plain tests give it those of `fuzz/corpus/` and `fuzz/regressions/`.
//!
//! It panics where a reader does, and where what was read breaks a promise. None of this is there
//! in a build for use.

use std::io::Write as _;

use cairn_spec::{Origins, Sources};
use flate2::{Compression, write::GzEncoder};

use crate::{Chart, ChartFile, ChartLimits, Error, Ignore, glob, load, load_archive, schema};

/// Limits that a fuzzer reaches with few bytes.
const LIMITS: ChartLimits = ChartLimits {
    bytes: 1 << 20,
    file_bytes: 1 << 16,
    files: 100,
};

/// A packed chart; a tar; or files, each as its path, a line feed and its content, with NUL
/// between them.
pub fn chart(data: &[u8]) {
    if data.starts_with(&[0x1f, 0x8b]) {
        return archive(data);
    }
    let is_tar = data.get(257..262).is_some_and(|magic| magic == b"ustar");
    if is_tar {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(data).expect("memory takes it");
        return archive(&encoder.finish().expect("memory takes it"));
    }
    let files: Vec<_> = data
        .split(|byte| *byte == 0)
        .map(|file| {
            let end = file.iter().position(|byte| *byte == b'\n');
            let (path, content) = file.split_at(end.unwrap_or(file.len()));
            let content = content.get(1..).unwrap_or_default().to_vec();
            ChartFile::new(String::from_utf8_lossy(path), content)
        })
        .collect();
    patterns(&files);
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let loaded = load(files, "chart", &mut sources, &mut origins);
    check(loaded, &origins);
}

fn archive(packed: &[u8]) {
    if let Ok(files) = crate::read_archive(packed, &LIMITS) {
        assert!(!files.is_empty() && files.len() <= LIMITS.files);
        for file in &files {
            let path = &*file.path;
            assert!(!path.is_empty() && !path.starts_with('/') && !path.starts_with(".."));
            assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")));
            assert!(file.length() <= LIMITS.file_bytes);
        }
    }
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let loaded = load_archive(packed, "chart.tgz", &mut sources, &mut origins);
    check(loaded, &origins);
}

fn check(loaded: Result<Chart, Error>, origins: &Origins) {
    match loaded {
        Ok(chart) => {
            assert!(!chart.name().is_empty() && !chart.name().contains('/'));
            if let Err(error) = schema::validate(&chart, &chart.values, origins) {
                assert!(error.diagnostic().hint.is_some());
            }
        }
        Err(error) => assert!(error.diagnostic().hint.is_some(), "{error}"),
    }
}

fn patterns(files: &[ChartFile]) {
    let Some(rules) = files.iter().find(|file| &*file.path == ".helmignore") else {
        return;
    };
    let rules = Ignore::parse(rules.bytes_or_nothing());
    for file in files {
        if let Ok(rules) = &rules {
            rules.is_ignored(&file.path, false);
        }
        if let Ok(pattern) = glob::Pattern::new(&file.path) {
            pattern.is_match(&file.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kept::run;

    #[test]
    fn kept_charts_are_read() {
        run("chart", super::chart);
    }
}
