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

/// Declares events, a line each: structs whose fields are all public, with `Wire`, `Debug` and `PartialEq`. One that needs more is a struct
/// that is written out.
///
/// ```
/// use phalanx_contract::*;
///
/// events! {
///     /// A player was given points.
///     Given { player: Address, points: u128 },
///     /// A game has another name.
///     Renamed<'a> { name: &'a str },
/// }
///
/// let player = Address([1; 32]);
/// test::call(player, || emit(&Given { player, points: 5 }));
/// assert_eq!(test::events()[0].decode(), Some(Given { player, points: 5 }));
/// ```
#[macro_export]
macro_rules! events {
    ($(
        $(#[$($attribute:tt)*])*
        $name:ident $(<$life:lifetime>)? { $($field:ident: $type:ty),* $(,)? }
    ),* $(,)?) => { $(
        $(#[$($attribute)*])*
        #[derive($crate::Wire, Debug, PartialEq)]
        pub struct $name $(<$life>)? { $(
            #[doc = concat!("The event's `", stringify!($field), "`.")]
            pub $field: $type,
        )* }
    )* };
}
