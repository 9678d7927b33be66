//! `plan` and `apply` of a bundle's folder as a program of its own, without all else that `cairn` does: small
//! enough to be built for measuring (`benches/cluster/run`).
//!
//! `drive plan|apply FOLDER`; the cluster is that of `KUBECONFIG`.

use std::{ffi::OsString, fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_runner::{
    bundle::{BundleReader, Secrets},
    cluster::{Access, Cluster, Pace},
    run::{self, Finish, Options},
};
use cairn_spec::Digest;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [action, folder] = arguments.as_slice() else {
        bail!("drive plan|apply FOLDER");
    };
    let folder = Path::new(folder);
    let manifest = fs::read(folder.join("bundle.json"))?;
    let digest = Digest::sha256(&manifest);
    let mut reader = BundleReader::new(&manifest, &fs::read(folder.join("plan.json"))?)?;
    drop(manifest);
    read(folder, folder, &mut reader)?;
    let bundle = reader.finish()?;
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
            let mut tell = |_: run::Progress<'_>| {};
            let applied = run::apply(&cluster, &bundle, (&digest, false), &options, &mut tell);
            ensure!(applied.await? == Finish::Done, "the run waits");
        }
        _ => bail!("drive plan|apply FOLDER"),
    }
    Ok(())
}

/// One file at a time.
fn read(root: &Path, folder: &Path, reader: &mut BundleReader) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, reader)?;
            continue;
        }
        let name = path.strip_prefix(root)?.to_str().context("no text")?;
        if !["bundle.json", "plan.json"].contains(&name) {
            reader.add(name, &fs::read(&path)?)?;
        }
    }
    Ok(())
}
