//! Sync: what is desired comes at once, held requests are answered when there is something to say,
//! and reports are kept.

use anyhow::Result;
use cairn_hub::NewToken;
use cairn_spec::{
    Timestamp,
    agent::{
        Audience, CommandKind, DesiredState, Phase, ProblemCode, Refused, Sync, SyncAnswer,
        Transition, limits,
    },
};
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::{
    simulated::{Agent, Answer},
    world::{World, cluster, group, held, one_use, quick},
};

/// Sends a sync that is held, and goes on once the hub has it.
async fn send_held(
    world: &World,
    mut agent: Agent,
    sync: Sync,
) -> tokio::task::JoinHandle<(Agent, Result<Answer<SyncAnswer>>)> {
    let (id, before) = (agent.id.clone(), agent.seq);
    let sent = TaskTracker::new().spawn(async move {
        let answer = agent.sync(sync).await;
        (agent, answer)
    });
    while world.hub.agent(&id).await.unwrap().contact.seq == before {
        tokio::task::yield_now().await;
    }
    sent
}

fn generation_of(answer: &SyncAnswer, world: &World) -> Option<u64> {
    let envelope = answer.desired_state.as_ref()?;
    let keys =
        cairn_spec::agent::Keyring::new(vec![world.key.public_key().unwrap().to_pem().unwrap()], 1);
    let trusted = cairn_oci::keyring::TrustedKeys::new(keys).unwrap();
    let state: DesiredState = trusted.desired_state(envelope).unwrap();
    assert_eq!(state.generation, answer.generation);
    Some(state.generation)
}

#[tokio::test]
async fn what_is_desired_comes_at_once_and_once() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    world
        .hub
        .offer(world.sealed(cluster("cluster-1"), 12)?)
        .await?;
    let answer = agent.sync(held(0)).await?.unwrap();
    assert_eq!(generation_of(&answer, &world), Some(12));
    let answer = agent.sync(quick(12)).await?.unwrap();
    assert_eq!((answer.generation, answer.desired_state), (12, None));
    // A generation that the agent refused is not pressed upon it.
    let refusing = Sync {
        refused: Some(Refused {
            generation: 12,
            reason: "it is for another cluster".to_owned(),
        }),
        ..quick(0)
    };
    let answer = agent.sync(refusing).await?.unwrap();
    assert_eq!((answer.generation, answer.desired_state), (12, None));
    let view = world.hub.agent(&agent.id).await?;
    assert_eq!(
        view.contact.refused.unwrap().reason,
        "it is for another cluster"
    );
    world.stop().await
}

#[tokio::test]
async fn a_request_that_is_held_is_answered_when_something_is_desired() -> Result<()> {
    let world = World::new().await?;
    let token = NewToken {
        group: Some(group("edge")?),
        ..one_use()
    };
    let mut in_group = world.agent("cluster-1")?;
    in_group
        .register(&world.hub.create_token(&token).await?)
        .await?
        .unwrap();
    let alone = world.joined("cluster-2").await?;
    let in_group = send_held(&world, in_group, held(0)).await;
    let alone = send_held(&world, alone, held(0)).await;
    world
        .hub
        .offer(world.sealed(Audience::Group(group("edge")?), 3)?)
        .await?;
    let (in_group, answer) = in_group.await?;
    assert_eq!(generation_of(&answer?.unwrap(), &world), Some(3));
    assert!(!alone.is_finished(), "the offer is for the group alone");
    world
        .hub
        .offer(world.sealed(cluster("cluster-2"), 7)?)
        .await?;
    let (_, answer) = alone.await?;
    assert_eq!(generation_of(&answer?.unwrap(), &world), Some(7));
    // Of those for the cluster and for its group, the highest generation counts.
    let in_group = send_held(&world, in_group, held(3)).await;
    world
        .hub
        .offer(world.sealed(cluster("cluster-1"), 2)?)
        .await?;
    world
        .hub
        .offer(world.sealed(cluster("cluster-1"), 4)?)
        .await?;
    let (_, answer) = in_group.await?;
    assert_eq!(generation_of(&answer?.unwrap(), &world), Some(4));
    world.stop().await
}

#[tokio::test]
async fn a_request_that_is_held_gives_way_to_the_next_one() -> Result<()> {
    let world = World::new().await?;
    let agent = world.joined("cluster-1").await?;
    let mut again = world.agent("cluster-1")?;
    again.id.clone_from(&agent.id);
    again.certificate.clone_from(&agent.certificate);
    again.key = cairn_oci::PrivateKey::from_pem(&agent.key.to_pem()?, None)?;
    let old = send_held(&world, agent, held(0)).await;
    again.seq = 10;
    assert!(again.sync(quick(0)).await?.is_ok());
    let (_, answer) = old.await?;
    assert_eq!(answer?.unwrap().generation, 0);
    world.stop().await
}

#[tokio::test]
async fn agents_that_wait_are_answered_when_the_hub_stops() -> Result<()> {
    let world = World::with(|config| config.settings.reconnects_per_s = 1).await?;
    let first = world.joined("cluster-1").await?;
    let second = world.joined("cluster-2").await?;
    let first = send_held(&world, first, held(0)).await;
    let second = send_held(&world, second, held(0)).await;
    let world = world.restart().await?;
    for sent in [first, second] {
        let (mut agent, answer) = sent.await?;
        // One a second, and none at once.
        let next = answer?.unwrap().next;
        assert_eq!((next.min_s, next.max_s), (1, 3));
        agent.turn_to(&world.client);
        assert!(agent.sync(quick(0)).await?.is_ok());
    }
    world.stop().await
}

#[tokio::test]
async fn a_status_is_whole_first_and_then_what_changed() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let with = |revision, base: Option<u64>, status: Option<serde_json::Value>, delta| Sync {
        status_revision: revision,
        base_revision: base,
        status,
        delta,
        ..quick(0)
    };
    let status = async |agent: &Agent| -> Result<serde_json::Value> {
        let view = world.hub.agent(&agent.id).await?;
        Ok(serde_json::from_slice(&view.status.unwrap_or_default()).unwrap_or_default())
    };
    // The hub asks for all of it as long as it does not have it.
    let delta = json!({"nodes": {"items": {"n2": {"ready": true}}}});
    for sync in [
        with(1, None, None, None),
        with(2, Some(1), None, Some(delta.clone())),
    ] {
        assert!(agent.sync(sync).await?.unwrap().need_full);
    }
    let whole = json!({"nodes": {"items": {"n1": {"ready": true}}}, "of_the_future": 1});
    let answer = agent
        .sync(with(1, None, Some(whole.clone()), None))
        .await?
        .unwrap();
    assert!(!answer.need_full);
    assert_eq!(status(&agent).await?, whole);
    let answer = agent
        .sync(with(2, Some(1), None, Some(delta)))
        .await?
        .unwrap();
    assert!(!answer.need_full);
    let delta = json!({"nodes": {"items": {"n1": null}}});
    assert!(
        !agent
            .sync(with(3, Some(2), None, Some(delta.clone())))
            .await?
            .unwrap()
            .need_full
    );
    let expected = json!({"nodes": {"items": {"n2": {"ready": true}}}, "of_the_future": 1});
    assert_eq!(status(&agent).await?, expected);
    // A base that is not the last one, and a boot that counts anew.
    assert!(
        agent
            .sync(with(4, Some(2), None, Some(delta)))
            .await?
            .unwrap()
            .need_full
    );
    assert!(
        !agent
            .sync(with(3, None, None, None))
            .await?
            .unwrap()
            .need_full
    );
    agent.boot_id = "boot2".to_owned();
    assert!(
        agent
            .sync(with(3, None, None, None))
            .await?
            .unwrap()
            .need_full
    );
    assert_eq!(status(&agent).await?, expected);
    // It survives a restart of the hub.
    agent.boot_id = "boot1".to_owned();
    let world = world.restart().await?;
    agent.turn_to(&world.client);
    assert!(
        !agent
            .sync(with(3, None, None, None))
            .await?
            .unwrap()
            .need_full
    );
    world.stop().await
}

#[tokio::test]
async fn a_status_is_an_object_of_bounded_size() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let with = |status| Sync {
        status_revision: 1,
        status: Some(status),
        ..quick(0)
    };
    let problem = agent.sync(with(json!([]))).await?.unwrap_err();
    assert_eq!(problem.code, ProblemCode::Malformed);
    let large = json!({"text": "x".repeat(limits::MAX_STATUS_BYTES)});
    let problem = agent.sync(with(large)).await?.unwrap_err();
    assert_eq!(problem.message, "the status has more than 524288 bytes");
    // A delta cannot make it grow beyond that either.
    let half = json!({"text": "x".repeat(limits::MAX_STATUS_BYTES / 2)});
    agent.sync(with(half)).await?.unwrap();
    let delta = Sync {
        status_revision: 2,
        base_revision: Some(1),
        delta: Some(json!({"more": "x".repeat(limits::MAX_STATUS_BYTES / 2)})),
        ..quick(0)
    };
    assert_eq!(
        agent.sync(delta).await?.unwrap_err().code,
        ProblemCode::TooLarge
    );
    world.stop().await
}

fn transition(number: u64) -> Transition {
    Transition {
        number,
        time: Timestamp::from_unix_s(number),
        phase: Phase::Applying,
        bundle: None,
        generation: Some(1),
        layer: None,
        message: None,
    }
}

#[tokio::test]
async fn what_happened_is_kept_once() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let with = |numbers: std::ops::RangeInclusive<u64>| Sync {
        transitions: numbers.map(transition).collect(),
        ..quick(0)
    };
    assert_eq!(
        agent.sync(with(1..=3)).await?.unwrap().transitions_up_to,
        Some(3)
    );
    // The answer was lost: the agent sends them again, with what came after.
    assert_eq!(
        agent.sync(with(2..=5)).await?.unwrap().transitions_up_to,
        Some(5)
    );
    let kept = world.hub.transitions(&agent.id, 10).await?;
    let numbers: Vec<u64> = kept.iter().map(|transition| transition.number).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    let problem = agent.sync(with(1..=101)).await?.unwrap_err();
    assert_eq!(problem.code, ProblemCode::TooLarge);
    world.stop().await
}

#[tokio::test]
async fn commands_wait_until_they_are_done() -> Result<()> {
    let world = World::new().await?;
    let agent = world.joined("cluster-1").await?;
    let id = agent.id.clone();
    let sent = send_held(&world, agent, held(0)).await;
    let command = world.hub.command(&id, CommandKind::Reconcile).await?;
    let (mut agent, answer) = sent.await?;
    let answer = answer?.unwrap();
    assert_eq!(answer.commands.len(), 1);
    assert_eq!(
        (&answer.commands[0].id, answer.commands[0].kind),
        (&command, CommandKind::Reconcile)
    );
    // Until the agent says that it is done, it is told again.
    assert_eq!(agent.sync(quick(0)).await?.unwrap().commands.len(), 1);
    let done = Sync {
        done_commands: vec![command],
        ..quick(0)
    };
    assert!(agent.sync(done).await?.unwrap().commands.is_empty());
    for _ in 0..limits::MAX_COMMANDS {
        world.hub.command(&id, CommandKind::Report).await?;
    }
    assert!(world.hub.command(&id, CommandKind::Report).await.is_err());
    world.stop().await
}
