//! A pass: every repository that a rule decides about is judged, and what is to go is removed.

use std::{sync::Arc, time::Duration};

use cairn_spec::RepositoryName;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    facts::{self, Read},
    judge::{Decision, Verdict, judge},
    pulls::{flush_pulls, forget_pulls},
    rules::Rules,
    trusted_time::{Moment, Passes, pass_at},
};
use crate::{
    Error, Result,
    maintenance::{Lease, NamePages},
    operations::{
        audit::{AuditAction, AuditLog, AuditOutcome, AuditRecord},
        metrics::Metrics,
    },
    records,
    service::Registry,
    storage::{Batch, Entry, Key, Prefix, Task, Write},
};

/// The record of what passes wrote down.
const PASSES: Key = Key::System("retention");
/// The longest that the worker waits before it looks whether a pass is due.
const LONGEST_PAUSE_S: u64 = 600;
/// What the audit log calls who removed something.
const ACTOR: &str = "retention";

/// How to go about a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionOptions {
    /// Only say what the rules decide.
    pub dry_run: bool,
    /// The clock is right, however far it is from what the last pass knew.
    pub accept_clock: bool,
}

/// What comes of what a pass decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing, not even that there was a pass.
    Explain,
    /// Nothing but that there was a pass, so that the time is known and pulls are recorded.
    Rehearse,
    /// What is to go is removed.
    Remove,
}

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RetentionReport {
    /// Repositories that a rule decides about.
    pub repositories: u64,
    /// Tags and manifests that stay.
    pub kept: u64,
    /// Tags removed; in a dry run, those that would be.
    pub tags_removed: u64,
    /// Manifests removed; in a dry run, those that would be.
    pub manifests_removed: u64,
    /// What changed between the decision and the removal, and stays for the next pass.
    pub changed_meanwhile: u64,
    /// Until when nothing is removed, because the clock is in doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until_unix_s: Option<u64>,
}

/// What a rule decides about a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RepositoryVerdicts {
    /// The repository.
    pub repository: RepositoryName,
    /// The rule.
    pub rule: String,
    /// Its tags, then its manifests.
    pub verdicts: Vec<Verdict>,
}

/// Whom a pass tells what it does.
pub(crate) struct Listeners<'a> {
    pub(crate) audit: Option<&'a AuditLog>,
    pub(crate) decided: &'a mut (dyn FnMut(RepositoryVerdicts) + Send),
}

/// Makes a pass whenever one is due, until it is told to stop.
pub(crate) async fn retain_until(
    registry: Arc<Registry>,
    (metrics, audit): (Arc<Metrics>, Option<Arc<AuditLog>>),
    stop: CancellationToken,
) {
    let Some(rules) = &registry.retention else {
        return;
    };
    let pause = Duration::from_secs(rules.interval_s.min(LONGEST_PAUSE_S));
    let mode = if rules.dry_run {
        Mode::Rehearse
    } else {
        Mode::Remove
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let listeners = Listeners {
            audit: audit.as_deref(),
            decided: &mut log_removals,
        };
        let swept = async {
            if is_due(&registry, rules).await? {
                sweep(&registry, (mode, false), listeners, &stop)
                    .await
                    .map(Some)
            } else {
                Ok(None)
            }
        };
        match swept.await {
            // None is due, or another replica is at it.
            Ok(None) | Err(Error::Contended { .. }) => {}
            Ok(Some(report)) => metrics.retention.add(&report, mode == Mode::Rehearse),
            Err(error) => {
                metrics.retention.failures.add(1);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "retention broke off; the next pass goes on"
                );
            }
        }
    }
}

/// In the log stands what goes; what stays is for those who ask.
fn log_removals(decided: RepositoryVerdicts) {
    for verdict in decided.verdicts {
        if verdict.decision == Decision::Remove {
            tracing::info!(
                oci.repository = %decided.repository,
                retention.rule = decided.rule,
                retention.kind = verdict.kind,
                retention.name = verdict.name,
                "retention: {}", verdict.reason
            );
        }
    }
}

async fn is_due(registry: &Registry, rules: &Rules) -> Result<bool> {
    let last = read_passes(registry).await?.map(|(_, passes)| passes);
    let now_unix_s = registry.now_unix_s();
    Ok(last.is_none_or(|last| now_unix_s.abs_diff(last.last_unix_s) >= rules.interval_s))
}

/// Judges every repository, tells each decision, and removes what is to go.
///
/// Fails with [`Error::Contended`] while somebody else does. `accepts_clock` says that the clock is
/// right.
pub(crate) async fn sweep(
    registry: &Registry,
    (mode, accepts_clock): (Mode, bool),
    mut listeners: Listeners<'_>,
    stop: &CancellationToken,
) -> Result<RetentionReport> {
    let Some(rules) = &registry.retention else {
        return Ok(RetentionReport::default());
    };
    if mode == Mode::Explain {
        let passes = next_passes(registry, rules, accepts_clock).await?.1;
        let pass = Pass {
            registry,
            rules,
            passes,
            stop,
        };
        return pass.explain(&mut listeners).await;
    }
    let lease = Lease::acquire(registry, registry.new_id(), Task::Retention).await?;
    let mut lease = lease.ok_or_else(|| Error::Contended {
        what: "retention".to_owned(),
    })?;
    let swept = async {
        let (read, passes) = next_passes(registry, rules, accepts_clock).await?;
        let write = Write::upsert(PASSES, read.as_ref(), records::encode(&passes, &[])?);
        registry.metadata.write(Batch::durable([write])).await?;
        if let Some(until_unix_s) = passes.held_until_unix_s {
            tracing::warn!(
                retention.held_until = cairn_spec::rfc_3339(until_unix_s),
                "the clock is far from the last pass: retention removes nothing until then, \
                 unless `cairn registry retention --accept-clock` says that it is right"
            );
            return Ok(RetentionReport {
                held_until_unix_s: Some(until_unix_s),
                ..RetentionReport::default()
            });
        }
        flush_pulls(registry).await?;
        let pass = Pass {
            registry,
            rules,
            passes,
            stop,
        };
        if mode == Mode::Rehearse {
            pass.explain(&mut listeners).await
        } else {
            pass.remove(&mut listeners, &mut lease).await
        }
    }
    .await;
    lease.release(registry).await?;
    swept
}

async fn read_passes(registry: &Registry) -> Result<Option<(Entry, Passes)>> {
    let Some(entry) = registry.metadata.get(&PASSES).await? else {
        return Ok(None);
    };
    let (passes, _) = records::decode(&PASSES, &entry)?;
    Ok(Some((entry, passes)))
}

/// What this pass writes down, and what it replaces.
async fn next_passes(
    registry: &Registry,
    rules: &Rules,
    accepts_clock: bool,
) -> Result<(Option<Entry>, Passes)> {
    let (read, last) = read_passes(registry).await?.unzip();
    let moment = Moment {
        now_unix_s: registry.now_unix_s(),
        interval_s: rules.interval_s,
        records_pulls: rules.ask_for_any_pulls(),
        accepts_clock,
    };
    let mut newest_unix_s = None;
    if last.is_none() {
        let mut pages = NamePages::of(Prefix::Repositories);
        while let Some(names) = pages.next(registry).await? {
            for repository in decided_about(rules, &names) {
                let read = facts::read(registry, rules, &repository, (0, None)).await?;
                newest_unix_s = newest_unix_s.max(read.facts.newest_unix_s());
            }
        }
    }
    Ok((read, pass_at(moment, last.as_ref(), newest_unix_s)))
}

/// One pass over the repositories that rules decide about.
struct Pass<'a> {
    registry: &'a Registry,
    rules: &'a Rules,
    passes: Passes,
    stop: &'a CancellationToken,
}

impl Pass<'_> {
    /// Tells what is decided, and changes nothing.
    async fn explain(&self, listeners: &mut Listeners<'_>) -> Result<RetentionReport> {
        let mut report = self.report();
        let mut pages = NamePages::of(Prefix::Repositories);
        while let Some(names) = pages.next(self.registry).await? {
            for repository in decided_about(self.rules, &names) {
                if let Some((_, decided)) = self.decide(repository).await? {
                    report.count(&decided);
                    (listeners.decided)(decided);
                }
                if self.stop.is_cancelled() {
                    return Ok(report);
                }
            }
        }
        Ok(report)
    }

    /// Removes what is to go, for as long as the lease is held.
    async fn remove(
        &self,
        listeners: &mut Listeners<'_>,
        lease: &mut Lease,
    ) -> Result<RetentionReport> {
        let registry = self.registry;
        let mut report = self.report();
        let mut pages = NamePages::of(Prefix::Repositories);
        while let Some(names) = pages.next(registry).await? {
            for repository in decided_about(self.rules, &names) {
                let Some((read, decided)) = self.decide(repository).await? else {
                    continue;
                };
                if !lease.renew(registry).await? {
                    return Ok(report);
                }
                report.repositories += 1;
                remove(registry, &decided, &read, listeners.audit, &mut report).await?;
                if self.rules.ask_for_pulls(&decided.repository) {
                    forget_pulls(registry, &decided.repository, &read.manifests).await?;
                }
                (listeners.decided)(decided);
                if self.stop.is_cancelled() {
                    return Ok(report);
                }
            }
        }
        Ok(report)
    }

    async fn decide(
        &self,
        repository: RepositoryName,
    ) -> Result<Option<(Read, RepositoryVerdicts)>> {
        let Some(rule) = self.rules.of(&repository) else {
            return Ok(None);
        };
        let times = (self.passes.last_unix_s, self.passes.pulls_since_unix_s);
        let read = facts::read(self.registry, self.rules, &repository, times).await?;
        let decided = RepositoryVerdicts {
            rule: rule.config.name.clone(),
            verdicts: judge(rule, &read.facts),
            repository,
        };
        Ok(Some((read, decided)))
    }

    fn report(&self) -> RetentionReport {
        RetentionReport {
            held_until_unix_s: self.passes.held_until_unix_s,
            ..RetentionReport::default()
        }
    }
}

/// Those of the repositories that a rule decides about.
fn decided_about(rules: &Rules, names: &[String]) -> Vec<RepositoryName> {
    let names = names.iter().filter_map(|name| name.parse().ok());
    names.filter(|name| rules.of(name).is_some()).collect()
}

impl RetentionReport {
    fn count(&mut self, decided: &RepositoryVerdicts) {
        self.repositories += 1;
        for verdict in &decided.verdicts {
            match (verdict.decision, verdict.kind) {
                (Decision::Keep, _) => self.kept += 1,
                (Decision::Remove, "tag") => self.tags_removed += 1,
                (Decision::Remove, _) => self.manifests_removed += 1,
            }
        }
    }
}

/// Removes what is to go, each only if it is still what was judged: tags first, then manifests.
async fn remove(
    registry: &Registry,
    decided: &RepositoryVerdicts,
    read: &Read,
    audit: Option<&AuditLog>,
    report: &mut RetentionReport,
) -> Result<()> {
    let repository = &decided.repository;
    for verdict in &decided.verdicts {
        if verdict.decision == Decision::Keep {
            report.kept += 1;
            continue;
        }
        let is_tag = verdict.kind == "tag";
        let removed = if is_tag {
            let tag = verdict.name.parse()?;
            let version = read.tags.get(&tag);
            registry.delete_tag_if(repository, &tag, version).await
        } else {
            let digest = verdict.name.parse()?;
            let version = read.manifests.get(&digest);
            registry
                .delete_untagged_manifest(repository, &digest, version)
                .await
        };
        match removed {
            Ok(true) if is_tag => report.tags_removed += 1,
            Ok(true) => report.manifests_removed += 1,
            Ok(false) | Err(Error::ManifestUnknown { .. }) => {
                report.changed_meanwhile += 1;
                continue;
            }
            Err(error) => return Err(error),
        }
        if let Some(audit) = audit {
            let action = if is_tag {
                AuditAction::DeleteTag
            } else {
                AuditAction::DeleteManifest
            };
            audit
                .record(AuditRecord {
                    time: cairn_spec::rfc_3339(registry.now_unix_s()),
                    action,
                    outcome: AuditOutcome::Done,
                    status: None,
                    repository: Some(repository.to_string()),
                    reference: Some(verdict.name.clone()),
                    digest: None,
                    reason: Some(format!("rule `{}`: {}", decided.rule, verdict.reason)),
                    actor: ACTOR.to_owned(),
                    remote_address: None,
                    request_id: None,
                    trace_id: None,
                    user_agent: None,
                })
                .await;
        }
    }
    Ok(())
}
