//! Hubs that share a store: an agent may speak to any of them.

use anyhow::Result;
use cairn_hub::{Knowledge, MemoryStore};
use cairn_spec::agent::{CommandKind, ProblemCode, Sync};
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::world::{World, cluster, held, quick};

#[tokio::test]
async fn what_one_hub_is_told_another_one_passes_on() -> Result<()> {
    let first = World::over(MemoryStore::shared(), |config| config.settings.poll_ms = 10).await?;
    let second = first.beside(|config| config.settings.poll_ms = 10).await?;
    let mut agent = first.joined("cluster-1").await?;
    let id = agent.id.clone();
    agent.turn_to(&second.client);
    let waiting = TaskTracker::new().spawn(async move {
        let answer = agent.sync(held(0)).await;
        (agent, answer)
    });
    while second.hub.agent(&id).await?.contact.seq == 0 {
        tokio::task::yield_now().await;
    }
    first
        .hub
        .offer(first.sealed(cluster("cluster-1"), 1)?)
        .await?;
    let (mut agent, answer) = waiting.await?;
    assert_eq!(answer?.unwrap().generation, 1);
    let waiting = TaskTracker::new().spawn(async move {
        let answer = agent.sync(held(1)).await;
        (agent, answer)
    });
    let command = first.hub.command(&id, CommandKind::Report).await?;
    let (mut agent, answer) = waiting.await?;
    assert_eq!(answer?.unwrap().commands[0].id, command);
    // A status that one hub was given is the base of a change that another one is given, or asked for anew.
    let reporting = Sync {
        status_revision: 1,
        status: Some(json!({"a": 1})),
        done_commands: vec![command],
        ..quick(1)
    };
    agent.sync(reporting).await?.unwrap();
    second.hub.flush().await?;
    let view = first.hub.agent(&id).await?;
    assert!(matches!(view.knowledge, Knowledge::Present { .. }));
    assert_eq!(view.status.as_deref(), Some(&br#"{"a":1}"#[..]));
    // Whoever is sent away at one hub is sent away at all.
    let waiting = TaskTracker::new().spawn(async move {
        let answer = agent.sync(held(1)).await;
        (agent, answer)
    });
    first.hub.revoke(&id).await?;
    let (mut agent, _) = waiting.await?;
    assert_eq!(
        agent.sync(quick(1)).await?.unwrap_err().code,
        ProblemCode::Revoked
    );
    second.stop().await?;
    first.stop().await
}
