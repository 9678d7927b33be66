//! How old what is known is, by a clock that is told what time it is.

use std::sync::Arc;

use anyhow::Result;
use cairn_hub::{HubStore, Knowledge};
use cairn_spec::{Timestamp, agent::Sync};
use serde_json::json;

use crate::world::{START_S, World, quick};

#[tokio::test]
async fn what_was_reported_is_the_last_known_after_three_intervals() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let id = agent.id.clone();
    let knowledge = async |world: &World| world.hub.agent(&id).await.map(|view| view.knowledge);
    assert_eq!(knowledge(&world).await?, Knowledge::Never);
    let reporting = Sync {
        status_revision: 1,
        status: Some(json!({"layers": {}})),
        ..quick(0)
    };
    agent.sync(reporting).await?.unwrap();
    let seen = Timestamp::from_unix_s(START_S);
    assert_eq!(knowledge(&world).await?, Knowledge::Present { seen });
    world.clock.advance_s(90);
    assert_eq!(knowledge(&world).await?, Knowledge::Present { seen });
    world.clock.advance_s(1);
    assert_eq!(
        knowledge(&world).await?,
        Knowledge::LastKnown {
            unknown_since: seen
        }
    );
    let view = world.hub.agent(&id).await?;
    assert_eq!(
        view.status.as_deref(),
        Some(&br#"{"layers":{}}"#[..]),
        "it is kept, as the last known"
    );
    world.stop().await
}

#[tokio::test]
async fn a_hub_that_was_down_for_a_day_knows_how_old_its_knowledge_is() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    agent.sync(quick(0)).await?.unwrap();
    world.clock.advance_s(86_400);
    let world = world.restart().await?;
    let seen = Timestamp::from_unix_s(START_S);
    let view = world.hub.agent(&agent.id).await?;
    assert_eq!(
        view.knowledge,
        Knowledge::LastKnown {
            unknown_since: seen
        }
    );
    // The agent has the same boot and goes on counting; what it spooled meanwhile comes with it.
    agent.turn_to(&world.client);
    let answer = agent.sync(quick(0)).await?;
    assert!(answer.is_ok(), "{answer:?}");
    let seen = Timestamp::from_unix_s(START_S + 86_400);
    let view = world.hub.agent(&agent.id).await?;
    assert_eq!(view.knowledge, Knowledge::Present { seen });
    world.stop().await
}

#[tokio::test]
async fn heartbeats_are_written_in_batches() -> Result<()> {
    let world = World::new().await?;
    let (mut first, mut second) = (
        world.joined("cluster-1").await?,
        world.joined("cluster-2").await?,
    );
    world.hub.flush().await?;
    for _ in 0..3 {
        first.sync(quick(0)).await?.unwrap();
        second.sync(quick(0)).await?.unwrap();
    }
    assert_eq!(
        world.store.contact(&first.id).await?,
        None,
        "nothing is written by a heartbeat"
    );
    assert_eq!(world.hub.flush().await?, 2);
    assert_eq!(world.hub.flush().await?, 0);
    assert_eq!(world.store.contact(&first.id).await?.unwrap().seq, 3);
    // What was not flushed yet is written when the hub stops.
    first.sync(quick(0)).await?.unwrap();
    let store = Arc::clone(&world.store);
    world.stop().await?;
    assert_eq!(store.contact(&first.id).await?.unwrap().seq, 4);
    Ok(())
}
