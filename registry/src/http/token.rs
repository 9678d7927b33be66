//! The token service: credentials become a short-lived token for what a client is about to do.
//!
//! [`GET`](https://distribution.github.io/distribution/spec/auth/token/) with Basic credentials,
//! and [`POST`](https://distribution.github.io/distribution/spec/auth/oauth/) of a form.

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use cairn_spec::rfc_3339;
use http::{HeaderValue, Method, header};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Server,
    authentication::{self, Envelope, basic_challenge, presented},
    body,
    query::Query,
    response::{json_body, with_headers},
    routes::peer_of,
};
use crate::{
    Error, Result,
    auth::{Credentials, Presented, Refusal, ScopeError, Session, Wanted},
};

/// The largest form, in bytes: two tokens and some scopes.
const MAX_FORM_BYTES: u64 = 64 * 1024;

/// Answers a request for a token.
pub(super) async fn serve(State(server): State<Server>, request: Request) -> Response {
    let answered = answer(&server, request).await;
    let response = answered.unwrap_or_else(IntoResponse::into_response);
    with_headers(
        response,
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
    )
}

async fn answer(server: &Server, request: Request) -> Result<Response> {
    let path = request.uri().path().to_owned();
    let Some(service) = server.auth.token_service() else {
        return Err(Error::EndpointUnknown { path });
    };
    let peer = peer_of(&request);
    let (parts, body) = request.into_parts();
    let envelope = Envelope {
        peer: &peer,
        uri: &parts.uri,
        headers: &parts.headers,
    };
    let presented = presented(server, envelope).ok_or_else(|| refuse(Refusal::Wrong))?;
    let (session, query, is_offline, kept) = match parts.method {
        Method::GET => {
            let query = Query::of(&parts.uri);
            let session = server.auth.authenticate(&presented).await.map_err(refuse)?;
            let is_offline = query.get("offline_token") == Some("true");
            (session, query, is_offline, None)
        }
        Method::POST => {
            let form = form(server, body).await?;
            let session = granted(server, &form, presented).await?;
            let is_offline = form.get("access_type") == Some("offline");
            // Whoever brought a refresh token keeps it.
            let is_refresh = form.get("grant_type") == Some("refresh_token");
            let kept = form.get("refresh_token").filter(|_| is_refresh);
            let kept = kept.map(str::to_owned);
            (session, form, is_offline, kept)
        }
        _ => {
            return Err(Error::MethodNotAllowed {
                allowed: "GET, POST",
            });
        }
    };
    if query.get("service").is_some_and(|named| named != service) {
        return Err(Error::TokenRequestInvalid("`service` is not this one"));
    }
    let wanted = Wanted::parse(query.all("scope")).map_err(|error| match error {
        ScopeError::TooMany => {
            Error::TokenRequestInvalid("it has too many scopes, or too long ones")
        }
        ScopeError::Name(error) => error.into(),
    })?;
    let mut issued = server
        .auth
        .issue(&session, &wanted, is_offline)
        .await
        .map_err(refuse)?;
    let mut answer = json!({
        "token": issued.token,
        "access_token": issued.token,
        "expires_in": issued.lifetime_s,
        "issued_at": rfc_3339(issued.since_unix_s),
    });
    if let Some(token) = issued.refresh_token.take().or(kept) {
        answer["refresh_token"] = token.into();
    }
    let mut response = json_body("application/json", &answer);
    response.extensions_mut().insert(session.actor);
    Ok(response)
}

/// The session that the grant of a form stands for.
async fn granted(server: &Server, form: &Query, presented: Presented) -> Result<Session> {
    let field = |name: &str| form.get(name).filter(|value| !value.is_empty());
    match field("grant_type") {
        Some("password") => {
            let (Some(user), Some(password)) = (field("username"), field("password")) else {
                return Err(Error::TokenRequestInvalid(
                    "`username` and `password` are missing",
                ));
            };
            let password = Zeroizing::new(password.to_owned());
            let credentials = Credentials::Basic {
                user: user.to_owned(),
                password,
            };
            server
                .auth
                .authenticate(&Presented {
                    credentials,
                    ..presented
                })
                .await
                .map_err(refuse)
        }
        Some("refresh_token") => {
            let token = field("refresh_token")
                .ok_or(Error::TokenRequestInvalid("`refresh_token` is missing"))?;
            server.auth.refresh(token).await.map_err(refuse)
        }
        _ => Err(Error::TokenRequestInvalid(
            "`grant_type` must be `password` or `refresh_token`",
        )),
    }
}

async fn form(server: &Server, body: Body) -> Result<Query> {
    let mut chunks = body::chunks(body, server.registry.limits.idle_timeout_s);
    let bytes = match body::collect(&mut chunks, MAX_FORM_BYTES).await {
        Err(Error::ManifestTooLarge { .. }) => {
            return Err(Error::TokenRequestInvalid("the form is too large"));
        }
        bytes => bytes?,
    };
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Error::TokenRequestInvalid("the form is malformed"))?;
    Ok(Query::of_form(text))
}

fn refuse(refusal: Refusal) -> Error {
    authentication::error(refusal, "", || basic_challenge().to_owned())
}
