//! `#[contract]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Pat, Result, ReturnType, Safety, Type, Visibility,
};

use crate::{abi, handle};

/// Bytes of a method's name: the engine's limit.
const METHOD_BYTES_MAX: usize = 64;

/// The block as written, and what makes its functions methods; with errors instead of the latter where it is misused, so that
/// the rest of the crate is still checked against the functions.
pub(crate) fn expand(attribute: &TokenStream, block: &ItemImpl) -> TokenStream {
    let added = additions(attribute, block).unwrap_or_else(|error| error.to_compile_error());
    let mut block = block.clone();
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item
            && matches!(function.vis, Visibility::Public(_))
        {
            function.attrs.retain(|attribute| !is_reentrant(attribute));
        }
    }
    quote!(#block #added)
}

/// `#[reentrant]`, which is for this macro to read.
fn is_reentrant(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "reentrant")
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
    let handle = handle::expand(contract, &methods)?;
    Ok(quote! {
        #handle
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
pub(crate) struct Method<'a> {
    pub(crate) name: &'a Ident,
    /// `#[cfg]` of the function also decides about its export.
    pub(crate) conditions: Vec<&'a Attribute>,
    pub(crate) docs: Vec<&'a Attribute>,
    pub(crate) arguments: Vec<(&'a Ident, &'a Type)>,
    pub(crate) output: &'a ReturnType,
    reentrant: bool,
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
        let named = |name: &str| function.attrs.iter().filter(|attribute| attribute.path().is_ident(name)).collect();
        let reentrant = function.attrs.iter().any(is_reentrant);
        let (conditions, docs, output) = (named("cfg"), named("doc"), &signature.output);
        Ok(Self { name, conditions, docs, arguments, output, reentrant, abi_line })
    }

    /// Where the source says what is returned.
    fn output_span(&self) -> Span {
        match self.output {
            ReturnType::Default => self.name.span(),
            ReturnType::Type(_, ty) => ty.span(),
        }
    }

    /// The closure that runs the method: decode, call, encode.
    fn runner(&self, contract: &Type) -> TokenStream {
        let name = self.name;
        let (names, types): (Vec<_>, Vec<_>) = self.arguments.iter().copied().unzip();
        let finish = quote_spanned!(self.output_span()=> ::phalanx_contract::entry::Outcome::finish);
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
        let reentrant = self.reentrant.then(|| abi::section("phalanx.reentrant", &reentrant_entry(&name)));
        quote! {
            #(#conditions)*
            const _: () = {
                #line
                #reentrant
                #[cfg(all(target_arch = "wasm32", not(feature = "library")))]
                #[unsafe(export_name = #name)]
                extern "C" fn export() -> i32 {
                    (#runner)()
                }
            };
        }
    }

    fn table_entry(&self, contract: &Type) -> TokenStream {
        let (conditions, runner, reentrant) = (&self.conditions, self.runner(contract), self.reentrant);
        let name = self.name.to_string();
        quote! {
            #(#conditions)*
            ::phalanx_contract::entry::Method { name: #name, run: #runner, reentrant: #reentrant }
        }
    }
}

/// An entry of the section `phalanx.reentrant`: the name behind its length. Names have been checked to be short.
fn reentrant_entry(name: &str) -> Vec<u8> {
    [&[name.len() as u8][..], name.as_bytes()].concat()
}

fn check_name(name: &Ident) -> Result<()> {
    let text = name.to_string();
    let refusal = if text == "memory" {
        "`memory` is the export of the module's memory"
    } else if handle::RESERVED.contains(&&*text) {
        "`at` and `with_gas` belong to the handle with which other contracts call this one"
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
