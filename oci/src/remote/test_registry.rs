//! A registry for this crate's tests: small, in memory, on the loopback interface, and as
//! contrary as a test asks it to be.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::{Digest, Manifest, Reference, Tag, media_type};
use tokio::{net::TcpListener, task::JoinSet};

/// What the registry does and does not do.
#[derive(Debug, Clone)]
pub(crate) struct Traits {
    /// It has the referrers API.
    pub(crate) referrers_api: bool,
    /// How many referrers or tags fit on a page.
    pub(crate) page_size: usize,
    /// The user and password that it asks for.
    pub(crate) basic: Option<(&'static str, &'static str)>,
    /// It hands out tokens instead of taking passwords.
    pub(crate) token_service: bool,
    /// It flips a bit in every blob that it serves.
    pub(crate) tampers: bool,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            referrers_api: true,
            page_size: 100,
            basic: None,
            token_service: false,
            tampers: false,
        }
    }
}

pub(crate) struct TestRegistry {
    host: String,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

struct Shared {
    traits: Traits,
    /// How many of the next requests are answered with 503.
    busy: AtomicUsize,
    content: Mutex<Content>,
    log: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Content {
    repositories: HashMap<String, Repository>,
    uploads: HashMap<String, Vec<u8>>,
    uploads_begun: usize,
}

#[derive(Default)]
struct Repository {
    blobs: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, (String, Bytes)>,
    tags: BTreeMap<Tag, Digest>,
}

struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl TestRegistry {
    pub(crate) async fn start(traits: Traits) -> Self {
        let shared = Arc::new(Shared {
            traits,
            busy: AtomicUsize::new(0),
            content: Mutex::default(),
            log: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = Router::new()
            .fallback(serve)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            host,
            shared,
            _server: server,
        }
    }

    /// A reference in this registry, such as `packs/a:1`.
    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.host).parse().unwrap()
    }

    pub(crate) fn answer_busy(&self, times: usize) {
        self.shared.busy.store(times, Ordering::SeqCst);
    }

    /// The requests since the last call, as `METHOD path`, hashes shortened.
    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.log.lock().unwrap())
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared
        .log
        .lock()
        .unwrap()
        .push(format!("{method} {}", uri.path()));
    if shared
        .busy
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok()
    {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let request = Request {
        method,
        uri,
        headers,
        body,
    };
    if request.uri.path() == "/token" {
        return shared.issue_token(&request);
    }
    if let Some(challenge) = shared.challenge(&request) {
        return challenge;
    }
    shared
        .route(&request)
        .unwrap_or_else(|| error(StatusCode::NOT_FOUND, "NAME_UNKNOWN"))
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"as the test asks"}}]}}"#);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl Request {
    fn query(&self, key: &str) -> Option<String> {
        let url = reqwest::Url::parse(&format!("http://host{}", self.uri)).unwrap();
        url.query_pairs()
            .find(|(found, _)| found == key)
            .map(|(_, value)| value.into_owned())
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Shared {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    fn basic_header(&self) -> Option<String> {
        let (user, password) = self.traits.basic?;
        Some(format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        ))
    }

    fn challenge(&self, request: &Request) -> Option<Response> {
        let basic = self.basic_header()?;
        let (expected, challenge) = if self.traits.token_service {
            let host = request.header("host");
            let challenge = format!(r#"Bearer realm="http://{host}/token",service="test""#);
            ("Bearer issued".to_owned(), challenge)
        } else {
            (basic, r#"Basic realm="test""#.to_owned())
        };
        if request.header("authorization") == expected {
            return None;
        }
        let headers = [(header::WWW_AUTHENTICATE, challenge)];
        Some((StatusCode::UNAUTHORIZED, headers, "").into_response())
    }

    fn issue_token(&self, request: &Request) -> Response {
        if Some(request.header("authorization").to_owned()) == self.basic_header() {
            r#"{"token":"issued"}"#.into_response()
        } else {
            error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED")
        }
    }

    fn route(&self, request: &Request) -> Option<Response> {
        let path = request.uri.path().strip_prefix("/v2/")?;
        if path == "_catalog" {
            let content = self.content();
            let mut names: Vec<&String> = content.repositories.keys().collect();
            names.sort_unstable();
            let body = serde_json::json!({"repositories": names}).to_string();
            return Some(body.into_response());
        }
        for (marker, handler) in [
            ("/blobs/uploads/", Self::upload as Handler),
            ("/blobs/", Self::blob),
            ("/manifests/", Self::manifest),
            ("/tags/", Self::tags),
            ("/referrers/", Self::referrers),
        ] {
            if let Some((repository, rest)) = path.split_once(marker) {
                return handler(self, request, repository, rest);
            }
        }
        path.is_empty().then(|| StatusCode::OK.into_response())
    }

    fn blob(&self, request: &Request, repository: &str, rest: &str) -> Option<Response> {
        let digest: Digest = rest.parse().ok()?;
        let content = self.content();
        let mut bytes = content
            .repositories
            .get(repository)?
            .blobs
            .get(&digest)?
            .to_vec();
        if self.traits.tampers
            && let Some(byte) = bytes.first_mut()
        {
            *byte ^= 1;
        }
        let headers = [(header::CONTENT_LENGTH, bytes.len().to_string())];
        let body = if request.method == Method::HEAD {
            Vec::new()
        } else {
            bytes
        };
        Some((StatusCode::OK, headers, body).into_response())
    }

    fn upload(&self, request: &Request, repository: &str, rest: &str) -> Option<Response> {
        let mut content = self.content();
        let Content {
            repositories,
            uploads,
            uploads_begun,
        } = &mut *content;
        if request.method == Method::POST {
            if let (Some(digest), Some(from)) = (request.query("mount"), request.query("from")) {
                let digest: Digest = digest.parse().ok()?;
                let known = repositories
                    .get(&from)
                    .and_then(|from| from.blobs.get(&digest).cloned());
                if let Some(bytes) = known {
                    repositories
                        .entry(repository.to_owned())
                        .or_default()
                        .blobs
                        .insert(digest, bytes);
                    return Some(StatusCode::CREATED.into_response());
                }
            }
            *uploads_begun += 1;
            let id = uploads_begun.to_string();
            uploads.insert(id.clone(), Vec::new());
            let location = format!("/v2/{repository}/blobs/uploads/{id}?state=a%2Fb");
            return Some((StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response());
        }
        if request.method == Method::DELETE {
            uploads.remove(rest)?;
            return Some(StatusCode::NO_CONTENT.into_response());
        }
        let received = uploads.get_mut(rest)?;
        let range = request.header("content-range");
        if !range.is_empty() && range.split('-').next()? != received.len().to_string() {
            return Some(StatusCode::RANGE_NOT_SATISFIABLE.into_response());
        }
        received.extend_from_slice(&request.body);
        let end = received.len().saturating_sub(1);
        let progress = [
            (header::LOCATION, request.uri.to_string()),
            (header::RANGE, format!("0-{end}")),
        ];
        if request.method != Method::PUT {
            let status = if request.method == Method::GET {
                StatusCode::NO_CONTENT
            } else {
                StatusCode::ACCEPTED
            };
            return Some((status, progress).into_response());
        }
        let bytes = uploads.remove(rest)?;
        let digest: Digest = request.query("digest")?.parse().ok()?;
        if !digest.matches(&bytes) {
            return Some(error(StatusCode::BAD_REQUEST, "DIGEST_INVALID"));
        }
        let repository = repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(digest, bytes.into());
        Some((StatusCode::CREATED, progress).into_response())
    }

    fn manifest(&self, request: &Request, repository: &str, rest: &str) -> Option<Response> {
        let mut content = self.content();
        let repository = content
            .repositories
            .entry(repository.to_owned())
            .or_default();
        if request.method == Method::PUT {
            return Some(self.put_manifest(request, repository, rest));
        }
        let digest: Digest = match rest.parse() {
            Ok(digest) => digest,
            Err(_) => repository.tags.get(&rest.parse::<Tag>().ok()?)?.clone(),
        };
        if request.method == Method::DELETE {
            if rest.contains(':') {
                repository.manifests.remove(&digest)?;
                repository.tags.retain(|_, tagged| *tagged != digest);
            } else {
                repository.tags.remove(&rest.parse::<Tag>().ok()?)?;
            }
            return Some(StatusCode::ACCEPTED.into_response());
        }
        let (media_type, bytes) = repository.manifests.get(&digest)?.clone();
        let headers = [
            ("content-type", media_type),
            ("docker-content-digest", digest.to_string()),
            ("content-length", bytes.len().to_string()),
        ];
        let body = if request.method == Method::HEAD {
            Bytes::new()
        } else {
            bytes
        };
        Some((StatusCode::OK, headers, body).into_response())
    }

    fn put_manifest(&self, request: &Request, repository: &mut Repository, name: &str) -> Response {
        let media_type = request.header("content-type").to_owned();
        let Ok(manifest) = Manifest::parse(request.body.to_vec(), Some(&media_type)) else {
            return error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID");
        };
        let missing = manifest.children().any(|child| {
            !repository.blobs.contains_key(&child.digest)
                && !repository.manifests.contains_key(&child.digest)
        });
        if missing {
            return error(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN");
        }
        let digest = manifest.digest().clone();
        match name.parse::<Digest>() {
            Ok(named) if !named.matches(&request.body) => {
                return error(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
            }
            Ok(_) => {}
            Err(_) => {
                repository
                    .tags
                    .insert(name.parse().unwrap(), digest.clone());
            }
        }
        repository
            .manifests
            .insert(digest.clone(), (media_type, request.body.clone()));
        let mut response = (
            StatusCode::CREATED,
            [("docker-content-digest", digest.to_string())],
        )
            .into_response();
        if let (true, Some(subject)) = (self.traits.referrers_api, manifest.subject()) {
            let value = subject.digest.to_string().parse().unwrap();
            response.headers_mut().insert("oci-subject", value);
        }
        response
    }

    fn tags(&self, request: &Request, repository: &str, _rest: &str) -> Option<Response> {
        let content = self.content();
        let tags = &content.repositories.get(repository)?.tags;
        let last = request.query("last").unwrap_or_default();
        let names: Vec<&str> = tags
            .keys()
            .map(Tag::as_str)
            .filter(|tag| *tag > last.as_str())
            .collect();
        let page = &names[..names.len().min(self.traits.page_size)];
        let body = serde_json::json!({"name": repository, "tags": page}).to_string();
        let next = (page.len() < names.len()).then(|| {
            format!(
                r#"</v2/{repository}/tags/list?last={}>; rel="next""#,
                page[page.len() - 1]
            )
        });
        Some(with_link(body.into_response(), next))
    }

    fn referrers(&self, request: &Request, repository: &str, rest: &str) -> Option<Response> {
        if !self.traits.referrers_api {
            return None;
        }
        let subject: Digest = rest.parse().ok()?;
        let mut content = self.content();
        let repository_name = repository;
        let repository = content
            .repositories
            .entry(repository.to_owned())
            .or_default();
        let referrers: Vec<_> = repository
            .manifests
            .values()
            .map(|(media_type, bytes)| Manifest::parse(bytes.to_vec(), Some(media_type)).unwrap())
            .filter(|manifest| {
                manifest
                    .subject()
                    .is_some_and(|found| found.digest == subject)
            })
            .map(|manifest| manifest.referrer_descriptor())
            .collect();
        let start: usize = request
            .query("start")
            .map_or(0, |text| text.parse().unwrap());
        let end = referrers.len().min(start + self.traits.page_size);
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": &referrers[start..end],
        });
        let next = (end < referrers.len()).then(|| {
            format!(r#"</v2/{repository_name}/referrers/{subject}?start={end}>; rel="next""#)
        });
        let mut response = with_link(index.to_string().into_response(), next);
        let media_type = media_type::OCI_INDEX.parse().unwrap();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        Some(response)
    }
}

type Handler = fn(&Shared, &Request, &str, &str) -> Option<Response>;

fn with_link(mut response: Response, next: Option<String>) -> Response {
    if let Some(next) = next {
        response
            .headers_mut()
            .insert(header::LINK, next.parse().unwrap());
    }
    response
}
