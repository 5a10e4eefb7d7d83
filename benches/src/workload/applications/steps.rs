//! The order in which many things go through the steps of an application.

/// Things go through their steps `n` side by side: numbers count first steps of so many things, then their second steps, and so on.
/// Step `s` of thing `t` has the number
///
/// ```text
/// (t / n) · n · steps + s · n + t % n
/// ```
///
/// so that calls about one thing are `n` calls apart. The fewer these are, the more calls of a batch follow one another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// Steps of each thing.
    pub(super) steps: u64,
    /// `n`, at least 1.
    pub(super) side_by_side: u64,
}

impl Steps {
    /// The thing and the step, both counted from 0, that a number stands for.
    pub(super) fn of(self, number: u64) -> (u64, u64) {
        let whole = self.side_by_side * self.steps;
        let (group, within) = (number / whole, number % whole);
        (group * self.side_by_side + within % self.side_by_side, within / self.side_by_side)
    }

    /// How many things the numbers below `asked` begin.
    pub(super) fn things(self, asked: u64) -> u64 {
        let whole = self.side_by_side * self.steps;
        asked / whole * self.side_by_side + (asked % whole).min(self.side_by_side)
    }

    /// How many steps of a thing have numbers below `asked`.
    pub(super) fn done(self, thing: u64, asked: u64) -> u64 {
        let first = thing / self.side_by_side * self.side_by_side * self.steps + thing % self.side_by_side;
        asked.saturating_sub(first).div_ceil(self.side_by_side).min(self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn every_thing_takes_its_steps_in_order_and_once() {
        for (steps, side_by_side) in [(1, 100), (2, 100), (5, 100), (3, 1), (4, 7)] {
            let steps = Steps { steps, side_by_side };
            let mut done = std::collections::BTreeMap::new();
            for number in 0..2_345 {
                let (thing, step) = steps.of(number);
                let before = done.entry(thing).or_insert(0);
                assert_eq!((step, steps.done(thing, number)), (*before, *before));
                *before += 1;
                assert_eq!(steps.done(thing, number + 1), *before);
                assert_eq!(steps.things(number + 1), done.len() as u64);
            }
            assert!(done.keys().copied().eq(0..done.len() as u64) && steps.done(9_999, 2_345) == 0);
        }
    }
}
