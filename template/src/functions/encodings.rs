//! Sprig's encodings and digests.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Function, functions};
use crate::{
    call::Call,
    go::{base32, base64 as go_base64},
    state::Outcome,
    value::Value,
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "adler32sum" (String) => adler32sum;
    "b32dec" (String) => b32dec;
    "b32enc" (String) => b32enc;
    "b64dec" (String) => b64dec;
    "b64enc" (String) => b64enc;
    "sha1sum" (String) => sha1sum;
    "sha256sum" (String) => sha256sum;
    "sha512sum" (String) => sha512sum;
];

fn computed(call: &mut Call<'_, '_>, compute: impl FnOnce(&[u8]) -> Vec<u8>) -> Outcome<Value> {
    let value = call.value(0)?;
    call.read(&value);
    let bytes = value.as_bytes().unwrap_or_default();
    call.state().check_length(bytes.len())?;
    call.computed_bytes(compute(bytes))
}

fn b64enc(call: &mut Call<'_, '_>) -> Outcome<Value> {
    computed(call, |bytes| STANDARD.encode(bytes).into_bytes())
}

/// What is no Base64 gives a text that says so.
fn b64dec(call: &mut Call<'_, '_>) -> Outcome<Value> {
    computed(call, |bytes| {
        go_base64::decode(bytes)
            .unwrap_or_else(|at| format!("illegal base64 data at input byte {at}").into_bytes())
    })
}

fn b32enc(call: &mut Call<'_, '_>) -> Outcome<Value> {
    computed(call, base32::encode)
}

/// What is no Base32 gives a text that says so.
fn b32dec(call: &mut Call<'_, '_>) -> Outcome<Value> {
    computed(call, |bytes| {
        base32::decode(bytes)
            .unwrap_or_else(|at| format!("illegal base32 data at input byte {at}").into_bytes())
    })
}

fn sha1sum(call: &mut Call<'_, '_>) -> Outcome<Value> {
    computed(call, |bytes| hex::encode(Sha1::digest(bytes)).into_bytes())
}

fn sha256sum(call: &mut Call<'_, '_>) -> Outcome<Value> {
    computed(call, |bytes| {
        hex::encode(Sha256::digest(bytes)).into_bytes()
    })
}

fn sha512sum(call: &mut Call<'_, '_>) -> Outcome<Value> {
    computed(call, |bytes| {
        hex::encode(Sha512::digest(bytes)).into_bytes()
    })
}

/// The checksum of RFC 1950, in decimal.
fn adler32sum(call: &mut Call<'_, '_>) -> Outcome<Value> {
    /// The largest prime below 2^16.
    const MODULUS: u32 = 65_521;
    computed(call, |bytes| {
        let (mut sum, mut sums) = (1, 0);
        for &byte in bytes {
            sum = (sum + u32::from(byte)) % MODULUS;
            sums = (sums + sum) % MODULUS;
        }
        (sums << 16 | sum).to_string().into_bytes()
    })
}
