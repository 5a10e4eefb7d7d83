//! [`Wire`] of the language's own types.

use super::{Reader, UNBOUNDED, Wire, Writer, total_len};
use crate::Address;

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl<'a> Wire<'a> for $integer {
            const MIN_LEN: usize = size_of::<Self>();
            const MAX_LEN: usize = size_of::<Self>();

            #[inline(always)]
            fn read(reader: &mut Reader<'a>) -> Option<Self> {
                reader.array().map(|bytes| Self::from_le_bytes(*bytes))
            }

            #[inline(always)]
            fn write(&self, writer: &mut Writer<'_>) {
                writer.bytes(&self.to_le_bytes());
            }
        }
    )* };
}

integers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

impl<'a> Wire<'a> for bool {
    const MIN_LEN: usize = 1;
    const MAX_LEN: usize = 1;

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        match u8::read(reader)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        u8::from(*self).write(writer);
    }
}

impl<'a, const N: usize> Wire<'a> for [u8; N] {
    const MIN_LEN: usize = N;
    const MAX_LEN: usize = N;

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        reader.array().copied()
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self);
    }
}

impl<'a, const N: usize> Wire<'a> for &'a [u8; N] {
    const MIN_LEN: usize = N;
    const MAX_LEN: usize = N;

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        reader.array()
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(*self);
    }
}

impl<'a> Wire<'a> for &'a Address {
    const MIN_LEN: usize = 32;
    const MAX_LEN: usize = 32;

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        reader.array().map(Address::from_bytes)
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        (*self).write(writer);
    }
}

impl<'a> Wire<'a> for &'a [u8] {
    const MIN_LEN: usize = 4;
    const MAX_LEN: usize = UNBOUNDED;

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let len = u32::read(reader)?;
        reader.take(usize::try_from(len).ok()?)
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        let Ok(len) = u32::try_from(self.len()) else { crate::abort("a byte string is longer than 4 GiB") };
        len.write(writer);
        writer.bytes(self);
    }
}

impl<'a> Wire<'a> for &'a str {
    const MIN_LEN: usize = 4;
    const MAX_LEN: usize = UNBOUNDED;

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        core::str::from_utf8(<&[u8]>::read(reader)?).ok()
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        self.as_bytes().write(writer);
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    const MIN_LEN: usize = 1;
    const MAX_LEN: usize = total_len(&[1, T::MAX_LEN]);

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        if bool::read(reader)? { T::read(reader).map(Some) } else { Some(None) }
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        self.is_some().write(writer);
        if let Some(value) = self {
            value.write(writer);
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*))*) => { $(
        impl<'a, $($name: Wire<'a>),*> Wire<'a> for ($($name,)*) {
            const MIN_LEN: usize = total_len(&[$($name::MIN_LEN),*]);
            const MAX_LEN: usize = total_len(&[$($name::MAX_LEN),*]);

            #[inline(always)]
            fn read(_reader: &mut Reader<'a>) -> Option<Self> {
                Some(($($name::read(_reader)?,)*))
            }

            #[inline(always)]
            fn write(&self, _writer: &mut Writer<'_>) {
                $(self.$index.write(_writer);)*
            }
        }
    )* };
}

tuples! {
    ()
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}
