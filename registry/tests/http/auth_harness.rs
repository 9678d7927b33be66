//! A server with users, tokens and a policy, and clients that say who they are.

use std::{fs, path::PathBuf};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use cairn_registry::{
    AuthConfig, Config, JwksConfig, OidcConfig,
    auth::{ApiToken, TokensFile},
};
use reqwest::Response;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Server, header, in_memory, json_of};

pub(crate) const POLICY: &str = "\
apiVersion: cairn.dev/v1
kind: AccessPolicy
groups:
  developers: [ada]
rules:
- repositories: [public/**]
  users: [anonymous, '*']
  actions: [pull]
- repositories: [apps/**, public/**]
  groups: [developers]
  actions: [pull, push, delete]
- repositories: [apps/**]
  users: [bob, 'ci:*', client, 'spiffe://*']
  actions: [pull]
- repositories: [apps/**]
  users: ['*']
  actions: [push, delete]
  tags: ['release-*']
  effect: deny
";

/// Passwords: `ada-password` and `bob-password`.
pub(crate) struct Guarded {
    pub(crate) folder: TempDir,
    pub(crate) server: Server,
}

/// Hashes cheap enough for tests.
pub(crate) fn htpasswd(users: &[(&str, &str)]) -> String {
    let line = |(user, password): &(&str, &str)| {
        format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
    };
    users.iter().map(line).collect()
}

impl Guarded {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("policy.yaml"), POLICY).unwrap();
        fs::write(
            path("htpasswd"),
            htpasswd(&[("ada", "ada-password"), ("bob", "bob-password")]),
        )
        .unwrap();
        fs::write(path("tokens.json"), r#"{"tokens":[]}"#).unwrap();
        let mut config = in_memory();
        config.auth = Some(AuthConfig {
            htpasswd: Some(path("htpasswd")),
            tokens: Some(path("tokens.json")),
            ..AuthConfig::with_policy(path("policy.yaml"))
        });
        // Every request looks at the files.
        config.limits.file_interval_ms = 0;
        config.limits.jwks_interval_ms = 0;
        change(&mut config);
        let server = Server::with(config).await;
        Self { folder, server }
    }

    /// Replaces a file, as the command does.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes an API token.
    pub(crate) fn api_token(&self, user: &str, scopes: &[&str], expires_unix_s: u64) -> String {
        let mut file = TokensFile::default();
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let token = ApiToken::new("token", user, scopes, (1, expires_unix_s)).unwrap();
        let secret = file.create(token).unwrap();
        self.replace("tokens.json", &serde_json::to_string(&file).unwrap());
        secret.to_string()
    }

    /// Sends a request with an `Authorization` header; none when it is empty.
    pub(crate) async fn send(&self, authorization: &str, method: &str, path: &str) -> Response {
        let mut request = self.server.request(method, path);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn status(&self, authorization: &str, method: &str, path: &str) -> u16 {
        self.send(authorization, method, path)
            .await
            .status()
            .as_u16()
    }

    /// Fetches a token as clients do.
    pub(crate) async fn token(&self, authorization: &str, query: &str) -> String {
        let answer = self.token_answer(authorization, query).await;
        format!("Bearer {}", answer["token"].as_str().unwrap())
    }

    pub(crate) async fn token_answer(&self, authorization: &str, query: &str) -> Value {
        let response = self
            .send(authorization, "GET", &format!("/v2/token?{query}"))
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "cache-control"), "no-store");
        json_of(response).await
    }

    /// Pushes an artifact as `ada`.
    pub(crate) async fn push(&self, repository: &str, tag: &str) -> Value {
        let ada = basic("ada", "ada-password");
        let client = self.server.signed_in(&ada);
        let manifest = client.image(repository, tag).await;
        let path = format!("/v2/{repository}/manifests/{tag}");
        assert_eq!(client.put_manifest(&path, &manifest).await.status(), 201);
        manifest
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// An OIDC issuer with one key.
pub(crate) struct OidcIssuer {
    key: EcdsaKeyPair,
    id: String,
}

pub(crate) const ISSUER: &str = "https://issuer.example.com";

impl OidcIssuer {
    pub(crate) fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
                .unwrap();
        Self {
            key,
            id: id.to_owned(),
        }
    }

    pub(crate) fn key_set(&self) -> String {
        let point = self.key.public_key().as_ref();
        let (x, y) = (
            URL_SAFE_NO_PAD.encode(&point[1..33]),
            URL_SAFE_NO_PAD.encode(&point[33..]),
        );
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": self.id, "alg": "ES256", "use": "sig", "x": x, "y": y}]}).to_string()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "ES256", "kid": self.id, "typ": "JWT"});
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

pub(crate) fn oidc(jwks: JwksConfig) -> OidcConfig {
    OidcConfig {
        name: "ci".to_owned(),
        issuer: ISSUER.to_owned(),
        audiences: vec!["registry".to_owned()],
        jwks,
        user_claim: "sub".to_owned(),
        groups_claim: Some("groups".to_owned()),
        require: [("environment".to_owned(), "production".to_owned())].into(),
        clock_skew_s: 60,
    }
}
