//! Ranges of downloads and chunks, queries and identifiers of uploads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_registry::fuzzing::headers(data));
