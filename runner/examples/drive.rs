//! `plan` and `apply` of a bundle's folder as a program of its own, without all else that `cairn` does: small
//! enough to be built for measuring (`benches/cluster/run`).
//!
//! `drive plan|apply FOLDER`; the cluster is that of `KUBECONFIG`.

use std::{ffi::OsString, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use cairn_runner::{
    bundle::{BundleReader, Secrets},
    cluster::{Access, Cluster, Pace},
    run::{self, Options},
};
use cairn_spec::{Digest, FileTree};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [action, folder] = arguments.as_slice() else {
        bail!("drive plan|apply FOLDER");
    };
    let mut tree = FileTree::new();
    read(Path::new(folder), Path::new(folder), &mut tree)?;
    let manifest = tree.get("bundle.json").context("no bundle.json")?;
    let digest = Digest::sha256(&manifest.bytes);
    let bundle = BundleReader::read(&tree)?;
    drop(tree);
    let kubeconfig = std::env::var_os("KUBECONFIG").context("no KUBECONFIG")?;
    let access = Access {
        kubeconfigs: vec![kubeconfig.into()],
        ..Access::default()
    };
    let cluster = Cluster::connect(&access, Pace::default()).await?;
    let secrets = Secrets::default();
    let options = Options::new(&secrets, "drive");
    match action.to_str() {
        Some("plan") => {
            run::plan(&cluster, &bundle, &options).await?;
        }
        Some("apply") => {
            run::apply(&cluster, &bundle, (&digest, false), &options, &mut |_| {}).await?;
        }
        _ => bail!("drive plan|apply FOLDER"),
    }
    Ok(())
}

fn read(root: &Path, folder: &Path, tree: &mut FileTree) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, tree)?;
        } else {
            let name = path.strip_prefix(root)?.to_str().context("no text")?;
            tree.put(name, fs::read(&path)?);
        }
    }
    Ok(())
}
