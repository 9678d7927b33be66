//! What an import says of what it could not carry over as it was.

use serde::Serialize;

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportOutcome {
    /// It is in the pack, in another form.
    Changed,
    /// It is not in the pack.
    LeftOut,
}

impl ImportOutcome {
    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::LeftOut => "left-out",
        }
    }
}

/// What became of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportNote {
    /// What became of it.
    pub outcome: ImportOutcome,
    /// Where it stands, such as `pack.json: constraints.resources`.
    pub what: String,
    /// Why, and what to do about it.
    pub note: String,
}
