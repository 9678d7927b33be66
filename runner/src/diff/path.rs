//! Where a field is in an object.

use std::fmt;

use super::list::{self, ItemKey};

/// One step down.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// To a field of a map.
    Field(String),
    /// To the item of a list that these fields tell from others, and its place in the list.
    Item(ItemKey, usize),
    /// To an item of a list by its place.
    Index(usize),
}

/// The steps from an object to a field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Path(Vec<Step>);

impl Path {
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    pub(crate) fn field(&self, name: &str) -> Self {
        self.with(Step::Field(name.to_owned()))
    }

    pub(crate) fn item(&self, key: ItemKey, index: usize) -> Self {
        self.with(Step::Item(key, index))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// At what a JSON Pointer points at, or below.
    pub(super) fn is_below(&self, pointer: &str) -> bool {
        let Some(tokens) = tokens(pointer) else {
            return false;
        };
        tokens.len() <= self.0.len() && self.starts_like(&tokens)
    }

    /// On the way to what a JSON Pointer points at.
    pub(super) fn is_above(&self, pointer: &str) -> bool {
        let Some(tokens) = tokens(pointer) else {
            return false;
        };
        self.0.len() < tokens.len() && self.starts_like(&tokens)
    }

    fn starts_like(&self, tokens: &[String]) -> bool {
        self.0.iter().zip(tokens).all(|(step, token)| match step {
            Step::Field(name) => name == token,
            Step::Item(_, index) | Step::Index(index) => index.to_string() == *token,
        })
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

/// The parts of a JSON Pointer (RFC 6901); none when it is no pointer.
pub(crate) fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let parts = pointer.strip_prefix('/')?.split('/');
    Some(
        parts
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

impl fmt::Display for Path {
    /// `spec.containers[name=web].image`; keys that hold a dot or the like are in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) => {
                    let is_plain = !name.is_empty()
                        && name
                            .chars()
                            .all(|it| it.is_ascii_alphanumeric() || it == '-' || it == '_');
                    match (is_plain, place) {
                        (true, 0) => f.write_str(name)?,
                        (true, _) => write!(f, ".{name}")?,
                        (false, _) => write!(f, "[{name:?}]")?,
                    }
                }
                Step::Item(key, _) => write!(f, "[{}]", list::name(key))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
