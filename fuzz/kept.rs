//! Included by the crates whose parsers are fuzzed: runs a target on what is kept for it.

use std::{fs, path::Path};

/// Runs a target on its inputs in `fuzz/corpus/` and `fuzz/regressions/`.
pub(crate) fn run(name: &str, target: fn(&[u8])) {
    // Cargo runs tests in the crate's folder.
    let root = Path::new("../fuzz");
    let mut count = 0;
    for kept in ["corpus", "regressions"] {
        let Ok(folder) = fs::read_dir(root.join(kept).join(name)) else {
            continue;
        };
        for input in folder {
            target(&fs::read(input.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert!(count > 4, "`fuzz/corpus/{name}` is nearly empty");
}
