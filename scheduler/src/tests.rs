//! The model of `tests/it` inside the crate, where it can look at what is private: what a closed branch leaves in the
//! partitions, and whether bugs that are planted are found.

#[path = "../tests/it/model.rs"]
mod model;
#[path = "../tests/it/toy.rs"]
#[expect(dead_code, reason = "steps that only the corners take")]
mod toy;

use crate::planted::{Bug, plant};
use crate::state::State;
use model::{Run, teams};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn after_close(state: &State) {
    state.partitions.iter().for_each(|partition| partition.assert_sound(&state.hasher));
}

/// Seeds within which a bug must be found.
const SEEDS: u64 = 4;

/// The first seed whose run fails. Its teams are its own: a worker that has panicked is of no more use.
fn found(bug: Bug) -> Option<u64> {
    plant(Some(bug));
    let fails = |seed: &u64| catch_unwind(AssertUnwindSafe(|| Run::new(*seed).execute(&teams()))).is_err();
    let found = (0..SEEDS).find(fails);
    plant(None);
    found
}

// One test, because bugs are planted for the whole process.
#[test]
fn planted_bugs_are_found_and_without_them_partitions_stay_sound() {
    Run::new(0).execute(&teams()).assert_covered();
    for bug in Bug::ALL {
        let seed = found(bug).unwrap_or_else(|| panic!("{bug:?} was not found within {SEEDS} seeds"));
        println!("{bug:?} was found by seed {seed}");
    }
}
