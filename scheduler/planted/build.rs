//! Switches on what `scheduler/src/planted.rs` has: in this package and in no other.

fn main() {
    println!("cargo::rustc-cfg=planted");
    println!("cargo::rerun-if-changed=build.rs");
}
