//! A registry that was taken over, and leads its clients to another host with everything that it
//! can name: what they send there holds no credential.
//!
//! CVE-2021-32690 (Helm), CVE-2026-33540 (distribution), CVE-2026-48978 and CVE-2026-50151
//! (oras-go).

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::Request,
    http::{HeaderName, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::{Descriptor, Digest, Reference, RegistryHost};
use tokio::{net::TcpListener, task::JoinSet};

use super::{Client, Credential, Credentials, Options, Upload};
use crate::{
    VerifyReader,
    store::{Fetch as _, Push as _},
};

const USER: &str = "ada";
const PASSWORD: &str = "hunter2-of-the-registry";
const TOKEN: &str = "token-of-the-registry";

/// What the registry names the other host in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// The `realm` of its challenge.
    Realm,
    /// The `Location` of a new upload.
    Upload,
    /// The `Location` of the next chunk.
    Chunk,
    /// A redirect of whatever is read.
    Redirect,
    /// A redirect of what is written.
    RedirectOfWrites,
    /// The next page of a list.
    Link,
    /// A redirect of its token service.
    TokenRedirect,
}

const LEADS: [Lead; 7] = [
    Lead::Realm,
    Lead::Upload,
    Lead::Chunk,
    Lead::Redirect,
    Lead::RedirectOfWrites,
    Lead::Link,
    Lead::TokenRedirect,
];

struct Host {
    address: String,
    _server: JoinSet<()>,
}

impl Host {
    async fn serve(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let handler = move |request: Request| {
            let answer = answer.clone();
            async move { answer(&Seen::of(request).await) }
        };
        let app = Router::new().fallback(handler);
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            _server: server,
        }
    }
}

/// A request with all that is in it.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    target: String,
    authorization: Option<String>,
    /// Headers and body.
    rest: String,
}

impl Seen {
    async fn of(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await;
        let authorization = parts.headers.get(header::AUTHORIZATION);
        Self {
            method: parts.method,
            target: parts.uri.to_string(),
            authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
            rest: format!("{:?} {:?}", parts.headers, body.unwrap_or_default()),
        }
    }

    fn holds_credentials(&self) -> bool {
        let basic = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let all = format!("{} {} {:?}", self.target, self.rest, self.authorization);
        self.authorization.is_some()
            || [PASSWORD, TOKEN, basic.as_str()]
                .iter()
                .any(|secret| all.contains(secret))
    }
}

fn answer<const N: usize>(status: StatusCode, headers: [(HeaderName, String); N]) -> Response {
    (status, headers, Bytes::new()).into_response()
}

fn challenge(text: String) -> Response {
    answer(StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, text)])
}

/// The registry: asks for credentials, then leads elsewhere.
fn mislead(lead: Lead, other: &str, seen: &Seen) -> Response {
    let elsewhere = |path: &str| format!("http://{other}{path}");
    let host = seen.rest.split("\"host\": \"").nth(1).unwrap_or_default();
    let host = host.split('"').next().unwrap_or_default();
    if seen.target.starts_with("/token") {
        return match lead {
            Lead::TokenRedirect => answer(
                StatusCode::TEMPORARY_REDIRECT,
                [(header::LOCATION, elsewhere("/token"))],
            ),
            _ => format!(r#"{{"token":"{TOKEN}"}}"#).into_response(),
        };
    }
    if seen.authorization.is_none() {
        return challenge(match lead {
            Lead::Realm => format!(r#"Bearer realm="{}",service="x""#, elsewhere("/token")),
            Lead::TokenRedirect | Lead::Chunk => {
                format!(r#"Bearer realm="http://{host}/token",service="x""#)
            }
            _ => r#"Basic realm="x""#.to_owned(),
        });
    }
    let here = "/v2/a/blobs/uploads/1".to_owned();
    match (seen.method.as_str(), lead) {
        ("POST", Lead::Upload) | ("PATCH", Lead::Chunk) => answer(
            StatusCode::ACCEPTED,
            [(header::LOCATION, elsewhere("/v2/a/blobs/uploads/1"))],
        ),
        ("POST" | "PATCH", Lead::RedirectOfWrites) | ("GET" | "HEAD", Lead::Redirect) => answer(
            StatusCode::TEMPORARY_REDIRECT,
            [(header::LOCATION, elsewhere(&seen.target))],
        ),
        ("GET", Lead::Link) => {
            let link = format!("<{}>; rel=\"next\"", elsewhere(&seen.target));
            let body = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"name":"a","tags":["1"]}"#;
            ([(header::LINK, link)], body).into_response()
        }
        ("POST" | "PATCH", _) => answer(StatusCode::ACCEPTED, [(header::LOCATION, here)]),
        ("PUT", _) => answer(StatusCode::CREATED, [(header::LOCATION, here)]),
        _ => answer(StatusCode::NOT_FOUND, []),
    }
}

/// The other host: greedy, and otherwise as much of a registry as keeps clients talking.
fn tempt(seen: &Seen) -> Response {
    match (seen.method.as_str(), seen.authorization.is_some()) {
        ("GET" | "HEAD" | "POST" | "PATCH" | "PUT", false) => {
            challenge(r#"Basic realm="give it to me""#.to_owned())
        }
        _ => answer(StatusCode::NOT_FOUND, []),
    }
}

/// Everything that a client does; how each ends is the registry's doing.
async fn do_everything(client: &Client, host: &str) {
    let tagged: Reference = format!("{host}/a:1").parse().unwrap();
    let content = vec![7; 3000];
    let digest = Digest::sha256(&content);
    let descriptor = Descriptor::new("a/b", digest.clone(), 3000);
    let repository = client.repository_of(&tagged);
    let _ = client.resolve(&tagged).await;
    let _ = repository.fetch(&descriptor).await;
    let reader = VerifyReader::new(&descriptor, std::io::Cursor::new(content));
    let _ = repository.push(&descriptor, reader).await;
    let _ = client.tags(&tagged.registry, &tagged.repository).await;
    let pinned = tagged.with_digest(digest);
    let _ = client.referrers(&pinned, None).await;
    let _ = client.delete(&pinned).await;
}

#[tokio::test]
async fn cve_2021_32690_no_credentials_for_hosts_that_a_registry_names() {
    for lead in LEADS {
        let met = Arc::new(Mutex::new(Vec::<Seen>::new()));
        let known = Arc::clone(&met);
        let other = Host::serve(move |seen: &Seen| {
            known.lock().unwrap().push(seen.clone());
            tempt(seen)
        })
        .await;
        let address = other.address.clone();
        let welcomed = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&welcomed);
        let registry = Host::serve(move |seen: &Seen| {
            if seen.holds_credentials() {
                *counted.lock().unwrap() += 1;
            }
            mislead(lead, &address, seen)
        })
        .await;
        let host: RegistryHost = registry.address.parse().unwrap();
        for upload in [Upload::Monolithic, Upload::Chunked { chunk_bytes: 1000 }] {
            let credentials = Credentials::none().with(&host, Credential::basic(USER, PASSWORD));
            let client = Client::new(Options {
                credentials,
                upload,
                max_attempts: 1,
                ..Options::default()
            })
            .unwrap();
            do_everything(&client, &registry.address).await;
        }
        let met = met.lock().unwrap();
        let betrayed = met.iter().find(|seen| seen.holds_credentials());
        assert!(betrayed.is_none(), "{lead:?}: {betrayed:?}");
        // The bait is real: the registry itself was told who asks, and the client went along
        // where it may.
        if lead != Lead::Realm {
            assert!(*welcomed.lock().unwrap() > 0, "{lead:?}");
        }
        if matches!(lead, Lead::Upload | Lead::Chunk | Lead::Redirect) {
            assert!(!met.is_empty(), "{lead:?}: nobody came");
        }
    }
}
