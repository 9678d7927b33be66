//! Who set a field, by `metadata.managedFields`
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>).

use serde_json::{Map, Value as Json};

use super::path::{Path, Step};
use crate::inventory::FIELD_MANAGER;

/// Who set a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// When it last wrote, RFC 3339; empty when the server does not say.
    pub time: String,
}

/// Who set the field of an object: the one who wrote last, others rather than Cairn.
pub fn owner(object: &Json, path: &Path) -> Option<Owner> {
    let managers = object.pointer("/metadata/managedFields")?.as_array()?;
    let owning = managers
        .iter()
        .filter(|it| it["subresource"].as_str().unwrap_or_default().is_empty() || !is_ours(it))
        .filter(|it| {
            it["fieldsV1"]
                .as_object()
                .is_some_and(|it| owns(it, path.steps()))
        });
    let newest = owning.max_by_key(|it| (!is_ours(it), it["time"].as_str().unwrap_or_default()))?;
    let text = |key: &str| newest[key].as_str().unwrap_or_default().to_owned();
    Some(Owner {
        manager: text("manager"),
        operation: text("operation"),
        time: text("time"),
    })
}

fn is_ours(entry: &Json) -> bool {
    entry["manager"] == FIELD_MANAGER
}

/// Whether a set of fields holds a path, something below it, or the whole of what it is in.
pub(crate) fn owns(fields: &Map<String, Json>, steps: &[Step]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    let below = match step {
        Step::Field(name) => fields.get(&format!("f:{name}")),
        Step::Item(key, index) => fields
            .iter()
            .find(|(field, _)| is_item(field, key))
            .map(|(_, below)| below)
            .or_else(|| fields.get(&format!("i:{index}"))),
        Step::Index(index) => fields.get(&format!("i:{index}")),
    };
    match below.and_then(Json::as_object) {
        // Of what is replaced as a whole, only the whole is owned.
        Some(below) => below.is_empty() || owns(below, rest),
        None => false,
    }
}

/// `k:{"name":"web"}` is the item that this key tells; what an item does not say has its default.
fn is_item(field: &str, key: &[(&'static str, Json)]) -> bool {
    let Some(written) = field.strip_prefix("k:") else {
        return false;
    };
    let Ok(Json::Object(written)) = serde_json::from_str(written) else {
        return false;
    };
    !written.is_empty()
        && key
            .iter()
            .all(|(name, value)| written.get(*name).is_none_or(|it| it == value))
        && key.iter().any(|(name, _)| written.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, time: &str, fields: &Json) -> Json {
        json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields})
    }

    fn manager(entries: &Json, path: &Path) -> Option<String> {
        let object = json!({"metadata": {"managedFields": entries}});
        owner(&object, path).map(|owner| owner.manager)
    }

    #[test]
    fn items_are_owned_by_their_keys() {
        let image = |name: &str| {
            let container = Path::default().field("spec").field("containers");
            container
                .item(vec![("name", name.into())], 0)
                .field("image")
        };
        let fields =
            json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}});
        let entries = json!([entry("kubectl", "2026-01-01T00:00:00Z", &fields)]);
        assert_eq!(manager(&entries, &image("web")).as_deref(), Some("kubectl"));
        assert_eq!(manager(&entries, &image("db")), None);
    }

    #[test]
    fn of_two_owners_the_other_is_named_and_of_others_the_latest() {
        let path = Path::default().field("spec").field("replicas");
        let fields = json!({"f:spec": {"f:replicas": {}}});
        let entries = json!([
            entry("cairn", "2026-01-03T00:00:00Z", &fields),
            entry("hpa", "2026-01-02T00:00:00Z", &fields),
            entry("kubectl", "2026-01-01T00:00:00Z", &fields),
        ]);
        assert_eq!(manager(&entries, &path).as_deref(), Some("hpa"));
    }

    #[test]
    fn a_list_that_is_owned_as_a_whole_owns_its_items() {
        let path = Path::default().field("spec").field("args").index(1);
        let fields = json!({"f:spec": {"f:args": {}}});
        let entries = json!([entry("kubectl", "", &fields)]);
        assert_eq!(manager(&entries, &path).as_deref(), Some("kubectl"));
    }

    #[test]
    fn a_map_is_owned_by_who_owns_something_in_it() {
        let path = Path::default().field("spec");
        let fields = json!({"f:spec": {"f:replicas": {}}});
        assert_eq!(
            manager(&json!([entry("kubectl", "", &fields)]), &path).as_deref(),
            Some("kubectl")
        );
        let other = json!({"f:metadata": {"f:labels": {}}});
        assert_eq!(manager(&json!([entry("kubectl", "", &other)]), &path), None);
    }
}
