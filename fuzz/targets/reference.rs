//! References, and the paths of requests that carry them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_registry::fuzzing::reference(data));
