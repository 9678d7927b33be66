//! Other registries as upstreams and at the ends of mirrors, and clients that pull through.

use std::fs;

use anyhow::Result;
use cairn_spec::Digest;
use cairn_tests::{RegistryProcess, Sandbox};
use serde_json::Value;

use crate::{
    distribution::Distribution,
    harness::{Meeting, text},
    images::write_image,
};

/// Another registry, over a folder.
fn started(sandbox: &Sandbox, program: &str) -> Result<Distribution> {
    let root = sandbox.path().join("theirs");
    fs::create_dir_all(&root)?;
    let storage = format!("{{filesystem: {{rootdirectory: {}}}}}", root.display());
    Distribution::start(sandbox, program, &storage)
}

/// A registry of ours whose repositories below `hub/` come from another one.
fn pulling_from(upstream: &Distribution, sandbox: Sandbox) -> Result<Meeting> {
    sandbox.write(
        "registry.yaml",
        format!(
            "storage: {{directory: data}}\nupstreams:\n- name: hub\n  registry: {{url: 'http://{}'}}\n  repositories: [{{local: 'hub/**', remote: '**'}}]\n  tagTtlS: 0\n",
            upstream.address
        ),
    )?;
    let registry = RegistryProcess::start_configured(&sandbox, "registry.yaml")?;
    Meeting::at(sandbox, registry)
}

fn pull_through(program: &str) -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let theirs = started(&sandbox, program)?;
    let meeting = pulling_from(&theirs, sandbox)?;
    let digest = write_image(&meeting)?;
    let there = format!("{}/images/tiny:1", theirs.address);
    let here = format!("{}/hub/images/tiny:1", meeting.address());
    meeting.peer("crane", &format!("push layout {there} --insecure"))?;
    // A signature in both forms: the other registry keeps referrers under a tag.
    let signed = format!("{}/images/tiny@{digest}", theirs.address);
    meeting.sandbox.ok(&format!("sign {signed} --key us.key"))?;

    let found = meeting.peer("crane", &format!("digest {here} --insecure"))?;
    assert_eq!(found.trim(), digest.to_string());
    meeting.peer("crane", &format!("validate --remote {here} --insecure"))?;
    let copy = format!("--insecure-policy copy --src-tls-verify=false docker://{here} dir:folder");
    meeting.peer("skopeo", &copy)?;
    let manifest = fs::read(meeting.path("folder/manifest.json"))?;
    assert_eq!(Digest::sha256(&manifest), digest);
    let signatures = format!("discover --plain-http --format json {here}");
    let signatures: Value = serde_json::from_str(&meeting.peer("oras", &signatures)?)?;
    let kind = text(&signatures, "/referrers/0/artifactType")?;
    assert!(kind.contains("sigstore"), "{kind}");
    meeting.sandbox.ok(&format!("verify {here} --key us.pub"))?;
    let tags = meeting.peer(
        "crane",
        &format!("ls {} --insecure", here.trim_end_matches(":1")),
    )?;
    assert!(tags.lines().any(|tag| tag == "1"), "{tags}");

    meeting.sandbox.write(
        "policy.json",
        r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
    )?;
    let folder = meeting.sandbox.path().display().to_string();
    let podman = format!(
        "--root {folder}/store --runroot {folder}/run --tmpdir {folder}/tmp --storage-driver vfs --cgroup-manager cgroupfs --events-backend none pull --tls-verify=false --signature-policy {folder}/policy.json {here}"
    );
    meeting.peer("podman", &podman)?;

    // All of it is here now.
    drop(theirs);
    meeting.peer("crane", &format!("validate --remote {here} --insecure"))?;
    meeting.sandbox.ok(&format!("verify {here} --key us.pub"))?;
    Ok(())
}

#[test]
#[ignore = "needs distribution, crane, oras, podman, skopeo and tar"]
fn clients_pull_through_from_distribution() -> Result<()> {
    pull_through("distribution")
}

#[test]
#[ignore = "needs docker-registry, crane, oras, podman, skopeo and tar"]
fn clients_pull_through_from_debians_registry() -> Result<()> {
    pull_through("docker-registry")
}

#[test]
#[ignore = "needs distribution, cosign, crane and tar"]
fn a_mirror_goes_to_distribution_and_comes_back() -> Result<()> {
    let meeting = Meeting::new()?;
    let theirs = started(&meeting.sandbox, "distribution")?;
    let digest = write_image(&meeting)?;
    for tag in ["1.0.0", "1.1.0", "2.0.0", "dev"] {
        let push = format!(
            "push layout {}/images/tiny:{tag} --insecure",
            meeting.address()
        );
        meeting.peer("crane", &push)?;
    }
    let signed = format!("{}/images/tiny@{digest}", meeting.address());
    meeting.sandbox.ok(&format!("sign {signed} --key us.key"))?;
    let sync = |from: &str, to: &str, options: &str| {
        let run = meeting.sandbox.ok(&format!(
            "registry sync --from {from} --to {to} {options} -o json"
        ))?;
        Ok::<Value, anyhow::Error>(serde_json::from_str(&run.stdout)?)
    };
    let (ours, backup) = (
        format!("{}/images/*", meeting.address()),
        format!("{}/backup", theirs.address),
    );
    let there = sync(&ours, &backup, "--versions ^1 --trust .cairn/trust.yaml")?;
    assert_eq!(
        there[0]["entries"].as_array().map(Vec::len),
        Some(2),
        "{there}"
    );
    assert_eq!(there[0]["entries"][0]["outcome"], "copied", "{there}");
    // Another program finds the image and verifies its signature there.
    let tiny = format!("{}/backup/images/tiny:1.1.0", theirs.address);
    meeting.peer("crane", &format!("validate --remote {tiny} --insecure"))?;
    meeting.peer(
        "cosign",
        &format!("verify --key us.pub --insecure-ignore-tlog=true --allow-http-registry {tiny}"),
    )?;
    let back = format!("{}/backup/images/tiny", theirs.address);
    let back = sync(&back, &format!("{}/back", meeting.address()), "")?;
    assert_eq!(
        back[0]["entries"].as_array().map(Vec::len),
        Some(2),
        "{back}"
    );
    let here = format!("{}/back/backup/images/tiny:1.0.0", meeting.address());
    meeting.sandbox.ok(&format!("verify {here} --key us.pub"))?;
    Ok(())
}
