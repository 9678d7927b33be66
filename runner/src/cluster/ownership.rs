//! Who holds which field of an object, as `metadata.managedFields` has it.
//!
//! A manager that changes a field's value takes the field from all others. So as long as our entry is
//! the one that our apply has left, every value of ours is there as it was: that an object has not
//! been changed is seen in its metadata.

use cairn_spec::{Digest, canonical_json};
use serde_json::{Value, json};

/// What we are called where managers are named.
pub const FIELD_MANAGER: &str = "cairn";

/// A manager that holds a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// Its name.
    pub name: String,
    /// True if it applies, false if it writes in other ways.
    pub applies: bool,
    /// When it last changed something, in RFC 3339.
    pub time: Option<String>,
}

/// Identifies the fields that we hold; none if we hold none.
pub fn owned_fields(object: &Value) -> Option<Digest> {
    let ours = entries(object).find(|entry| {
        entry["manager"] == FIELD_MANAGER
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().unwrap_or_default().is_empty()
    })?;
    let fields = json!([ours["apiVersion"], ours["fieldsV1"]]);
    Some(Digest::sha256(canonical_json(&fields).as_bytes()))
}

/// Who else holds a field, or one above or below it. The path's parts are names of fields, and
/// numbers of items; which item a manager holds is not told apart.
pub fn owner_of(object: &Value, path: &[&str]) -> Option<Manager> {
    let mut holders: Vec<Manager> = entries(object)
        .filter(|entry| entry["manager"] != FIELD_MANAGER && holds(&entry["fieldsV1"], path))
        .map(|entry| Manager {
            name: entry["manager"].as_str().unwrap_or_default().to_owned(),
            applies: entry["operation"] == "Apply",
            time: entry["time"].as_str().map(str::to_owned),
        })
        .collect();
    // Times are of one form and one zone, so the latest is the greatest.
    holders.sort_by(|a, b| a.time.cmp(&b.time));
    holders.pop()
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    let fields = object["metadata"]["managedFields"].as_array();
    fields.into_iter().flatten()
}

fn holds(fields: &Value, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    let Some(members) = fields.as_object() else {
        return false;
    };
    if first.bytes().all(|byte| byte.is_ascii_digit()) && !first.is_empty() {
        let mut items = members.iter().filter(|(key, _)| !key.starts_with("f:"));
        if items.any(|(key, held)| key != "." && holds(held, rest)) {
            return true;
        }
    }
    match members.get(&format!("f:{first}")) {
        Some(held) => holds(held, rest) || is_whole(held),
        None => false,
    }
}

/// A field without fields of its own is held as a whole.
fn is_whole(held: &Value) -> bool {
    held.as_object().is_some_and(serde_json::Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Value {
        json!({"metadata": {"managedFields": [
            {
                "manager": "cairn", "operation": "Apply", "apiVersion": "apps/v1",
                "fieldsV1": {"f:spec": {"f:template": {}}},
            },
            {
                "manager": "kubectl-edit", "operation": "Update", "apiVersion": "apps/v1",
                "time": "2026-01-02T00:00:00Z",
                "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}},
            },
            {
                "manager": "kube-controller-manager", "operation": "Update", "subresource": "scale",
                "time": "2026-01-01T00:00:00Z",
                "fieldsV1": {"f:spec": {"f:replicas": {}}},
            },
        ]}})
    }

    #[test]
    fn fields_that_others_hold_have_names() {
        let object = object();
        let name = |path: &[&str]| owner_of(&object, path).map(|manager| manager.name);
        assert_eq!(
            name(&["spec", "replicas"]).as_deref(),
            Some("kube-controller-manager")
        );
        assert_eq!(
            name(&["spec", "containers", "0", "image"]).as_deref(),
            Some("kubectl-edit")
        );
        assert_eq!(name(&["spec", "template"]), None);
        assert_eq!(name(&["data"]), None);
    }

    #[test]
    fn a_lost_field_is_seen() {
        let mut changed = object();
        let before = owned_fields(&changed);
        changed["metadata"]["managedFields"][1]["time"] = json!("2026-02-01T00:00:00Z");
        assert_eq!(owned_fields(&changed), before);
        changed["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"] = json!({});
        assert_ne!(owned_fields(&changed), before);
        assert_eq!(owned_fields(&json!({})), None);
    }
}
