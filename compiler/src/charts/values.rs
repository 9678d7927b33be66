//! Merged values as the user's values of a chart.

use std::sync::Arc;

use cairn_spec::{Field, Map, Node, Value};

/// What Helm gets as the user's values. Keys that a null deleted are null, since Helm would take the
/// chart's default otherwise; numbers are floats, as where Helm reads a file of values.
pub(crate) fn helm_values(node: Option<&Node>) -> Node {
    match node {
        Some(node) if node.value != Value::Null => converted(node),
        _ => Node::generated(Map::new()),
    }
}

fn converted(node: &Node) -> Node {
    let value = match &node.value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "Go's float64 loses the same digits"
        )]
        Value::Int(number) => Value::Float(*number as f64),
        Value::List(items) => Value::List(items.iter().map(converted).collect()),
        Value::Map(map) => {
            let mut all = Map::new();
            for (key, field) in map.fields() {
                let field = Field {
                    key_origin: field.key_origin,
                    node: converted(&field.node),
                };
                all.insert_field(Arc::clone(key), field);
            }
            for (key, origin) in map.tombstones() {
                if !all.contains_key(key) {
                    all.insert(Arc::clone(key), Node::new(Value::Null, origin));
                }
            }
            Value::Map(all)
        }
        other => other.clone(),
    };
    Node {
        value,
        origin: node.origin,
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::SourceKind;

    use super::*;
    use crate::{Session, values::merge};

    #[test]
    fn deleted_keys_are_null_and_numbers_are_floats() {
        let mut session = Session::default();
        let mut read = |text: &str| {
            session
                .read_yaml("values.yaml", text, SourceKind::Profile)
                .unwrap()
                .1
        };
        let (low, high) = (
            read("a: {b: 1, c: [2]}\nd: x"),
            read("a: {b: null, e: null}\nf: {g: null}"),
        );
        let merged = merge(low, high, None, &mut session);
        let values = helm_values(Some(&merged)).to_json().to_string();
        insta::assert_snapshot!(values, @r#"{"a":{"b":null,"c":[2.0],"e":null},"d":"x","f":{"g":null}}"#);
        assert_eq!(helm_values(None).to_json().to_string(), "{}");
    }
}
