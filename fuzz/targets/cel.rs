//! Expressions of CEL: the lexer, the parser and the evaluator, with its price.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_spec::fuzzing::cel(data));
