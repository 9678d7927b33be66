//! Uploads that are begun and left: they cost no file, no descriptor and next to no memory.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{RegistryProcess, Sandbox, files_below};
use reqwest::Client;

/// How many uploads are begun.
const UPLOADS: usize = 1000;
/// The most memory that all of them may take, in KiB.
const MEMORY_KIB: u64 = 16 * 1024;
/// Descriptors that the process may have more than before: connections of the client.
const DESCRIPTORS: usize = 8;

#[tokio::test]
async fn a_thousand_idle_uploads_cost_nothing() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let registry = RegistryProcess::start(&sandbox, "data")?;
    // Some HTTP client of this process may have installed it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new();
    begin(&client, &registry, 10).await?;
    let (memory_kib, descriptors) = (resident_kib(&registry)?, open_files(&registry)?);

    let begun = begin(&client, &registry, UPLOADS).await?;
    let waiting = sandbox.path().join("data/uploads");
    ensure!(
        files_below(&waiting)?.is_empty(),
        "beginning writes nothing"
    );
    let taken_kib = resident_kib(&registry)?.saturating_sub(memory_kib);
    ensure!(taken_kib < MEMORY_KIB, "they take {taken_kib} KiB");
    let open = open_files(&registry)?;
    ensure!(
        open <= descriptors + DESCRIPTORS,
        "{descriptors} descriptors became {open}"
    );

    // So they do when each has received something and waits for more: enough for a file each.
    for location in &begun {
        let url = format!("http://{}{location}", registry.address);
        let sent = client.patch(&url).body(vec![7; 5000]).send().await?;
        ensure!(sent.status() == 202, "{}", sent.status());
    }
    ensure!(files_below(&waiting)?.len() == UPLOADS);
    let taken_kib = resident_kib(&registry)?.saturating_sub(memory_kib);
    ensure!(taken_kib < 2 * MEMORY_KIB, "they take {taken_kib} KiB");
    let open = open_files(&registry)?;
    ensure!(
        open <= descriptors + DESCRIPTORS,
        "{descriptors} descriptors became {open}"
    );
    Ok(())
}

async fn begin(client: &Client, registry: &RegistryProcess, count: usize) -> Result<Vec<String>> {
    let url = format!("http://{}/v2/a/blobs/uploads/", registry.address);
    let mut begun = Vec::new();
    for _ in 0..count {
        let answer = client.post(&url).send().await?;
        ensure!(answer.status() == 202, "{}", answer.status());
        let location = answer.headers().get("location").context("a location")?;
        begun.push(location.to_str()?.to_owned());
    }
    Ok(begun)
}

fn resident_kib(registry: &RegistryProcess) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", registry.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.context("a size")?.trim().trim_end_matches(" kB");
    Ok(kib.trim().parse()?)
}

fn open_files(registry: &RegistryProcess) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{}/fd", registry.id()))?.count())
}
