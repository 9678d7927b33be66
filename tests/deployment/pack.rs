//! The pack `cairn-registry`: what it renders for the registry to read, with each of its presets.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{RegistryProcess, files_below, repository_root};
use serde_yaml::Value;

use crate::mounted::Mounted;

const PACK: &str = "packs/addon/cairn-registry";
/// Everything that values can turn on.
const ALL: &str = "
auth:
  tokens: true
  oidc: [{name: cluster, issuer: https://kubernetes.default.svc, audiences: [registry.example.com], jwks: {file: /etc/cairn-registry/auth/jwks.json}}]
tls: {secretName: tls}
publicUrl: https://registry.example.com
trustedProxies: [10.0.0.0/8]
trust: {configMap: trust, host: registry.example.com, enforce: [{repositories: 'packs/**', mode: tag, tags: 'v*'}]}
config: {gc: {untaggedManifests: collect}, rateLimits: {login: {perSecond: 1, burst: 10}}}
";

/// The `ConfigMap` that the pack renders, with its paths in a sandbox.
fn rendered(presets: &str, values: &str) -> Result<Mounted> {
    let mounted = Mounted::new(&[("/etc/cairn-registry/", "etc/"), ("/data", "data")])?;
    let pack = repository_root().join(PACK);
    let indented = values.replace('\n', "\n        ");
    mounted.sandbox.write(
        "profile.yaml",
        format!(
            "apiVersion: cairn.dev/v1\nkind: Profile\nmetadata: {{name: p, version: 1.0.0}}\nspec:\n  type: addon\n  \
             kubernetes: 1.34.1\n  layers:\n    - name: artifacts\n      path: {}\n      presets: [{presets}]\n      \
             values:{indented}\n",
            pack.display()
        ),
    )?;
    mounted
        .sandbox
        .ok("profile build profile.yaml --output out")?;
    let manifests = mounted.sandbox.path().join("out/manifests");
    let map = files_below(&manifests)?
        .into_iter()
        .find(|path| path.to_string_lossy().contains("configmap"))
        .context("no ConfigMap")?;
    let map: Value = serde_yaml::from_str(&fs::read_to_string(manifests.join(map))?)?;
    for folder in ["config", "auth"] {
        fs::create_dir_all(mounted.sandbox.path().join("etc").join(folder))?;
    }
    for (name, text) in map["data"].as_mapping().context("no data")? {
        let (name, text) = (name.as_str(), text.as_str());
        let (name, text) = name.zip(text).context("not texts")?;
        mounted.write(&format!("/etc/cairn-registry/config/{name}"), text)?;
    }
    Ok(mounted)
}

#[test]
fn every_presets_configuration_is_understood() -> Result<()> {
    let mut presets = vec![String::new()];
    for file in files_below(&repository_root().join(PACK).join("presets"))? {
        let name = file.file_stem().context("no name")?;
        presets.push(name.to_string_lossy().into_owned());
    }
    ensure!(presets.len() > 3, "{presets:?}");
    for preset in presets {
        for values in [" {}", ALL] {
            let mounted = rendered(&preset, values).context(preset.clone())?;
            let check = "registry check /etc/cairn-registry/config/registry.yaml";
            mounted.ok(check).with_context(|| preset.clone())?;
        }
    }
    Ok(())
}

/// The parts of the configuration that name a machine's ports are replaced, as variables may.
#[test]
fn a_registry_starts_with_what_is_rendered() -> Result<()> {
    let metrics = "\nmetrics: {enabled: false}\naudit: false";
    for preset in ["", "small", "open"] {
        let mounted = rendered(preset, metrics)?;
        mounted.add_user("/etc/cairn-registry/auth/htpasswd")?;
        let config = mounted.translated("/etc/cairn-registry/config/registry.yaml");
        let mut registry = RegistryProcess::start_configured(&mounted.sandbox, &config)?;
        mounted.ok(&format!("registry healthcheck {}", registry.address))?;
        registry.stop()?;
    }
    Ok(())
}

#[test]
fn the_rendered_policy_lets_users_push_and_not_delete() -> Result<()> {
    let mounted = rendered("", " {}")?;
    let policy = "/etc/cairn-registry/config/policy.yaml";
    assert!(mounted.allows(policy, "pull")?);
    assert!(mounted.allows(policy, "push")?);
    assert!(!mounted.allows(policy, "delete")?);
    Ok(())
}
