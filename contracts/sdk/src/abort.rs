//! Ending a call without a result.

use crate::host;
use crate::state::Refused;

/// Ends the call with outcome `Aborted`: nothing of it stays but its gas. The text goes to the client beside the receipt, cut at
/// 1 KiB. For mistakes of the contract itself; what a caller may handle is a typed error.
///
/// A panic does the same with its message, or with its place where the message would need formatting.
#[cold]
#[inline(never)]
pub fn abort(text: &str) -> ! {
    host::abort(text.as_bytes())
}

/// For answers that the contract's own rules determine: a refusal there is a mistake of the contract, which ends the call.
///
/// ```
/// # use phalanx_contract::*;
/// # use phalanx_contract::test::Failure;
/// const COUNT: Item<u128> = Item::at(0);
/// let alice = Address([1; 32]);
/// test::call(alice, || COUNT.add(u128::MAX).or_abort("more than numbers"));
/// let ended = test::try_call(alice, || COUNT.add(1).or_abort("more than numbers"));
/// assert_eq!(ended, Err(Failure::Aborted("more than numbers".into())));
/// ```
pub trait OrAbort {
    /// What there is if nothing was refused.
    type Value;

    /// The value; [`abort`]s with the text where there is none.
    fn or_abort(self, text: &str) -> Self::Value;
}

impl<T> OrAbort for Result<T, Refused> {
    type Value = T;

    #[inline(always)]
    fn or_abort(self, text: &str) -> T {
        match self {
            Ok(value) => value,
            Err(Refused) => abort(text),
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod handler {
    use core::panic::PanicInfo;

    /// `file:line` of a panic, cut at the buffer's end.
    struct Place {
        bytes: [u8; 96],
        len: usize,
    }

    impl Place {
        fn push(&mut self, byte: u8) {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }

        /// Decimal digits, without `core::fmt`: its formatting code would double a small module.
        fn push_number(&mut self, number: u32) {
            let mut divisor = 1;
            while number / divisor >= 10 {
                divisor *= 10;
            }
            while divisor > 0 {
                self.push(b'0' + (number / divisor % 10) as u8);
                divisor /= 10;
            }
        }
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        if let Some(text) = info.message().as_str() {
            super::abort(text)
        }
        let mut place = Place { bytes: [0; 96], len: 0 };
        if let Some(location) = info.location() {
            location.file().bytes().for_each(|byte| place.push(byte));
            place.push(b':');
            place.push_number(location.line());
        }
        crate::host::abort(place.bytes.get(..place.len).unwrap_or_default())
    }
}
