//! What the readers of YAML promise each other.

use super::{blocks, compose::Document, input::Input};

/// Panics where a text that is composed from its lines is not composed so in full.
pub(crate) fn check_composed(text: &[u8]) {
    let input = Input::new(text);
    let Some(composed) = blocks::compose(&input) else {
        return;
    };
    match Document::read_in_full(&input) {
        Ok(full) => assert_eq!(composed, full),
        Err(error) => panic!("only in full is it refused: {}", error.yaml()),
    }
}
