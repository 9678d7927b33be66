//! Credentials in, challenges out: authentication as it stands in headers.
//!
//! [RFC 9110 §11](https://www.rfc-editor.org/rfc/rfc9110#section-11),
//! <https://distribution.github.io/distribution/spec/auth/token/>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Uri, header};
use zeroize::Zeroizing;

use super::{Peer, Server, context::client_address};
use crate::{
    Error, Result,
    auth::{Credentials, Need, Presented, Refusal, Session, scopes_of},
};

/// Where the token service is.
pub(super) const TOKEN_PATH: &str = "/v2/token";

/// The longest `Authorization` header that is looked at, in bytes: a token of 8 KiB in base64.
const MAX_AUTHORIZATION_BYTES: usize = 12 * 1024;

/// What is known of a request before it is taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope<'a> {
    pub(super) peer: &'a Peer,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

/// Lets a request pass: who makes it, if they may.
pub(super) async fn admit(server: &Server, envelope: Envelope<'_>, need: &Need) -> Result<Session> {
    let challenge = |scope: Option<String>| challenge(server, envelope, scope);
    if server.auth.is_open() {
        return Ok(Session::anonymous());
    }
    let presented = presented(server, envelope).ok_or(Refusal::Wrong);
    let session = match presented {
        Ok(presented) => server.auth.authenticate(&presented).await,
        Err(refusal) => Err(refusal),
    };
    let session = session.map_err(|refusal| error(refusal, "", || challenge(scope_of(need))))?;
    match server.auth.authorize(&session, need).await {
        Ok(()) => Ok(session),
        Err(refusal) => Err(error(refusal, &session.actor.name, || {
            challenge(scope_of(need))
        })),
    }
}

/// What the client shows; `None` if it is malformed.
pub(super) fn presented(server: &Server, envelope: Envelope<'_>) -> Option<Presented> {
    let mut values = envelope.headers.get_all(header::AUTHORIZATION).iter();
    let credentials = match (values.next(), values.next()) {
        (None, _) => Credentials::None,
        (Some(value), None) if value.len() <= MAX_AUTHORIZATION_BYTES => {
            parse(value.to_str().ok()?)?
        }
        _ => return None,
    };
    Some(Presented {
        credentials,
        certificate: envelope.peer.certificate.clone(),
        address: client_address(
            envelope.peer.address.ip(),
            envelope.headers,
            &server.trusted_proxies,
        ),
    })
}

pub(super) fn parse(value: &str) -> Option<Credentials> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
        return Some(Credentials::Bearer(Zeroizing::new(rest.to_owned())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(rest).ok()?);
    let text = std::str::from_utf8(&decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials::Basic {
        user: user.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    })
}

/// A refusal as its error. Whether a user or a repository exists makes no difference.
pub(super) fn error(refusal: Refusal, user: &str, challenge: impl FnOnce() -> String) -> Error {
    let unauthenticated = |reason, challenge| Error::Unauthenticated { reason, challenge };
    match refusal {
        Refusal::Unknown => unauthenticated("authentication is required", challenge()),
        Refusal::Wrong => unauthenticated("the credentials are wrong or have expired", challenge()),
        Refusal::Insufficient => unauthenticated(
            "the token does not cover this: fetch another one",
            challenge(),
        ),
        Refusal::Denied(permission) => Error::Denied {
            user: user.to_owned(),
            permission,
        },
        Refusal::Throttled => Error::TooManyFailures,
        Refusal::Busy => Error::TooMany {
            what: "password verifications",
        },
    }
}

fn scope_of(need: &Need) -> Option<String> {
    match need {
        Need::Answer => None,
        Need::Catalog => Some("registry:catalog:*".to_owned()),
        Need::Permissions(permissions) => Some(scopes_of(permissions)),
    }
}

/// How to authenticate. There is one challenge, for some clients look at the first only.
fn challenge(server: &Server, envelope: Envelope<'_>, scope: Option<String>) -> String {
    let Some(service) = server.auth.token_service() else {
        return basic_challenge().to_owned();
    };
    let url = server
        .origin
        .url(envelope.peer, envelope.uri, envelope.headers);
    let scope = scope
        .map(|scope| format!(",scope=\"{scope}\""))
        .unwrap_or_default();
    format!("Bearer realm=\"{url}{TOKEN_PATH}\",service=\"{service}\"{scope}")
}

pub(super) fn basic_challenge() -> &'static str {
    "Basic realm=\"cairn registry\", charset=\"UTF-8\""
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(value: &str) -> String {
        match parse(value) {
            None => "malformed".to_owned(),
            Some(Credentials::Basic { user, password }) => format!("{user} / {}", *password),
            Some(Credentials::Bearer(token)) => token.to_string(),
            Some(Credentials::None) => "none".to_owned(),
        }
    }

    #[test]
    fn authorization_headers_are_read() {
        assert_eq!(parsed("Basic YWRhOnM6ZWNyZXQ="), "ada / s:ecret");
        assert_eq!(parsed("basic YWRhOg=="), "ada / ");
        assert_eq!(parsed("BEARER a.b.c"), "a.b.c");
        for bad in [
            "",
            "Basic",
            "Basic !",
            "Basic YWRh",
            "Basic /w==",
            "Digest x",
            "Bearer ",
            "YWRhOg==",
        ] {
            assert_eq!(parsed(bad), "malformed", "{bad}");
        }
        assert!(!format!("{:?}", parse("Basic YWRhOnM6ZWNyZXQ=")).contains("ecret"));
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(value in "(Basic |Bearer )?[ -~]{0,200}") {
            let _ = parse(&value);
        }
    }
}
