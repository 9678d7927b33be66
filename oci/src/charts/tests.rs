//! Charts from a repository over HTTP and from a registry, both on the loopback interface.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use cairn_spec::{Artifact, ChartName, ChartRepository, Digest, Version};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, task::JoinSet};

use super::{ChartVersion, fetch, fetch_by_digest, registry::CHART_LAYER, versions};
use crate::{
    Client, Credential, Credentials, Error, Options, chain,
    remote::test_registry::{TestRegistry, Traits},
};

/// Serves documents by their path, and writes down who asked with which login.
struct Pages {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

type Served = Arc<(BTreeMap<String, String>, Arc<Mutex<Vec<String>>>)>;

impl Pages {
    /// A text that starts with `-> ` is a redirect.
    async fn start(pages: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let pages = pages
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.clone()))
            .collect();
        let app = Router::new()
            .fallback(serve)
            .with_state(Arc::new((pages, Arc::clone(&asked))));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            host,
            asked,
            _server: server,
        }
    }

    fn repository(&self) -> ChartRepository {
        format!("http://{}/stable", self.host).parse().unwrap()
    }

    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn serve(State(served): State<Served>, uri: Uri, headers: HeaderMap) -> Response {
    let (pages, asked) = &*served;
    let login = headers
        .get(header::AUTHORIZATION)
        .map_or("nobody", |_| "somebody");
    asked
        .lock()
        .unwrap()
        .push(format!("{} {login}", uri.path()));
    match pages.get(uri.path()) {
        Some(text) => match text.strip_prefix("-> ") {
            Some(target) => {
                (StatusCode::FOUND, [(header::LOCATION, target.to_owned())]).into_response()
            }
            None => text.clone().into_response(),
        },
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn client(credentials: Credentials) -> Client {
    Client::new(Options {
        credentials,
        max_attempts: 1,
        ..Options::default()
    })
    .unwrap()
}

fn chart(name: &str) -> ChartName {
    name.parse().unwrap()
}

fn index(entries: &str) -> String {
    format!("apiVersion: v1\nentries:\n  web:\n{entries}")
}

async fn of_version(client: &Client, repository: &ChartRepository, version: &str) -> ChartVersion {
    let version: Version = version.parse().unwrap();
    versions(client, repository, &chart("web"))
        .await
        .unwrap()
        .into_iter()
        .find(|found| found.version == version)
        .unwrap()
}

#[tokio::test]
async fn an_index_names_versions_and_relative_archives() {
    let digest = Digest::sha256(b"archive");
    let pages = Pages::start(&[
        (
            "/stable/index.yaml",
            index(&format!(
                "  - {{version: 1.2.0, digest: {}, urls: [web-1.2.0.tgz]}}\n  - {{version: v1.10.0, urls: [../other/web.tgz], created: yes}}\n  - {{version: latest, urls: [x]}}\n  - {{version: 1.3.0, urls: []}}\n  - 7\n",
                digest.hex()
            )),
        ),
        ("/stable/web-1.2.0.tgz", "archive".to_owned()),
        ("/other/web.tgz", "other".to_owned()),
    ])
    .await;
    let (client, repository) = (client(Credentials::none()), pages.repository());
    let found = versions(&client, &repository, &chart("web")).await.unwrap();
    let found: Vec<String> = found.iter().map(|one| one.version.to_string()).collect();
    assert_eq!(found, ["1.2.0", "1.10.0"]);
    let version = of_version(&client, &repository, "1.2.0").await;
    let bytes = fetch(&client, &repository, &chart("web"), &version, None).await;
    assert_eq!(&bytes.unwrap()[..], b"archive");
    let version = of_version(&client, &repository, "1.10.0").await;
    let bytes = fetch(&client, &repository, &chart("web"), &version, None).await;
    assert_eq!(&bytes.unwrap()[..], b"other");
    let none = versions(&client, &repository, &chart("api")).await.unwrap();
    assert_eq!(none, []);
}

#[tokio::test]
async fn an_archive_of_another_digest_is_refused() {
    let pages = Pages::start(&[
        (
            "/stable/index.yaml",
            index(&format!(
                "  - {{version: 1.0.0, digest: {}, urls: [a.tgz]}}\n  - {{version: 2.0.0, urls: [a.tgz]}}\n",
                Digest::sha256(b"archive").hex()
            )),
        ),
        ("/stable/a.tgz", "tampered".to_owned()),
    ])
    .await;
    let (client, repository) = (client(Credentials::none()), pages.repository());
    let version = of_version(&client, &repository, "1.0.0").await;
    let error = fetch(&client, &repository, &chart("web"), &version, None)
        .await
        .unwrap_err();
    insta::assert_snapshot!(chain(&error), @"failed to read `sha256:0eb3e36bfb24dcd9bb1d1bece1531216b59539a8fde17ee80224af0653c92aa3`: the archive has the digest `sha256:d121be3103007b41edf96f8262925f8c7d61894afe9a041843b631f69445bc57`");
    let version = of_version(&client, &repository, "2.0.0").await;
    let wanted = Digest::sha256(b"archive");
    let error = fetch(&client, &repository, &chart("web"), &version, Some(&wanted)).await;
    assert!(matches!(error, Err(Error::Content { .. })), "{error:?}");
}

#[tokio::test]
async fn logins_stay_with_the_host_of_the_repository() {
    let elsewhere =
        Pages::start(&[("/a.tgz", "far".to_owned()), ("/b.tgz", "led".to_owned())]).await;
    let pages = Pages::start(&[
        (
            "/stable/index.yaml",
            index(&format!(
                "  - {{version: 1.0.0, urls: [\"http://{0}/a.tgz\"]}}\n  - {{version: 2.0.0, urls: [b.tgz]}}\n  - {{version: 3.0.0, urls: [c.tgz]}}\n",
                elsewhere.host
            )),
        ),
        ("/stable/b.tgz", format!("-> http://{}/b.tgz", elsewhere.host)),
        ("/stable/c.tgz", "near".to_owned()),
    ])
    .await;
    let repository = pages.repository();
    let credentials = Credentials::none()
        .with(
            &pages.host.parse().unwrap(),
            Credential::basic("me", "secret"),
        )
        .with_fallback(Credential::basic("anybody", "secret"));
    let client = client(credentials);
    for (version, expected) in [("1.0.0", "far"), ("2.0.0", "led"), ("3.0.0", "near")] {
        let version = of_version(&client, &repository, version).await;
        let bytes = fetch(&client, &repository, &chart("web"), &version, None).await;
        assert_eq!(&bytes.unwrap()[..], expected.as_bytes());
    }
    assert_eq!(elsewhere.take_asked(), ["/a.tgz nobody", "/b.tgz nobody"]);
    let asked = pages.take_asked();
    assert!(
        asked.iter().all(|line| line.ends_with("somebody")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_is_no_index_and_what_names_odd_archives_is_refused() {
    let pages = Pages::start(&[
        (
            "/stable/index.yaml",
            index("  - {version: 1.0.0, urls: [\"file:///etc/passwd\"]}\n"),
        ),
        ("/list/index.yaml", "[1, 2]".to_owned()),
        ("/odd/index.yaml", "entries: {web: 7}".to_owned()),
    ])
    .await;
    let client = client(Credentials::none());
    let version = of_version(&client, &pages.repository(), "1.0.0").await;
    let mut errors = vec![
        fetch(&client, &pages.repository(), &chart("web"), &version, None)
            .await
            .unwrap_err(),
    ];
    for path in ["list", "odd", "none"] {
        let repository = format!("http://{}/{path}", pages.host).parse().unwrap();
        errors.push(
            versions(&client, &repository, &chart("web"))
                .await
                .unwrap_err(),
        );
    }
    let shown: Vec<String> = errors
        .iter()
        .map(|error| chain(error).replace(&pages.host, "HOST"))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"
        the registry's answer about `http://HOST/stable/index.yaml` is malformed: it names the archive `file:///etc/passwd`, which is not at an HTTP address
        the registry's answer about `http://HOST/list/index.yaml` is malformed: it is not the index of a repository (invalid type: sequence, expected struct Index)
        the registry's answer about `http://HOST/odd/index.yaml` is malformed: the entries of `web` are no list (invalid type: integer `7`, expected a sequence)
        `http://HOST/none/index.yaml` does not exist
        ");
}

/// Answers every request with what it claims to be a long document, of which nothing but a byte at
/// a time comes.
async fn dripping() -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let mut server = JoinSet::new();
    server.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
            let _ = stream.write_all(head).await;
            while stream.write_all(b"e").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    (host, server)
}

#[tokio::test]
async fn a_repository_that_takes_too_long_is_given_up() {
    let (host, _server) = dripping().await;
    let client = Client::new(Options {
        document_timeout: Duration::from_millis(200),
        max_attempts: 1,
        ..Options::default()
    })
    .unwrap();
    let repository = format!("http://{host}/stable").parse().unwrap();
    let error = versions(&client, &repository, &chart("web"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Request { .. }), "{error:?}");
    let shown = chain(&error).replace(&host, "HOST");
    assert!(shown.contains("http://HOST/stable/index.yaml"), "{shown}");
}

#[tokio::test]
async fn a_document_that_claims_too_much_is_not_read() {
    let pages = Pages::start(&[("/stable/index.yaml", "x".repeat(2000))]).await;
    let client = client(Credentials::none());
    let url = format!("http://{}/stable/index.yaml", pages.host);
    let error = client
        .read_document(&url.parse().unwrap(), None, 1000)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Limit { limit: 1000, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_registry_has_a_repository_a_chart_and_a_tag_a_version() {
    let registry = TestRegistry::start(Traits::default()).await;
    let client = client(Credentials::none());
    for (tag, layer, content) in [
        ("1.0.0_build.1", CHART_LAYER, &b"archive"[..]),
        ("2.0.0", "application/octet-stream", b"no chart"),
        ("latest", CHART_LAYER, b"latest"),
        ("1.0", CHART_LAYER, b"short"),
    ] {
        let artifact = Artifact::image_builder()
            .config("application/vnd.cncf.helm.config.v1+json", b"{}".to_vec())
            .layer(layer, content.to_vec())
            .build()
            .unwrap();
        let reference = registry.reference(&format!("charts/web:{tag}"));
        client.push_artifact(&reference, &artifact).await.unwrap();
    }
    let host = registry.reference("x:1").registry;
    let repository: ChartRepository = format!("oci://{host}/charts").parse().unwrap();
    let found = versions(&client, &repository, &chart("web")).await.unwrap();
    let shown: Vec<String> = found.iter().map(|one| one.version.to_string()).collect();
    assert_eq!(shown, ["1.0.0+build.1", "2.0.0"]);
    let bytes = fetch(&client, &repository, &chart("web"), &found[0], None).await;
    assert_eq!(&bytes.unwrap()[..], b"archive");
    let error = fetch(&client, &repository, &chart("web"), &found[1], None)
        .await
        .unwrap_err();
    insta::assert_snapshot!(chain(&error).replace(host.as_str(), "HOST"), @"`HOST/charts/web:2.0.0` is not a Helm chart: it has no layer with an archive of one");
    let digest = Digest::sha256(b"archive");
    let bytes = fetch_by_digest(&client, &repository, &chart("web"), &digest).await;
    assert_eq!(&bytes.unwrap().unwrap()[..], b"archive");
    let unknown = Digest::sha256(b"unknown");
    let none = fetch_by_digest(&client, &repository, &chart("web"), &unknown).await;
    assert!(none.unwrap().is_none());
    assert_eq!(
        versions(&client, &repository, &chart("api")).await.unwrap(),
        []
    );
}
