//! Whether the quotas of a repository allow what a request adds to it.

use std::sync::Arc;

use cairn_spec::{Digest, RepositoryName, Tag};

use super::Registry;
use crate::{
    QuotaRule, Result,
    maintenance::NamePages,
    quota::{Quotas, Reserved, refresh},
    storage::Prefix,
};

impl Registry {
    /// Sets bytes aside that a request is about to add, until the result is dropped; nothing where
    /// no quota applies.
    pub(super) async fn reserve(
        &self,
        repository: &RepositoryName,
        bytes: u64,
    ) -> Result<Option<Reserved>> {
        match self.fresh_quotas(repository).await? {
            None => Ok(None),
            Some(quotas) => quotas.reserve(repository, bytes).map(Some),
        }
    }

    /// Fails if a quota has no room for a blob that the repository does not hold yet.
    pub(crate) async fn require_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<()> {
        if self.covering_quotas(repository).is_none() || self.holds_blob(repository, digest).await?
        {
            return Ok(());
        }
        self.reserve(repository, size_bytes).await.map(drop)
    }

    /// Fails if a quota has no room for even one byte, so that nothing is sent in vain.
    pub(super) async fn require_room(&self, repository: &RepositoryName) -> Result<()> {
        match self.fresh_quotas(repository).await? {
            None => Ok(()),
            Some(quotas) => quotas.require_room(repository),
        }
    }

    /// Fails if there may be no further repository of this name.
    pub(super) async fn require_repository(&self, repository: &RepositoryName) -> Result<()> {
        let Some(quotas) = self.covering_quotas(repository) else {
            return Ok(());
        };
        let limit = |rule: &QuotaRule| rule.max_repositories;
        for (index, max) in quotas.counts(repository, limit) {
            let count = self.repositories_under(quotas, index, max).await?;
            if count >= max {
                return Err(quotas.refusal(
                    index,
                    format!(
                        "there are {count} of {max} repositories `{}`: push to one of them, or ask \
                         whoever runs the registry to raise the limit",
                        quotas.repositories(index)
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Fails if the repository may have no further tags.
    pub(super) async fn require_tags(
        &self,
        repository: &RepositoryName,
        new_tags: &[&Tag],
    ) -> Result<()> {
        let (Some(quotas), false) = (self.covering_quotas(repository), new_tags.is_empty()) else {
            return Ok(());
        };
        let limit = |rule: &QuotaRule| rule.max_tags_per_repository;
        for (index, max) in quotas.counts(repository, limit) {
            let most = usize::try_from(max).unwrap_or(usize::MAX);
            let prefix = Prefix::Tags(repository.clone());
            let present = self.metadata.list(&prefix, None, most).await?.len();
            if present + new_tags.len() > most {
                return Err(quotas.refusal(
                    index,
                    format!(
                        "the repository `{repository}` has {present} of {max} tags: delete tags \
                         that are not needed, or ask whoever runs the registry to raise the limit"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// What a client should know that pushed to a repository: quotas that are nearly used up.
    pub(crate) fn quota_warnings(&self, repository: &RepositoryName) -> Vec<String> {
        let quotas = self.quotas.as_ref();
        quotas.map_or_else(Vec::new, |quotas| quotas.warnings(repository))
    }

    fn covering_quotas(&self, repository: &RepositoryName) -> Option<&Arc<Quotas>> {
        self.quotas
            .as_ref()
            .filter(|quotas| quotas.cover(repository))
    }

    async fn fresh_quotas(&self, repository: &RepositoryName) -> Result<Option<&Arc<Quotas>>> {
        let quotas = self.covering_quotas(repository);
        if let Some(quotas) = quotas {
            refresh(self, quotas, Some(repository)).await?;
        }
        Ok(quotas)
    }

    /// How many repositories a quota covers; no more than `most` are counted.
    async fn repositories_under(&self, quotas: &Quotas, index: usize, most: u64) -> Result<u64> {
        let beginning = quotas.beginning(index);
        // The last name before those that begin so.
        let mut pages = NamePages::after(Prefix::Repositories, before(beginning));
        let mut count = 0;
        while let Some(names) = pages.next(self).await? {
            for name in &names {
                if !name.starts_with(beginning) || count >= most {
                    return Ok(count);
                }
                count += u64::from(
                    name.parse()
                        .is_ok_and(|name| quotas.rule_covers(index, &name)),
                );
            }
        }
        Ok(count)
    }
}

/// A text that precedes all names that begin so, and follows the names before them; none if there
/// are no names before.
fn before(beginning: &str) -> Option<String> {
    let mut text = beginning.to_owned();
    let last = text.pop()?;
    let previous = char::from_u32(u32::from(last).checked_sub(1)?)?;
    text.push(previous);
    // Beyond every character of a name.
    text.push('~');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_from_their_beginning_on() {
        assert_eq!(before(""), None);
        let before = before("team-a/").unwrap();
        assert!(before.as_str() < "team-a/" && *"team-a." < *before && *"team-a.x" < *before);
    }
}
