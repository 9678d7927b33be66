//! What is in a registry before it is read: the same content in each.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use cairn_spec::Digest;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{Method, StatusCode};

use super::{
    connection::{Connection, Payload},
    content::{self, Artifact, Content, LargeBlob},
    load::{self, Load, SMALL_BLOB_BYTES},
    target::Target,
    workload::{Needs, Workload},
};

/// Images that manifests are read of, in turn.
const IMAGES: usize = 64;
/// Stored manifests in each repository, and how many of all are read in turn: more than any
/// registry's cache would keep by chance.
const STORED_IN_ONE: usize = 1000;
const STORED_READ: usize = 20_000;
/// Entries of a page.
const PAGE: usize = 100;
/// Connections that put content there.
const FILLING: usize = 16;
/// One of so many referrers has the type that is filtered by.
const RARE: usize = 10;
const RARE_TYPE: &str = "application/vnd.example.rare";
const COMMON_TYPE: &str = "application/vnd.example.common";

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) blob_bytes: u64,
    pub(crate) tags: usize,
    pub(crate) referrers_1k: usize,
    pub(crate) referrers_10k: usize,
    pub(crate) repositories: usize,
    /// Manifests among which those are that are read; 0 stands for the few images.
    pub(crate) stored: usize,
}

impl Sizes {
    /// Lists are `scale` times as long as the protocol has them.
    pub(crate) fn scaled(scale: f64, blob_mib: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "both are positive, and a size need not be exact"
        )]
        let scaled = |size: f64| (size * scale).ceil() as usize;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and need not be exact"
        )]
        let blob_bytes = (blob_mib * 1024.0 * 1024.0).ceil() as u64;
        Self {
            blob_bytes,
            tags: scaled(10_000.0),
            referrers_1k: scaled(1_000.0),
            referrers_10k: scaled(10_000.0),
            repositories: scaled(1_000.0),
            stored: 0,
        }
    }
}

/// All content of a run.
#[derive(Debug)]
pub(crate) struct Fixtures {
    content: Content,
    sizes: Sizes,
    images: Vec<Artifact>,
    large_blob: Option<LargeBlob>,
}

impl Fixtures {
    pub(crate) fn new(content: Content, sizes: Sizes) -> Self {
        let image = |number| content.artifact(&format!("image/{number}"), SMALL_BLOB_BYTES);
        Self {
            images: (0..IMAGES).map(image).collect(),
            content,
            sizes,
            large_blob: None,
        }
    }

    /// A repository of this run.
    fn repository(&self, name: &str) -> String {
        format!("bench/{:x}/{name}", self.content.seed())
    }

    /// Puts content there.
    pub(crate) async fn fill(&mut self, target: &Target, needs: Needs) -> Result<()> {
        match needs {
            Needs::Nothing | Needs::Process => Ok(()),
            Needs::Images if self.sizes.stored > 0 => self.fill_stored(target).await,
            Needs::Images => {
                let mut connection = Connection::open(target).await?;
                let repository = self.repository("images");
                for (number, image) in self.images.iter().enumerate() {
                    let tag = format!("v{number}");
                    load::push_artifact(&mut connection, &repository, image, &tag).await?;
                }
                Ok(())
            }
            Needs::LargeBlob => {
                let size_bytes = self.sizes.blob_bytes;
                let content = &self.content;
                let make = || content.large_blob("large", size_bytes);
                let blob = self.large_blob.get_or_insert_with(make).clone();
                let mut connection = Connection::open(target).await?;
                let repository = self.repository("large");
                load::push_large_blob(&mut connection, &repository, &blob, false).await
            }
            Needs::Tags => {
                let repository = self.repository("tags");
                let image = &self.images[0];
                let mut connection = Connection::open(target).await?;
                load::push_artifact(&mut connection, &repository, image, "v00000").await?;
                let tags = (0..self.sizes.tags).map(|number| format!("v{number:05}"));
                let manifests = tags.map(|tag| (tag, image.manifest.clone()));
                put_manifests(target, &repository, manifests.collect()).await
            }
            Needs::Referrers1k => self.fill_referrers(target, self.sizes.referrers_1k).await,
            Needs::Referrers10k => self.fill_referrers(target, self.sizes.referrers_10k).await,
            Needs::Repositories => {
                let mut connection = Connection::open(target).await?;
                for number in 0..self.sizes.repositories {
                    let repository = self.repository(&format!("many/{number:05}"));
                    let image = &self.images[0];
                    load::push_artifact(&mut connection, &repository, image, "v1").await?;
                }
                Ok(())
            }
        }
    }

    /// Puts many manifests there, a few repositories at a time.
    async fn fill_stored(&self, target: &Target) -> Result<()> {
        let repositories = 0..self.sizes.stored.div_ceil(STORED_IN_ONE);
        stream::iter(repositories)
            .map(|repository| self.fill_stored_repository(target, repository))
            .buffer_unordered(FILLING)
            .try_collect()
            .await
    }

    async fn fill_stored_repository(&self, target: &Target, number: usize) -> Result<()> {
        let first = number * STORED_IN_ONE;
        let numbers = first..self.sizes.stored.min(first + STORED_IN_ONE);
        let mut connection = Connection::open(target).await?;
        let last = self.stored(numbers.end - 1);
        let there = connection
            .send(Method::HEAD, &last.path(false), &[], Payload::empty())
            .await?;
        if there.status == StatusCode::OK {
            return Ok(());
        }
        let blob = self.content.blob("stored", SMALL_BLOB_BYTES);
        load::push_blob(&mut connection, &last.repository, &blob).await?;
        for number in numbers {
            let stored = self.stored(number);
            let (repository, tag) = (&stored.repository, &stored.tag);
            load::put_manifest(&mut connection, repository, tag, &stored.manifest).await?;
        }
        Ok(())
    }

    fn stored(&self, number: usize) -> StoredManifest {
        let blob = self.content.blob("stored", SMALL_BLOB_BYTES);
        StoredManifest {
            repository: self.repository(&format!("stored/{:06}", number / STORED_IN_ONE)),
            tag: format!("v{:03}", number % STORED_IN_ONE),
            manifest: content::numbered(&blob, number),
        }
    }

    async fn fill_referrers(&self, target: &Target, referrers: usize) -> Result<()> {
        let repository = self.repository("referrers");
        let subject = self.subject(referrers);
        let mut connection = Connection::open(target).await?;
        load::push_artifact(&mut connection, &repository, &subject, "subject").await?;
        // A registry without this interface is known before it is filled.
        connection
            .get(&self.referrers_path(referrers))
            .await?
            .expect(StatusCode::OK, "listing referrers")?;
        let blob = self.content.blob("referrer", SMALL_BLOB_BYTES);
        load::push_blob(&mut connection, &repository, &blob).await?;
        let manifests = (0..referrers).map(|number| {
            let artifact_type = if number % RARE == 0 {
                RARE_TYPE
            } else {
                COMMON_TYPE
            };
            let manifest = content::referrer(&subject, &blob, artifact_type, number);
            (Digest::sha256(&manifest).to_string(), manifest)
        });
        put_manifests(target, &repository, manifests.collect()).await
    }

    /// What a number of referrers refer to.
    fn subject(&self, referrers: usize) -> Artifact {
        let name = format!("subject/{referrers}");
        self.content.artifact(&name, SMALL_BLOB_BYTES)
    }

    fn referrers_path(&self, referrers: usize) -> String {
        let subject = Digest::sha256(&self.subject(referrers).manifest);
        format!("/v2/{}/referrers/{subject}", self.repository("referrers"))
    }

    /// One measurement's load. `number` tells measurements apart, so that none repeats a push.
    pub(crate) fn load(&self, workload: Workload, number: usize) -> Result<Load> {
        let read = |paths| Load::Read {
            method: Method::GET,
            paths,
        };
        let head = |paths| Load::Read {
            method: Method::HEAD,
            paths,
        };
        let tags = format!("/v2/{}/tags/list", self.repository("tags"));
        let sizes = &self.sizes;
        Ok(match workload {
            Workload::PushSmall => Load::PushArtifacts {
                content: self.content.clone(),
                repository: self.repository("small"),
                name: format!("m{number}"),
            },
            Workload::PushLarge | Workload::PushChunked => Load::PushBlob {
                blob: self
                    .content
                    .large_blob(&format!("push/{number}"), sizes.blob_bytes),
                repository: self.repository("pushed"),
                in_chunks: workload == Workload::PushChunked,
            },
            Workload::PullLarge => Load::Pull {
                path: self.blob_path()?,
            },
            Workload::PullRange => Load::ReadRanges {
                path: self.blob_path()?,
                size_bytes: sizes.blob_bytes,
            },
            Workload::ManifestGetTag => read(self.image_paths(false)),
            Workload::ManifestGetDigest => read(self.image_paths(true)),
            Workload::ManifestHeadTag => head(self.image_paths(false)),
            Workload::ManifestHeadDigest => head(self.image_paths(true)),
            Workload::TagsAll => read(vec![tags]),
            Workload::TagsFirst => read(vec![format!("{tags}?n={PAGE}")]),
            Workload::TagsMiddle => {
                read(vec![format!("{tags}?n={PAGE}&last=v{:05}", sizes.tags / 2)])
            }
            Workload::Referrers1k => read(vec![self.referrers_path(sizes.referrers_1k)]),
            Workload::Referrers10k => read(vec![self.referrers_path(sizes.referrers_10k)]),
            Workload::ReferrersFiltered => {
                let path = self.referrers_path(sizes.referrers_10k);
                read(vec![format!("{path}?artifactType={RARE_TYPE}")])
            }
            Workload::Catalog => read(vec![format!("/v2/_catalog?n={PAGE}")]),
            Workload::ColdStart | Workload::IdleMemory => bail!("this is no load"),
        })
    }

    fn image_paths(&self, by_digest: bool) -> Vec<String> {
        if self.sizes.stored > 0 {
            let read = self.sizes.stored.min(STORED_READ);
            let spread = (0..read).map(|place| place * self.sizes.stored / read);
            return spread
                .map(|number| self.stored(number).path(by_digest))
                .collect();
        }
        let repository = self.repository("images");
        let images = self.images.iter().enumerate();
        let references = images.map(|(number, image)| {
            if by_digest {
                Digest::sha256(&image.manifest).to_string()
            } else {
                format!("v{number}")
            }
        });
        references
            .map(|reference| format!("/v2/{repository}/manifests/{reference}"))
            .collect()
    }

    fn blob_path(&self) -> Result<String> {
        let blob = self.large_blob.as_ref().context("no large blob was made")?;
        Ok(format!(
            "/v2/{}/blobs/{}",
            self.repository("large"),
            blob.digest
        ))
    }
}

/// One of many manifests.
struct StoredManifest {
    repository: String,
    tag: String,
    manifest: Bytes,
}

impl StoredManifest {
    fn path(&self, by_digest: bool) -> String {
        let reference = if by_digest {
            Digest::sha256(&self.manifest).to_string()
        } else {
            self.tag.clone()
        };
        format!("/v2/{}/manifests/{reference}", self.repository)
    }
}

/// Puts many manifests over a few connections.
async fn put_manifests(
    target: &Target,
    repository: &str,
    manifests: Vec<(String, Bytes)>,
) -> Result<()> {
    let mut shares = vec![Vec::new(); FILLING];
    for (number, manifest) in manifests.into_iter().enumerate() {
        shares[number % FILLING].push(manifest);
    }
    stream::iter(shares)
        .map(|share| async move {
            let mut connection = Connection::open(target).await?;
            for (reference, manifest) in share {
                load::put_manifest(&mut connection, repository, &reference, &manifest).await?;
            }
            Ok(())
        })
        .buffer_unordered(FILLING)
        .try_collect()
        .await
}
