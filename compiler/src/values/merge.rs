//! Merges a higher layer of values over a lower one (`spec/profile.md` §4).

use cairn_spec::{Diagnostic, Field, Map, Node, OriginId, Schema, Value};

use super::strategy::{ListStrategy, SchemaAt, Wish, wish_of};
use crate::Session;

/// Merges `high` over `low`. The schema declares list strategies.
pub(crate) fn merge(low: Node, high: Node, schema: Option<&Schema>, session: &mut Session) -> Node {
    Merger {
        session,
        path: Vec::new(),
    }
    .merge(low, high, schema.map(SchemaAt::root))
}

/// Merges values and knows where it is.
pub(super) struct Merger<'a> {
    pub(super) session: &'a mut Session,
    pub(super) path: Vec<String>,
}

impl Merger<'_> {
    pub(super) fn merge(&mut self, low: Node, high: Node, schema: Option<SchemaAt<'_>>) -> Node {
        let wish = self.wish(&high);
        if wish == Wish::Replace {
            return self.replace(&low, high);
        }
        match (&low.value, &high.value) {
            (Value::Map(_), Value::Map(_)) => self.merge_maps(low, high, schema),
            (Value::List(_), Value::List(_)) => {
                let strategy = match wish {
                    Wish::List(strategy) => strategy,
                    _ => schema
                        .and_then(SchemaAt::list_strategy)
                        .unwrap_or(ListStrategy::Replace),
                };
                self.merge_lists(low, high, &strategy, schema)
            }
            _ => {
                self.refuse_kind_change(&low, &high);
                self.replace(&low, high)
            }
        }
    }

    fn wish(&mut self, node: &Node) -> Wish {
        wish_of(node, &self.session.origins).unwrap_or_else(|diagnostic| {
            self.session.report(diagnostic);
            Wish::None
        })
    }

    fn replace(&mut self, low: &Node, high: Node) -> Node {
        let origin = self.session.origins.overriding(high.origin, low.origin);
        let high = self.fresh(high);
        Node {
            value: high.value,
            origin,
        }
    }

    fn merge_maps(&mut self, low: Node, high: Node, schema: Option<SchemaAt<'_>>) -> Node {
        let origin = low.origin;
        let (Value::Map(mut merged), Value::Map(high)) = (low.value, high.value) else {
            return Node::generated(Map::new());
        };
        for (key, mut field) in high.into_fields() {
            let wish = wish_of(&field.node, &self.session.origins);
            if wish == Ok(Wish::KeepNull) {
                field.node.value = Value::Null;
            } else if field.node.value == Value::Null {
                merged.delete(&key, field.node.origin);
                continue;
            }
            self.path.push(key.to_string());
            let below = schema.and_then(|schema| schema.property(&key));
            let field = if let Some(lower) = merged.remove(&key) {
                Field {
                    key_origin: lower.key_origin,
                    node: self.merge(lower.node, field.node, below),
                }
            } else {
                self.wish(&field.node);
                Field {
                    node: self.fresh(field.node),
                    ..field
                }
            };
            self.path.pop();
            merged.insert_field(key, field);
        }
        Node {
            value: Value::Map(merged),
            origin,
        }
    }

    /// A map, a list and a scalar do not replace each other by accident. Null is no kind of its own.
    fn refuse_kind_change(&mut self, low: &Node, high: &Node) {
        let shape = |value: &Value| match value {
            Value::Map(_) => "a map",
            Value::List(_) => "a list",
            _ => "a scalar",
        };
        let is_reference = |value: &Value| {
            value
                .as_str()
                .is_some_and(super::reference::is_whole_reference)
        };
        let (low_shape, high_shape) = (shape(&low.value), shape(&high.value));
        let either_null = low.value == Value::Null || high.value == Value::Null;
        if low_shape == high_shape
            || either_null
            || is_reference(&high.value)
            || is_reference(&low.value)
        {
            return;
        }
        let origins = &self.session.origins;
        let diagnostic = Diagnostic::error(
            "values-kind-change",
            format!(
                "`{}` is {low_shape} below and cannot become {high_shape}",
                self.path.join(".")
            ),
        )
        .label(origins.get(high.origin), format!("{high_shape} here"))
        .label(origins.get(low.origin), format!("{low_shape} here"))
        .hint(format!(
            "write {low_shape}, or tag the value `!replace` to mean it"
        ));
        self.session.report(diagnostic);
    }

    /// A value that meets nothing below: its nulls delete nothing, so the keys are not there.
    fn fresh(&mut self, node: Node) -> Node {
        let Node { value, origin } = node;
        let value = match value {
            Value::Map(map) => {
                let mut kept = Map::new();
                for (key, mut field) in map.into_fields() {
                    let wish = self.wish(&field.node);
                    if wish == Wish::KeepNull {
                        field.node.value = Value::Null;
                    } else if field.node.value == Value::Null {
                        kept.delete(&key, field.node.origin);
                        continue;
                    } else {
                        field.node = self.fresh(field.node);
                    }
                    kept.insert_field(key, field);
                }
                Value::Map(kept)
            }
            other => other,
        };
        Node { value, origin }
    }
}

/// The origin that a tombstone or a leaf at `path` has, for messages about what is not there.
pub(crate) fn deleted_by(root: &Node, path: &[&str]) -> Option<OriginId> {
    let (last, above) = path.split_last()?;
    root.at(above)?.as_map()?.tombstone(last)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use cairn_spec::{SourceKind, yaml::write_document};

    use super::*;

    /// Merges texts, lowest first, and prints the result and the findings.
    fn merged(texts: &[&str], schema: Option<serde_json::Value>) -> String {
        let mut session = Session::default();
        let schema = schema.map(|schema| Schema::compile(schema).unwrap());
        let mut layers = texts
            .iter()
            .enumerate()
            .map(|(index, text)| {
                session
                    .read_yaml(&format!("{index}.yaml"), *text, SourceKind::Profile)
                    .unwrap()
                    .1
            })
            .collect::<Vec<_>>()
            .into_iter();
        let first = layers.next().unwrap();
        let result = layers.fold(first, |low, high| {
            merge(low, high, schema.as_ref(), &mut session)
        });
        let mut out = write_document(&result.value);
        for diagnostic in session.diagnostics.iter() {
            let places: Vec<_> = diagnostic
                .labels
                .iter()
                .map(|label| session.sources.locate(label.span))
                .collect();
            let _ = writeln!(
                out,
                "[{}] {} ({})",
                diagnostic.code,
                diagnostic.message,
                places.join(", ")
            );
        }
        out
    }

    #[test]
    fn maps_merge_and_scalars_replace() {
        insta::assert_snapshot!(merged(&["a: {b: 1, c: 2}\nd: x", "a: {b: 3}", "e: [1]"], None), @"
        a:
          b: 3
          c: 2
        d: x
        e:
        - 1
        ");
    }

    #[test]
    fn null_deletes() {
        insta::assert_snapshot!(merged(&["a: {b: 1, c: null}", "a: {b: null}\nz: {y: null}"], None), @"
        a:
          c: null
        z: {}
        ");
        insta::assert_snapshot!(merged(&["a: 1", "a: !null"], None), @"a: null");
    }

    #[test]
    fn lists_replace_unless_a_strategy_is_declared() {
        insta::assert_snapshot!(merged(&["a: [1, 2]", "a: [3]"], None), @"
        a:
        - 3
        ");
        insta::assert_snapshot!(merged(&["a: [1]\nb: [1]\nc: [1]", "a: !append [2]\nb: !prepend [2]\nc: !union [1, 2]"], None), @"
        a:
        - 1
        - 2
        b:
        - 2
        - 1
        c:
        - 1
        - 2
        ");
        insta::assert_snapshot!(merged(&["a: [{name: web, v: 1}, {name: old}]", "a: !merge(name) [{name: web, w: 2}, {name: old, $patch: delete}, {name: new}]"], None), @"
        a:
        - name: web
          v: 1
          w: 2
        - name: new
        ");
        let schema = serde_json::json!({"properties": {"a": {"$ref": "#/$defs/list"}}, "$defs": {"list": {"type": "array", "x-merge": {"strategy": "byKey", "keys": ["name"]}}}});
        insta::assert_snapshot!(merged(&["a: [{name: x, v: 1}]", "a: [{name: x, v: 2}]"], Some(schema.clone())), @"
        a:
        - name: x
          v: 2
        ");
        insta::assert_snapshot!(merged(&["a: [{name: x}]", "a: [{nam: x}]"], Some(schema)), @"
        a:
        - name: x
        [values-list-key] items of this list are merged by `name`, which this one lacks (1.yaml:1:5)
        ");
    }

    #[test]
    fn a_change_of_kind_is_an_error_unless_tagged() {
        insta::assert_snapshot!(merged(&["a: {b: 1}", "a: [1]"], None), @"
        a:
        - 1
        [values-kind-change] `a` is a map below and cannot become a list (1.yaml:1:4, 0.yaml:1:4)
        ");
        insta::assert_snapshot!(merged(&["a: {b: 1}", "a: !replace [1]"], None), @"
        a:
        - 1
        ");
        insta::assert_snapshot!(merged(&["a: null", "a: [1]"], None), @"
        a:
        - 1
        ");
        insta::assert_snapshot!(merged(&["a: 1", "a: !apend [1]"], None), @"
        a:
        - 1
        [values-tag] the tag `!apend` has no meaning on a list (1.yaml:1:11)
        [values-kind-change] `a` is a scalar below and cannot become a list (1.yaml:1:11, 0.yaml:1:4)
        ");
    }

    #[test]
    fn history_names_every_writer() {
        let mut session = Session::default();
        let mut layer = |name: &str, text: &str| {
            session
                .read_yaml(name, text, SourceKind::Profile)
                .unwrap()
                .1
        };
        let (a, b, c) = (layer("a", "x: 1"), layer("b", "x: 2"), layer("c", "x: 3"));
        let ab = merge(a, b, None, &mut session);
        let abc = merge(ab, c, None, &mut session);
        let origin = abc.get("x").unwrap().origin;
        let writers: Vec<_> = session
            .origins
            .history(origin)
            .map(|origin| session.sources.locate(origin.span.unwrap()))
            .collect();
        assert_eq!(writers, ["c:1:4", "b:1:4", "a:1:4"]);
    }
}
