//! The module's stack: small, so that a call dirties little memory, and first in memory, so that an overflow runs below address 0
//! and traps instead of reaching data.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo::rustc-link-arg-cdylib=--stack-first");
        println!("cargo::rustc-link-arg-cdylib=-zstack-size=16384");
        // Loads cost more gas the more memory they could miss in; a megabyte is the cheapest class.
        println!("cargo::rustc-link-arg-cdylib=--max-memory=1048576");
    }
}
