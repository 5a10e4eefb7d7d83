//! Which keys a method touches, learned by watching its first calls.
//!
//! A guess, that never shows in a result. By it the processor is asked for cache lines early, where a wrong one costs a little time;
//! and where all keys are known, calls declare them, so that calls of the same keys execute one after another and others beside
//! them. A call that touches another key than it declared is executed again in order.

use crate::batch::CallRef;
use parking_lot::Mutex;
use phalanx_scheduler::{ContractIndex, TouchedKey};
use std::sync::OnceLock;

/// Keys of a method that are learned.
const KEYS_MAX: usize = 8;
/// Calls of a method that are watched.
const CALLS_WATCHED: u32 = 8;
/// Calls that touch other kinds of keys than the one before them, as a transfer to oneself does, after which nothing is declared.
const ODD_CALLS_MAX: u32 = 2;
/// Sources lie near the front of arguments; a long argument is not worth the search.
const ARGUMENT_BYTES_SEARCHED: usize = 256;
const ADDRESS_BYTES: usize = 32;

/// Where bytes of a key come from. In the order in which they are preferred, if more than one fits.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Source {
    /// The sender's address.
    Sender,
    /// The same in all calls.
    Constant(Box<[u8]>),
    /// As many bytes of the arguments.
    Argument { offset: usize },
}

/// All that bytes of a key may come from, by the calls that were watched.
#[derive(Debug)]
struct Part {
    length: usize,
    sources: Vec<Source>,
}

/// Keys that are made in one way: a slot byte and one part, or two addresses.
#[derive(Debug)]
struct Pattern {
    slot: u8,
    parts: Vec<Part>,
    writes: bool,
}

/// What is known of a method so far.
#[derive(Default, Debug)]
struct Watched {
    patterns: Vec<Pattern>,
    calls: u32,
    odd_calls: u32,
    /// Whether a call depended on more than unordered keys of its contract.
    touches_more: bool,
}

/// A key of which it is known how it is made.
#[derive(Debug)]
struct Known {
    slot: u8,
    parts: Vec<(usize, Source)>,
    writes: bool,
}

/// The keys that a method probably touches.
#[derive(Debug)]
pub(crate) struct KeyPatterns {
    keys: Vec<Known>,
    /// Whether these are all.
    are_all: bool,
}

/// A method's keys, when they have been learned.
#[derive(Default)]
pub(crate) struct LearnedKeys {
    watched: Mutex<Watched>,
    patterns: OnceLock<KeyPatterns>,
}

impl LearnedKeys {
    #[inline]
    pub(crate) fn get(&self) -> Option<&KeyPatterns> {
        self.patterns.get()
    }

    /// Learns from a call that succeeded. `keys`: what it touched; `None` if that is not all that it depended on.
    #[cold]
    pub(crate) fn watch<'k>(
        &self,
        call: &CallRef<'_>,
        contract: ContractIndex,
        keys: Option<impl Iterator<Item = TouchedKey<'k>>>,
    ) {
        let mut watched = self.watched.lock();
        match keys {
            None => watched.touches_more = true,
            Some(keys) => watched.call(call, contract, keys),
        }
        watched.calls += 1;
        if watched.calls >= CALLS_WATCHED {
            self.patterns.get_or_init(|| watched.learned());
        }
    }
}

impl Watched {
    fn call<'k>(&mut self, call: &CallRef<'_>, contract: ContractIndex, keys: impl Iterator<Item = TouchedKey<'k>>) {
        let (own, others): (Vec<_>, Vec<_>) = keys.partition(|key| key.contract == contract && !key.ordered);
        self.touches_more |= !others.is_empty() || own.len() > KEYS_MAX;
        let own = own.iter().take(KEYS_MAX);
        let patterns: Vec<Pattern> = own.map(|touched| Pattern::of(call, touched.key, touched.writes)).collect();
        if self.patterns.is_empty() {
            self.patterns = patterns;
        } else if self.patterns.len() == patterns.len()
            && self.patterns.iter().zip(&patterns).all(|(a, b)| a.is_like(b))
        {
            self.patterns.iter_mut().zip(&patterns).for_each(|(all, one)| all.narrow(one));
        } else {
            self.odd_calls += 1;
        }
    }

    fn learned(&self) -> KeyPatterns {
        let keys: Vec<Known> = self.patterns.iter().filter_map(Pattern::known).collect();
        let are_all = keys.len() == self.patterns.len() && !self.touches_more && self.odd_calls <= ODD_CALLS_MAX;
        KeyPatterns { keys, are_all }
    }
}

impl Pattern {
    fn of(call: &CallRef<'_>, key: &[u8], writes: bool) -> Self {
        let (slot, rest) = key.split_first().map_or((0, key), |(slot, rest)| (*slot, rest));
        let parts = match rest.split_at_checked(ADDRESS_BYTES) {
            Some((first, second)) if second.len() == ADDRESS_BYTES => vec![first, second],
            _ => vec![rest],
        };
        Self { slot, parts: parts.iter().map(|bytes| Part::of(call, bytes)).collect(), writes }
    }

    fn is_like(&self, other: &Pattern) -> bool {
        let lengths = |pattern: &Pattern| pattern.parts.iter().map(|part| part.length).collect::<Vec<_>>();
        self.slot == other.slot && lengths(self) == lengths(other)
    }

    fn narrow(&mut self, other: &Pattern) {
        self.writes |= other.writes;
        for (part, other) in self.parts.iter_mut().zip(&other.parts) {
            part.sources.retain(|source| other.sources.contains(source));
        }
    }

    fn known(&self) -> Option<Known> {
        let part = |part: &Part| Some((part.length, part.sources.first()?.clone()));
        Some(Known { slot: self.slot, parts: self.parts.iter().map(part).collect::<Option<_>>()?, writes: self.writes })
    }
}

impl Part {
    fn of(call: &CallRef<'_>, bytes: &[u8]) -> Self {
        let mut sources = Vec::new();
        if call.sender() == bytes {
            sources.push(Source::Sender);
        }
        sources.push(Source::Constant(bytes.into()));
        if !bytes.is_empty() {
            let arguments = &call.arguments()[..call.arguments().len().min(ARGUMENT_BYTES_SEARCHED)];
            let windows = arguments.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes);
            sources.extend(windows.map(|(offset, _)| Source::Argument { offset }));
        }
        Self { length: bytes.len(), sources }
    }
}

impl Source {
    #[inline]
    fn bytes<'a>(&'a self, call: &CallRef<'a>, length: usize) -> Option<&'a [u8]> {
        match self {
            Source::Sender => Some(call.sender()),
            Source::Constant(bytes) => Some(bytes),
            Source::Argument { offset } => call.arguments().get(*offset..offset + length),
        }
    }
}

impl KeyPatterns {
    /// Builds the keys that the call will probably touch, and hands each to `visit`, with whether it may be written.
    #[inline]
    pub(crate) fn predict(&self, call: &CallRef<'_>, mut visit: impl FnMut(&[u8], bool)) {
        for known in &self.keys {
            let mut key = [known.slot; 1 + 2 * ADDRESS_BYTES];
            match &known.parts[..] {
                [(ADDRESS_BYTES, source)] => {
                    // Of known length, as nearly all are: a copy is two instructions where it would be a call.
                    let Some(address) = source.bytes(call, ADDRESS_BYTES).and_then(<[u8]>::first_chunk) else {
                        continue;
                    };
                    *key[1..].first_chunk_mut::<ADDRESS_BYTES>().expect("it is longer") = *address;
                    visit(&key[..1 + ADDRESS_BYTES], known.writes);
                }
                [(length, source)] if *length < key.len() => {
                    let Some(bytes) = source.bytes(call, *length) else { continue };
                    key[1..=*length].copy_from_slice(bytes);
                    visit(&key[..=*length], known.writes);
                }
                [(_, first), (_, second)] => {
                    let address = |source: &Source| -> Option<[u8; ADDRESS_BYTES]> {
                        source.bytes(call, ADDRESS_BYTES)?.try_into().ok()
                    };
                    let (Some(first), Some(second)) = (address(first), address(second)) else { continue };
                    key[1..=ADDRESS_BYTES].copy_from_slice(&first);
                    key[1 + ADDRESS_BYTES..].copy_from_slice(&second);
                    visit(&key, known.writes);
                }
                _ => {}
            }
        }
    }

    /// The same, if the keys are all that the call touches. `false`: it may touch others.
    #[inline]
    pub(crate) fn declare(&self, call: &CallRef<'_>, visit: impl FnMut(&[u8], bool)) -> bool {
        if self.are_all {
            self.predict(call, visit);
        }
        self.are_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, BatchBuilder, Call};

    const CONTRACT: ContractIndex = ContractIndex(3);

    /// Keys that a call touched, with whether it wrote them.
    type Keys = Vec<(Vec<u8>, bool)>;

    /// A sender, an address, and a number of two bytes: what the calls here consist of.
    fn batch(calls: &[([u8; 32], [u8; 32], u16)]) -> Batch {
        let mut batch = BatchBuilder::new(1, 0);
        for (sender, to, number) in calls {
            let arguments = [&to[..], &number.to_le_bytes()].concat();
            let call =
                Call { contract: [9; 32], method: "m", sender: *sender, arguments: &arguments, gas_limit: 1_000 };
            batch.push(&call).expect("within the limits");
        }
        Batch::decode(batch.finish()).expect("it was made here")
    }

    fn numbered(calls: u8) -> Batch {
        let call = |n: u8| ([n + 1; 32], [n + 101; 32], 0x4000 + u16::from(n));
        batch(&(0..calls).map(call).collect::<Vec<_>>())
    }

    fn watch(learned: &LearnedKeys, call: &CallRef<'_>, keys: &Keys, contract: ContractIndex) {
        let touched = keys.iter().map(|(key, writes)| TouchedKey { contract, key, ordered: false, writes: *writes });
        learned.watch(call, CONTRACT, Some(touched));
    }

    /// What is declared for the last call of a batch, after the others were watched.
    fn declared(batch: &Batch, keys: impl Fn(&CallRef<'_>) -> Keys) -> (bool, Keys) {
        let learned = LearnedKeys::default();
        let last = batch.len() - 1;
        for number in 0..last {
            assert_eq!(learned.get().is_some(), number >= CALLS_WATCHED as usize);
            watch(&learned, &batch.call(number), &keys(&batch.call(number)), CONTRACT);
        }
        let mut found = Keys::new();
        let patterns = learned.get().expect("enough calls were watched");
        let all = patterns.declare(&batch.call(last), |key, writes| found.push((key.to_vec(), writes)));
        (all, found)
    }

    fn with_slot(slot: u8, rest: &[&[u8]]) -> Vec<u8> {
        [&[slot][..], &rest.concat()].concat()
    }

    #[test]
    fn keys_of_senders_arguments_and_constants_are_learned() {
        let keys = |call: &CallRef<'_>| {
            let (sender, arguments) = (call.sender(), call.arguments());
            vec![
                (with_slot(1, &[sender]), true),
                (with_slot(1, &[&arguments[..32]]), true),
                (with_slot(2, &[sender, &arguments[..32]]), false),
                (with_slot(3, &[&arguments[32..34]]), true),
                (with_slot(4, &[]), false),
                (with_slot(5, &[b"limit"]), false),
            ]
        };
        let batch = numbered(9);
        assert_eq!(declared(&batch, keys), (true, keys(&batch.call(8))));
    }

    #[test]
    fn a_key_is_declared_as_written_if_one_call_wrote_it() {
        let batch = numbered(9);
        let keys = |call: &CallRef<'_>| vec![(with_slot(1, &[]), call.sender()[0] == 3)];
        assert_eq!(declared(&batch, keys), (true, vec![(with_slot(1, &[]), true)]));
    }

    #[test]
    fn what_follows_from_none_of_them_is_not_declared() {
        let batch = numbered(9);
        let hashed = |call: &CallRef<'_>| vec![(with_slot(1, &[blake3::hash(call.sender()).as_bytes()]), true)];
        assert_eq!(declared(&batch, hashed), (false, Keys::new()));
    }

    #[test]
    fn calls_of_another_shape_are_passed_over_and_other_contracts_end_it() {
        let batch = numbered(9);
        let keys = |call: &CallRef<'_>| match call.sender()[0] {
            4 => vec![(with_slot(1, &[call.sender()]), true)],
            _ => vec![(with_slot(1, &[call.sender()]), true), (with_slot(2, &[]), true)],
        };
        assert_eq!(declared(&batch, keys), (true, keys(&batch.call(8))));
        for elsewhere in [None, Some(ContractIndex(4))] {
            let learned = LearnedKeys::default();
            (0..7).for_each(|number| watch(&learned, &batch.call(number), &keys(&batch.call(number)), CONTRACT));
            match elsewhere {
                None => learned.watch(&batch.call(7), CONTRACT, None::<core::iter::Empty<TouchedKey<'_>>>),
                Some(other) => watch(&learned, &batch.call(7), &keys(&batch.call(7)), other),
            }
            assert!(!learned.get().expect("eight calls").declare(&batch.call(8), |_, _| ()), "{elsewhere:?}");
        }
    }
}
