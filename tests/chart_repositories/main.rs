//! Charts from repositories, over HTTP and in our own registry: fetched once, locked, cached, and
//! never asked for again; and packs that are made of charts.

#![cfg(unix)]

mod locks;
mod mirrors;
mod public_packs;
mod refusals;
mod site;
mod trust;

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result, ensure};
use cairn_spec::Digest;
use cairn_tests::{RegistryProcess, Run, Sandbox};

use site::{Site, chart};

const BINARY: &str = env!("CARGO_BIN_EXE_cairn-under-test");

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
fn what_a_profile_builds_to_is_explained() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0"])?;
    profile(&sandbox, &format!("http://{}/stable", site.address), "^1")?;
    let explain = |rest: &str| {
        sandbox.run(&format!(
            "profile explain profile.yaml {rest} --insecure-skip-verify"
        ))
    };
    let field = explain("deploy/front spec.replicas")?;
    insta::assert_snapshot!(field.stdout, @"
        Deployment/shop/front of the layer front spec.replicas
          = 2
          exact from
            replicas (profile.yaml:8:135), over web-1.0.0.tgz/values.yaml:2:11
          written by web-1.0.0.tgz/templates/web.yaml:5:16
        ");
    let object = explain("Deployment/front")?;
    insta::assert_snapshot!(object.stdout, @r#"
        Deployment/shop/front of the layer front
        apiVersion = "apps/v1"                                   template    web-1.0.0.tgz/templates/web.yaml:1:1
        kind = "Deployment"                                      template    web-1.0.0.tgz/templates/web.yaml:1:1
        metadata.name = "front"                                  exact       release:1:7
        metadata.namespace = "shop"                              cairn
        spec.replicas = 2                                        exact       replicas (profile.yaml:8:135)
        spec.selector.matchLabels.app = "web"                    template    web-1.0.0.tgz/templates/web.yaml:5:35
        spec.template.metadata.labels.app = "web"                template    web-1.0.0.tgz/templates/web.yaml:5:35
        spec.template.spec.containers[0].image = "nginx:1.27.1"  exact       image (web-1.0.0.tgz/values.yaml:3:8)
        spec.template.spec.containers[0].name = "web"            template    web-1.0.0.tgz/templates/web.yaml:5:35
        "#);
    let places = explain("front spec.template.spec.containers[0].image -o name")?;
    assert_eq!(places.stdout, "web-1.0.0.tgz/values.yaml:3:8\n");
    let json = explain("front metadata.namespace -o json")?.stdout;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    assert_eq!(json["layer"], "front");
    assert_eq!(json["fields"][0]["origin"], "cairn");
    for (rest, expected) in [("front spec.replica", 3), ("back", 3), ("front a..b", 2)] {
        assert_eq!(code(&explain(rest)?), expected, "{rest}");
    }
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
