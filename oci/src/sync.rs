//! Mirrors: copies a selection of the repositories and tags of one registry to another, with what
//! refers to them, and only what is trusted if that is asked for.
//!
//! What is there already is not copied again, so a run that was cut short goes on where it
//! stopped. One tag that fails does not keep the others from being copied; the report tells.

use cairn_spec::{Digest, RepositoryName, Tag};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use crate::{
    CopyOptions, Error, Name, Progress, copy,
    error::chain,
    limits,
    store::Store,
    trust::{TrustPolicy, Verdict, verdict_in},
};

mod registry;
mod selection;

pub use registry::{ListTags, Registry, RemoteRegistry};
pub use selection::{Selection, TagSelection};

/// What to copy, and how.
#[derive(Debug, Default)]
pub struct Options {
    /// Which repositories and tags.
    pub selection: Selection,
    /// Copies signatures, attestations and everything else that refers to a manifest too.
    pub referrers: bool,
    /// Copies only what this policy trusts, where it comes from.
    pub trust: Option<TrustPolicy>,
    /// How many tags are copied at the same time; at least one.
    pub concurrency: usize,
    /// Says what would be copied, and copies nothing.
    pub dry_run: bool,
    /// Sees content move.
    pub progress: Progress,
}

/// What became of one tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Where it comes from, `HOST/REPOSITORY:TAG`.
    pub from: String,
    /// Where it goes to.
    pub to: String,
    /// The manifest that it names there where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What was done.
    pub outcome: Outcome,
    /// How many manifests and blobs moved.
    pub moved: usize,
    /// How many were there already; what they contain is not counted.
    pub skipped: usize,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done about a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was copied, or something that refers to it.
    Copied,
    /// It would be, if this were no dry run.
    WouldCopy,
    /// All of it was there.
    Present,
    /// It is not trusted.
    Refused,
    /// It could not be copied.
    Failed,
}

/// What became of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// One a tag, in the order of repositories and tags. Of a repository whose tags could not be
    /// listed there is one that says so.
    pub entries: Vec<Entry>,
}

impl Report {
    /// How many tags ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        let entries = self.entries.iter();
        entries.filter(|entry| entry.outcome == outcome).count()
    }

    /// Something is missing that was selected.
    pub fn is_partial(&self) -> bool {
        self.count(Outcome::Failed) + self.count(Outcome::Refused) > 0
    }
}

/// A tag to copy.
struct Item {
    from: RepositoryName,
    to: RepositoryName,
    tag: Tag,
}

/// Copies what is selected. Fails only if the repositories cannot be listed.
pub async fn sync(
    from: &impl Registry,
    to: &impl Registry,
    options: &Options,
) -> Result<Report, Error> {
    let mut entries = Vec::new();
    let mut items = Vec::new();
    for (source, target) in repositories(from, &options.selection).await? {
        let tags = match from.repository(&source).tags().await {
            Ok(tags) => options.selection.tags.of(tags),
            Err(error) => {
                entries.push(Entry {
                    from: from.name_of(&source),
                    to: to.name_of(&target),
                    digest: None,
                    outcome: Outcome::Failed,
                    moved: 0,
                    skipped: 0,
                    reason: Some(chain(&error)),
                });
                continue;
            }
        };
        for tag in tags {
            if items.len() >= limits::MAX_SYNC_TAGS {
                return Err(Error::Limit {
                    what: "the selection".to_owned(),
                    limit: limits::MAX_SYNC_TAGS as u64,
                    unit: "tags",
                });
            }
            items.push(Item {
                from: source.clone(),
                to: target.clone(),
                tag,
            });
        }
    }
    // Collected first, so that the future can be spawned.
    let copies: Vec<_> = items
        .into_iter()
        .map(|item| copy_item(from, to, item, options))
        .collect();
    let done: Vec<Entry> = stream::iter(copies)
        .buffer_unordered(options.concurrency.max(1))
        .collect()
        .await;
    entries.extend(done);
    entries.sort_by(|one, other| one.from.cmp(&other.from));
    Ok(Report { entries })
}

/// The repositories to copy, with their names at the target.
async fn repositories(
    from: &impl Registry,
    selection: &Selection,
) -> Result<Vec<(RepositoryName, RepositoryName)>, Error> {
    let mut names = selection.named.clone();
    if selection.needs_list() {
        names.extend(from.repositories().await?);
    }
    names.sort();
    names.dedup();
    let target = |name: RepositoryName| Some((name.clone(), selection.target_of(&name)?));
    Ok(names.into_iter().filter_map(target).collect())
}

async fn copy_item(
    from: &impl Registry,
    to: &impl Registry,
    item: Item,
    options: &Options,
) -> Entry {
    let tagged = |name: String| format!("{name}:{}", item.tag);
    let mut entry = Entry {
        from: tagged(from.name_of(&item.from)),
        to: tagged(to.name_of(&item.to)),
        digest: None,
        outcome: Outcome::Present,
        moved: 0,
        skipped: 0,
        reason: None,
    };
    let (source, target) = (from.repository(&item.from), to.repository(&item.to));
    let name = from.name_of(&item.from);
    if let Err(error) = copy_tag((&source, &name), &target, &item.tag, options, &mut entry).await {
        entry.outcome = match error {
            Error::Untrusted { .. } => Outcome::Refused,
            _ => Outcome::Failed,
        };
        entry.reason = Some(chain(&error));
    }
    entry
}

async fn copy_tag(
    (source, name): (&impl Store, &str),
    target: &impl Store,
    tag: &Tag,
    options: &Options,
    entry: &mut Entry,
) -> Result<(), Error> {
    let descriptor = source.resolve(&Name::Tag(tag.clone())).await?;
    entry.digest = Some(descriptor.digest.clone());
    if let Some(policy) = &options.trust
        && let Verdict::Refused { reason, hint } =
            verdict_in(source, name, &descriptor, policy).await?
    {
        let what = entry.from.clone();
        return Err(Error::Untrusted { what, reason, hint });
    }
    let is_present = match target.resolve(&Name::Tag(tag.clone())).await {
        Ok(found) => found.digest == descriptor.digest,
        Err(error) if error.is_not_found() => false,
        Err(error) => return Err(error),
    };
    if options.dry_run {
        if !is_present {
            entry.outcome = Outcome::WouldCopy;
        }
        return Ok(());
    }
    // What was verified is what is copied, wherever the tag points meanwhile.
    let by_digest = Name::Digest(descriptor.digest);
    let copy_options = CopyOptions {
        referrers: options.referrers,
        tag: Some(tag.clone()),
        progress: options.progress.clone(),
    };
    let copied = copy(source, target, &by_digest, &copy_options).await?;
    entry.moved = copied.moved;
    entry.skipped = copied.skipped;
    if copied.moved > 0 || !is_present {
        entry.outcome = Outcome::Copied;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
