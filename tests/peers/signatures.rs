//! Signatures that cosign and Cairn make for each other, and changes that both find.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use cairn_spec::Digest;
use cairn_tests::files_below;
use serde_json::Value;

use crate::harness::{Meeting, read_json, text};

const FOLDER: &str = "packs/addon/metrics-server";
/// Without the transparency log, which is somewhere else.
const VERIFY: &str = "verify --insecure-ignore-tlog=true --allow-http-registry";

fn repository_of(reference: &str) -> Result<(&str, &str)> {
    reference.split_once('@').context("no digest")
}

/// The tag that the simple form is stored under.
fn signature_tag(digest: &str) -> String {
    format!("{}.sig", digest.replace(':', "-"))
}

#[test]
#[ignore = "needs cosign and crane"]
fn cosign_verifies_each_form_that_a_push_writes() -> Result<()> {
    let meeting = Meeting::new()?;
    meeting.sandbox.ok("key generate stranger")?;
    let reference = meeting.push_pack(FOLDER)?;
    let (repository, digest) = repository_of(&reference)?;
    // Both forms at once, the way it is after a push: cosign takes the bundle.
    let shown = meeting.peer("cosign", &format!("{VERIFY} --key us.pub {reference}"))?;
    assert!(shown.contains(digest), "{shown}");
    meeting.peer_refuses(
        "cosign",
        &format!("{VERIFY} --key stranger.pub {reference}"),
    )?;

    // The simple form alone, in a repository without the referrer.
    let mirror = format!("{}/simple/copy", meeting.address());
    let tag = signature_tag(digest);
    meeting.peer("crane", &format!("copy {reference} {mirror}:1 --insecure"))?;
    meeting.peer_refuses(
        "cosign",
        &format!("{VERIFY} --key us.pub {mirror}@{digest}"),
    )?;
    meeting.peer(
        "crane",
        &format!("copy {repository}:{tag} {mirror}:{tag} --insecure"),
    )?;
    let shown = meeting.peer(
        "cosign",
        &format!("{VERIFY} --key us.pub {mirror}@{digest}"),
    )?;
    assert!(
        shown.contains("cosign container image signature"),
        "{shown}"
    );
    meeting.peer_refuses(
        "cosign",
        &format!("{VERIFY} --key stranger.pub {mirror}@{digest}"),
    )?;

    // The bundle form alone: the tag is gone.
    meeting.peer("crane", &format!("delete {repository}:{tag} --insecure"))?;
    meeting.peer("cosign", &format!("{VERIFY} --key us.pub {reference}"))?;
    meeting.peer_refuses(
        "cosign",
        &format!("{VERIFY} --key stranger.pub {reference}"),
    )?;
    meeting
        .sandbox
        .ok(&format!("verify {reference} --key us.pub"))?;
    Ok(())
}

#[test]
#[ignore = "needs cosign, crane and oras"]
fn a_changed_manifest_does_not_inherit_a_signature() -> Result<()> {
    let meeting = Meeting::new()?;
    let reference = meeting.push_pack(FOLDER)?;
    let (repository, digest) = repository_of(&reference)?;
    let manifest = meeting.peer("crane", &format!("manifest {reference} --insecure"))?;
    // One byte: the version in an annotation.
    let changed = manifest.replacen(r#"image.version":"0."#, r#"image.version":"1."#, 1);
    ensure!(changed != manifest, "nothing was changed in {manifest}");
    meeting.sandbox.write("changed.json", &changed)?;
    let forged = Digest::sha256(changed.as_bytes()).to_string();
    meeting.peer(
        "oras",
        &format!("manifest push --plain-http {repository}@{forged} changed.json"),
    )?;
    let refused = |meeting: &Meeting| {
        let forged = format!("{repository}@{forged}");
        meeting.peer_refuses("cosign", &format!("{VERIFY} --key us.pub {forged}"))?;
        for command in ["verify", "pack pull --output pulled"] {
            let run = meeting.sandbox.run(&format!("{command} {forged}"))?;
            assert_eq!(run.status.code(), Some(5), "{command}: {}", run.stderr);
        }
        Ok::<_, anyhow::Error>(())
    };
    refused(&meeting)?;

    // The simple form, copied to the tag of the forgery.
    let (from, to) = (signature_tag(digest), signature_tag(&forged));
    meeting.peer(
        "crane",
        &format!("copy {repository}:{from} {repository}:{to} --insecure"),
    )?;
    refused(&meeting)?;

    // The bundle, as a referrer of the forgery.
    let listed = meeting.peer(
        "oras",
        &format!("discover --plain-http --format json {reference}"),
    )?;
    let listed: Value = serde_json::from_str(&listed)?;
    let bundle = text(&listed, "/referrers/0/digest")?;
    let referrer = meeting.peer(
        "crane",
        &format!("manifest {repository}@{bundle} --insecure"),
    )?;
    let size = format!("\"size\":{}", manifest.len());
    ensure!(
        referrer.contains(digest) && referrer.contains(&size),
        "{referrer}"
    );
    let referrer = referrer.replace(digest, &forged);
    meeting.sandbox.write("referrer.json", &referrer)?;
    let forged_bundle = Digest::sha256(referrer.as_bytes());
    meeting.peer(
        "oras",
        &format!("manifest push --plain-http {repository}@{forged_bundle} referrer.json"),
    )?;
    let listed = meeting.peer(
        "oras",
        &format!("discover --plain-http --format json {repository}@{forged}"),
    )?;
    assert!(listed.contains(&forged_bundle.to_string()), "{listed}");
    refused(&meeting)
}

/// Flips a bit at each place where a file below the folder holds `needle`.
fn flip(data: &Path, needle: &[u8]) -> Result<usize> {
    let mut flipped = 0;
    for path in files_below(data)? {
        let path = data.join(path);
        let mut bytes = fs::read(&path)?;
        let places: Vec<usize> = bytes
            .windows(needle.len())
            .enumerate()
            .filter_map(|(at, window)| (window == needle).then_some(at))
            .collect();
        for at in &places {
            bytes[at + needle.len() / 2] ^= 1;
        }
        if !places.is_empty() {
            flipped += places.len();
            fs::write(&path, bytes)?;
        }
    }
    Ok(flipped)
}

#[test]
#[ignore = "needs cosign, crane and oras"]
fn a_byte_that_changes_on_the_registrys_disk_is_found() -> Result<()> {
    let mut meeting = Meeting::new()?;
    let reference = meeting.push_pack(FOLDER)?;
    let manifest = meeting.peer("crane", &format!("manifest {reference} --insecure"))?;
    let layer = text(&serde_json::from_str(&manifest)?, "/layers/0/digest")?;
    let (repository, digest) = repository_of(&reference)?;
    meeting.peer(
        "oras",
        &format!("blob fetch --plain-http --output content {repository}@{layer}"),
    )?;
    let content = fs::read(meeting.path("content"))?;
    let tags = meeting.peer("crane", &format!("ls {repository} --insecure"))?;
    let version = tags.lines().find(|tag| !tag.starts_with("sha256-"));
    let version = version.context("no version")?.to_owned();
    let at = |meeting: &Meeting| format!("{}/packs/metrics-server@{digest}", meeting.address());
    let tagged =
        |meeting: &Meeting| format!("{}/packs/metrics-server:{version}", meeting.address());

    // A byte of the content: the signature is on the manifest, so the reader finds it.
    let middle = content.len() / 2;
    meeting.change_data(|data| {
        let flipped = flip(data, &content[middle..middle + 64])?;
        ensure!(flipped == 1, "the content is in {flipped} places");
        Ok(())
    })?;
    meeting.peer(
        "cosign",
        &format!("{VERIFY} --key us.pub {}", tagged(&meeting)),
    )?;
    let pulled = meeting
        .sandbox
        .run(&format!("pack pull {} --output pulled", at(&meeting)))?;
    assert!(!pulled.status.success(), "{}", pulled.stdout);
    assert!(pulled.stderr.contains(&layer), "{}", pulled.stderr);
    assert!(!meeting.path("pulled").exists());
    meeting.peer_refuses(
        "oras",
        &format!("pull --plain-http --output pulled {}", at(&meeting)),
    )?;

    // A byte of the manifest: the registry does not say that it is there. Of a digest, cosign
    // would not even ask that.
    let middle = manifest.len() / 2;
    meeting.change_data(|data| {
        let flipped = flip(data, &manifest.as_bytes()[middle - 32..middle + 32])?;
        ensure!(flipped > 0, "the manifest is nowhere");
        Ok(())
    })?;
    meeting.peer_refuses("crane", &format!("manifest {} --insecure", at(&meeting)))?;
    meeting.peer_refuses(
        "cosign",
        &format!("{VERIFY} --key us.pub {}", tagged(&meeting)),
    )?;
    for command in ["verify", "pack pull --output pulled"] {
        let run = meeting
            .sandbox
            .run(&format!("{command} {}", at(&meeting)))?;
        assert!(!run.status.success(), "{command}: {}", run.stdout);
    }
    Ok(())
}

#[test]
#[ignore = "needs cosign and oras"]
fn we_accept_what_cosign_signs() -> Result<()> {
    let meeting = Meeting::new()?;
    meeting.peer("cosign", "generate-key-pair")?;
    meeting.trust("cosign.pub")?;
    let packs = [
        ("packs/addon/metrics-server", true),
        ("packs/addon/node-exporter", false),
    ];
    for (folder, bundle_form) in packs {
        // Signed by our key, which is not trusted here.
        let reference = meeting.push_pack(folder)?;
        let refused = meeting.sandbox.run(&format!("verify {reference}"))?;
        assert_eq!(refused.status.code(), Some(5), "{}", refused.stderr);
        meeting.peer(
            "cosign",
            &format!("sign --key cosign.key --tlog-upload=false --use-signing-config=false --allow-http-registry -y --new-bundle-format={bundle_form} {reference}"),
        )?;
        meeting.sandbox.ok(&format!("verify {reference}"))?;
        meeting.sandbox.ok(&format!(
            "pack pull {reference} --output {}",
            folder.replace('/', "-")
        ))?;
        let with_key = meeting
            .sandbox
            .ok(&format!("verify {reference} --key cosign.pub -o json"))?;
        let verified: Value = serde_json::from_str(&with_key.stdout)?;
        let form = if bundle_form { "bundle" } else { "simple" };
        assert_eq!(text(&verified, "/signatures/0/form")?, form);
        // Ours is still there, and cosign believes both.
        meeting
            .sandbox
            .ok(&format!("verify {reference} --key us.pub"))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs cosign and oras"]
fn attestations_of_cosign_are_referrers_here() -> Result<()> {
    let meeting = Meeting::new()?;
    meeting.peer("cosign", "generate-key-pair")?;
    let reference = meeting.push_pack(FOLDER)?;
    meeting
        .sandbox
        .write("predicate.json", r#"{"verdict":"passed"}"#)?;
    meeting.peer(
        "cosign",
        &format!("attest --key cosign.key --tlog-upload=false --use-signing-config=false --allow-http-registry -y --type https://example.com/test --predicate predicate.json {reference}"),
    )?;
    meeting.peer(
        "cosign",
        &format!("verify-attestation --key cosign.pub --insecure-ignore-tlog=true --allow-http-registry --type https://example.com/test {reference}"),
    )?;
    let listed = meeting.peer(
        "oras",
        &format!("discover --plain-http --format json {reference}"),
    )?;
    meeting.sandbox.write("listed.json", listed)?;
    let listed = read_json(&meeting.path("listed.json"))?;
    let referrers = listed["referrers"].as_array().map(Vec::len);
    assert_eq!(
        referrers,
        Some(2),
        "our signature and cosign's attestation: {listed}"
    );
    // An attestation is no signature.
    let refused = meeting
        .sandbox
        .run(&format!("verify {reference} --key cosign.pub"))?;
    assert_eq!(refused.status.code(), Some(5), "{}", refused.stderr);
    Ok(())
}
