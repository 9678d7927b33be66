//! What holds for any rule and any repository.

use std::collections::{HashMap, HashSet};

use cairn_spec::Digest;
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value as Json, json};

use super::{
    super::judge::{Decision, Facts, ManifestFacts, TagFacts, Verdict, judge},
    DAY_S, NOW, days_ago, digest, manifest, rule, tag,
};
use crate::service::digest_of;

fn keep_tags() -> impl Strategy<Value = Json> {
    let globs = prop::sample::subsequence(vec!["**", "v*", "t1", "t2*", "nothing"], 1..3);
    let condition = || option::of(1_u64..20);
    (globs, condition(), condition(), condition(), condition()).prop_map(
        |(tags, pushed, pulled, pushed_days, pulled_days)| {
            let mut entry = json!({"tags": tags});
            for (key, value) in [
                ("lastPushed", pushed),
                ("lastPulled", pulled),
                ("pushedWithinDays", pushed_days),
                ("pulledWithinDays", pulled_days),
            ] {
                if let Some(value) = value {
                    entry[key] = value.into();
                }
            }
            entry
        },
    )
}

fn fields() -> impl Strategy<Value = Json> {
    let days = || option::of(0_u64..40);
    let keep = option::of(vec(keep_tags(), 0..3));
    (keep, any::<bool>(), days(), days(), any::<bool>()).prop_map(
        |(keep, removes, untagged, orphans, may_empty)| {
            let mut rule = json!({"mayEmptyRepositories": may_empty});
            if let Some(keep) = keep {
                rule["keepTags"] = keep.into();
            }
            if removes {
                rule["unmatchedTags"] = "remove".into();
            }
            if let Some(untagged) = untagged {
                rule["untaggedAfterDays"] = untagged.into();
            }
            if let Some(orphans) = orphans {
                rule["orphanedReferrersAfterDays"] = orphans.into();
            }
            rule
        },
    )
}

/// Manifests called by their number, which list and are about earlier ones, as digests have it.
fn manifests() -> impl Strategy<Value = Vec<ManifestFacts>> {
    let one = (
        0_u64..60,
        0_u64..60,
        option::of(0_u64..60),
        option::of(0_usize..12),
        vec(0_usize..12, 0..3),
    );
    vec(one, 0..12).prop_map(|manifests| {
        let numbered = manifests.into_iter().enumerate();
        numbered
            .map(|(number, (pushed, touched, pulled, subject, children))| {
                let earlier = |other: usize| (other < number).then(|| digest(&other.to_string()));
                ManifestFacts {
                    touched_unix_s: days_ago(touched),
                    pulled_unix_s: pulled.map(days_ago),
                    // Beyond the earlier ones, something that is gone.
                    subject: subject.map(|it| earlier(it).unwrap_or_else(|| digest("gone"))),
                    children: children.into_iter().filter_map(earlier).collect(),
                    ..manifest(&number.to_string(), pushed)
                }
            })
            .collect()
    })
}

fn repositories() -> impl Strategy<Value = Facts> {
    let tags = vec((0_u64..60, 0_usize..12, 0_u8..8), 0..12);
    (manifests(), tags, option::of(0_u64..60)).prop_map(|(manifests, tags, since)| {
        let numbered = tags.into_iter().enumerate();
        let tags = numbered.filter_map(|(number, (pushed, of, kind))| {
            let of = of.checked_rem(manifests.len())?.to_string();
            let name = match kind {
                0 => format!("sha256-{}.sig", digest(&of).hex()),
                1 | 2 => format!("v{number}"),
                _ => format!("t{number}"),
            };
            Some(TagFacts {
                protection: (kind == 3).then_some("protected"),
                ..tag(&name, &of, pushed)
            })
        });
        let mut tags: Vec<TagFacts> = tags.collect();
        tags.sort_by(|a, b| a.tag.cmp(&b.tag));
        tags.dedup_by(|a, b| a.tag == b.tag);
        Facts {
            tags,
            manifests,
            pulls_since_unix_s: since.map(days_ago),
            now_unix_s: NOW,
            grace_s: DAY_S,
        }
    })
}

fn goes(verdict: &Verdict) -> bool {
    verdict.decision == Decision::Remove
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_kept_whole(fields in fields(), facts in repositories()) {
        let may_empty = fields["mayEmptyRepositories"] == true;
        let verdicts = judge(&rule(fields.clone()), &facts);
        let (tags, manifests) = verdicts.split_at(facts.tags.len());
        prop_assert_eq!(manifests.len(), facts.manifests.len());
        let removed: HashSet<&Digest> = facts
            .manifests
            .iter()
            .zip(manifests)
            .filter(|(_, verdict)| goes(verdict))
            .map(|(manifest, _)| &manifest.digest)
            .collect();
        let by_digest: HashMap<&Digest, &ManifestFacts> =
            facts.manifests.iter().map(|it| (&it.digest, it)).collect();

        for (tag, verdict) in facts.tags.iter().zip(tags) {
            // Whatever a tag points to outlives it.
            prop_assert!(!removed.contains(&tag.digest));
            prop_assert!(!goes(verdict) || tag.protection.is_none());
            if let Some(subject) = digest_of(&tag.tag) {
                prop_assert!(!goes(verdict) || !by_digest.contains_key(&subject));
            }
        }
        for manifest in &facts.manifests {
            if removed.contains(&manifest.digest) {
                let age_s = NOW - manifest.touched_unix_s;
                prop_assert!(age_s >= facts.grace_s);
                // A referrer goes only after its subject.
                let subject = manifest.subject.as_ref();
                prop_assert!(subject.is_none_or(|it| !by_digest.contains_key(it)));
            } else {
                for child in &manifest.children {
                    prop_assert!(!removed.contains(child));
                }
            }
        }
        let ordinary = |tag: &&TagFacts| digest_of(&tag.tag).is_none();
        let before = facts.tags.iter().filter(ordinary).count();
        let after = facts.tags.iter().zip(tags).filter(|(tag, verdict)| ordinary(tag) && !goes(verdict)).count();
        prop_assert!(may_empty || before == 0 || after > 0);
        prop_assert!(may_empty || facts.manifests.is_empty() || removed.len() < facts.manifests.len());
        if fields.get("keepTags").is_none() {
            prop_assert!(facts.tags.iter().zip(tags).all(|(tag, verdict)| !goes(verdict) || digest_of(&tag.tag).is_some()));
        }
    }

    /// A tag that goes by an earlier clock goes by a later one.
    #[test]
    fn an_earlier_clock_removes_no_more(fields in fields(), facts in repositories(), days in 0_u64..100) {
        let mut fields = fields;
        // Without it, sparing the last ones may depend on what else goes.
        fields["mayEmptyRepositories"] = true.into();
        let rule = rule(fields);
        let earlier = Facts { now_unix_s: NOW - days * DAY_S, ..facts.clone() };
        for (early, late) in judge(&rule, &earlier).iter().zip(judge(&rule, &facts)) {
            if early.kind == "tag" {
                prop_assert!(!goes(early) || goes(&late), "{} goes early only", early.name);
            }
        }
    }
}
