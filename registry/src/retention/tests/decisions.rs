//! What rules decide, by example.

use insta::assert_snapshot;
use serde_json::json;

use super::{
    super::judge::{Decision, Facts, judge},
    DAY_S, NOW, days_ago, digest, facts, manifest, rule, tag,
};

/// The decisions, with manifests called by their names again.
fn decided(fields: serde_json::Value, facts: &Facts) -> String {
    let names = ["a", "b", "c", "d", "e", "f"];
    let lines = judge(&rule(fields), facts).into_iter().map(|verdict| {
        let mark = match verdict.decision {
            Decision::Keep => '+',
            Decision::Remove => '-',
        };
        format!("{mark} {}: {}", verdict.name, verdict.reason)
    });
    let mut text = lines.collect::<Vec<_>>().join("\n");
    for name in names {
        text = text.replace(digest(name).as_str(), name);
        text = text.replace(digest(name).hex(), name);
    }
    text
}

/// Five releases a day apart, and a branch; none was ever pulled.
fn releases() -> Facts {
    let mut tags: Vec<_> = (1..=5).map(|n| tag(&format!("v{n}"), "a", 6 - n)).collect();
    tags.push(tag("main", "b", 0));
    facts(tags, vec![manifest("a", 5), manifest("b", 0)])
}

#[test]
fn the_last_ones_pushed_stay() {
    let keep = json!({"keepTags": [{"tags": ["v*"], "lastPushed": 2}]});
    assert_snapshot!(decided(keep, &releases()), @r"
    - v1: it matches `keepTags`, but no condition holds
    - v2: it matches `keepTags`, but no condition holds
    - v3: it matches `keepTags`, but no condition holds
    + v4: keepTags[0]: one of the last 2 pushed
    + v5: keepTags[0]: one of the last 2 pushed
    + main: no entry of `keepTags` is about it
    + a: it is tagged `v5`
    + b: it is tagged `main`
    ");
}

#[test]
fn any_entry_and_any_condition_keeps() {
    let keep = json!({
        "keepTags": [
            {"tags": ["v1"]},
            {"tags": ["v*"], "lastPushed": 1, "pushedWithinDays": 3},
        ],
        "unmatchedTags": "remove",
    });
    assert_snapshot!(decided(keep, &releases()), @r"
    + v1: keepTags[0]: it matches
    - v2: it matches `keepTags`, but no condition holds
    - v3: it matches `keepTags`, but no condition holds
    + v4: keepTags[1]: pushed within 3 days
    + v5: keepTags[1]: one of the last 1 pushed
    - main: no entry of `keepTags` is about it, and `unmatchedTags` is `remove`
    + a: it is tagged `v5`
    + b: its tag `main` goes first
    ");
}

#[test]
fn pulls_keep_once_they_were_recorded_for_long_enough() {
    let mut repository = releases();
    repository.tags.truncate(3);
    for (tag, name) in repository.tags.iter_mut().zip(["a", "b", "c"]) {
        tag.digest = digest(name);
    }
    repository.manifests = vec![manifest("a", 5), manifest("b", 5), manifest("c", 5)];
    repository.manifests[0].pulled_unix_s = Some(days_ago(2));
    repository.manifests[1].pulled_unix_s = Some(days_ago(20));
    let within = json!({"keepTags": [{"pulledWithinDays": 14}]});
    assert_snapshot!(decided(within.clone(), &repository), @r"
    + v1: keepTags[0]: pulled within 14 days
    - v2: it matches `keepTags`, but no condition holds
    - v3: it matches `keepTags`, but no condition holds
    + a: it is tagged `v1`
    + b: its tag `v2` goes first
    + c: its tag `v3` goes first
    ");
    let last = json!({"keepTags": [{"lastPulled": 1}]});
    assert_snapshot!(decided(last.clone(), &repository).lines().next().unwrap(), @"+ v1: keepTags[0]: one of the last 1 pulled");
    // Recording has only begun: nobody knows what was pulled before.
    repository.pulls_since_unix_s = Some(days_ago(6));
    for rule in [within.clone(), last] {
        let decided = decided(rule, &repository);
        assert!(!decided.contains("- v"), "{decided}");
    }
    repository.pulls_since_unix_s = None;
    assert!(!decided(within, &repository).contains("- v"));
}

#[test]
fn protected_tags_and_the_last_ones_stay() {
    let mut repository = releases();
    let remove_all = json!({"keepTags": [], "unmatchedTags": "remove"});
    assert_snapshot!(decided(remove_all.clone(), &repository).lines().next().unwrap(), @"+ v1: every tag of the repository would go, which needs `mayEmptyRepositories: true`");
    let mut meant = remove_all.clone();
    meant["mayEmptyRepositories"] = true.into();
    assert!(!decided(meant, &repository).contains("+ v"));
    repository.tags[1].protection = Some("it is immutable");
    let decided = decided(remove_all, &repository);
    assert!(decided.contains("- v1: ") && decided.contains("+ v2: it is immutable"));
}

#[test]
fn manifests_leave_when_nothing_keeps_them() {
    let mut manifests = vec![
        manifest("a", 90),
        manifest("b", 90),
        manifest("c", 90),
        manifest("d", 90),
        manifest("e", 90),
        manifest("f", 90),
    ];
    // `a` is a tagged index that lists `b`; `c` is a signature of `b`; `d` is alone; `e` is a
    // signature of what is gone; `f` was asked for yesterday.
    manifests[0].children = vec![digest("b"), digest("some layer")];
    manifests[2].subject = Some(digest("b"));
    manifests[4].subject = Some(digest("gone"));
    manifests[5].touched_unix_s = days_ago(1);
    let repository = facts(vec![tag("v1", "a", 90)], manifests);
    let both = json!({"untaggedAfterDays": 30, "orphanedReferrersAfterDays": 7});
    assert_snapshot!(decided(both, &repository), @r"
    + v1: the rule keeps all tags
    + a: it is tagged `v1`
    + b: `a` lists it
    + c: it is about `b`
    - d: it has had no tag, and nobody asked for it, in 30 days
    - e: its subject is gone, and nobody asked for it in 7 days
    + f: it was pushed, untagged or asked for in the last 30 days
    ");
    let untagged = json!({"untaggedAfterDays": 30});
    assert!(
        decided(untagged, &repository).contains("+ e: the rule keeps referrers without a subject")
    );
    let orphans = json!({"orphanedReferrersAfterDays": 7});
    assert!(decided(orphans, &repository).contains("+ d: the rule keeps manifests without a tag"));
    // However short the rule's time, what somebody may be about to use stays.
    let mut repository = repository;
    repository.manifests[3].touched_unix_s = NOW - DAY_S + 1;
    let at_once = json!({"untaggedAfterDays": 0});
    assert!(
        decided(at_once, &repository)
            .contains("+ d: somebody relied on it during the grace period")
    );
}

#[test]
fn referrers_go_after_their_subject_not_with_it() {
    let mut manifests = vec![manifest("a", 90), manifest("b", 90), manifest("c", 0)];
    manifests[1].subject = Some(digest("a"));
    let sig = format!("sha256-{}.sig", digest("a").hex());
    let tags = vec![tag("main", "c", 0), tag(&sig, "f", 90)];
    let rule = json!({"untaggedAfterDays": 30, "orphanedReferrersAfterDays": 7});
    let mut repository = facts(tags, manifests);
    assert_snapshot!(decided(rule.clone(), &repository), @r"
    + main: the rule keeps all tags
    + sha256-a.sig: its subject goes first
    - a: it has had no tag, and nobody asked for it, in 30 days
    + b: its subject goes first
    + c: it is tagged `main`
    ");
    repository.manifests.remove(0);
    assert_snapshot!(decided(rule, &repository), @r"
    + main: the rule keeps all tags
    - sha256-a.sig: its subject is gone, and it was not pushed in the last 7 days
    - b: its subject is gone, and nobody asked for it in 7 days
    + c: it is tagged `main`
    ");
}

#[test]
fn a_repository_without_tags_is_not_emptied() {
    let repository = facts(Vec::new(), vec![manifest("a", 90), manifest("b", 90)]);
    let rule = json!({"untaggedAfterDays": 30});
    assert_snapshot!(decided(rule.clone(), &repository).lines().next().unwrap(), @"+ a: every manifest of the repository would go, which needs `mayEmptyRepositories: true`");
    let mut meant = rule;
    meant["mayEmptyRepositories"] = true.into();
    assert!(decided(meant, &repository).starts_with("- a"));
}
