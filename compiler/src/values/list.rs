//! Merges lists: as a tag on the higher one or the pack's schema says, else the higher one replaces.

use cairn_spec::{Diagnostic, Node, Value};

use super::{
    merge::Merger,
    strategy::{ListStrategy, SchemaAt, key_of},
};

impl Merger<'_> {
    pub(super) fn merge_lists(
        &mut self,
        low: Node,
        high: Node,
        strategy: &ListStrategy,
        schema: Option<SchemaAt<'_>>,
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
                let items = schema.and_then(SchemaAt::items);
                for item in high_items {
                    self.merge_item(&mut low_items, item, keys, items);
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
        schema: Option<SchemaAt<'_>>,
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
                self.path.push(index.to_string());
                let low = std::mem::replace(&mut low_items[index], Node::generated(Value::Null));
                low_items[index] = self.merge(low, item, schema);
                self.path.pop();
            }
            None if deletes => self.session.report(
                Diagnostic::error(
                    "values-list-key",
                    format!(
                        "there is no item with `{}: {}` to delete",
                        keys.join(", "),
                        key.replace('\0', ", ")
                    ),
                )
                .at(self.session.origins.get(item.origin)),
            ),
            None => low_items.push(item),
        }
    }
}
