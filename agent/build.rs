//! How the agent's program is linked when it is built for size (the profile `agent`).
#![expect(
    clippy::disallowed_methods,
    reason = "Cargo tells build scripts of the target in the environment"
)]

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=without_unwinding.ld");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let is_for_size = is("OPT_LEVEL", "z")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu");
    if !is_for_size {
        return;
    }
    // A panic ends the program, so nothing ever unwinds a stack: a sixth of the program is tables for that.
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    link(&format!(
        "-Wl,--no-eh-frame-hdr,-T,{folder}/without_unwinding.ld"
    ));
    // A bit for each address that moves with the program, in place of 24 bytes. Needs glibc 2.36.
    link("-Wl,-z,pack-relative-relocs");
}

fn link(argument: &str) {
    println!("cargo::rustc-link-arg-bins={argument}");
}
