//! The agent from the command line, and the manifest that installs it: what that allows is enough for the
//! bundle, and for nothing else.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    example::{Example, TOKEN, check_whole},
    world::DENIED,
};

const AGENT: &str = "system:serviceaccount:cairn-system:cairn-agent";

#[test]
#[ignore = "needs kube, kubectl"]
fn the_agent_may_do_what_its_bundle_needs_and_no_more() -> Result<()> {
    let example = Example::new()?;
    let world = &example.world;
    world
        .sandbox
        .write("ca.pem", "-----BEGIN CERTIFICATE-----\n")?;
    world.sandbox.ok("agent manifest --image registry.example.com/cairn-agent:0.1.0 --hub https://hub.example.com --hub-ca ca.pem --bundle out --network-policy --output agent.yaml")?;
    let manifest = world.sandbox.path().join("agent.yaml");
    world.kubectl(&format!("apply -f {}", manifest.display()))?;
    world.kubectl(&format!(
        "create secret generic uplink -n cairn-system --from-literal=token={TOKEN}"
    ))?;
    let agent = world.kubeconfig_of(AGENT)?;

    let planned = world.json(&format!("plan out --kubeconfig {agent}"))?;
    assert_eq!(planned["missingRights"], json!([]));
    // Drives all layers, and waits until each is healthy.
    world.events(&format!("apply out --kubeconfig {agent}"), 0)?;
    let status = world.json(&format!("status --kubeconfig {agent}"))?;
    check_whole(&status, 12)?;

    for refused in [
        "create namespace other",
        "create configmap stray -n default",
        "create clusterrolebinding mine --clusterrole=cluster-admin --user=me",
        "get secrets -n kube-system",
        "delete node --all",
        "delete clusterrole cluster-admin",
        "label clusterrole cluster-admin a=b",
    ] {
        let Err(error) = world.kubectl(&format!("{refused} --as {AGENT}")) else {
            anyhow::bail!("`{refused}` was allowed");
        };
        let text = format!("{error:#}");
        ensure!(text.contains("orbidden"), "`{refused}`: {text}");
    }
    // Another bundle needs more than this one, and nothing of it is begun.
    let bundle = world.bundle(
        "other",
        &[(
            "web",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray, namespace: default}\n",
        )],
    )?;
    let denied = world.ends(&format!("plan {bundle} --kubeconfig {agent}"), DENIED)?;
    ensure!(
        denied.stdout.contains("configmaps in namespace default"),
        "{}",
        denied.stdout
    );
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn the_agent_follows_a_tag_until_it_is_told_to_stop() -> Result<()> {
    let example = Example::new()?;
    example.make_secret()?;
    let world = &example.world;
    let arguments = format!(
        "agent run --bundle {} --trust-policy .cairn/trust.yaml",
        example.reference
    );
    let mut agent = world
        .sandbox
        .command()
        .env("KUBECONFIG", world.server.kubeconfig())
        .args(arguments.split_whitespace())
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = agent.stderr.take().context("no log")?;
    let mut log = String::new();
    for line in BufReader::new(stderr).lines() {
        let line = line?;
        log.push_str(&line);
        log.push('\n');
        if line.contains("the cluster is as it is wanted") {
            check_whole(&world.json("status")?, 12)?;
            Command::new("kill").arg(agent.id().to_string()).status()?;
        }
    }
    let ended = agent.wait()?;
    ensure!(
        ended.success() && log.contains("told to stop (SIGTERM)"),
        "{ended}: {log}"
    );
    Ok(())
}
