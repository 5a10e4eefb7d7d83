//! [`Wire`] of types that allocate.

use super::{Reader, UNBOUNDED, Wire, Writer};
use alloc::string::String;
use alloc::vec::Vec;

impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    const MIN_LEN: usize = 4;
    const MAX_LEN: usize = UNBOUNDED;

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        // A few bytes could stand for billions of elements.
        const { assert!(T::MIN_LEN > 0, "the elements of a list have at least one byte each") };
        let len = usize::try_from(u32::read(reader)?).ok()?;
        // What is announced and cannot come allocates nothing, and large elements of few bytes allocate as they come.
        if len > reader.remaining() / T::MIN_LEN {
            return None;
        }
        let mut elements = Vec::with_capacity(len.min(reader.remaining() / size_of::<T>().max(1)));
        for _ in 0..len {
            elements.push(T::read(reader)?);
        }
        Some(elements)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let Ok(len) = u32::try_from(self.len()) else { crate::abort("a list has more than 2^32 - 1 elements") };
        len.write(writer);
        self.iter().for_each(|element| element.write(writer));
    }
}

impl<'a> Wire<'a> for String {
    const MIN_LEN: usize = 4;
    const MAX_LEN: usize = UNBOUNDED;

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        <&str>::read(reader).map(String::from)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.as_str().write(writer);
    }
}
