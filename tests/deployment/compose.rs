//! `deploy/compose/`: the files it mounts, the command it runs, and how little its containers may.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use cairn_tests::repository_root;
use serde_yaml::Value;

use crate::mounted::{Mounted, USER};

const FOLDER: &str = "deploy/compose";

fn compose() -> Result<Value> {
    let path = repository_root().join(FOLDER).join("compose.yaml");
    let mut file: Value = serde_yaml::from_str(&fs::read_to_string(path)?)?;
    // Twice, for a merged map merges another one.
    file.apply_merge()?;
    file.apply_merge()?;
    Ok(file)
}

fn services() -> Result<Vec<(String, Value)>> {
    let file = compose()?;
    let services = file["services"].as_mapping().context("no services")?;
    let named = services.iter().filter_map(|(name, service)| {
        let name = name.as_str()?.to_owned();
        Some((name, service.clone()))
    });
    Ok(named.collect())
}

fn texts(list: &Value) -> Vec<&str> {
    let items = list.as_sequence().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

#[test]
fn every_container_is_confined() -> Result<()> {
    for (name, service) in services()? {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(
            texts(&service["security_opt"]),
            ["no-new-privileges:true"],
            "{name}"
        );
        assert_eq!(service["user"], "10001:10001", "{name}");
        assert!(service["healthcheck"]["test"].is_sequence(), "{name}");
        let image = service["image"].as_str().context("no image")?;
        let (_, tag) = image.rsplit_once(':').context("no tag")?;
        assert_ne!(tag, "latest", "{name}");
    }
    Ok(())
}

#[test]
fn what_is_mounted_exists_or_is_made_by_the_operator() -> Result<()> {
    let file = compose()?;
    let declared = file["secrets"].as_mapping().context("no secrets")?;
    for (name, service) in services()? {
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap_or_default();
            let is_there = repository_root().join(FOLDER).join(source).exists();
            assert!(is_there || source == "./data", "{name}: {source}");
        }
        for secret in texts(&service["secrets"]) {
            assert!(declared.contains_key(secret), "{name}: {secret}");
        }
    }
    Ok(())
}

#[test]
fn the_registries_understand_their_configuration() -> Result<()> {
    let registries = services()?;
    let registries: Vec<_> = registries
        .iter()
        .filter(|(name, _)| name.starts_with("registry-"))
        .collect();
    assert_eq!(registries.len(), 2);
    for (_, registry) in registries {
        let mounted = Mounted::new(&[("/etc/cairn/", "etc/"), ("/run/secrets/", "secrets/")])?;
        for volume in texts(&registry["volumes"]) {
            let mut parts = volume.split(':');
            let (source, path) = parts.next().zip(parts.next()).context("no path")?;
            mounted.mount(&format!("{FOLDER}/{source}"), path)?;
        }
        mounted.add_user("/run/secrets/htpasswd")?;

        let command = texts(&registry["command"]).join(" ");
        let config = command
            .strip_prefix("registry serve --config ")
            .with_context(|| command.clone())?;
        mounted.ok(&format!("registry check {config}"))?;
        let health = texts(&registry["healthcheck"]["test"]).join(" ");
        let asked = health.strip_prefix("CMD /cairn ").context("no command")?;
        mounted.ok(&format!("{asked} --help"))?;

        let policy = "/etc/cairn/policy.yaml";
        ensure!(mounted.allows(policy, "delete")?, "{USER} may not delete");

        let text = fs::read_to_string(mounted.translated(config))?;
        let config: Value = serde_yaml::from_str(&text)?;
        let drain_s = config["limits"]["drainS"].as_u64().context("no drainS")?;
        let grace = registry["stop_grace_period"].as_str().context("no grace")?;
        let grace_s: u64 = grace.trim_end_matches('s').parse()?;
        assert!(grace_s > drain_s);
    }
    Ok(())
}
