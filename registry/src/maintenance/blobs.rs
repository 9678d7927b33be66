//! Blobs that no manifest refers to: first the repository loses them, then the storage.

use cairn_spec::{Digest, RepositoryName};

use super::{
    Collector,
    gc::{Found, Next},
};
use crate::{
    Result,
    records::{self, State},
    service::Read,
    storage::{Batch, Key, Prefix, Version, Write},
};

/// A blob whose record says that its content is being deleted.
#[derive(Debug)]
pub(super) struct Condemned {
    key: Key,
    blob: records::Blob,
    version: Version,
}

/// Whether a repository has to keep a blob.
enum Membership {
    /// It does not hold it.
    None,
    /// A manifest refers to it.
    Referenced,
    /// Somebody may be about to refer to it.
    Young {
        due_unix_s: u64,
    },
    Unused(Read),
}

/// Whether the storage has to keep a blob.
enum Standing {
    /// It does not hold it.
    None,
    /// A repository holds it.
    Held,
    /// Somebody may be about to give it to a repository.
    Young {
        due_unix_s: u64,
    },
    Unused(Read),
    /// An earlier pass began to delete it.
    Condemned(Read),
}

impl Collector {
    /// Takes an unused blob out of a repository, and condemns it if no other one holds it.
    pub(super) async fn review_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        is_referenced: bool,
    ) -> Result<Next> {
        let metadata = &self.registry.metadata;
        // What an index refers to may be a manifest.
        let manifest = Key::Manifest(repository.clone(), digest.clone());
        if metadata.get(&manifest).await?.is_some() {
            let next = self.review_manifest(repository, digest, is_referenced);
            if let later @ Next::Later { .. } = next.await? {
                return Ok(later);
            }
        }
        match self.membership(repository, digest, is_referenced).await? {
            Membership::None => {}
            Membership::Referenced => return Ok(Next::Settled),
            Membership::Young { due_unix_s } => return Ok(Next::Later { due_unix_s }),
            Membership::Unused(member) => {
                let key = Key::RepositoryBlob(digest.clone(), repository.clone());
                let write = Write::delete_if(key, member.entry.version);
                metadata.write(Batch::eventual([write])).await?;
                let tally = &self.registry.tally;
                tally.add(|progress| progress.memberships += 1);
            }
        }
        match self.standing(digest, None).await? {
            Standing::None | Standing::Held => Ok(Next::Settled),
            Standing::Young { due_unix_s } => Ok(Next::Later { due_unix_s }),
            Standing::Unused(read) => self.condemn(digest, read).await.map(Next::Delete),
            Standing::Condemned(read) => Ok(Next::Delete(Condemned {
                key: Key::Blob(digest.clone()),
                blob: read.blob,
                version: read.entry.version,
            })),
        }
    }

    /// Writes down that a blob's content is being deleted: from here on, nobody relies on it.
    async fn condemn(&self, digest: &Digest, read: Read) -> Result<Condemned> {
        let key = Key::Blob(digest.clone());
        let mut blob = read.blob;
        blob.state = State::Deleting;
        let value = records::encode(&blob, &[])?;
        let write = Write::put_if(key.clone(), read.entry.version, value);
        let written = self.registry.metadata.write(Batch::eventual([write]));
        let version = written.await?.into_iter().next().flatten();
        Ok(Condemned {
            key,
            blob,
            version: version.ok_or(crate::Error::Closed)?,
        })
    }

    /// Deletes what was condemned: the payload, then the record, then nothing is left of it.
    pub(super) async fn delete_content(&self, condemned: Condemned) -> Result<()> {
        let registry = &self.registry;
        registry.delete_condemned(&condemned.blob).await?;
        let write = Write::delete_if(condemned.key, condemned.version);
        registry.metadata.write(Batch::eventual([write])).await?;
        registry.tally.add(|progress| {
            progress.blobs += 1;
            progress.blob_bytes += condemned.blob.size_bytes;
        });
        Ok(())
    }

    /// Why a blob would be collected, if it would.
    pub(super) async fn explain_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        is_referenced: bool,
    ) -> Result<Option<Found>> {
        let found = |read: Read, reason| Found {
            kind: "blob",
            repository: Some(repository.clone()),
            name: digest.to_string(),
            size_bytes: read.blob.size_bytes,
            since_unix_s: read.blob.touched_unix_s,
            reason,
        };
        let membership = self.membership(repository, digest, is_referenced).await?;
        let member = match membership {
            Membership::Referenced | Membership::Young { .. } => return Ok(None),
            Membership::Unused(read) => Some(read),
            Membership::None => None,
        };
        let standing = self.standing(digest, Some(repository)).await?;
        Ok(match (member, standing) {
            (Some(member), Standing::Held) => {
                let reason = "no manifest of the repository refers to it; others hold it, too";
                Some(found(member, reason))
            }
            (Some(member), _) => Some(found(member, "no manifest refers to it")),
            (None, Standing::Unused(read) | Standing::Condemned(read)) => {
                Some(found(read, "no repository holds it"))
            }
            (None, _) => None,
        })
    }

    async fn membership(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        is_referenced: bool,
    ) -> Result<Membership> {
        let key = Key::RepositoryBlob(digest.clone(), repository.clone());
        Ok(match self.registry.read_any(&key).await? {
            None => Membership::None,
            Some(_) if is_referenced => Membership::Referenced,
            Some(read) => match self.due_later(read.blob.touched_unix_s) {
                Some(due_unix_s) => Membership::Young { due_unix_s },
                None => Membership::Unused(read),
            },
        })
    }

    /// Looks at a blob, and only then at who holds it: whoever joins touches the blob first.
    async fn standing(&self, digest: &Digest, except: Option<&RepositoryName>) -> Result<Standing> {
        let Some(read) = self.registry.read_any(&Key::Blob(digest.clone())).await? else {
            return Ok(Standing::None);
        };
        if read.blob.state == State::Deleting {
            return Ok(Standing::Condemned(read));
        }
        if let Some(due_unix_s) = self.due_later(read.blob.touched_unix_s) {
            return Ok(Standing::Young { due_unix_s });
        }
        let prefix = Prefix::BlobRepositories(digest.clone());
        let holders = self.registry.metadata.list(&prefix, None, 2).await?;
        let except = except.map(RepositoryName::as_str);
        let is_held = holders.iter().any(|holder| Some(holder.as_str()) != except);
        Ok(if is_held {
            Standing::Held
        } else {
            Standing::Unused(read)
        })
    }
}
