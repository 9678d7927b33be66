//! Copies a graph of content (an index, its manifests, their blobs, and what refers to them)
//! between any two stores. Pull, push and mirror are this one function.

use std::collections::BTreeSet;

use cairn_spec::{Descriptor, Digest, Manifest, Tag};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    Error, limits,
    progress::{Event, Progress},
    sign::signature_tag,
    store::{Fetch, Name, Push, Resolve, SetTag, Store, VerifyReader, fetch_manifest},
};

/// How to copy.
#[derive(Debug, Clone, Default)]
pub struct CopyOptions {
    /// Copies signatures, attestations and everything else that refers to the manifests too, the
    /// legacy signature tags included.
    pub referrers: bool,
    /// The tag to set at the target; a tag that names the source is kept by default.
    pub tag: Option<Tag>,
    /// Sees the content move.
    pub progress: Progress,
}

/// What a copy did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The manifest that was copied.
    pub descriptor: Descriptor,
    /// How many blobs and manifests moved.
    pub moved: usize,
    /// How many were there already; what they contain is not counted.
    pub skipped: usize,
}

/// Copies the manifest that `name` names, and all that it needs, from one store to another.
/// Children arrive before their parents, so the target is never seen incomplete.
pub async fn copy(
    from: &impl Store,
    to: &impl Store,
    name: &Name,
    options: &CopyOptions,
) -> Result<Copied, Error> {
    let root = from.resolve(name).await?;
    let mut walk = Walk {
        from,
        to,
        options,
        seen: BTreeSet::new(),
        moved: 0,
        skipped: 0,
    };
    walk.graph(root.clone()).await?;
    let tag = match (&options.tag, name) {
        (Some(tag), _) | (None, Name::Tag(tag)) => Some(tag),
        (None, Name::Digest(_)) => None,
    };
    if let Some(tag) = tag {
        to.set_tag(&root, tag).await?;
    }
    Ok(Copied {
        descriptor: root,
        moved: walk.moved,
        skipped: walk.skipped,
    })
}

struct Walk<'a, F, T> {
    from: &'a F,
    to: &'a T,
    options: &'a CopyOptions,
    seen: BTreeSet<Digest>,
    moved: usize,
    skipped: usize,
}

/// A manifest on its way: its children come between the two steps.
enum Step {
    Enter(Descriptor),
    Leave(Descriptor, Box<Manifest>),
}

impl<F: Fetch + Resolve, T: Push + Fetch + SetTag> Walk<'_, F, T> {
    /// Copies a manifest and what is below it, and then what refers to any of them.
    async fn graph(&mut self, root: Descriptor) -> Result<(), Error> {
        let mut steps = vec![Step::Enter(root)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Enter(descriptor) => {
                    if self.seen.insert(descriptor.digest.clone()) {
                        if self.seen.len() > limits::MAX_GRAPH_MANIFESTS {
                            return Err(Error::Limit {
                                what: descriptor.digest.to_string(),
                                limit: limits::MAX_GRAPH_MANIFESTS as u64,
                                unit: "manifests",
                            });
                        }
                        self.enter(descriptor, &mut steps).await?;
                    }
                }
                Step::Leave(descriptor, manifest) => {
                    self.leave(&descriptor, &manifest).await?;
                    self.enter_referrers(&descriptor, &mut steps).await?;
                }
            }
        }
        Ok(())
    }

    async fn enter(&mut self, descriptor: Descriptor, steps: &mut Vec<Step>) -> Result<(), Error> {
        if self.to.exists(&descriptor).await? {
            self.skipped += 1;
            self.options.progress.report(&descriptor, Event::Skipped);
            return self.enter_referrers(&descriptor, steps).await;
        }
        let manifest = fetch_manifest(self.from, &descriptor).await?;
        let (manifests, blobs): (Vec<Descriptor>, Vec<Descriptor>) = manifest
            .children()
            .cloned()
            .partition(Descriptor::is_manifest);
        let unseen: Vec<Descriptor> = blobs
            .into_iter()
            .filter(|blob| self.seen.insert(blob.digest.clone()))
            .collect();
        let (from, to, progress) = (self.from, self.to, &self.options.progress);
        let moved: Vec<bool> = stream::iter(unseen)
            .map(async |blob| copy_blob(from, to, &blob, progress).await)
            .buffer_unordered(limits::CONCURRENT_BLOBS)
            .try_collect()
            .await?;
        let count = moved.iter().filter(|moved| **moved).count();
        self.moved += count;
        self.skipped += moved.len() - count;
        steps.push(Step::Leave(descriptor, Box::new(manifest)));
        steps.extend(manifests.into_iter().map(Step::Enter));
        Ok(())
    }

    async fn leave(&mut self, descriptor: &Descriptor, manifest: &Manifest) -> Result<(), Error> {
        let progress = &self.options.progress;
        progress.report(descriptor, Event::Started);
        let content = VerifyReader::of_bytes(descriptor, manifest.bytes().to_vec())
            .watched(progress, descriptor);
        self.to.push(descriptor, content).await?;
        progress.report(descriptor, Event::Finished);
        self.moved += 1;
        Ok(())
    }

    async fn enter_referrers(
        &mut self,
        subject: &Descriptor,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        if !self.options.referrers {
            return Ok(());
        }
        let referrers = self.from.referrers(subject, None).await?;
        steps.extend(
            referrers
                .iter()
                .filter(|referrer| referrer.is_manifest())
                .map(|referrer| Step::Enter(referrer.bare())),
        );
        let Some(tag) = signature_tag(&subject.digest) else {
            return Ok(());
        };
        match self.from.resolve(&Name::Tag(tag.clone())).await {
            Ok(signatures) => self.signatures(&signatures, &tag).await,
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A legacy signature manifest is small and flat: blobs, manifest, tag.
    async fn signatures(&mut self, descriptor: &Descriptor, tag: &Tag) -> Result<(), Error> {
        let is_new = self.seen.insert(descriptor.digest.clone());
        if is_new && self.to.exists(descriptor).await? {
            self.skipped += 1;
            self.options.progress.report(descriptor, Event::Skipped);
        } else if is_new {
            let manifest = fetch_manifest(self.from, descriptor).await?;
            for blob in manifest.children().filter(|child| !child.is_manifest()) {
                if copy_blob(self.from, self.to, blob, &self.options.progress).await? {
                    self.moved += 1;
                } else {
                    self.skipped += 1;
                }
            }
            self.leave(descriptor, &manifest).await?;
        }
        self.to.set_tag(descriptor, tag).await
    }
}

/// Copies one blob; `false` when it was there already or came over without moving.
async fn copy_blob(
    from: &impl Fetch,
    to: &(impl Push + Fetch),
    blob: &Descriptor,
    progress: &Progress,
) -> Result<bool, Error> {
    if to.exists(blob).await? {
        progress.report(blob, Event::Skipped);
        return Ok(false);
    }
    if let Some(origin) = from.origin()
        && to.mount(blob, &origin).await?
    {
        progress.report(blob, Event::Skipped);
        return Ok(false);
    }
    let content = match from.fetch(blob).await {
        Ok(content) => content,
        // Content that lives elsewhere need not be in the store.
        Err(error) if error.is_not_found() && !blob.urls.is_empty() => return Ok(false),
        Err(error) => return Err(error),
    };
    progress.report(blob, Event::Started);
    to.push(blob, content.watched(progress, blob)).await?;
    progress.report(blob, Event::Finished);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use cairn_spec::{Artifact, media_type};

    use super::*;
    use crate::store::{conformance, layout::LayoutStore, memory::MemoryStore, push_artifact};

    /// An index of two artifacts under the tag `v1`, with a referrer on the first.
    async fn source() -> MemoryStore {
        let store = MemoryStore::new();
        let first = push_artifact(&store, &conformance::artifact("one"))
            .await
            .unwrap();
        let second = push_artifact(&store, &conformance::artifact("two"))
            .await
            .unwrap();
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},{}]}}"#,
            media_type::OCI_INDEX,
            serde_json::to_string(&first).unwrap(),
            serde_json::to_string(&second).unwrap(),
        );
        let descriptor = Descriptor::of(media_type::OCI_INDEX, index.as_bytes());
        let content = VerifyReader::of_bytes(&descriptor, index);
        store.push(&descriptor, content).await.unwrap();
        store
            .set_tag(&descriptor, &"v1".parse().unwrap())
            .await
            .unwrap();
        let referrer = Artifact::builder("application/a")
            .subject(&first)
            .build()
            .unwrap();
        push_artifact(&store, &referrer).await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_graph_arrives_whole_and_only_once() {
        let from = source().await;
        let folder = tempfile::tempdir().unwrap();
        let to = LayoutStore::open(folder.path()).await.unwrap();
        let name = Name::Tag("v1".parse().unwrap());
        let plain = CopyOptions::default();
        let copied = copy(&from, &to, &name, &plain).await.unwrap();
        // Two configs, two layers, two manifests, one index.
        assert_eq!((copied.moved, copied.skipped), (7, 0));
        assert_eq!(to.resolve(&name).await.unwrap(), copied.descriptor);
        let again = copy(&from, &to, &name, &plain).await.unwrap();
        assert_eq!((again.moved, again.skipped), (0, 1));
    }

    #[tokio::test]
    async fn referrers_come_along_when_asked() {
        let from = source().await;
        let to = MemoryStore::new();
        let first = conformance::artifact("one").manifest().descriptor();
        let options = CopyOptions {
            referrers: true,
            ..CopyOptions::default()
        };
        let name = Name::Tag("v1".parse().unwrap());
        copy(&from, &to, &name, &options).await.unwrap();
        assert_eq!(to.referrers(&first, None).await.unwrap().len(), 1);
    }
}
