//! The encoding is borsh's, both ways, and refuses everything else.

#![expect(missing_docs, reason = "a method is public, and a test crate documents none")]

use borsh::{BorshDeserialize, BorshSerialize};
use phalanx_contract::test::call_encoded;
use phalanx_contract::wire::{Reader, UNBOUNDED};
use phalanx_contract::{Address, Bytes, Text, Wire, contract, test};

#[derive(Wire, BorshSerialize, BorshDeserialize, PartialEq, Debug, Clone)]
struct Numbers {
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: u128,
    f: i8,
    g: i16,
    h: i32,
    i: i64,
    j: i128,
    k: bool,
    l: [u8; 3],
    m: (u8, u64, bool),
}

#[derive(Wire, BorshSerialize, BorshDeserialize, PartialEq, Debug, Clone)]
enum Shape {
    Empty,
    Pair(u8, u32),
    Named { wide: u128, inner: Option<u16> },
}

#[derive(Wire, BorshSerialize, PartialEq, Debug)]
struct Borrowed<'a> {
    text: &'a str,
    bytes: &'a [u8],
    last: u8,
}

#[derive(Wire, BorshSerialize, BorshDeserialize, PartialEq, Debug)]
struct Pair<T> {
    left: T,
    right: Option<T>,
}

#[derive(Wire, BorshSerialize, BorshDeserialize, PartialEq, Debug)]
struct Nothing;

/// What a contract would return: the SDK's own path from a value to bytes.
fn encoded<'a, T: Wire<'a>>(value: &T) -> Vec<u8> {
    let mut buffer = [const { std::mem::MaybeUninit::uninit() }; 256];
    let mut writer = phalanx_contract::wire::Writer::new(&mut buffer);
    value.write(&mut writer);
    writer.finish().to_vec()
}

fn decoded<'a, T: Wire<'a>>(bytes: &'a [u8]) -> Option<T> {
    let mut reader = Reader::new(bytes);
    let value = T::read(&mut reader)?;
    reader.end().map(|()| value)
}

/// The same bytes as borsh, read back; every cut and every longer string refused, and what borsh refuses refused.
fn same<T>(value: T)
where
    T: for<'a> Wire<'a> + BorshSerialize + BorshDeserialize + PartialEq + std::fmt::Debug,
{
    let bytes = encoded(&value);
    assert_eq!(bytes, borsh::to_vec(&value).unwrap());
    assert!(T::MIN_LEN <= bytes.len() && bytes.len() <= T::MAX_LEN, "{value:?}: {} bytes", bytes.len());
    assert_eq!(decoded::<T>(&bytes), Some(value));
    for len in 0..bytes.len() {
        assert_eq!(decoded::<T>(&bytes[..len]), None, "{len} of {} bytes", bytes.len());
    }
    assert_eq!(decoded::<T>(&[&bytes[..], &[0]].concat()), None);
    for at in 0..bytes.len() {
        for flip in [1, 2, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            assert_eq!(decoded::<T>(&changed), T::try_from_slice(&changed).ok(), "byte {at} ^ {flip}");
        }
    }
}

#[test]
fn owned_values_are_borsh() {
    let numbers = Numbers {
        a: 1,
        b: 2,
        c: 3 << 20,
        d: 4 << 40,
        e: 5 << 100,
        f: -6,
        g: -7,
        h: -8,
        i: -9,
        j: -10,
        k: true,
        l: [11; 3],
        m: (12, 13, false),
    };
    same(numbers);
    same(Shape::Empty);
    same(Shape::Pair(1, 2));
    same(Shape::Named { wide: u128::MAX, inner: Some(3) });
    same(Shape::Named { wide: 0, inner: None });
    same(Pair { left: 1u64, right: Some(2) });
    same(Pair { left: Shape::Empty, right: None });
    same(Nothing);
    same((1u8, 2u16, 3u32, 4u64, 5u128, false));
    assert_eq!((Shape::MIN_LEN, Shape::MAX_LEN), (1, 1 + 16 + 1 + 2));
}

#[test]
#[cfg(feature = "alloc")]
fn lists_and_texts_are_borsh() {
    same(Vec::<u8>::new());
    same(vec![1u16, 2, 3]);
    same(String::new());
    same("drei Wörter hier".to_owned());
    same(vec![("one".to_owned(), vec![true]), (String::new(), vec![])]);
    same(vec![Some(Shape::Pair(1, 2)), None]);
    // What is announced and does not come is refused before anything is allocated.
    assert_eq!(decoded::<Vec<u64>>(&[0xff; 100]), None);
    let long: Vec<u8> = vec![7; (64 << 10) - 4];
    assert_eq!(decoded::<Vec<u8>>(&phalanx_contract::wire::encoded(&long)), Some(long));
}

#[test]
fn borrowed_values_are_borsh() {
    let value = Borrowed { text: "naïve", bytes: &[1, 2, 3], last: 4 };
    let bytes = encoded(&value);
    assert_eq!(bytes, borsh::to_vec(&value).unwrap());
    assert_eq!(decoded::<Borrowed<'_>>(&bytes), Some(value));
    assert_eq!((Borrowed::MIN_LEN, Borrowed::MAX_LEN), (9, UNBOUNDED));
    assert_eq!(decoded::<&str>(&borsh::to_vec(&vec![0xffu8]).unwrap()), None, "not UTF-8");
    assert_eq!(decoded::<&[u8]>(&[5, 0, 0, 0, 1]), None, "longer than what is there");
    assert_eq!(decoded::<&[u8]>(&[255; 8]), None, "longer than memory");
}

#[test]
fn bounded_strings_are_strings() {
    let text = Text::<5>::new("abc").unwrap();
    assert_eq!(encoded(&text), borsh::to_vec("abc").unwrap());
    assert_eq!(decoded::<Text<5>>(&borsh::to_vec("abcde").unwrap()).unwrap().as_str(), "abcde");
    assert_eq!(decoded::<Text<5>>(&borsh::to_vec("abcdef").unwrap()), None);
    assert_eq!(encoded(&Bytes::<2>::new(&[7]).unwrap()), borsh::to_vec(&vec![7u8]).unwrap());
    assert_eq!(Bytes::<2>::new(&[7; 3]), None);
}

pub struct Echo;

#[contract]
impl Echo {
    pub fn numbers(pair: (u32, Option<u64>)) -> (u32, Option<u64>) {
        pair
    }
    pub fn text(text: &str) -> &str {
        text
    }
    pub fn nothing() {}
    pub fn refuse(number: u16) -> Result<u8, u16> {
        Err(number)
    }
}

#[test]
fn exports_decode_call_and_encode() {
    let run = |method: &str, arguments: &[u8]| {
        let answer = call_encoded::<Echo>(Address::default(), method, arguments).unwrap();
        (answer.code, answer.bytes)
    };
    let pair = borsh::to_vec(&(1u32, Some(2u64))).unwrap();
    assert_eq!(run("numbers", &pair), (0, pair.clone()));
    assert_eq!(run("numbers", &[&pair[..], &[0]].concat()), (2, vec![]));
    assert_eq!(run("numbers", &pair[..5]), (2, vec![]));
    let short = borsh::to_vec(&(1u32, None::<u64>)).unwrap();
    assert_eq!(run("numbers", &short), (0, short.clone()));
    assert_eq!(
        run("numbers", &[&short[..], &[0]].concat()),
        (2, vec![]),
        "as long as it might be, and not decoded to its end"
    );
    let text = borsh::to_vec(&"x".repeat(4_000)).unwrap();
    assert_eq!(run("text", &text), (0, text.clone()));
    assert_eq!(run("nothing", &[]), (0, vec![]));
    assert_eq!(run("nothing", &[0]), (2, vec![]));
    assert_eq!(run("refuse", &[3, 0]), (1, vec![3, 0]));
    assert_eq!(run("refuse", &[3]), (2, vec![]));
    assert_eq!(test::events(), vec![]);
}
