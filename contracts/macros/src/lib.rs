//! Macros of the Phalanx contract SDK (`phalanx-contract`, which re-exports and documents them).
//!
//! None of them changes what it is put on: `#[contract]` and `#[slot]` leave the item as written (but for `#[reentrant]`, which the former
//! reads and takes away) and add to it, so that tools, tests and readers see plain Rust.

mod abi;
mod contract;
mod handle;
mod slot;
#[cfg(test)]
mod tests;
mod wire;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemConst, ItemImpl, parse_macro_input};

/// Makes each public function of a plain `impl` block a method that calls can name.
///
/// The arguments are decoded, bytes left over are refused, and the result or typed error is encoded; a line of the ABI
/// describes the method. The block's type gets a function `at`, which makes the handle with which other contracts call this one.
///
/// A method whose result borrows is left out there.
///
/// With the crate's feature `library` there are no exports and no ABI: a contract that calls this one depends on it with that.
#[proc_macro_attribute]
pub fn contract(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let block = parse_macro_input!(item as ItemImpl);
    contract::expand(&attribute.into(), &block).into()
}

/// Lets a method of a `#[contract]` block be called while the contract is being called already: by what it calls itself. Such a
/// method sees what the calls that wait have written so far, and they see what it writes.
#[proc_macro_attribute]
pub fn reentrant(_: TokenStream, item: TokenStream) -> TokenStream {
    // `#[contract]` takes it off the functions that it is for.
    let error =
        syn::Error::new(proc_macro2::Span::call_site(), "#[reentrant] is for public functions of a #[contract] block");
    let item = proc_macro2::TokenStream::from(item);
    let error = error.to_compile_error();
    quote::quote!(#item #error).into()
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
