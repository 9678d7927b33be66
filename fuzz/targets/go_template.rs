//! Go templates: the lexer and the parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_template::fuzzing::go_template(data));
