//! No secret that a client sends turns up in what the server writes: log, audit log, answers.

use std::fs::{self, File};

use anyhow::{Result, ensure};
use cairn_tests::{RegistryProcess, Sandbox};
use reqwest::{Client, Method, RequestBuilder};

/// Stands in every secret that is sent.
const CANARY: &str = "canary-5up3r-s3cr3t";
/// What the registry accepts.
const PASSWORD: &str = "correct horse battery staple";

/// Headers that carry secrets, by protocol or by habit.
const HEADERS: [&str; 14] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-registry-auth",
    "x-registry-config",
    "x-api-key",
    "x-auth-token",
    "x-amz-security-token",
    "x-csrf-token",
    "private-token",
    "job-token",
    "x-vault-token",
    "api-key",
    "referer",
];

/// Parameters that carry secrets, by protocol or by habit.
const PARAMETERS: [&str; 12] = [
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "password",
    "client_secret",
    "code",
    "api_key",
    "signature",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "state",
];

const POLICY: &str = "\
apiVersion: cairn.dev/v1
kind: AccessPolicy
rules:
- repositories: ['**']
  users: [ada]
  actions: [pull, push, delete]
";

/// Every value of `Authorization` that a client may try.
fn authorizations() -> Vec<String> {
    let basic = |text: String| format!("Basic {}", base64(text.as_bytes()));
    vec![
        format!("Bearer {CANARY}"),
        format!("Bearer eyJhbGciOiJub25lIn0.{CANARY}.{CANARY}"),
        format!("Bearer cairn_{CANARY}"),
        format!("Basic {CANARY}"),
        format!("Negotiate {CANARY}"),
        CANARY.to_owned(),
        basic(format!("ada:{CANARY}")),
        basic(format!("{CANARY}:{CANARY}")),
        basic(format!("ada:cairn_{CANARY}")),
    ]
}

/// <https://www.rfc-editor.org/rfc/rfc4648#section-4>
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = u32::from_be_bytes([
            0,
            chunk[0],
            chunk.get(1).copied().unwrap_or(0),
            chunk.get(2).copied().unwrap_or(0),
        ]);
        for digit in 0..4 {
            let is_there = digit <= chunk.len();
            let index = (word >> (18 - 6 * digit)) as usize & 63;
            text.push(if is_there {
                char::from(DIGITS[index])
            } else {
                '='
            });
        }
    }
    text
}

/// Everything that is asked for, each with every secret.
const REQUESTS: [(Method, &str); 10] = [
    (Method::GET, "/v2/"),
    (Method::GET, "/v2/_catalog"),
    (Method::GET, "/v2/a/tags/list"),
    (Method::GET, "/v2/a/manifests/v1"),
    (Method::PUT, "/v2/a/manifests/v1"),
    (Method::DELETE, "/v2/a/manifests/v1"),
    (Method::POST, "/v2/a/blobs/uploads/"),
    (Method::GET, "/v2/token"),
    (Method::POST, "/v2/token"),
    (Method::GET, "/elsewhere"),
];

/// One request with each secret, where `right` is what the registry accepts.
fn requests(client: &Client, method: &Method, url: &str, right: &str) -> Vec<RequestBuilder> {
    let request = |url: &str| client.request(method.clone(), url);
    let mut requests = Vec::new();
    for value in authorizations() {
        requests.push(request(url).header("authorization", value));
    }
    for header in HEADERS {
        requests.push(request(url).header(header, CANARY));
    }
    for parameter in PARAMETERS {
        let url = format!("{url}?{parameter}={CANARY}");
        requests.push(request(&url));
        // The same by somebody who may do it.
        requests.push(request(&url).header("authorization", right));
        let form = format!("grant_type=password&username=ada&{parameter}={CANARY}");
        let form = request(&url).body(form);
        requests.push(form.header("content-type", "application/x-www-form-urlencoded"));
    }
    requests
}

/// A registry of `ada`, who has [`PASSWORD`], that logs all it can.
fn talkative(sandbox: &Sandbox) -> Result<RegistryProcess> {
    sandbox.write("policy.yaml", POLICY)?;
    sandbox.write("password", PASSWORD)?;
    let mut add = sandbox.command();
    add.args(["registry", "user", "add", "ada", "--password-stdin"])
        .stdin(File::open(sandbox.path().join("password"))?);
    ensure!(cairn_tests::run(&mut add)?.status.success());
    sandbox.write(
        "registry.yaml",
        "\
storage: {directory: data}
auth: {policy: policy.yaml, htpasswd: htpasswd}
audit: {file: audit.log}
limits: {failedLoginsPerMinute: 100000}
",
    )?;
    let mut command = sandbox.command();
    command.env("CAIRN_LOG", "trace");
    RegistryProcess::spawn(&mut command, &["--config", "registry.yaml"])
}

#[tokio::test]
async fn no_secret_is_written_anywhere() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let mut registry = talkative(&sandbox)?;
    // Even a client of plain HTTP wants one; another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clients = [
        Client::builder().http1_only().build()?,
        Client::builder().http2_prior_knowledge().build()?,
    ];
    let right = format!("Basic {}", base64(format!("ada:{PASSWORD}").as_bytes()));
    let mut answers = String::new();
    for client in &clients {
        for (method, path) in &REQUESTS {
            let url = format!("http://{}{path}", registry.address);
            for request in requests(client, method, &url, &right) {
                let response = request.send().await?;
                let headers = format!("{:?}", response.headers());
                answers.extend([headers.as_str(), &response.text().await?, "\n"]);
            }
        }
    }
    registry.stop()?;
    let audit = fs::read_to_string(sandbox.path().join("audit.log"))?;
    let log = registry.said();
    // All of it was written, at the highest level of detail.
    ensure!(log.contains("/v2/a/manifests/v1") && log.contains("TRACE"));
    ensure!(audit.contains("login"), "{audit}");
    let encoded = base64(format!("ada:{CANARY}").as_bytes());
    for (place, text) in [("log", &log), ("audit log", &audit), ("answers", &answers)] {
        for secret in [CANARY, &encoded, PASSWORD] {
            let line = text.lines().find(|line| line.contains(secret));
            ensure!(line.is_none(), "the {place} tells a secret: {line:?}");
        }
    }
    Ok(())
}
