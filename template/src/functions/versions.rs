//! Sprig's `semver` and `semverCompare`.

use super::{Function, functions};
use crate::{
    call::Call,
    go_semver::{Constraint, Version},
    state::Outcome,
    value::Value,
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "semver" (String) => semver;
    "semverCompare" (String, String) => semver_compare;
];

fn semver(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    let version = Version::parse_bytes(text.as_bytes()).map_err(|error| call.failure(error))?;
    Ok(call.computed(version.into_object()))
}

fn semver_compare(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let constraint = call.read_text(0)?;
    let version = call.read_text(1)?;
    let constraint =
        Constraint::parse_bytes(constraint.as_bytes()).map_err(|error| call.failure(error))?;
    let version = Version::parse_bytes(version.as_bytes()).map_err(|error| call.failure(error))?;
    Ok(call.computed(constraint.check(&version)))
}
