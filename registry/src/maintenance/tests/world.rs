//! Stores that outlive the processes over them, a clock, and what clients push.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName, media_type};
use cairn_test_s3::Death;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::{
    fsck::{Check, Finding, FsckOptions, Invariant, fsck},
    gc::{Collector, Pace},
    listing::for_each_key,
};
use crate::{
    Config, GcConfig, Result, UntaggedManifests,
    clock::{Clock, TestClock},
    records::{self, Blob, Location},
    service::{ManifestPush, Reference, Registry},
    storage::{
        Chunks, EmbeddedMetadata, Family, FilePayloads, Key, MemoryMetadata, MemoryPayloads,
        Metadata, PayloadKey, Payloads, Prefix,
        faults::{Fault, FaultyMetadata, FaultyPayloads, Fuse},
        home::Home,
        s3::tests::Shelf,
        turns::{TurnsMetadata, TurnsPayloads},
    },
};

/// The grace period of all tests, in seconds.
pub(crate) const GRACE_S: u64 = 1000;
/// More changes than any scenario makes.
pub(crate) const ENDLESS: u32 = 1_000_000;

const THOROUGH: FsckOptions = FsckOptions {
    read_data: true,
    repair: false,
};

pub(crate) struct World {
    pub(crate) home: Home,
    pub(crate) payloads: Arc<dyn Payloads>,
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) gc: GcConfig,
    /// What processes are told besides.
    pub(crate) config: Config,
}

/// When a process dies: at which change, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doom {
    pub(crate) changes: u32,
    pub(crate) fault: Fault,
}

impl World {
    /// One where nothing stays that nothing refers to.
    pub(crate) fn new() -> Self {
        let payloads = Arc::new(MemoryPayloads::default());
        let home = Home::Memory(Arc::clone(&payloads));
        Self::at(home, payloads, Arc::new(MemoryMetadata::default()))
    }

    /// The same in a directory.
    pub(crate) fn in_directory() -> Self {
        // In memory if the system has such a folder: these tests lose processes, not power.
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let directory = directory.unwrap();
        let (payloads, metadata) = open_files(directory.path(), &Fuse::none()).unwrap();
        Self::at(Home::Directory(directory), payloads, metadata)
    }

    /// The same in a bucket.
    pub(crate) async fn in_bucket(bucket: &Arc<Shelf>) -> Self {
        let prefix = ulid::Ulid::new().to_string();
        let (payloads, metadata) = bucket.stores_of_a_new_process(&prefix).await;
        let home = Home::Bucket(Arc::clone(bucket), prefix);
        Self::at(home, Arc::new(payloads), Arc::new(metadata))
    }

    fn at(home: Home, payloads: Arc<dyn Payloads>, metadata: Arc<dyn Metadata>) -> Self {
        Self {
            home,
            payloads,
            metadata,
            clock: Arc::new(TestClock::at(1_700_000_000)),
            gc: GcConfig {
                upload_ttl_s: 2 * GRACE_S,
                untagged_manifests: UntaggedManifests::Collect,
                ..GcConfig::default()
            },
            config: Config::default(),
        }
    }

    /// A process that works undisturbed.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.over(Arc::clone(&self.payloads), Arc::clone(&self.metadata))
    }

    /// Ends all processes but one that meets a fault; [`Self::restart`] comes after it.
    ///
    /// `None` if it does not even start.
    pub(crate) async fn doomed(&mut self, doom: Doom) -> Option<(Arc<Registry>, Fuse)> {
        let fuse = Fuse::new(doom.changes, doom.fault);
        let (payloads, metadata): (Arc<dyn Payloads>, Arc<dyn Metadata>) = match &self.home {
            Home::Memory(_) => return Some((self.crashing(&fuse), fuse)),
            Home::Directory(directory) => {
                // The file has one owner at a time.
                self.metadata = Arc::new(MemoryMetadata::default());
                open_files(directory.path(), &fuse).ok()?
            }
            Home::Bucket(bucket, prefix) => {
                let death = match doom.fault {
                    Fault::DiesAfter => Death::After,
                    _ => Death::Before,
                };
                let (payloads, metadata) = bucket.stores_of_a_new_process(prefix).await;
                bucket.server.die_at(doom.changes + 1, death);
                (Arc::new(payloads), Arc::new(metadata))
            }
        };
        Some((self.over(payloads, metadata), fuse))
    }

    /// A process has met its fault.
    pub(crate) fn has_met(&self, fuse: &Fuse) -> bool {
        match &self.home {
            Home::Bucket(bucket, _) => bucket.server.has_died(),
            _ => fuse.is_burnt(),
        }
    }

    /// Finds again what outlived the last process.
    pub(crate) async fn restart(&mut self) {
        match &self.home {
            Home::Memory(_) => {}
            Home::Directory(directory) => {
                self.metadata = Arc::new(MemoryMetadata::default());
                (self.payloads, self.metadata) =
                    open_files(directory.path(), &Fuse::none()).unwrap();
            }
            Home::Bucket(bucket, prefix) => {
                bucket.server.revive();
                let (payloads, metadata) = bucket.stores_of_a_new_process(prefix).await;
                (self.payloads, self.metadata) = (Arc::new(payloads), Arc::new(metadata));
            }
        }
    }

    /// A process that crashes after some changes.
    pub(crate) fn crashing(&self, fuse: &Fuse) -> Arc<Registry> {
        let payloads = FaultyPayloads {
            inner: Arc::clone(&self.payloads),
            fuse: fuse.clone(),
        };
        let metadata = FaultyMetadata {
            inner: Arc::clone(&self.metadata),
            fuse: fuse.clone(),
        };
        self.over(Arc::new(payloads), Arc::new(metadata))
    }

    /// A process that gives way before each step.
    pub(crate) fn yielding(&self) -> Arc<Registry> {
        let payloads = TurnsPayloads(Arc::clone(&self.payloads));
        let metadata = TurnsMetadata(Arc::clone(&self.metadata));
        self.over(Arc::new(payloads), Arc::new(metadata))
    }

    fn over(&self, payloads: Arc<dyn Payloads>, metadata: Arc<dyn Metadata>) -> Arc<Registry> {
        let mut config = self.config.clone();
        config.limits.grace_s = GRACE_S;
        config.limits.inline_blob_bytes = 8;
        let mut registry = Registry::new(payloads, metadata, &config).unwrap();
        registry.clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Arc::new(registry)
    }

    pub(in crate::maintenance) fn collector(&self, registry: &Arc<Registry>) -> Collector {
        Collector::new(Arc::clone(registry), self.gc.clone(), Pace::Full)
    }

    /// One pass in a process of its own.
    pub(crate) async fn collect(&self) -> Result<()> {
        let registry = self.registry();
        let collector = self.collector(&registry);
        collector.pass(&CancellationToken::new()).await
    }

    /// As many passes, with enough time between them, as all garbage needs.
    pub(crate) async fn collect_all(&self) {
        for _ in 0..8 {
            self.clock.advance(GRACE_S + 1);
            self.collect().await.unwrap();
        }
    }

    pub(crate) async fn names(&self, prefix: &Prefix) -> Vec<String> {
        self.metadata.list(prefix, None, 100_000).await.unwrap()
    }

    pub(crate) async fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let registry = self.registry();
        let mut found = |finding| findings.push(finding);
        fsck(&registry, THOROUGH, &mut found).await.unwrap();
        findings
    }

    /// What holds even between two steps of requests that race.
    pub(crate) async fn assert_safe(&self) {
        let mut findings = Vec::new();
        let registry = self.registry();
        let mut found = |finding| findings.push(finding);
        Check::new(&registry, THOROUGH, &mut found)
            .check_records()
            .await
            .unwrap();
        let always = [Invariant::Complete, Invariant::Intact];
        let broken = findings
            .iter()
            .find(|finding| always.contains(&finding.invariant));
        assert_eq!(broken, None);
        self.assert_no_payload_is_lost().await;
    }

    /// What holds when no request is under way.
    pub(crate) async fn assert_sound(&self) {
        let mut findings = self.findings().await;
        let queued = self.names(&Prefix::Candidates).await;
        // A crash may leave a referrer's entry behind, or out, if it is looked at later.
        findings.retain(|finding| {
            let is_queued = queued.iter().any(|name| name.contains("/referrer/"));
            !(finding.invariant == Invariant::Referred && is_queued)
        });
        assert_eq!(findings, []);
        self.assert_no_payload_is_lost().await;
    }

    /// Every committed payload belongs to a blob's record, or is found from an upload's.
    async fn assert_no_payload_is_lost(&self) {
        let known = self.known_payloads().await;
        for payload in self.home.committed() {
            assert!(known.contains(&payload), "{payload} is lost");
        }
    }

    async fn known_payloads(&self) -> BTreeSet<PayloadKey> {
        let mut known = BTreeSet::new();
        for name in self.names(&Prefix::Uploads).await {
            known.insert(PayloadKey(name.parse().unwrap()));
        }
        for (_, blob) in self.blobs().await {
            if let Location::Payload(payload) = blob.location {
                known.insert(payload);
            }
        }
        known
    }

    pub(crate) async fn blobs(&self) -> BTreeMap<Digest, Blob> {
        let registry = self.registry();
        let mut blobs = BTreeMap::new();
        for_each_key(&registry, &Prefix::Family(Family::Blobs), async |key| {
            let key = key.unwrap();
            let entry = self.metadata.get(&key).await.unwrap().unwrap();
            let (blob, _) = records::decode(&key, &entry).unwrap();
            let Key::Blob(digest) = key else {
                unreachable!("it is listed with the blobs")
            };
            blobs.insert(digest, blob);
            Ok(())
        })
        .await
        .unwrap();
        blobs
    }

    /// Nothing is left over: what is stored is what manifests refer to, and nothing waits.
    pub(crate) async fn assert_clean(&self) {
        self.assert_sound().await;
        let registry = self.registry();
        let mut needed = BTreeSet::new();
        let manifests = Prefix::Family(Family::Manifests);
        for_each_key(&registry, &manifests, async |key| {
            let Ok(key @ Key::Manifest(..)) = key else {
                panic!("a malformed key")
            };
            let entry = self.metadata.get(&key).await.unwrap().unwrap();
            let (manifest, _) = records::decode::<records::Manifest>(&key, &entry).unwrap();
            let Key::Manifest(repository, _) = key else {
                unreachable!("it is a manifest's")
            };
            for child in manifest.children {
                if !holds(&registry, &repository, &child).await {
                    needed.insert((child, repository.clone()));
                }
            }
            Ok(())
        })
        .await
        .unwrap();
        let mut held = BTreeSet::new();
        let memberships = Prefix::Family(Family::Memberships);
        for_each_key(&registry, &memberships, async |key| {
            let Ok(Key::RepositoryBlob(digest, repository)) = key else {
                panic!("a malformed key")
            };
            held.insert((digest, repository));
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(held, needed);
        let blobs = self.blobs().await;
        let digests: BTreeSet<&Digest> = needed.iter().map(|(digest, _)| digest).collect();
        assert_eq!(blobs.keys().collect::<BTreeSet<_>>(), digests);
        let uncommitted = self.payloads.uncommitted().await.unwrap();
        assert_eq!(uncommitted, []);
        assert_eq!(self.home.committed().len(), blobs.len());
        assert_eq!(self.names(&Prefix::Uploads).await, [""; 0]);
        assert_eq!(self.names(&Prefix::Candidates).await, [""; 0]);
    }
}

/// Opens a directory's stores on a disk that may fail.
fn open_files(directory: &Path, fuse: &Fuse) -> Result<(Arc<dyn Payloads>, Arc<dyn Metadata>)> {
    let inner = Arc::new(FilePayloads::open(directory)?);
    let fuse = fuse.clone();
    let metadata = EmbeddedMetadata::open_on(&directory.join("metadata.redb"), fuse.clone())?;
    let payloads = FaultyPayloads { inner, fuse };
    Ok((Arc::new(payloads), Arc::new(metadata)))
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

/// A blob that is too large for its record.
pub(crate) fn content(text: &str) -> Bytes {
    Bytes::from(text.repeat(9))
}

pub(crate) fn body(content: &Bytes) -> Chunks {
    let pieces = content.chunks(7).map(Bytes::copy_from_slice);
    stream::iter(pieces.map(Ok).collect::<Vec<_>>()).boxed()
}

pub(crate) async fn push_blob(
    registry: &Registry,
    repository: &RepositoryName,
    content: &Bytes,
) -> Result<Digest> {
    let digest = Digest::sha256(content);
    registry
        .push_blob(repository, &digest, &mut body(content))
        .await?;
    Ok(digest)
}

/// A manifest over a layer, told apart from others by `mark`.
pub(crate) fn image(layer: &Bytes, mark: &str, subject: Option<&Digest>) -> Bytes {
    let descriptor = json!({
        "mediaType": "a/b", "digest": Digest::sha256(layer), "size": layer.len(),
    });
    let mut document = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor, "layers": [], "annotations": {"mark": mark},
    });
    if let Some(subject) = subject {
        document["subject"] =
            json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1});
    }
    document.to_string().into()
}

/// An index over manifests.
pub(crate) fn index(manifests: &[&Bytes]) -> Bytes {
    let entries: Vec<_> = manifests
        .iter()
        .map(|bytes| {
            json!({
                "mediaType": media_type::OCI_MANIFEST,
                "digest": Digest::sha256(bytes), "size": bytes.len(),
            })
        })
        .collect();
    json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries})
        .to_string()
        .into()
}

/// Pushes a manifest under a tag, or under its digest alone.
pub(crate) async fn push(
    registry: &Registry,
    repository: &RepositoryName,
    bytes: &Bytes,
    tag: Option<&str>,
) -> Result<Digest> {
    let reference = match tag {
        Some(tag) => Reference::Tag(tag.parse().unwrap()),
        None => Reference::Digest(Digest::sha256(bytes)),
    };
    let push = ManifestPush {
        repository: repository.clone(),
        reference,
        tags: Vec::new(),
        content_type: None,
        bytes: bytes.clone(),
        upstream: None,
    };
    registry
        .push_manifest(push)
        .await
        .map(|stored| stored.digest)
}

pub(crate) async fn holds(
    registry: &Registry,
    repository: &RepositoryName,
    digest: &Digest,
) -> bool {
    let reference = Reference::Digest(digest.clone());
    registry.manifest(repository, &reference).await.is_ok()
}
