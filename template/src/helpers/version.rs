//! Versions.

use cairn_spec::{Version, VersionRange};

use crate::{call::Call, state::Outcome, value::Value};

/// A vendor's suffix (`1.31.4-eks-abc`) does not put a version outside of a range, since what
/// templates ask about is nearly always `kubernetes.version`.
pub(super) fn semver(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let range = call.read_text(0)?;
    let range: VersionRange = match range.as_str().parse() {
        Ok(range) => range,
        Err(error) => return Err(call.error(0, format!("is not valid: {error}"))),
    };
    let version = call.read_text(1)?;
    let version: Version = match version.as_str().parse() {
        Ok(version) => version,
        Err(error) => return Err(call.error(1, format!("is not valid: {error}"))),
    };
    Ok(call.computed(range.matches_platform(&version)))
}
