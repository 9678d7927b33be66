//! `cairn cluster desire`, `sign` and `keyring` as their users run them, and the hub and the keyring that take
//! what they sign.

#![cfg(unix)]

use std::sync::Arc;

use anyhow::{Result, ensure};
use cairn_hub::{Authority, Config, Hub, MemoryStore};
use cairn_oci::{PublicKey, keyring::TrustedKeys};
use cairn_spec::{
    Envelope,
    agent::{Audience, DriftAction, Keyring, OnFailure},
};
use cairn_tests::Sandbox;

const BUNDLE: &str = "registry.example.com/bundles/shop@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const POLICY: &str = "\
onFailure: halt
timeoutS: 120
windows:
  allow:
    - {name: nights, days: [friday], start: '22:00', end: '04:00', timezone: Europe/Berlin}
drift: {default: report, layers: {web: correct}}
ignore:
  - target: {kind: Deployment, namespace: shop}
    paths: [/spec/replicas]
";

fn keyring(sandbox: &Sandbox, names: &[&str], threshold: u32) -> Result<Keyring> {
    let read = |name: &&str| {
        Ok(std::fs::read_to_string(
            sandbox.path().join(format!("{name}.pub")),
        )?)
    };
    Ok(Keyring::new(
        names.iter().map(read).collect::<Result<_>>()?,
        threshold,
    ))
}

#[tokio::test]
async fn what_is_signed_is_offered_by_a_hub_and_accepted_by_the_keyring() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    sandbox.ok("key generate first")?;
    sandbox.ok("key generate second")?;
    sandbox.write("policy.yaml", POLICY)?;
    let signed = sandbox.ok(&format!(
        "cluster desire {BUNDLE} --group edge-eu --generation 12 --key first.key --key second.key --policy policy.yaml"
    ))?;
    let envelope: Envelope = serde_json::from_str(&signed.stdout)?;
    let keyring = keyring(&sandbox, &["first", "second"], 2)?;
    let state = TrustedKeys::new(keyring.clone())?.desired_state(&envelope)?;
    assert_eq!(state.audience, Audience::Group("edge-eu".parse()?));
    assert_eq!(state.generation, 12);
    assert_eq!(
        format!("{}@{}", state.bundle.repository, state.bundle.digest),
        BUNDLE
    );
    assert_eq!(state.policy.on_failure, OnFailure::Halt);
    assert_eq!(state.policy.drift.of(&"web".parse()?), DriftAction::Correct);
    assert_eq!(state.policy.drift.of(&"cni".parse()?), DriftAction::Report);

    let (authority, _) = Authority::generate()?;
    let hub = Hub::open(Config::new(Arc::new(MemoryStore::default()), authority)).await?;
    hub.set_keyring(None, keyring).await?;
    assert_eq!(hub.offer(envelope).await?.state, state);
    Ok(())
}

#[test]
fn equal_inputs_are_signed_with_equal_bytes() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    sandbox.ok("key generate ci")?;
    let key = PublicKey::from_pem(&std::fs::read_to_string(sandbox.path().join("ci.pub"))?)?;
    let mut envelopes = Vec::new();
    for file in ["a.json", "b.json"] {
        let run = sandbox
            .command()
            .args([
                "cluster",
                "desire",
                BUNDLE,
                "--cluster",
                "5f0c-1",
                "--generation",
                "1",
            ])
            .args([
                "--key",
                "ci.key",
                "--expires",
                "2030-01-01T00:00:00Z",
                "--output",
                file,
            ])
            .env("SOURCE_DATE_EPOCH", "1800000000")
            .output()?;
        let printed = String::from_utf8(run.stdout)?;
        ensure!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        ensure!(
            printed.contains(key.id()) && printed.contains("cluster 5f0c-1, generation 1"),
            "{printed}"
        );
        envelopes.push(std::fs::read(sandbox.path().join(file))?);
    }
    assert_eq!(envelopes[0], envelopes[1]);
    Ok(())
}

#[tokio::test]
async fn two_people_sign_and_a_keyring_follows_another() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    for name in ["ann", "ben", "cid"] {
        sandbox.ok(&format!("key generate {name}"))?;
    }
    let read = |name: &str| std::fs::read(sandbox.path().join(name));
    let printed = sandbox.ok("cluster keyring ann.pub ben.pub --threshold 2")?;
    sandbox.write("first.json", &printed.stdout)?;
    let first = Keyring::read(&read("first.json")?)?;
    assert_eq!(first, keyring(&sandbox, &["ann", "ben"], 2)?);
    let trusted = TrustedKeys::new(first.clone())?;

    let desire = "--cluster 5f0c-1 --generation 1 --key ann.key --output wanted.json";
    sandbox.ok(&format!("cluster desire {BUNDLE} {desire}"))?;
    let envelope = |name: &str| anyhow::Ok(serde_json::from_slice::<Envelope>(&read(name)?)?);
    ensure!(
        trusted.desired_state(&envelope("wanted.json")?).is_err(),
        "one has signed, two must"
    );
    let signed = sandbox.ok("cluster sign wanted.json --key ben.key")?;
    ensure!(
        signed.stdout.contains("cluster 5f0c-1, generation 1") && signed.stdout.contains(BUNDLE),
        "who signs is told what: {}",
        signed.stdout
    );
    assert_eq!(
        trusted.desired_state(&envelope("wanted.json")?)?.generation,
        1
    );
    sandbox.ok("cluster sign wanted.json --key ben.key")?;
    assert_eq!(envelope("wanted.json")?.signatures.len(), 2);

    // Cid comes for Ann: both of the old keyring agree, and one of the new one must.
    let next = "ben.pub cid.pub --after first.json --key ben.key --output next.json";
    let begun = sandbox.ok(&format!("cluster keyring {next}"))?;
    ensure!(
        begun
            .stderr
            .contains("1 of 2 signatures of the keyring before"),
        "{}",
        begun.stderr
    );
    ensure!(trusted.successor(&envelope("next.json")?).is_err());
    sandbox.ok("cluster sign next.json --key ann.key")?;
    let second = trusted.successor(&envelope("next.json")?)?;
    assert_eq!(second.generation(), 2);
    assert_eq!(second.threshold(), 1);

    let (authority, _) = Authority::generate()?;
    let hub = Hub::open(Config::new(Arc::new(MemoryStore::default()), authority)).await?;
    hub.set_keyring(None, first).await?;
    assert_eq!(
        hub.rotate_keyring(None, envelope("next.json")?)
            .await?
            .generation,
        2
    );

    // A keyring follows an envelope as well as what is in it.
    let third = "cid.pub --after next.json --key cid.key --output third.json";
    sandbox.ok(&format!("cluster keyring {third}"))?;
    assert_eq!(second.successor(&envelope("third.json")?)?.generation(), 3);
    Ok(())
}
