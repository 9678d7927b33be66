//! What happens to objects, as it happens, without a gap: a list, then a watch from its version on,
//! and both anew when the API server says that the version is too old or does not say anything.

use std::{marker::PhantomData, time::Duration};

use bytes::BytesMut;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{
    Cluster, ClusterError, Resource,
    objects::Wanted,
    request::{Call, encoded},
    view::View,
};

/// How long the API server keeps a watch open.
const OPEN_S: u64 = 290;

/// Bookmarks come about once a minute; a server that is silent for longer is away.
const LONGEST_SILENCE: Duration = Duration::from_mins(2);

/// The largest event: an object is at most 3 MiB.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// A watch that ends at once, or whose version is too old, again and again, is not to become a loop without a pause.
const PAUSE: Duration = Duration::from_millis(500);

/// What a watch tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<T = Value> {
    /// All there is; what is not in it is gone.
    All(Vec<T>),
    /// An object is new or has changed.
    Changed(T),
    /// An object is gone.
    Removed(T),
}

/// A watch of the objects of one kind.
#[derive(Debug)]
pub struct Watch<T = Value> {
    cluster: Cluster,
    resource: Resource,
    namespace: Option<String>,
    label: String,
    /// The version of what was told last; none before a list.
    version: Option<String>,
    stream: Option<Stream>,
    objects: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Stream {
    body: Body,
    buffer: BytesMut,
}

/// A line of a watch. In place of an object there may be a status, or a version alone.
#[derive(Default, Deserialize)]
#[serde(default, bound = "T: View")]
struct Line<T> {
    r#type: String,
    object: T,
}

impl<T: View> Watch<T> {
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
            objects: PhantomData,
        }
    }

    /// Waits for the next event. An error means that the API server was away for the whole patience;
    /// asking again goes on. May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<Event<T>, ClusterError> {
        loop {
            if self.version.is_none() {
                let mut objects: Vec<T> = Vec::new();
                let wanted = Wanted {
                    resource: &self.resource,
                    namespace: self.namespace.as_deref(),
                    label: &self.label,
                    how: T::LISTED,
                };
                let listed = self.cluster.pages(&wanted, |object| objects.push(object));
                self.version = match listed.await {
                    // A page that came too late: from the start.
                    Err(error) if error.has_code(410) => {
                        sleep(PAUSE).await;
                        continue;
                    }
                    version => Some(version?),
                };
                return Ok(Event::All(objects));
            }
            if self.stream.is_none() {
                match self.open().await {
                    Err(error) if error.has_code(410) => {
                        self.version = None;
                        sleep(PAUSE).await;
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
                if self.stream.is_none() {
                    sleep(PAUSE).await;
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
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={OPEN_S}&labelSelector={}&fieldSelector={}&resourceVersion={}",
            self.resource.path(self.namespace.as_deref()),
            encoded(&self.label),
            encoded(T::FIELDS),
            encoded(self.version.as_deref().unwrap_or_default()),
        );
        let mut call = Call::get(path);
        call.accept = T::LISTED.accept_one();
        let response = self.cluster.open(&call).await?;
        Ok(Stream {
            body: response.into_body(),
            buffer: BytesMut::new(),
        })
    }

    /// Notes the version of an event; none if it tells nothing but that, or that all is to be read anew.
    fn take(&mut self, line: &[u8]) -> Option<Event<T>> {
        let Line { r#type, object } = serde_json::from_slice(line).unwrap_or_default();
        let is_known = matches!(
            r#type.as_str(),
            "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"
        );
        let version: &str = T::version(&object);
        if !is_known || version.is_empty() {
            // An error, most often that the version is too old, or nothing that can be read.
            self.version = None;
            self.stream = None;
            return None;
        }
        self.version = Some(version.to_owned());
        match r#type.as_str() {
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
