//! The manifest that installs the agent, as other people's tools see it.

use anyhow::Result;

use crate::harness::Meeting;

#[test]
#[ignore = "needs cosign and kubectl"]
fn cosign_verifies_the_manifest_of_an_agent_and_kubectl_reads_it() -> Result<()> {
    let meeting = Meeting::new()?;
    meeting.sandbox.ok("key generate stranger")?;
    meeting
        .sandbox
        .write("ca.pem", "-----BEGIN CERTIFICATE-----\n")?;
    meeting.sandbox.ok("agent manifest --image registry.example.com/cairn-agent:0.1.0 --hub https://hub.example.com --hub-ca ca.pem --cluster-admin --network-policy --output agent.yaml --sign-key us.key")?;
    let verify = "verify-blob --insecure-ignore-tlog=true --signature agent.yaml.sig";
    meeting.peer("cosign", &format!("{verify} --key us.pub agent.yaml"))?;
    meeting.peer_refuses("cosign", &format!("{verify} --key stranger.pub agent.yaml"))?;
    meeting.sandbox.write(
        "kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [agent.yaml]\n",
    )?;
    let printed = meeting.peer("kubectl", "kustomize .")?;
    let kinds = printed.lines().filter(|line| line.starts_with("kind: "));
    assert_eq!(kinds.count(), 10, "{printed}");
    Ok(())
}
