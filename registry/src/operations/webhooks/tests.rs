//! Deliveries to a real server on a loopback port, with crashes and faults in between.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::http::{HeaderMap, StatusCode};
use axum::{Router, extract::State, routing::post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use ulid::Ulid;

use super::{delivery::Outbox, *};
use crate::{
    Error, EventKind, Result, WebhookConfig,
    auth::Actor,
    clock::{Clock, TestClock},
    http,
    operations::metrics::Metrics,
    records::{self, Tag},
    storage::{
        Batch, Key, MemoryMetadata, Metadata, Prefix, Version, Write,
        faults::{FaultyMetadata, Fuse},
    },
    watched::Watch,
};

const NOW_UNIX_S: u64 = 1_800_000_000;
/// Beyond every waiting time.
const LONG_S: u64 = 100_000;

/// A receiver that answers as it is told, and keeps what it got.
#[derive(Debug, Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(String, Value)>>>,
    /// What is answered; the last is taken first.
    statuses: Arc<Mutex<Vec<StatusCode>>>,
}

impl Receiver {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(self.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/hook")
    }

    fn ids(&self) -> Vec<String> {
        let got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        got.iter().map(|(id, _)| id.clone()).collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let media_type = "application/cloudevents+json; charset=utf-8";
    assert_eq!(headers["content-type"], media_type);
    let signature = headers["webhook-signature"].to_str().unwrap();
    assert!(signature.starts_with("v1,"));
    assert!(headers.contains_key("webhook-timestamp"));
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(event["id"], id);
    receiver.got.lock().unwrap().push((id, event));
    let answer = receiver.statuses.lock().unwrap().pop();
    answer.unwrap_or(StatusCode::NO_CONTENT)
}

/// What survives a crash.
struct World {
    records: Arc<dyn Metadata>,
    clock: Arc<TestClock>,
    metrics: Arc<Metrics>,
    endpoint: Arc<Endpoint>,
    receiver: Receiver,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut WebhookConfig)) -> Self {
        let receiver = Receiver::default();
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("secret");
        std::fs::write(&secret_file, "a secret of at least 24 bytes\n").unwrap();
        let mut config = WebhookConfig {
            name: "test".to_owned(),
            url: receiver.start().await,
            events: vec![EventKind::TagMoved, EventKind::TagDeleted],
            repositories: vec!["a/**".to_owned()],
            secret_file: Some(secret_file),
            timeout_s: 5,
            attempts: 3,
            allow_private_networks: true,
        };
        change(&mut config);
        let watch = Watch::new(Duration::ZERO, Arc::default());
        let post = http::webhook_post(&config).unwrap();
        Self {
            records: Arc::new(MemoryMetadata::default()),
            clock: Arc::new(TestClock::at(NOW_UNIX_S)),
            metrics: Arc::default(),
            endpoint: Arc::new(Endpoint::open(&config, &watch, post).unwrap()),
            receiver,
        }
    }

    fn announced(&self, over: Arc<dyn Metadata>) -> AnnouncedMetadata {
        AnnouncedMetadata {
            inner: over,
            endpoints: vec![Arc::clone(&self.endpoint)],
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        }
    }

    async fn move_tag(&self, repository: &str) -> Vec<Option<Version>> {
        let announced = self.announced(Arc::clone(&self.records));
        let batch = Batch::durable([tagged(repository)]);
        let actor = Arc::new(Actor::anonymous());
        let written = Actor::acting(Some(actor), announced.write(batch)).await;
        written.unwrap()
    }

    fn outbox(&self, over: Arc<dyn Metadata>) -> Outbox {
        Outbox {
            metadata: over,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            metrics: Arc::clone(&self.metrics),
            tracer: None,
        }
    }

    /// What a process does that starts now; its store may fail.
    async fn deliver(&self, over: Arc<dyn Metadata>) -> Result<u64> {
        self.outbox(over).deliver_due(&self.endpoint).await
    }

    async fn deliver_undisturbed(&self) {
        self.deliver(Arc::clone(&self.records)).await.unwrap();
    }

    async fn waiting(&self) -> usize {
        let prefix = Prefix::Deliveries("test".to_owned());
        self.records.list(&prefix, None, 100).await.unwrap().len()
    }
}

fn tagged(repository: &str) -> Write {
    let record = Tag {
        upstream: None,
        digest: cairn_spec::Digest::sha256(b""),
        media_type: "a/b".to_owned(),
        size_bytes: 0,
        moved_unix_s: NOW_UNIX_S,
        previous: None,
    };
    let key = Key::Tag(repository.parse().unwrap(), "v1".parse().unwrap());
    Write::put_new(key, records::encode(&record, &[]).unwrap())
}

#[tokio::test]
async fn an_event_is_delivered_once_and_forgotten() {
    let world = World::new().await;
    // The caller sees the versions of its own writes only.
    assert_eq!(world.move_tag("a/b").await.len(), 1);
    world.move_tag("other").await;
    assert_eq!(world.waiting().await, 1);
    world.deliver_undisturbed().await;
    world.deliver_undisturbed().await;
    assert_eq!(world.waiting().await, 0);
    let got = world.receiver.got.lock().unwrap().clone();
    assert_eq!(got.len(), 1);
    let mut event = got[0].1.clone();
    event["id"] = "[id]".into();
    insta::assert_snapshot!(format!("{event:#}"), @r#"
    {
      "data": {
        "actor": "anonymous",
        "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "mediaType": "a/b",
        "previousDigest": null,
        "repository": "a/b",
        "tag": "v1"
      },
      "datacontenttype": "application/json",
      "id": "[id]",
      "source": "/v2/a/b",
      "specversion": "1.0",
      "subject": "v1",
      "time": "2027-01-15T08:00:00Z",
      "type": "dev.cairn.registry.tag.moved"
    }
    "#);
    assert_eq!(world.metrics.webhooks.delivered.get(), 1);
}

#[tokio::test]
async fn a_change_that_loses_its_race_is_not_announced() {
    let world = World::new().await;
    world.move_tag("a/b").await;
    // Applies batches write by write, as a store without transactions does.
    let fuse = Fuse::after(u32::MAX);
    let inner = Arc::clone(&world.records);
    let announced = world.announced(Arc::new(FaultyMetadata { inner, fuse }));
    let lost = announced.write(Batch::durable([tagged("a/b")])).await;
    assert!(matches!(lost, Err(Error::Conflict { .. })));
    assert_eq!(world.waiting().await, 1);
}

/// A crash before the claim, between claim and end, and none: the event arrives every time, and
/// repetitions have the same name.
#[tokio::test]
async fn a_crash_loses_no_event() {
    for (writes, posts) in [(0, 1), (1, 2), (3, 1)] {
        let world = World::new().await;
        world.move_tag("a/b").await;
        let fuse = Fuse::after(writes);
        let inner = Arc::clone(&world.records);
        let crashing: Arc<dyn Metadata> = Arc::new(FaultyMetadata { inner, fuse });
        let crashed = world.deliver(crashing).await;
        assert_eq!(crashed.is_err(), writes < 2, "{writes}");
        world.clock.advance(LONG_S);
        world.deliver_undisturbed().await;
        let mut ids = world.receiver.ids();
        assert_eq!(ids.len(), posts, "{writes}");
        ids.dedup();
        assert_eq!(ids.len(), 1, "{writes}");
        assert_eq!(world.waiting().await, 0);
    }
}

#[tokio::test]
async fn of_two_replicas_one_delivers() {
    let world = World::new().await;
    for repository in ["a/a", "a/b", "a/c", "a/d"] {
        world.move_tag(repository).await;
    }
    let outcomes = tokio::join!(
        world.deliver(Arc::clone(&world.records)),
        world.deliver(Arc::clone(&world.records))
    );
    outcomes.0.unwrap();
    outcomes.1.unwrap();
    let mut ids = world.receiver.ids();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), world.receiver.ids().len()), (4, 4));
}

#[tokio::test]
async fn what_is_refused_is_tried_again_and_then_set_aside() {
    let world = World::new().await;
    world.move_tag("a/b").await;
    *world.receiver.statuses.lock().unwrap() = vec![
        StatusCode::NOT_FOUND,
        // Where a redirect leads to is not looked at.
        StatusCode::FOUND,
        StatusCode::INTERNAL_SERVER_ERROR,
    ];
    for attempt in 1..=3 {
        assert_eq!(world.waiting().await, 1);
        world.deliver_undisturbed().await;
        // Before its time it is left alone.
        world.deliver_undisturbed().await;
        assert_eq!(world.receiver.ids().len(), attempt);
        world.clock.advance(LONG_S);
    }
    assert_eq!(world.waiting().await, 0);
    assert_eq!(world.metrics.webhooks.dead_lettered.get(), 1);
    assert_eq!(world.metrics.webhooks.failed.get(), 3);
    let id: Ulid = world.receiver.ids()[0].parse().unwrap();
    let dead = Key::DeadLetter("test".to_owned(), id);
    assert!(world.records.get(&dead).await.unwrap().is_some());
}

#[tokio::test]
async fn private_networks_are_out_of_reach() {
    let by_address = World::with(|config| config.allow_private_networks = false).await;
    let by_name = World::with(|config| {
        config.allow_private_networks = false;
        config.url = config.url.replace("127.0.0.1", "localhost");
    })
    .await;
    for world in [by_address, by_name] {
        world.move_tag("a/b").await;
        world.deliver_undisturbed().await;
        assert_eq!(world.metrics.webhooks.failed.get(), 1);
        assert_eq!(world.receiver.ids().len(), 0);
    }
}

#[tokio::test]
async fn the_worker_delivers_what_arrives() {
    let world = World::new().await;
    let stop = CancellationToken::new();
    let outbox = world.outbox(Arc::clone(&world.records));
    let worker = deliver_until(stop.clone(), outbox, Arc::clone(&world.endpoint));
    let running = TaskTracker::new().spawn(worker);
    world.move_tag("a/b").await;
    while world.waiting().await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.receiver.ids().len(), 1);
    stop.cancel();
    running.await.unwrap();
}
