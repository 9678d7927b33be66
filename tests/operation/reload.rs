//! SIGHUP has a running registry read its files again; what is broken there changes nothing.
#![cfg(unix)]

use anyhow::Result;
use cairn_tests::{RegistryProcess, Sandbox, repository_root};

/// Files are looked at once an hour, so that only the signal has them read.
const CONFIG: &str = "\
storage: {directory: data}
limits: {fileIntervalMs: 3600000}
trust:
  policy: trust.yaml
  host: registry.test
  enforce:
  - {repositories: '**', mode: pull}
";

fn trusting(sandbox: &Sandbox, key: &str) -> Result<()> {
    let policy = format!(
        "\
apiVersion: cairn.dev/v1
kind: TrustPolicy
rules:
- repositories: ['registry.test/**']
  keys:
  - {{name: {key}, path: {key}.pub}}
"
    );
    sandbox.write("trust.yaml", policy)
}

#[test]
fn sighup_reloads_the_trust_policy() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    sandbox.write("registry.yaml", CONFIG)?;
    sandbox.ok("key generate us")?;
    sandbox.ok("key generate others")?;
    trusting(&sandbox, "others")?;
    let mut command = sandbox.command();
    command.env("CAIRN_LOG", "warn,cairn_registry=info");
    let mut registry = RegistryProcess::spawn(&mut command, &["--config", "registry.yaml"])?;
    let address = registry.address.clone();
    let pack = repository_root().join("packs/addon/metrics-server");
    let push = format!("pack push {} {address}/packs --key us.key", pack.display());
    let pushed = sandbox.ok(&format!("{push} -o name"))?;
    let reference = pushed.stdout.trim().to_owned();
    let mut number = 0;
    let mut is_served = || -> Result<bool> {
        number += 1;
        let pull = format!("pack pull {reference} --insecure-skip-verify --output pulled-{number}");
        Ok(sandbox.run(&pull)?.status.success())
    };
    assert!(!is_served()?);

    trusting(&sandbox, "us")?;
    assert!(!is_served()?);
    registry.signal("HUP")?;
    registry.wait_until_said("reloaded", 1)?;
    assert!(is_served()?);

    sandbox.write("trust.yaml", "rules: nonsense")?;
    registry.signal("HUP")?;
    registry.wait_until_said("its last good content stays in force", 1)?;
    registry.wait_until_said("reloaded", 2)?;
    assert!(is_served()?);

    // The key changes, not the policy.
    trusting(&sandbox, "us")?;
    registry.signal("HUP")?;
    registry.wait_until_said("reloaded", 3)?;
    assert!(is_served()?);
    let others = std::fs::read(sandbox.path().join("others.pub"))?;
    sandbox.write("us.pub", others)?;
    registry.signal("HUP")?;
    registry.wait_until_said("reloaded", 4)?;
    assert!(!is_served()?);
    registry.stop()
}
