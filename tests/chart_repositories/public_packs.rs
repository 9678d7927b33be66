//! The packs of `packs/` that are made of public charts. Here the charts are stand-ins on the
//! loopback interface, so that what the packs say of themselves is proven without a network: which
//! archives they take, and that each preset fits the schema.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use cairn_spec::Digest;
use cairn_tests::{Sandbox, repository_root};
use serde_yaml::Value;

use crate::{
    code, sandbox,
    site::{Site, stand_in},
};

/// The packs whose charts are fetched, by the folders below `packs/`.
const PACKS: [&str; 9] = [
    "addon/argo-cd",
    "addon/cert-manager",
    "addon/external-dns",
    "addon/ingress-nginx",
    "addon/kube-prometheus-stack",
    "addon/velero",
    "cni/calico",
    "cni/cilium",
    "csi/longhorn",
];

/// What a pack says of a chart.
struct Wanted {
    name: String,
    version: String,
    repository: String,
    digest: Option<String>,
}

fn folder(pack: &str) -> PathBuf {
    repository_root().join("packs").join(pack)
}

fn wanted(pack: &str) -> Result<Vec<Wanted>> {
    let text = fs::read_to_string(folder(pack).join("pack.yaml"))?;
    let manifest: Value = serde_yaml::from_str(&text)?;
    let charts = manifest["spec"]["charts"]
        .as_sequence()
        .context("no charts")?;
    let text = |chart: &Value, key: &str| chart[key].as_str().map(str::to_owned);
    charts
        .iter()
        .map(|chart| {
            Ok(Wanted {
                name: text(chart, "name").context("no name")?,
                version: text(chart, "version").context("no version")?,
                repository: text(chart, "repository").context("no repository")?,
                digest: text(chart, "digest"),
            })
        })
        .collect()
}

/// Offers stand-ins for the charts of a pack, and says how they are taken for the real ones.
fn offer(pack: &str, site: &Site) -> Result<String> {
    let charts = wanted(pack)?;
    let mut index = "entries:\n".to_owned();
    for chart in &charts {
        let archive = stand_in(&chart.name, &chart.version);
        writeln!(
            index,
            "  {0}: [{{version: {1}, urls: [{0}.tgz]}}]",
            chart.name, chart.version
        )?;
        site.put(&format!("/{pack}/{}.tgz", chart.name), archive);
    }
    site.put(&format!("/{pack}/index.yaml"), index);
    let repository = &charts.first().context("no charts")?.repository;
    Ok(format!(
        "--chart-mirror {repository}=http://{}/{pack}",
        site.address
    ))
}

#[test]
fn every_pack_names_whole_versions_and_takes_only_the_archives_it_names() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    for pack in PACKS {
        for chart in wanted(pack)? {
            ensure!(chart.repository.starts_with("https://"), "{pack}");
            chart.version.parse::<cairn_spec::Version>().context(pack)?;
            // A pack whose archive nobody vouches for has a lock, once it was built.
            let digest = chart.digest.with_context(|| format!("{pack}: no digest"))?;
            digest.parse::<Digest>()?;
        }
        let mirror = offer(pack, &site)?;
        let command = format!("pack build {} {mirror}", folder(pack).display());
        let refused = sandbox.run(&command)?;
        assert_eq!(code(&refused), 5, "{pack}: {}", refused.stderr);
        if let Some(chart) = wanted(pack)?.first() {
            let found = Digest::sha256(&stand_in(&chart.name, &chart.version));
            ensure!(
                refused.stderr.contains(found.as_str()),
                "{}",
                refused.stderr
            );
        }
        ensure!(
            !folder(pack).join("pack.lock").exists(),
            "{pack} was written to"
        );
    }
    Ok(())
}

/// A copy of a pack that takes stand-ins, without the tests that look at what the real charts
/// render.
fn copy(pack: &str, sandbox: &Sandbox) -> Result<()> {
    let from = folder(pack);
    let to = sandbox.path().join("copy");
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    copy_folder(&from, &to)?;
    let manifest = fs::read_to_string(from.join("pack.yaml"))?;
    let unpinned: Vec<&str> = manifest
        .lines()
        .filter(|line| !line.trim_start().starts_with("digest: "))
        .collect();
    fs::write(to.join("pack.yaml"), unpinned.join("\n") + "\n")?;
    for name in files(&from.join("tests"))? {
        // What the schema refuses, it refuses whatever the chart.
        if !name.starts_with("bad-") {
            fs::remove_file(to.join("tests").join(name))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[test]
fn values_and_presets_of_every_pack_fit_its_schema() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    for pack in PACKS {
        copy(pack, &sandbox)?;
        let mirror = offer(pack, &site)?;
        // Its tests are what the schema refuses; the lint tries each preset.
        let tested = sandbox.run(&format!("pack test copy {mirror}"))?;
        assert_eq!(
            code(&tested),
            0,
            "{pack}: {}{}",
            tested.stdout,
            tested.stderr
        );
        let linted = sandbox.run(&format!("pack lint copy --strict {mirror}"))?;
        assert_eq!(
            code(&linted),
            0,
            "{pack}: {}{}",
            linted.stdout,
            linted.stderr
        );
    }
    Ok(())
}
