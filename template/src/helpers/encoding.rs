//! Base64 and digests.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::{call::Call, state::Outcome, value::Value};

pub(super) fn b64enc(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    call.computed_text(STANDARD.encode(text.as_str()))
}

pub(super) fn b64dec(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    let Ok(bytes) = STANDARD.decode(text.as_str().trim()) else {
        return Err(call.error(0, "is not valid Base64"));
    };
    match String::from_utf8(bytes) {
        Ok(text) => call.computed_text(text),
        Err(_) => Err(call.error(0, "does not hold text in UTF-8")),
    }
}

pub(super) fn sha256(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    call.state().check_length(text.len())?;
    let mut hex = String::new();
    for byte in Sha256::digest(text.as_str()) {
        let _ = write!(hex, "{byte:02x}");
    }
    call.computed_text(hex)
}
