//! Changes that a client makes arrive at a webhook, from who made them.

use axum::{Router, extract::State, routing::post};
use cairn_registry::{Config, WebhookConfig};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_util::task::TaskTracker;

use crate::harness::{Server, in_memory};

/// A receiver that takes every event; returns its address.
async fn receiver() -> (String, UnboundedReceiver<Value>) {
    let (taken, events) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", post(take)).with_state(taken);
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/"), events)
}

async fn take(State(taken): State<UnboundedSender<Value>>, event: String) -> StatusCode {
    taken.send(serde_json::from_str(&event).unwrap()).unwrap();
    StatusCode::NO_CONTENT
}

fn webhook(url: &str) -> WebhookConfig {
    let config = json!({
        "name": "test",
        "url": url,
        "repositories": ["apps/**"],
        "allowPrivateNetworks": true,
    });
    serde_json::from_value(config).unwrap()
}

#[tokio::test]
async fn changes_arrive_with_who_made_them() {
    let (url, mut events) = receiver().await;
    let server = Server::with(Config {
        webhooks: vec![webhook(&url)],
        ..in_memory()
    })
    .await;
    server.push_tagged("elsewhere", "v1", "nobody asks").await;
    server.push_tagged("apps/a", "v1", "first").await;
    let deleted = server.status("DELETE", "/v2/apps/a/manifests/v1").await;
    assert_eq!(deleted, 202);
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let event = events.recv().await.unwrap();
        assert_eq!(event["data"]["repository"], "apps/a");
        assert_eq!(event["data"]["actor"], "anonymous");
        seen.push(event["type"].as_str().unwrap().to_owned());
    }
    seen.sort_unstable();
    insta::assert_snapshot!(seen.join("\n"), @r"
    dev.cairn.registry.manifest.pushed
    dev.cairn.registry.repository.created
    dev.cairn.registry.tag.deleted
    dev.cairn.registry.tag.moved
    ");
    server.stop().await;
}
