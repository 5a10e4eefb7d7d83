//! Who gets what of the money that a pool collects.

use phalanx_contract::Wire;

/// The most money and the largest numbers of notes: a product of two fits a u128.
pub const AMOUNT_MAX: u128 = 1 << 62;

/// Notes that are paid together.
#[derive(Wire, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tranche {
    /// Paid first.
    Senior,
    /// Paid next.
    Mezzanine,
    /// Paid last.
    Junior,
}

impl Tranche {
    /// In the order in which they are paid.
    pub const ALL: [Self; 3] = [Self::Senior, Self::Mezzanine, Self::Junior];
}

/// A tranche's size.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Its notes, sold for 1 each.
    pub face: u128,
    /// What they get together before later tranches get anything: face and interest.
    pub claim: u128,
}

/// The tranches of a pool.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Of the senior notes.
    pub senior: Share,
    /// Of the mezzanine notes.
    pub mezzanine: Share,
    /// Of the junior notes.
    pub junior: Share,
}

impl Terms {
    /// A tranche's size.
    pub const fn of(&self, tranche: Tranche) -> Share {
        match tranche {
            Tranche::Senior => self.senior,
            Tranche::Mezzanine => self.mezzanine,
            Tranche::Junior => self.junior,
        }
    }

    pub(crate) fn are_sound(&self) -> bool {
        let sound = |share: &Share| 1 <= share.face && share.face <= share.claim && share.claim <= AMOUNT_MAX;
        [self.senior, self.mezzanine, self.junior].iter().all(sound)
    }

    /// Notes of all tranches.
    pub fn face(&self) -> u128 {
        Tranche::ALL.iter().map(|tranche| self.of(*tranche).face).sum()
    }

    /// What all tranches claim.
    pub fn claim(&self) -> u128 {
        Tranche::ALL.iter().map(|tranche| self.of(*tranche).claim).sum()
    }

    /// What so many notes of a tranche get of what was collected, rounded down: earlier tranches have what they claim first. It never falls
    /// as more is collected.
    pub fn due(&self, tranche: Tranche, notes: u128, collected: u128) -> u128 {
        let before: u128 =
            Tranche::ALL.iter().take_while(|earlier| **earlier != tranche).map(|earlier| self.of(*earlier).claim).sum();
        let Share { face, claim } = self.of(tranche);
        collected.saturating_sub(before).min(claim) * notes / face
    }
}
