//! Clients that log in, to a registry with a token service and to one that takes passwords.
//!
//! Each has its credentials in the sandbox, where it keeps them by itself.

use std::fs::File;

use anyhow::{Result, ensure};
use cairn_tests::{RegistryProcess, Sandbox, run};
use serde_json::Value;

use crate::{
    harness::{Meeting, text},
    images::write_image,
};

pub(crate) const USER: &str = "ada";
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";

/// Serves a registry in which [`USER`] may do everything, and others nothing.
pub(crate) fn serve(sandbox: &Sandbox, token_service: bool) -> Result<RegistryProcess> {
    serve_over(sandbox, "storage: {directory: data}\n", token_service)
}

/// The same over another storage.
pub(crate) fn serve_over(
    sandbox: &Sandbox,
    storage: &str,
    token_service: bool,
) -> Result<RegistryProcess> {
    sandbox.write(
        "policy.yaml",
        format!(
            "apiVersion: cairn.dev/v1\nkind: AccessPolicy\nrules:\n- repositories: ['**']\n  users: [{USER}]\n  actions: [pull, push, delete]\n"
        ),
    )?;
    sandbox.write(
        "registry.yaml",
        format!(
            "{storage}auth: {{policy: policy.yaml, htpasswd: htpasswd, tokenService: {{enabled: {token_service}}}}}\n"
        ),
    )?;
    sandbox.write("password", PASSWORD)?;
    let added = run(sandbox
        .command()
        .args(["registry", "user", "add", USER, "--password-stdin"])
        .stdin(File::open(sandbox.path().join("password"))?))?;
    ensure!(added.status.success(), "{}", added.stderr);
    RegistryProcess::start_configured(sandbox, "registry.yaml")
}

/// Lets a client meet a registry with a token service, then one without.
fn meets(client: fn(&Meeting) -> Result<()>) -> Result<()> {
    for token_service in [true, false] {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
        let registry = serve(&sandbox, token_service)?;
        client(&Meeting::at(sandbox, registry)?)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs oras"]
fn oras_logs_in() -> Result<()> {
    meets(|meeting| {
        let address = meeting.address();
        meeting.sandbox.write("notes.txt", "notes\n")?;
        let push =
            format!("push --plain-http {address}/apps/notes:1 notes.txt:application/octet-stream");
        meeting.peer_refuses("oras", &push)?;
        meeting.peer_refuses(
            "oras",
            &format!("login --plain-http -u {USER} -p guess {address}"),
        )?;
        meeting.peer(
            "oras",
            &format!("login --plain-http -u {USER} -p {PASSWORD} {address}"),
        )?;
        meeting.peer("oras", &push)?;
        meeting.peer(
            "oras",
            &format!("cp --from-plain-http --to-plain-http {address}/apps/notes:1 {address}/copies/notes:1"),
        )?;
        let pull = format!("pull --plain-http {address}/copies/notes:1 --output pulled");
        meeting.peer("oras", &pull)?;
        meeting.peer("oras", &format!("logout {address}"))?;
        meeting.peer_refuses("oras", &pull).map(drop)
    })
}

#[test]
#[ignore = "needs helm"]
fn helm_logs_in() -> Result<()> {
    meets(|meeting| {
        let address = meeting.address();
        let chart = "apiVersion: v2\nname: part\nversion: 1.0.0\n";
        meeting.sandbox.write("part/Chart.yaml", chart)?;
        meeting.sandbox.write(
            "whole/Chart.yaml",
            format!(
                "apiVersion: v2\nname: whole\nversion: 1.0.0\ndependencies:\n- {{name: part, version: 1.0.0, repository: 'oci://{address}/charts'}}\n"
            ),
        )?;
        meeting.peer("helm", "package part")?;
        let push = format!("push part-1.0.0.tgz oci://{address}/charts --plain-http");
        meeting.peer_refuses("helm", &push)?;
        meeting.peer(
            "helm",
            &format!("registry login {address} -u {USER} -p {PASSWORD} --plain-http"),
        )?;
        meeting.peer("helm", &push)?;
        let pull = format!("pull oci://{address}/charts/part --version 1.0.0 --plain-http");
        meeting.peer("helm", &format!("{pull} --untar --untardir pulled"))?;
        meeting.peer("helm", "dependency build whole --plain-http")?;
        ensure!(meeting.path("whole/charts/part-1.0.0.tgz").exists());
        meeting.peer("helm", &format!("registry logout {address}"))?;
        meeting
            .peer_refuses("helm", &format!("{pull} --destination pulled"))
            .map(drop)
    })
}

#[test]
#[ignore = "needs cosign and crane"]
fn cosign_logs_in() -> Result<()> {
    meets(|meeting| {
        let address = meeting.address();
        let digest = write_image(meeting)?;
        let image = format!("{address}/images/tiny@{digest}");
        let common = "--allow-http-registry --key";
        let sign = format!(
            "{common} cosign.key --tlog-upload=false --use-signing-config=false -y {image}"
        );
        meeting.peer("cosign", "generate-key-pair")?;
        meeting.peer_refuses("cosign", &format!("sign {sign}"))?;
        meeting.peer(
            "cosign",
            &format!("login {address} -u {USER} -p {PASSWORD}"),
        )?;
        meeting.peer(
            "crane",
            &format!("push layout {address}/images/tiny:1 --insecure"),
        )?;
        meeting.peer("cosign", &format!("sign {sign}"))?;
        let verify = format!("{common} cosign.pub --insecure-ignore-tlog=true {image}");
        meeting.peer("cosign", &format!("verify {verify}"))?;
        meeting.sandbox.write("predicate.json", "{}")?;
        let kind = "--type https://example.com/test";
        meeting.peer(
            "cosign",
            &format!("attest {kind} --predicate predicate.json {sign}"),
        )?;
        meeting
            .peer("cosign", &format!("verify-attestation {kind} {verify}"))
            .map(drop)
    })
}

#[test]
#[ignore = "needs skopeo and tar"]
fn skopeo_logs_in() -> Result<()> {
    meets(|meeting| {
        let address = meeting.address();
        let digest = write_image(meeting)?;
        let copy = |from: &str, to: &str| {
            format!(
                "--insecure-policy copy --src-tls-verify=false --dest-tls-verify=false {from} {to}"
            )
        };
        let tiny = format!("docker://{address}/images/tiny:1");
        let push = copy("oci:layout:1", &tiny);
        meeting.peer_refuses("skopeo", &push)?;
        meeting.peer(
            "skopeo",
            &format!("login --tls-verify=false -u {USER} -p {PASSWORD} {address}"),
        )?;
        meeting.peer("skopeo", &push)?;
        let moved = format!("docker://{address}/elsewhere/tiny:1");
        meeting.peer("skopeo", &copy(&tiny, &moved))?;
        let inspect = format!("inspect --tls-verify=false {moved}");
        let shown: Value = serde_json::from_str(&meeting.peer("skopeo", &inspect)?)?;
        assert_eq!(text(&shown, "/Digest")?, digest.to_string());
        meeting.peer("skopeo", &format!("delete --tls-verify=false {moved}"))?;
        meeting.peer("skopeo", &format!("logout {address}"))?;
        meeting.peer_refuses("skopeo", &inspect).map(drop)
    })
}

#[test]
#[ignore = "needs podman and tar"]
fn podman_logs_in() -> Result<()> {
    meets(|meeting| {
        let address = meeting.address();
        write_image(meeting)?;
        meeting.sandbox.write(
            "policy.json",
            r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
        )?;
        let store = format!(
            "--root {0}/store --runroot {0}/run --tmpdir {0}/tmp --storage-driver vfs --cgroup-manager cgroupfs --events-backend none",
            meeting.sandbox.path().display()
        );
        let podman = |arguments: &str| meeting.peer("podman", &format!("{store} {arguments}"));
        let insecure = format!(
            "--tls-verify=false --signature-policy {}",
            meeting.path("policy.json").display()
        );
        let tiny = format!("{address}/images/tiny:1");
        let loaded = podman(&format!(
            "pull --signature-policy {} oci:layout:1",
            meeting.path("policy.json").display()
        ))?;
        podman(&format!("tag {} {tiny}", loaded.trim()))?;
        let push = format!("push {insecure} {tiny}");
        meeting.peer_refuses("podman", &format!("{store} {push}"))?;
        podman(&format!(
            "login --tls-verify=false -u {USER} -p {PASSWORD} {address}"
        ))?;
        podman(&push)?;
        podman("rmi --all --force")?;
        let pull = format!("pull {insecure} {tiny}");
        podman(&pull)?;
        podman("rmi --all --force")?;
        podman(&format!("logout {address}"))?;
        meeting
            .peer_refuses("podman", &format!("{store} {pull}"))
            .map(drop)
    })
}

#[test]
#[ignore = "needs crane and tar"]
fn crane_logs_in() -> Result<()> {
    meets(|meeting| {
        let address = meeting.address();
        let digest = write_image(meeting)?;
        let crane = |arguments: &str| meeting.peer("crane", &format!("{arguments} --insecure"));
        let tiny = format!("{address}/images/tiny:1");
        let push = format!("push layout {tiny} --insecure");
        meeting.peer_refuses("crane", &push)?;
        crane(&format!("auth login {address} -u {USER} -p {PASSWORD}"))?;
        meeting.peer("crane", &push)?;
        // A blob is mounted from the one repository in the other.
        crane(&format!("copy {tiny} {address}/copies/tiny:1"))?;
        let found = crane(&format!("digest {address}/copies/tiny:1"))?;
        assert_eq!(found.trim(), digest.to_string());
        let catalog = crane(&format!("catalog {address}"))?;
        assert_eq!(catalog, "copies/tiny\nimages/tiny\n");
        crane(&format!("auth logout {address}"))?;
        meeting
            .peer_refuses("crane", &format!("digest {tiny} --insecure"))
            .map(drop)
    })
}
