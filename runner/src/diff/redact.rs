//! Takes secrets out of changes, as `kubectl diff` does: that something changes is told, not what.

use serde_json::Value as Json;

use super::{Change, path::Step};
use crate::bundle::Secrets;

/// Takes out what must not be shown of a change to an object.
pub(super) fn redact(object: &Json, change: &mut Change, secrets: &Secrets) {
    let is_secret_data = is_secret(object)
        && matches!(change.path.steps().first(), Some(Step::Field(name)) if name == "data" || name == "stringData");
    let hides = |value: &Option<Json>| {
        value
            .as_ref()
            .is_some_and(|value| is_secret_data || secrets.shows_in(value))
    };
    if !hides(&change.old) && !hides(&change.new) {
        return;
    }
    match (&mut change.old, &mut change.new) {
        (Some(old), Some(new)) => {
            *old = "*** (before)".into();
            *new = "*** (after)".into();
        }
        (Some(value), None) | (None, Some(value)) => *value = "***".into(),
        (None, None) => {}
    }
}

fn is_secret(object: &Json) -> bool {
    object["apiVersion"] == "v1" && object["kind"] == "Secret"
}
