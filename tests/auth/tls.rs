//! The same over TLS, with an authority that only the client is told of.

use anyhow::Result;
use cairn_tests::repository_root;

use crate::guarded::{CONFIG, PASSWORD, ends, ends_with_stdin, prepared, serve};

#[test]
fn a_login_over_tls_trusts_who_it_is_told_to() -> Result<()> {
    let (sandbox, _) = prepared()?;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    sandbox.write("tls.crt", made.cert.pem())?;
    sandbox.write("tls.key", made.signing_key.serialize_pem())?;
    sandbox.write(
        "registry.yaml",
        format!("{CONFIG}tls: {{certificate: tls.crt, key: tls.key}}\n"),
    )?;
    ends(&sandbox, 0, "registry check registry.yaml")?;
    let registry = serve(&sandbox)?;
    let address = &registry.address;
    ends(&sandbox, 0, &format!("registry healthcheck {address}"))?;

    let login =
        format!("registry login {address} --username ada --password-stdin --plain-http=false");
    ends_with_stdin(&sandbox, 1, &login, PASSWORD)?;
    let trusted = "--plain-http=false --ca-file tls.crt";
    ends_with_stdin(&sandbox, 0, &format!("{login} --ca-file tls.crt"), PASSWORD)?;
    let pack = repository_root().join("packs/addon/metrics-server");
    let pushed = ends(
        &sandbox,
        0,
        &format!(
            "pack push {} {address}/packs --key us.key {trusted} -o name",
            pack.display()
        ),
    )?;
    let verify = format!("verify {} --key us.pub", pushed.trim());
    ends(&sandbox, 0, &format!("{verify} {trusted}"))?;
    ends(&sandbox, 1, &format!("{verify} --plain-http=false"))?;
    Ok(())
}
