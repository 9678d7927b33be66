//! What holds for all values: an empty layer changes nothing, grouping of merges does not matter, and
//! text without references stays as it is.

use cairn_spec::{Node, SourceKind};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    interpolate::{Interpolator, Scope},
    merge,
};
use crate::Session;

/// Maps of scalars whose shapes agree: `m` and `n` are maps everywhere, the rest are numbers.
fn maps() -> impl Strategy<Value = Json> {
    let numbers = || proptest::collection::btree_map("[a-d]", 0..9_i64, 0..4);
    (numbers(), numbers(), numbers()).prop_map(|(top, inner, deepest)| {
        let mut value = json!(top);
        value["m"] = json!(inner);
        value["m"]["n"] = json!(deepest);
        value
    })
}

fn merged(low: &Json, high: &Json) -> (Json, usize) {
    let mut session = Session::default();
    let result = merge(
        Node::from(low.clone()),
        Node::from(high.clone()),
        None,
        &mut session,
    );
    (result.to_json(), session.diagnostics.len())
}

proptest! {
    #[test]
    fn an_empty_layer_changes_nothing(value in maps()) {
        prop_assert_eq!(merged(&value, &json!({})), (value.clone(), 0));
        prop_assert_eq!(merged(&json!({}), &value), (value, 0));
    }

    #[test]
    fn merging_is_associative(a in maps(), b in maps(), c in maps()) {
        let left = merged(&merged(&a, &b).0, &c);
        let right = merged(&a, &merged(&b, &c).0);
        prop_assert_eq!(left, right);
    }

    #[test]
    fn text_without_references_stays_as_it_is(text in "[a-z ${}.]{0,20}") {
        prop_assume!(!text.contains("$${") && !text.contains("${var.") && !text.contains("${layer."));
        let mut session = Session::default();
        let quoted = serde_json::to_string(&text).expect("a text is JSON");
        let (_, node) = session
            .read_yaml("x", quoted, SourceKind::Profile)
            .expect("a quoted text is YAML");
        let scope = Scope::default();
        let mut interpolator = Interpolator::new(&scope);
        let once = interpolator.tree(&node, &mut session).expect("nothing fails");
        prop_assert_eq!(once.as_str(), Some(text.as_str()));
        let twice = interpolator.tree(&once, &mut session).expect("nothing fails");
        prop_assert_eq!(twice, once);
    }
}
