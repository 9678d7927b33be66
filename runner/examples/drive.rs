//! `plan` and `apply` of a bundle's folder as a program of its own, without all else that `cairn` does: small
//! enough to be built for measuring (`benches/cluster/run`).
//!
//! `drive plan|apply|watch FOLDER`; the cluster is that of `KUBECONFIG`. `watch` applies, and then puts back
//! what drifts for as long as it runs, as an agent does.

#![expect(clippy::print_stdout, reason = "whoever measures is told")]

use std::{
    ffi::OsString,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_runner::{
    bundle::{Bundle, BundleReader, Secrets},
    cluster::{Access, Cluster, Pace},
    drift::{Agenda, DriftAction, Verdict},
    inventory::Identity,
    run::{self, DriftWatch, Finish, Noticed, Options},
};
use cairn_spec::Digest;
use jiff::Timestamp;
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [action, folder] = arguments.as_slice() else {
        bail!("drive plan|apply|watch FOLDER");
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
        Some("apply") => apply(&cluster, (&bundle, &digest), &options).await?,
        Some("watch") => {
            apply(&cluster, (&bundle, &digest), &options).await?;
            watch(&cluster, (&bundle, &digest), &options).await?;
        }
        _ => bail!("drive plan|apply|watch FOLDER"),
    }
    Ok(())
}

async fn apply(
    cluster: &Cluster,
    (bundle, digest): (&Bundle, &Digest),
    options: &Options<'_>,
) -> Result<()> {
    let mut tell = |_: run::Progress<'_>| {};
    let applied = run::apply(cluster, bundle, (digest, false), options, &mut tell);
    ensure!(applied.await? == Finish::Done, "the run waits");
    Ok(())
}

async fn watch(
    cluster: &Cluster,
    (bundle, digest): (&Bundle, &Digest),
    options: &Options<'_>,
) -> Result<()> {
    let mut watch = DriftWatch::start(cluster).await?;
    let mut agenda = Agenda::default();
    println!("watching");
    loop {
        let at = now();
        let due_in = agenda.next(at).map(|due| due.duration_since(at));
        let due_in = due_in.map_or(Duration::MAX, |it| it.try_into().unwrap_or_default());
        tokio::select! {
            noticed = watch.next() => match noticed {
                Noticed::Suspects(suspects) => agenda.suspect(suspects),
                Noticed::Blind { kind, reason } => bail!("{kind} cannot be watched: {reason}"),
            },
            () = sleep(due_in) => {}
        }
        let at = now();
        let due = agenda.due(at);
        if !due.correct.is_empty() {
            let mut tell = |_: run::Progress<'_>| {};
            let all = run::correct(cluster, (bundle, digest), &due.correct, options, &mut tell);
            for corrected in all.await? {
                watch.corrected(&corrected);
                agenda.corrected(&Identity::from(&corrected.looked.id), &[], at);
                println!("corrected {}", corrected.looked.id.name);
            }
        }
        if !due.look.is_empty() {
            for looked in run::look(cluster, bundle, &due.look, options).await? {
                watch.looked(&looked);
                let (identity, changes) = (Identity::from(&looked.id), looked.finding.changes());
                let verdict = agenda.judge(&identity, &changes, DriftAction::Correct, at);
                if let Verdict::Correct { .. } = verdict {
                    println!("detected {}", looked.id.name);
                }
            }
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since_ms = since.map_or(0, |since| since.as_millis());
    let now = i64::try_from(since_ms).ok();
    now.and_then(|now_ms| Timestamp::from_millisecond(now_ms).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
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
