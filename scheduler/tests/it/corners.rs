//! Cases that random batches meet rarely or never.

use crate::model::{Compared, team, teams};
use crate::toy::{ORDERED, Program, Programs, Seen, Step, is_even, numbered};
use phalanx_scheduler::{Delta, HashSeed, Mode, Operator, RUN_CALLS, Rounds, State, Statistics, Watched, execute};
use std::ops::Range;

const CONTRACT: u32 = 1;

fn get(key: &[u8]) -> Step {
    Step::Get { contract: CONTRACT, key: key.to_vec() }
}

fn set(key: &[u8], value: &[u8]) -> Step {
    Step::Set { contract: CONTRACT, key: key.to_vec(), value: Some(value.to_vec()) }
}

fn remove(key: &[u8]) -> Step {
    Step::Set { contract: CONTRACT, key: key.to_vec(), value: None }
}

fn number(key: &[u8], value: u128) -> Step {
    set(key, &value.to_le_bytes())
}

fn add(key: &[u8], magnitude: u128, low: u128, high: u128) -> Step {
    let delta = Delta { operator: Operator::Add, magnitude, low, high };
    Step::Add { contract: CONTRACT, key: key.to_vec(), delta }
}

fn add_any(key: &[u8], magnitude: u128) -> Step {
    add(key, magnitude, 0, u128::MAX)
}

fn scan_all(slot: u8) -> Step {
    Step::Scan { contract: CONTRACT, start: vec![slot], end: None, descending: false, limit: 100 }
}

fn call(steps: Vec<Step>) -> Program {
    Program { steps, fails: false }
}

/// Calls that touch nothing.
fn idle(calls: u32) -> impl Iterator<Item = Program> {
    (0..calls).map(|_| Program::default())
}

#[test]
fn a_scan_that_sees_the_calls_own_delta_depends_on_what_the_delta_was_applied_to() {
    let (teams, key) = (teams(), numbered(ORDERED, 1));
    let mut compared = Compared::new(&teams, 1, 1_024);
    compared.batch(vec![call(vec![number(&key, 5)])], false);
    // The second call's delta makes of the first one's 3 the 5 that was stored before both.
    let second = call(vec![add_any(&key, 2), scan_all(ORDERED)]);
    compared.batch(vec![call(vec![number(&key, 3)]), second].into_iter().chain(idle(8)).collect(), false);
}

#[test]
fn a_delta_beyond_the_limit_of_writes_is_not_part_of_later_answers() {
    let (teams, key) = (teams(), numbered(1, 1));
    let mut compared = Compared::new(&teams, 2, 1);
    compared.batch(vec![call(vec![number(&key, 8)])], false);
    // Of 8 the second delta makes 8; of 5 it would make too little, unless the first one counted.
    let second = call(vec![set(b"other", b"1"), add_any(&key, 3), add(&key, 0, 7, u128::MAX)]);
    compared.batch(vec![call(vec![number(&key, 5)]), second].into_iter().chain(idle(8)).collect(), false);
}

/// Calls that depend on the one before, so that all but the first are executed again, and that touch `keys` keys of one
/// owner each, of which they write the last 20.
fn crowded(keys: u32) -> Vec<Program> {
    let program = |at: u32| {
        let crowd = Step::Count { contract: CONTRACT, slot: ORDERED, keys: keys - 20 };
        let writes = (0..20).map(|key| set(&numbered(ORDERED, keys + at * 10 + key), &at.to_le_bytes()));
        let chained = [get(b"k"), set(b"k", &at.to_le_bytes()), crowd];
        call(chained.into_iter().chain(writes).collect())
    };
    (0..RUN_CALLS).map(program).collect()
}

/// Accesses that each call of a run may leave one owner on average.
const BUCKET_SHARE: u32 = (1 << 20) / RUN_CALLS;

#[test]
fn a_nearly_full_bucket_takes_what_is_executed_again_in_order() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 3, 1_024);
    let (_, statistics) = compared.batch(crowded(BUCKET_SHARE - 1), false);
    assert!(statistics[2].dirty_calls > 0, "the first executions fit into the bucket");
}

#[test]
fn a_run_that_overflows_a_bucket_is_executed_in_order() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 4, 1_024);
    let (_, statistics) = compared.batch(crowded(BUCKET_SHARE + 1), false);
    assert_eq!((statistics[2].suffixes, statistics[2].dirty_calls), (1, 0));
}

/// Scans that are shown nothing, and depend on values that are far longer than what they cost.
#[test]
fn a_run_whose_scans_found_too_much_is_executed_in_order() {
    const VALUE_BYTES: usize = 4 << 20;
    let teams = teams();
    let suffixes = |scans: usize| {
        let mut compared = Compared::new(&teams, 8, 1_024);
        let values = [1, 2].map(|key| set(&numbered(ORDERED, key), &[7; VALUE_BYTES]));
        compared.batch(vec![call(values.to_vec())], false);
        let scan = Step::Scan { contract: CONTRACT, start: vec![ORDERED], end: None, descending: false, limit: 0 };
        let programs = [call(vec![scan; scans])].into_iter().chain(idle(8)).collect();
        compared.batch(programs, false).1[2].suffixes
    };
    // Each finds one value or two, and 128 MiB is the bound.
    assert_eq!((suffixes(2), suffixes(40)), (0, 1));
}

#[test]
fn a_call_of_very_many_keys_is_not_repaired() {
    let teams = teams();
    let repaired = |keys: u32| {
        let mut compared = Compared::new(&teams, 5, 1_024);
        let long = call(vec![get(b"k"), Step::Count { contract: CONTRACT, slot: 1, keys }]);
        let programs = [call(vec![set(b"k", b"1")]), long].into_iter().chain(idle(8)).collect();
        compared.batch(programs, false).1[2].repaired_calls
    };
    assert_eq!((repaired(511), repaired(512)), (1, 0));
}

#[test]
fn a_round_may_be_told_to_be_as_long_as_a_number_is() {
    let mode = Mode::Optimistic(Rounds::of(u32::MAX));
    let (team, state) = (team(2), Box::new(State::new(HashSeed::Fixed(6), 1_024)));
    let programs = (0..600).map(|at| call(vec![add_any(b"k", at)])).collect();
    let mut executors = [Programs::default(), Programs::default()];
    let done = team.run(|| execute(&team, &mut executors, &programs, state, 600, mode, Watched::default()));
    assert_eq!(done.statistics.optimistic_calls, 600);
}

#[test]
fn runs_with_long_calls_are_begun_first_and_others_in_order() {
    let (team, state) = (team(1), Box::new(State::new(HashSeed::Fixed(6), 1_024)));
    let mut programs: Vec<_> = idle(5 * RUN_CALLS).collect();
    for (call, steps) in [(3 * RUN_CALLS - 1, 2), (4 * RUN_CALLS, 3), (4 * RUN_CALLS + 1, 1)] {
        programs[call as usize].steps = vec![get(b"k"); steps];
    }
    let mut executors = [Programs::default()];
    let mode = Mode::Optimistic(Rounds::of(5 * RUN_CALLS));
    let done = team.run(|| execute(&team, &mut executors, &programs, state, 5 * RUN_CALLS, mode, Watched::default()));
    assert_eq!(executors[0].begun, [4, 2, 0, 1, 3].map(|run| run * RUN_CALLS));
    assert!(done.runs.iter().flat_map(|run| &run.ended).map(|(call, _)| *call).eq(0..5 * RUN_CALLS));
}

#[test]
fn a_key_that_is_set_and_removed_is_as_absent_as_before() {
    let (teams, key) = (teams(), b"k");
    let mut compared = Compared::new(&teams, 7, 1_024);
    let removed = call(vec![set(key, b"value"), remove(key)]);
    let programs = [removed, call(vec![get(key)])].into_iter().chain(idle(8)).collect();
    let statistics = compared.batch(programs, false).1[2];
    assert_eq!((statistics.rescued_reads, statistics.dirty_calls), (1, 0));
}

#[test]
fn a_long_value_that_no_call_of_the_round_wrote_stands() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 11, 1_024);
    let first = [call(vec![set(b"k", &[7; 300])])].into_iter().chain(idle(RUN_CALLS - 1));
    let programs = first.chain([call(vec![get(b"k")])]).chain(idle(8)).collect();
    assert_eq!(compared.batch(programs, false).1[2].dirty_calls, 0, "it was written in the round before");
    let programs = [call(vec![get(b"k")])].into_iter().chain(idle(8)).collect();
    assert_eq!(compared.batch(programs, false).1[2].dirty_calls, 0, "it was written in the batch before");
}

#[test]
fn a_scan_that_stopped_depends_on_nothing_behind_where_it_did() {
    let (teams, key) = (teams(), |number| numbered(ORDERED, number));
    let mut compared = Compared::new(&teams, 12, 1_024);
    compared.batch(vec![call((0..12).map(|number| set(&key(number * 10), b"1")).collect())], false);
    let mut phantoms = |written: u32, descending: bool| {
        let scan = Step::Scan { contract: CONTRACT, start: key(15), end: Some(key(95)), descending, limit: 2 };
        let programs = [call(vec![set(&key(written), b"2")]), call(vec![scan])].into_iter().chain(idle(8)).collect();
        compared.batch(programs, true).1[2].phantoms
    };
    // It finds 20 and 30, stops at 40, and has looked at 50.
    let ascending = [14, 20, 25, 39, 41, 50, 51, 60, 95].map(|written| phantoms(written, false));
    assert_eq!(ascending, [0, 1, 1, 1, 1, 1, 0, 0, 0]);
    let descending = [14, 50, 59, 60, 61, 75, 90, 94, 95].map(|written| phantoms(written, true));
    assert_eq!(descending, [0, 0, 0, 1, 1, 1, 1, 1, 0]);
}

#[test]
fn a_scan_that_came_to_its_end_stands_while_its_range_is_as_it_was() {
    let (teams, key) = (teams(), |number| numbered(ORDERED, number));
    let mut compared = Compared::new(&teams, 22, 1_024);
    compared.batch(vec![call((2..5).map(|number| set(&key(number * 10), b"1")).collect())], false);
    let scan =
        |descending| Step::Scan { contract: CONTRACT, start: key(15), end: Some(key(45)), descending, limit: 100 };
    let mut phantoms = |first: Step| {
        let programs = [call(vec![first]), call(vec![scan(false)]), call(vec![scan(true)])];
        compared.batch(programs.into_iter().chain(idle(8)).collect(), true).1[2].phantoms
    };
    let unchanged = [set(&key(14), b"2"), set(&key(30), b"1"), set(&key(45), b"2"), remove(&key(35))];
    assert_eq!(unchanged.map(&mut phantoms), [0; 4]);
    let changed = [set(&key(15), b"2"), set(&key(30), b"2"), set(&key(44), b"2"), remove(&key(20)), remove(&key(40))];
    assert_eq!(changed.map(&mut phantoms), [2; 5]);
}

#[test]
fn only_answers_that_change_are_counted_as_such() {
    let teams = teams();
    let changed = |read: Step| {
        let mut compared = Compared::new(&teams, 23, 1_024);
        compared.batch(vec![call(vec![number(b"k", 5)])], false);
        let programs = [call(vec![number(b"k", 50)]), call(vec![read])].into_iter().chain(idle(8)).collect();
        let statistics = compared.batch(programs, false).1[2];
        (statistics.dirty_calls, statistics.changed_predicates)
    };
    assert_eq!(changed(get(b"k")), (1, 0));
    assert_eq!(changed(add(b"k", 1, 0, 40)), (1, 1));
    assert_eq!(changed(add(b"k", 1, 0, 100)), (0, 0));
}

/// A value of one byte on which a program goes on, or stops.
fn that_is(even: bool) -> [u8; 1] {
    let is = |byte: &u8| is_even(&[Seen::Value(Some(vec![*byte]))]) == even;
    [(0..=u8::MAX).find(is).expect("half of them")]
}

#[test]
fn a_round_that_a_batchs_end_cuts_short_decides_nothing_unless_it_is_the_first() {
    let chain = || (0..6).map(|at: u32| call(vec![get(b"c"), set(b"c", &at.to_le_bytes())]));
    let next = |programs: Vec<Program>| {
        let mode = Mode::Optimistic(Rounds { first: 256, least: 256, most: 1_024 });
        let (team, state) = (team(2), Box::new(State::new(HashSeed::Fixed(6), 1_024)));
        let mut executors = [Programs::default(), Programs::default()];
        let calls = programs.len() as u32;
        team.run(|| execute(&team, &mut executors, &programs, state, calls, mode, Watched::default())).next_round
    };
    assert_eq!(next(idle(RUN_CALLS).collect()), Some(1_024));
    assert_eq!(next(idle(RUN_CALLS).chain(chain()).collect()), Some(1_024), "six calls of 1,024");
    assert_eq!(next(chain().collect()), None);
    assert_eq!(next(idle(6).collect()), Some(256));
    assert_eq!(next(Vec::new()), Some(256));
}

#[test]
fn a_repaired_call_sees_what_was_executed_in_order_in_an_earlier_round() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 14, 1_024);
    compared.batch(vec![call(vec![set(b"go on", &that_is(false))])], false);
    // In a round of 1,024 calls the key is written in a chain, and once more when all but the first calls are executed in order. In
    // the next, a shorter one, only the repaired call comes by it.
    let chained = (0..400).map(|at: u32| call(vec![get(b"c"), set(b"c", &at.to_le_bytes())]));
    let first = [call(vec![set(b"k", b"1")])].into_iter().chain(chained).chain([call(vec![set(b"k", b"2")])]);
    let second =
        [call(vec![set(b"go on", &that_is(true))]), call(vec![get(b"go on"), Step::StopUnlessEven, get(b"k")])];
    let programs = first.into_iter().chain(idle(4 * RUN_CALLS - 402)).chain(second).chain(idle(16)).collect();
    let statistics = compared.batch(programs, false).1[4];
    assert_eq!((statistics.rounds, statistics.suffixes, statistics.repaired_calls), (2, 1, 1));
}

#[test]
fn a_dropped_write_is_followed_through_the_deltas_behind_it() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 13, 1_024);
    compared.batch(vec![call(vec![set(b"go on", &that_is(true)), number(b"k", 5)])], false);
    // Before the round the second call writes 3, of which the third makes the 5 that was there: the fourth's read stands. Then
    // the second call does not write after all.
    let programs = [
        call(vec![set(b"go on", &that_is(false))]),
        call(vec![get(b"go on"), Step::StopUnlessEven, number(b"k", 3)]),
        call(vec![add_any(b"k", 2)]),
        call(vec![get(b"k")]),
    ];
    let statistics = compared.batch(programs.into_iter().chain(idle(16)).collect(), false).1[2];
    assert_eq!((statistics.dirty_calls, statistics.reopened_calls, statistics.repaired_calls), (1, 1, 2));
}

#[test]
fn writes_that_only_one_of_two_executions_makes_are_counted() {
    let teams = teams();
    // How many only the second execution makes and only the first, where the first goes on or the second.
    let counted = |first: bool, steps: &[Step]| {
        let mut compared = Compared::new(&teams, 17, 1_024);
        compared.batch(vec![call(vec![set(b"go on", &that_is(first))])], false);
        let programs = [call(vec![set(b"go on", &that_is(!first))]), call(steps.to_vec())];
        let statistics = compared.batch(programs.into_iter().chain(idle(8)).collect(), false).1[2];
        assert_eq!(statistics.repaired_calls, 1);
        (statistics.new_writes, statistics.dropped_writes)
    };
    let both = [get(b"go on"), set(b"k", b"1")];
    assert_eq!([true, false].map(|first| counted(first, &both)), [(0, 0), (0, 0)]);
    // The other execution knows nothing of the key, or reads it.
    let one = [get(b"go on"), Step::StopUnlessEven, set(b"k", b"1"), set(b"l", b"1")];
    let reads = [&[get(b"k")], &one[..]].concat();
    for one in [&one[..], &reads] {
        assert_eq!([true, false].map(|first| counted(first, one)), [(0, 2), (2, 0)]);
    }
}

#[test]
fn a_write_that_only_the_second_execution_makes_is_in_its_place_in_the_chain() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 18, 1_024);
    compared.batch(vec![call(vec![set(b"go on", &that_is(false))])], false);
    // The second call writes after all: what the third has read is another value then, and what the fourth writes still the last.
    let programs = [
        call(vec![set(b"go on", &that_is(true))]),
        call(vec![get(b"go on"), Step::StopUnlessEven, set(b"k", b"1"), set(b"l", b"1")]),
        call(vec![get(b"k"), get(b"l")]),
        call(vec![set(b"l", b"2")]),
        call(vec![get(b"l")]),
    ];
    let statistics = compared.batch(programs.into_iter().chain(idle(16)).collect(), false).1[2];
    assert_eq!((statistics.dirty_calls, statistics.reopened_calls, statistics.repaired_calls), (2, 1, 3));
}

#[test]
fn a_repair_is_given_up_after_four_steps_a_call_of_the_round() {
    const DIRTY: u32 = 5;
    let teams = teams();
    // The first call changes what the dirty ones go on by, behind which `others` touch their key.
    let given_up = |first: bool, dirty: Step, between: Option<Step>, other: fn(u32) -> Step, others: u32| {
        let mut compared = Compared::new(&teams, 19, 1_024);
        compared.batch(vec![call(vec![set(b"go on", &that_is(first)), number(b"k", 0)])], false);
        let dirty = call(vec![get(b"go on"), Step::StopUnlessEven, dirty]);
        let programs = [call(vec![set(b"go on", &that_is(!first))])].into_iter();
        let programs = programs.chain((0..DIRTY).map(|_| dirty.clone())).chain(between.map(|step| call(vec![step])));
        let mut programs: Vec<Program> = programs.chain((0..others).map(|at| call(vec![other(at)]))).collect();
        programs.resize(RUN_CALLS as usize, Program::default());
        let statistics = compared.batch(programs, false).1[2];
        assert_eq!(statistics.dirty_calls, u64::from(DIRTY));
        statistics.long_chains
    };
    // 1,024 steps are the bound, and the fifth call is one too many. Each looks twice at the six records that say whether it goes on.
    let set_other = |at: u32| number(b"k", at.into());
    // Its write comes in below all the others, the first of which does not depend on it.
    let new = |others| given_up(false, number(b"k", 7), None, set_other, others);
    assert_eq!([243, 244].map(new), [0, 1], "four times 12 and 1 and the others");
    // Its delta is dropped: below it there is nothing, and all behind it come to less by it.
    let add_other = |_| add_any(b"k", 1);
    let dropped = |others| given_up(true, add_any(b"k", 7), None, add_other, others);
    assert_eq!([239, 240].map(dropped), [0, 1], "four times 12 and 5 and the others");
    // One behind which the value is the same ends it.
    let delta = Delta { operator: Operator::Max, magnitude: 1_000, low: 0, high: u128::MAX };
    let most = Step::Add { contract: CONTRACT, key: b"k".to_vec(), delta };
    assert_eq!(given_up(true, add_any(b"k", 7), Some(most), add_other, 240), 0);
}

#[test]
fn a_call_that_scans_only_in_its_second_execution_is_executed_in_order() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 27, 1_024);
    compared.batch(vec![call(vec![set(b"go on", &that_is(false))])], false);
    // Nobody has scanned when the round is checked. The key that comes in behind the scan is not for it to see.
    let programs = [
        call(vec![set(b"go on", &that_is(true))]),
        call(vec![get(b"go on"), Step::StopUnlessEven, scan_all(ORDERED)]),
        call(vec![set(&numbered(ORDERED, 1), b"1")]),
    ];
    let statistics = compared.batch(programs.into_iter().chain(idle(8)).collect(), false).1[2];
    assert_eq!((statistics.dirty_calls, statistics.repaired_calls, statistics.suffixes), (1, 0, 1));
}

#[test]
fn repaired_calls_of_two_runs_are_put_into_each() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 28, 1_024);
    let mut programs: Vec<Program> = idle(2 * RUN_CALLS).collect();
    programs[0] = call(vec![set(b"k", b"1"), set(b"l", b"1")]);
    programs[1] = call(vec![get(b"k")]);
    programs[RUN_CALLS as usize + 4] = call(vec![get(b"l")]);
    let statistics = compared.batch(programs, false).1[3];
    assert_eq!((statistics.dirty_calls, statistics.repaired_calls, statistics.suffixes), (2, 2, 0));
}

#[test]
fn a_round_is_taken_back_from_where_a_run_begins() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 20, 1_024);
    // In a round of two runs, the first call that is dirty is the first of the second run.
    let chained = (0..RUN_CALLS).map(|at: u32| call(vec![get(b"c"), set(b"c", &at.to_le_bytes())]));
    let programs = [call(vec![set(b"c", b"first")])].into_iter().chain(idle(RUN_CALLS - 1)).chain(chained);
    let statistics = compared.batch(programs.collect(), false).1[3];
    assert_eq!((statistics.suffixes, statistics.suffix_calls), (1, RUN_CALLS.into()));
}

#[test]
fn dirty_calls_are_repaired_up_to_three_of_ten() {
    let teams = teams();
    let repaired = |dirty: u32| {
        let mut compared = Compared::new(&teams, 21, 1_024);
        // Of the hundred calls from the first dirty one on.
        let first = call((0..dirty).map(|key| set(&numbered(1, key), b"1")).collect());
        let readers = (0..dirty).map(|key| call(vec![get(&numbered(1, key))]));
        let programs = [first].into_iter().chain(readers).chain(idle(100 - dirty)).collect();
        let statistics = compared.batch(programs, false).1[2];
        (statistics.repaired_calls, statistics.suffix_calls)
    };
    assert_eq!([30, 31].map(repaired), [(30, 0), (0, 100)]);
}

/// What happens to a batch in rounds, and how long the next one would be.
fn in_rounds(programs: Vec<Program>, rounds: Rounds) -> (Statistics, Option<u32>) {
    let (team, state) = (team(2), Box::new(State::new(HashSeed::Fixed(29), 1_024)));
    let mut executors = [Programs::default(), Programs::default()];
    let (calls, mode) = (programs.len() as u32, Mode::Optimistic(rounds));
    let done = team.run(|| execute(&team, &mut executors, &programs, state, calls, mode, Watched::default()));
    (done.statistics, done.next_round)
}

/// A call that sets keys, and one for each that reads it, which is dirty in the same round.
fn dirty(calls: u32) -> impl Iterator<Item = Program> {
    let first = call((0..calls).map(|key| set(&numbered(1, key), b"1")).collect());
    [first].into_iter().chain((0..calls).map(|key| call(vec![get(&numbered(1, key))])))
}

#[test]
fn later_rounds_are_judged_by_their_own_calls() {
    // A round of 256 calls without conflicts, then one of 1,024.
    let rounds = Rounds { first: RUN_CALLS, least: RUN_CALLS, most: 4 * RUN_CALLS };
    let second = |again: u32| {
        let programs = idle(RUN_CALLS).chain(dirty(again)).chain(idle(4 * RUN_CALLS - 1 - again));
        let (statistics, next) = in_rounds(programs.collect(), rounds);
        assert_eq!((statistics.rounds, statistics.optimistic_calls), (2, 5 * u64::from(RUN_CALLS)));
        assert_eq!((statistics.dirty_calls, statistics.repaired_calls), (again.into(), again.into()));
        next
    };
    // A tenth is 102.
    assert_eq!([102, 103].map(second), [Some(4 * RUN_CALLS), Some(RUN_CALLS)]);
}

#[test]
fn what_is_hopeless_is_a_share_of_the_calls_that_are_left() {
    let repaired = |again: u32| {
        let programs = idle(400).chain(dirty(again)).chain(idle(100 - again));
        let statistics = in_rounds(programs.collect(), Rounds::of(1_024)).0;
        (statistics.repaired_calls, statistics.suffix_calls)
    };
    assert_eq!([30, 31].map(repaired), [(30, 0), (0, 100)]);
}

#[test]
fn a_repair_has_the_steps_of_its_own_round() {
    let given_up = |others: u32| {
        let before = [call(vec![set(b"go on", &that_is(false)), number(b"k", 0)])].into_iter();
        let on = call(vec![get(b"go on"), Step::StopUnlessEven, number(b"k", 7)]);
        let round = [call(vec![set(b"go on", &that_is(true))])].into_iter().chain((0..5).map(|_| on.clone()));
        let round = round.chain((0..others).map(|at| call(vec![number(b"k", at.into())])));
        let programs = before.chain(idle(RUN_CALLS - 1)).chain(round).chain(idle(RUN_CALLS - 6 - others));
        let (statistics, _) = in_rounds(programs.collect(), Rounds::of(RUN_CALLS));
        assert_eq!((statistics.rounds, statistics.dirty_calls), (2, 5));
        statistics.long_chains
    };
    // As in a first round.
    assert_eq!([243, 244].map(given_up), [0, 1]);
}

/// Keys of 5 and of 65 bytes.
fn many_keys(numbers: Range<u32>) -> impl Iterator<Item = Vec<u8>> {
    numbers.map(|number| {
        let mut key = numbered(1, number);
        key.resize(if number % 2 == 0 { 5 } else { 65 }, 7);
        key
    })
}

#[test]
fn growing_and_shrinking_keeps_every_key() {
    const KEYS: u32 = 3_000;
    let teams = teams();
    let mut compared = Compared::new(&teams, 8, 1_024);
    // Each batch has two runs, and its last calls read what its first ones wrote: tables grow within rounds that are repaired.
    let write = |keys: Range<u32>| {
        let keys: Vec<Vec<u8>> = many_keys(keys).collect();
        let writers = keys.chunks(10).map(|keys| call(keys.iter().map(|key| set(key, &key.repeat(4))).collect()));
        writers.chain([call(keys.iter().step_by(100).map(|key| get(key)).collect())]).collect::<Vec<_>>()
    };
    let mut kept = 0;
    for batch in 0..9 {
        // Every third batch is discarded, in the middle of the tables' growth.
        let discard = batch % 3 == 2;
        let (expected, _) = compared.batch(write(batch * KEYS..(batch + 1) * KEYS), discard);
        assert_eq!(expected.after.len() as u32, kept + KEYS);
        kept += if discard { 0 } else { KEYS };
    }
    let keys: Vec<Vec<u8>> = many_keys(0..9 * KEYS).collect();
    let remove_all =
        || keys.chunks(40).map(|keys| call(keys.iter().map(|key| remove(key)).collect())).collect::<Vec<_>>();
    compared.batch(remove_all(), true);
    let (expected, _) = compared.batch(remove_all(), false);
    assert!(expected.after.is_empty(), "and with it every table");
    compared.batch(write(0..KEYS), false);
}

#[test]
fn a_call_may_not_write_more_keys_than_the_limit() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 9, 2);
    let over = [set(b"a", b"1"), set(b"b", b"1"), set(b"a", b"2"), set(b"c", b"1"), add_any(b"d", 1), get(b"c")];
    let mut failing = call(over.to_vec());
    failing.fails = true;
    // The third reads what the second wrote, so that it is executed again.
    let programs = [failing, call(over.to_vec()), call([&[get(b"a")], &over[..]].concat())];
    let (expected, _) = compared.batch(programs.into_iter().chain(idle(8)).collect(), false);
    let some = |value: &[u8]| Seen::Value(Some(value.to_vec()));
    let seen = vec![some(b"1"), some(b"1"), some(b"2"), Seen::TooManyWrites, Seen::TooManyWrites, Seen::Value(None)];
    assert_eq!(expected.ended[1].1, seen);
    assert_eq!(expected.ended[2].1[1..], seen);
    assert_eq!(expected.after.len(), 2, "what is over the limit is not written");
}

/// Values on the heap live as long as a batch may still be discarded, a round be taken back, or a call executed again.
#[test]
fn long_values_change_length_round_by_round() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 10, 1_024);
    let value = |at: u32| (at % 5 != 4).then(|| vec![at as u8; [300, 16, 17, 0][at as usize % 5]]);
    let program = |at: u32| {
        let key = [b"first", b"other"][(at / 3 % 2) as usize];
        let write = Step::Set { contract: CONTRACT, key: key.to_vec(), value: value(at / 2) };
        let idle = at % RUN_CALLS > 40 && !at.is_multiple_of(16);
        let steps = if idle { vec![] } else { vec![get(key), write] };
        Program { steps, fails: at % 7 == 3 }
    };
    for batch in 0..6 {
        let programs = (0..5 * RUN_CALLS).map(|at| program(at + batch)).collect();
        compared.batch(programs, batch % 2 == 0);
    }
}

#[test]
fn a_batch_without_calls_leaves_nothing_in_any_mode() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 15, 1_024);
    compared.batch(vec![], false);
    compared.batch(vec![call(vec![set(b"k", b"1")])], false);
    compared.batch(vec![], true);
}

#[test]
fn a_round_of_calls_that_declare_their_keys_ends_before_one_that_does_not() {
    let teams = teams();
    let declared = |tenth: Vec<Step>| {
        let mut compared = Compared::new(&teams, 16, 1_024);
        let programs = idle(10).chain([call(tenth)]).chain(idle(RUN_CALLS + 33)).collect();
        let statistics = compared.batch(programs, false).1[8];
        (statistics.hinted_calls, statistics.strayed_calls, statistics.unhinted_calls)
    };
    let keys = |keys: u32| (0..keys).map(|key| get(&numbered(1, key))).collect();
    // After it, calls are executed in order up to the next run.
    assert_eq!(declared(keys(32)), (300, 0, 0));
    assert_eq!(declared(keys(33)), (10 + 44, 0, 246), "more keys than a call may declare");
    assert_eq!(declared(vec![scan_all(ORDERED)]), (10 + 44, 0, 246));
    assert_eq!(declared(vec![Step::Derive { contract: CONTRACT, key: vec![8] }]), (10 + 44, 1, 246), "it strays");
}

#[test]
fn declared_keys_are_held_where_the_table_has_grown_meanwhile() {
    const CALLS: u32 = 2 * RUN_CALLS;
    const KEYS: u32 = 30;
    let teams = teams();
    let mut compared = Compared::new(&teams, 24, 1_024);
    // New keys are more than the table has room for at first, so it grows while they are put in, in the middle of a round.
    let key = |call: u32, key: u32| numbered(1, call * KEYS + key);
    let program = |at: u32| call((0..KEYS).map(|number| set(&key(at, number), &at.to_le_bytes())).collect());
    let (_, statistics) = compared.batch((0..CALLS).map(program).collect(), false);
    for statistics in &statistics[9..] {
        assert_eq!((statistics.hinted_calls, statistics.strayed_calls), (CALLS.into(), 0));
    }
}

#[test]
fn keys_that_calls_declared_and_removed_leave_the_table() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 25, 1_024);
    // Some of each owner. No key comes in with them, which would have the table looked through anyway.
    let keys = |call: u32| (0..20).map(move |key| numbered(1, call * 20 + key));
    compared.batch((0..10).map(|at| call(keys(at).map(|key| set(&key, b"1")).collect())).collect(), false);
    let (expected, statistics) =
        compared.batch((0..10).map(|at| call(keys(at).map(|key| remove(&key)).collect())).collect(), false);
    assert_eq!((expected.after.len(), statistics[8].hinted_calls), (0, 10));
}

#[test]
fn keys_of_all_lengths_are_held_once_declared() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 26, 1_024);
    for value in [b"1", b"2"] {
        let program = |length: usize| call(vec![set(&vec![7; length], value), get(&vec![7; length])]);
        let (_, statistics) = compared.batch([1, 20, 32, 33, 34, 35, 65, 256].map(program).into(), false);
        assert_eq!((statistics[8].hinted_calls, statistics[8].strayed_calls), (8, 0));
    }
}
