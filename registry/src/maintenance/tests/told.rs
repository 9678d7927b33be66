//! A client that remembers what it was told, so that nothing of it is taken back by a crash.

use std::{cell::RefCell, collections::BTreeMap};

use bytes::Bytes;
use cairn_spec::{Digest, DigestAlgorithm, RepositoryName, Tag};

use super::world::{body, holds, name, push, push_blob};
use crate::{
    Result,
    auth::Readable,
    service::{Reference, Registry},
};

/// What a client can be told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fact {
    Blob(RepositoryName, Digest),
    Manifest(RepositoryName, Digest),
    Tag(RepositoryName, Tag, Digest),
    /// Of a subject.
    Referrer(RepositoryName, Digest, Digest),
    /// Under its identifier, so many bytes.
    Upload(RepositoryName, String, u64),
}

/// What was acknowledged: that it is there, or that it is gone. What is under way is neither.
#[derive(Debug, Default)]
pub(super) struct Told(RefCell<BTreeMap<Fact, bool>>);

/// A client of one process.
pub(super) struct Client<'a> {
    pub(super) registry: &'a Registry,
    pub(super) told: &'a Told,
}

impl Told {
    fn doubt(&self, is_doubtful: impl Fn(&Fact) -> bool) {
        self.0.borrow_mut().retain(|fact, _| !is_doubtful(fact));
    }

    fn tell(&self, fact: Fact, is_there: bool) {
        self.0.borrow_mut().insert(fact, is_there);
    }

    /// Everything is as it was told.
    pub(super) async fn assert_kept(&self, registry: &Registry) {
        let facts = self.0.borrow().clone();
        for (fact, expected) in facts {
            let is_there = match &fact {
                Fact::Blob(repository, digest) => registry.blob(repository, digest).await.is_ok(),
                Fact::Manifest(repository, digest) => holds(registry, repository, digest).await,
                Fact::Tag(repository, tag, digest) => {
                    let tag = Reference::Tag(tag.clone());
                    let stored = registry.manifest(repository, &tag).await;
                    stored.is_ok_and(|stored| stored.digest == *digest)
                }
                Fact::Referrer(repository, subject, referrer) => {
                    let listed = registry.listed_referrers(repository, subject).await;
                    listed.unwrap().contains(referrer)
                }
                Fact::Upload(repository, id, received_bytes) => {
                    let id = id.parse().unwrap();
                    let status = registry.upload_status(repository, &id).await;
                    status.unwrap().received_bytes >= *received_bytes
                }
            };
            assert_eq!(is_there, expected, "{fact:?}");
        }
    }
}

impl Client<'_> {
    pub(super) async fn push_blob(&self, to: &str, content: &Bytes) -> Result<Digest> {
        let digest = push_blob(self.registry, &name(to), content).await?;
        self.told.tell(Fact::Blob(name(to), digest.clone()), true);
        Ok(digest)
    }

    /// Uploads in pieces, looks where the upload stands between them, and ends it with the last.
    pub(super) async fn push_pieces(&self, to: &str, pieces: &[Bytes]) -> Result<Digest> {
        let (repository, registry) = (name(to), self.registry);
        let (last, first) = pieces.split_last().expect("there is a piece");
        let upload = registry
            .start_upload(&repository, DigestAlgorithm::Sha256)
            .await?;
        let id = &upload.id;
        for piece in first {
            let mut chunks = body(piece);
            let appended = registry.append(&repository, id, None, &mut chunks);
            let received_bytes = appended.await?.received_bytes;
            let status = registry.upload_status(&repository, id).await?;
            assert_eq!(status.received_bytes, received_bytes);
            let fact = Fact::Upload(repository.clone(), id.to_string(), received_bytes);
            self.told.tell(fact, true);
        }
        let digest = Digest::sha256(&pieces.concat());
        self.told.doubt(|fact| matches!(fact, Fact::Upload(..)));
        registry
            .finish(&repository, id, &digest, (None, &mut body(last)))
            .await?;
        self.told.tell(Fact::Blob(repository, digest.clone()), true);
        Ok(digest)
    }

    /// Begins an upload and ends it without a blob.
    pub(super) async fn cancel(&self, to: &str, piece: &Bytes) -> Result<()> {
        let (repository, registry) = (name(to), self.registry);
        let upload = registry
            .start_upload(&repository, DigestAlgorithm::Sha256)
            .await?;
        registry
            .append(&repository, &upload.id, None, &mut body(piece))
            .await?;
        registry.cancel_upload(&repository, &upload.id).await
    }

    /// Begins an upload and leaves it.
    pub(super) async fn leave(&self, to: &str, piece: &Bytes) -> Result<()> {
        let (repository, registry) = (name(to), self.registry);
        let upload = registry
            .start_upload(&repository, DigestAlgorithm::Sha256)
            .await?;
        registry
            .append(&repository, &upload.id, None, &mut body(piece))
            .await
            .map(drop)
    }

    pub(super) async fn mount(&self, from: &str, to: &str, digest: &Digest) -> Result<()> {
        let (from, to) = (name(from), name(to));
        let mounted = self
            .registry
            .mount(&to, digest, Some(&from), &Readable::everything())
            .await?;
        assert!(mounted);
        self.told.tell(Fact::Blob(to, digest.clone()), true);
        Ok(())
    }

    /// Pushes a manifest, under a tag or its digest.
    pub(super) async fn push(
        &self,
        to: &str,
        bytes: &Bytes,
        tag: Option<&str>,
        subject: Option<&Digest>,
    ) -> Result<Digest> {
        let repository = name(to);
        if let Some(moved) = tag {
            self.told.doubt(
                |fact| matches!(fact, Fact::Tag(to, tag, _) if *to == repository && tag.as_str() == moved),
            );
        }
        // What was deleted may come back.
        let expected = Digest::sha256(bytes);
        self.told.doubt(|fact| concerns(fact, &expected));
        let digest = push(self.registry, &repository, bytes, tag).await?;
        self.told
            .tell(Fact::Manifest(repository.clone(), digest.clone()), true);
        if let Some(tag) = tag {
            let fact = Fact::Tag(repository.clone(), tag.parse().unwrap(), digest.clone());
            self.told.tell(fact, true);
        }
        if let Some(subject) = subject {
            let fact = Fact::Referrer(repository, subject.clone(), digest.clone());
            self.told.tell(fact, true);
        }
        Ok(digest)
    }

    pub(super) async fn delete_tag(&self, from: &str, tag: &str, digest: &Digest) -> Result<()> {
        let fact = Fact::Tag(name(from), tag.parse().unwrap(), digest.clone());
        self.told.doubt(|other| *other == fact);
        let tag = tag.parse().unwrap();
        self.registry.delete_tag(&name(from), &tag).await?;
        self.told.tell(fact, false);
        Ok(())
    }

    pub(super) async fn delete_manifest(
        &self,
        from: &str,
        digest: &Digest,
        subject: Option<&Digest>,
    ) -> Result<()> {
        let repository = name(from);
        self.told.doubt(|fact| concerns(fact, digest));
        self.registry.delete_manifest(&repository, digest).await?;
        self.told
            .tell(Fact::Manifest(repository.clone(), digest.clone()), false);
        if let Some(subject) = subject {
            let fact = Fact::Referrer(repository, subject.clone(), digest.clone());
            self.told.tell(fact, false);
        }
        Ok(())
    }

    pub(super) async fn delete_blob(&self, from: &str, digest: &Digest) -> Result<()> {
        let fact = Fact::Blob(name(from), digest.clone());
        self.told.doubt(|other| *other == fact);
        self.registry.delete_blob(&name(from), digest).await?;
        self.told.tell(fact, false);
        Ok(())
    }
}

/// The fact is about a manifest, or what follows from it.
fn concerns(fact: &Fact, manifest: &Digest) -> bool {
    match fact {
        Fact::Manifest(_, digest) | Fact::Tag(_, _, digest) | Fact::Referrer(_, _, digest) => {
            digest == manifest
        }
        Fact::Blob(..) | Fact::Upload(..) => false,
    }
}
