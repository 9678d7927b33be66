//! Packs that are pushed and pulled by those who may, and exit codes for those who may not.

use std::fs;

use anyhow::Result;
use cairn_tests::repository_root;

use crate::guarded::{PASSWORD, ends, ends_with_stdin, prepared, serve};

#[test]
fn a_login_is_what_later_commands_use() -> Result<()> {
    let (sandbox, token) = prepared()?;
    let registry = serve(&sandbox)?;
    let address = &registry.address;
    let pack = repository_root().join("packs/addon/metrics-server");
    let push = format!("pack push {} {address}/packs --key us.key", pack.display());
    let login = |user: &str| format!("registry login {address} --username {user} --password-stdin");
    let docker = sandbox.path().join(".docker/config.json");
    ends(&sandbox, 0, &format!("registry healthcheck {address}"))?;

    ends(&sandbox, 4, &push)?;
    let said = ends_with_stdin(&sandbox, 4, &login("ada"), "guess")?;
    assert!(!said.contains("guess") && !docker.exists(), "{said}");
    ends_with_stdin(&sandbox, 0, &login("ada"), PASSWORD)?;
    let pushed = ends(&sandbox, 0, &format!("{push} -o name"))?;
    let reference = pushed.trim();
    ends(&sandbox, 0, &format!("verify {reference} --key us.pub"))?;
    let elsewhere = push.replace("/packs --key", "/elsewhere --key");
    ends(&sandbox, 5, &elsewhere)?;

    // A token is a password of its user, until it is revoked.
    ends_with_stdin(&sandbox, 0, &login("robot"), &token)?;
    let pull = format!("pack pull {reference} --insecure-skip-verify --output");
    ends(&sandbox, 0, &format!("{pull} pulled"))?;
    ends(&sandbox, 0, "key generate other")?;
    ends(&sandbox, 5, &format!("sign {reference} --key other.key"))?;
    ends(&sandbox, 0, &format!("registry logout {address}"))?;
    assert!(!fs::read_to_string(docker)?.contains(address.as_str()));
    ends(&sandbox, 4, &format!("{pull} again"))?;

    sandbox.write("password", PASSWORD)?;
    let as_bob = "--username bob --password-file password";
    ends(&sandbox, 0, &format!("{pull} again {as_bob}"))?;
    ends(
        &sandbox,
        5,
        &format!("sign {reference} --key other.key {as_bob}"),
    )?;
    Ok(())
}
