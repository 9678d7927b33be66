//! Trust policies that ask for a digest or a signature of each chart.

use std::fs;

use anyhow::{Result, ensure};
use cairn_spec::Digest;
use cairn_tests::{RegistryProcess, Sandbox};

use crate::{
    code, profile, sandbox,
    site::{Site, chart},
};

const BUILD: &str = "profile build profile.yaml --trust trust.yaml";

/// Writes a policy that trusts the key `us` with everything and asks this of charts.
fn policy(sandbox: &Sandbox, charts: &str) -> Result<()> {
    sandbox.write(
        "trust.yaml",
        format!(
            "apiVersion: cairn.dev/v1\nkind: TrustPolicy\nrules: [{{repositories: [\"**\"], keys: [{{name: us, path: us.pub}}]}}]\ncharts: {charts}\n"
        ),
    )
}

/// A command is refused by a policy, for this reason.
fn refused(sandbox: &Sandbox, command: &str, reason: &str) -> Result<()> {
    let run = sandbox.run(command)?;
    assert_eq!(code(&run), 5, "{}", run.stderr);
    ensure!(
        run.stderr.contains("chart-untrusted") && run.stderr.contains(reason),
        "{}",
        run.stderr
    );
    Ok(())
}

#[test]
fn a_chart_that_must_be_bound_needs_a_digest_that_somebody_wrote() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0"])?;
    sandbox.ok("key generate us")?;
    let repository = format!("http://{}/stable", site.address);
    profile(&sandbox, &repository, "^1")?;
    policy(&sandbox, "bound")?;
    refused(&sandbox, BUILD, "nothing says the chart's digest")?;
    ensure!(!sandbox.path().join("profile.lock").exists());
    // Written down, it is the same content from then on.
    let digest = Digest::sha256(&chart("1.0.0"));
    profile(&sandbox, &repository, &format!("^1\", digest: \"{digest}"))?;
    sandbox.ok(BUILD)?;
    fs::remove_file(sandbox.path().join("profile.lock"))?;
    profile(&sandbox, &repository, "^1")?;
    refused(&sandbox, BUILD, "bound")?;
    sandbox.ok("profile update profile.yaml --trust trust.yaml")?;
    sandbox.ok(&format!("{BUILD} --locked"))?;
    policy(&sandbox, "signed")?;
    refused(&sandbox, BUILD, "over HTTP has no signatures")?;
    refused(
        &sandbox,
        "profile update profile.yaml --trust trust.yaml",
        "over HTTP has no signatures",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_that_must_be_signed_is_what_the_signature_is_on() -> Result<()> {
    let sandbox = sandbox()?;
    let mut registry = RegistryProcess::start(&sandbox, "data")?;
    let client = cairn_oci::Client::new(cairn_oci::Options::default())?;
    let push = async |version: &str, content: Vec<u8>| -> Result<String> {
        let artifact = cairn_spec::Artifact::image_builder()
            .config("application/vnd.cncf.helm.config.v1+json", b"{}".to_vec())
            .layer(
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                content,
            )
            .build()?;
        let reference = format!("{}/charts/web:{version}", registry.address);
        client.push_artifact(&reference.parse()?, &artifact).await?;
        Ok(reference)
    };
    let reference = push("1.0.0", chart("1.0.0")).await?;
    for key in ["us", "others"] {
        sandbox.ok(&format!("key generate {key}"))?;
    }
    profile(
        &sandbox,
        &format!("oci://{}/charts", registry.address),
        "^1",
    )?;
    for charts in ["bound", "signed"] {
        policy(&sandbox, charts)?;
        refused(&sandbox, BUILD, "no trusted key has signed it")?;
    }
    sandbox.ok(&format!("sign {reference} --key others.key"))?;
    refused(&sandbox, BUILD, "no trusted key has signed it")?;
    sandbox.ok(&format!("sign {reference} --key us.key"))?;
    for charts in ["bound", "signed"] {
        policy(&sandbox, charts)?;
        sandbox.ok(BUILD)?;
    }
    // A lock alone is no signature, and a signature on one thing is none on another.
    sandbox.ok(&format!("{BUILD} --locked"))?;
    let offline = sandbox.run(&format!("{BUILD} --frozen"))?;
    ensure!(code(&offline) != 0, "{}", offline.stderr);
    let reference = push("1.1.0", chart("1.1.0")).await?;
    let update = "profile update profile.yaml --trust trust.yaml";
    refused(&sandbox, update, "no trusted key has signed it")?;
    sandbox.ok(&format!("sign {reference} --key us.key"))?;
    sandbox.ok(update)?;
    let lock = fs::read_to_string(sandbox.path().join("profile.lock"))?;
    ensure!(lock.contains("version: 1.1.0"), "{lock}");
    let (locked, other) = (
        Digest::sha256(&chart("1.1.0")),
        Digest::sha256(&chart("1.0.0")),
    );
    sandbox.write(
        "profile.lock",
        lock.replace(locked.as_str(), other.as_str()),
    )?;
    let run = sandbox.run(BUILD)?;
    ensure!(
        code(&run) == 5 && run.stderr.contains("what is signed has"),
        "{}",
        run.stderr
    );
    registry.stop()
}
