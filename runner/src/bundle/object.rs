//! One manifest: from YAML to the object that is sent to a server.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_spec::{Diagnostics, ObjectId, Origins, SourceKind, Sources, yaml};
use serde_json::{Map, Value as Json};

/// What servers write into `metadata`, and clients do not.
const SERVER_METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Reads one YAML document that is a map; the reason why not is in words.
pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Json, String> {
    let text = str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let mut sources = Sources::new();
    let source = sources.add(path, text, SourceKind::Template);
    let mut diagnostics = Diagnostics::new();
    let node = yaml::read_one(&sources, source, &mut Origins::new(), &mut diagnostics);
    if let Some(first) = diagnostics.iter().next() {
        let place = first.labels.first();
        let place = place.map_or_else(String::new, |label| {
            format!(" ({})", sources.locate(label.span))
        });
        return Err(format!("{}{place}", first.message));
    }
    match node.map(|node| node.to_json()) {
        Some(object @ Json::Object(_)) => Ok(object),
        _ => Err("it is no map".to_owned()),
    }
}

/// Who an object is; the reason why it is nobody is in words.
pub(super) fn identity(object: &Json) -> Result<ObjectId, String> {
    let text = |pointer: &str| match object.pointer(pointer) {
        Some(Json::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        None | Some(Json::Null) => Ok(None),
        Some(_) => Err(format!("`{}` is no text", pointer.trim_start_matches('/'))),
    };
    let required = |pointer: &str| {
        text(pointer)?.ok_or_else(|| format!("it has no `{}`", &pointer.replace('/', ".")[1..]))
    };
    Ok(ObjectId {
        api_version: required("/apiVersion")?,
        kind: required("/kind")?,
        namespace: text("/metadata/namespace")?,
        name: required("/metadata/name")?,
    })
}

/// Takes out what only servers write.
pub(super) fn clean(object: &mut Json) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
        for field in SERVER_METADATA {
            metadata.remove(field);
        }
    }
    // Whoever serves the webhook puts its own certificate there.
    if is(object, "apiextensions.k8s.io", "CustomResourceDefinition")
        && let Some(client) = object
            .pointer_mut("/spec/conversion/webhook/clientConfig")
            .and_then(Json::as_object_mut)
    {
        client.remove("caBundle");
    }
}

/// Moves a Secret's `stringData` to `data`, as servers do: a field that is only written cannot be compared.
pub(super) fn encode_string_data(object: &mut Json) {
    if !is(object, "", "Secret") {
        return;
    }
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    let Some(Json::Object(texts)) = fields.remove("stringData") else {
        return;
    };
    let data = fields
        .entry("data")
        .or_insert_with(|| Json::Object(Map::new()));
    if data.is_null() {
        *data = Json::Object(Map::new());
    }
    if let Some(data) = data.as_object_mut() {
        for (key, value) in texts {
            let encoded = match value {
                Json::String(text) => Json::String(BASE64.encode(text)),
                // The server says what is wrong with it.
                other => other,
            };
            data.insert(key, encoded);
        }
    }
}

/// An object of this group and kind, in any version.
pub(super) fn is(object: &Json, group: &str, kind: &str) -> bool {
    let api_version = object.get("apiVersion").and_then(Json::as_str);
    let found = api_version.map(|it| it.split_once('/').map_or("", |(group, _)| group));
    found == Some(group) && object.get("kind").and_then(Json::as_str) == Some(kind)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn read_clean(yaml: &str) -> String {
        match read("a.yaml", yaml.as_bytes()) {
            Ok(mut object) => {
                clean(&mut object);
                encode_string_data(&mut object);
                object.to_string()
            }
            Err(reason) => reason,
        }
    }

    #[test]
    fn what_servers_write_is_taken_out() {
        assert_snapshot!(read_clean("apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  uid: u\n  creationTimestamp: null\n  managedFields: []\n  resourceVersion: \"1\"\nstatus: {phase: Bound}\n"), @r#"{"apiVersion":"v1","kind":"A","metadata":{"name":"a"}}"#);
    }

    #[test]
    fn texts_of_secrets_become_data() {
        assert_snapshot!(read_clean("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: YQ==, b: YQ==}\nstringData: {b: b, c: \"\"}\n"), @r#"{"apiVersion":"v1","data":{"a":"YQ==","b":"Yg==","c":""},"kind":"Secret","metadata":{"name":"a"}}"#);
        assert_snapshot!(read_clean("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: null\nstringData: {b: b}\n"), @r#"{"apiVersion":"v1","data":{"b":"Yg=="},"kind":"Secret","metadata":{"name":"a"}}"#);
        assert_snapshot!(read_clean("apiVersion: example.dev/v1\nkind: Secret\nstringData: {b: b}\n"), @r#"{"apiVersion":"example.dev/v1","kind":"Secret","stringData":{"b":"b"}}"#);
    }

    #[test]
    fn certificates_of_conversion_webhooks_are_left_to_their_servers() {
        assert_snapshot!(read_clean("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {conversion: {webhook: {clientConfig: {caBundle: eA==, url: \"https://a\"}}}}\n"), @r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","spec":{"conversion":{"webhook":{"clientConfig":{"url":"https://a"}}}}}"#);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        assert_snapshot!(read_clean("a: 1\na: 2\n"), @"the key `a` is given twice (a.yaml:2:1)");
        assert_snapshot!(read_clean("- a\n"), @"it is no map");
        assert_snapshot!(read_clean("a: 1\n---\nb: 1\n"), @"expected one YAML document, found several (a.yaml:3:1)");
        let deep = format!("a: {}1{}\n", "[".repeat(200), "]".repeat(200));
        assert_snapshot!(read_clean(&deep), @"values are nested more than 128 levels deep (a.yaml:1:132)");
    }

    #[test]
    fn an_object_needs_a_kind_and_a_name() {
        let identity = |yaml: &str| match identity(&read("a.yaml", yaml.as_bytes()).unwrap()) {
            Ok(id) => format!("{} {id}", id.api_version),
            Err(reason) => reason,
        };
        assert_snapshot!(identity("apiVersion: apps/v1\nkind: A\nmetadata: {name: a, namespace: shop}\n"), @"apps/v1 A shop/a");
        assert_snapshot!(identity("apiVersion: v1\nkind: A\n"), @"it has no `metadata.name`");
        assert_snapshot!(identity("kind: A\nmetadata: {name: a}\n"), @"it has no `apiVersion`");
        assert_snapshot!(identity("apiVersion: v1\nkind: A\nmetadata: {name: 1}\n"), @"`metadata/name` is no text");
    }
}
