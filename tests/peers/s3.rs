//! The registry over buckets of S3 servers that others wrote: one whose conditional writes are
//! atomic, which replicas may share, and one whose are not, which serves one registry.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_tests::{RegistryProcess, Sandbox, repository_root};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    alternating::{Addresses, Client, http_client},
    harness::{program, text},
};

/// How often the server is asked whether it listens, every tenth of a second.
const PATIENCE: u32 = 100;
pub(crate) const ACCESS_KEY: &str = "cairn-access-key";
pub(crate) const SECRET_KEY: &str = "cairn-secret-key";
/// Those who want to set one immutable tag at the same time.
const RACERS: usize = 64;
/// How often a racer asks again after an answer that settles nothing.
const TRIES: usize = 40;

/// A running server with one bucket, `cairn`.
pub(crate) struct Store {
    child: Child,
    address: String,
    /// How many registries may share it, as `storage.s3.replicas` has it.
    replicas: &'static str,
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Store {
    /// `MinIO` on a folder of the sandbox, as `deploy/compose` runs it. It checks conditions under
    /// the lock of the write.
    pub(crate) fn minio(sandbox: &Sandbox) -> Result<Self> {
        let folder = sandbox.path().join("minio");
        fs::create_dir_all(folder.join("cairn"))?;
        let address = free_address()?;
        let mut command = Command::new(program("minio"));
        command
            .args(["server", "--quiet", "--address", &address])
            .arg(&folder)
            .env("HOME", sandbox.path())
            .env("MINIO_ROOT_USER", ACCESS_KEY)
            .env("MINIO_ROOT_PASSWORD", SECRET_KEY)
            .env("MINIO_BROWSER", "off")
            .env("MINIO_UPDATE", "off");
        Self::start(&mut command, address, "many")
    }

    /// versitygw on a folder of the sandbox, which checks conditions before it writes.
    pub(crate) fn versitygw(sandbox: &Sandbox) -> Result<Self> {
        let folder = sandbox.path().join("versitygw");
        fs::create_dir_all(folder.join("cairn"))?;
        let address = free_address()?;
        let mut command = Command::new(program("versitygw"));
        command
            .args(["--port", &address])
            .args(["--access", ACCESS_KEY, "--secret", SECRET_KEY])
            .arg("posix")
            .arg(&folder);
        Self::start(&mut command, address, "one")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a port that nobody listens on yet has no event to wait for"
    )]
    fn start(command: &mut Command, address: String, replicas: &'static str) -> Result<Self> {
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("failed to start {command:?}"))?;
        let server = Self {
            child,
            address,
            replicas,
        };
        for _ in 0..PATIENCE {
            if TcpStream::connect(&server.address).is_ok() {
                return Ok(server);
            }
            sleep(Duration::from_millis(100));
        }
        bail!("{command:?} does not listen on {}", server.address)
    }

    /// The server's URL.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The keys of a registry's configuration that say that it uses the bucket; further ones of the
    /// bucket may follow.
    pub(crate) fn settings(&self) -> String {
        let (endpoint, replicas) = (self.endpoint(), self.replicas);
        format!(
            "storage:\n  s3:\n    bucket: cairn\n    endpoint: {endpoint}\n    pathStyle: true\n    replicas: {replicas}\n    \
             credentials: {{accessKeyId: {ACCESS_KEY}, secretAccessKey: {SECRET_KEY}}}\n"
        )
    }

    /// Writes the configuration of a registry over the bucket, `registry.yaml`.
    pub(crate) fn configure(&self, sandbox: &Sandbox) -> Result<()> {
        sandbox.write("registry.yaml", self.settings())
    }
}

/// The servers take no port 0, so one is chosen for them.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// What the doctor says no to.
fn lacking(sandbox: &Sandbox) -> Result<Vec<String>> {
    let doctor = sandbox.run("registry doctor --config registry.yaml -o json")?;
    let checks: Vec<Value> = serde_json::from_str(&doctor.stdout).context(doctor.stderr)?;
    let lacking = checks.iter().filter(|check| check["answer"] != "yes");
    lacking.map(|check| text(check, "/check")).collect()
}

/// A registry over the store that `registry.yaml` names, and the address.
fn start(sandbox: &Sandbox) -> Result<RegistryProcess> {
    tokio::task::block_in_place(|| RegistryProcess::start_configured(sandbox, "registry.yaml"))
}

/// Repositories whose names are the paths to others are kept apart, and listed in order.
async fn serves_nested_repositories(client: &mut Client) -> Result<()> {
    let names = ["z/y", "z", "z/y/x", "z-y"];
    let mut pushed = Vec::new();
    for name in names {
        let content = b"the same layer everywhere".to_vec();
        pushed.push(client.push(name, "v1", content, 10).await?);
    }
    for one in &pushed {
        client.check(one).await?;
    }
    let catalog = client.bytes("/v2/_catalog").await?;
    let catalog: Value = serde_json::from_slice(&catalog)?;
    let listed = catalog["repositories"].as_array().into_iter().flatten();
    let listed: Vec<&Value> = listed
        .filter(|name| name.as_str().is_some_and(|name| name.starts_with('z')))
        .collect();
    ensure!(listed == ["z", "z-y", "z/y", "z/y/x"], "{catalog}");
    Ok(())
}

/// Of many who set one immutable tag at the same time, one succeeds, and all see its manifest.
async fn one_of_many_sets_an_immutable_tag(
    client: &mut Client,
    addresses: [&str; 2],
) -> Result<()> {
    let repository = "packs/race";
    let base = client
        .push(repository, "base", b"layer".to_vec(), 5)
        .await?;
    let manifest = client
        .bytes(&format!("/v2/{repository}/manifests/{}", base.tag))
        .await?;
    let mut manifest: Value = serde_json::from_slice(&manifest)?;
    let http = http_client().build()?;
    let mut racers = JoinSet::new();
    for number in 0..RACERS {
        manifest["annotations"] = json!({"racer": number.to_string()});
        let url = format!(
            "http://{}/v2/{repository}/manifests/v1",
            addresses[number % 2]
        );
        let (http, manifest) = (http.clone(), manifest.to_string());
        racers.spawn(async move {
            for _ in 0..TRIES {
                let answer = http.put(&url).body(manifest.clone()).send().await?;
                if !answer.status().is_server_error() {
                    return Ok((answer.status(), manifest));
                }
            }
            bail!("PUT {url} failed {TRIES} times")
        });
    }
    let ended: Result<Vec<_>> = racers.join_all().await.into_iter().collect();
    let ended = ended?;
    let won: Vec<&String> = ended
        .iter()
        .filter(|(status, _)| *status == StatusCode::CREATED)
        .map(|(_, manifest)| manifest)
        .collect();
    let denied = ended
        .iter()
        .filter(|(status, _)| *status == StatusCode::FORBIDDEN);
    ensure!(won.len() == 1, "{} won", won.len());
    ensure!(denied.count() == RACERS - 1, "{ended:?}");
    for _ in addresses {
        let read = client
            .bytes(&format!("/v2/{repository}/manifests/v1"))
            .await?;
        ensure!(
            read == won[0].as_bytes(),
            "another manifest than the winner's"
        );
    }
    Ok(())
}

/// Clients alternate between two registries with every request; one of them is killed meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs minio"]
async fn two_registries_share_a_bucket_of_minio() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let store = Store::minio(&sandbox)?;
    store.configure(&sandbox)?;
    // Both are made up for; nothing that replicas rest on is lacking.
    let expected = [
        "DeleteObject minds If-Match",
        "ListMultipartUploads finds left-over uploads",
    ];
    let lacking = tokio::task::block_in_place(|| lacking(&sandbox))?;
    ensure!(lacking == expected, "{lacking:?}");

    let mut replicas = [start(&sandbox)?, start(&sandbox)?];
    let addresses = Addresses::new(replicas.each_ref().map(|one| one.address.clone()));
    let mut client = Client::new(Arc::clone(&addresses))?;
    serves_nested_repositories(&mut client).await?;
    let [first, second] = replicas.each_ref().map(|one| one.address.as_str());
    one_of_many_sets_an_immutable_tag(&mut client, [first, second]).await?;

    let mut pushed = Vec::new();
    for round in 0..8 {
        // Larger than the parts that the store takes, so it goes up in several.
        let size = if round % 4 == 0 { 40_000_000 } else { 100_000 };
        let layer = vec![u8::try_from(round)?; size];
        let tag = format!("v{round}");
        let pushing = client.push("apps/a", &tag, layer, size / 3 + 1);
        if round % 2 == 0 {
            let victim = (round / 2) % replicas.len();
            let (done, restarted) = tokio::join!(pushing, async {
                replicas[victim].kill()?;
                start(&sandbox)
            });
            replicas[victim] = restarted?;
            addresses.set(victim, replicas[victim].address.clone());
            pushed.push(done?);
        } else {
            pushed.push(pushing.await?);
        }
    }
    for one in &pushed {
        client.check(one).await?;
    }
    ensure!(client.tags("apps/a").await?.len() == pushed.len());
    for replica in &mut replicas {
        replica.stop()?;
    }
    let fsck = tokio::task::block_in_place(|| {
        sandbox.ok("registry fsck --config registry.yaml --read-data")
    })?;
    ensure!(fsck.stdout.contains(" 0 broken"), "{}", fsck.stdout);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs versitygw"]
async fn one_registry_uses_a_bucket_of_versitygw() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let store = Store::versitygw(&sandbox)?;
    store.configure(&sandbox)?;
    let mut registry = start(&sandbox)?;
    let address = registry.address.clone();
    let addresses = Addresses::new([address.clone(), address]);
    let mut client = Client::new(Arc::clone(&addresses))?;
    serves_nested_repositories(&mut client).await?;
    let address = registry.address.clone();
    one_of_many_sets_an_immutable_tag(&mut client, [&address, &address]).await?;
    let layer = vec![7; 40_000_000];
    let pushed = client.push("apps/a", "v1", layer, 15_000_000).await?;
    registry.kill()?;

    let again = start(&sandbox)?;
    addresses.set(0, again.address.clone());
    addresses.set(1, again.address.clone());
    client.check(&pushed).await?;
    tokio::task::block_in_place(|| pushes_a_pack(&sandbox, &again))
}

/// The same pack twice is the same artifact.
fn pushes_a_pack(sandbox: &Sandbox, registry: &RegistryProcess) -> Result<()> {
    sandbox.ok("key generate us")?;
    let pack = repository_root().join("packs/addon/metrics-server");
    let push = format!(
        "pack push {} {}/packs --key us.key -o json",
        pack.display(),
        registry.address
    );
    let pushed: Value = serde_json::from_str(&sandbox.ok(&push)?.stdout)?;
    let again: Value = serde_json::from_str(&sandbox.ok(&push)?.stdout)?;
    ensure!(text(&pushed, "/digest")? == text(&again, "/digest")?);
    let inspected = sandbox.ok(&format!(
        "pack inspect {} -o json",
        text(&again, "/reference")?
    ))?;
    ensure!(inspected.stdout.contains("metrics-server"));
    Ok(())
}
