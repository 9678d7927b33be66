//! Joining: tokens that are good once, for a while, and with somebody's consent.

use anyhow::Result;
use cairn_hub::{AgentState, NewToken, Settings};
use cairn_spec::agent::{JoinToken, ProblemCode};

use crate::world::{World, group, one_use, quick};

#[tokio::test]
async fn a_token_is_good_for_as_many_clusters_as_was_said() -> Result<()> {
    let world = World::new().await?;
    let token = world.token().await?;
    let mut first = world.agent("cluster-1")?;
    assert_eq!(first.register(&token).await?.unwrap(), 200);
    let mut second = world.agent("cluster-2")?;
    let problem = second.register(&token).await?.unwrap_err();
    assert_eq!(problem.code, ProblemCode::JoinTokenRefused);
    // The first answer was lost: the same key is answered again, and it is the same agent.
    let id = first.id.clone();
    assert_eq!(first.register(&token).await?.unwrap(), 200);
    assert_eq!(first.id, id);
    assert_eq!(world.hub.agents(None, 10).await?.len(), 1);
    world.stop().await
}

#[tokio::test]
async fn tokens_that_are_wrong_old_or_taken_back_are_refused() -> Result<()> {
    let world = World::new().await?;
    let token = world.token().await?;
    let mut agent = world.agent("cluster-1")?;
    let wrong = JoinToken {
        secret: "0".repeat(token.secret.len()),
        ..token.clone()
    };
    let unknown = JoinToken {
        id: "0".repeat(12),
        ..token.clone()
    };
    for refused in [&wrong, &unknown] {
        let problem = agent.register(refused).await?.unwrap_err();
        assert_eq!(problem.code, ProblemCode::JoinTokenRefused);
        // Nobody learns which part was wrong.
        assert_eq!(
            problem.message,
            "the join token is unknown, has expired or is used up"
        );
    }
    world.clock.advance_s(3_600);
    assert_eq!(
        agent.register(&token).await?.unwrap_err().code,
        ProblemCode::JoinTokenRefused
    );
    let token = world.token().await?;
    assert!(world.hub.remove_token(&token.id).await?);
    assert_eq!(
        agent.register(&token).await?.unwrap_err().code,
        ProblemCode::JoinTokenRefused
    );
    assert!(!world.hub.remove_token(&token.id).await?);
    world.stop().await
}

#[tokio::test]
async fn a_token_is_not_kept_and_lives_for_a_day_at_most() -> Result<()> {
    let world = World::new().await?;
    let token = world.token().await?;
    let kept = format!("{:?}", world.hub.tokens().await?);
    assert!(kept.contains(&token.id) && !kept.contains(&token.secret));
    for life_s in [0, 24 * 3_600 + 1] {
        let new = NewToken {
            life_s,
            ..one_use()
        };
        assert!(world.hub.create_token(&new).await.is_err());
    }
    let of_group = NewToken {
        uses: 0,
        ..one_use()
    };
    assert!(world.hub.create_token(&of_group).await.is_err());
    world.stop().await
}

#[tokio::test]
async fn somebody_may_have_to_agree() -> Result<()> {
    let world = World::with(|config| {
        config.settings = Settings {
            needs_approval: true,
            ..Settings::default()
        };
    })
    .await?;
    let token = world.token().await?;
    let mut agent = world.agent("cluster-1")?;
    assert_eq!(agent.register(&token).await?.unwrap(), 202);
    assert_eq!(agent.register(&token).await?.unwrap(), 202);
    let waiting = world.hub.agents(None, 10).await?;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].record.state, AgentState::Pending);
    world.hub.approve(&waiting[0].record.id).await?;
    assert_eq!(agent.register(&token).await?.unwrap(), 200);
    assert!(agent.sync(quick(0)).await?.is_ok());
    world.stop().await
}

#[tokio::test]
async fn nobody_takes_the_place_of_a_cluster_without_consent() -> Result<()> {
    let world = World::new().await?;
    let mut first = world.joined("cluster-1").await?;
    let token = world.token().await?;
    let mut second = world.agent("cluster-1")?;
    assert_eq!(second.register(&token).await?.unwrap(), 202);
    assert!(first.sync(quick(0)).await?.is_ok());
    let agents = world.hub.agents(None, 10).await?;
    let waiting = agents
        .iter()
        .find(|agent| agent.record.state == AgentState::Pending)
        .unwrap();
    world.hub.approve(&waiting.record.id).await?;
    assert_eq!(second.register(&token).await?.unwrap(), 200);
    assert!(second.sync(quick(0)).await?.is_ok());
    let problem = first.sync(quick(0)).await?.unwrap_err();
    assert_eq!(problem.code, ProblemCode::Revoked);
    world.stop().await
}

#[tokio::test]
async fn a_group_comes_with_the_token() -> Result<()> {
    let world = World::new().await?;
    let new = NewToken {
        group: Some(group("edge-eu")?),
        ..one_use()
    };
    let token = world.hub.create_token(&new).await?;
    let mut agent = world.agent("cluster-1")?;
    assert_eq!(agent.register(&token).await?.unwrap(), 200);
    let view = world.hub.agent(&agent.id).await?;
    assert_eq!(view.record.group, Some(group("edge-eu")?));
    world.stop().await
}

#[tokio::test]
async fn attempts_to_join_are_limited() -> Result<()> {
    let world = World::with(|config| config.limits.join_burst = 3).await?;
    let token = JoinToken {
        id: "a".to_owned(),
        secret: "b".to_owned(),
    };
    let mut agent = world.agent("cluster-1")?;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(agent.register(&token).await?.unwrap_err().code);
    }
    assert_eq!(codes[..3], [ProblemCode::JoinTokenRefused; 3]);
    assert_eq!(codes[3], ProblemCode::TooManyRequests);
    world.stop().await
}

#[tokio::test]
async fn tokens_that_expired_long_ago_make_room() -> Result<()> {
    let world = World::with(|config| config.limits.join_tokens = 2).await?;
    world.token().await?;
    world.token().await?;
    assert!(world.token().await.is_err());
    world.clock.advance_s(8 * 86_400);
    world.token().await?;
    assert_eq!(world.hub.tokens().await?.len(), 1);
    world.stop().await
}
