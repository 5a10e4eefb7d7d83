//! The handle with which other contracts call a contract.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, Result, ReturnType, Type};

use crate::contract::Method;

/// Functions of a handle that are no methods of its contract.
pub(crate) const RESERVED: [&str; 2] = ["at", "with_gas"];

/// The handle's type, and the function that makes one.
pub(crate) fn expand(contract: &Type, methods: &[Method<'_>]) -> Result<TokenStream> {
    let Type::Path(path) = contract else { return Err(Error::new_spanned(contract, "a contract is a named type")) };
    let Some(last) = path.path.segments.last() else {
        return Err(Error::new_spanned(contract, "a contract is a named type"));
    };
    let handle = format_ident!("{}At", last.ident);
    let of_type = format!("A [`{}`] with an id, to be called by other contracts.", last.ident);
    let methods = methods.iter().filter(|method| !borrows(method.output)).map(method);
    Ok(quote! {
        #[doc = #of_type]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct #handle {
            id: ::phalanx_contract::Address,
            gas: u64,
        }

        impl #contract {
            /// The contract with this id, to be called by other contracts.
            pub const fn at(id: ::phalanx_contract::Address) -> #handle {
                #handle { id, gas: u64::MAX }
            }
        }

        impl #handle {
            /// Gives each call at most so much gas. Without it a call may use all but a 64th of what there is.
            pub const fn with_gas(self, gas: u64) -> Self {
                Self { gas, ..self }
            }

            #(#methods)*
        }
    })
}

/// Whether a result borrows, from arguments that the callee alone has: a handle does without the method.
fn borrows(output: &ReturnType) -> bool {
    quote!(#output).to_string().contains(['&', '\''])
}

/// A method's counterpart: it encodes, calls, and decodes.
fn method(method: &Method<'_>) -> TokenStream {
    let Method { name, conditions, docs, arguments, output, .. } = method;
    let (names, types): (Vec<_>, Vec<_>) = arguments.iter().copied().unzip();
    let text = name.to_string();
    let returned = match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    quote! {
        #(#conditions)*
        #(#docs)*
        pub fn #name(&self, #(#names: #types),*) -> ::phalanx_contract::nested::Called<#returned> {
            const STACK: usize = ::phalanx_contract::nested::stack_bytes(
                ::phalanx_contract::wire::total_len(&[#(<#types as ::phalanx_contract::Wire>::MAX_LEN),*])
            );
            ::phalanx_contract::nested::call::<#returned, STACK>(&self.id, self.gas, #text, |writer| {
                #(::phalanx_contract::Wire::write(&#names, writer);)*
            })
        }
    }
}
