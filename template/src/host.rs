//! What templates may ask for and a render does not know by itself: objects of a cluster, and
//! values that are not the same each time.

use std::fmt::Debug;

use cairn_spec::{Node, Span};

/// Answers what a render may not find out by itself. [`NoHost`] has no answers, so that equal
/// inputs give equal bytes.
///
/// The answer to a question is the same however often, in which order and by which thread it is
/// asked.
pub trait Host: Debug + Sync {
    /// The object that `lookup` finds, or the list when `name` is empty; nothing where there is
    /// none.
    fn lookup(&self, _query: &LookupQuery<'_>) -> Option<Node> {
        None
    }

    /// What a function that is not deterministic gives at one place.
    fn generate(&self, _call: &GeneratedCall<'_>) -> Generation {
        Generation::Refuse
    }
}

/// No objects, and nothing that is not deterministic.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {}

/// The arguments of `lookup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupQuery<'q> {
    /// Such as `v1`.
    pub api_version: &'q str,
    /// Such as `Secret`.
    pub kind: &'q str,
    /// Empty for objects without one.
    pub namespace: &'q str,
    /// Empty for all of them.
    pub name: &'q str,
}

/// One call of a function that gives another value each time, such as `randAlphaNum` or `now`.
///
/// All but [`Self::place`] stays the same when lines move about in the templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratedCall<'c> {
    /// The function.
    pub function: &'c str,
    /// The file of the call.
    pub template: &'c str,
    /// The text of the call, where `tpl` renders one that is no file; [`Self::template`] is what
    /// such texts are called then.
    pub text: Option<&'c str>,
    /// Which call of this function it is in the file or text, from 1.
    pub occurrence: u32,
    /// The template that is being rendered: it may include what makes the call.
    pub rendering: &'c str,
    /// How many values this call has asked for before in that template.
    pub count: u32,
    /// Where it is called.
    pub place: Span,
}

/// What a function that is not deterministic shall do.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Generation {
    /// Fail, and name the call.
    Refuse,
    /// Fail, name the call, and say why there is no value.
    Unavailable(String),
    /// Take all randomness from this seed, and the time from its `now`.
    Seeded {
        /// The seed of this call.
        seed: [u8; 32],
        /// Seconds since 1970.
        now: i64,
    },
    /// Give this value.
    Fixed(Node),
}
