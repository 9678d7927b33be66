//! Other people's programs, and what they make of Cairn's registry, packs, signatures and bundles.
//!
//! All tests here are ignored by default, because they need programs that are not built with Cairn:
//! `CAIRN_PEERS="$(tests/peers/install)" cargo test -p cairn-tests --test peers -- --ignored`
//! runs them. A program is looked for in the folder `CAIRN_PEERS`, then on the path; one that is
//! missing is a failure, never a skip.
#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::format_collect,
    clippy::type_complexity,
    reason = "tags are no file names, and a test need not be fast"
)]

mod bundles;
mod harness;
mod images;
mod oras;
mod signatures;
