//! Traces as a collector gets them, in OTLP over HTTP.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use cairn_registry::{Config, MetricsConfig, StorageConfig, TracesConfig, WebhookConfig};
use cairn_test_s3::S3Server;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::task::TaskTracker;

use crate::harness::{Server, in_bucket, in_memory};

/// The fields of a protobuf message by their numbers, as far as the wire format tells them.
#[derive(Debug, Default)]
struct Message(BTreeMap<u64, Vec<Field>>);

#[derive(Debug, Clone)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Message {
    /// <https://protobuf.dev/programming-guides/encoding/>
    fn decode(mut bytes: &[u8]) -> Self {
        let mut message = Self::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let field = match tag & 7 {
                0 => Field::Number(varint(&mut bytes)),
                1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    Field::Bytes(take(&mut bytes, length).to_vec())
                }
                5 => Field::Number(
                    u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap()).into(),
                ),
                other => panic!("there is no wire type {other}"),
            };
            message.0.entry(tag >> 3).or_default().push(field);
        }
        message
    }

    fn bytes(&self, field: u64) -> Vec<Vec<u8>> {
        let fields = self.0.get(&field).into_iter().flatten();
        let bytes = fields.map(|field| match field {
            Field::Bytes(bytes) => bytes.clone(),
            Field::Number(_) => panic!("{field:?} is no message"),
        });
        bytes.collect()
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        let messages = self.bytes(field);
        messages.iter().map(|bytes| Self::decode(bytes)).collect()
    }

    fn text(&self, field: u64) -> String {
        let bytes = self.bytes(field).pop().unwrap_or_default();
        String::from_utf8(bytes).unwrap()
    }

    fn hex(&self, field: u64) -> String {
        hex::encode(self.bytes(field).pop().unwrap_or_default())
    }

    fn number(&self, field: u64) -> u64 {
        match self.0.get(&field).and_then(|fields| fields.last()) {
            Some(Field::Number(number)) => *number,
            _ => 0,
        }
    }

    /// Attributes in this field: texts as they are, numbers in decimal.
    fn attributes(&self, field: u64) -> BTreeMap<String, String> {
        let pairs = self.messages(field).into_iter().map(|pair| {
            let value = pair.messages(2).pop().unwrap();
            let text = if value.0.contains_key(&3) {
                value.number(3).to_string()
            } else {
                value.text(1)
            };
            (pair.text(1), text)
        });
        pairs.collect()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
    }
    panic!("a number is too long");
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

/// A span as a collector understands it.
#[derive(Debug, Clone)]
struct Span {
    trace_id: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    took_ns: u64,
    attributes: BTreeMap<String, String>,
    status: u64,
    resource: BTreeMap<String, String>,
}

fn spans(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_resource in Message::decode(request).messages(1) {
        let resource = of_resource.messages(1).pop().unwrap().attributes(1);
        for of_scope in of_resource.messages(2) {
            assert_eq!(of_scope.messages(1)[0].text(1), "cairn-registry");
            for span in of_scope.messages(2) {
                let status = span.messages(15).pop().unwrap_or_default();
                spans.push(Span {
                    trace_id: span.hex(1),
                    id: span.hex(2),
                    parent: span.hex(4),
                    name: span.text(5),
                    kind: span.number(6),
                    took_ns: span.number(8).checked_sub(span.number(7)).unwrap(),
                    attributes: span.attributes(9),
                    status: status.number(3),
                    resource: resource.clone(),
                });
            }
        }
    }
    spans
}

/// A collector that answers as it is told, the last first, and keeps what it took.
#[derive(Clone, Default)]
struct Collector {
    taken: Arc<Mutex<Vec<Span>>>,
    statuses: Arc<Mutex<Vec<StatusCode>>>,
}

impl Collector {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v1/traces", post(collect))
            .with_state(self.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/v1/traces")
    }

    /// What was taken once the server ended: it sends the last spans before.
    async fn after(&self, server: Server) -> Vec<Span> {
        server.stop().await;
        self.taken.lock().unwrap().clone()
    }
}

async fn collect(
    State(collector): State<Collector>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["x-key"], "hunter2");
    let answer = collector.statuses.lock().unwrap().pop();
    let answer = answer.unwrap_or(StatusCode::OK);
    if answer.is_success() {
        collector.taken.lock().unwrap().extend(spans(&body));
    }
    answer
}

fn traces(endpoint: &str) -> TracesConfig {
    let config = json!({
        "endpoint": endpoint,
        "headers": {"x-key": "hunter2"},
        "resource": {"deployment.environment.name": "test"},
        "intervalMs": 50,
    });
    serde_json::from_value(config).unwrap()
}

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Pushes a tagged manifest as a part of [`PARENT`]'s trace.
async fn push_traced(server: &Server) {
    let manifest = server.image("apps/a", "1").await;
    let request = server
        .request("PUT", "/v2/apps/a/manifests/v1")
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .header("traceparent", PARENT)
        .header("x-request-id", "mine")
        .body(manifest.to_string());
    assert_eq!(request.send().await.unwrap().status(), 201);
}

/// The spans of [`PARENT`]'s trace: that of the request, and all others.
fn of_trace(spans: Vec<Span>) -> (Span, Vec<Span>) {
    let of_trace = spans.into_iter();
    let of_trace = of_trace.filter(|span| span.trace_id == PARENT[3..35]);
    let (mut requests, others): (Vec<_>, Vec<_>) =
        of_trace.partition(|span| span.parent == PARENT[36..52]);
    assert_eq!(requests.len(), 1);
    (requests.remove(0), others)
}

#[tokio::test]
async fn a_request_and_its_calls_of_a_bucket_are_one_trace() {
    let collector = Collector::default();
    let store = S3Server::start().await;
    let server = Server::with(Config {
        storage: in_bucket(&store),
        immutable_tags: Vec::new(),
        traces: traces(&collector.start().await),
        ..Config::default()
    })
    .await;
    push_traced(&server).await;
    let (request, others) = of_trace(collector.after(server).await);
    assert_eq!((request.name.as_str(), request.kind), ("PUT manifest", 2));
    assert_eq!(request.attributes["http.response.status_code"], "201");
    assert_eq!(request.attributes["http.route"], "manifest");
    assert_eq!(request.attributes["oci.repository"], "apps/a");
    assert_eq!(request.attributes["cairn.request.id"], "mine");
    assert_eq!(request.resource["service.name"], "cairn-registry");
    assert_eq!(request.resource["deployment.environment.name"], "test");
    assert_eq!(request.status, 0);

    let writes: Vec<_> = others
        .iter()
        .filter(|span| span.name == "record_write")
        .collect();
    assert!(!writes.is_empty(), "{others:?}");
    assert!(writes.iter().all(|span| span.parent == request.id));
    let puts: Vec<_> = others
        .iter()
        .filter(|span| span.name == "S3 PutObject")
        .collect();
    assert!(puts.len() >= 3, "{others:?}");
    for put in puts {
        assert!(writes.iter().any(|write| write.id == put.parent));
        assert_eq!((put.kind, put.attributes["s3.attempts"].as_str()), (3, "1"));
        assert!(put.took_ns > 0 && put.took_ns < request.took_ns);
    }
}

#[tokio::test]
async fn a_commit_is_a_part_of_its_request() {
    let collector = Collector::default();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(Config {
        storage: StorageConfig::Directory(folder.path().to_owned()),
        traces: traces(&collector.start().await),
        ..Config::default()
    })
    .await;
    push_traced(&server).await;
    let (_, others) = of_trace(collector.after(server).await);
    let commits = others.iter().filter(|span| span.name == "embedded commit");
    let parents: Vec<_> = commits.map(|span| span.parent.clone()).collect();
    assert!(!parents.is_empty(), "{others:?}");
    for parent in parents {
        let above = others.iter().find(|span| span.id == parent).unwrap();
        assert_eq!(above.name, "record_write");
    }
}

type Events = mpsc::UnboundedSender<(HeaderMap, String)>;

async fn take_event(State(sent): State<Events>, headers: HeaderMap, event: String) {
    sent.send((headers, event)).unwrap();
}

#[tokio::test]
async fn what_is_not_sampled_is_not_sent_but_handed_on() {
    let (sent, mut received) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(take_event)).with_state(sent);
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    let webhook = json!({
        "name": "test",
        "url": hook,
        "events": ["tag-moved"],
        "allowPrivateNetworks": true,
    });
    let webhooks: Vec<WebhookConfig> = vec![serde_json::from_value(webhook).unwrap()];

    let collector = Collector::default();
    let mut none = traces(&collector.start().await);
    none.sample_ratio = 0.0.try_into().unwrap();
    let all = traces(&collector.start().await);
    for (config, has_others) in [(TracesConfig::default(), false), (all, true), (none, false)] {
        let is_off = config.endpoint.is_none();
        let server = Server::with(Config {
            traces: config,
            webhooks: webhooks.clone(),
            ..in_memory()
        })
        .await;
        push_traced(&server).await;
        let (headers, event) = received.recv().await.unwrap();
        let traceparent = headers["traceparent"].to_str().unwrap();
        // The trace goes on, whoever takes part in it.
        assert_eq!(traceparent[..35], PARENT[..35]);
        assert_eq!(traceparent == PARENT, is_off);
        let event: serde_json::Value = serde_json::from_str(&event).unwrap();
        let told = event["traceparent"].as_str().unwrap();
        assert_eq!(told[..35], PARENT[..35]);
        let spans = collector.after(server).await;
        collector.taken.lock().unwrap().clear();
        // Those of requests that belong to no trace of a client.
        let others = spans.iter().filter(|span| span.trace_id != PARENT[3..35]);
        assert_eq!(others.count() > 0, has_others);
        let delivery = spans.iter().find(|span| span.name == "webhook");
        assert_eq!(delivery.is_none(), is_off);
        if let Some(delivery) = delivery {
            assert!(traceparent.contains(&delivery.id), "{traceparent}");
        }
    }
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_counted_and_holds_up_nothing() {
    let collector = Collector::default();
    *collector.statuses.lock().unwrap() = vec![StatusCode::BAD_REQUEST; 1000];
    let mut config = traces(&collector.start().await);
    config.queue_spans = 8;
    config.batch_spans = 8;
    let server = Server::with(Config {
        traces: config,
        metrics: Some(MetricsConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
        }),
        ..in_memory()
    })
    .await;
    let dropped = async || -> u64 {
        let text = server.metrics().await.text().await.unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("cairn_registry_trace_spans_dropped_total "));
        line.unwrap().parse().unwrap()
    };
    while dropped().await < 20 {
        assert_eq!(server.status("GET", "/v2/").await, 200);
    }
    assert_eq!(collector.after(server).await.len(), 0);
}
