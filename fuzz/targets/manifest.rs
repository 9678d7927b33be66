//! Manifests and indexes, with the type they were sent as.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_registry::fuzzing::manifest(data));
