//! The packs and examples inside the binary follow their folders.

fn main() {
    println!("cargo::rerun-if-changed=../packs");
    println!("cargo::rerun-if-changed=../examples");
}
