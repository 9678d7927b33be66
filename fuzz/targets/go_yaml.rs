//! YAML as Helm reads and writes it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_template::fuzzing::go_yaml(data));
