//! The order in which many things go through the steps of an application.

/// Things that go through their steps side by side: numbers count first steps of so many things, then their second steps, and so on.
const SIDE_BY_SIDE: u64 = 100;

/// How many steps each thing goes through. Step `s` of thing `t` has the number
///
/// ```text
/// (t / 100) · 100 · steps + s · 100 + t % 100
/// ```
///
/// so that calls about one thing are 100 calls apart: in one batch, but no neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps(pub(super) u64);

impl Steps {
    /// The thing and the step, both counted from 0, that a number stands for.
    pub(super) fn of(self, number: u64) -> (u64, u64) {
        let whole = SIDE_BY_SIDE * self.0;
        let (group, within) = (number / whole, number % whole);
        (group * SIDE_BY_SIDE + within % SIDE_BY_SIDE, within / SIDE_BY_SIDE)
    }

    /// How many things the numbers below `asked` begin.
    pub(super) fn things(self, asked: u64) -> u64 {
        let whole = SIDE_BY_SIDE * self.0;
        asked / whole * SIDE_BY_SIDE + (asked % whole).min(SIDE_BY_SIDE)
    }

    /// How many steps of a thing have numbers below `asked`.
    pub(super) fn done(self, thing: u64, asked: u64) -> u64 {
        let first = thing / SIDE_BY_SIDE * SIDE_BY_SIDE * self.0 + thing % SIDE_BY_SIDE;
        asked.saturating_sub(first).div_ceil(SIDE_BY_SIDE).min(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn every_thing_takes_its_steps_in_order_and_once() {
        for steps in [1, 2, 5].map(Steps) {
            let mut done = std::collections::BTreeMap::new();
            for number in 0..2_345 {
                let (thing, step) = steps.of(number);
                let before = done.entry(thing).or_insert(0);
                assert_eq!((step, steps.done(thing, number)), (*before, *before));
                *before += 1;
                assert_eq!(steps.done(thing, number + 1), *before);
                assert_eq!(steps.things(number + 1), done.len() as u64);
            }
            assert!(done.keys().copied().eq(0..done.len() as u64) && steps.done(99_999, 2_345) == 0);
        }
    }
}
