//! `cairn registry healthcheck` tells whether the storage works, not only whether a process runs.

use std::fs;

use anyhow::Result;
use cairn_tests::{RegistryProcess, Sandbox};

#[test]
fn a_registry_that_cannot_write_is_not_healthy() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let registry = RegistryProcess::start(&sandbox, "data")?;
    let check = format!("registry healthcheck {}", registry.address);
    fs::remove_dir(sandbox.path().join("data/uploads"))?;
    let run = sandbox.run(&check)?;
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("it answered 503"), "{}", run.stderr);
    registry.wait_until_said("not ready: the storage does not work", 1)?;

    // Nobody listens before the storage is open.
    let nobody = sandbox.run("registry healthcheck 127.0.0.1:1")?;
    assert_eq!(nobody.status.code(), Some(1));
    Ok(())
}

#[test]
fn a_registry_that_works_is_healthy() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let registry = RegistryProcess::start(&sandbox, "data")?;
    sandbox.ok(&format!("registry healthcheck {}", registry.address))?;
    Ok(())
}
