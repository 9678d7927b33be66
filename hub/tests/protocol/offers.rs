//! What comes in: nothing but what the audience's own keys have signed, and only forwards.

use anyhow::Result;
use cairn_hub::NewToken;
use cairn_oci::{
    PrivateKey, key,
    keyring::{seal_desired_state, seal_keyring},
};
use cairn_spec::{
    Timestamp,
    agent::{Audience, Keyring, Sync},
};

use crate::world::{World, cluster, group, one_use, quick};

fn keyring(keys: &[&PrivateKey], threshold: u32, generation: u64) -> Result<Keyring> {
    let pem = |key: &&PrivateKey| -> Result<String> { Ok(key.public_key()?.to_pem()?) };
    let mut keyring = Keyring::new(keys.iter().map(pem).collect::<Result<_>>()?, threshold);
    keyring.generation = generation;
    Ok(keyring)
}

#[tokio::test]
async fn only_what_the_keyring_s_keys_signed_comes_in() -> Result<()> {
    let world = World::new().await?;
    let state = world.state(cluster("cluster-1"), 1);
    let foreign = seal_desired_state(&state, [&key::generate()?])?;
    let refusal = world.hub.offer(foreign).await.unwrap_err();
    insta::assert_snapshot!(refusal, @"what was signed is not accepted: 0 of the trusted keys signed, 1 must");
    let mut tampered = world.sealed(cluster("cluster-1"), 1)?;
    tampered.payload = world.sealed(cluster("cluster-2"), 1)?.payload;
    assert!(world.hub.offer(tampered).await.is_err());
    let offered = world
        .hub
        .offer(world.sealed(cluster("cluster-1"), 1)?)
        .await?;
    assert!(!offered.is_known);
    let again = world
        .hub
        .offer(world.sealed(cluster("cluster-1"), 1)?)
        .await?;
    assert!(again.is_known);
    world.stop().await
}

#[tokio::test]
async fn generations_only_grow_and_what_expired_is_not_offered() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    world
        .hub
        .offer(world.sealed(cluster("cluster-1"), 5)?)
        .await?;
    let refusal = world
        .hub
        .offer(world.sealed(cluster("cluster-1"), 4)?)
        .await
        .unwrap_err();
    insta::assert_snapshot!(refusal, @"generation 4 for cluster cluster-1 is not higher than the one that is there");
    let mut other = world.state(cluster("cluster-1"), 5);
    other.bundle.digest = cairn_spec::Digest::sha256(b"another");
    let other = seal_desired_state(&other, [&world.key])?;
    assert!(
        world.hub.offer(other).await.is_err(),
        "another state of the same generation"
    );
    let mut brief = world.state(cluster("cluster-1"), 6);
    brief.expires_at = Some(Timestamp::from_unix_s(brief.issued_at.unix_s() + 60));
    world
        .hub
        .offer(seal_desired_state(&brief, [&world.key])?)
        .await?;
    assert_eq!(agent.sync(quick(0)).await?.unwrap().generation, 6);
    world.clock.advance_s(60);
    assert_eq!(agent.sync(quick(0)).await?.unwrap().generation, 0);
    brief.generation = 7;
    assert!(
        world
            .hub
            .offer(seal_desired_state(&brief, [&world.key])?)
            .await
            .is_err()
    );
    world.stop().await
}

#[tokio::test]
async fn the_keys_of_a_group_sign_for_its_clusters_alone() -> Result<()> {
    let world = World::new().await?;
    let own = key::generate()?;
    let edge = group("edge")?;
    world
        .hub
        .set_keyring(Some(&edge), keyring(&[&own], 1, 1)?)
        .await?;
    let token = NewToken {
        group: Some(edge.clone()),
        ..one_use()
    };
    let mut agent = world.agent("cluster-1")?;
    agent
        .register(&world.hub.create_token(&token).await?)
        .await?
        .unwrap();
    for audience in [cluster("cluster-1"), Audience::Group(edge.clone())] {
        let state = world.state(audience.clone(), 1);
        assert!(
            world
                .hub
                .offer(seal_desired_state(&state, [&world.key])?)
                .await
                .is_err(),
            "{audience}"
        );
        world.hub.offer(seal_desired_state(&state, [&own])?).await?;
    }
    for audience in [cluster("cluster-2"), Audience::Group(group("core")?)] {
        let state = world.state(audience.clone(), 1);
        assert!(
            world
                .hub
                .offer(seal_desired_state(&state, [&own])?)
                .await
                .is_err(),
            "{audience}"
        );
        world
            .hub
            .offer(seal_desired_state(&state, [&world.key])?)
            .await?;
    }
    assert!(
        world
            .hub
            .set_keyring(Some(&edge), keyring(&[&own], 1, 1)?)
            .await
            .is_err()
    );
    world.stop().await
}

#[tokio::test]
async fn a_keyring_is_replaced_by_its_own_keys_and_comes_before_what_the_new_ones_signed()
-> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    world
        .hub
        .offer(world.sealed(cluster("cluster-1"), 1)?)
        .await?;
    let (second, third) = (key::generate()?, key::generate()?);
    let next = keyring(&[&second], 1, 2)?;
    for signers in [&[&world.key][..], &[&second][..]] {
        let sealed = seal_keyring(&next, signers.iter().copied())?;
        assert!(world.hub.rotate_keyring(None, sealed).await.is_err());
    }
    let rotated = world
        .hub
        .rotate_keyring(None, seal_keyring(&next, [&world.key, &second])?)
        .await?;
    assert_eq!(rotated.generation, 2);
    // What the old key alone signed is of no use to those who join from now on.
    assert_eq!(rotated.withdrawn, [cluster("cluster-1")]);
    let last = keyring(&[&third], 1, 3)?;
    world
        .hub
        .rotate_keyring(None, seal_keyring(&last, [&second, &third])?)
        .await?;
    let state = world.state(cluster("cluster-1"), 2);
    assert!(
        world
            .hub
            .offer(seal_desired_state(&state, [&second])?)
            .await
            .is_err()
    );
    world
        .hub
        .offer(seal_desired_state(&state, [&third])?)
        .await?;
    let mut seen = Vec::new();
    for keyring_generation in 1..=3 {
        let sync = Sync {
            keyring_generation,
            ..quick(1)
        };
        let answer = agent.sync(sync).await?.unwrap();
        seen.push((answer.keyring.is_some(), answer.desired_state.is_some()));
    }
    assert_eq!(seen, [(true, false), (true, false), (false, true)]);
    world.stop().await
}

#[tokio::test]
async fn a_threshold_is_kept() -> Result<()> {
    let world = World::new().await?;
    let (first, second) = (key::generate()?, key::generate()?);
    let edge = group("edge")?;
    world
        .hub
        .set_keyring(Some(&edge), keyring(&[&first, &second], 2, 1)?)
        .await?;
    let state = world.state(Audience::Group(edge), 1);
    assert!(
        world
            .hub
            .offer(seal_desired_state(&state, [&first])?)
            .await
            .is_err()
    );
    world
        .hub
        .offer(seal_desired_state(&state, [&first, &second])?)
        .await?;
    world.stop().await
}
