//! `casework`: cases are opened, decided, reviewed, and closed or appealed.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_casework::{Case, Entry, Phase, Role};
use phalanx_engine::Address;

const CASES: u8 = 1;
const TRAIL: u8 = 2;
const OPENED: u8 = 3;

const STEPS: u64 = 4;
/// Clerks, officers and reviewers: as many of each.
const STAFF: u64 = 16;

/// The workload.
pub(super) struct Casework(pub(super) Parties);

impl Casework {
    fn staff(&self, role: Role, number: u64) -> Address {
        let first = match role {
            Role::Clerk => 0,
            Role::Officer => STAFF,
            Role::Reviewer => 2 * STAFF,
        };
        self.0.digest(u64::MAX - first - number % STAFF)
    }
}

fn is_appealed(case: u64) -> bool {
    case.is_multiple_of(4)
}

impl Application for Casework {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/casework.wasm");

    fn name(&self) -> &'static str {
        "casework"
    }

    fn describe(&self) -> String {
        format!(
            "cases (contracts/casework) of {STAFF} clerks, officers and reviewers each, that are opened, decided, confirmed, and \
             closed or appealed, 1 % refused"
        )
    }

    fn set_up_calls(&self) -> u64 {
        3 * STAFF
    }

    fn set_up(&self, index: u64) -> Ask {
        let role = [Role::Clerk, Role::Officer, Role::Reviewer][(index / STAFF) as usize];
        Ask::new(DEPLOYER, "appoint", &(role, self.staff(role, index)))
    }

    fn ask(&self, number: u64) -> Ask {
        let (case, step) = self.0.steps(STEPS).of(number);
        let party = self.0.one(case);
        let [clerk, officer, reviewer] =
            [Role::Clerk, Role::Officer, Role::Reviewer].map(|role| self.staff(role, case));
        let (document, decision) = (self.0.digest(number), self.0.digest(case));
        let granted = case % 3 > 0;
        match step {
            0 => Ask::new(clerk, "open", &(case, party, officer, document)),
            1 => Ask::new(officer, "decide", &(case, granted, decision)),
            2 => Ask::new(reviewer, "review", &(case, granted, decision, true, document)),
            _ if is_appealed(case) => Ask::new(party, "appeal", &(case, document)),
            _ => Ask::new(clerk, "close", &(case,)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        let (case, _) = self.0.steps(STEPS).of(index);
        Some(Ask::new(STRANGER, "decide", &(case, true, self.0.digest(index))))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let cases = self.0.steps(STEPS).things(asked);
        let holds = |case: u64| {
            let done = self.0.steps(STEPS).done(case, asked) as u32;
            let last = if is_appealed(case) { Phase::Appealed } else { Phase::Closed };
            let phase = [Phase::Assigned, Phase::Decided, Phase::Confirmed, last][done as usize - 1];
            let trail = |number: u32| state.get::<Entry>(TRAIL, &(case, number));
            let found: Option<Case> = state.get(CASES, &case);
            let heads =
                core::iter::once(Some([0; 32])).chain((0..done).map(|number| Some(trail(number)?.digest(case))));
            let chained = (0..done).zip(heads).all(|(number, head)| trail(number).map(|entry| entry.before) == head);
            let head = trail(done - 1).map(|entry| entry.digest(case));
            state.get(TRAIL, &case) == Some(done)
                && chained
                && found.is_some_and(|found| found.phase == phase && Some(found.head) == head)
                && found.is_some_and(|found| found.party.0 == self.0.one(case))
        };
        Checks::new("cases and their trails")
            .equal("opened", u128::from(cases), state.number(OPENED, &()))
            .each("cases", cases, holds)
            .finish()
    }
}
