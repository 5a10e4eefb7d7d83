//! Misuse is refused with a reason, and the ABI says what the source says.

use syn::parse_quote;

use crate::{abi, contract, slot, wire};

fn contract_of(block: &syn::ItemImpl) -> String {
    contract::expand(&proc_macro2::TokenStream::new(), block).to_string()
}

#[test]
fn misuse_of_contract_is_refused_with_its_reason() {
    let cases: [(syn::ItemImpl, &str); 12] = [
        (parse_quote!(impl C { pub fn f(&self) {} }), "contract functions take no `self`"),
        (parse_quote!(impl C { pub fn f((a, b): (u8, u8)) {} }), "an argument is a plain name"),
        (parse_quote!(impl C { pub async fn f() {} }), "a method is not async"),
        (parse_quote!(impl C { pub unsafe fn f() {} }), "a method is not unsafe"),
        (parse_quote!(impl C { pub extern "C" fn f() {} }), "a method is plain Rust"),
        (parse_quote!(impl C { pub fn f<T>(t: T) {} }), "a method has no type parameters"),
        (parse_quote!(impl C { pub fn memory() {} }), "the export of the module's memory"),
        (parse_quote!(impl C { pub fn r#type() {} }), "a method's name is not a keyword"),
        (parse_quote!(impl C { pub fn at() {} }), "belong to the handle"),
        (
            parse_quote!(
                impl (C,) {}
            ),
            "a contract is a named type",
        ),
        (parse_quote!(impl T for C { }), "functions of a plain `impl` block"),
        (
            parse_quote!(
                impl<T> C<T> {}
            ),
            "a contract has no generic parameters",
        ),
    ];
    for (block, reason) in cases {
        let expanded = contract_of(&block);
        assert!(expanded.contains("compile_error"), "{reason}");
        assert!(expanded.contains(reason), "{reason}: {expanded}");
    }
}

#[test]
fn every_misused_function_is_named_at_once() {
    let block = parse_quote!(impl C { pub fn f(&self) {} pub async fn g() {} });
    assert_eq!(contract_of(&block).matches("compile_error").count(), 2);
}

#[test]
fn the_block_stays_as_written_and_private_functions_stay_private() {
    let block: syn::ItemImpl = parse_quote!(impl C { fn hidden(&self) {} pub fn shown(a: u8) -> u8 { a } });
    let expanded = contract_of(&block);
    assert!(expanded.starts_with(&quote::quote!(#block).to_string()));
    assert!(expanded.contains("export_name = \"shown\"") && !expanded.contains("export_name = \"hidden\""));
}

#[test]
fn misuse_of_slot_is_refused_with_its_reason() {
    let cases: [syn::ItemConst; 3] = [
        parse_quote!(
            const A: Item<u8> = Item::at(N);
        ),
        parse_quote!(
            const A: Item<u8> = OTHER;
        ),
        parse_quote!(
            const A: Item<u8> = Item::at(256);
        ),
    ];
    for constant in cases {
        let expanded = slot::expand(&proc_macro2::TokenStream::new(), &constant).to_string();
        assert!(expanded.contains("compile_error"), "{expanded}");
    }
}

#[test]
fn an_ordered_slot_is_declared() {
    let expand = |constant| slot::expand(&proc_macro2::TokenStream::new(), &constant).to_string();
    let ordered = expand(parse_quote!(
        const A: OrderedMap<u8, u8> = OrderedMap::at(7);
    ));
    assert!(ordered.contains("phalanx.ordered") && ordered.contains(r#"b"\0\x07""#), "{ordered}");
    assert!(
        !expand(parse_quote!(
            const A: Map<u8, u8> = Map::at(7);
        ))
        .contains("phalanx.ordered")
    );
}

#[test]
fn what_has_no_encoding_is_refused_with_its_reason() {
    let cases: [(syn::DeriveInput, &str); 4] = [
        (parse_quote!(union U { a: u8 }), "a union has no encoding"),
        (
            parse_quote!(
                enum E {
                    A = 3,
                }
            ),
            "a variant is encoded by its place",
        ),
        (
            parse_quote!(
                enum E {}
            ),
            "1 to 256 variants",
        ),
        (
            parse_quote!(
                struct S<'a, 'b> {
                    a: &'a str,
                    b: &'b str,
                }
            ),
            "one lifetime",
        ),
    ];
    for (input, reason) in cases {
        let error = wire::expand(&input).expect_err(reason).to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn types_are_named_without_paths_references_and_spaces() {
    let cases: [(syn::Type, &str); 6] = [
        (parse_quote!(&'a str), "str"),
        (parse_quote!(core::option::Option<phalanx_contract::Address>), "Option<Address>"),
        (parse_quote!(Result<(), Error>), "Result<(),Error>"),
        (parse_quote!(Map<(Address, [u8; 4]), &[u8]>), "Map<(Address,[u8;4]),[u8]>"),
        (parse_quote!(Text<32>), "Text<32>"),
        (parse_quote!(Note<'a>), "Note"),
    ];
    for (ty, name) in cases {
        assert_eq!(abi::type_name(&ty).unwrap(), name);
    }
    for refused in [parse_quote!(fn()), parse_quote!(impl Copy), parse_quote!(&mut u8)] {
        assert!(abi::type_name(&refused).is_err(), "{}", quote::quote!(#refused));
    }
}

#[test]
fn docs_become_json_strings() {
    let function: syn::ItemFn = parse_quote! {
        /// Says "no\yes",
        ///  twice.
        fn f() {}
    };
    assert_eq!(abi::doc(&function.attrs), r#""Says \"no\\yes\", twice.""#);
    assert_eq!(abi::quoted("a\tb"), "\"a\\u0009b\"");
}
