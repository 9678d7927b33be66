//! Which fields of an object we hold, as `metadata.managedFields` has it.
//!
//! A manager that changes a field's value takes the field from all others. So as long as our entry is
//! the one that our apply has left, every value of ours is there as it was: that an object has not
//! been changed is seen in its metadata.

use cairn_spec::{Digest, canonical_json};
use serde_json::{Value, json};

use crate::inventory::FIELD_MANAGER;

/// Identifies the fields that we hold; none if we hold none.
pub fn owned_fields(object: &Value) -> Option<Digest> {
    let mut entries = object["metadata"]["managedFields"].as_array()?.iter();
    let ours = entries.find(|entry| {
        entry["manager"] == FIELD_MANAGER
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().unwrap_or_default().is_empty()
    })?;
    let fields = json!([ours["apiVersion"], ours["fieldsV1"]]);
    Some(Digest::sha256(canonical_json(&fields).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_field_is_seen() {
        let mut object = json!({"metadata": {"managedFields": [
            {
                "manager": "cairn", "operation": "Apply", "apiVersion": "v1",
                "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}},
            },
            {
                "manager": "theirs", "operation": "Update", "apiVersion": "v1",
                "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:data": {"f:c": {}}},
            },
        ]}});
        let before = owned_fields(&object);
        object["metadata"]["managedFields"][1]["time"] = json!("2026-02-01T00:00:00Z");
        assert_eq!(owned_fields(&object), before);
        object["metadata"]["managedFields"][0]["fieldsV1"]["f:data"] = json!({"f:a": {}});
        assert_ne!(owned_fields(&object), before);
        assert_eq!(owned_fields(&json!({})), None);
    }
}
