//! Rules of packs: what an object's own fields say in their own way, as expressions of CEL.

use cairn_spec::{HealthRule, ObjectId};
use jiff::Timestamp;
use serde_json::Value as Json;

use super::{Status, Verdict, kstatus};

/// What comes before any rule, and is the same for all kinds.
const NOT_OBSERVED: &str = "LatestGenerationNotObserved";
const REASON: &str = "HealthRule";

/// The rule that an object is judged by: the first that is about it. One that names the kind comes before
/// one that is about a whole group.
pub fn rule_for<'a>(rules: &'a [HealthRule], id: &ObjectId) -> Option<&'a HealthRule> {
    let about = |rule: &&HealthRule| rule.is_about(id);
    let named = rules.iter().filter(|rule| rule.kind.is_some()).find(about);
    named.or_else(|| rules.iter().find(about))
}

/// Whether an object is as it should be, by a rule.
pub fn by_rule(object: &Json, rule: &HealthRule, now: Timestamp) -> Verdict {
    let general = kstatus(object, now);
    if general.status == Status::Terminating || general.reason == NOT_OBSERVED {
        return general;
    }
    for (status, expression) in [
        (Status::InProgress, rule.in_progress.as_ref()),
        (Status::Failed, rule.failed.as_ref()),
        (Status::Current, Some(&rule.current)),
    ] {
        let Some(expression) = expression else {
            continue;
        };
        match expression.holds(object) {
            Ok(true) => return Verdict::new(status, REASON, format!("`{expression}` holds")),
            Ok(false) => {}
            Err(error) => {
                return Verdict::in_progress(
                    REASON,
                    format!("Waiting for `{expression}`: {error}"),
                );
            }
        }
    }
    Verdict::in_progress(REASON, format!("Waiting for `{}`", rule.current))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn rule(rule: Json) -> HealthRule {
        serde_json::from_value(rule).unwrap()
    }

    fn database() -> HealthRule {
        rule(json!({
            "group": "example.dev", "kind": "Database",
            "inProgress": "status.phase == 'Creating'",
            "failed": "status.phase == 'Broken'",
            "current": "status.conditions.exists(e, e.type == 'Available' && e.status == 'True')",
        }))
    }

    fn judged(object: Json) -> String {
        let mut whole = json!({
            "apiVersion": "example.dev/v1", "kind": "Database", "metadata": {"generation": 2},
        });
        let Json::Object(fields) = object else {
            panic!("{object} is no object")
        };
        for (key, value) in fields {
            whole[key] = value;
        }
        let verdict = by_rule(&whole, &database(), Timestamp::UNIX_EPOCH);
        format!("{:?}: {}", verdict.status, verdict.message)
    }

    #[test]
    fn the_first_expression_that_holds_decides() {
        let status = |phase: &str, available: &str| {
            json!({"status": {
                "phase": phase, "conditions": [{"type": "Available", "status": available}],
            }})
        };
        assert_snapshot!(judged(status("Creating", "True")), @"InProgress: `status.phase == 'Creating'` holds");
        assert_snapshot!(judged(status("Broken", "True")), @"Failed: `status.phase == 'Broken'` holds");
        assert_snapshot!(judged(status("Fine", "True")), @"Current: `status.conditions.exists(e, e.type == 'Available' && e.status == 'True')` holds");
        assert_snapshot!(judged(status("Fine", "False")), @"InProgress: Waiting for `status.conditions.exists(e, e.type == 'Available' && e.status == 'True')`");
    }

    #[test]
    fn what_is_missing_is_waited_for() {
        assert_snapshot!(judged(json!({})), @"InProgress: Waiting for `status.phase == 'Creating'`: no such field: `status`");
        assert_snapshot!(judged(json!({"status": {"phase": "Fine"}})), @"InProgress: Waiting for `status.conditions.exists(e, e.type == 'Available' && e.status == 'True')`: no such field: `conditions`");
    }

    #[test]
    fn what_goes_or_was_not_seen_yet_is_judged_before() {
        let fine = json!({"phase": "Broken", "observedGeneration": 1});
        assert_snapshot!(judged(json!({"status": fine})), @"InProgress: Database generation is 2, but latest observed generation is 1");
        let going = json!({"generation": 2, "deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_snapshot!(judged(json!({"metadata": going})), @"Terminating: Resource scheduled for deletion");
    }

    #[test]
    fn a_rule_of_the_kind_comes_first() {
        let rules = [
            rule(json!({"group": "example.dev", "current": "false"})),
            rule(json!({"group": "", "kind": "Database", "current": "false"})),
            database(),
        ];
        let id = |api_version: &str, kind: &str| ObjectId {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: "a".to_owned(),
        };
        let found = |id: &ObjectId| rule_for(&rules, id).map(|rule| rule.kind.clone());
        assert_eq!(
            found(&id("example.dev/v1", "Database")),
            Some(Some("Database".to_owned()))
        );
        assert_eq!(found(&id("example.dev/v9", "User")), Some(None));
        assert_eq!(found(&id("apps/v1", "Deployment")), None);
    }
}
