//! `#[derive(Wire)]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Data, DataEnum, DeriveInput, Error, Fields, Generics, Ident, Lifetime, Member, Result, Type};

use crate::abi;

/// Variants of an enum: their index is one byte.
const VARIANTS_MAX: usize = 256;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let body = match &input.data {
        Data::Struct(data) => struct_body(&input.ident, &data.fields, &abi::doc(&input.attrs))?,
        Data::Enum(data) => enum_body(&input.ident, data, &abi::doc(&input.attrs))?,
        Data::Union(_) => return Err(Error::new_spanned(&input.ident, "a union has no encoding")),
    };
    let Body { min, max, read, write, abi_line } = body;
    let (name, topic) = (&input.ident, input.ident.to_string());
    let lifetime = wire_lifetime(&input.generics)?;
    let generics = bounded(&input.generics, &lifetime);
    let (impl_generics, _, clause) = generics.split_for_impl();
    let (event_generics, type_generics, event_clause) = input.generics.split_for_impl();
    let line = abi::line(&abi_line);
    Ok(quote! {
        #line
        impl #impl_generics ::phalanx_contract::Wire<#lifetime> for #name #type_generics #clause {
            const MIN_LEN: usize = #min;
            const MAX_LEN: usize = #max;
            #[inline(always)]
            fn read(reader: &mut ::phalanx_contract::wire::Reader<#lifetime>) -> Option<Self> {
                #read
            }
            #[inline(always)]
            fn write(&self, writer: &mut ::phalanx_contract::wire::Writer<'_>) {
                #write
            }
        }
        impl #event_generics ::phalanx_contract::Event for #name #type_generics #event_clause {
            const TOPIC: &'static str = #topic;
        }
    })
}

/// What differs between structs and enums.
struct Body {
    min: TokenStream,
    max: TokenStream,
    read: TokenStream,
    write: TokenStream,
    abi_line: String,
}

fn struct_body(name: &Ident, fields: &Fields, doc: &str) -> Result<Body> {
    let parts = Parts::of(fields)?;
    let (read, bindings, names) = (parts.read(&quote!(Self)), parts.pattern(), &parts.bindings);
    Ok(Body {
        min: parts.total(&quote!(MIN_LEN)),
        max: parts.total(&quote!(MAX_LEN)),
        read: quote!(Some(#read)),
        write: quote! {
            let Self #bindings = self;
            #(::phalanx_contract::Wire::write(#names, writer);)*
        },
        abi_line: format!(
            "{{\"struct\":{},\"fields\":[{}],\"doc\":{doc}}}",
            abi::quoted(&name.to_string()),
            parts.abi.join(",")
        ),
    })
}

fn enum_body(name: &Ident, data: &DataEnum, doc: &str) -> Result<Body> {
    if data.variants.is_empty() || data.variants.len() > VARIANTS_MAX {
        return Err(Error::new_spanned(name, "an encoded enum has 1 to 256 variants"));
    }
    let (mut mins, mut maxs, mut reads, mut writes, mut abi) = (vec![], vec![], vec![], vec![], vec![]);
    for (index, variant) in (0..=u8::MAX).zip(&data.variants) {
        if let Some((_, discriminant)) = &variant.discriminant {
            return Err(Error::new_spanned(discriminant, "a variant is encoded by its place; leave the number out"));
        }
        let parts = Parts::of(&variant.fields)?;
        let ident = &variant.ident;
        let (read, pattern, names) = (parts.read(&quote!(Self::#ident)), parts.pattern(), &parts.bindings);
        mins.push(parts.total(&quote!(MIN_LEN)));
        maxs.push(parts.total(&quote!(MAX_LEN)));
        reads.push(quote!(#index => Some(#read),));
        writes.push(quote! {
            Self::#ident #pattern => {
                writer.bytes(&[#index]);
                #(::phalanx_contract::Wire::write(#names, writer);)*
            }
        });
        abi.push(if parts.abi.is_empty() {
            abi::quoted(&ident.to_string())
        } else {
            format!("{{\"name\":{},\"fields\":[{}]}}", abi::quoted(&ident.to_string()), parts.abi.join(","))
        });
    }
    Ok(Body {
        min: quote!(::phalanx_contract::wire::total_len(&[1, ::phalanx_contract::wire::shortest(&[#(#mins),*])])),
        max: quote!(::phalanx_contract::wire::total_len(&[1, ::phalanx_contract::wire::longest(&[#(#maxs),*])])),
        read: quote! {
            match <u8 as ::phalanx_contract::Wire>::read(reader)? {
                #(#reads)*
                _ => None,
            }
        },
        write: quote!(match self { #(#writes)* }),
        abi_line: format!(
            "{{\"enum\":{},\"variants\":[{}],\"doc\":{doc}}}",
            abi::quoted(&name.to_string()),
            abi.join(",")
        ),
    })
}

/// The fields of a struct or a variant.
struct Parts<'a> {
    members: Vec<Member>,
    bindings: Vec<Ident>,
    types: Vec<&'a Type>,
    abi: Vec<String>,
}

impl<'a> Parts<'a> {
    fn of(fields: &'a Fields) -> Result<Self> {
        let members: Vec<Member> = fields.members().collect();
        let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
        let name = |member: &Member| match member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        let abi =
            members.iter().zip(&types).map(|(member, ty)| abi::field(&name(member), ty)).collect::<Result<_>>()?;
        let bindings = (0..members.len()).map(|index| format_ident!("field_{index}")).collect();
        Ok(Self { members, bindings, types, abi })
    }

    /// A value of the fields' encodings: they are read in order.
    fn read(&self, constructor: &TokenStream) -> TokenStream {
        let Self { members, types, .. } = self;
        quote!(#constructor { #(#members: <#types as ::phalanx_contract::Wire>::read(reader)?),* })
    }

    fn pattern(&self) -> TokenStream {
        let Self { members, bindings, .. } = self;
        quote!({ #(#members: #bindings),* })
    }

    fn total(&self, bound: &TokenStream) -> TokenStream {
        let types = &self.types;
        quote!(::phalanx_contract::wire::total_len(&[#(<#types as ::phalanx_contract::Wire>::#bound),*]))
    }
}

/// The life of the bytes that a value borrows: the type's own lifetime, or any.
fn wire_lifetime(generics: &Generics) -> Result<Lifetime> {
    let mut lifetimes = generics.lifetimes();
    let first = lifetimes.next();
    if let Some(second) = lifetimes.next() {
        return Err(Error::new_spanned(second, "an encoded type borrows from one buffer: one lifetime"));
    }
    Ok(first.map_or_else(|| Lifetime::new("'wire", Span::call_site()), |parameter| parameter.lifetime.clone()))
}

/// The generics of the impl: each type parameter is encoded too.
fn bounded(generics: &Generics, lifetime: &Lifetime) -> Generics {
    let mut bounded = generics.clone();
    for parameter in bounded.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(::phalanx_contract::Wire<#lifetime>));
    }
    if generics.lifetimes().next().is_none() {
        bounded.params.insert(0, syn::parse_quote!(#lifetime));
    }
    bounded
}
