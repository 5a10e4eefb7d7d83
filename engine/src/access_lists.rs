//! Keys of which an embedder says that a batch's calls will touch them.

use crate::batch::Address;
use crate::limits::KEY_BYTES_MAX;
use crate::registry::{Contract, Registry};
use phalanx_scheduler::{CallIndex, ContractIndex};
use std::collections::HashMap;

/// A key that a call will touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access<'a> {
    /// The contract whose key it is.
    pub contract: Address,
    /// The key, of 1 to [`KEY_BYTES_MAX`] bytes.
    pub key: &'a [u8],
    /// Whether the call may write it.
    pub writes: bool,
}

/// The keys that the calls of a batch will touch, for [`Engine::execute_declared`](crate::Engine::execute_declared): what a
/// transaction format with access lists carries, or [`Tried::reads`](crate::Tried::reads) and the write set of a call that was tried.
///
/// A list is a guess and never shows in a result. A call that touches other keys than its list has, writes one that is there for
/// reading, or does what cannot be done beside others (scans, values of more than 16 bytes, calls of other contracts), is executed
/// again in order, and so is what comes behind it in its round. A list that names too much makes calls wait for each other. One with
/// more than 32 keys, or with one of an ordered slot, counts as none at all: the call, and those up to the next run of 256, are executed
/// in order.
///
/// ```
/// use phalanx_engine::{Access, AccessLists};
///
/// let (token, from, to) = ([7; 32], [1; 33], [2; 33]);
/// let mut lists = AccessLists::default();
/// let writes = |key| Access { contract: token, key, writes: true };
/// lists.push(&[writes(&from), writes(&to)]);
/// // Of the second call nothing is said; what was learned of its method stands.
/// lists.push_unknown();
/// assert_eq!(lists.len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct AccessLists {
    calls: Vec<Option<List>>,
    keys: Vec<Key>,
    bytes: Vec<u8>,
    /// In the order of their numbers.
    contracts: Vec<Address>,
    contract_numbers: HashMap<Address, u32, foldhash::fast::RandomState>,
}

/// A call's part of the keys.
#[derive(Clone, Copy, Debug)]
struct List {
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    /// Its part of the bytes.
    start: usize,
    length: u16,
    writes: bool,
    /// Its place in [`AccessLists::contracts`].
    contract: u32,
}

impl AccessLists {
    /// Adds the list of the next call, the first call's first. What cannot be a contract's key is left out.
    pub fn push(&mut self, accesses: &[Access<'_>]) {
        let start = self.keys.len();
        for access in accesses.iter().filter(|access| (1..=KEY_BYTES_MAX).contains(&access.key.len())) {
            let key = Key {
                start: self.bytes.len(),
                length: access.key.len() as u16,
                writes: access.writes,
                contract: self.contract_number(access.contract),
            };
            self.bytes.extend_from_slice(access.key);
            self.keys.push(key);
        }
        self.calls.push(Some(List { start, end: self.keys.len() }));
    }

    /// Says nothing of the next call, as of those behind the last list.
    pub fn push_unknown(&mut self) {
        self.calls.push(None);
    }

    /// Calls that something was pushed for.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether nothing was pushed for any call.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn contract_number(&mut self, contract: Address) -> u32 {
        let next = self.contracts.len() as u32;
        let number = *self.contract_numbers.entry(contract).or_insert(next);
        if number == next {
            self.contracts.push(contract);
        }
        number
    }
}

/// Access lists with the contracts that a registry has.
pub(crate) struct Declared<'a> {
    lists: &'a AccessLists,
    /// By number in the lists. What is unknown has no keys.
    contracts: Vec<Option<&'a Contract>>,
}

impl<'a> Declared<'a> {
    pub(crate) fn new(lists: &'a AccessLists, registry: &'a Registry) -> Self {
        Self { lists, contracts: lists.contracts.iter().map(|contract| registry.contract(contract)).collect() }
    }

    /// Hands each key of a call's list to `visit`, with whether it may be written. `Some(false)`: they cannot be declared; `None`: there
    /// is no list.
    pub(crate) fn visit(&self, call: CallIndex, mut visit: impl FnMut(ContractIndex, &[u8], bool)) -> Option<bool> {
        let list = (*self.lists.calls.get(call.0 as usize)?)?;
        for key in &self.lists.keys[list.start..list.end] {
            let Some(contract) = self.contracts[key.contract as usize] else { continue };
            let bytes = &self.lists.bytes[key.start..][..usize::from(key.length)];
            if contract.ordered.contains(bytes[0]) {
                return Some(false);
            }
            visit(contract.index, bytes, key.writes);
        }
        Some(true)
    }
}
