//! Packs that `oras` pushes, pulls, copies and discovers.

use std::fs;

use anyhow::{Context as _, Result};
use cairn_tests::{files_below, repository_root};
use serde_json::Value;

use crate::harness::{Meeting, text};

const PACK: &str = "application/vnd.cairn.pack.v1+json";
const CONTENT: &str = "application/vnd.cairn.pack.content.v1.tar+gzip";
const FOLDER: &str = "packs/addon/metrics-server";

/// Makes `content.tar.gz`.
type Archive<'a> = &'a dyn Fn(&Meeting) -> Result<String>;

/// A profile of one layer.
const PROFILE: &str = "
apiVersion: cairn.dev/v1
kind: Profile
metadata: {name: one, version: 1.0.0}
spec:
  type: addon
  kubernetes: 1.34.1
  registries: [{name: default, url: oci://127.0.0.1:5000/packs}]
  layers:
  - {name: metrics, pack: metrics-server, version: '>=0'}
";

#[test]
#[ignore = "needs oras and tar"]
fn what_oras_pushes_is_a_pack_once_it_is_signed() -> Result<()> {
    let source = repository_root().join(FOLDER);
    // Another tool's archive: folders and links to times and owners, and not in our order.
    let by_name = |meeting: &Meeting| {
        let mut arguments = vec![
            "-czf".to_owned(),
            "content.tar.gz".to_owned(),
            "-C".to_owned(),
        ];
        arguments.push(source.display().to_string());
        let entries = fs::read_dir(&source)?;
        for entry in entries {
            arguments.push(entry?.file_name().to_string_lossy().into_owned());
        }
        meeting.peer_with("tar", &arguments)
    };
    let by_dot = |meeting: &Meeting| {
        meeting.peer(
            "tar",
            &format!("-czf content.tar.gz -C {} .", source.display()),
        )
    };
    let archives: [Archive<'_>; 2] = [&by_name, &by_dot];
    let configs = ["", &format!("--config config.json:{PACK}")];
    for (archive, config) in archives.into_iter().zip(configs) {
        let meeting = Meeting::new()?;
        meeting.sandbox.write("config.json", "{}")?;
        archive(&meeting)?;
        let reference = format!("{}/packs/metrics-server:0.9.0", meeting.address());
        meeting.peer(
            "oras",
            &format!("push --plain-http --artifact-type {PACK} {config} {reference} content.tar.gz:{CONTENT}"),
        )?;

        let pull = format!("pack pull {reference} --output pulled");
        let refused = meeting.sandbox.run(&pull)?;
        assert_eq!(refused.status.code(), Some(5), "{}", refused.stderr);
        meeting
            .sandbox
            .ok(&format!("sign {reference} --key us.key"))?;
        meeting.sandbox.ok(&pull)?;
        let pulled = meeting.path("pulled");
        assert_eq!(files_below(&pulled)?, files_below(&source)?);
        for path in files_below(&source)? {
            let (ours, theirs) = (fs::read(source.join(&path))?, fs::read(pulled.join(&path))?);
            assert_eq!(ours, theirs, "{}", path.display());
        }

        meeting.sandbox.write("profile.yaml", PROFILE)?;
        meeting.sandbox.ok(&format!(
            "profile build --registry default=oci://{}/packs",
            meeting.address()
        ))?;
        assert!(files_below(&meeting.path("out/manifests"))?.len() > 3);
    }
    Ok(())
}

#[test]
#[ignore = "needs oras and tar"]
fn oras_pulls_the_files_of_a_pack_and_discovers_its_signature() -> Result<()> {
    let meeting = Meeting::new()?;
    let source = repository_root().join(FOLDER);
    let reference = meeting.push_pack(FOLDER)?;
    meeting.peer(
        "oras",
        &format!("pull --plain-http {reference} --output pulled"),
    )?;
    for file in ["README.md", "logo.svg"] {
        let pulled = fs::read(meeting.path("pulled").join(file));
        let pulled = pulled.with_context(|| format!("oras wrote no {file}"))?;
        assert_eq!(pulled, fs::read(source.join(file))?, "{file}");
    }
    fs::create_dir(meeting.path("unpacked"))?;
    meeting.peer("tar", "-xzf pulled/content.tar.gz -C unpacked")?;
    let unpacked = meeting.path("unpacked");
    assert_eq!(files_below(&unpacked)?, files_below(&source)?);
    for path in files_below(&source)? {
        let (ours, theirs) = (
            fs::read(source.join(&path))?,
            fs::read(unpacked.join(&path))?,
        );
        assert_eq!(ours, theirs, "{}", path.display());
    }

    let found = meeting.peer(
        "oras",
        &format!("discover --plain-http --format json {reference}"),
    )?;
    let found: Value = serde_json::from_str(&found)?;
    // The key is `manifests` before oras 1.3, and `referrers` since.
    let listed = found.get("referrers").or_else(|| found.get("manifests"));
    let listed = listed.and_then(Value::as_array).context("nothing listed")?;
    let types: Vec<String> = listed
        .iter()
        .map(|referrer| text(referrer, "/artifactType"))
        .collect::<Result<_>>()?;
    assert_eq!(types, ["application/vnd.dev.sigstore.bundle.v0.3+json"]);
    Ok(())
}

#[test]
#[ignore = "needs oras"]
fn oras_copies_a_pack_from_a_layout_and_on_to_another_registry() -> Result<()> {
    let meeting = Meeting::new()?;
    let source = repository_root().join(FOLDER);
    let run = meeting.sandbox.ok(&format!(
        "pack build {} --output layout -o json",
        source.display()
    ))?;
    let built: Value = serde_json::from_str(&run.stdout)?;
    let (version, digest) = (text(&built, "/version")?, text(&built, "/digest")?);
    let reference = format!("{}/packs/metrics-server:{version}", meeting.address());
    meeting.peer(
        "oras",
        &format!("cp --from-oci-layout --to-plain-http layout:{version} {reference}"),
    )?;
    let resolved = meeting.peer("oras", &format!("resolve --plain-http {reference}"))?;
    assert_eq!(resolved.trim(), digest);
    meeting
        .sandbox
        .ok(&format!("sign {reference} --key us.key"))?;

    // A copy with what refers to it is still a signed pack.
    let elsewhere = Meeting::new()?;
    fs::copy(meeting.path("us.pub"), elsewhere.path("us.pub"))?;
    let copy = format!("{}/mirror/metrics-server:{version}", elsewhere.address());
    meeting.peer(
        "oras",
        &format!("cp --recursive --from-plain-http --to-plain-http {reference} {copy}"),
    )?;
    let verified = elsewhere.sandbox.ok(&format!("verify {copy}"))?;
    assert!(verified.stdout.contains(&digest), "{}", verified.stdout);
    elsewhere
        .sandbox
        .ok(&format!("pack pull {copy} --output pulled"))?;
    assert_eq!(
        files_below(&elsewhere.path("pulled"))?,
        files_below(&source)?
    );
    Ok(())
}

#[test]
#[ignore = "needs oras and tar"]
fn oras_pulls_the_manifests_of_a_bundle() -> Result<()> {
    let meeting = Meeting::new()?;
    meeting.push_pack(FOLDER)?;
    meeting.sandbox.write("profile.yaml", PROFILE)?;
    let address = meeting.address();
    let reference = format!("{address}/bundles/one:1.0.0");
    meeting.sandbox.ok(&format!(
        "profile build --registry default=oci://{address}/packs --push {reference} --key us.key"
    ))?;
    meeting.peer(
        "oras",
        &format!("pull --plain-http {reference} --output pulled"),
    )?;
    fs::create_dir(meeting.path("unpacked"))?;
    meeting.peer("tar", "-xzf pulled/manifests.tar.gz -C unpacked")?;
    let built = meeting.path("out/manifests");
    assert_eq!(
        files_below(&meeting.path("unpacked"))?,
        files_below(&built)?
    );
    for file in [
        "plan.json",
        "lock.yaml",
        "images.json",
        "sbom.cdx.json",
        "provenance.json",
    ] {
        let pulled = fs::read(meeting.path("pulled").join(file));
        let pulled = pulled.with_context(|| format!("oras wrote no {file}"))?;
        assert_eq!(pulled, fs::read(meeting.path("out").join(file))?, "{file}");
    }
    Ok(())
}
