//! Which slots of a contract's state are ordered: custom section `phalanx.ordered`.

use super::reason::Reason;

/// A set of the 256 slots. It stands in the deploy record, as 32 bytes: slot `s` is bit `s % 8` of byte `s / 8`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderedSlots([u8; 32]);

impl OrderedSlots {
    /// No slot.
    pub const NONE: Self = Self([0; 32]);
    /// Every slot.
    pub const ALL: Self = Self([0xff; 32]);

    /// Whether `slot` is ordered.
    #[must_use]
    pub fn contains(&self, slot: u8) -> bool {
        self.0[usize::from(slot / 8)] >> (slot % 8) & 1 == 1
    }

    /// The set as the deploy record holds it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The set that [`OrderedSlots::to_bytes`] gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Adds what one custom section lists: pairs of bytes, `00 s` for slot `s`, `01 00` for all.
    pub(super) fn read(&mut self, section: &[u8]) -> Result<(), Reason> {
        for (pair, bytes) in section.chunks(2).enumerate() {
            match *bytes {
                [0, slot] => self.0[usize::from(slot / 8)] |= 1 << (slot % 8),
                [1, 0] => *self = Self::ALL,
                _ => return Err(Reason::OrderedSection { pair }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_name_slots_and_anything_else_is_refused() {
        let mut slots = OrderedSlots::NONE;
        assert_eq!(slots.read(&[0, 0, 0, 9, 0, 255]), Ok(()));
        let listed: Vec<u8> = (0..=255).filter(|slot| slots.contains(*slot)).collect();
        assert_eq!(listed, [0, 9, 255]);
        assert_eq!(OrderedSlots::from_bytes(slots.to_bytes()), slots);
        assert_eq!(slots.read(&[1, 0]), Ok(()));
        assert_eq!(slots, OrderedSlots::ALL);
        assert_eq!(slots.read(&[0, 1, 1, 1]), Err(Reason::OrderedSection { pair: 1 }));
        assert_eq!(slots.read(&[0, 1, 2]), Err(Reason::OrderedSection { pair: 1 }));
    }
}
