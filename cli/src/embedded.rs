//! The packs and examples inside the binary, for machines without a checkout.

use std::path::{Path, PathBuf};

use cairn_spec::FileTree;
use include_dir::{Dir, include_dir};

use crate::{exit::Failure, files::replace_folder};

static PACKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../packs");
static EXAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../examples");

/// The folder that holds `packs/` and `examples/`: this one, when it is a checkout; else the copy
/// inside the binary is written below `data`.
pub(crate) fn sources(data: &Path) -> Result<PathBuf, Failure> {
    if Path::new("packs").is_dir() && Path::new("examples").is_dir() {
        return Ok(PathBuf::new());
    }
    let mut tree = FileTree::new();
    tree.put(MARKER, "Written by `cairn quickstart`; changes are lost.\n");
    for (name, folder) in [("packs", &PACKS), ("examples", &EXAMPLES)] {
        add(&mut tree, name, folder);
    }
    let target = data.join("quickstart");
    replace_folder(&target, &tree, MARKER)?;
    Ok(target)
}

const MARKER: &str = "ABOUT.txt";

fn add(tree: &mut FileTree, name: &str, folder: &Dir<'_>) {
    for file in folder.files() {
        tree.put(
            &format!("{name}/{}", file.path().display()),
            file.contents(),
        );
    }
    for below in folder.dirs() {
        add(tree, name, below);
    }
}
