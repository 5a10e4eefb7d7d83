//! What a swap is worth.

/// There is at most this much of an asset, so products of two amounts and the fee's thousand fit a u128.
pub const RESERVE_MAX: u128 = 1 << 58;

/// Of a thousand that is paid, so many count; the rest is the fee.
const COUNTED: u128 = 997;
const WHOLE: u128 = 1_000;

/// What a pool gives for `paid`, rounded down, so that the product of its reserves never falls:
///
/// `out · c / (in + c)` with `c = paid · 997 / 1000`.
///
/// All three numbers are at most [`RESERVE_MAX`], and the reserves at least 1.
#[inline]
pub fn price(reserve_in: u128, reserve_out: u128, paid: u128) -> u128 {
    let counted = paid * COUNTED;
    reserve_out * counted / (reserve_in * WHOLE + counted)
}
