//! A registry on a disk of a few megabytes, which fills up and gets room again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use cairn_spec::Digest;
use cairn_tests::{RegistryProcess, Sandbox};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

/// The disk: small, so that it is full soon.
const DISK: &str = "size=12m";
/// What others keep on it, and remove to make room.
const BALLAST_BYTES: usize = 3 << 20;
/// More pushes than fit.
const MOST_PUSHES: u32 = 200;

/// A file system of its own in memory; unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Result<Self> {
        fs::create_dir_all(at)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(at);
        ensure!(mount.status()?.success(), "mounting needs root");
        Ok(Self(at.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

struct Api {
    client: Client,
    base: String,
}

impl Api {
    async fn push_blob(&self, content: Vec<u8>) -> Result<Response> {
        let digest = Digest::sha256(&content);
        let url = format!("{}/a/blobs/uploads/?digest={digest}", self.base);
        Ok(self.client.post(url).body(content).send().await?)
    }

    async fn push_manifest(&self, tag: &str, blob: &Digest, size: usize) -> Result<Response> {
        let descriptor = json!({"mediaType": "a/b", "digest": blob, "size": size});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor, "layers": [], "annotations": {"tag": tag, "pad": "x".repeat(2000)},
        });
        let url = format!("{}/a/manifests/{tag}", self.base);
        let body = manifest.to_string();
        Ok(self.client.put(url).body(body).send().await?)
    }

    async fn status(&self, path: &str) -> Result<StatusCode> {
        let url = format!("{}/{path}", self.base);
        Ok(self.client.get(url).send().await?.status())
    }
}

fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}

/// The answer says what is wrong and what to do.
async fn assert_full(answer: Response) -> Result<()> {
    ensure!(answer.status() == 507, "{}", answer.status());
    let body: Value = answer.json().await?;
    ensure!(body["errors"][0]["code"] == "UNAVAILABLE", "{body}");
    let message = body["errors"][0]["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("storage is full") && message.contains("make room"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_full_disk_refuses_pushes_serves_readers_and_recovers() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let data = sandbox.path().join("data");
    let disk = Disk::mount(&data)?;
    fs::write(data.join("ballast"), vec![1; BALLAST_BYTES])?;
    let registry = RegistryProcess::start(&sandbox, "data")?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let api = Api {
        client: Client::new(),
        base: format!("http://{}/v2", registry.address),
    };

    // Payloads fill it first, then every kind of record, until nothing goes in.
    let small = noise(2000, 1);
    let blob = Digest::sha256(&small);
    ensure!(api.push_blob(small.clone()).await?.status() == 201);
    ensure!(api.push_manifest("kept", &blob, 2000).await?.status() == 201);
    let mut refused = None;
    for n in 0..MOST_PUSHES {
        let answer = api.push_blob(noise(300_000, n + 10)).await?;
        if answer.status() != 201 {
            refused = Some(answer);
            break;
        }
    }
    assert_full(refused.expect("it is full")).await?;
    let mut tags = Vec::new();
    let mut refusals = 0;
    for n in 0..20 * MOST_PUSHES {
        let tag = format!("v{n}");
        let answer = api.push_manifest(&tag, &blob, 2000).await?;
        match answer.status().as_u16() {
            201 => tags.push(tag),
            507 => {
                assert_full(answer).await?;
                refusals += 1;
            }
            other => anyhow::bail!("{other}: {}", answer.text().await?),
        }
        // Readers do not notice.
        ensure!(api.status("a/manifests/kept").await? == 200);
        ensure!(api.status(&format!("a/blobs/{blob}")).await? == 200);
        ensure!(api.status("a/tags/list").await? == 200);
        if refusals == 5 {
            break;
        }
    }
    ensure!(refusals == 5, "the records never filled it");

    // There is room again, and nobody has to be restarted.
    fs::remove_file(data.join("ballast"))?;
    ensure!(api.push_manifest("after", &blob, 2000).await?.status() == 201);
    ensure!(api.push_blob(noise(300_000, 7)).await?.status() == 201);
    for tag in &tags {
        ensure!(
            api.status(&format!("a/manifests/{tag}")).await? == 200,
            "{tag}"
        );
    }
    drop(registry);
    let checked = sandbox.ok("registry fsck --data data --read-data")?;
    println!("{}{}", checked.stdout, checked.stderr);
    drop(disk);
    Ok(())
}
