//! The lines of the ABI: one JSON object each, in the module's custom section `abi`.
//!
//! ```json
//! {"fn":"transfer","args":[{"name":"to","type":"Address"}],"returns":"Result<(),Error>","doc":"…"}
//! {"struct":"Transfer","fields":[{"name":"from","type":"Address"}],"doc":"…"}
//! {"enum":"Error","variants":["Unit",{"name":"Full","fields":[{"name":"0","type":"u8"}]}],"doc":"…"}
//! {"slot":1,"name":"BALANCES","type":"Map<Address,u128>","doc":"…"}
//! ```
//!
//! A type is written as in Rust, without spaces, paths, references and lifetimes.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{
    Attribute, Error, Expr, ExprLit, GenericArgument, Lit, Meta, PathArguments, Result, ReturnType, Type, TypeArray,
};

/// A static that becomes part of a custom section of the module.
///
/// Not `#[used]`: that would keep the bytes in the module's data too. Not in a library: its sections would become those of the contract
/// that calls it.
pub(crate) fn section(name: &str, bytes: &[u8]) -> TokenStream {
    let len = bytes.len();
    let bytes = Literal::byte_string(bytes);
    quote! {
        #[cfg(all(target_arch = "wasm32", not(feature = "library")))]
        const _: () = {
            #[unsafe(link_section = #name)]
            static _SECTION: [u8; #len] = *#bytes;
        };
    }
}

/// A line of the ABI.
pub(crate) fn line(json: &str) -> TokenStream {
    section("abi", format!("{json}\n").as_bytes())
}

/// `{"name":…,"type":…}`.
pub(crate) fn field(name: &str, ty: &Type) -> Result<String> {
    Ok(format!("{{\"name\":{},\"type\":{}}}", quoted(name), quoted(&type_name(ty)?)))
}

/// The type of a function's result.
pub(crate) fn return_name(output: &ReturnType) -> Result<String> {
    match output {
        ReturnType::Default => Ok("()".to_owned()),
        ReturnType::Type(_, ty) => type_name(ty),
    }
}

/// A type's name in the ABI.
pub(crate) fn type_name(ty: &Type) -> Result<String> {
    let list = |types: &mut dyn Iterator<Item = &Type>| -> Result<String> {
        Ok(types.map(type_name).collect::<Result<Vec<_>>>()?.join(","))
    };
    match ty {
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else {
                return Err(Error::new_spanned(ty, "this type has no name"));
            };
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Ok(last.ident.to_string()) };
            let mut names = Vec::new();
            for argument in &arguments.args {
                match argument {
                    GenericArgument::Type(ty) => names.push(type_name(ty)?),
                    GenericArgument::Const(number) => names.push(quote!(#number).to_string()),
                    GenericArgument::Lifetime(_) => {}
                    _ => return Err(Error::new_spanned(argument, "the ABI has no name for this")),
                }
            }
            let arguments = if names.is_empty() { String::new() } else { format!("<{}>", names.join(",")) };
            Ok(format!("{}{arguments}", last.ident))
        }
        Type::Reference(reference) if reference.mutability.is_none() => type_name(&reference.elem),
        Type::Tuple(tuple) => Ok(format!("({})", list(&mut tuple.elems.iter())?)),
        Type::Array(TypeArray { elem, len, .. }) => Ok(format!("[{};{}]", type_name(elem)?, quote!(#len))),
        Type::Slice(slice) => Ok(format!("[{}]", type_name(&slice.elem)?)),
        Type::Paren(inner) => type_name(&inner.elem),
        Type::Group(inner) => type_name(&inner.elem),
        _ => Err(Error::new_spanned(ty, "a contract's types are named types, tuples, arrays and shared references")),
    }
}

/// The text of doc comments, on one line.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    quoted(lines.collect::<Vec<_>>().join(" ").trim())
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if u32::from(control) < 0x20 => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => json.push(plain),
        }
    }
    json.push('"');
    json
}
