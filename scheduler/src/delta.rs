//! Arithmetic of `add`, `sub` and `max`: exact, bounded, and a function of the value alone.

/// What a delta does to a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// Adds its magnitude.
    Add,
    /// Subtracts it.
    Sub,
    /// Raises the value to it, if it is less.
    Max,
}

/// A bounded delta: what a call asks of a key, and what validation asks again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delta {
    /// What is done with the magnitude.
    pub operator: Operator,
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
        let result = match self.operator {
            Operator::Add => value.checked_add(self.magnitude)?,
            Operator::Sub => value.checked_sub(self.magnitude)?,
            Operator::Max => value.max(self.magnitude),
        };
        (self.low <= result && result <= self.high).then_some(result)
    }

    /// The k of a delta that is refused just where the value before a `Sub`, or the result of another, is 2^k or more, and where
    /// the result would be negative: 128 for the widest bounds. `None` for other bounds.
    #[inline]
    pub(crate) fn exponent(&self) -> Option<u32> {
        if self.low != 0 {
            return None;
        }
        if self.high == u128::MAX {
            return Some(u128::BITS);
        }
        let most = match self.operator {
            Operator::Sub => self.high.checked_add(self.magnitude)?,
            Operator::Add | Operator::Max => self.high,
        };
        (most != u128::MAX && most & (most + 1) == 0).then_some(u128::BITS - most.leading_zeros())
    }

    /// [`Delta::applied_to`] of the delta with this exponent, whose bounds need not be known for it.
    #[inline]
    pub(crate) fn apply(operator: Operator, magnitude: u128, exponent: u32, value: u128) -> Option<u128> {
        let is_below = |value: u128| u128::BITS - value.leading_zeros() <= exponent;
        let result = match operator {
            Operator::Add => value.checked_add(magnitude)?,
            Operator::Max => value.max(magnitude),
            Operator::Sub if is_below(value) => return value.checked_sub(magnitude),
            Operator::Sub => return None,
        };
        is_below(result).then_some(result)
    }

    /// The delta whose exponent is known.
    pub(crate) fn with_exponent(operator: Operator, magnitude: u128, exponent: u32) -> Delta {
        let most = match exponent {
            u128::BITS => u128::MAX,
            exponent => (1 << exponent) - 1,
        };
        let high = if operator == Operator::Sub && exponent < u128::BITS { most - magnitude } else { most };
        Delta { operator, magnitude, low: 0, high }
    }
}

/// Answer to a delta.
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

    fn delta(operator: Operator, magnitude: u128, low: u128, high: u128) -> Delta {
        Delta { operator, magnitude, low, high }
    }

    #[test]
    fn bounds_are_inclusive_and_sums_exact() {
        assert_eq!(delta(Operator::Add, 5, 0, 10).applied_to(5), Some(10));
        assert_eq!(delta(Operator::Add, 6, 0, 10).applied_to(5), None);
        assert_eq!(delta(Operator::Sub, 5, 0, u128::MAX).applied_to(5), Some(0));
        assert_eq!(delta(Operator::Sub, 6, 0, u128::MAX).applied_to(5), None);
        assert_eq!(delta(Operator::Sub, 1, 5, 9).applied_to(5), None);
        assert_eq!(delta(Operator::Add, u128::MAX, 0, u128::MAX).applied_to(1), None);
        assert_eq!(delta(Operator::Add, 0, 6, 9).applied_to(5), None, "a delta of 0 is bounded too");
        assert_eq!(delta(Operator::Add, 0, 9, 6).applied_to(7), None, "crossed bounds refuse everything");
        assert_eq!(delta(Operator::Max, 5, 0, u128::MAX).applied_to(7), Some(7));
        assert_eq!(delta(Operator::Max, 9, 0, u128::MAX).applied_to(7), Some(9));
        assert_eq!(delta(Operator::Max, 9, 0, 8).applied_to(7), None);
    }

    #[test]
    fn an_exponent_says_all_of_a_delta_or_nothing() {
        let bounds = [0, 1, 2, 3, 7, 8, 1 << 126, (1 << 127) - 1, 1 << 127, u128::MAX - 5, u128::MAX - 1, u128::MAX];
        let mut told = 0;
        for operator in [Operator::Add, Operator::Sub, Operator::Max] {
            for (magnitude, high) in bounds.into_iter().flat_map(|magnitude| bounds.map(|high| (magnitude, high))) {
                assert_eq!(delta(operator, magnitude, 1, high).exponent(), None);
                for high in [high, high.wrapping_sub(magnitude)] {
                    let asked = delta(operator, magnitude, 0, high);
                    if let Some(exponent) = asked.exponent() {
                        assert_eq!(Delta::with_exponent(operator, magnitude, exponent), asked);
                        for value in bounds {
                            assert_eq!(Delta::apply(operator, magnitude, exponent, value), asked.applied_to(value));
                        }
                        told += 1;
                    }
                }
            }
        }
        assert!(told > 100, "{told}");
        assert_eq!(delta(Operator::Sub, 5, 0, (1 << 127) - 6).exponent(), Some(127), "of a value below 2^127");
        assert_eq!(delta(Operator::Add, 5, 0, (1 << 127) - 1).exponent(), Some(127), "to a value below 2^127");
    }
}
