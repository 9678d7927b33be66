//! What happens to objects, as it happens, without a gap: a list, then a watch from its version on,
//! and both anew when the API server says that the version is too old or does not say anything.

use std::time::Duration;

use bytes::BytesMut;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{
    Cluster, ClusterError, Listed, Resource,
    request::{Call, encoded},
};

/// How long the API server keeps a watch open.
const OPEN_S: u64 = 290;

/// Bookmarks come about once a minute; a server that is silent for longer is away.
const LONGEST_SILENCE: Duration = Duration::from_mins(2);

/// The largest event: an object is at most 3 MiB.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// A watch that ends at once, again and again, is not to become a loop without a pause.
const PAUSE: Duration = Duration::from_millis(500);

/// What a watch tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// All there is; what is not in it is gone.
    All(Vec<Value>),
    /// An object is new or has changed.
    Changed(Value),
    /// An object is gone.
    Removed(Value),
}

/// A watch of the objects of one kind.
#[derive(Debug)]
pub struct Watch {
    cluster: Cluster,
    resource: Resource,
    namespace: Option<String>,
    label: String,
    /// The version of what was told last; none before a list.
    version: Option<String>,
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    body: Body,
    buffer: BytesMut,
}

impl Watch {
    /// A watch of the objects with a label, in one namespace or in all of them.
    pub fn new(
        cluster: &Cluster,
        resource: Resource,
        namespace: Option<&str>,
        label: &str,
    ) -> Self {
        Self {
            cluster: cluster.clone(),
            resource,
            namespace: namespace.map(str::to_owned),
            label: label.to_owned(),
            version: None,
            stream: None,
        }
    }

    /// Waits for the next event. An error means that the API server was away for the whole patience;
    /// asking again goes on. May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<Event, ClusterError> {
        loop {
            if self.version.is_none() {
                let namespace = self.namespace.as_deref();
                let listed =
                    self.cluster
                        .pages(&self.resource, namespace, &self.label, Listed::Whole);
                let list = match listed.await {
                    // A page that came too late: from the start.
                    Err(error) if error.has_code(410) => continue,
                    list => list?,
                };
                self.version = Some(list.resource_version);
                return Ok(Event::All(list.objects));
            }
            if self.stream.is_none() {
                match self.open().await {
                    Err(error) if error.has_code(410) => {
                        self.version = None;
                        continue;
                    }
                    opened => self.stream = Some(opened?),
                }
            }
            let Some(stream) = &mut self.stream else {
                continue;
            };
            if let Ok(Some(line)) = timeout(LONGEST_SILENCE, stream.line()).await {
                if let Some(event) = self.take(&line) {
                    return Ok(event);
                }
            } else {
                self.stream = None;
                sleep(PAUSE).await;
            }
        }
    }

    /// Takes itself mutably, since a body can be in one thread only.
    async fn open(&mut self) -> Result<Stream, ClusterError> {
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={OPEN_S}&labelSelector={}&resourceVersion={}",
            self.resource.path(self.namespace.as_deref()),
            encoded(&self.label),
            encoded(self.version.as_deref().unwrap_or_default()),
        );
        let response = self.cluster.open(&Call::get(path)).await?;
        Ok(Stream {
            body: response.into_body(),
            buffer: BytesMut::new(),
        })
    }

    /// Notes the version of an event; none if it tells nothing but that, or that all is to be read anew.
    fn take(&mut self, line: &[u8]) -> Option<Event> {
        let mut event: Value = serde_json::from_slice(line).unwrap_or_default();
        let object = event["object"].take();
        let kind = event["type"].as_str().unwrap_or_default();
        let version = object["metadata"]["resourceVersion"].as_str();
        let is_known = matches!(kind, "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK");
        self.version = version.filter(|_| is_known).map(str::to_owned);
        if self.version.is_none() {
            // An error, most often that the version is too old, or nothing that can be read.
            self.stream = None;
            return None;
        }
        match kind {
            "ADDED" | "MODIFIED" => Some(Event::Changed(object)),
            "DELETED" => Some(Event::Removed(object)),
            _ => None,
        }
    }
}

impl Stream {
    /// The next line; none if the stream has ended, or is no stream of events.
    async fn line(&mut self) -> Option<BytesMut> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(end + 1);
                line.truncate(end);
                return Some(line);
            }
            if self.buffer.len() > MAX_EVENT_BYTES {
                return None;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
