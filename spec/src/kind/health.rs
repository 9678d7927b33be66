//! How objects of a kind are judged, when their own fields say it in their own way (`spec/pack.md` §2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CelExpression, ObjectId};

/// How objects of a kind are judged: by the first of these that holds, in this order. While none does, or a
/// field is missing, they are waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthRule {
    /// The API group, whatever the version; empty for the core group.
    pub group: String,
    /// The kind; all kinds of the group by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// It is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<CelExpression>,
    /// It will not get there by waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<CelExpression>,
    /// It is as it was asked for.
    pub current: CelExpression,
}

impl HealthRule {
    /// It is about this object.
    pub fn is_about(&self, id: &ObjectId) -> bool {
        let is_kind = self.kind.as_ref().is_none_or(|kind| *kind == id.kind);
        self.group == id.group() && is_kind
    }
}
