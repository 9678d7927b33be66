//! Mirrors of repositories: what is built is the same, wherever the charts came from.

use std::fs;

use anyhow::{Result, ensure};
use cairn_spec::Digest;
use cairn_tests::RegistryProcess;

use crate::{
    code,
    locks::pack,
    profile, sandbox,
    site::{Site, chart},
};

/// Nobody can be asked there.
const UPSTREAM: &str = "https://charts.example.invalid";

#[test]
fn a_mirror_over_http_changes_neither_lock_nor_pack() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0", "1.1.0"])?;
    let upstream = format!("{UPSTREAM}/stable");
    pack(&sandbox, &upstream, "^1", "")?;
    let mirror = format!("--chart-mirror {UPSTREAM}=http://{}", site.address);
    let built = sandbox
        .ok(&format!("pack build pack -o name {mirror}"))?
        .stdout;
    let lock = fs::read_to_string(sandbox.path().join("pack/pack.lock"))?;
    ensure!(
        lock.contains(&upstream) && !lock.contains(&site.address),
        "{lock}"
    );
    for command in ["lint", "test"] {
        sandbox.ok(&format!("pack {command} pack --locked {mirror}"))?;
    }

    // The environment says the same to every command, a profile's included.
    fs::remove_dir_all(sandbox.path().join(".cache/cairn"))?;
    profile(&sandbox, &upstream, "^1")?;
    let arguments = ["profile", "build", "profile.yaml", "--insecure-skip-verify"];
    let variable = format!("{UPSTREAM}/stable=http://{}/stable", site.address);
    let run = cairn_tests::run(
        sandbox
            .command()
            .args(arguments)
            .env("CAIRN_CHART_MIRRORS", &variable),
    )?;
    assert_eq!(code(&run), 0, "{}", run.stderr);
    let lock = fs::read_to_string(sandbox.path().join("profile.lock"))?;
    ensure!(
        lock.contains(&upstream) && !lock.contains(&site.address),
        "{lock}"
    );
    // From the cache, nobody needs a mirror.
    sandbox.ok("profile build profile.yaml --insecure-skip-verify --frozen")?;
    assert_eq!(
        sandbox
            .ok("pack build pack -o name --locked --offline")?
            .stdout,
        built
    );
    Ok(())
}

#[test]
fn what_a_mirror_has_must_be_what_is_pinned() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0"])?;
    let (wanted, found) = (Digest::sha256(b"wanted"), Digest::sha256(&chart("1.0.0")));
    pack(
        &sandbox,
        &format!("{UPSTREAM}/stable"),
        "1.0.0",
        &format!(", digest: \"{wanted}\""),
    )?;
    let mirror = format!("--chart-mirror {UPSTREAM}=http://{}", site.address);
    let refused = sandbox.run(&format!("pack build pack {mirror}"))?;
    assert_eq!(code(&refused), 5, "{}", refused.stderr);
    for named in [wanted.as_str(), found.as_str(), "the mirror of"] {
        ensure!(
            refused.stderr.contains(named),
            "{named}: {}",
            refused.stderr
        );
    }
    let refused = sandbox.run("pack build pack --chart-mirror nonsense")?;
    assert_eq!(code(&refused), 2, "{}", refused.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_registry_mirrors_a_repository_over_http() -> Result<()> {
    let sandbox = sandbox()?;
    let mut registry = RegistryProcess::start(&sandbox, "data")?;
    let client = cairn_oci::Client::new(cairn_oci::Options::default())?;
    let artifact = cairn_spec::Artifact::image_builder()
        .config("application/vnd.cncf.helm.config.v1+json", b"{}".to_vec())
        .layer(
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            chart("1.0.0"),
        )
        .build()?;
    let reference = format!("{}/mirror/charts/web:v1.0.0", registry.address).parse()?;
    client.push_artifact(&reference, &artifact).await?;
    let digest = Digest::sha256(&chart("1.0.0"));
    pack(
        &sandbox,
        &format!("{UPSTREAM}/charts"),
        "^1",
        &format!(", digest: \"{digest}\""),
    )?;
    sandbox.ok(&format!(
        "pack build pack --chart-mirror {UPSTREAM}=oci://{}/mirror",
        registry.address
    ))?;
    let lock = fs::read_to_string(sandbox.path().join("pack/pack.lock"))?;
    ensure!(
        lock.contains(digest.as_str()) && lock.contains(UPSTREAM),
        "{lock}"
    );
    registry.stop()
}
