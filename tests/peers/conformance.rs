//! The distribution specification's own conformance suite, over each storage.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{RegistryProcess, Sandbox, run};

use crate::{
    auth::{self, PASSWORD, USER},
    harness::program,
    s3::Store,
};

/// Starts a registry over the storage to test, and what that needs besides.
type Storage = fn(&Sandbox) -> Result<(RegistryProcess, Option<Store>)>;

/// How many checks of the suite ended in which way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    passed: usize,
    failed: usize,
    skipped: usize,
    errors: usize,
}

fn directory(sandbox: &Sandbox) -> Result<(RegistryProcess, Option<Store>)> {
    Ok((RegistryProcess::start(sandbox, "data")?, None))
}

fn minio(sandbox: &Sandbox) -> Result<(RegistryProcess, Option<Store>)> {
    bucket(sandbox, Store::minio(sandbox)?)
}

fn versitygw(sandbox: &Sandbox) -> Result<(RegistryProcess, Option<Store>)> {
    bucket(sandbox, Store::versitygw(sandbox)?)
}

fn bucket(sandbox: &Sandbox, store: Store) -> Result<(RegistryProcess, Option<Store>)> {
    store.configure(sandbox)?;
    let registry = RegistryProcess::start_configured(sandbox, "registry.yaml")?;
    Ok((registry, Some(store)))
}

#[test]
#[ignore = "needs oci-conformance"]
fn a_directory_conforms_to_the_released_specification() -> Result<()> {
    conforms("directory", directory, "1.1", 860)
}

#[test]
#[ignore = "needs oci-conformance"]
fn a_directory_conforms_to_the_coming_specification() -> Result<()> {
    conforms("directory", directory, "dev", 986)
}

#[test]
#[ignore = "needs oci-conformance and minio"]
fn a_bucket_conforms_to_the_released_specification() -> Result<()> {
    conforms("minio", minio, "1.1", 860)
}

#[test]
#[ignore = "needs oci-conformance, minio and versitygw"]
fn a_bucket_conforms_to_the_coming_specification() -> Result<()> {
    conforms("minio", minio, "dev", 986)?;
    conforms("versitygw", versitygw, "dev", 986)
}

#[test]
#[ignore = "needs oci-conformance and minio"]
fn a_bucket_of_a_registry_that_asks_for_logins_conforms_to_the_coming_specification() -> Result<()>
{
    conforms(
        "minio with tokens",
        |sandbox| guarded_bucket(sandbox, true),
        "dev",
        986,
    )?;
    conforms(
        "minio with passwords",
        |sandbox| guarded_bucket(sandbox, false),
        "dev",
        986,
    )
}

fn guarded_bucket(
    sandbox: &Sandbox,
    token_service: bool,
) -> Result<(RegistryProcess, Option<Store>)> {
    let store = Store::minio(sandbox)?;
    let registry = auth::serve_over(sandbox, &store.settings(), token_service)?;
    Ok((registry, Some(store)))
}

#[test]
#[ignore = "needs oci-conformance"]
fn a_registry_that_asks_for_logins_conforms_to_the_coming_specification() -> Result<()> {
    conforms("tokens", |sandbox| guarded(sandbox, true), "dev", 986)?;
    conforms("passwords", |sandbox| guarded(sandbox, false), "dev", 986)
}

fn guarded(sandbox: &Sandbox, token_service: bool) -> Result<(RegistryProcess, Option<Store>)> {
    Ok((auth::serve(sandbox, token_service)?, None))
}

/// Runs the suite; nothing may fail, nothing may be skipped, and no check may be lost.
#[expect(clippy::print_stdout, reason = "the figures are what one runs it for")]
fn conforms(name: &str, storage: Storage, version: &str, checks: usize) -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let (registry, _store) = storage(&sandbox)?;
    let results = sandbox.path().join("results");
    let run = run(Command::new(program("oci-conformance"))
        .current_dir(sandbox.path())
        .env("OCI_VERSION", version)
        .env("OCI_REGISTRY", &registry.address)
        .env("OCI_TLS", "disabled")
        // Nobody is asked for them by registries without `auth`.
        .env("OCI_USERNAME", USER)
        .env("OCI_PASSWORD", PASSWORD)
        .env("OCI_REPO1", "conformance/one")
        .env("OCI_REPO2", "conformance/two")
        .env("OCI_RESULTS_DIR", &results)
        .env("OCI_LOG", "warn"))?;
    let figures = figures(&run.stdout)
        .with_context(|| format!("no figures:\n{}\n{}", run.stdout, run.stderr))?;
    println!("conformance to {version} over {name}: {figures:?}");
    let expected = Figures {
        passed: checks,
        ..Figures::default()
    };
    if figures != expected || !run.status.success() {
        println!("{}", failures(&run.stdout));
    }
    ensure!(
        figures == expected,
        "expected {expected:?}, not {figures:?}"
    );
    ensure!(run.status.success(), "the suite ended with {}", run.status);
    ensure!(has_report(results), "the suite wrote no results");
    Ok(())
}

/// Reads the lines such as `  Pass.....:   986`.
fn figures(report: &str) -> Option<Figures> {
    let figure = |name: &str| {
        report.lines().find_map(|line| {
            let dots = line.trim().strip_prefix(name)?;
            let number = dots.strip_prefix('.')?.rsplit(':').next()?;
            number.trim().parse().ok()
        })
    };
    Some(Figures {
        passed: figure("Pass")?,
        failed: figure("FAIL")?,
        skipped: figure("Skip")?,
        errors: figure("Error")?,
    })
}

/// What comes before the configuration: the cases that did not pass, and why.
fn failures(report: &str) -> &str {
    report.split("Configuration:").next().unwrap_or(report)
}

fn has_report(results: PathBuf) -> bool {
    fs::read_dir(results).is_ok_and(|mut files| files.next().is_some())
}
