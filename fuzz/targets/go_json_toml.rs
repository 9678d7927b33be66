//! JSON and TOML as Helm reads and writes them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_template::fuzzing::go_json_toml(data));
