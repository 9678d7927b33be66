//! What holds for every text that the parser takes, or refuses: for fuzzing and its tests.

use std::sync::Arc;

use super::{
    ast::NodeId,
    parse::{Tables, parse},
};

/// Parses a text and panics where the parser breaks a promise.
pub(crate) fn check_parsed(text: &str) {
    let text: Arc<str> = text.into();
    let program = match parse("t", &text, None, &[], &mut Tables::default()) {
        Ok(program) => program,
        Err(error) => {
            assert!(error.offset <= text.len(), "{error:?}");
            assert!(error.message.ends_with(&error.reason), "{error:?}");
            return;
        }
    };
    assert!(!program.templates.is_empty(), "the text is a template");
    for (index, node) in program.nodes.iter().enumerate() {
        let range = node.start as usize..node.end as usize;
        assert!(text.get(range).is_some(), "{node:?} is in the text");
        let id = NodeId(u32::try_from(index).unwrap_or(u32::MAX));
        assert!(!program.location(id).is_empty());
    }
    if let Some(last) = program.nodes.len().checked_sub(1) {
        program.shown(NodeId(u32::try_from(last).unwrap_or(u32::MAX)));
    }
}
