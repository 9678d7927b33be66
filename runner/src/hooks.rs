//! Hooks of charts: which run at an event, in which order, and when they go
//! (<https://helm.sh/docs/topics/charts_hooks/>).

use cairn_spec::{PlanHook, PlanObject};

use crate::journal::Action;

/// Where hooks run in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the layer's objects.
    Before,
    /// When the layer is healthy.
    After,
}

/// When a hook's object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Before it is created anew.
    BeforeCreation,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
}

/// The name of an event as charts have it.
pub fn event(action: Action, moment: Moment) -> &'static str {
    match (action, moment) {
        (Action::Install, Moment::Before) => "pre-install",
        (Action::Install, Moment::After) => "post-install",
        (Action::Upgrade, Moment::Before) => "pre-upgrade",
        (Action::Upgrade, Moment::After) => "post-upgrade",
        (Action::Rollback, Moment::Before) => "pre-rollback",
        (Action::Rollback, Moment::After) => "post-rollback",
        (Action::Uninstall, Moment::Before) => "pre-delete",
        (Action::Uninstall, Moment::After) => "post-delete",
    }
}

/// The hooks of a layer that run at an event, one after the other; each by its place among
/// `objects`. Of equal weights the name decides, as for Helm; of equal names, what runs comes last.
pub fn due<'a>(
    objects: impl IntoIterator<Item = &'a PlanObject>,
    event: &str,
) -> Vec<(usize, &'a PlanObject)> {
    let mut due: Vec<(usize, &PlanObject)> = objects
        .into_iter()
        .enumerate()
        .filter(|(_, object)| {
            object
                .hook
                .as_ref()
                .is_some_and(|hook| runs_at(hook, event))
        })
        .collect();
    due.sort_by_key(|(_, object)| {
        let weight = object.hook.as_ref().map_or(0, |hook| hook.weight);
        let runs = matches!(object.id.kind.as_str(), "Job" | "Pod");
        (weight, &object.id.name, runs, &object.id.kind)
    });
    due
}

fn runs_at(hook: &PlanHook, event: &str) -> bool {
    hook.events.iter().any(|it| it == event)
}

/// A hook's object goes on this occasion. Without a policy it goes before it is created anew, as for
/// Helm.
pub fn goes(hook: &PlanHook, occasion: Occasion) -> bool {
    let name = match occasion {
        Occasion::BeforeCreation => "before-hook-creation",
        Occasion::Succeeded => "hook-succeeded",
        Occasion::Failed => "hook-failed",
    };
    if hook.delete_policies.is_empty() {
        return occasion == Occasion::BeforeCreation;
    }
    hook.delete_policies.iter().any(|policy| policy == name)
}

#[cfg(test)]
mod tests {
    use cairn_spec::{Digest, ObjectId};

    use super::*;

    fn hook(events: &[&str], weight: i64, policies: &[&str]) -> PlanHook {
        let texts = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        PlanHook {
            events: texts(events),
            weight,
            delete_policies: texts(policies),
        }
    }

    fn object(kind: &str, name: &str, hook: Option<PlanHook>) -> PlanObject {
        PlanObject {
            id: ObjectId {
                api_version: "batch/v1".to_owned(),
                kind: kind.to_owned(),
                namespace: Some("n".to_owned()),
                name: name.to_owned(),
            },
            file: String::new(),
            digest: Digest::sha256(b""),
            hook,
        }
    }

    #[test]
    fn hooks_run_by_weight_and_name() {
        let events = &["post-install", "pre-upgrade"][..];
        let objects = [
            object("Job", "late", Some(hook(events, 10, &[]))),
            object("Job", "b", Some(hook(events, 0, &[]))),
            object("Job", "a", Some(hook(events, 0, &[]))),
            object("ConfigMap", "z", Some(hook(events, 0, &[]))),
            object("Job", "early", Some(hook(events, -5, &[]))),
            object("Job", "other", Some(hook(&["pre-install"], -9, &[]))),
            object("Job", "none", None),
        ];
        let names = |event| {
            let due = due(&objects, event);
            due.iter()
                .map(|(place, it)| format!("{place} {}", it.id.name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        assert_eq!(names("pre-upgrade"), "4 early, 2 a, 1 b, 3 z, 0 late");
        assert_eq!(names("pre-install"), "5 other");
        assert_eq!(names("pre-rollback"), "");
    }

    #[test]
    fn without_a_policy_a_hook_goes_before_it_comes_again() {
        let plain = hook(&[], 0, &[]);
        let told = hook(&[], 0, &["hook-succeeded"]);
        let at = |it: &PlanHook| {
            [
                Occasion::BeforeCreation,
                Occasion::Succeeded,
                Occasion::Failed,
            ]
            .map(|occasion| goes(it, occasion))
        };
        assert_eq!(at(&plain), [true, false, false]);
        assert_eq!(at(&told), [false, true, false]);
        assert_eq!(
            at(&hook(&[], 0, &["hook-failed", "before-hook-creation"])),
            [true, false, true]
        );
    }

    #[test]
    fn every_action_has_its_events() {
        assert_eq!(event(Action::Upgrade, Moment::After), "post-upgrade");
        assert_eq!(event(Action::Uninstall, Moment::Before), "pre-delete");
    }
}
