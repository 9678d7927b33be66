//! `deploy/` before the programs it is made for: Compose's own reader, systemd's analysis, and the
//! proxy with two registries over one S3 server behind it.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_test_s3::{ACCESS_KEY_ID, BUCKET, S3Server, SECRET_ACCESS_KEY};
use cairn_tests::{RegistryProcess, copy_folder, files_below, repository_root};

use tokio::runtime::Runtime;

use crate::harness::{Meeting, PASSWORD, program};

/// How often the proxy is asked for a registry, every tenth of a second.
const PATIENCE: u32 = 100;
/// The most exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE_TENTHS: u32 = 15;

fn folder(name: &str) -> PathBuf {
    repository_root().join("deploy").join(name)
}

#[test]
#[ignore = "needs compose-go"]
fn compose_reads_the_compose_file() -> Result<()> {
    let meeting = Meeting::new()?;
    copy_folder(&folder("compose"), &meeting.path("compose"))?;
    let model = meeting.peer("compose-go", "--format json compose/compose.yaml")?;
    let model: serde_json::Value = serde_json::from_str(&model)?;
    let services = model["services"].as_object().context("no services")?;
    let names: Vec<&String> = services.keys().collect();
    assert_eq!(names, ["proxy", "registry-1", "registry-2", "s3"]);
    assert_eq!(services["registry-2"]["read_only"], true);
    assert_eq!(services["registry-2"]["cap_drop"][0], "ALL");
    Ok(())
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_finds_nothing_to_complain_about() -> Result<()> {
    let meeting = Meeting::new()?;
    let unit = fs::read_to_string(folder("systemd").join("cairn-registry.service"))?;
    let binary = env!("CARGO_BIN_EXE_cairn-under-test");
    let unit = unit.replace("/usr/local/bin/cairn", binary);
    meeting.sandbox.write("cairn-registry.service", unit)?;
    let credentials = fs::read_to_string(folder("systemd").join("s3.conf"))?;
    meeting
        .sandbox
        .write("cairn-registry.service.d/s3.conf", credentials)?;
    let unit = meeting.path("cairn-registry.service");
    let arguments = format!("verify --man=no {}", unit.display());
    let words: Vec<&str> = arguments.split(' ').collect();
    let verified = meeting.try_peer("systemd-analyze", &words)?;
    ensure!(
        verified.status.success() && verified.stderr.is_empty(),
        "{}",
        verified.stderr
    );
    meeting.peer(
        "systemd-analyze",
        &format!(
            "security --offline=true --threshold={EXPOSURE_TENTHS} {}",
            unit.display()
        ),
    )?;
    Ok(())
}

#[test]
#[ignore = "needs kubernetes-validate"]
fn the_packs_manifests_fit_the_schemas_of_kubernetes() -> Result<()> {
    let meeting = Meeting::new()?;
    let pack = repository_root().join("packs/addon/cairn-registry");
    let mut presets = vec![String::new()];
    for file in files_below(&pack.join("presets"))? {
        presets.push(file.with_extension("").display().to_string());
    }
    for preset in presets {
        let profile = format!(
            "apiVersion: cairn.dev/v1\nkind: Profile\nmetadata: {{name: p, version: 1.0.0}}\nspec:\n  type: addon\n  \
             kubernetes: 1.34.1\n  layers:\n    - {{name: artifacts, path: {}, presets: [{preset}]}}\n",
            pack.display()
        );
        meeting.sandbox.write("profile.yaml", profile)?;
        meeting
            .sandbox
            .ok("profile build profile.yaml --output out")?;
        let manifests = files_below(&meeting.path("out/manifests"))?;
        ensure!(manifests.len() > 5, "{preset}: {manifests:?}");
        let paths = manifests
            .iter()
            .map(|path| format!("out/manifests/{}", path.display()));
        let options = ["-k", "1.34", "--strict", "--quiet"].map(str::to_owned);
        let arguments: Vec<String> = options.into_iter().chain(paths).collect();
        meeting
            .peer_with("kubernetes-validate", &arguments)
            .with_context(|| preset)?;
    }
    Ok(())
}

/// A program that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Logs in to the registry behind the proxy as soon as the proxy knows of one.
#[expect(
    clippy::disallowed_methods,
    reason = "a proxy that has not found its servers yet has no event to wait for"
)]
fn log_in(meeting: &Meeting, address: &str) -> Result<()> {
    let login = [
        "login",
        address,
        "--ca-file",
        "ca.pem",
        "--username",
        "admin",
        "--password",
        PASSWORD,
    ];
    for _ in 0..PATIENCE {
        if meeting.try_peer("oras", &login)?.status.success() {
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
    bail!("nobody answers behind the proxy at {address}")
}

/// The proxy of `deploy/compose/` with addresses of this machine, and where it serves.
fn start_proxy(meeting: &Meeting, registries: &[RegistryProcess]) -> Result<(Running, String)> {
    meeting.peer_with(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=registry",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "tls.key",
            "-out",
            "ca.pem",
        ],
    )?;
    let certificate = fs::read_to_string(meeting.path("ca.pem"))?;
    let key = fs::read_to_string(meeting.path("tls.key"))?;
    meeting.sandbox.write("tls.pem", certificate + &key)?;

    let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
    let (address, health) = (free()?, free()?);
    let mut config = fs::read_to_string(folder("compose").join("haproxy.cfg"))?;
    let secrets = format!("{}/", meeting.sandbox.path().display());
    let mut replacements = vec![
        ("/run/secrets/".to_owned(), secrets),
        ("bind :8443".to_owned(), format!("bind {address}")),
        ("127.0.0.1:8404".to_owned(), health.to_string()),
    ];
    for (number, registry) in (1..).zip(registries) {
        replacements.push((format!("registry-{number}:5000"), registry.address.clone()));
    }
    for (theirs, ours) in replacements {
        ensure!(config.contains(&theirs), "{theirs} is not in haproxy.cfg");
        config = config.replace(&theirs, &ours);
    }
    meeting.sandbox.write("haproxy.cfg", config)?;
    let checked = meeting.try_peer("haproxy", &["-c", "-f", "haproxy.cfg"])?;
    ensure!(
        checked.status.success() && !checked.stderr.contains("WARNING"),
        "{}",
        checked.stderr
    );
    let child = Command::new(program("haproxy"))
        .args(["-db", "-f", "haproxy.cfg"])
        .current_dir(meeting.sandbox.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("failed to start `haproxy`")?;
    Ok((Running(child), address.to_string()))
}

/// The registries of `deploy/compose/` with addresses of this machine.
fn start_registries(meeting: &Meeting, store: &S3Server) -> Result<Vec<RegistryProcess>> {
    let credentials = format!(
        "[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
    );
    meeting.sandbox.write(".aws/credentials", credentials)?;
    meeting.sandbox.write("password", PASSWORD)?;
    let mut add = meeting.sandbox.command();
    add.args(["registry", "user", "add", "admin", "--password-stdin"])
        .args(["--file", "htpasswd"])
        .stdin(fs::File::open(meeting.path("password"))?);
    ensure!(
        cairn_tests::run(&mut add)?.status.success(),
        "no user added"
    );

    let policy = folder("compose").join("policy.yaml");
    let config = fs::read_to_string(folder("compose").join("registry.yaml"))?
        .replace("http://s3:7070", &store.endpoint())
        .replace("bucket: cairn", &format!("bucket: {BUCKET}"))
        .replace("/etc/cairn/policy.yaml", &policy.display().to_string())
        .replace("/run/secrets/", "")
        .replace("172.30.240.0/24", "127.0.0.1");
    meeting.sandbox.write("registry.yaml", config)?;
    let start = |_| RegistryProcess::start_configured(&meeting.sandbox, "registry.yaml");
    (0..2).map(start).collect()
}

#[test]
#[ignore = "needs haproxy, oras and openssl"]
fn clients_do_not_notice_that_one_of_two_registries_ends() -> Result<()> {
    let meeting = Meeting::new()?;
    let runtime = Runtime::new()?;
    let store = runtime.block_on(S3Server::start());
    let mut registries = start_registries(&meeting, &store)?;
    let (_proxy, address) = start_proxy(&meeting, &registries)?;

    let tls = ["--ca-file", "ca.pem"];
    log_in(&meeting, &address)?;

    let large = vec![7_u8; 20 * 1024 * 1024];
    meeting.sandbox.write("large.bin", &large)?;
    for round in 0..6 {
        if round == 3 {
            registries.remove(0).kill()?;
        }
        meeting.sandbox.write("small.txt", format!("{round}\n"))?;
        let reference = format!("{address}/apps/web:{round}");
        let push = [
            "push",
            &reference,
            "small.txt:text/plain",
            "large.bin:application/octet-stream",
        ];
        meeting.peer_with("oras", &[&push[..], &tls].concat())?;
        let pull = ["pull", &reference, "--output", "pulled"];
        meeting.peer_with("oras", &[&pull[..], &tls].concat())?;
        let pulled = fs::read_to_string(meeting.path("pulled/small.txt"))?;
        assert_eq!(pulled, format!("{round}\n"));
        assert!(fs::read(meeting.path("pulled/large.bin"))? == large);
    }
    let tags = ["repo", "tags", &format!("{address}/apps/web")];
    let tags = meeting.peer_with("oras", &[&tags[..], &tls].concat())?;
    assert_eq!(tags.split_whitespace().count(), 6, "{tags}");
    let anonymous = ["manifest", "fetch", &format!("{address}/apps/web:0")];
    meeting.sandbox.write("docker/config.json", "{}")?;
    let refused = meeting.try_peer("oras", &[&anonymous[..], &tls].concat())?;
    ensure!(
        refused.stderr.contains("unauthorized"),
        "{}",
        refused.stderr
    );
    Ok(())
}
