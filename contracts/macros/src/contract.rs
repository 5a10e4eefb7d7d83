//! `#[contract]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Pat, Result, ReturnType, Safety, Type, Visibility,
};

use crate::abi;

/// Bytes of a method's name: the engine's limit.
const METHOD_BYTES_MAX: usize = 64;

/// The block as written, and what makes its functions methods; with errors instead of the latter where it is misused, so that
/// the rest of the crate is still checked against the functions.
pub(crate) fn expand(attribute: &TokenStream, block: &ItemImpl) -> TokenStream {
    let added = additions(attribute, block).unwrap_or_else(|error| error.to_compile_error());
    quote!(#block #added)
}

fn additions(attribute: &TokenStream, block: &ItemImpl) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new_spanned(attribute, "#[contract] takes no arguments"));
    }
    if let Some((path, _)) = &block.trait_ {
        return Err(Error::new_spanned(path, "methods are functions of a plain `impl` block, not of a trait"));
    }
    if !block.generics.params.is_empty() {
        return Err(Error::new_spanned(&block.generics, "a contract has no generic parameters"));
    }
    let contract = &block.self_ty;
    let mut errors: Option<Error> = None;
    let mut methods = Vec::new();
    for function in block.items.iter().filter_map(public_function) {
        match Method::parse(function) {
            Ok(method) => methods.push(method),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }
    let exports = methods.iter().map(|method| method.export(contract));
    let table = methods.iter().map(|method| method.table_entry(contract));
    Ok(quote! {
        #(#exports)*
        #[cfg(not(target_arch = "wasm32"))]
        impl ::phalanx_contract::entry::Contract for #contract {
            const METHODS: &'static [::phalanx_contract::entry::Method] = &[#(#table),*];
        }
    })
}

fn public_function(item: &ImplItem) -> Option<&ImplItemFn> {
    match item {
        ImplItem::Fn(function) if matches!(function.vis, Visibility::Public(_)) => Some(function),
        _ => None,
    }
}

/// A function that becomes a method.
struct Method<'a> {
    name: &'a Ident,
    /// `#[cfg]` of the function also decides about its export.
    conditions: Vec<&'a Attribute>,
    arguments: Vec<(&'a Ident, &'a Type)>,
    /// Where the source says what is returned.
    output: Span,
    abi_line: String,
}

impl<'a> Method<'a> {
    fn parse(function: &'a ImplItemFn) -> Result<Self> {
        let signature = &function.sig;
        let name = &signature.ident;
        check_name(name)?;
        refuse(&signature.asyncness, "a method is not async: a call runs to its end")?;
        if let Safety::Unsafe(token) = &signature.safety {
            return Err(Error::new_spanned(token, "a method is not unsafe: its callers are strangers"));
        }
        refuse(&signature.abi, "a method is plain Rust: its export is made by #[contract]")?;
        if let Some(parameter) =
            signature.generics.params.iter().find(|parameter| !matches!(parameter, syn::GenericParam::Lifetime(_)))
        {
            return Err(Error::new_spanned(parameter, "a method has no type parameters: its arguments are bytes"));
        }
        let arguments = signature.inputs.iter().map(argument).collect::<Result<Vec<_>>>()?;
        let fields =
            arguments.iter().map(|(name, ty)| abi::field(&name.to_string(), ty)).collect::<Result<Vec<_>>>()?;
        let abi_line = format!(
            "{{\"fn\":{},\"args\":[{}],\"returns\":{},\"doc\":{}}}",
            abi::quoted(&name.to_string()),
            fields.join(","),
            abi::quoted(&abi::return_name(&signature.output)?),
            abi::doc(&function.attrs),
        );
        let conditions = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect();
        let output = match &signature.output {
            ReturnType::Default => name.span(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        Ok(Self { name, conditions, arguments, output, abi_line })
    }

    /// The closure that runs the method: decode, call, encode.
    fn runner(&self, contract: &Type) -> TokenStream {
        let name = self.name;
        let (names, types): (Vec<_>, Vec<_>) = self.arguments.iter().copied().unzip();
        let finish = quote_spanned!(self.output=> ::phalanx_contract::entry::Outcome::finish);
        quote! {
            || -> i32 {
                const MIN: usize =
                    ::phalanx_contract::wire::total_len(&[#(<#types as ::phalanx_contract::Wire>::MIN_LEN),*]);
                const MAX: usize =
                    ::phalanx_contract::wire::total_len(&[#(<#types as ::phalanx_contract::Wire>::MAX_LEN),*]);
                const STACK: usize = ::phalanx_contract::entry::stack_bytes(MAX);
                ::phalanx_contract::entry::run::<MIN, MAX, STACK>(|reader| {
                    #(let #names = ::phalanx_contract::Wire::read(reader)?;)*
                    reader.end()?;
                    Some(#finish(&<#contract>::#name(#(#names),*)))
                })
            }
        }
    }

    fn export(&self, contract: &Type) -> TokenStream {
        let (conditions, runner, line) = (&self.conditions, self.runner(contract), abi::line(&self.abi_line));
        let name = self.name.to_string();
        quote! {
            #(#conditions)*
            const _: () = {
                #line
                #[cfg(target_arch = "wasm32")]
                #[unsafe(export_name = #name)]
                extern "C" fn export() -> i32 {
                    (#runner)()
                }
            };
        }
    }

    fn table_entry(&self, contract: &Type) -> TokenStream {
        let (conditions, runner) = (&self.conditions, self.runner(contract));
        let name = self.name.to_string();
        quote! {
            #(#conditions)*
            ::phalanx_contract::entry::Method { name: #name, run: #runner }
        }
    }
}

fn check_name(name: &Ident) -> Result<()> {
    let text = name.to_string();
    let refusal = if text == "memory" {
        "`memory` is the export of the module's memory"
    } else if text.starts_with("r#") {
        "a method's name is not a keyword"
    } else if text.len() > METHOD_BYTES_MAX {
        "a method's name has at most 64 bytes"
    } else {
        return Ok(());
    };
    Err(Error::new_spanned(name, refusal))
}

fn refuse<T: ToTokens>(part: &Option<T>, reason: &str) -> Result<()> {
    part.as_ref().map_or(Ok(()), |part| Err(Error::new_spanned(part, reason)))
}

fn argument(input: &FnArg) -> Result<(&Ident, &Type)> {
    let FnArg::Typed(typed) = input else {
        return Err(Error::new_spanned(
            input,
            "contract functions take no `self`: state lives in `Item` and `Map` constants",
        ));
    };
    match &*typed.pat {
        Pat::Ident(name) if name.subpat.is_none() && name.by_ref.is_none() => Ok((&name.ident, &typed.ty)),
        pattern => Err(Error::new_spanned(pattern, "an argument is a plain name: the ABI publishes it")),
    }
}
