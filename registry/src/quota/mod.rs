//! Quotas: how much repositories hold, and how much they may.
//!
//! Nothing is counted in requests. Each process notes what its writes change ([`counted`]) and adds
//! that to the records of the repositories and of the quotas every few seconds ([`ledger`]): one
//! write for each that changed, however much was pushed. Requests are measured against what the
//! store said last and what this process changed since, so a quota is exceeded by no more than
//! what other replicas accept in the seconds between.
//!
//! What a crash leaves uncounted, a recount finds ([`recount`]): it adds up what repositories hold.

mod counted;
mod ledger;
mod recount;
mod worker;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cairn_spec::{RepositoryName, human_bytes};
use globset::GlobMatcher;

use crate::{
    Error, QuotaRule, QuotasConfig, Result, config::glob, operations::metrics::Counter,
    records::Usage,
};

pub(crate) use counted::CountedMetadata;
pub use ledger::{QuotaReport, QuotaStatus, RepositoryUsage};
pub(crate) use ledger::{begin, flush, refresh, report};
pub(crate) use recount::{miscounts, recount};
pub(crate) use worker::{flush_until, recount_until};

/// The quotas of a registry, and what this process knows of their use.
#[derive(Debug)]
pub(crate) struct Quotas {
    rules: Vec<Rule>,
    counters: Mutex<Counters>,
    /// Held while what the store says and what this process adds to it pass each other.
    exchange: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Rule {
    config: QuotaRule,
    repositories: GlobMatcher,
    refusals: Counter,
}

#[derive(Debug, Default)]
struct Counters {
    /// What this process changed since the records of the repositories were written.
    unwritten: HashMap<RepositoryName, Usage>,
    /// In the order of the rules.
    views: Vec<View>,
}

/// What this process knows of the use of one quota.
#[derive(Debug, Default, Clone, Copy)]
struct View {
    /// What the store said last; `None` if nobody has counted yet.
    stored_bytes: Option<i64>,
    /// When, by the steady clock.
    read_s: Option<u64>,
    /// What this process changed and the store does not know yet.
    unwritten_bytes: i64,
    /// What requests under way are about to add.
    reserved_bytes: u64,
}

impl View {
    fn used_bytes(&self) -> Option<u64> {
        let used = self.stored_bytes? + self.unwritten_bytes;
        Some(u64::try_from(used).unwrap_or_default())
    }
}

/// A quota's numbers, for metrics.
#[derive(Debug, Clone)]
pub(crate) struct Measure {
    pub(crate) name: String,
    pub(crate) used_bytes: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) refusals: u64,
}

impl Quotas {
    /// The configured quotas; `None` if there are none.
    pub(crate) fn open(config: &QuotasConfig) -> Result<Option<Arc<Self>>> {
        let rules = config.rules.iter().map(|rule| {
            Ok(Rule {
                repositories: glob("quotas.rules", &rule.repositories)?.compile_matcher(),
                config: rule.clone(),
                refusals: Counter::default(),
            })
        });
        let rules: Vec<Rule> = rules.collect::<Result<_>>()?;
        let counters = Counters {
            unwritten: HashMap::new(),
            views: vec![View::default(); rules.len()],
        };
        Ok((!rules.is_empty()).then(|| {
            Arc::new(Self {
                rules,
                counters: Mutex::new(counters),
                exchange: tokio::sync::Mutex::default(),
            })
        }))
    }

    /// Some quota covers the repository.
    pub(crate) fn cover(&self, repository: &RepositoryName) -> bool {
        self.covering(repository).next().is_some()
    }

    fn covering(&self, repository: &RepositoryName) -> impl Iterator<Item = (usize, &Rule)> {
        let rules = self.rules.iter().enumerate();
        rules.filter(|(_, rule)| rule.repositories.is_match(repository.as_str()))
    }

    /// Notes what a write has changed.
    fn add(&self, repository: &RepositoryName, change: Usage) {
        let mut counters = self.counters();
        *counters.unwritten.entry(repository.clone()).or_default() += change;
        for (index, _) in self.covering(repository) {
            counters.views[index].unwritten_bytes += change.bytes;
        }
    }

    /// Sets bytes aside for a request, until the result is dropped.
    ///
    /// Fails with [`Error::QuotaExceeded`] if a quota does not have them.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        repository: &RepositoryName,
        bytes: u64,
    ) -> Result<Reserved> {
        let mut counters = self.counters();
        for (index, rule) in self.covering(repository) {
            rule.require(&counters.views[index], bytes)?;
        }
        let mut rules = Vec::new();
        for (index, _) in self.covering(repository) {
            counters.views[index].reserved_bytes += bytes;
            rules.push(index);
        }
        Ok(Reserved {
            quotas: Arc::clone(self),
            rules,
            bytes,
        })
    }

    /// Fails with [`Error::QuotaExceeded`] if a quota has no room for one byte more.
    pub(crate) fn require_room(&self, repository: &RepositoryName) -> Result<()> {
        let counters = self.counters();
        let mut covering = self.covering(repository);
        covering.try_for_each(|(index, rule)| rule.require(&counters.views[index], 1))
    }

    /// How near the quotas of a repository are to their limit, where that is worth a warning.
    pub(crate) fn warnings(&self, repository: &RepositoryName) -> Vec<String> {
        let counters = self.counters();
        let covering = self.covering(repository);
        let warning = |(index, rule): (usize, &Rule)| {
            let (used, max) = (
                counters.views[index].used_bytes()?,
                rule.config.max_bytes?.max(1),
            );
            let percent = u128::from(used) * 100 / u128::from(max);
            let is_near = percent >= u128::from(rule.config.warn_at_percent);
            is_near.then(|| {
                format!(
                    "the quota {} is used to {percent} %: {} of {} by the repositories {}",
                    rule.config.name,
                    human_bytes(used),
                    human_bytes(max),
                    rule.config.repositories
                )
            })
        };
        covering.filter_map(warning).collect()
    }

    /// The limits on how many repositories or tags there may be that cover a repository.
    pub(crate) fn counts(
        &self,
        repository: &RepositoryName,
        limit: impl Fn(&QuotaRule) -> Option<u64>,
    ) -> Vec<(usize, u64)> {
        let covering = self.covering(repository);
        covering
            .filter_map(|(index, rule)| Some((index, limit(&rule.config)?)))
            .collect()
    }

    /// The rule at an index covers the repository.
    pub(crate) fn rule_covers(&self, index: usize, repository: &RepositoryName) -> bool {
        self.rules[index].repositories.is_match(repository.as_str())
    }

    /// The part of a rule's glob that all its repositories begin with.
    pub(crate) fn beginning(&self, index: usize) -> &str {
        let pattern = &self.rules[index].config.repositories;
        let end = pattern.find(|c: char| "*?[]{}!\\".contains(c));
        &pattern[..end.unwrap_or(pattern.len())]
    }

    /// The refusal by a rule, counted.
    pub(crate) fn refusal(&self, index: usize, what: String) -> Error {
        self.rules[index].refusal(what)
    }

    /// The glob of a rule, as it was written.
    pub(crate) fn repositories(&self, index: usize) -> &str {
        &self.rules[index].config.repositories
    }

    /// What is known now.
    pub(crate) fn measures(&self) -> Vec<Measure> {
        let counters = self.counters();
        let rules = self.rules.iter().zip(&counters.views);
        rules
            .map(|(rule, view)| Measure {
                name: rule.config.name.clone(),
                used_bytes: view.used_bytes(),
                max_bytes: rule.config.max_bytes,
                refusals: rule.refusals.get(),
            })
            .collect()
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rule {
    fn require(&self, view: &View, bytes: u64) -> Result<()> {
        let (Some(used), Some(max)) = (view.used_bytes(), self.config.max_bytes) else {
            return Ok(());
        };
        let wanted = used
            .saturating_add(view.reserved_bytes)
            .saturating_add(bytes);
        if wanted <= max {
            return Ok(());
        }
        Err(self.refusal(format!(
            "the repositories `{}` hold {} of {}, and {} more do not fit: delete tags or manifests \
             there, and garbage collection gives their room back",
            self.config.repositories,
            human_bytes(used),
            human_bytes(max),
            human_bytes(bytes)
        )))
    }

    fn refusal(&self, what: String) -> Error {
        self.refusals.add(1);
        Error::QuotaExceeded {
            quota: self.config.name.clone(),
            what,
        }
    }
}

/// Bytes set aside for a request, until this is dropped: by then the write was noted, or failed.
#[derive(Debug)]
pub(crate) struct Reserved {
    quotas: Arc<Quotas>,
    rules: Vec<usize>,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut counters = self.quotas.counters();
        for index in &self.rules {
            counters.views[*index].reserved_bytes -= self.bytes;
        }
    }
}
