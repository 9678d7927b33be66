//! Manifests as they are written, and that they follow from their inputs alone.

use std::collections::BTreeMap;

use cairn_runner::roles::{Rights, Rule};
use insta::assert_snapshot;

use super::{Install, Permissions, Source, manifest, objects};

fn rule(resource: &str, names: &[&str], verbs: &[&str]) -> Rule {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Rule {
        api_groups: vec![String::new()],
        resources: vec![resource.to_owned()],
        resource_names: owned(names),
        verbs: owned(verbs),
    }
}

fn hub() -> Install {
    let rights = Rights {
        cluster: vec![rule("namespaces", &["shop"], &["create", "patch"])],
        namespaces: BTreeMap::from([("shop".to_owned(), vec![rule("services", &[], &["patch"])])]),
        brought: BTreeMap::from([("shop".to_owned(), "web".parse().unwrap())]),
        guessed: BTreeMap::new(),
    };
    Install {
        image: "registry.example.com/cairn-agent:0.1.0".to_owned(),
        source: Source::Hub {
            url: "https://hub.example.com:8443".to_owned(),
            ca: "-----BEGIN CERTIFICATE-----\n…\n".to_owned(),
            keyring: None,
            token: Some("id.secret".to_owned()),
        },
        permissions: Permissions::Derived(rights),
        registry_logins: None,
        registry_ca: None,
        network_policy: true,
    }
}

fn registry() -> Install {
    Install {
        source: Source::Registry {
            bundle: "registry.example.com/bundles/edge:stable".to_owned(),
            interval_s: 60,
            trust: "apiVersion: cairn.dev/v1\n".to_owned(),
            policy: Some("{}".to_owned()),
            require_generation: true,
            group: Some("edge-eu".to_owned()),
        },
        permissions: Permissions::ClusterAdmin,
        registry_logins: Some("{\"auths\":{}}".to_owned()),
        registry_ca: Some("-----BEGIN CERTIFICATE-----\n".to_owned()),
        network_policy: false,
        ..hub()
    }
}

#[test]
fn an_agent_of_a_hub_has_its_token_and_the_rights_of_its_bundle() {
    assert_snapshot!(manifest(&hub()));
}

#[test]
fn an_agent_of_a_registry_has_a_trust_policy() {
    assert_snapshot!(manifest(&registry()));
}

#[test]
fn other_settings_start_another_pod() {
    let pod = |install: &Install| {
        let deployment = objects(install).pop().unwrap();
        deployment["spec"]["template"].clone()
    };
    let mut other = registry();
    assert_eq!(pod(&registry()), pod(&other));
    if let Source::Registry { trust, .. } = &mut other.source {
        trust.push_str("rules: []\n");
    }
    assert_ne!(pod(&registry()), pod(&other));
}

#[test]
fn only_who_asks_for_it_gets_everything() {
    let admin = |install: &Install| manifest(install).contains("cluster-admin");
    assert!(admin(&registry()));
    assert!(!admin(&hub()));
}
