//! The packs and examples inside the binary follow their folders. The binary itself is linked so
//! that it starts at once: at a fixed address, and with what unwinds its stack in it
//! (`ARCHITECTURE.md`, "Decisions").
#![expect(
    clippy::disallowed_methods,
    reason = "Cargo tells build scripts of the target in the environment"
)]

use std::{env, fs, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=../packs");
    println!("cargo::rerun-if-changed=../examples");
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    // Elsewhere, and in a static binary, the start files must be others, too, and Rust chooses them.
    let chooses_start_files = target("OS") == "linux" && target("ENV") == "gnu";
    let is_static = target("FEATURE").split(',').any(|it| it == "crt-static");
    if chooses_start_files && !is_static {
        println!("cargo::rustc-link-arg-bins=-no-pie");
        link_unwinder();
    }
}

/// Has the linker find the static `libgcc_eh` where it looks for `libgcc_s`, if there is one: that
/// library asks the processor about itself at each start, which takes long in a virtual machine.
fn link_unwinder() {
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let asked = Command::new(linker)
        .arg("-print-file-name=libgcc_eh.a")
        .output();
    let (Ok(asked), Ok(out)) = (asked, env::var("OUT_DIR")) else {
        return;
    };
    let answer = String::from_utf8_lossy(&asked.stdout);
    let library = Path::new(answer.trim());
    // A compiler that does not know the file answers with its bare name.
    if !library.is_absolute() || !library.is_file() {
        return;
    }
    let folder = Path::new(&out).join("unwinder");
    let script = format!("GROUP ( {} )\n", library.display());
    let written =
        fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("libgcc_s.a"), script));
    if written.is_ok() {
        println!("cargo::rustc-link-arg-bins=-L{}", folder.display());
    }
}
