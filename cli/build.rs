//! The packs and examples inside the binary follow their folders, and the binary itself is linked
//! at a fixed address, so that it starts without 75,000 pointers being moved first
//! (`ARCHITECTURE.md`, "Decisions").

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo tells build scripts of the target in the environment"
)]
fn main() {
    println!("cargo::rerun-if-changed=../packs");
    println!("cargo::rerun-if-changed=../examples");
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    // Elsewhere, and in a static binary, the start files must be others, too, and Rust chooses them.
    let chooses_start_files = target("OS") == "linux" && target("ENV") == "gnu";
    let is_static = target("FEATURE").split(',').any(|it| it == "crt-static");
    if chooses_start_files && !is_static {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
