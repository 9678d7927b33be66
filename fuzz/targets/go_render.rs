//! Go templates, rendered with all functions over a fixed tree of values.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_template::fuzzing::go_render(data));
