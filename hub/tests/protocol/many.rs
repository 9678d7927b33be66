//! Some hundred agents over TLS: all of them wait, all of them are told, and all of them come back
//! after the hub has gone and come again.

use std::sync::Arc;

use anyhow::{Result, ensure};
use cairn_hub::{NewToken, TlsConfig};
use cairn_spec::agent::{Audience, SyncAnswer};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use crate::{
    simulated::Agent,
    world::{World, group, held, one_use, quick},
};

const AGENTS: usize = 300;

/// A certificate for `localhost`, and those who trust it.
fn tls() -> Result<(TlsConfig, TlsConnector)> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert.der().to_vec()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = TlsConfig {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    };
    Ok((server, TlsConnector::from(Arc::new(client))))
}

/// All agents sync at the same time.
async fn all(
    agents: Vec<Agent>,
    sync: cairn_spec::agent::Sync,
) -> Result<(Vec<Agent>, Vec<SyncAnswer>)> {
    let tasks = TaskTracker::new();
    let sent: Vec<_> = agents
        .into_iter()
        .map(|mut agent| {
            let sync = sync.clone();
            tasks.spawn(async move {
                let answer = agent.sync(sync).await;
                (agent, answer)
            })
        })
        .collect();
    let (mut agents, mut answers) = (Vec::new(), Vec::new());
    for sent in sent {
        let (agent, answer) = sent.await?;
        let answer = answer?.map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
        agents.push(agent);
        answers.push(answer);
    }
    Ok((agents, answers))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_agents_are_told_at_once_and_come_back() -> Result<()> {
    let (server, connector) = tls()?;
    let mut world = World::with(|config| {
        config.tls = Some(server.clone());
        config.limits.join_burst = 1_000;
    })
    .await?;
    world.client.tls = Some(connector.clone());
    let token = NewToken {
        uses: u32::try_from(AGENTS)?,
        group: Some(group("edge")?),
        ..one_use()
    };
    let token = world.hub.create_token(&token).await?;
    let mut agents = Vec::new();
    for number in 0..AGENTS {
        let mut agent = world.agent(&format!("cluster-{number}"))?;
        agent.register(&token).await?.unwrap();
        agents.push(agent);
    }
    let waiting = TaskTracker::new().spawn(all(agents, held(0)));
    loop {
        let views = world.hub.agents(None, AGENTS).await?;
        if views.iter().all(|view| view.contact.seq == 1) {
            break;
        }
        tokio::task::yield_now().await;
    }
    ensure!(
        !waiting.is_finished(),
        "somebody was answered without a reason"
    );
    world
        .hub
        .offer(world.sealed(Audience::Group(group("edge")?), 1)?)
        .await?;
    let (agents, answers) = waiting.await??;
    ensure!(answers.iter().all(|answer| answer.desired_state.is_some()));

    let mut world = world
        .restart_with(|config| config.tls = Some(server))
        .await?;
    world.client.tls = Some(connector);
    let agents = agents.into_iter().map(|mut agent| {
        agent.turn_to(&world.client);
        agent
    });
    let (_, answers) = all(agents.collect(), quick(1)).await?;
    ensure!(
        answers
            .iter()
            .all(|answer| answer.generation == 1 && !answer.need_full)
    );
    let views = world.hub.agents(None, AGENTS).await?;
    ensure!(views.iter().all(|view| view.contact.ack_generation == 1));
    world.stop().await
}
