//! Events.

use crate::host;
use crate::wire::{Wire, with_encoded};

/// A value that can be emitted. `#[derive(Wire)]` implements it with the type's name as topic.
pub trait Event {
    /// At most 64 bytes.
    const TOPIC: &'static str;
}

/// Appends an event to the call's receipt; a call that does not succeed emits nothing. At most 64 events a call, each of at
/// most 4 KiB: more is outcome `LimitExceeded`.
#[inline(always)]
pub fn emit<'a, T: Wire<'a> + Event>(event: &T) {
    const { assert!(T::TOPIC.len() <= 64, "an event's topic has at most 64 bytes") };
    with_encoded(event, |data| host::emit(T::TOPIC.as_bytes(), data));
}
