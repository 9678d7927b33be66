//! Charts from repositories, over HTTP and in our own registry: fetched once, locked, cached, and
//! never asked for again; and packs that are made of charts.

#![cfg(unix)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use cairn_spec::{Digest, FileTree, gzip, write_tar};
use cairn_tests::{RegistryProcess, Run, Sandbox};

const BINARY: &str = env!("CARGO_BIN_EXE_cairn-under-test");

/// A chart of our own, packed.
fn chart(version: &str) -> Vec<u8> {
    let mut tree = FileTree::new();
    tree.put(
        "web/Chart.yaml",
        format!("apiVersion: v2\nname: web\nversion: {version}\ndescription: Shows what it was given.\nkubeVersion: \">=1.25.0-0\"\nhome: https://example.com/web\nannotations: {{artifacthub.io/license: MIT}}\nmaintainers: [{{name: Ann, email: ann@example.com}}]\n"),
    );
    tree.put(
        "web/values.yaml",
        "# How many.\nreplicas: 1\nimage: nginx:1.27.1\n",
    );
    tree.put(
        "web/values.schema.json",
        r##"{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["image"], "properties": {"replicas": {"$ref": "#/definitions/count"}, "image": {"type": "string"}}, "definitions": {"count": {"type": "integer", "minimum": 1}}}"##,
    );
    tree.put(
        "web/templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: \"{{ .Release.Name }}\"}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: {{ .Values.image | quote }}}]}\n",
    );
    gzip(&write_tar(&tree))
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves documents by their path, until the process ends.
struct Site {
    address: String,
    pages: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let site = Self {
            address: listener.local_addr()?.to_string(),
            pages: Arc::default(),
            asked: Arc::default(),
        };
        let (pages, asked) = (Arc::clone(&site.pages), Arc::clone(&site.asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                while lines.next().is_some_and(|line| !line.is_empty()) {}
                let body = held(&pages).get(&path).cloned();
                held(&asked).push(path);
                let status = if body.is_some() {
                    "200 OK"
                } else {
                    "404 Not Found"
                };
                let body = body.unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let mut stream = &stream;
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        Ok(site)
    }

    fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        held(&self.pages).insert(path.to_owned(), body.into());
    }

    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *held(&self.asked))
    }

    /// Offers versions of the chart.
    fn offer(&self, versions: &[&str]) -> Result<()> {
        let mut index = "apiVersion: v1\nentries:\n  web:\n".to_owned();
        for version in versions {
            let archive = chart(version);
            let digest = Digest::sha256(&archive);
            writeln!(
                index,
                "  - {{name: web, version: {version}, digest: {}, urls: [archives/web-{version}.tgz]}}",
                digest.hex()
            )?;
            self.put(&format!("/stable/archives/web-{version}.tgz"), archive);
        }
        self.put("/stable/index.yaml", index);
        Ok(())
    }
}

fn sandbox() -> Result<Sandbox> {
    Sandbox::new(BINARY)
}

/// How a command ended.
fn code(run: &Run) -> i32 {
    run.status.code().unwrap_or(-1)
}

fn profile(sandbox: &Sandbox, repository: &str, version: &str) -> Result<()> {
    sandbox.write(
        "profile.yaml",
        format!(
            "apiVersion: cairn.dev/v1\nkind: Profile\nmetadata: {{name: shop, version: 1.0.0}}\nspec:\n  type: addon\n  kubernetes: 1.34.1\n  layers:\n  - {{name: front, namespace: shop, chart: {{repository: \"{repository}\", name: web, version: \"{version}\"}}, values: {{replicas: 2}}}}\n"
        ),
    )
}

#[test]
fn a_chart_of_an_http_repository_is_locked_and_cached() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0", "1.1.0"])?;
    let repository = format!("http://{}/stable", site.address);
    profile(&sandbox, &repository, "^1")?;
    let build = "profile build profile.yaml --insecure-skip-verify";
    sandbox.ok(build)?;
    assert_eq!(
        site.take_asked(),
        ["/stable/index.yaml", "/stable/archives/web-1.1.0.tgz"]
    );
    let lock = fs::read_to_string(sandbox.path().join("profile.lock"))?;
    let digest = Digest::sha256(&chart("1.1.0"));
    ensure!(
        lock.contains("version: 1.1.0") && lock.contains(digest.as_str()),
        "{lock}"
    );
    let bundle = fs::read(sandbox.path().join("out/bundle.json"))?;
    let manifest = fs::read_to_string(
        sandbox
            .path()
            .join("out/manifests/010-front/6-deployment_shop_front.yaml"),
    )?;
    ensure!(manifest.contains("replicas: 2"), "{manifest}");
    // A newer version, other content under the locked one: nothing is asked for, nothing changes.
    site.offer(&["1.1.0", "1.2.0"])?;
    site.put("/stable/archives/web-1.1.0.tgz", "tampered");
    sandbox.ok(&format!("{build} --frozen"))?;
    assert_eq!(site.take_asked(), [""; 0]);
    assert_eq!(fs::read(sandbox.path().join("out/bundle.json"))?, bundle);
    // Without the cache, what the repository has now is not what was locked.
    fs::remove_dir_all(sandbox.path().join(".cache/cairn"))?;
    let refused = sandbox.run(build)?;
    assert_eq!(code(&refused), 5, "{}", refused.stderr);
    ensure!(
        refused.stderr.contains("chart-digest"),
        "{}",
        refused.stderr
    );
    let refused = sandbox.run(&format!("{build} --frozen"))?;
    ensure!(refused.stderr.contains("offline"), "{}", refused.stderr);
    let updated = sandbox.ok("profile update profile.yaml --insecure-skip-verify")?;
    ensure!(
        updated.stdout.contains("1.1.0 -> 1.2.0"),
        "{}",
        updated.stdout
    );
    Ok(())
}

#[test]
fn a_pack_is_built_with_its_charts() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0", "1.1.0"])?;
    let pack = format!(
        "apiVersion: cairn.dev/v1\nkind: Pack\nmetadata: {{name: shop, version: 1.0.0}}\nspec:\n  layer: addon\n  namespace: shop\n  charts: [{{name: web, repository: \"http://{}/stable\", version: ^1}}]\n",
        site.address
    );
    sandbox.write("pack/pack.yaml", pack)?;
    sandbox.write("pack/values.yaml", "charts: {web: {replicas: 3}}\n")?;
    let build = |options: &str| sandbox.ok(&format!("pack build pack -o name {options}"));
    let first = build("")?.stdout;
    let lock = fs::read_to_string(sandbox.path().join("pack/pack.lock"))?;
    ensure!(lock.contains("version: 1.1.0"), "{lock}");
    site.take_asked();
    site.offer(&["1.1.0", "1.2.0"])?;
    assert_eq!(build("--offline --locked")?.stdout, first);
    assert_eq!(site.take_asked(), [""; 0]);
    sandbox.ok("pack lint pack --offline")?;
    // The pack holds the chart: a profile needs no repository.
    let mut registry = RegistryProcess::start(&sandbox, "data")?;
    let address = registry.address.clone();
    sandbox.ok(&format!("pack push pack {address}/packs --offline"))?;
    sandbox.write(
        "profile.yaml",
        format!(
            "apiVersion: cairn.dev/v1\nkind: Profile\nmetadata: {{name: shop, version: 1.0.0}}\nspec:\n  type: addon\n  kubernetes: 1.34.1\n  registries: [{{name: default, url: \"oci://{address}/packs\"}}]\n  layers: [{{name: front, pack: shop, version: ^1}}]\n"
        ),
    )?;
    fs::remove_dir_all(sandbox.path().join(".cache/cairn"))?;
    sandbox.ok("profile build profile.yaml --insecure-skip-verify")?;
    assert_eq!(site.take_asked(), [""; 0]);
    let images = fs::read_to_string(sandbox.path().join("out/images.json"))?;
    ensure!(images.contains("nginx:1.27.1"), "{images}");
    let bill = fs::read_to_string(sandbox.path().join("out/sbom.cdx.json"))?;
    ensure!(bill.contains("chart:web@1.1.0"), "{bill}");
    registry.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_of_our_own_registry_are_found_by_tag() -> Result<()> {
    let sandbox = sandbox()?;
    let mut registry = RegistryProcess::start(&sandbox, "data")?;
    let client = cairn_oci::Client::new(cairn_oci::Options::default())?;
    for version in ["1.0.0", "1.1.0"] {
        let artifact = cairn_spec::Artifact::image_builder()
            .config("application/vnd.cncf.helm.config.v1+json", b"{}".to_vec())
            .layer(
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                chart(version),
            )
            .build()?;
        let reference = format!("{}/charts/web:{version}", registry.address).parse()?;
        client.push_artifact(&reference, &artifact).await?;
    }
    let repository = format!("oci://{}/charts", registry.address);
    profile(&sandbox, &repository, "~1.0")?;
    let build = "profile build profile.yaml --insecure-skip-verify";
    sandbox.ok(build)?;
    let lock = fs::read_to_string(sandbox.path().join("profile.lock"))?;
    ensure!(lock.contains("version: 1.0.0"), "{lock}");
    let imported = sandbox.ok(&format!(
        "pack import helm {repository}/web --version ^1 -o json"
    ))?;
    let report: serde_json::Value = serde_json::from_str(&imported.stdout)?;
    assert_eq!(report["version"], "1.1.0");
    assert_eq!(report["images"][0], "nginx:1.27.1");
    sandbox.ok("pack lint web --offline")?;
    sandbox.ok("pack test web --offline")?;
    registry.stop()
}

#[test]
fn a_folder_becomes_a_pack_that_passes_its_lint_and_test() -> Result<()> {
    let sandbox = sandbox()?;
    sandbox.write("web.tgz", chart("1.0.0"))?;
    sandbox.ok("pack import helm web.tgz --output imported")?;
    let pack = sandbox.path().join("imported");
    let mut shown = String::new();
    for path in [
        "pack.yaml",
        "values.yaml",
        "values.schema.json",
        "README.md",
        "tests/default.yaml",
    ] {
        let text = fs::read_to_string(pack.join(path)).context(path)?;
        write!(shown, "=== {path}\n{text}\n")?;
    }
    insta::assert_snapshot!(shown);
    sandbox.ok("pack lint imported")?;
    sandbox.ok("pack test imported")?;
    Ok(())
}

#[test]
fn bad_charts_and_repositories_are_told_apart() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    let bad = site.address.clone();
    site.put("/list/index.yaml", "[]");
    site.put(
        "/big/index.yaml",
        "entries: {web: [{version: 1.0.0, urls: [none.tgz]}]}",
    );
    site.put(
        "/text/index.yaml",
        "entries: {web: [{version: 1.0.0, urls: [web.tgz]}]}",
    );
    site.put("/text/web.tgz", "no archive");
    site.put(
        "/other/index.yaml",
        "entries: {web: [{version: 1.0.0, urls: [web.tgz]}]}",
    );
    site.put("/other/web.tgz", chart("2.0.0"));
    let mut shown = String::new();
    for (path, expected) in [
        ("none", 3),
        ("list", 1),
        ("big", 3),
        ("text", 7),
        ("other", 7),
    ] {
        profile(&sandbox, &format!("http://{bad}/{path}"), "^1")?;
        let refused = sandbox.run("profile build profile.yaml --insecure-skip-verify")?;
        assert_eq!(code(&refused), expected, "{path}: {}", refused.stderr);
        write!(
            shown,
            "=== {path}\n{}\n",
            refused.stderr.replace(&bad, "HOST")
        )?;
    }
    for arguments in [
        "pack import helm none",
        "pack import helm oci://web",
        "pack import helm ./x --version 1",
        "pack import palette .",
    ] {
        let refused = sandbox.run(arguments)?;
        ensure!(code(&refused) != 0, "{arguments}");
        write!(
            shown,
            "=== {arguments} ({})\n{}\n",
            code(&refused),
            refused.stderr
        )?;
    }
    insta::assert_snapshot!(shown);
    Ok(())
}
