//! Clients that a registry with logins sends to the store for large blobs, by a signed URL.

use std::fs;

use anyhow::{Result, ensure};
use cairn_tests::Sandbox;
use serde_json::Value;

use crate::{
    alternating::http_client,
    auth::{PASSWORD, USER, serve_over},
    harness::{Meeting, text},
    s3::Store,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs minio, oras and crane"]
async fn oras_and_crane_download_from_the_store() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let store = Store::minio(&sandbox)?;
    // Under the registry's own name, clients would send the store their login as well.
    let for_clients = store.endpoint().replace("127.0.0.1", "localhost");
    let settings = format!(
        "{}    redirects: {{clients: [127.0.0.1], endpoint: '{for_clients}'}}\n",
        store.settings()
    );
    let registry = tokio::task::block_in_place(|| serve_over(&sandbox, &settings, true))?;
    let meeting = Meeting::at(sandbox, registry)?;
    let address = meeting.address();
    let numbers: Vec<String> = (0..50_000).map(|number| number.to_string()).collect();
    let content = numbers.join("\n");
    meeting.sandbox.write("numbers.txt", &content)?;

    meeting.peer(
        "oras",
        &format!("login --plain-http -u {USER} -p {PASSWORD} {address}"),
    )?;
    meeting.peer(
        "oras",
        &format!("push --plain-http {address}/apps/numbers:1 numbers.txt:text/plain"),
    )?;
    meeting.peer(
        "oras",
        &format!("pull --plain-http {address}/apps/numbers:1 --output pulled"),
    )?;
    ensure!(fs::read_to_string(meeting.path("pulled/numbers.txt"))? == content);

    let crane = |arguments: &str| meeting.peer("crane", &format!("{arguments} --insecure"));
    let manifest: Value =
        serde_json::from_str(&crane(&format!("manifest {address}/apps/numbers:1"))?)?;
    let layer = text(&manifest, "/layers/0/digest")?;
    ensure!(crane(&format!("blob {address}/apps/numbers@{layer}"))? == content);

    // That they were sent there shows in what one is told who does not follow.
    let http = http_client()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let path = format!("http://{address}/v2/apps/numbers/blobs/{layer}");
    let told = http
        .get(&path)
        .basic_auth(USER, Some(PASSWORD))
        .send()
        .await?;
    ensure!(told.status() == 307, "{}", told.status());
    let url = told.headers()["location"].to_str()?.to_owned();
    ensure!(url.starts_with(&for_clients), "{url}");
    let range = http.get(&url).header("range", "bytes=0-3").send().await?;
    ensure!(range.status() == 206 && range.text().await? == "0\n1\n");
    let forged = http.get(url.replace("X-Amz-Expires=600", "X-Amz-Expires=601"));
    ensure!(forged.send().await?.status() == 403);
    // Who may not pull is sent nowhere.
    ensure!(http.get(&path).send().await?.status() == 401);
    Ok(())
}
