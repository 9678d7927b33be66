//! What holds for all values, whatever they are.

use cairn_chart::{Chart, Dialect, Metadata, values};
use cairn_spec::{Map, Node, Origins, Value};
use proptest::prelude::*;

/// Trees of a few keys, so that they meet.
fn tree() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (0_i64..3).prop_map(Value::Int),
        "[xy]{0,2}".prop_map(Value::from),
        Just(Value::List(vec![Node::generated(Value::Null)])),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| map(inner).prop_map(Value::Map));
    map(value).prop_map(Node::generated)
}

fn map(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map> {
    prop::collection::btree_map("a|b|sub|global", value, 0..4).prop_map(|entries| {
        let mut map = Map::new();
        for (key, value) in entries {
            map.insert(key, Node::generated(value));
        }
        map
    })
}

fn chart(name: &str, values: Node, dependencies: Vec<Chart>) -> Chart {
    Chart {
        metadata: Metadata {
            name: name.to_owned(),
            ..Metadata::default()
        },
        values,
        dependencies,
        ..Chart::default()
    }
}

/// The chart `p` with the chart `sub` in it, unless what goes to that is no map.
fn coalesced(chart: &Chart, values: &Node) -> Option<Node> {
    let mut origins = Origins::new();
    values::coalesce(chart, values, Dialect::Helm4, &mut origins, &mut Vec::new()).ok()
}

fn has_null(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Map(map) => map.iter().any(|(_, node)| has_null(node)),
        _ => false,
    }
}

proptest! {
    #[test]
    fn no_values_change_nothing(own in tree()) {
        let empty = Node::generated(Map::new());
        let merge = |chart: &Chart| {
            let mut origins = Origins::new();
            values::merge(chart, &empty, Dialect::Helm4, &mut origins, &mut Vec::new())
        };
        let merged = merge(&chart("p", own.clone(), Vec::new())).unwrap();
        prop_assert!(merged.value.same_data(&own.value));
    }

    #[test]
    fn a_chart_without_values_keeps_the_users(user in tree()) {
        let empty = Node::generated(Map::new());
        let found = coalesced(&chart("p", empty, Vec::new()), &user).unwrap();
        prop_assert!(found.value.same_data(&user.value));
    }

    #[test]
    fn defaults_leave_no_null(own in tree()) {
        let empty = Node::generated(Map::new());
        let found = coalesced(&chart("p", own, Vec::new()), &empty).unwrap();
        prop_assert!(!has_null(&found));
    }

    #[test]
    fn once_is_enough(own in tree(), user in tree()) {
        let chart = chart("p", own, Vec::new());
        let once = coalesced(&chart, &user).unwrap();
        // A null that deleted something is gone, and what it deleted would come back.
        prop_assume!(!has_null(&user));
        let twice = coalesced(&chart, &once).unwrap();
        prop_assert!(once.value.same_data(&twice.value));
    }

    #[test]
    fn a_chart_in_a_chart_sees_the_globals(own in tree(), below in tree(), user in tree()) {
        let sub = chart("sub", below, Vec::new());
        let Some(found) = coalesced(&chart("p", own, vec![sub]), &user) else {
            return Ok(());
        };
        let Some(globals) = found.get("global").and_then(|node| node.value.as_map()) else {
            return Ok(());
        };
        // A null, or what is no map, keeps all globals away.
        let below = found.get("sub").and_then(|sub| sub.get("global"));
        if let Some(below) = below.and_then(|node| node.value.as_map()) {
            for (key, global) in globals.iter() {
                let is_map = |node: &Node| node.value.as_map().is_some();
                let is_same = below.get(key).is_some_and(|seen| {
                    is_map(global) || is_map(seen) || seen.value.same_data(&global.value)
                });
                prop_assert!(is_same || global.value == Value::Null);
            }
        }
    }
}
