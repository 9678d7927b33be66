//! Tags: those that are here, and those that an upstream lists.

use std::{collections::BTreeSet, sync::Arc};

use cairn_spec::{RepositoryName, Tag};

use super::{Failure, PullThrough, Source};
use crate::{Error, Result, service::Page};

impl PullThrough {
    /// The tags of a repository that follow `last`; and why those of upstreams are not among them,
    /// if they are not.
    pub(crate) async fn tags(
        &self,
        repository: &RepositoryName,
        entries: Option<usize>,
        last: Option<&str>,
    ) -> Result<(Page, Option<String>)> {
        let here = self.registry.tags(repository, entries, last).await;
        if self.sources(repository).is_empty() {
            return Ok((here?, None));
        }
        let (remote, lacking) = match self.remote_tags(repository).await {
            Ok(remote) => (remote, None),
            Err(Failure::Missing) => return Ok((here?, None)),
            Err(failure) => match here {
                Ok(here) => return Ok((here, Some(failure.warning()))),
                Err(missing) => return Err(failure.into_error(missing)),
            },
        };
        let here = match here {
            Err(Error::RepositoryUnknown(_)) => Page::default(),
            here => here?,
        };
        let most = self.registry.limits.page_entries;
        let entries = entries.map_or(most, |entries| entries.min(most));
        Ok((merged(here, &remote, last, entries), lacking))
    }

    async fn remote_tags(&self, repository: &RepositoryName) -> Result<Arc<Vec<Tag>>, Failure> {
        if let Some(known) = self.tags.get(repository).await {
            return Ok(known);
        }
        let mut failed = Failure::Missing;
        for source in self.sources(repository) {
            let Source { upstream, remote } = &source;
            match upstream.ask(&source.name_of("tags"), remote.tags()).await {
                Err(failure) => failed = failed.or(failure),
                Ok(tags) => {
                    let tags = Arc::new(tags);
                    let key = repository.clone();
                    self.tags.insert(key, Arc::clone(&tags)).await;
                    return Ok(tags);
                }
            }
        }
        Err(failed)
    }
}

/// A page of both lists. What follows the last name of a local page that is not the last one may
/// not be on it: local names are missing there.
fn merged(here: Page, remote: &[Tag], last: Option<&str>, entries: usize) -> Page {
    let end = here.next;
    let further = remote.iter().map(Tag::as_str);
    let further: BTreeSet<&str> = further
        .filter(|tag| last.is_none_or(|last| *tag > last))
        .collect();
    let mut has_more = end.is_some();
    let mut names: BTreeSet<String> = here.names.into_iter().collect();
    for tag in further {
        if end.as_deref().is_some_and(|end| tag > end) {
            has_more = true;
        } else {
            names.insert(tag.to_owned());
        }
    }
    has_more |= names.len() > entries;
    let names: Vec<String> = names.into_iter().take(entries).collect();
    let next = names.last().filter(|_| has_more).cloned();
    Page { names, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_two_lists_leave_nothing_out() {
        let here = ["b", "d", "f", "h"];
        let remote: Vec<Tag> = ["a", "d", "e", "i"].map(|tag| tag.parse().unwrap()).into();
        for entries in 1..9 {
            let mut found = Vec::new();
            let mut last: Option<String> = None;
            loop {
                let after = |name: &&str| last.as_deref().is_none_or(|last| *name > last);
                let rest: Vec<&str> = here.iter().copied().filter(|name| after(name)).collect();
                let names = rest.iter().take(entries).map(|name| (*name).to_owned());
                let names: Vec<String> = names.collect();
                let next = names.last().filter(|_| rest.len() > entries).cloned();
                let page = merged(Page { names, next }, &remote, last.as_deref(), entries);
                assert!(page.names.len() <= entries);
                found.extend(page.names);
                last = page.next;
                if last.is_none() {
                    break;
                }
            }
            assert_eq!(found, ["a", "b", "d", "e", "f", "h", "i"], "{entries}");
        }
    }
}
