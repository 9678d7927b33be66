//! TLS: the server's certificate and its replacement, and clients that show one.

use std::fs;

use cairn_registry::{CertificateUser, ClientCertificates, Config, TlsConfig};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use reqwest::{Certificate, Client, Identity, tls::Version};

use crate::{
    auth_harness::Guarded,
    harness::{builder, header},
};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, in PEM.
fn server(authority: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn identity(authority: &Authority, common_name: &str, uri: Option<&str>) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = uri
        .map(|uri| SanType::URI(uri.try_into().unwrap()))
        .into_iter()
        .collect();
    let certificate = params.signed_by(&key, authority).unwrap();
    Identity::from_pem(format!("{}{}", certificate.pem(), key.serialize_pem()).as_bytes()).unwrap()
}

/// A server with a certificate of `authority`; `change` sees its configuration.
async fn secured(
    authority: &Authority,
    clients: &Authority,
    change: impl FnOnce(&mut Config),
) -> Guarded {
    let files = tempfile::tempdir().unwrap().keep();
    let (certificate, key) = server(authority);
    fs::write(files.join("tls.crt"), certificate).unwrap();
    fs::write(files.join("tls.key"), key).unwrap();
    fs::write(files.join("clients.crt"), clients.pem()).unwrap();
    Guarded::with(|config| {
        config.tls = Some(TlsConfig {
            certificate: files.join("tls.crt"),
            key: files.join("tls.key"),
            client_ca: Some(files.join("clients.crt")),
            client_certificates: ClientCertificates::Optional,
        });
        config.auth.as_mut().unwrap().client_certificates = Some(CertificateUser::CommonName);
        change(config);
    })
    .await
}

fn client(authority: &Authority, identity: Option<Identity>) -> Client {
    let trusted = Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    // Every request shakes hands anew.
    let client = builder()
        .tls_certs_only([trusted])
        .pool_max_idle_per_host(0);
    let client = match identity {
        Some(identity) => client.identity(identity),
        None => client,
    };
    client.build().unwrap()
}

/// The status of a request; nothing when there was no answer.
async fn status(client: &Client, guarded: &Guarded, path: &str) -> Option<u16> {
    let response = client
        .get(format!("https://{}{path}", guarded.server.address))
        .send()
        .await;
    response.ok().map(|response| response.status().as_u16())
}

#[tokio::test]
async fn certificates_are_replaced_while_serving() {
    let (first, second) = (authority("first"), authority("second"));
    let mut paths = None;
    let guarded = secured(&first, &first, |config| paths = config.tls.clone()).await;
    let paths = paths.unwrap();
    let (trusts_first, trusts_second) = (client(&first, None), client(&second, None));
    assert_eq!(status(&trusts_first, &guarded, "/healthz").await, Some(200));
    assert_eq!(status(&trusts_second, &guarded, "/healthz").await, None);
    let url = format!("https://{}/v2/", guarded.server.address);
    let challenged = trusts_first.get(&url).send().await.unwrap();
    assert_eq!(challenged.version(), reqwest::Version::HTTP_2);
    let challenge = header(&challenged, "www-authenticate");
    assert!(
        challenge.starts_with(&format!("Bearer realm=\"{url}token\"")),
        "{challenge}"
    );
    let (certificate, key) = server(&second);
    // Between the two writes the pair does not fit, and the old one stays.
    fs::write(&paths.certificate, certificate).unwrap();
    assert_eq!(status(&trusts_first, &guarded, "/healthz").await, Some(200));
    fs::write(&paths.key, key + "\n").unwrap();
    assert_eq!(
        status(&trusts_second, &guarded, "/healthz").await,
        Some(200)
    );
    assert_eq!(status(&trusts_first, &guarded, "/healthz").await, None);
}

#[tokio::test]
async fn old_protocols_and_plain_http_are_refused() {
    let ours = authority("ours");
    let guarded = secured(&ours, &ours, |_| {}).await;
    let trusted = || Certificate::from_pem(ours.pem().as_bytes()).unwrap();
    for (version, is_served) in [(Version::TLS_1_2, true), (Version::TLS_1_3, true)] {
        let client = builder()
            .tls_certs_only([trusted()])
            .tls_version_max(version)
            .tls_version_min(version);
        let answered = status(&client.build().unwrap(), &guarded, "/healthz").await;
        assert_eq!(answered.is_some(), is_served, "{version:?}");
    }
    let plain = guarded.server.request("GET", "/healthz").send().await;
    assert!(plain.is_err());
}

#[tokio::test]
async fn client_certificates_name_users() {
    let (ours, clients, strangers) = (
        authority("ours"),
        authority("clients"),
        authority("strangers"),
    );
    let guarded = secured(&ours, &clients, |_| {}).await;
    let tags = "/v2/apps/a/tags/list";
    let with = |identity| client(&ours, Some(identity));
    // `client` may pull here, so it learns that there is nothing.
    assert_eq!(
        status(&with(identity(&clients, "client", None)), &guarded, tags).await,
        Some(404)
    );
    assert_eq!(
        status(&with(identity(&clients, "nobody", None)), &guarded, tags).await,
        Some(403)
    );
    assert_eq!(
        status(&with(identity(&clients, "anonymous", None)), &guarded, tags).await,
        Some(401)
    );
    assert_eq!(
        status(&client(&ours, None), &guarded, tags).await,
        Some(401)
    );
    assert_eq!(
        status(&with(identity(&strangers, "client", None)), &guarded, tags).await,
        None
    );
}

#[tokio::test]
async fn client_certificates_may_be_required_and_hold_a_uri() {
    let (ours, clients) = (authority("ours"), authority("clients"));
    let guarded = secured(&ours, &clients, |config| {
        config.tls.as_mut().unwrap().client_certificates = ClientCertificates::Required;
        config.auth.as_mut().unwrap().client_certificates = Some(CertificateUser::Uri);
    })
    .await;
    let tags = "/v2/apps/a/tags/list";
    let workload = identity(&clients, "x", Some("spiffe://cluster/ns/ci"));
    assert_eq!(
        status(&client(&ours, Some(workload)), &guarded, tags).await,
        Some(404)
    );
    let nameless = identity(&clients, "client", None);
    assert_eq!(
        status(&client(&ours, Some(nameless)), &guarded, tags).await,
        Some(401)
    );
    assert_eq!(status(&client(&ours, None), &guarded, tags).await, None);
}

/// A client that never shakes hands loses its connection, and holds up nobody.
#[tokio::test]
async fn handshakes_have_to_end() {
    use tokio::io::AsyncReadExt as _;
    let ours = authority("ours");
    let guarded = secured(&ours, &ours, |config| config.limits.handshake_timeout_s = 1).await;
    let mut silent = tokio::net::TcpStream::connect(&guarded.server.address)
        .await
        .unwrap();
    assert_eq!(
        status(&client(&ours, None), &guarded, "/healthz").await,
        Some(200)
    );
    let mut end = Vec::new();
    silent.read_to_end(&mut end).await.unwrap();
    assert!(end.is_empty());
}

#[tokio::test]
async fn unusable_files_are_told_before_serving() {
    let ours = authority("ours");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let ((certificate, key), (_, other_key)) = (server(&ours), server(&ours));
    fs::write(path("good.crt"), certificate).unwrap();
    fs::write(path("good.key"), key).unwrap();
    fs::write(path("other.key"), other_key).unwrap();
    for (certificate, key, complaint) in [
        ("good.crt", "other.key", "does not fit"),
        ("good.key", "good.key", "no certificate"),
        ("good.crt", "good.crt", "no private key"),
        ("none.crt", "good.key", "failed to read"),
    ] {
        let mut config = crate::harness::in_memory();
        config.tls = Some(TlsConfig {
            certificate: path(certificate),
            key: path(key),
            client_ca: None,
            client_certificates: ClientCertificates::Optional,
        });
        let error = config.build().await.unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
    }
}
