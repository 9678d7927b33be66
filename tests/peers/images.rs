//! Container images of skopeo, podman and crane in our registry, there and back.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use cairn_spec::Digest;
use cairn_tests::files_below;
use serde_json::{Value, json};

use crate::harness::{Meeting, read_json, text};

/// Writes an image as an OCI layout, `layout:1`, by hand: one layer with one file. Returns the
/// digest of its manifest.
pub(crate) fn write_image(meeting: &Meeting) -> Result<Digest> {
    meeting.sandbox.write("root/hello.txt", "hello\n")?;
    meeting.peer("tar", "-cf layer.tar -C root hello.txt")?;
    meeting.peer("gzip", "-nk layer.tar")?;
    let put = |bytes: &[u8]| {
        let digest = Digest::sha256(bytes);
        meeting
            .sandbox
            .write(&format!("layout/blobs/sha256/{}", digest.hex()), bytes)?;
        Ok::<_, anyhow::Error>(digest)
    };
    let diff_id = Digest::sha256(&fs::read(meeting.path("layer.tar"))?);
    let layer = fs::read(meeting.path("layer.tar.gz"))?;
    let layer_digest = put(&layer)?;
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/hello.txt"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "by hand"}],
    })
    .to_string();
    let config_digest = put(config.as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer_digest, "size": layer.len()}],
    })
    .to_string();
    let digest = put(manifest.as_bytes())?;
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": "1"},
        }],
    });
    meeting
        .sandbox
        .write("layout/index.json", index.to_string())?;
    meeting
        .sandbox
        .write("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(digest)
}

/// The blobs of a layout, by name; their names are their digests.
fn blobs(layout: &Path) -> Result<Vec<String>> {
    let blobs = layout.join("blobs/sha256");
    files_below(&blobs)?
        .into_iter()
        .map(|path| {
            let name = path.display().to_string();
            let bytes = fs::read(blobs.join(&path))?;
            assert_eq!(Digest::sha256(&bytes).hex(), name);
            Ok(name)
        })
        .collect()
}

#[test]
#[ignore = "needs skopeo and tar"]
fn skopeo_copies_an_image_there_and_back() -> Result<()> {
    let meeting = Meeting::new()?;
    let digest = write_image(&meeting)?;
    let remote = format!("docker://{}/images/tiny:1", meeting.address());
    let copy = |from: &str, to: &str| {
        meeting.peer(
            "skopeo",
            &format!(
                "--insecure-policy copy --src-tls-verify=false --dest-tls-verify=false {from} {to}"
            ),
        )
    };
    copy("oci:layout:1", &remote)?;
    copy(&remote, "oci:back:1")?;
    assert_eq!(
        blobs(&meeting.path("back"))?,
        blobs(&meeting.path("layout"))?
    );

    copy(&remote, "dir:folder")?;
    let manifest = fs::read(meeting.path("folder/manifest.json"))?;
    assert_eq!(Digest::sha256(&manifest), digest);
    let again = format!("docker://{}/images/again:1", meeting.address());
    copy("dir:folder", &again)?;
    let shown = meeting.peer("skopeo", &format!("inspect --tls-verify=false {again}"))?;
    let shown: Value = serde_json::from_str(&shown)?;
    assert_eq!(text(&shown, "/Digest")?, digest.to_string());
    assert_eq!(shown["RepoTags"], json!(["1"]));

    // From one repository to the other, and everything deleted.
    let moved = format!("docker://{}/images/moved:1", meeting.address());
    copy(&again, &moved)?;
    meeting.peer("skopeo", &format!("delete --tls-verify=false {moved}"))?;
    meeting.peer_refuses("skopeo", &format!("inspect --tls-verify=false {moved}"))?;
    Ok(())
}

#[test]
#[ignore = "needs podman, skopeo and tar"]
fn podman_pulls_and_pushes_an_image() -> Result<()> {
    let meeting = Meeting::new()?;
    write_image(&meeting)?;
    meeting.sandbox.write(
        "policy.json",
        r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
    )?;
    let name = |repository: &str| format!("{}/images/{repository}:1", meeting.address());
    meeting.peer(
        "skopeo",
        &format!(
            "--insecure-policy copy --dest-tls-verify=false oci:layout:1 docker://{}",
            name("tiny")
        ),
    )?;
    // A store of its own, and nothing of the machine's.
    let podman = |arguments: &str| {
        meeting.peer(
            "podman",
            &format!("--root {0}/store --runroot {0}/run --tmpdir {0}/tmp --storage-driver vfs --cgroup-manager cgroupfs --events-backend none {arguments}", meeting.sandbox.path().display()),
        )
    };
    let policy = format!(
        "--tls-verify=false --signature-policy {}",
        meeting.path("policy.json").display()
    );
    podman(&format!("pull {policy} {}", name("tiny")))?;
    podman(&format!("tag {} {}", name("tiny"), name("pushed")))?;
    podman(&format!("push {policy} --format oci {}", name("pushed")))?;
    podman("rmi --all --force")?;
    podman(&format!("pull {policy} {}", name("pushed")))?;
    let shown = podman(&format!("image inspect {}", name("pushed")))?;
    let shown: Value = serde_json::from_str(&shown)?;
    let layer = Digest::sha256(&fs::read(meeting.path("layer.tar"))?);
    assert_eq!(text(&shown, "/0/RootFS/Layers/0")?, layer.to_string());
    Ok(())
}

#[test]
#[ignore = "needs crane and tar"]
fn crane_does_all_it_can() -> Result<()> {
    let meeting = Meeting::new()?;
    let digest = write_image(&meeting)?.to_string();
    let crane = |arguments: &str| meeting.peer("crane", arguments);
    let name = |rest: &str| format!("{}/images/{rest}", meeting.address());
    let tiny = name("tiny:1");
    meeting.peer("tar", "-czf more.tar.gz layout/oci-layout")?;
    crane(&format!("push layout {tiny} --insecure"))?;
    assert_eq!(crane(&format!("digest {tiny} --insecure"))?.trim(), digest);
    crane(&format!("pull --format oci {tiny} pulled --insecure"))?;
    assert_eq!(
        blobs(&meeting.path("pulled"))?,
        blobs(&meeting.path("layout"))?
    );
    crane(&format!("copy {tiny} {} --insecure", name("copied:1")))?;
    crane(&format!("tag {} 2 --insecure", name("copied:1")))?;
    assert_eq!(
        crane(&format!("ls {} --insecure", name("copied")))?,
        "1\n2\n"
    );
    crane(&format!(
        "append --base {tiny} --new_layer more.tar.gz --new_tag {} --insecure",
        name("appended:1")
    ))?;
    let appended = crane(&format!("manifest {} --insecure", name("appended:1")))?;
    let appended: Value = serde_json::from_str(&appended)?;
    assert_eq!(appended["layers"].as_array().map(Vec::len), Some(2));
    crane(&format!(
        "validate --remote {} --insecure",
        name("appended:1")
    ))?;
    assert_eq!(
        crane(&format!("export {tiny} - --insecure"))?
            .matches("hello\n")
            .count(),
        1
    );
    let catalog = crane(&format!("catalog {} --insecure", meeting.address()))?;
    assert_eq!(catalog, "images/appended\nimages/copied\nimages/tiny\n");
    crane(&format!("delete {}@{digest} --insecure", name("copied")))?;
    meeting.peer_refuses("crane", &format!("digest {} --insecure", name("copied:1")))?;
    Ok(())
}

#[test]
#[ignore = "needs oras and tar"]
fn oras_pushes_any_file_in_chunks_and_out_of_a_stream() -> Result<()> {
    let meeting = Meeting::new()?;
    let large: Vec<u8> = (0..9_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    meeting.sandbox.write("large.bin", &large)?;
    let reference = format!("{}/files/large:1", meeting.address());
    meeting.peer(
        "oras",
        &format!("push --plain-http --artifact-type application/x.test {reference} large.bin:application/octet-stream --export-manifest manifest.json"),
    )?;
    let manifest = read_json(&meeting.path("manifest.json"))?;
    let digest = text(&manifest, "/layers/0/digest")?;
    assert_eq!(digest, Digest::sha256(&large).to_string());
    let (repository, _) = reference.rsplit_once(':').context("no tag")?;
    meeting.peer(
        "oras",
        &format!("blob fetch --plain-http --output fetched.bin {repository}@{digest}"),
    )?;
    assert!(fs::read(meeting.path("fetched.bin"))? == large);
    Ok(())
}
