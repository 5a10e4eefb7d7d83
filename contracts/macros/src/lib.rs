//! Macros of the Phalanx contract SDK (`phalanx-contract`, which re-exports and documents them).
//!
//! None of them changes what it is put on: `#[contract]` and `#[slot]` leave the item as written and add to it, so that
//! tools, tests and readers see plain Rust.

mod abi;
mod contract;
mod slot;
#[cfg(test)]
mod tests;
mod wire;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemConst, ItemImpl, parse_macro_input};

/// Makes each public function of a plain `impl` block a method that calls can name.
///
/// The arguments are decoded, bytes left over are refused, and the result or typed error is encoded; a line of the ABI
/// describes the method.
#[proc_macro_attribute]
pub fn contract(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let block = parse_macro_input!(item as ItemImpl);
    contract::expand(&attribute.into(), &block).into()
}

/// Describes a constant of state (`Item`, `Map`, `Set`, `List`, `Roles`, `OrderedMap`, `Journal`) in the ABI, and declares the slot of the last
/// two as ordered.
#[proc_macro_attribute]
pub fn slot(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let constant = parse_macro_input!(item as ItemConst);
    slot::expand(&attribute.into(), &constant).into()
}

/// Encodes a struct or an enum: its fields in order, after the variant's index as one byte. Also makes its name the topic
/// under which it can be emitted, and describes it in the ABI.
#[proc_macro_derive(Wire)]
pub fn wire(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    wire::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
