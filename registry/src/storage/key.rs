//! Every key of both stores, and the only place that spells one.
//!
//! `:` never occurs in a repository name, so `/:/` ends one unambiguously although names contain
//! slashes.

use std::{fmt, str::FromStr};

use cairn_spec::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// The key of a payload: opaque, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PayloadKey(pub Ulid);

impl PayloadKey {
    /// The two hexadecimal digits that spread payloads over 256 directories: taken from the
    /// random end of the identifier, for its beginning is a clock.
    pub fn shard(self) -> String {
        format!("{:02x}", self.0.0 & 0xff)
    }
}

impl fmt::Display for PayloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data/{}/{}", self.shard(), self.0)
    }
}

/// The key of a record. The comment on each variant names the record's type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A blob's payload (`records::Blob`): creating it is what publishes content.
    Blob(Digest),
    /// A blob's membership in a repository (`records::Blob`, the same fields).
    RepositoryBlob(Digest, RepositoryName),
    /// A manifest with its bytes (`records::Manifest`).
    Manifest(RepositoryName, Digest),
    /// A tag (`records::Tag`).
    Tag(RepositoryName, Tag),
    /// A hint that a tag may point to a manifest (`records::TagHint`). Written before the tag,
    /// removed after it.
    ManifestTag(RepositoryName, Digest, Tag),
    /// The referrers of a subject (`records::Referrers`). Page 0 is the newest; full
    /// pages move to 1, 2, ….
    Referrers(RepositoryName, Digest, u32),
    /// What the trust policy says of a manifest (`records::Verdict`).
    Verdict(RepositoryName, Digest),
    /// A repository (`records::Repository`).
    Repository(RepositoryName),
    /// How much a repository holds, if a quota covers it (`records::Usage`).
    Usage(RepositoryName),
    /// How much the repositories hold that the quota of this name covers (`records::QuotaUsage`).
    QuotaUsage(String),
    /// When manifests of a repository were pulled whose digests begin with a digit, if a
    /// retention rule asks for it (`records::PullTimes`).
    Pulls(RepositoryName, char),
    /// An upload under way (`records::Upload`).
    Upload(Ulid),
    /// An event that waits to be delivered to a webhook (`records::Delivery`).
    Delivery(String, Ulid),
    /// An event that a webhook never took (`records::Delivery`).
    DeadLetter(String, Ulid),
    /// Something garbage collection shall look at, in order of `due_unix_s`; empty, or the subject
    /// of a [`Candidate::Referrer`].
    Candidate {
        /// The earliest time to look at it, in seconds since 1970.
        due_unix_s: u64,
        /// What to look at.
        candidate: Candidate,
    },
    /// A record of the registry itself, one of each name.
    System(&'static str),
    /// Who does a task that one replica at a time shall do (`maintenance::lease`).
    Lease(Task),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob(digest) => write!(f, "blob/{}", slashed(digest)),
            Self::RepositoryBlob(digest, repository) => {
                write!(
                    f,
                    "{}{repository}",
                    Prefix::BlobRepositories(digest.clone())
                )
            }
            Self::Manifest(repository, digest) => {
                write!(f, "{}{digest}", Prefix::Manifests(repository.clone()))
            }
            Self::Tag(repository, tag) => write!(f, "{}{tag}", Prefix::Tags(repository.clone())),
            Self::ManifestTag(repository, digest, tag) => {
                let prefix = Prefix::ManifestTags(repository.clone(), digest.clone());
                write!(f, "{prefix}{tag}")
            }
            Self::Referrers(repository, subject, 0) => write!(f, "ref/{repository}/:/{subject}"),
            Self::Referrers(repository, subject, page) => {
                write!(f, "ref/{repository}/:/{subject}/{page:08}")
            }
            Self::Verdict(repository, digest) => write!(f, "trust/{repository}/:/{digest}"),
            Self::Repository(repository) => write!(f, "{}{repository}", Prefix::Repositories),
            Self::Usage(repository) => write!(f, "{}{repository}", Prefix::Usages),
            Self::QuotaUsage(quota) => write!(f, "quota/{quota}"),
            Self::Pulls(repository, digit) => {
                write!(f, "{}{digit}", Prefix::Pulls(repository.clone()))
            }
            Self::Upload(id) => write!(f, "{}{id}", Prefix::Uploads),
            Self::Delivery(webhook, event) => {
                write!(f, "{}{event}", Prefix::Deliveries(webhook.clone()))
            }
            Self::DeadLetter(webhook, event) => {
                write!(f, "{}{webhook}/{event}", Prefix::DeadLetters)
            }
            Self::Candidate {
                due_unix_s,
                candidate,
            } => write!(f, "{}{due_unix_s:012}/{candidate}", Prefix::Candidates),
            Self::System(name) => write!(f, "sys/{name}"),
            Self::Lease(Task::Garbage(shard)) => write!(f, "lease/gc/{shard:02x}"),
            Self::Lease(Task::Retention) => f.write_str("lease/retention"),
            Self::Lease(Task::Recount) => f.write_str("lease/quotas"),
            Self::Lease(Task::Mirror(place)) => write!(f, "lease/mirror/{place:02x}"),
        }
    }
}

impl FromStr for Key {
    type Err = ();

    /// Reads what `Display` wrote, except the names of leases and of the registry's own records,
    /// which are never listed.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (family, rest) = text.split_once('/').ok_or(())?;
        let scoped = || rest.split_once("/:/").ok_or(());
        Ok(match family {
            "blob" => Self::Blob(unslashed(rest)?),
            "bref" => {
                let (algorithm, rest) = rest.split_once('/').ok_or(())?;
                let (hex, repository) = rest.split_once('/').ok_or(())?;
                let digest = unslashed(&format!("{algorithm}/{hex}"))?;
                Self::RepositoryBlob(digest, parsed(repository)?)
            }
            "man" => {
                let (repository, digest) = scoped()?;
                Self::Manifest(parsed(repository)?, parsed(digest)?)
            }
            "tag" => {
                let (repository, tag) = scoped()?;
                Self::Tag(parsed(repository)?, parsed(tag)?)
            }
            "mtag" => {
                let (repository, rest) = scoped()?;
                let (digest, tag) = rest.split_once('/').ok_or(())?;
                Self::ManifestTag(parsed(repository)?, parsed(digest)?, parsed(tag)?)
            }
            "ref" => {
                let (repository, rest) = scoped()?;
                let (subject, page) = rest.split_once('/').unwrap_or((rest, "0"));
                Self::Referrers(parsed(repository)?, parsed(subject)?, parsed(page)?)
            }
            "trust" => {
                let (repository, digest) = scoped()?;
                Self::Verdict(parsed(repository)?, parsed(digest)?)
            }
            "repo" => Self::Repository(parsed(rest)?),
            "use" => Self::Usage(parsed(rest)?),
            "pull" => {
                let (repository, digit) = scoped()?;
                Self::Pulls(parsed(repository)?, parsed(digit)?)
            }
            "up" => Self::Upload(parsed(rest)?),
            "gcq" => {
                let (due_unix_s, candidate) = rest.split_once('/').ok_or(())?;
                Self::Candidate {
                    due_unix_s: parsed(due_unix_s)?,
                    candidate: parsed(candidate)?,
                }
            }
            _ => return Err(()),
        })
    }
}

/// What one replica at a time does beside the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// One part of the garbage collection.
    Garbage(u8),
    /// Counting what repositories hold.
    Recount,
    /// Applying the rules of retention.
    Retention,
    /// Running a mirror, by its place in the configuration.
    Mirror(u8),
}

/// What garbage collection shall look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Candidate {
    /// A blob in a repository that may have lost its last reference, or never had one.
    Blob(RepositoryName, Digest),
    /// A manifest that may have lost its last tag.
    Manifest(RepositoryName, Digest),
    /// A manifest whose entry among its subject's referrers may be missing or left over.
    Referrer(RepositoryName, Digest),
}

impl Candidate {
    /// The repository to look at it in.
    pub fn repository(&self) -> &RepositoryName {
        match self {
            Self::Blob(repository, _)
            | Self::Manifest(repository, _)
            | Self::Referrer(repository, _) => repository,
        }
    }

    /// The content's digest.
    pub fn digest(&self) -> &Digest {
        match self {
            Self::Blob(_, digest) | Self::Manifest(_, digest) | Self::Referrer(_, digest) => digest,
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, repository, digest) = match self {
            Self::Blob(repository, digest) => ("blob", repository, digest),
            Self::Manifest(repository, digest) => ("manifest", repository, digest),
            Self::Referrer(repository, digest) => ("referrer", repository, digest),
        };
        write!(f, "{kind}/{repository}/:/{digest}")
    }
}

impl FromStr for Candidate {
    type Err = ();

    /// Reads what `Display` wrote.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, rest) = text.split_once('/').ok_or(())?;
        let (repository, digest) = rest.split_once("/:/").ok_or(())?;
        let repository = repository.parse().map_err(drop)?;
        let digest = digest.parse().map_err(drop)?;
        match kind {
            "blob" => Ok(Self::Blob(repository, digest)),
            "manifest" => Ok(Self::Manifest(repository, digest)),
            "referrer" => Ok(Self::Referrer(repository, digest)),
            _ => Err(()),
        }
    }
}

/// A family of keys that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// The repositories that hold a blob.
    BlobRepositories(Digest),
    /// The manifests of a repository.
    Manifests(RepositoryName),
    /// The tags of a repository.
    Tags(RepositoryName),
    /// The tags that may point to a manifest.
    ManifestTags(RepositoryName, Digest),
    /// All repositories.
    Repositories,
    /// How much each repository holds that a quota covers.
    Usages,
    /// When manifests of a repository were pulled.
    Pulls(RepositoryName),
    /// All uploads under way.
    Uploads,
    /// The events that wait to be delivered to a webhook.
    Deliveries(String),
    /// The events that webhooks never took, as `<webhook>/<event>`.
    DeadLetters,
    /// All candidates of garbage collection.
    Candidates,
    /// All records of one kind, in all repositories; only maintenance lists them.
    Family(Family),
}

/// A kind of record that is spread over repositories or digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// [`Key::Blob`].
    Blobs,
    /// [`Key::RepositoryBlob`].
    Memberships,
    /// [`Key::Manifest`].
    Manifests,
    /// [`Key::Tag`].
    Tags,
    /// [`Key::ManifestTag`].
    TagHints,
    /// [`Key::Referrers`].
    Referrers,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlobRepositories(digest) => write!(f, "bref/{}/", slashed(digest)),
            Self::Manifests(repository) => write!(f, "man/{repository}/:/"),
            Self::Tags(repository) => write!(f, "tag/{repository}/:/"),
            Self::ManifestTags(repository, digest) => write!(f, "mtag/{repository}/:/{digest}/"),
            Self::Repositories => f.write_str("repo/"),
            Self::Usages => f.write_str("use/"),
            Self::Pulls(repository) => write!(f, "pull/{repository}/:/"),
            Self::Deliveries(webhook) => write!(f, "out/{webhook}/"),
            Self::DeadLetters => f.write_str("dead/"),
            Self::Uploads => f.write_str("up/"),
            Self::Candidates => f.write_str("gcq/"),
            Self::Family(family) => f.write_str(match family {
                Family::Blobs => "blob/",
                Family::Memberships => "bref/",
                Family::Manifests => "man/",
                Family::Tags => "tag/",
                Family::TagHints => "mtag/",
                Family::Referrers => "ref/",
            }),
        }
    }
}

/// A digest as two path components.
fn slashed(digest: &Digest) -> String {
    format!("{}/{}", digest.algorithm().as_str(), digest.hex())
}

fn unslashed(text: &str) -> Result<Digest, ()> {
    parsed(&text.replacen('/', ":", 1))
}

fn parsed<T: FromStr>(text: &str) -> Result<T, ()> {
    text.parse().map_err(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelled_as_documented() {
        let repository: RepositoryName = "a/b".parse().unwrap();
        let digest = Digest::sha256(b"");
        let tag: Tag = "v1".parse().unwrap();
        let hex = digest.hex();
        let candidate = Candidate::Blob(repository.clone(), digest.clone());
        for (key, expected) in [
            (Key::Blob(digest.clone()), format!("blob/sha256/{hex}")),
            (
                Key::RepositoryBlob(digest.clone(), repository.clone()),
                format!("bref/sha256/{hex}/a/b"),
            ),
            (
                Key::Manifest(repository.clone(), digest.clone()),
                format!("man/a/b/:/sha256:{hex}"),
            ),
            (
                Key::Tag(repository.clone(), tag.clone()),
                "tag/a/b/:/v1".to_owned(),
            ),
            (
                Key::ManifestTag(repository.clone(), digest.clone(), tag),
                format!("mtag/a/b/:/sha256:{hex}/v1"),
            ),
            (
                Key::Referrers(repository.clone(), digest.clone(), 0),
                format!("ref/a/b/:/sha256:{hex}"),
            ),
            (
                Key::Referrers(repository.clone(), digest.clone(), 7),
                format!("ref/a/b/:/sha256:{hex}/00000007"),
            ),
            (
                Key::Verdict(repository.clone(), digest.clone()),
                format!("trust/a/b/:/sha256:{hex}"),
            ),
            (Key::Repository(repository.clone()), "repo/a/b".to_owned()),
            (Key::Usage(repository.clone()), "use/a/b".to_owned()),
            (Key::Pulls(repository, '7'), "pull/a/b/:/7".to_owned()),
            (
                Key::Candidate {
                    due_unix_s: 5,
                    candidate: candidate.clone(),
                },
                format!("gcq/000000000005/blob/a/b/:/sha256:{hex}"),
            ),
        ] {
            assert_eq!(key.to_string(), expected);
            assert_eq!(expected.parse(), Ok(key));
        }
        assert_eq!(Key::System("probe").to_string(), "sys/probe");
        let lease = Key::Lease(Task::Garbage(10));
        assert_eq!(lease.to_string(), "lease/gc/0a");
        assert_eq!(Key::Lease(Task::Recount).to_string(), "lease/quotas");
        assert_eq!(Key::Lease(Task::Retention).to_string(), "lease/retention");
        let lease = Key::Lease(Task::Mirror(1));
        assert_eq!(lease.to_string(), "lease/mirror/01");
        assert_eq!(Key::QuotaUsage("q".into()).to_string(), "quota/q");
        assert_eq!(candidate.to_string().parse(), Ok(candidate));
    }
}
