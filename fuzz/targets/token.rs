//! Tokens, the keys that verify them, and the headers and scopes around them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_registry::fuzzing::token(data));
