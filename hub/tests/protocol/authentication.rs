//! Requests that are refused before anything of their body is read: replayed, changed, of others, of
//! another time, too large, too many.

use std::io::Write as _;

use anyhow::Result;
use bytes::Bytes;
use cairn_hub::{Authority, Knowledge};
use cairn_oci::{
    key,
    request_token::{self, Proof},
};
use cairn_spec::agent::{Problem, ProblemCode, RequestClaims, SyncAnswer, limits};
use flate2::{Compression, write::GzEncoder};
use http::{Method, StatusCode, header};

use crate::{
    simulated::{Agent, json, parse, read},
    world::{World, quick},
};

const SYNC: &str = "/agent/v1/sync";

/// The body of a first sync.
fn body(agent: &mut Agent) -> Result<Bytes> {
    agent.seq += 1;
    let mut sync = quick(0);
    sync.seq = agent.seq;
    sync.boot_id.clone_from(&agent.boot_id);
    json(&sync)
}

/// Sends a sync whose token claims what it is made to, and returns the problem.
async fn claiming(agent: &mut Agent, change: impl FnOnce(&mut RequestClaims)) -> Result<Problem> {
    let body = body(agent)?;
    let mut claims = agent.claims(&Method::POST, SYNC, &body);
    change(&mut claims);
    let token = request_token::sign(&agent.key, &claims, Proof::Certificate(&agent.certificate))?;
    let response = agent
        .send((Method::POST, SYNC), body, Some(token), &[])
        .await?;
    let (status, answer) = read(response).await?;
    assert!(!status.is_success(), "{status}");
    parse(&answer)
}

/// Why a body is refused, if the hub says so before it closes the connection.
async fn refusal(
    agent: &mut Agent,
    body: Bytes,
    headers: &[(header::HeaderName, &str)],
) -> Option<ProblemCode> {
    let answer = agent
        .call::<SyncAnswer>(Method::POST, SYNC, body, headers)
        .await;
    agent.disconnect();
    answer.ok().map(|answer| answer.unwrap_err().code)
}

#[tokio::test]
async fn a_request_that_comes_twice_counts_once() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let body = body(&mut agent)?;
    let claims = agent.claims(&Method::POST, SYNC, &body);
    let token = request_token::sign(&agent.key, &claims, Proof::Certificate(&agent.certificate))?;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let sent = agent.send((Method::POST, SYNC), body.clone(), Some(token.clone()), &[]);
        answers.push(read(sent.await?).await?);
    }
    assert_eq!(answers[0].0, StatusCode::OK);
    let problem: Problem = parse(&answers[1].1)?;
    assert_eq!(problem.message, "the token was used before");
    // Even with a new token, an older number is not believed.
    agent.seq = 0;
    let problem = agent.sync(quick(0)).await?.unwrap_err();
    assert_eq!(problem.message, "`seq` is not higher than the last one");
    world.stop().await
}

#[tokio::test]
async fn a_token_is_about_one_request_alone() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let changes: [fn(&mut RequestClaims); 8] = [
        |claims| claims.htm = "GET".to_owned(),
        |claims| claims.htu = "/agent/v1/renew".to_owned(),
        |claims| claims.bsh = request_token::thumbprint(b""),
        |claims| claims.iss = "another".to_owned(),
        |claims| claims.jti = String::new(),
        |claims| claims.jti = "j".repeat(200),
        |claims| claims.exp = claims.iat + 61,
        |claims| claims.exp = claims.iat,
    ];
    let mut messages = Vec::new();
    for change in changes {
        messages.push(claiming(&mut agent, change).await?.message);
    }
    insta::assert_snapshot!(messages.join("\n"), @"
    the token is about another request
    the token is about another request
    the token is about another body
    the token and the certificate name different agents
    the token's number is empty or too long
    the token's number is empty or too long
    the token lives for too long
    the token lives for too long
    ");
    assert!(agent.sync(quick(0)).await?.is_ok());
    world.stop().await
}

#[tokio::test]
async fn only_keys_of_our_certificates_sign() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let other = world.joined("cluster-2").await?;
    let own = std::mem::replace(&mut agent.key, key::generate()?);
    let problem = agent.sync(quick(0)).await?.unwrap_err();
    assert_eq!(problem.message, "the token's signature is wrong");
    // The certificate of another agent does not fit the key either.
    let certificate = std::mem::replace(&mut agent.certificate, other.certificate.clone());
    agent.key = own;
    let problem = agent.sync(quick(0)).await?.unwrap_err();
    assert_eq!(problem.message, "the token's signature is wrong");
    // A certificate by another authority, whatever it says.
    let (foreign, _) = Authority::generate()?;
    agent.certificate = foreign.certificate_der().to_vec();
    let problem = agent.sync(quick(0)).await?.unwrap_err();
    assert_eq!(problem.message, "the certificate is not one of this hub's");
    for junk in [&b""[..], b"junk"] {
        agent.certificate = junk.to_vec();
        let problem = agent.sync(quick(0)).await?.unwrap_err();
        assert_eq!(problem.code, ProblemCode::Unauthenticated);
    }
    agent.certificate = certificate;
    assert!(agent.sync(quick(0)).await?.is_ok());
    for token in [
        None,
        Some(String::new()),
        Some("a.b.c".to_owned()),
        Some("x".repeat(5_000)),
    ] {
        let body = body(&mut agent)?;
        let response = agent.send((Method::POST, SYNC), body, token, &[]).await?;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        read(response).await?;
    }
    world.stop().await
}

#[tokio::test]
async fn a_clock_that_is_wrong_learns_what_time_it_is() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    world.clock.advance_s(600);
    for skew_s in [-121, 61] {
        agent.skew_s = skew_s;
        let body = body(&mut agent)?;
        let claims = agent.claims(&Method::POST, SYNC, &body);
        let token =
            request_token::sign(&agent.key, &claims, Proof::Certificate(&agent.certificate))?;
        let response = agent
            .send((Method::POST, SYNC), body, Some(token), &[])
            .await?;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            response.headers()[header::DATE],
            "Fri, 15 Jan 2027 08:10:00 GMT"
        );
        let problem: Problem = parse(&read(response).await?.1)?;
        assert_eq!(problem.code, ProblemCode::Clock);
    }
    for skew_s in [-59, 59] {
        agent.skew_s = skew_s;
        assert!(agent.sync(quick(0)).await?.is_ok(), "{skew_s}");
    }
    world.stop().await
}

#[tokio::test]
async fn what_a_hub_forgot_when_it_stopped_is_not_good_after_its_start() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let body = body(&mut agent)?;
    let claims = agent.claims(&Method::POST, SYNC, &body);
    let token = request_token::sign(&agent.key, &claims, Proof::Certificate(&agent.certificate))?;
    let response = agent
        .send((Method::POST, SYNC), body.clone(), Some(token.clone()), &[])
        .await?;
    assert_eq!(response.status(), StatusCode::OK);
    read(response).await?;
    world.clock.advance_s(5);
    let world = world.restart().await?;
    agent.turn_to(&world.client);
    let response = agent
        .send((Method::POST, SYNC), body, Some(token), &[])
        .await?;
    let problem: Problem = parse(&read(response).await?.1)?;
    assert_eq!(problem.code, ProblemCode::Clock);
    assert!(agent.sync(quick(0)).await?.is_ok());
    world.stop().await
}

#[tokio::test]
async fn a_certificate_is_known_by_its_hash_once_it_was_shown() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let mut statuses = Vec::new();
    for by_hash in [true, false, true] {
        let body = body(&mut agent)?;
        let claims = agent.claims(&Method::POST, SYNC, &body);
        let proof = if by_hash {
            Proof::Thumbprint(&agent.certificate)
        } else {
            Proof::Certificate(&agent.certificate)
        };
        let token = request_token::sign(&agent.key, &claims, proof)?;
        let response = agent
            .send((Method::POST, SYNC), body, Some(token), &[])
            .await?;
        let (status, answer) = read(response).await?;
        if status == StatusCode::UNAUTHORIZED {
            assert_eq!(
                parse::<Problem>(&answer)?.code,
                ProblemCode::CertificateUnknown
            );
        }
        statuses.push(status.as_u16());
    }
    assert_eq!(statuses, [401, 200, 200]);
    world.stop().await
}

#[tokio::test]
async fn bodies_are_bounded_before_and_after_they_are_inflated() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    let gzip = |bytes: &[u8]| -> Result<Bytes> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes)?;
        Ok(Bytes::from(encoder.finish()?))
    };
    let encoding = [(header::CONTENT_ENCODING, "gzip")];
    let mut codes = Vec::new();
    let oversized = Bytes::from(vec![b' '; limits::MAX_SYNC_BYTES + 1]);
    let bomb = gzip(&vec![b' '; 100 << 20])?;
    assert!(bomb.len() < limits::MAX_SYNC_BYTES);
    for (body, headers) in [
        (oversized, &[][..]),
        (bomb, &encoding[..]),
        (Bytes::from_static(b"\x1f\x8b junk"), &encoding[..]),
        (
            Bytes::from_static(b"{}"),
            &[(header::CONTENT_ENCODING, "br")][..],
        ),
        (Bytes::from(vec![b'['; 100_000]), &[][..]),
        (Bytes::from_static(b"{}"), &[][..]),
    ] {
        codes.push(refusal(&mut agent, body, headers).await);
    }
    // A hub that does not read the rest of a body may close the connection before its answer is read.
    assert!(
        codes[0].is_none_or(|code| code == ProblemCode::TooLarge),
        "{codes:?}"
    );
    assert_eq!(codes[1], Some(ProblemCode::TooLarge));
    assert_eq!(codes[2..], [Some(ProblemCode::Malformed); 4]);
    assert_eq!(
        world.hub.agent(&agent.id).await?.knowledge,
        Knowledge::Never
    );
    let body = gzip(&body(&mut agent)?)?;
    let answer = agent
        .call::<SyncAnswer>(Method::POST, SYNC, body, &encoding)
        .await?;
    assert!(answer.is_ok());
    world.stop().await
}

#[tokio::test]
async fn a_stranger_s_bomb_is_not_even_read() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    agent.key = key::generate()?;
    let body = Bytes::from(vec![b' '; limits::MAX_SYNC_BYTES + 1]);
    let code = refusal(&mut agent, body, &[]).await;
    assert!(
        code.is_none_or(|code| code == ProblemCode::Unauthenticated),
        "{code:?}"
    );
    assert_eq!(
        world.hub.agent(&agent.id).await?.knowledge,
        Knowledge::Never
    );
    world.stop().await
}

#[tokio::test]
async fn an_agent_does_not_ask_too_often() -> Result<()> {
    let world = World::with(|config| config.limits.agent_burst = 3).await?;
    let (mut agent, mut other) = (
        world.joined("cluster-1").await?,
        world.joined("cluster-2").await?,
    );
    for _ in 0..3 {
        assert!(agent.sync(quick(0)).await?.is_ok());
    }
    let problem = agent.sync(quick(0)).await?.unwrap_err();
    assert_eq!(problem.code, ProblemCode::TooManyRequests);
    assert!(other.sync(quick(0)).await?.is_ok());
    world.clock.advance_s(1);
    assert!(agent.sync(quick(0)).await?.is_ok());
    world.stop().await
}

#[tokio::test]
async fn an_agent_that_was_sent_away_is_not_heard() -> Result<()> {
    let world = World::new().await?;
    let mut agent = world.joined("cluster-1").await?;
    assert!(agent.sync(quick(0)).await?.is_ok());
    world.hub.revoke(&agent.id).await?;
    assert_eq!(
        agent.sync(quick(0)).await?.unwrap_err().code,
        ProblemCode::Revoked
    );
    assert_eq!(agent.renew().await?.unwrap_err().code, ProblemCode::Revoked);
    world.stop().await
}
