//! The decision about one repository: facts in, a verdict for each tag and manifest out.
//!
//! It does no IO and knows no clock. What it does not understand stays.

use std::collections::{HashMap, HashSet};

use cairn_spec::{Digest, Tag};
use serde::Serialize;

use super::rules::{Entry, Rule};
use crate::{UnmatchedTags, service::digest_of};

const DAY_S: u64 = 24 * 60 * 60;
/// For how many days pulls must have been recorded before it counts that a tag was not pulled.
const PULL_HISTORY_DAYS: u64 = 7;

/// What is known of a repository.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) tags: Vec<TagFacts>,
    pub(super) manifests: Vec<ManifestFacts>,
    /// Since when pulls have been recorded without a gap.
    pub(super) pulls_since_unix_s: Option<u64>,
    /// The time, as far as it is trusted.
    pub(super) now_unix_s: u64,
    /// How long whatever somebody relied on stays, whatever the rules say.
    pub(super) grace_s: u64,
}

#[derive(Debug, Clone)]
pub(super) struct TagFacts {
    pub(super) tag: Tag,
    pub(super) digest: Digest,
    pub(super) pushed_unix_s: u64,
    /// Why no rule removes it.
    pub(super) protection: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) struct ManifestFacts {
    pub(super) digest: Digest,
    pub(super) subject: Option<Digest>,
    pub(super) children: Vec<Digest>,
    pub(super) pushed_unix_s: u64,
    /// When somebody last relied on it.
    pub(super) touched_unix_s: u64,
    pub(super) pulled_unix_s: Option<u64>,
}

/// Whether something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
}

/// What happens to a tag or a manifest, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Verdict {
    /// `tag` or `manifest`.
    pub kind: &'static str,
    /// The tag, or the digest.
    pub name: String,
    /// What happens to it.
    pub decision: Decision,
    /// Which part of the rule says so.
    pub reason: String,
    /// When it was pushed or moved, in seconds since 1970.
    pub pushed_unix_s: u64,
    /// When it was pulled last, as far as that is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulled_unix_s: Option<u64>,
}

type Judged = (Decision, String);

fn keep(reason: impl Into<String>) -> Judged {
    (Decision::Keep, reason.into())
}

fn remove(reason: impl Into<String>) -> Judged {
    (Decision::Remove, reason.into())
}

/// Decides about all tags, then about all manifests, in the order of the facts.
pub(super) fn judge(rule: &Rule, facts: &Facts) -> Vec<Verdict> {
    let pulled: HashMap<&Digest, u64> = facts
        .manifests
        .iter()
        .filter_map(|manifest| Some((&manifest.digest, manifest.pulled_unix_s?)))
        .collect();
    let ranks: Vec<Ranks<'_>> = rule
        .entries
        .iter()
        .map(|entry| Ranks::of(entry, facts, &pulled))
        .collect();
    let mut tags: Vec<Judged> = facts
        .tags
        .iter()
        .map(|tag| judge_tag(rule, facts, &ranks, tag))
        .collect();
    spare_last_tags(rule, facts, &mut tags);
    let manifests = judge_manifests(rule, facts, &tags);
    judge_derived_tags(rule, facts, &manifests, &mut tags);

    let of_tags = facts.tags.iter().zip(tags).map(|(tag, judged)| Verdict {
        kind: "tag",
        name: tag.tag.to_string(),
        decision: judged.0,
        reason: judged.1,
        pushed_unix_s: tag.pushed_unix_s,
        pulled_unix_s: pulled.get(&tag.digest).copied(),
    });
    let of_manifests = facts
        .manifests
        .iter()
        .zip(manifests)
        .map(|(manifest, judged)| Verdict {
            kind: "manifest",
            name: manifest.digest.to_string(),
            decision: judged.0,
            reason: judged.1,
            pushed_unix_s: manifest.pushed_unix_s,
            pulled_unix_s: manifest.pulled_unix_s,
        });
    of_tags.chain(of_manifests).collect()
}

/// Which tags are the last ones, among those that an entry is about.
struct Ranks<'a> {
    entry: &'a Entry,
    last_pushed: HashSet<&'a Tag>,
    last_pulled: HashSet<&'a Tag>,
    pulled: &'a HashMap<&'a Digest, u64>,
}

impl<'a> Ranks<'a> {
    fn of(entry: &'a Entry, facts: &'a Facts, pulled: &'a HashMap<&'a Digest, u64>) -> Self {
        let about: Vec<&TagFacts> = facts
            .tags
            .iter()
            .filter(|tag| digest_of(&tag.tag).is_none() && entry.is_about(&tag.tag))
            .collect();
        let pushed = about.iter().map(|tag| (tag.pushed_unix_s, &tag.tag));
        let pulled_tags = about
            .iter()
            .filter_map(|tag| Some((*pulled.get(&tag.digest)?, &tag.tag)));
        Self {
            entry,
            last_pushed: last(pushed.collect(), entry.keep.last_pushed),
            last_pulled: last(pulled_tags.collect(), entry.keep.last_pulled),
            pulled,
        }
    }
}

/// The last ones by time; of equals, those whose names come last.
fn last(mut timed: Vec<(u64, &Tag)>, count: Option<usize>) -> HashSet<&Tag> {
    timed.sort_unstable_by(|a, b| b.cmp(a));
    let count = count.unwrap_or_default();
    timed.into_iter().take(count).map(|(_, tag)| tag).collect()
}

fn judge_tag(rule: &Rule, facts: &Facts, ranks: &[Ranks<'_>], tag: &TagFacts) -> Judged {
    if digest_of(&tag.tag).is_some() {
        // What it is about is decided first.
        return keep("it is about a manifest");
    }
    if let Some(protection) = tag.protection {
        return keep(protection);
    }
    if rule.config.keep_tags.is_none() {
        return keep("the rule keeps all tags");
    }
    let mut is_matched = false;
    for (index, rank) in ranks.iter().enumerate() {
        if rank.entry.is_about(&tag.tag) {
            is_matched = true;
            if let Some(reason) = kept_by(rank, facts, tag) {
                return keep(format!("keepTags[{index}]: {reason}"));
            }
        }
    }
    match (is_matched, rule.config.unmatched_tags) {
        (true, _) => remove("it matches `keepTags`, but no condition holds"),
        (false, UnmatchedTags::Keep) => keep("no entry of `keepTags` is about it"),
        (false, UnmatchedTags::Remove) => {
            remove("no entry of `keepTags` is about it, and `unmatchedTags` is `remove`")
        }
    }
}

/// Why an entry keeps a tag that it is about.
fn kept_by(rank: &Ranks<'_>, facts: &Facts, tag: &TagFacts) -> Option<String> {
    let condition = &rank.entry.keep;
    let is_within = |unix_s: u64, days: u64| {
        facts.now_unix_s < unix_s.saturating_add(days.saturating_mul(DAY_S))
    };
    let is_unknown = |days: u64| {
        let since = facts.pulls_since_unix_s;
        since.is_none_or(|since_unix_s| is_within(since_unix_s, days))
    };
    let has_conditions = condition.last_pushed.is_some()
        || condition.last_pulled.is_some()
        || condition.pushed_within_days.is_some()
        || condition.pulled_within_days.is_some();
    if !has_conditions {
        return Some("it matches".to_owned());
    }
    if let Some(count) = condition.last_pushed
        && rank.last_pushed.contains(&tag.tag)
    {
        return Some(format!("one of the last {count} pushed"));
    }
    if let Some(days) = condition.pushed_within_days
        && is_within(tag.pushed_unix_s, days)
    {
        return Some(format!("pushed within {days} days"));
    }
    let pulled = rank.pulled.get(&tag.digest);
    if let Some(count) = condition.last_pulled {
        if rank.last_pulled.contains(&tag.tag) {
            return Some(format!("one of the last {count} pulled"));
        }
        if is_unknown(PULL_HISTORY_DAYS) {
            return Some(format!(
                "pulls have been recorded for less than {PULL_HISTORY_DAYS} days"
            ));
        }
    }
    if let Some(days) = condition.pulled_within_days {
        if pulled.is_some_and(|unix_s| is_within(*unix_s, days)) {
            return Some(format!("pulled within {days} days"));
        }
        if is_unknown(days) {
            return Some(format!(
                "pulls have been recorded for less than {days} days"
            ));
        }
    }
    None
}

/// A repository keeps its tags if none would be left, unless the rule says that this is meant.
fn spare_last_tags(rule: &Rule, facts: &Facts, tags: &mut [Judged]) {
    let is_ordinary = |index: &usize| digest_of(&facts.tags[*index].tag).is_none();
    let ordinary: Vec<usize> = (0..tags.len()).filter(is_ordinary).collect();
    let all_go = ordinary
        .iter()
        .all(|index| tags[*index].0 == Decision::Remove);
    if all_go && !rule.config.may_empty_repositories {
        for index in ordinary {
            tags[index] = keep(
                "every tag of the repository would go, which needs `mayEmptyRepositories: true`",
            );
        }
    }
}

fn judge_manifests(rule: &Rule, facts: &Facts, tags: &[Judged]) -> Vec<Judged> {
    let present: HashMap<&Digest, usize> = facts
        .manifests
        .iter()
        .enumerate()
        .map(|(index, manifest)| (&manifest.digest, index))
        .collect();
    let mut referrers: HashMap<&Digest, Vec<usize>> = HashMap::new();
    for (index, manifest) in facts.manifests.iter().enumerate() {
        if let Some(subject) = &manifest.subject {
            referrers.entry(subject).or_default().push(index);
        }
    }
    let mut judged: Vec<Option<Judged>> = vec![None; facts.manifests.len()];
    let mut waiting = Vec::new();
    for (tag, (decision, _)) in facts.tags.iter().zip(tags) {
        if let Some(index) = present.get(&tag.digest) {
            let reason = match decision {
                Decision::Keep => format!("it is tagged `{}`", tag.tag),
                Decision::Remove => format!("its tag `{}` goes first", tag.tag),
            };
            waiting.push((*index, reason));
        }
    }
    spread(facts, &present, &referrers, &mut judged, waiting);
    let mut waiting = Vec::new();
    for (index, manifest) in facts.manifests.iter().enumerate() {
        let has_subject = manifest.subject.as_ref();
        let has_subject = has_subject.is_some_and(|subject| present.contains_key(subject));
        // Whether a referrer stays is decided with its subject.
        if !has_subject && let Some(reason) = kept_alone(rule, facts, manifest) {
            waiting.push((index, reason));
        }
    }
    loop {
        spread(
            facts,
            &present,
            &referrers,
            &mut judged,
            std::mem::take(&mut waiting),
        );
        // A subject that goes leaves its referrers behind: once it is gone, they are orphans.
        for (index, manifest) in facts.manifests.iter().enumerate() {
            let subject = manifest.subject.as_ref().and_then(|it| present.get(it));
            if judged[index].is_none() && subject.is_some() {
                waiting.push((index, "its subject goes first".to_owned()));
            }
        }
        if waiting.is_empty() {
            break;
        }
    }
    let all_go = judged.iter().all(Option::is_none);
    let spares = all_go && !rule.config.may_empty_repositories;
    let removals = facts.manifests.iter().map(|manifest| {
        if spares {
            keep("every manifest of the repository would go, which needs `mayEmptyRepositories: true`")
        } else if manifest.subject.is_some() {
            let days = rule.config.orphaned_referrers_after_days.unwrap_or_default();
            remove(format!("its subject is gone, and nobody asked for it in {days} days"))
        } else {
            let days = rule.config.untagged_after_days.unwrap_or_default();
            remove(format!("it has had no tag, and nobody asked for it, in {days} days"))
        }
    });
    let judged = judged.into_iter().zip(removals);
    judged
        .map(|(kept, removal)| kept.unwrap_or(removal))
        .collect()
}

/// Keeps manifests, and with each what it lists and what is about it.
fn spread(
    facts: &Facts,
    present: &HashMap<&Digest, usize>,
    referrers: &HashMap<&Digest, Vec<usize>>,
    judged: &mut [Option<Judged>],
    mut waiting: Vec<(usize, String)>,
) {
    while let Some((index, reason)) = waiting.pop() {
        if judged[index].is_some() {
            continue;
        }
        let manifest = &facts.manifests[index];
        judged[index] = Some(keep(reason));
        for child in &manifest.children {
            if let Some(child) = present.get(child) {
                waiting.push((*child, format!("`{}` lists it", manifest.digest)));
            }
        }
        for referrer in referrers.get(&manifest.digest).into_iter().flatten() {
            waiting.push((*referrer, format!("it is about `{}`", manifest.digest)));
        }
    }
}

/// Why a manifest stays that no tag, index or subject keeps.
fn kept_alone(rule: &Rule, facts: &Facts, manifest: &ManifestFacts) -> Option<String> {
    let (days, otherwise) = match &manifest.subject {
        Some(_) => (
            rule.config.orphaned_referrers_after_days,
            "the rule keeps referrers without a subject",
        ),
        None => (
            rule.config.untagged_after_days,
            "the rule keeps manifests without a tag",
        ),
    };
    let Some(days) = days else {
        return Some(otherwise.to_owned());
    };
    let used_unix_s = manifest
        .pushed_unix_s
        .max(manifest.touched_unix_s)
        .max(manifest.pulled_unix_s.unwrap_or_default());
    let is_within = |unix_s: u64, age_s: u64| facts.now_unix_s < unix_s.saturating_add(age_s);
    if is_within(used_unix_s, days.saturating_mul(DAY_S)) {
        return Some(format!(
            "it was pushed, untagged or asked for in the last {days} days"
        ));
    }
    // A push that lists it may be under way.
    is_within(manifest.touched_unix_s, facts.grace_s)
        .then(|| "somebody relied on it during the grace period".to_owned())
}

/// Tags such as `sha256-….sig` stay as long as what they are about.
fn judge_derived_tags(rule: &Rule, facts: &Facts, manifests: &[Judged], tags: &mut [Judged]) {
    let present: HashMap<&Digest, Decision> = facts
        .manifests
        .iter()
        .zip(manifests)
        .map(|(manifest, judged)| (&manifest.digest, judged.0))
        .collect();
    for (tag, judged) in facts.tags.iter().zip(tags) {
        let Some(subject) = digest_of(&tag.tag) else {
            continue;
        };
        *judged = match (
            present.get(&subject),
            rule.config.orphaned_referrers_after_days,
        ) {
            (Some(Decision::Keep), _) => keep(format!("it is about `{subject}`")),
            (Some(Decision::Remove), _) => keep("its subject goes first"),
            (None, None) => keep("the rule keeps referrers without a subject"),
            (None, Some(days))
                if facts.now_unix_s
                    < tag
                        .pushed_unix_s
                        .saturating_add(days.saturating_mul(DAY_S).max(facts.grace_s)) =>
            {
                keep(format!("it was pushed in the last {days} days"))
            }
            (None, Some(days)) => remove(format!(
                "its subject is gone, and it was not pushed in the last {days} days"
            )),
        };
    }
}
