//! The log of a registry as programs read it.

use anyhow::{Context as _, Result};
use cairn_tests::{RegistryProcess, Sandbox};
use reqwest::Client;
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn a_request_is_an_object_with_all_that_is_known_of_it() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let mut command = sandbox.command();
    command
        .env("CAIRN_LOG", "warn,cairn_registry=info")
        .env("CAIRN_LOG_FORMAT", "json");
    let mut registry = RegistryProcess::spawn(&mut command, &["--data", "data"])?;
    // Even a client of plain HTTP wants one; another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let manifest = json!({"schemaVersion": 2, "manifests": []}).to_string();
    let length = manifest.len();
    let url = format!("http://{}/v2/apps/a/manifests/v1", registry.address);
    let pushed = Client::new()
        .put(url)
        .header("content-type", "application/vnd.oci.image.index.v1+json")
        .header("x-request-id", "mine")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .header("user-agent", "tests")
        .body(manifest)
        .send()
        .await?;
    assert_eq!(pushed.status(), 201);
    let digest = pushed.headers()["docker-content-digest"]
        .to_str()?
        .to_owned();
    registry.stop()?;
    let said = registry.said();
    let mut lines = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let line: Value = lines
        .find(|line: &Value| line["http.method"] == "PUT")
        .with_context(|| said.clone())?;
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["http.path"], "/v2/apps/a/manifests/v1");
    assert_eq!(line["http.status"], 201);
    assert_eq!(line["http.request_bytes"], length);
    assert_eq!(line["http.agent"], "tests");
    assert_eq!(line["oci.repository"], "apps/a");
    assert_eq!(line["oci.digest"], digest);
    assert_eq!(line["client.address"], "127.0.0.1");
    assert!(line["duration_ms"].is_u64(), "{line}");
    assert_eq!(line["span"]["request.id"], "mine");
    assert_eq!(line["span"]["trace.id"], TRACE);
    Ok(())
}
