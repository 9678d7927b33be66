//! A network that fails between an agent and its hub: whatever was wrong, after it has healed the
//! agent has what is desired, and the hub has what happened, each once.

use anyhow::Result;
use cairn_spec::{
    Timestamp,
    agent::{Phase, Sync, Transition},
};
use cairn_test_network::{Fault, Proxy};
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::world::{World, cluster, held, quick};

fn happened(number: u64) -> Transition {
    Transition {
        number,
        time: Timestamp::from_unix_s(number),
        phase: Phase::Idle,
        bundle: None,
        generation: None,
        layer: None,
        message: None,
    }
}

#[tokio::test]
async fn agents_come_back_from_every_fault_of_the_network() -> Result<()> {
    let world = World::new().await?;
    let proxy = Proxy::start(world.client.address).await?;
    let mut agent = world.joined("cluster-1").await?;
    agent.hub.address = proxy.address();
    agent.disconnect();
    let faults = [
        Fault::Cut,
        Fault::Reset,
        Fault::Silent,
        Fault::Slow {
            bytes_per_s: 20_000,
        },
    ];
    for (number, fault) in (1..).zip(faults) {
        // The agent waits when it happens, and something is desired meanwhile.
        let id = agent.id.clone();
        let before = agent.seq;
        let tasks = TaskTracker::new();
        let sent = tasks.spawn(async move {
            let answer = tokio::select! {
                answer = agent.sync(held(number - 1)) => answer.ok(),
                // Nothing comes, not even an end: agents give up after a while, this one at once.
                () = given_up() => None,
            };
            (agent, answer)
        });
        while world.hub.agent(&id).await?.contact.seq == before {
            tokio::task::yield_now().await;
        }
        proxy.set(fault);
        world
            .hub
            .offer(world.sealed(cluster("cluster-1"), number)?)
            .await?;
        let (came_back, answer) = match fault {
            Fault::Silent => {
                GIVE_UP.notify_one();
                sent.await?
            }
            _ => sent.await?,
        };
        agent = came_back;
        let is_there =
            answer.is_some_and(|answer| answer.is_ok_and(|answer| answer.desired_state.is_some()));
        assert_eq!(is_there, matches!(fault, Fault::Slow { .. }), "{fault:?}");
        proxy.set(Fault::Healthy);
        agent.disconnect();
        let reporting = Sync {
            status_revision: number,
            status: Some(json!({"number": number})),
            transitions: (1..=number).map(happened).collect(),
            ..quick(number - 1)
        };
        let answer = agent.sync(reporting).await?.unwrap();
        assert_eq!(answer.generation, number, "{fault:?}");
        assert!(
            answer.desired_state.is_some() && !answer.need_full,
            "{fault:?}"
        );
        assert_eq!(answer.transitions_up_to, Some(number));
    }
    let kept = world.hub.transitions(&agent.id, 10).await?;
    let numbers: Vec<u64> = kept.iter().map(|transition| transition.number).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    world.stop().await
}

static GIVE_UP: tokio::sync::Notify = tokio::sync::Notify::const_new();

async fn given_up() {
    GIVE_UP.notified().await;
}
