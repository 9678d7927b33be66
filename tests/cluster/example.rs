//! The example cluster's bundle, from the registry into a cluster and out of it.

use anyhow::{Context as _, Result, ensure};
use cairn_tests::RegistryProcess;
use serde_json::{Value as Json, json};

use crate::world::{CONFLICT, DENIED, NOT_FOUND, World, name, of_sort};

/// What `cairn quickstart` makes: packs and the example cluster's signed bundle in a registry, and the same
/// bundle in a folder.
pub(crate) struct Example {
    pub(crate) world: World,
    pub(crate) reference: String,
    _registry: RegistryProcess,
}

/// Its value is in no message.
pub(crate) const TOKEN: &str = "token-of-the-uplink";

impl Example {
    pub(crate) fn new() -> Result<Self> {
        let world = World::new()?;
        world.sandbox.ok("quickstart --once --port 0")?;
        let registry = RegistryProcess::start(&world.sandbox, ".cairn/registry")?;
        Ok(Self {
            reference: format!("{}/bundles/shop-17:1.4.0", registry.address),
            world,
            _registry: registry,
        })
    }

    pub(crate) fn make_secret(&self) -> Result<()> {
        self.world.kubectl("create namespace cairn-system")?;
        self.world.kubectl(&format!(
            "create secret generic uplink -n cairn-system --from-literal=token={TOKEN}"
        ))?;
        Ok(())
    }
}

/// Every layer of a status has all of its objects, healthy and as they were applied.
pub(crate) fn check_whole(status: &Json, layers: usize) -> Result<()> {
    let all = status["layers"].as_array().context("no layers")?;
    ensure!(all.len() == layers, "{} layers", all.len());
    for object in all
        .iter()
        .filter_map(|it| it["objects"].as_array())
        .flatten()
    {
        ensure!(
            object["health"]["status"] == "Current" && object["drifted"] == false,
            "{object}"
        );
    }
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn the_example_cluster_comes_from_the_registry_and_goes_again() -> Result<()> {
    let example = Example::new()?;
    let Example {
        world, reference, ..
    } = &example;

    let plan = world.ends(&format!("plan {reference}"), NOT_FOUND)?;
    ensure!(
        plan.stderr.contains("the bundle needs the secret `uplinkToken`, but Secret cairn-system/uplink with the key `token` is not there"),
        "{}",
        plan.stderr
    );
    example.make_secret()?;

    // Neither a signature that nobody trusts nor none at all.
    world.sandbox.ok("key generate other")?;
    world.sandbox.write(
        "other.yaml",
        "apiVersion: cairn.dev/v1\nkind: TrustPolicy\nrules:\n- repositories: ['**']\n  keys: [{name: other, path: other.pub}]\n",
    )?;
    let untrusted = world.ends(&format!("apply {reference} --trust other.yaml"), DENIED)?;
    ensure!(untrusted.stderr.contains("error:"), "{}", untrusted.stderr);
    ensure!(world.kubectl("get namespace shop").is_err());

    let planned = world.json(&format!("plan {reference}"))?;
    assert_eq!(planned["summary"]["create"], 69);
    assert_eq!(planned["missingRights"], json!([]));

    let events = world.events(&format!("apply {reference}"), 0)?;
    assert_eq!(of_sort(&events, "layer").len(), 12);
    assert_eq!(of_sort(&events, "healthy").len(), 12);
    assert_eq!(of_sort(&events, "applied").len(), 69);
    let done = events.last().context("no events")?;
    assert_eq!(
        (&done["event"], &done["layers"], &done["changed"]),
        (&json!("done"), &json!(12), &json!(69))
    );
    check_whole(&world.json("status")?, 12)?;

    // The folder holds the same bundle: nothing is to be done any more.
    assert_eq!(
        world.ok("apply out")?,
        "12 layers healthy, 0 objects changed, 0 deleted\n"
    );
    assert_eq!(
        world.ok("plan out")?,
        "0 to create, 0 to change, 0 to recreate, 0 to delete, 69 unchanged\n"
    );
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn an_uninstallation_leaves_what_is_not_cairns() -> Result<()> {
    let example = Example::new()?;
    let Example { world, .. } = &example;
    example.make_secret()?;
    world.kubectl("create namespace shop")?;
    let foreign = world.ends("apply out", CONFLICT)?;
    ensure!(
        foreign
            .stderr
            .contains("Namespace shop is there already and is not Cairn's"),
        "{}",
        foreign.stderr
    );
    world.kubectl("delete namespace shop")?;
    let applied = world.events("apply out", 0)?;
    let text = format!("{applied:?}");
    ensure!(!text.contains(TOKEN), "{text}");
    world.kubectl("create configmap foreign -n shop --from-literal=a=b")?;
    world.kubectl("create configmap foreign -n ingress --from-literal=a=b")?;

    let events = world.events("uninstall", 0)?;
    let done = events.last().context("no events")?;
    assert_eq!(
        (&done["event"], &done["deleted"]),
        (&json!("done"), &json!(59))
    );
    let kept: Vec<&str> = done["toApprove"]
        .as_array()
        .context("nothing was kept")?
        .iter()
        .filter_map(Json::as_str)
        .collect();
    assert_eq!(kept.len(), 10);
    ensure!(kept.contains(&"PersistentVolumeClaim/shop/shop"));
    ensure!(kept.contains(&"StorageClass.storage.k8s.io/local-path"));
    for gone in ["deployment -n shop shop", "clusterrole flannel"] {
        ensure!(world.kubectl(&format!("get {gone}")).is_err(), "{gone}");
    }

    // With approval the rest goes, but for a namespace with an object of somebody else.
    let approvals: Vec<String> = kept
        .iter()
        .map(|name| format!("--approve-deletion {name}"))
        .collect();
    let events = world.events(&format!("uninstall {}", approvals.join(" ")), 0)?;
    let left: Vec<String> = of_sort(&events, "pruned")
        .into_iter()
        .filter(|it| {
            let decision = it["decision"].as_str();
            decision.is_some_and(|it| it.starts_with("kept:"))
        })
        .map(|it| name(&it["object"]))
        .collect();
    assert_eq!(left, ["Namespace ingress", "Namespace shop"]);
    world.kubectl("get configmap -n shop foreign")?;
    world.kubectl("get configmap -n ingress foreign")?;
    let namespaces = world.kubectl("get namespaces -o name")?;
    ensure!(!namespaces.contains("flannel"), "{namespaces}");
    Ok(())
}
