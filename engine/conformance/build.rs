//! Switches on what `engine/src/prepare/profile.rs` has: in this package and in no other.

fn main() {
    println!("cargo::rustc-cfg=spec_profile");
    println!("cargo::rerun-if-changed=build.rs");
}
