//! Crashes at every write of every operation, and what must hold afterwards (see the parent).

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use cairn_spec::{Digest, DigestAlgorithm, RepositoryName, media_type};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{ManifestPush, Reference, Registry};
use crate::{
    Config, Error, Result,
    records::{self, Upload},
    storage::{
        Chunks, EmbeddedMetadata, FilePayloads, Key, MemoryMetadata, MemoryPayloads, Metadata,
        PayloadKey, Payloads, Prefix,
        faults::{FaultyMetadata, FaultyPayloads, Fuse},
        home::Home,
        s3::{self, tests::Shelf},
    },
};

/// More changes than any scenario makes.
const ENDLESS: u32 = 10_000;

/// Stores that outlive the processes over them.
struct Machine {
    payloads: Arc<dyn Payloads>,
    metadata: Arc<dyn Metadata>,
    home: Home,
}

/// Makes one machine after the other, each with nothing in its stores.
enum Storage {
    Memory,
    Directory,
    Bucket(Arc<Shelf>),
}

impl Storage {
    fn machine(&self) -> Machine {
        match self {
            Self::Memory => Machine::default(),
            Self::Directory => {
                let directory = tempfile::tempdir().unwrap();
                let payloads = FilePayloads::open(directory.path()).unwrap();
                let metadata = EmbeddedMetadata::open(&directory.path().join("records"));
                Machine {
                    payloads: Arc::new(payloads),
                    metadata: Arc::new(metadata.unwrap()),
                    home: Home::Directory(directory),
                }
            }
            Self::Bucket(bucket) => {
                let prefix = ulid::Ulid::new().to_string();
                let (payloads, metadata) = bucket.stores(&prefix);
                Machine {
                    payloads: Arc::new(payloads),
                    metadata: Arc::new(metadata),
                    home: Home::Bucket(Arc::clone(bucket), prefix),
                }
            }
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        let payloads = Arc::new(MemoryPayloads::default());
        Self {
            payloads: Arc::clone(&payloads) as Arc<dyn Payloads>,
            metadata: Arc::new(MemoryMetadata::default()),
            home: Home::Memory(payloads),
        }
    }
}

impl Machine {
    /// A process that crashes after some changes.
    fn start(&self, fuse: &Fuse) -> Registry {
        let config = Config {
            // The tests move a tag.
            immutable_tags: Vec::new(),
            ..Config::default()
        };
        self.start_with(fuse, &config)
    }

    fn start_with(&self, fuse: &Fuse, config: &Config) -> Registry {
        let payloads = FaultyPayloads {
            inner: Arc::clone(&self.payloads),
            fuse: fuse.clone(),
        };
        let metadata = FaultyMetadata {
            inner: Arc::clone(&self.metadata),
            fuse: fuse.clone(),
        };
        Registry::new(Arc::new(payloads), Arc::new(metadata), config).unwrap()
    }

    async fn names(&self, prefix: &Prefix) -> Vec<String> {
        self.metadata.list(prefix, None, 10_000).await.unwrap()
    }
}

fn repository() -> RepositoryName {
    "packs/a".parse().unwrap()
}

fn body(content: &Bytes) -> Chunks {
    let pieces = content.chunks(700).map(Bytes::copy_from_slice);
    stream::iter(pieces.map(Ok).collect::<Vec<_>>()).boxed()
}

fn large() -> Bytes {
    Bytes::from(vec![7; 10_000])
}

fn small() -> Bytes {
    Bytes::from_static(b"{}")
}

async fn push_in_two_requests(registry: &Registry, content: &Bytes) -> Result<Digest> {
    let digest = Digest::sha256(content);
    let repository = repository();
    let upload = registry
        .start_upload(&repository, DigestAlgorithm::Sha256)
        .await?;
    let half = content.slice(..content.len() / 2);
    registry
        .append(&repository, &upload.id, None, &mut body(&half))
        .await?;
    let rest = content.slice(content.len() / 2..);
    let input = (None, &mut body(&rest));
    registry
        .finish(&repository, &upload.id, &digest, input)
        .await?;
    Ok(digest)
}

async fn push_at_once(registry: &Registry, content: &Bytes) -> Result<Digest> {
    let digest = Digest::sha256(content);
    registry
        .push_blob(&repository(), &digest, &mut body(content))
        .await?;
    Ok(digest)
}

fn manifest(subject: Option<&Digest>) -> Bytes {
    let config = json!({"mediaType": "a/config", "digest": Digest::sha256(&small()), "size": 2});
    let layer = json!({"mediaType": "a/layer", "digest": Digest::sha256(&large()), "size": 10_000});
    let mut document = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": config, "layers": [layer],
    });
    if let Some(subject) = subject {
        document["subject"] =
            json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1});
    }
    document.to_string().into()
}

fn tagged(bytes: Bytes, tag: &str) -> ManifestPush {
    ManifestPush {
        repository: repository(),
        reference: Reference::Tag(tag.parse().unwrap()),
        tags: Vec::new(),
        content_type: None,
        bytes,
        upstream: None,
    }
}

async fn read_blob(registry: &Registry, digest: &Digest) -> Result<Vec<u8>> {
    let blob = registry.blob(&repository(), digest).await?;
    let chunks = registry.read_range(&blob, 0..blob.size_bytes).await?;
    let chunks: Vec<Bytes> = chunks.try_collect().await?;
    Ok(chunks.concat())
}

async fn referrers_of(registry: &Registry, subject: &Digest) -> BTreeSet<Digest> {
    let page = registry
        .referrers(&repository(), subject, None, None)
        .await
        .unwrap();
    page.entries.into_iter().map(|entry| entry.digest).collect()
}

/// What must hold whenever no process runs.
async fn assert_invariants(machine: &Machine) {
    let registry = machine.start(&Fuse::after(ENDLESS));
    let repository = repository();
    // No tag points to a missing manifest, and no manifest misses a blob.
    for tag in machine.names(&Prefix::Tags(repository.clone())).await {
        let reference = Reference::Tag(tag.parse().unwrap());
        let stored = registry.manifest(&repository, &reference).await.unwrap();
        let document = super::documents::Document::parse(&stored.bytes, None).unwrap();
        for child in document.children {
            // Everything visible has the bytes that its digest says.
            let content = read_blob(&registry, child.digest()).await.unwrap();
            assert!(child.digest().matches(&content));
        }
    }
    // Every committed payload belongs to a blob or is found from an upload.
    let mut known = BTreeSet::new();
    for name in machine.names(&Prefix::Uploads).await {
        let id = name.parse().unwrap();
        let key = Key::Upload(id);
        let entry = machine.metadata.get(&key).await.unwrap().unwrap();
        let (_, _): (Upload, _) = records::decode(&key, &entry).unwrap();
        known.insert(PayloadKey(id));
    }
    for content in [large(), small()] {
        let key = Key::Blob(Digest::sha256(&content));
        if let Some(entry) = machine.metadata.get(&key).await.unwrap() {
            let (blob, _): (records::Blob, _) = records::decode(&key, &entry).unwrap();
            if let records::Location::Payload(payload) = blob.location {
                known.insert(payload);
            }
        }
    }
    for payload in machine.home.committed() {
        assert!(known.contains(&payload), "{payload} is lost");
    }
    // Referrers that were listed exist, or a candidate says that this has to be looked at.
    let subject = Digest::sha256(&manifest(None));
    for referrer in referrers_of(&registry, &subject).await {
        let reference = Reference::Digest(referrer);
        registry.manifest(&repository, &reference).await.unwrap();
    }
}

/// Crashes a scenario at each of its changes; each time, checks the invariants, repeats the
/// scenario without a crash and checks that it then holds what it promises.
async fn crash_everywhere<S, P>(storage: &Storage, scenario: S, promise: P)
where
    S: AsyncFn(&Registry) -> Result<()>,
    P: AsyncFn(&Registry),
{
    for changes in 0.. {
        let machine = storage.machine();
        let fuse = Fuse::after(changes);
        let registry = machine.start(&fuse);
        let outcome = scenario(&registry).await;
        // A write that was announced beside the request belongs to the process, too.
        registry.tasks.close();
        registry.tasks.wait().await;
        assert_invariants(&machine).await;
        let restarted = machine.start(&Fuse::after(ENDLESS));
        if outcome.is_ok() {
            promise(&restarted).await;
        }
        scenario(&restarted).await.unwrap();
        promise(&restarted).await;
        assert_invariants(&machine).await;
        if !fuse.is_burnt() {
            assert!(outcome.is_ok() && changes > 0);
            return;
        }
    }
}

mod memory {
    use super::Storage::Memory;

    #[tokio::test]
    async fn blobs_survive_crashes() {
        super::blobs_survive_crashes(&Memory).await;
    }

    #[tokio::test]
    async fn manifests_with_tags_and_subjects_survive_crashes() {
        super::manifests_with_tags_and_subjects_survive_crashes(&Memory).await;
    }

    #[tokio::test]
    async fn what_was_deleted_stays_deleted() {
        super::what_was_deleted_stays_deleted(&Memory).await;
    }
}

mod bucket {
    use std::sync::Arc;

    use super::{Storage, s3::tests::Shelf};

    async fn bucket() -> Storage {
        Storage::Bucket(Arc::new(Shelf::start().await))
    }

    #[tokio::test]
    async fn blobs_survive_crashes() {
        super::blobs_survive_crashes(&bucket().await).await;
    }

    #[tokio::test]
    async fn manifests_with_tags_and_subjects_survive_crashes() {
        super::manifests_with_tags_and_subjects_survive_crashes(&bucket().await).await;
    }

    #[tokio::test]
    async fn what_was_deleted_stays_deleted() {
        super::what_was_deleted_stays_deleted(&bucket().await).await;
    }
}

mod directory {
    use super::Storage::Directory;

    #[tokio::test]
    #[ignore = "takes minutes"]
    async fn blobs_survive_crashes() {
        super::blobs_survive_crashes(&Directory).await;
    }

    #[tokio::test]
    #[ignore = "takes minutes"]
    async fn manifests_with_tags_and_subjects_survive_crashes() {
        super::manifests_with_tags_and_subjects_survive_crashes(&Directory).await;
    }

    #[tokio::test]
    #[ignore = "takes minutes"]
    async fn what_was_deleted_stays_deleted() {
        super::what_was_deleted_stays_deleted(&Directory).await;
    }
}

async fn blobs_survive_crashes(storage: &Storage) {
    for content in [small(), large()] {
        let digest = Digest::sha256(&content);
        let promise = async |registry: &Registry| {
            assert_eq!(read_blob(registry, &digest).await.unwrap(), content);
        };
        let stepwise =
            async |registry: &Registry| push_in_two_requests(registry, &content).await.map(drop);
        crash_everywhere(storage, stepwise, promise).await;
        let at_once = async |registry: &Registry| push_at_once(registry, &content).await.map(drop);
        crash_everywhere(storage, at_once, promise).await;
        let twice = async |registry: &Registry| {
            push_at_once(registry, &content).await?;
            push_in_two_requests(registry, &content).await.map(drop)
        };
        crash_everywhere(storage, twice, promise).await;
    }
}

async fn manifests_with_tags_and_subjects_survive_crashes(storage: &Storage) {
    let subject = Digest::sha256(&manifest(None));
    let referrer = Digest::sha256(&manifest(Some(&subject)));
    let scenario = async |registry: &Registry| {
        push_at_once(registry, &small()).await?;
        push_in_two_requests(registry, &large()).await?;
        registry.push_manifest(tagged(manifest(None), "v1")).await?;
        let signature = tagged(manifest(Some(&subject)), "v1");
        registry.push_manifest(signature).await.map(drop)
    };
    let promise = async |registry: &Registry| {
        let tag = Reference::Tag("v1".parse().unwrap());
        let stored = registry.manifest(&repository(), &tag).await.unwrap();
        assert_eq!(stored.digest, referrer);
        let listed = referrers_of(registry, &subject).await;
        assert_eq!(listed, BTreeSet::from([referrer.clone()]));
    };
    crash_everywhere(storage, scenario, promise).await;
}

async fn what_was_deleted_stays_deleted(storage: &Storage) {
    let subject = Digest::sha256(&manifest(None));
    let referrer = Digest::sha256(&manifest(Some(&subject)));
    let scenario = async |registry: &Registry| {
        push_at_once(registry, &small()).await?;
        push_at_once(registry, &large()).await?;
        let mut push = tagged(manifest(Some(&subject)), "v1");
        push.tags = vec!["v2".parse().unwrap(), "v3".parse().unwrap()];
        registry.push_manifest(push).await?;
        registry.delete_manifest(&repository(), &referrer).await
    };
    let promise = async |registry: &Registry| {
        for reference in ["v1", "v2", "v3"] {
            let tag = Reference::Tag(reference.parse().unwrap());
            let gone = registry.manifest(&repository(), &tag).await;
            assert!(matches!(gone, Err(Error::ManifestUnknown { .. })));
        }
        assert!(referrers_of(registry, &subject).await.is_empty());
        let tags = registry.tags(&repository(), None, None).await.unwrap();
        assert!(tags.names.is_empty());
    };
    crash_everywhere(storage, scenario, promise).await;
}

#[tokio::test]
async fn a_referrers_list_spills_to_further_pages() {
    let machine = Machine::default();
    let registry = machine.start(&Fuse::after(ENDLESS));
    push_at_once(&registry, &small()).await.unwrap();
    let subject = Digest::sha256(b"subject");
    let count = 320;
    let mut digests = BTreeSet::new();
    for n in 0..count {
        let config = json!({"mediaType": "a/c", "digest": Digest::sha256(&small()), "size": 2});
        let document = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config,
            "subject": {"mediaType": "a/b", "digest": subject, "size": 1},
            "annotations": {"n": format!("{n:01800}")},
        });
        let bytes = Bytes::from(document.to_string());
        let push = ManifestPush {
            reference: Reference::Digest(Digest::sha256(&bytes)),
            ..tagged(bytes, "unused")
        };
        digests.insert(registry.push_manifest(push).await.unwrap().digest);
    }
    let spilled = Key::Referrers(repository(), subject.clone(), 2);
    assert!(machine.metadata.get(&spilled).await.unwrap().is_some());
    assert_eq!(referrers_of(&registry, &subject).await, digests);
    let first = digests.pop_first().unwrap();
    registry
        .delete_manifest(&repository(), &first)
        .await
        .unwrap();
    assert_eq!(referrers_of(&registry, &subject).await, digests);
}

#[tokio::test]
async fn relying_on_old_content_renews_it() {
    let machine = Machine::default();
    let mut config = Config::default();
    config.limits.grace_s = 0;
    let registry = machine.start_with(&Fuse::after(ENDLESS), &config);
    let digest = push_at_once(&registry, &small()).await.unwrap();
    let key = Key::RepositoryBlob(digest.clone(), repository());
    let entry = machine.metadata.get(&key).await.unwrap().unwrap();
    let (mut blob, content): (records::Blob, _) = records::decode(&key, &entry).unwrap();
    blob.touched_unix_s = 1;
    let aged = records::encode(&blob, &content).unwrap();
    let write = crate::storage::Write::put(key.clone(), aged);
    let batch = crate::storage::Batch::durable([write]);
    machine.metadata.write(batch).await.unwrap();

    registry.blob(&repository(), &digest).await.unwrap();
    let entry = machine.metadata.get(&key).await.unwrap().unwrap();
    let (blob, _): (records::Blob, Bytes) = records::decode(&key, &entry).unwrap();
    assert!(blob.touched_unix_s > 1);
}

#[tokio::test]
async fn records_that_have_rotted_are_not_served() {
    let machine = Machine::default();
    let registry = machine.start(&Fuse::after(ENDLESS));
    let digest = push_at_once(&registry, &small()).await.unwrap();
    let key = Key::RepositoryBlob(digest.clone(), repository());
    let entry = machine.metadata.get(&key).await.unwrap().unwrap();
    let mut rotten = entry.value.to_vec();
    *rotten.last_mut().unwrap() ^= 1;
    let write = crate::storage::Write::put(key, rotten.into());
    let batch = crate::storage::Batch::durable([write]);
    machine.metadata.write(batch).await.unwrap();
    let error = registry.blob(&repository(), &digest).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_push_revives_what_garbage_collection_took() {
    let machine = Machine::default();
    let registry = machine.start(&Fuse::after(ENDLESS));
    let digest = push_at_once(&registry, &large()).await.unwrap();
    for key in [
        Key::Blob(digest.clone()),
        Key::RepositoryBlob(digest.clone(), repository()),
    ] {
        let entry = machine.metadata.get(&key).await.unwrap().unwrap();
        let (mut blob, _): (records::Blob, Bytes) = records::decode(&key, &entry).unwrap();
        blob.state = records::State::Deleting;
        let value = records::encode(&blob, &[]).unwrap();
        let write = crate::storage::Write::put(key, value);
        let batch = crate::storage::Batch::durable([write]);
        machine.metadata.write(batch).await.unwrap();
    }
    let gone = registry.blob(&repository(), &digest).await;
    assert!(matches!(gone, Err(Error::BlobUnknown { .. })));
    let other = "b".parse().unwrap();
    let everything = crate::auth::Readable::everything();
    assert!(
        !registry
            .mount(&other, &digest, None, &everything)
            .await
            .unwrap()
    );

    push_in_two_requests(&registry, &large()).await.unwrap();
    assert_eq!(read_blob(&registry, &digest).await.unwrap(), large());
    assert!(
        registry
            .mount(&other, &digest, None, &everything)
            .await
            .unwrap()
    );
}
