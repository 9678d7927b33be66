//! Hooks of charts in a plan (`spec/bundle.md` §4).

use cairn_chart::{Hook, HookEvent};
use cairn_spec::PlanHook;

/// What becomes of a hook.
pub(super) enum Fate {
    /// It runs before or after the layer's objects.
    Planned(PlanHook),
    /// A bundle that is gone runs nothing, so its events never come.
    LeftOut(Vec<String>),
    /// It tests a release, which nobody asked for.
    Test,
}

/// What becomes of a hook: one that runs at installations, upgrades or rollbacks is part of the plan.
pub(super) fn fate_of(hook: &Hook) -> Fate {
    let mut events: Vec<String> = hook
        .events
        .iter()
        .filter_map(|event| name_of(*event))
        .map(str::to_owned)
        .collect();
    events.sort();
    events.dedup();
    let is_applied = |event: &String| !event.ends_with("-delete");
    if events.iter().any(is_applied) {
        let mut delete_policies = hook.delete_policies.clone();
        delete_policies.sort();
        delete_policies.dedup();
        return Fate::Planned(PlanHook {
            events: events.into_iter().filter(is_applied).collect(),
            weight: hook.weight,
            delete_policies,
        });
    }
    if events.is_empty() {
        Fate::Test
    } else {
        Fate::LeftOut(events)
    }
}

fn name_of(event: HookEvent) -> Option<&'static str> {
    Some(match event {
        HookEvent::PreInstall => "pre-install",
        HookEvent::PostInstall => "post-install",
        HookEvent::PreUpgrade => "pre-upgrade",
        HookEvent::PostUpgrade => "post-upgrade",
        HookEvent::PreDelete => "pre-delete",
        HookEvent::PostDelete => "post-delete",
        HookEvent::PreRollback => "pre-rollback",
        HookEvent::PostRollback => "post-rollback",
        HookEvent::Test => return None,
    })
}
