//! Certificates: renewed in time, renewed too late, and not renewed by others.

use anyhow::Result;
use cairn_oci::{PrivateKey, key};
use cairn_spec::agent::ProblemCode;

use crate::world::{World, quick};

const DAY_S: u64 = 86_400;

#[tokio::test]
async fn the_old_certificate_is_good_until_the_new_one_was_used() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    world.clock.advance_s(60 * DAY_S);
    let old = (
        PrivateKey::from_pem(&agent.key.to_pem()?, None)?,
        agent.certificate.clone(),
    );
    let renewed = agent.renew().await?.unwrap();
    assert_eq!(
        renewed.not_after.unix_s(),
        world.now().unix_s() + 90 * DAY_S
    );
    let new = std::mem::replace(&mut agent.key, old.0);
    let new = (new, std::mem::replace(&mut agent.certificate, old.1));
    agent.disconnect();
    assert!(
        agent.sync(quick(0)).await?.is_ok(),
        "the answer may have been lost"
    );
    let old = (
        std::mem::replace(&mut agent.key, new.0),
        std::mem::replace(&mut agent.certificate, new.1),
    );
    agent.disconnect();
    assert!(agent.sync(quick(0)).await?.is_ok());
    (agent.key, agent.certificate) = old;
    agent.disconnect();
    assert_eq!(
        agent.sync(quick(0)).await?.unwrap_err().code,
        ProblemCode::Revoked
    );
    world.stop().await
}

#[tokio::test]
async fn a_cluster_that_was_off_for_long_comes_back_by_itself() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    // A hub that ran all the time has forgotten nothing, and one that was restarted neither.
    world.clock.advance_s((90 + 364) * DAY_S);
    let world = world.restart().await?;
    agent.turn_to(&world.client);
    assert_eq!(
        agent.sync(quick(0)).await?.unwrap_err().code,
        ProblemCode::CertificateExpired
    );
    assert!(agent.renew().await?.is_ok());
    assert!(agent.sync(quick(0)).await?.is_ok());
    world.stop().await
}

#[tokio::test]
async fn there_is_an_end_to_the_grace() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    world.clock.advance_s((90 + 365) * DAY_S + 1);
    assert_eq!(
        agent.renew().await?.unwrap_err().code,
        ProblemCode::CertificateExpired
    );
    world.stop().await
}

#[tokio::test]
async fn a_certificate_is_for_its_cluster_and_for_a_key_that_agrees() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let key = key::generate()?;
    let problem = agent.renew_to(&key, "cluster-2").await?.unwrap_err();
    assert_eq!(problem.message, "the certificate is for another cluster");
    let public_key = key.public_key()?.to_pem()?;
    // Signed by the old key, which is not the one that the certificate is asked for.
    let proof = agent
        .key
        .sign(&cairn_spec::agent::Renew::proof_of(&agent.id, &public_key));
    let wanted = cairn_spec::agent::Renew {
        public_key,
        cluster_uid: "cluster-1".to_owned(),
        proof: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, proof),
    };
    let body = crate::simulated::json(&wanted)?;
    let answer = agent
        .call::<cairn_spec::agent::Renewed>(http::Method::POST, "/agent/v1/renew", body, &[])
        .await?;
    assert_eq!(answer.unwrap_err().message, "`proof` is not by the new key");
    assert!(agent.sync(quick(0)).await?.is_ok());
    world.stop().await
}
