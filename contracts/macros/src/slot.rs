//! `#[slot]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, ExprLit, ItemConst, Lit, Result, Type};

use crate::abi;

/// Key of a slot in the section `phalanx.ordered`: `00 s`.
const ORDERED_SLOT: u8 = 0;

/// The constant as written, its ABI line, and the ordered slot.
pub(crate) fn expand(attribute: &TokenStream, constant: &ItemConst) -> TokenStream {
    let added = additions(attribute, constant).unwrap_or_else(|error| error.to_compile_error());
    quote!(#constant #added)
}

fn additions(attribute: &TokenStream, constant: &ItemConst) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new_spanned(attribute, "#[slot] takes no arguments: the number stands in `at(…)`"));
    }
    let number = number(&constant.expr)?;
    let line = abi::line(&format!(
        "{{\"slot\":{number},\"name\":{},\"type\":{},\"doc\":{}}}",
        abi::quoted(&constant.ident.to_string()),
        abi::quoted(&abi::type_name(&constant.ty)?),
        abi::doc(&constant.attrs),
    ));
    let ordered = if is_ordered(&constant.ty) {
        abi::section("phalanx.ordered", &[ORDERED_SLOT, number])
    } else {
        TokenStream::new()
    };
    Ok(quote!(#line #ordered))
}

/// The literal in `Map::at(1)`.
fn number(value: &Expr) -> Result<u8> {
    if let Expr::Call(call) = value
        && let Expr::Path(function) = &*call.func
        && function.path.segments.last().is_some_and(|segment| segment.ident == "at")
        && let Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) = call.args.first()
    {
        return number.base10_parse();
    }
    Err(Error::new_spanned(value, "the value of a #[slot] is `….at(n)` with a literal number"))
}

fn is_ordered(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "OrderedMap" || segment.ident == "Journal"))
}
