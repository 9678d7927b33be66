//! Expressions that say how an object is: the part of CEL (<https://cel.dev>) that health checks use.
//!
//! An expression comes from a pack, and runs where many wait for it. So what it may cost is counted, step by
//! step, and so is how deep it may be nested: whatever it says, its evaluation ends soon. What it names and the
//! object does not have is an error, which means: not known yet.

mod eval;
mod lexer;
mod macros;
mod number;
mod operators;
mod parser;
mod value;

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use parser::Node;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 4_096;
/// What one evaluation may cost: about one unit for each value that is made, read or compared, and for each
/// 16 bytes of text.
pub const MAX_COST: u64 = 100_000;

/// A parsed expression that says yes or no. Equal texts are equal expressions.
#[derive(Clone)]
pub struct CelExpression {
    text: Arc<str>,
    node: Arc<Node>,
}

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an expression of CEL: {reason} at character {}", at + 1)]
pub struct CelSyntaxError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
    /// Where, in characters from the start.
    pub at: usize,
}

/// Why an expression has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CelError {
    /// A field that is named is not there.
    #[error("no such field: `{0}`")]
    Missing(String),
    /// An operator or a function does not fit what it is given.
    #[error("{0}")]
    Unfit(String),
    /// A number is too large or too small, or is divided by zero.
    #[error("no such number")]
    Overflow,
    /// It costs too much.
    #[error("the evaluation costs more than {MAX_COST} steps")]
    TooCostly,
}

impl CelExpression {
    /// Asks about an object, whose top-level fields are the variables.
    pub fn holds(&self, object: &serde_json::Value) -> Result<bool, CelError> {
        eval::holds(&self.node, object)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for CelExpression {
    type Err = CelSyntaxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = if text.len() > MAX_EXPRESSION_BYTES {
            Err((format!("it is longer than {MAX_EXPRESSION_BYTES} bytes"), 0))
        } else {
            parser::parse(text)
        };
        match parsed {
            Ok(node) => Ok(Self {
                text: text.into(),
                node: Arc::new(node),
            }),
            Err((reason, at)) => Err(CelSyntaxError {
                text: text.chars().take(200).collect(),
                reason,
                at,
            }),
        }
    }
}

impl PartialEq for CelExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CelExpression {}

impl fmt::Debug for CelExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CelExpression").field(&self.text).finish()
    }
}

impl fmt::Display for CelExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for CelExpression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for CelExpression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for CelExpression {
    fn schema_name() -> Cow<'static, str> {
        "CelExpression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "title": "CEL expression", "minLength": 1, "maxLength": MAX_EXPRESSION_BYTES,
            "description": "an expression of CEL over the object's fields, such as `status.phase == 'Ready'`",
        })
    }
}

#[cfg(test)]
mod tests;
