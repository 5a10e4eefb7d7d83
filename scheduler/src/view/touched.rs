//! Lists of the keys that a call touches, for whoever wants to learn them.

use super::View;
use crate::key::ContractIndex;

/// A key that a call touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TouchedKey<'a> {
    /// The contract whose key it is.
    pub contract: ContractIndex,
    /// The key's bytes.
    pub key: &'a [u8],
    /// Whether the key's slot is ordered.
    pub ordered: bool,
    /// Whether the call wrote it, or would have if its deltas had not been refused.
    pub writes: bool,
}

struct Key {
    contract: ContractIndex,
    end: usize,
    ordered: bool,
    writes: bool,
}

#[derive(Default)]
pub(crate) struct Touched {
    keys: Vec<Key>,
    bytes: Vec<u8>,
    /// Whether the list says all: the call did not scan, nor take anything back.
    pub(crate) whole: bool,
}

impl Touched {
    #[cold]
    pub(crate) fn note(&mut self, contract: ContractIndex, key: &[u8], ordered: bool, writes: bool) {
        let known = self.iter().position(|touched| touched.contract == contract && touched.key == key);
        if let Some(at) = known {
            self.keys[at].writes |= writes;
            return;
        }
        self.bytes.extend_from_slice(key);
        self.keys.push(Key { contract, end: self.bytes.len(), ordered, writes });
    }

    fn iter(&self) -> impl Iterator<Item = TouchedKey<'_>> {
        let mut start = 0;
        self.keys.iter().map(move |&Key { contract, end, ordered, writes }| {
            let key = &self.bytes[core::mem::replace(&mut start, end)..end];
            TouchedKey { contract, key, ordered, writes }
        })
    }
}

impl View {
    /// Begins or ends a list of the keys that the running call touches. One that begins is empty.
    #[inline]
    pub fn list_touched(&mut self, listing: bool) {
        self.listing = listing;
        if listing {
            self.touched.keys.clear();
            self.touched.bytes.clear();
            self.touched.whole = true;
        }
    }

    /// The keys that were listed, in the order in which they were touched first; `None` if there is more to say of what the call
    /// depends on, as when it scans.
    pub fn touched(&self) -> Option<impl Iterator<Item = TouchedKey<'_>>> {
        self.touched.whole.then(|| self.touched.iter())
    }
}
