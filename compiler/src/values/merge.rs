//! Merges a higher layer of values over a lower one (`spec/profile.md` §4).

use cairn_spec::{Diagnostic, Field, Map, Node, OriginId, Schema, Value};

use super::strategy::{ListStrategy, SchemaAt, Wish, key_of, wish_of};
use crate::Session;

/// Merges `high` over `low`. The schema declares list strategies.
pub(crate) fn merge(low: Node, high: Node, schema: Option<&Schema>, session: &mut Session) -> Node {
    Merger { session }.merge(low, high, schema.map(SchemaAt::root), &mut Vec::new())
}

struct Merger<'a> {
    session: &'a mut Session,
}

impl Merger<'_> {
    fn merge(
        &mut self,
        low: Node,
        high: Node,
        schema: Option<SchemaAt<'_>>,
        path: &mut Vec<String>,
    ) -> Node {
        let wish = self.wish(&high);
        if wish == Wish::Replace {
            return self.replace(&low, high);
        }
        let high_origin = high.origin;
        match (low.value, high.value) {
            (Value::Map(low_map), Value::Map(high_map)) => {
                let map = self.merge_maps(low_map, high_map, schema, path);
                Node {
                    value: Value::Map(map),
                    origin: low.origin,
                }
            }
            (Value::List(low_items), Value::List(high_items)) => {
                let strategy = match wish {
                    Wish::List(strategy) => strategy,
                    _ => schema
                        .and_then(SchemaAt::list_strategy)
                        .unwrap_or(ListStrategy::Replace),
                };
                let low = Node {
                    value: Value::List(low_items),
                    origin: low.origin,
                };
                self.merge_lists(
                    low,
                    Node {
                        value: Value::List(high_items),
                        origin: high_origin,
                    },
                    &strategy,
                    (schema, path),
                )
            }
            (low_value, high_value) => {
                let low = Node {
                    value: low_value,
                    origin: low.origin,
                };
                let high = Node {
                    value: high_value,
                    origin: high_origin,
                };
                self.refuse_kind_change(&low, &high, path);
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
        Node {
            value: high.value,
            origin,
        }
    }

    fn merge_maps(
        &mut self,
        mut low: Map,
        high: Map,
        schema: Option<SchemaAt<'_>>,
        path: &mut Vec<String>,
    ) -> Map {
        for (key, mut field) in high.into_fields() {
            let wish = self.wish(&field.node);
            if wish == Wish::KeepNull {
                field.node.value = Value::Null;
            }
            if field.node.value == Value::Null && wish != Wish::KeepNull {
                low.delete(&key, field.node.origin);
                continue;
            }
            path.push(key.to_string());
            let below = schema.and_then(|schema| schema.property(&key));
            let merged = match low.remove(&key) {
                Some(lower) => Field {
                    key_origin: lower.key_origin,
                    node: self.merge(lower.node, field.node, below, path),
                },
                None => Field {
                    node: without_nulls(field.node),
                    ..field
                },
            };
            path.pop();
            low.insert_field(key, merged);
        }
        low
    }

    fn merge_lists(
        &mut self,
        low: Node,
        high: Node,
        strategy: &ListStrategy,
        (schema, path): (Option<SchemaAt<'_>>, &mut Vec<String>),
    ) -> Node {
        let origin = self.session.origins.overriding(high.origin, low.origin);
        let (Value::List(mut low_items), Value::List(high_items)) = (low.value, high.value) else {
            return Node {
                value: Value::List(Vec::new()),
                origin,
            };
        };
        let items = match strategy {
            ListStrategy::Replace => high_items,
            ListStrategy::Append => {
                low_items.extend(high_items);
                low_items
            }
            ListStrategy::Prepend => high_items.into_iter().chain(low_items).collect(),
            ListStrategy::Union => {
                for item in high_items {
                    if !low_items
                        .iter()
                        .any(|other| other.value.same_data(&item.value))
                    {
                        low_items.push(item);
                    }
                }
                low_items
            }
            ListStrategy::ByKey(keys) => {
                for item in high_items {
                    self.merge_item(
                        &mut low_items,
                        item,
                        keys,
                        (schema.and_then(SchemaAt::items), path),
                    );
                }
                low_items
            }
        };
        Node {
            value: Value::List(items),
            origin,
        }
    }

    fn merge_item(
        &mut self,
        low_items: &mut Vec<Node>,
        mut item: Node,
        keys: &[String],
        (schema, path): (Option<SchemaAt<'_>>, &mut Vec<String>),
    ) {
        let deletes = item
            .get("$patch")
            .is_some_and(|directive| directive.as_str() == Some("delete"));
        if let Some(map) = item.as_map_mut() {
            map.remove("$patch");
        }
        let Some(key) = item.as_map().and_then(|map| key_of(map, keys)) else {
            self.session.report(
                Diagnostic::error(
                    "values-list-key",
                    format!(
                        "items of this list are merged by `{}`, which this one lacks",
                        keys.join("`, `")
                    ),
                )
                .at(self.session.origins.get(item.origin))
                .hint(format!(
                    "give it `{}`, or tag the list `!replace`",
                    keys.join("` and `")
                )),
            );
            return;
        };
        let found = low_items
            .iter()
            .position(|low| low.as_map().and_then(|map| key_of(map, keys)).as_ref() == Some(&key));
        match found {
            Some(index) if deletes => {
                low_items.remove(index);
            }
            Some(index) => {
                path.push(index.to_string());
                let low = std::mem::replace(&mut low_items[index], Node::generated(Value::Null));
                low_items[index] = self.merge(low, item, schema, path);
                path.pop();
            }
            None if deletes => self.session.report(
                Diagnostic::error(
                    "values-list-key",
                    format!(
                        "there is no item with `{}: {key}` to delete",
                        keys.join(", ")
                    ),
                )
                .at(self.session.origins.get(item.origin)),
            ),
            None => low_items.push(item),
        }
    }

    /// A map, a list and a scalar do not replace each other by accident. Null is no kind of its own.
    fn refuse_kind_change(&mut self, low: &Node, high: &Node, path: &[String]) {
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
                path.join(".")
            ),
        )
        .label(origins.get(high.origin), format!("{high_shape} here"))
        .label(origins.get(low.origin), format!("{low_shape} here"))
        .hint(format!(
            "write {low_shape}, or tag the value `!replace` to mean it"
        ));
        self.session.report(diagnostic);
    }
}

/// Nulls in a map that is new delete nothing, so they are dropped: the key is not there.
fn without_nulls(node: Node) -> Node {
    let Node { value, origin } = node;
    let value = match value {
        Value::Map(map) => {
            let mut kept = Map::new();
            for (key, field) in map.into_fields() {
                if field.node.value == Value::Null {
                    kept.delete(&key, field.node.origin);
                } else {
                    kept.insert_field(
                        key,
                        Field {
                            node: without_nulls(field.node),
                            ..field
                        },
                    );
                }
            }
            Value::Map(kept)
        }
        other => other,
    };
    Node { value, origin }
}

/// The origin that a tombstone or a leaf at `path` has, for messages about what is not there.
pub(crate) fn deleted_by(root: &Node, path: &[&str]) -> Option<OriginId> {
    let (last, above) = path.split_last()?;
    root.at(above)?.as_map()?.tombstone(last)
}

#[cfg(test)]
mod tests {
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
            out += &format!(
                "[{}] {} ({})\n",
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
