//! Arithmetic of `add` and `sub`: exact, bounded, and a function of the value alone.

/// Sign of a delta.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    /// `add`
    Plus,
    /// `sub`
    Minus,
}

/// A bounded delta: what a call asks of a key, and what validation asks again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delta {
    /// Whether the magnitude is added or subtracted.
    pub sign: Sign,
    /// How much.
    pub magnitude: u128,
    /// Least result that is applied.
    pub low: u128,
    /// Greatest result that is applied.
    pub high: u128,
}

impl Delta {
    /// The exact result, or `None` where it lies outside [low, high] or outside u128.
    #[inline]
    pub fn applied_to(&self, value: u128) -> Option<u128> {
        let result = match self.sign {
            Sign::Plus => value.checked_add(self.magnitude)?,
            Sign::Minus => value.checked_sub(self.magnitude)?,
        };
        (self.low <= result && result <= self.high).then_some(result)
    }
}

/// Answer to an `add` or `sub`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The value changed (perhaps by 0), which is a write.
    Applied,
    /// The result would have left the bounds; nothing changed.
    Refused,
    /// The value is not 16 bytes long: the call traps.
    WrongLength,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(sign: Sign, magnitude: u128, low: u128, high: u128) -> Delta {
        Delta { sign, magnitude, low, high }
    }

    #[test]
    fn bounds_are_inclusive_and_sums_exact() {
        assert_eq!(delta(Sign::Plus, 5, 0, 10).applied_to(5), Some(10));
        assert_eq!(delta(Sign::Plus, 6, 0, 10).applied_to(5), None);
        assert_eq!(delta(Sign::Minus, 5, 0, u128::MAX).applied_to(5), Some(0));
        assert_eq!(delta(Sign::Minus, 6, 0, u128::MAX).applied_to(5), None);
        assert_eq!(delta(Sign::Minus, 1, 5, 9).applied_to(5), None);
        assert_eq!(delta(Sign::Plus, u128::MAX, 0, u128::MAX).applied_to(1), None);
        assert_eq!(delta(Sign::Plus, 0, 6, 9).applied_to(5), None, "a delta of 0 is bounded too");
        assert_eq!(delta(Sign::Plus, 0, 9, 6).applied_to(7), None, "crossed bounds refuse everything");
    }
}
