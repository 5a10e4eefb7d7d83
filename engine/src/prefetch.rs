//! Where a method's keys come from, learned by watching it: a guess that is only ever used to ask the processor for
//! cache lines early, so a wrong one costs a little time and nothing else.

use crate::batch::CallRef;

/// Keys a method that are remembered.
const PATTERNS_MAX: usize = 4;
const ADDRESS_BYTES: usize = 32;

/// Where the 32 bytes behind a key's slot byte were found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Sender,
    Argument { offset: u16 },
}

/// A key of one or two addresses behind a slot byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pattern {
    slot: u8,
    first: Source,
    second: Option<Source>,
}

/// The keys that a method probably touches.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct KeyPatterns {
    patterns: [Option<Pattern>; PATTERNS_MAX],
}

impl KeyPatterns {
    /// Learns from the keys that a call wrote.
    pub(crate) fn learn<'k>(call: &CallRef<'_>, keys: impl Iterator<Item = &'k [u8]>) -> Self {
        let mut learned = Self::default();
        let mut places = learned.patterns.iter_mut();
        for key in keys {
            if let Some(pattern) = Pattern::of(call, key) {
                match places.next() {
                    Some(place) => *place = Some(pattern),
                    None => break,
                }
            }
        }
        learned
    }

    /// Builds the keys that the call would touch, and hands each to `visit`.
    #[inline]
    pub(crate) fn predict(&self, call: &CallRef<'_>, mut visit: impl FnMut(&[u8])) {
        // They are learned front to back.
        for pattern in self.patterns.iter().map_while(Option::as_ref) {
            let Some(first) = pattern.first.bytes(call) else { continue };
            match pattern.second {
                None => {
                    let mut key = [pattern.slot; 1 + ADDRESS_BYTES];
                    key[1..].copy_from_slice(first);
                    visit(&key);
                }
                Some(second) => {
                    let Some(second) = second.bytes(call) else { continue };
                    let mut key = [pattern.slot; 1 + 2 * ADDRESS_BYTES];
                    key[1..1 + ADDRESS_BYTES].copy_from_slice(first);
                    key[1 + ADDRESS_BYTES..].copy_from_slice(second);
                    visit(&key);
                }
            }
        }
    }
}

impl Pattern {
    fn of(call: &CallRef<'_>, key: &[u8]) -> Option<Pattern> {
        let (&slot, rest) = key.split_first()?;
        let (first, rest) = rest.split_first_chunk::<ADDRESS_BYTES>()?;
        let second = match rest.split_first_chunk::<ADDRESS_BYTES>() {
            None if rest.is_empty() => None,
            Some((second, [])) => Some(Source::of(call, second)?),
            _ => return None,
        };
        Some(Pattern { slot, first: Source::of(call, first)?, second })
    }
}

impl Source {
    fn of(call: &CallRef<'_>, address: &[u8; ADDRESS_BYTES]) -> Option<Source> {
        if call.sender() == address {
            return Some(Source::Sender);
        }
        // Addresses lie near the front of arguments; a long argument is not worth the search.
        let arguments = &call.arguments()[..call.arguments().len().min(256)];
        let offset = arguments.windows(ADDRESS_BYTES).position(|window| window == address)?;
        Some(Source::Argument { offset: offset as u16 })
    }

    #[inline]
    fn bytes<'a>(self, call: &CallRef<'a>) -> Option<&'a [u8; ADDRESS_BYTES]> {
        match self {
            Source::Sender => Some(call.sender()),
            Source::Argument { offset } => call.arguments().get(usize::from(offset)..)?.first_chunk(),
        }
    }
}
