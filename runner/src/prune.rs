//! What may be deleted: only what is provably ours and no longer wanted. Facts go in; delete, keep
//! or ask comes out, with the reason.
//!
//! The rules are numbered in reasons, so that a report can be looked up:
//! R2 only what no layer wants any more, and is the very object that was applied; R4 what holds data
//! or others' objects is asked about; R5 much at once is asked about; R6 nothing while the cluster
//! cannot be read; R7 never what Cairn itself runs on; R8 nothing by an inventory that was lost, unless somebody agrees.
//! (R1 and R3, how inventories grow and what identity is, are `inventory`'s.)

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::inventory::{Entry, FIELD_MANAGER, Identity, Inventory, PART_OF};

/// More than this share of an inventory, in percent, is not deleted without a question.
const MAX_DELETED_PERCENT: usize = 30;
/// Fewer deletions than this are no catastrophe, whatever share they are.
const FEW_DELETIONS: usize = 5;
/// Says that Helm must not delete the object.
const HELM_KEEP: (&str, &str) = ("helm.sh/resource-policy", "keep");
/// Says that Cairn must not delete the object.
const CAIRN_KEEP: (&str, &str) = ("cairn.dev/prune", "disabled");

/// What is found in the cluster where an inventory names an object.
#[derive(Debug, Clone, Copy)]
pub enum Live<'a> {
    /// It is not there.
    Gone,
    /// It is there.
    Found(&'a Found),
    /// The server did not say, which is not the same as its being gone.
    Unreadable,
}

/// An object that is there, as far as pruning is decided by it: thousands are judged at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    uid: Option<String>,
    resource_version: Option<String>,
    /// The set that its label says it is part of.
    set: Option<String>,
    has_our_fields: bool,
    /// The annotation that keeps it.
    kept_by: Option<(&'static str, &'static str)>,
}

impl Found {
    /// What an object's metadata says.
    pub fn of(object: &Json) -> Self {
        let metadata = &object["metadata"];
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let keeps = |(key, value): &(&str, &str)| metadata["annotations"][*key] == **value;
        let managers = metadata["managedFields"].as_array();
        Self {
            uid: text(&metadata["uid"]),
            resource_version: text(&metadata["resourceVersion"]),
            set: text(&metadata["labels"][PART_OF]),
            has_our_fields: managers
                .is_some_and(|managers| managers.iter().any(|it| it["manager"] == FIELD_MANAGER)),
            kept_by: [HELM_KEEP, CAIRN_KEEP].into_iter().find(keeps),
        }
    }
}

/// What pruning is decided by, besides the objects.
#[derive(Debug)]
pub struct Situation<'a> {
    /// What any layer of the new bundle has.
    pub wanted: &'a BTreeSet<Identity>,
    /// The set of each layer that Cairn has in this cluster.
    pub sets: &'a BTreeSet<String>,
    /// Cairn's own namespace.
    pub namespace: &'a str,
    /// API groups that could not be listed or whose definitions are being deleted.
    pub unreadable_groups: &'a BTreeSet<String>,
    /// Namespaces that hold objects of others.
    pub shared_namespaces: &'a BTreeSet<String>,
    /// What somebody has agreed to delete.
    pub approved: &'a BTreeSet<Identity>,
    /// Somebody has agreed to delete this much.
    pub approved_amount: bool,
}

/// What happens to an object that is no longer wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is deleted, if it still is this object in this version.
    Delete {
        /// Its UID.
        uid: String,
        /// Its version.
        resource_version: String,
    },
    /// It stays, and the inventory forgets it.
    Release(String),
    /// It stays for now, and in the inventory.
    Keep(String),
    /// Somebody must agree first.
    Ask(String),
}

/// What is to be done about the objects that a layer has and nobody wants, in the order of deletion.
/// `live` says what is in the cluster.
pub fn judge<'a>(
    inventory: &Inventory,
    situation: &Situation<'_>,
    live: impl Fn(&Identity) -> Live<'a>,
) -> Vec<(Identity, Decision)> {
    let mut judged: Vec<_> = inventory
        .entries
        .iter()
        .filter(|(identity, _)| !situation.wanted.contains(identity))
        .map(|(identity, entry)| {
            let decision = judge_one(inventory, (identity, entry), situation, live(identity));
            (entry.stage, identity, decision)
        })
        .collect();
    judged.sort_by(|(left, left_id, _), (right, right_id, _)| {
        right.cmp(left).then_with(|| right_id.cmp(left_id))
    });
    let deletions = judged
        .iter()
        .filter(|(_, _, decision)| matches!(decision, Decision::Delete { .. }))
        .count();
    let too_many = too_many(deletions, inventory.entries.len(), situation);
    let judged = judged.into_iter().map(|(_, identity, decision)| {
        let decision = match (&decision, &too_many) {
            (Decision::Delete { .. }, Some(reason)) => Decision::Ask(reason.clone()),
            _ => decision,
        };
        (identity.clone(), decision)
    });
    judged.collect()
}

/// What another layer has now leaves the inventory without being deleted.
pub fn transferred<'a>(
    inventory: &'a Inventory,
    own: &'a BTreeSet<Identity>,
    wanted: &'a BTreeSet<Identity>,
) -> impl Iterator<Item = &'a Identity> {
    inventory
        .entries
        .keys()
        .filter(move |identity| wanted.contains(identity) && !own.contains(identity))
}

fn too_many(deletions: usize, objects: usize, situation: &Situation<'_>) -> Option<String> {
    if situation.approved_amount || deletions == 0 {
        return None;
    }
    if situation.wanted.is_empty() {
        return Some(format!(
            "R5: the bundle is empty, and {deletions} objects would be deleted"
        ));
    }
    let is_much = deletions * 100 > objects * MAX_DELETED_PERCENT && deletions > FEW_DELETIONS;
    is_much.then(|| {
        format!("R5: {deletions} of {objects} objects would be deleted, more than {MAX_DELETED_PERCENT} %")
    })
}

fn judge_one(
    inventory: &Inventory,
    (identity, entry): (&Identity, &Entry),
    situation: &Situation<'_>,
    live: Live<'_>,
) -> Decision {
    if is_own(identity, situation.namespace) {
        return keep("R7", "Cairn itself runs on it");
    }
    if situation.unreadable_groups.contains(&identity.group) {
        return keep("R6", "its API group cannot be read");
    }
    let object = match live {
        Live::Unreadable => return keep("R6", "the server did not say whether it is there"),
        Live::Gone => return Decision::Release("it is gone already".to_owned()),
        Live::Found(object) => object,
    };
    let (Some(uid), Some(resource_version)) = (&object.uid, &object.resource_version) else {
        return keep("R6", "the server did not say which object it is");
    };
    match &entry.uid {
        None => return release("R2", "it was never applied"),
        Some(known) if known != uid => {
            return release("R2", "somebody else created it anew");
        }
        Some(_) => {}
    }
    let set = object.set.as_ref();
    if !set.is_some_and(|set| situation.sets.contains(set)) {
        return release("R2", "it no longer carries our label");
    }
    if !object.has_our_fields {
        return release("R2", "none of its fields is ours");
    }
    if let Some((key, value)) = object.kept_by {
        return release("R4", &format!("its annotation `{key}: {value}` keeps it"));
    }
    if is_namespace(identity) {
        if !entry.created && !inventory.recovered {
            return release("R4", "the namespace was there before");
        }
        let is_in_it = |it: &Identity| it.namespace.as_deref() == Some(identity.name.as_str());
        if situation.wanted.iter().any(is_in_it) {
            return keep("R4", "the bundle has objects in the namespace");
        }
        if situation.shared_namespaces.contains(&identity.name) {
            return keep("R4", "the namespace holds objects of others");
        }
    }
    let is_approved = situation.approved.contains(identity);
    if inventory.recovered && !is_approved {
        let what = "the inventory was lost, and this was found by its label";
        return Decision::Ask(format!("R8: {what}"));
    }
    if needs_approval(identity) && !is_approved {
        let what = format!("deleting a {} deletes more than itself", identity.kind);
        return Decision::Ask(format!("R4: {what}"));
    }
    Decision::Delete {
        uid: uid.clone(),
        resource_version: resource_version.clone(),
    }
}

fn keep(rule: &str, reason: &str) -> Decision {
    Decision::Keep(format!("{rule}: {reason}"))
}

fn release(rule: &str, reason: &str) -> Decision {
    Decision::Release(format!("{rule}: {reason}"))
}

/// The namespace that Cairn runs in, all in it, and its own roles.
fn is_own(identity: &Identity, namespace: &str) -> bool {
    let is_its_namespace = is_namespace(identity) && identity.name == namespace;
    let is_its_role = identity.group == "rbac.authorization.k8s.io"
        && identity.namespace.is_none()
        && identity.name.starts_with("cairn-");
    is_its_namespace || is_its_role || identity.namespace.as_deref() == Some(namespace)
}

fn is_namespace(identity: &Identity) -> bool {
    identity.group.is_empty() && identity.kind == "Namespace"
}

/// Kinds that take other objects, data or nodes with them.
fn needs_approval(identity: &Identity) -> bool {
    matches!(
        (identity.group.as_str(), identity.kind.as_str()),
        (
            "",
            "Namespace" | "PersistentVolume" | "PersistentVolumeClaim" | "Node"
        ) | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("storage.k8s.io", "StorageClass" | "CSIDriver" | "CSINode")
            | ("node.k8s.io", "RuntimeClass")
    )
}

#[cfg(test)]
mod tests {
    use cairn_spec::Stage;
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn identity(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Identity {
        Identity {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    fn service(name: &str) -> Identity {
        identity("", "Service", Some("n"), name)
    }

    fn inventory(identities: &[Identity]) -> Inventory {
        let mut inventory = Inventory::new("web".parse().unwrap(), "c");
        for identity in identities {
            let stage = if is_namespace(identity) {
                Stage::Namespaces
            } else {
                Stage::Workloads
            };
            let entry = Entry {
                version: "v1".to_owned(),
                stage,
                uid: Some("u".to_owned()),
                created: true,
                desired: None,
                owned: None,
            };
            inventory.entries.insert(identity.clone(), entry);
        }
        inventory
    }

    fn ours() -> Json {
        json!({"metadata": {
            "uid": "u", "resourceVersion": "7", "labels": {PART_OF: "set"},
            "managedFields": [{"manager": "kubectl"}, {"manager": "cairn"}],
        }})
    }

    #[derive(Default)]
    struct World {
        wanted: BTreeSet<Identity>,
        unreadable_groups: BTreeSet<String>,
        shared_namespaces: BTreeSet<String>,
        approved: BTreeSet<Identity>,
        approved_amount: bool,
    }

    impl World {
        fn judge(&self, inventory: &Inventory, live: Live<'_>) -> String {
            let mut wanted = self.wanted.clone();
            wanted.insert(identity("", "Service", Some("elsewhere"), "another"));
            let situation = Situation {
                wanted: &wanted,
                sets: &["set".to_owned()].into(),
                namespace: "cairn-system",
                unreadable_groups: &self.unreadable_groups,
                shared_namespaces: &self.shared_namespaces,
                approved: &self.approved,
                approved_amount: self.approved_amount,
            };
            let judged = judge(inventory, &situation, |_| live);
            let lines = judged.iter().map(|(identity, decision)| match decision {
                Decision::Delete {
                    uid,
                    resource_version,
                } => {
                    format!("{identity}: delete {uid} at {resource_version}")
                }
                Decision::Release(reason) => format!("{identity}: release, {reason}"),
                Decision::Keep(reason) => format!("{identity}: keep, {reason}"),
                Decision::Ask(reason) => format!("{identity}: ask, {reason}"),
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }

    fn with(change: impl Fn(&mut Json)) -> String {
        let mut object = ours();
        change(&mut object);
        World::default().judge(
            &inventory(&[service("a")]),
            Live::Found(&Found::of(&object)),
        )
    }

    #[test]
    fn what_is_ours_and_not_wanted_is_deleted_as_it_was_seen() {
        assert_snapshot!(with(|_| {}), @"Service n/a: delete u at 7");
    }

    #[test]
    fn what_any_layer_wants_stays() {
        let world = World {
            wanted: [service("a")].into(),
            ..World::default()
        };
        assert_snapshot!(world.judge(&inventory(&[service("a")]), Live::Found(&Found::of(&ours()))), @"");
    }

    #[test]
    fn what_is_not_the_object_we_applied_is_let_go() {
        assert_snapshot!(with(|it| it["metadata"]["uid"] = "v".into()), @"Service n/a: release, R2: somebody else created it anew");
        assert_snapshot!(with(|it| it["metadata"]["labels"] = json!({})), @"Service n/a: release, R2: it no longer carries our label");
        assert_snapshot!(with(|it| it["metadata"]["labels"][PART_OF] = "other".into()), @"Service n/a: release, R2: it no longer carries our label");
        assert_snapshot!(with(|it| it["metadata"]["managedFields"] = json!([{"manager": "operator"}])), @"Service n/a: release, R2: none of its fields is ours");
        assert_snapshot!(with(|it| it["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"})), @"Service n/a: release, R4: its annotation `helm.sh/resource-policy: keep` keeps it");
        assert_snapshot!(with(|it| it["metadata"]["annotations"] = json!({"cairn.dev/prune": "disabled"})), @"Service n/a: release, R4: its annotation `cairn.dev/prune: disabled` keeps it");
        assert_snapshot!(World::default().judge(&inventory(&[service("a")]), Live::Gone), @"Service n/a: release, it is gone already");
    }

    #[test]
    fn an_object_that_was_never_applied_is_not_ours() {
        let mut planned = inventory(&[service("a")]);
        planned.entries.values_mut().next().unwrap().uid = None;
        assert_snapshot!(World::default().judge(&planned, Live::Found(&Found::of(&ours()))), @"Service n/a: release, R2: it was never applied");
    }

    #[test]
    fn nothing_is_deleted_while_the_cluster_cannot_be_read() {
        let one = inventory(&[identity("apps", "Deployment", Some("n"), "a")]);
        assert_snapshot!(World::default().judge(&one, Live::Unreadable), @"Deployment n/a: keep, R6: the server did not say whether it is there");
        let world = World {
            unreadable_groups: ["apps".to_owned()].into(),
            ..World::default()
        };
        assert_snapshot!(world.judge(&one, Live::Gone), @"Deployment n/a: keep, R6: its API group cannot be read");
        assert_snapshot!(with(|it| it["metadata"]["resourceVersion"] = Json::Null), @"Service n/a: keep, R6: the server did not say which object it is");
    }

    #[test]
    fn nothing_is_deleted_by_an_inventory_that_was_lost() {
        let mut lost = inventory(&[service("a")]);
        lost.recovered = true;
        assert_snapshot!(World::default().judge(&lost, Live::Found(&Found::of(&ours()))), @"Service n/a: ask, R8: the inventory was lost, and this was found by its label");
        let agreed = World {
            approved: [service("a")].into(),
            ..World::default()
        };
        assert_snapshot!(agreed.judge(&lost, Live::Found(&Found::of(&ours()))), @"Service n/a: delete u at 7");
        // Who made a namespace is not known either.
        let mut lost = inventory(&[identity("", "Namespace", None, "a")]);
        lost.recovered = true;
        lost.entries
            .values_mut()
            .for_each(|entry| entry.created = false);
        assert_snapshot!(World::default().judge(&lost, Live::Found(&Found::of(&ours()))), @"Namespace a: ask, R8: the inventory was lost, and this was found by its label");
    }

    #[test]
    fn cairn_does_not_saw_at_its_own_branch() {
        let own = [
            identity("", "Namespace", None, "cairn-system"),
            identity("", "ConfigMap", Some("cairn-system"), "a"),
            identity(
                "rbac.authorization.k8s.io",
                "ClusterRole",
                None,
                "cairn-agent",
            ),
        ];
        assert_snapshot!(World::default().judge(&inventory(&own), Live::Found(&Found::of(&ours()))), @"
        ClusterRole cairn-agent: keep, R7: Cairn itself runs on it
        ConfigMap cairn-system/a: keep, R7: Cairn itself runs on it
        Namespace cairn-system: keep, R7: Cairn itself runs on it
        ");
    }

    #[test]
    fn what_takes_more_with_it_is_asked_about() {
        let claim = identity("", "PersistentVolumeClaim", Some("n"), "data");
        let definition = identity(
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            None,
            "things.example.dev",
        );
        let one = inventory(&[claim.clone(), definition]);
        assert_snapshot!(World::default().judge(&one, Live::Found(&Found::of(&ours()))), @"
        CustomResourceDefinition things.example.dev: ask, R4: deleting a CustomResourceDefinition deletes more than itself
        PersistentVolumeClaim n/data: ask, R4: deleting a PersistentVolumeClaim deletes more than itself
        ");
        let world = World {
            approved: [claim].into(),
            ..World::default()
        };
        assert_snapshot!(world.judge(&one, Live::Found(&Found::of(&ours()))), @"
        CustomResourceDefinition things.example.dev: ask, R4: deleting a CustomResourceDefinition deletes more than itself
        PersistentVolumeClaim n/data: delete u at 7
        ");
    }

    #[test]
    fn a_namespace_goes_only_when_it_is_ours_and_nobody_elses() {
        let namespace = identity("", "Namespace", None, "n");
        let agreed = || World {
            approved: [namespace.clone()].into(),
            ..World::default()
        };
        let mut one = inventory(std::slice::from_ref(&namespace));
        let wanted = World {
            wanted: [service("b")].into(),
            ..agreed()
        };
        assert_snapshot!(wanted.judge(&one, Live::Found(&Found::of(&ours()))), @"Namespace n: keep, R4: the bundle has objects in the namespace");
        assert_snapshot!(agreed().judge(&one, Live::Found(&Found::of(&ours()))), @"Namespace n: delete u at 7");
        let world = World {
            shared_namespaces: ["n".to_owned()].into(),
            ..agreed()
        };
        assert_snapshot!(world.judge(&one, Live::Found(&Found::of(&ours()))), @"Namespace n: keep, R4: the namespace holds objects of others");
        one.entries.values_mut().next().unwrap().created = false;
        assert_snapshot!(agreed().judge(&one, Live::Found(&Found::of(&ours()))), @"Namespace n: release, R4: the namespace was there before");
    }

    #[test]
    fn many_deletions_are_asked_about() {
        let many: Vec<Identity> = (0..10).map(|index| service(&format!("s{index}"))).collect();
        let keeping = |kept: usize| World {
            wanted: many[..kept].iter().cloned().collect(),
            ..World::default()
        };
        let all = inventory(&many);
        assert_snapshot!(keeping(7).judge(&all, Live::Found(&Found::of(&ours()))), @"
        Service n/s9: delete u at 7
        Service n/s8: delete u at 7
        Service n/s7: delete u at 7
        ");
        assert_snapshot!(keeping(4).judge(&all, Live::Found(&Found::of(&ours()))).lines().next().unwrap(), @"Service n/s9: ask, R5: 6 of 10 objects would be deleted, more than 30 %");
        let agreed = World {
            approved_amount: true,
            ..keeping(4)
        };
        assert_snapshot!(agreed.judge(&all, Live::Found(&Found::of(&ours()))).lines().next().unwrap(), @"Service n/s9: delete u at 7");
    }

    #[test]
    fn deletions_come_in_the_reverse_order_of_stages() {
        let namespace = identity("", "Namespace", None, "n");
        let world = World {
            approved: [namespace.clone()].into(),
            ..World::default()
        };
        let both = inventory(&[namespace, service("a"), service("b")]);
        assert_snapshot!(world.judge(&both, Live::Found(&Found::of(&ours()))), @"
        Service n/b: delete u at 7
        Service n/a: delete u at 7
        Namespace n: delete u at 7
        ");
    }

    #[test]
    fn an_object_that_another_layer_has_now_is_handed_over() {
        let old = inventory(&[service("a"), service("b"), service("c")]);
        let own: BTreeSet<Identity> = [service("a")].into();
        let wanted: BTreeSet<Identity> = [service("a"), service("b")].into();
        let handed: Vec<String> = transferred(&old, &own, &wanted)
            .map(ToString::to_string)
            .collect();
        assert_eq!(handed, ["Service n/b"]);
    }
}
