//! `deploy/systemd/`: the commands of the unit and the configuration they read.

use std::fs;

use anyhow::{Context as _, Result};
use cairn_tests::repository_root;

use crate::mounted::Mounted;

const FOLDER: &str = "deploy/systemd";

/// The values of a key of the unit, in order.
fn values(unit: &str, key: &str) -> Vec<String> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    let values = lines.filter(|(name, _)| *name == key);
    values.map(|(_, value)| value.to_owned()).collect()
}

#[test]
fn the_unit_starts_what_the_command_understands() -> Result<()> {
    let unit = repository_root()
        .join(FOLDER)
        .join("cairn-registry.service");
    let unit = fs::read_to_string(unit)?;
    let mounted = Mounted::new(&[
        ("/etc/cairn/", "etc/"),
        ("/var/lib/cairn-registry", "lib"),
        ("/var/log/cairn-registry", "log"),
    ])?;
    for file in ["registry.yaml", "policy.yaml"] {
        mounted.mount(&format!("{FOLDER}/{file}"), &format!("/etc/cairn/{file}"))?;
    }
    let commands: Vec<String> = ["ExecStartPre", "ExecStart"]
        .iter()
        .flat_map(|key| values(&unit, key))
        .collect();
    let [check, serve] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    let check = check
        .strip_prefix("/usr/local/bin/cairn ")
        .context("another program")?;
    mounted.ok(check)?;
    assert_eq!(
        serve.as_str(),
        "/usr/local/bin/cairn registry serve --config /etc/cairn/registry.yaml"
    );
    assert!(mounted.allows("/etc/cairn/policy.yaml", "push")?);

    // The folders that the configuration writes to are those that systemd makes.
    assert_eq!(values(&unit, "StateDirectory"), ["cairn-registry"]);
    assert_eq!(values(&unit, "LogsDirectory"), ["cairn-registry"]);
    let stop_s: u64 = values(&unit, "TimeoutStopSec").join("").parse()?;
    assert!(stop_s > cairn_registry::Limits::default().drain_s);
    Ok(())
}
