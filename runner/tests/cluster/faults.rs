//! An API server that is away, in a hurry, or does not answer.

use anyhow::Result;
use cairn_runner::cluster::{Access, Cluster, ClusterError, Pace, id_of};
use cairn_test_kube::{Fault, Program};
use serde_json::json;

use crate::world::{World, connect, impatient};

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_fails_for_now_is_tried_again() -> Result<()> {
    let world = World::private().await?;
    let object = world.config_map("settings", &json!({}));
    world.apply(&object).await?;
    let pace = Pace {
        request_timeout: std::time::Duration::from_secs(1),
        ..Pace::default()
    };
    let cluster = connect(world.server.faulty_kubeconfig(), pace).await?;
    for fault in [
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(503),
        Fault::Reset,
        Fault::Hang,
    ] {
        world.server.fault(fault, 2)?;
        assert!(cluster.get(&id_of(&object)).await?.is_some(), "{fault:?}");
    }
    // What will be refused for ever is not asked for ever.
    world.server.fault(Fault::Status(500), 100)?;
    let refused = cluster.get(&id_of(&object)).await.unwrap_err();
    assert_eq!(refused.refusal().map(|refusal| refusal.code), Some(500));
    world.server.fault(Fault::Status(403), 1)?;
    let refused = cluster.get(&id_of(&object)).await.unwrap_err();
    assert_eq!(refused.refusal().map(|refusal| refusal.code), Some(403));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_server_that_is_away_is_waited_for_until_the_patience_ends() -> Result<()> {
    let world = World::private().await?;
    let object = world.config_map("settings", &json!({}));
    world.apply(&object).await?;
    let id = id_of(&object);
    let hurried = connect(world.server.kubeconfig().to_owned(), impatient()).await?;
    hurried.kinds().await?;

    world.server.halt(Program::ApiServer)?;
    let away = hurried.get(&id).await.unwrap_err();
    assert!(matches!(away, ClusterError::Away { .. }), "{away}");
    world.server.resume(Program::ApiServer)?;
    assert!(hurried.get(&id).await?.is_some());

    world.server.kill(Program::ApiServer)?;
    let away = hurried.get(&id).await.unwrap_err();
    assert!(matches!(away, ClusterError::Away { .. }), "{away}");
    // The patient one asks while the server starts.
    let starting = tokio::task::spawn_blocking(move || {
        world.server.start(Program::ApiServer)?;
        anyhow::Ok(world.server)
    });
    assert!(world.cluster.get(&id).await?.is_some());
    starting.await??;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube"]
async fn a_server_with_another_certificate_is_not_asked_again() -> Result<()> {
    let (one, other) = (World::shared().await?, World::private().await?);
    let text = std::fs::read_to_string(one.server.kubeconfig())?;
    let address = |world: &World| -> Result<String> {
        let text = std::fs::read_to_string(world.server.kubeconfig())?;
        let line = text.lines().find(|line| line.contains("server:"));
        Ok(line.unwrap_or_default().trim().to_owned())
    };
    let mixed = tempfile::NamedTempFile::new()?;
    std::fs::write(&mixed, text.replace(&address(&one)?, &address(&other)?))?;
    let access = Access {
        kubeconfigs: vec![mixed.path().to_owned()],
        ..Access::default()
    };
    let cluster = Cluster::connect(&access, Pace::default()).await?;
    let refused = cluster.kinds().await.unwrap_err();
    assert!(matches!(refused, ClusterError::Tls(_)), "{refused}");
    Ok(())
}
