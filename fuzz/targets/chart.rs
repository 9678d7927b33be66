//! Packed charts, tars, and charts as lists of files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_chart::fuzzing::chart(data));
