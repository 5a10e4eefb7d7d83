//! Casework: decisions that only accumulate, a workflow with two pairs of eyes, and an audit trail that cannot be thinned out.
//!
//! The deployer appoints clerks, officers and reviewers. A clerk opens a case for a party and assigns an officer; the officer decides; a
//! reviewer, who is not that officer, confirms or returns it; the party appeals once against what was confirmed, and then the case
//! is assigned anew, to another officer, as it is where its officer was dismissed; a clerk closes what is confirmed. Nobody decides or reviews its
//! own case. Texts stay elsewhere: here are their digests.
//!
//! ```text
//! open ──► assigned ──decide──► decided ──confirm──► confirmed ──close──► closed
//!              ▲                   │                     │
//!              ├─────return────────┘                     │ appeal, once
//!              └──────assign──────── appealed ◄──────────┘
//! ```
//!
//! A clerk may close a case in the very batch that confirms it: how long parties have for their appeals is the clerks' rule, not the
//! contract's.
//!
//! Each step is an entry of the case's trail, with the digest of the entry before: whoever has the last digest can tell that nothing is
//! missing.
//!
//! # Conflicts
//!
//! Calls about one case run in order: each reads its phase and appends to its trail. Calls about different cases don't meet. Each
//! step reads the role of who takes it.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod records;

use phalanx_contract::*;
pub use records::{Act, Case, Entry, Error, Phase, Recorded, Role};

/// Who may do what.
#[slot]
const ROLES: Roles<Role> = Roles::at(0);
/// Each case.
#[slot]
const CASES: Map<u64, Case> = Map::at(1);
/// What was done in a case, in order.
#[slot]
const TRAIL: List<u64, Entry> = List::at(2);
/// How many cases were opened.
#[slot]
const OPENED: Item<u128> = Item::at(3);

/// The contract.
pub struct Casework;

#[contract]
impl Casework {
    /// Gives an address a role. The deployer alone may.
    pub fn appoint(role: Role, who: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.grant(role, who);
        Ok(())
    }

    /// Takes a role from an address; what it did stays. The deployer alone may.
    pub fn dismiss(role: Role, who: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.revoke(role, who);
        Ok(())
    }

    /// Opens a party's case and assigns it to an officer. Clerks alone may.
    pub fn open(case: u64, party: Address, officer: Address, application: [u8; 32]) -> Result<(), Error> {
        ROLES.require(Role::Clerk, Error::NotClerk)?;
        require(ROLES.has(Role::Officer, officer), Error::NotOfficer)?;
        require(officer != party, Error::OwnCase)?;
        require(CASES.find(&case).is_none(), Error::Exists)?;
        OPENED.add(1).or_abort("more cases than numbers");
        let opened = Case { party, officer, phase: Phase::Assigned, appealed: None, head: [0; 32] };
        record(case, opened, Act::Opened { party, officer }, application);
        Ok(())
    }

    /// Decides a case, with the digest of the decision. The officer it is assigned to alone may.
    pub fn decide(case: u64, granted: bool, decision: [u8; 32]) -> Result<(), Error> {
        let found = step(case, Phase::Assigned)?;
        only(found.officer, Error::NotAssigned)?;
        ROLES.require(Role::Officer, Error::NotOfficer)?;
        record(case, Case { phase: Phase::Decided, ..found }, Act::Decided { granted }, decision);
        Ok(())
    }

    /// Confirms the decision of a digest, or returns it to the officer, with the digest of why. Reviewers alone may, except who decided
    /// and whose case it is.
    pub fn review(
        case: u64,
        granted: bool,
        decision: [u8; 32],
        confirmed: bool,
        reasons: [u8; 32],
    ) -> Result<(), Error> {
        ROLES.require(Role::Reviewer, Error::NotReviewer)?;
        let found = step(case, Phase::Decided)?;
        require(caller() != found.officer, Error::OwnDecision)?;
        require(caller() != found.party, Error::OwnCase)?;
        // Another reviewer may have returned what this one looked at, and the officer decided again.
        let decided = TRAIL.last(&case).map(|entry| (entry.act, entry.document));
        require(decided == Some((Act::Decided { granted }, decision)), Error::OtherDecision)?;
        let (phase, act) =
            if confirmed { (Phase::Confirmed, Act::Confirmed) } else { (Phase::Assigned, Act::Returned) };
        record(case, Case { phase, ..found }, act, reasons);
        Ok(())
    }

    /// Appeals against a confirmed decision. The party alone may, once a case.
    pub fn appeal(case: u64, grounds: [u8; 32]) -> Result<(), Error> {
        let found = step(case, Phase::Confirmed)?;
        only(found.party, Error::NotParty)?;
        require(found.appealed.is_none(), Error::AlreadyAppealed)?;
        let appealed = Case { phase: Phase::Appealed, appealed: Some(found.officer), ..found };
        record(case, appealed, Act::Appealed, grounds);
        Ok(())
    }

    /// Assigns a case after an appeal, to another officer than the one appealed against, or because its officer was dismissed. Clerks
    /// alone may.
    pub fn assign(case: u64, officer: Address) -> Result<(), Error> {
        ROLES.require(Role::Clerk, Error::NotClerk)?;
        let found = find(case)?;
        let is_vacant = found.phase == Phase::Assigned && !ROLES.has(Role::Officer, found.officer);
        require(is_vacant || found.phase == Phase::Appealed, Error::WrongPhase)?;
        require(ROLES.has(Role::Officer, officer), Error::NotOfficer)?;
        require(officer != found.party, Error::OwnCase)?;
        require(Some(officer) != found.appealed, Error::SameOfficer)?;
        let assigned = Case { officer, phase: Phase::Assigned, ..found };
        record(case, assigned, Act::Assigned { officer }, [0; 32]);
        Ok(())
    }

    /// Closes a confirmed case. Clerks alone may.
    pub fn close(case: u64) -> Result<(), Error> {
        ROLES.require(Role::Clerk, Error::NotClerk)?;
        let found = step(case, Phase::Confirmed)?;
        record(case, Case { phase: Phase::Closed, ..found }, Act::Closed, [0; 32]);
        Ok(())
    }

    /// A case.
    pub fn case(case: u64) -> Option<Case> {
        CASES.find(&case)
    }

    /// What was done in a case, counted from 0.
    pub fn entry(case: u64, number: u32) -> Option<Entry> {
        TRAIL.get(&case, number)
    }

    /// Whether each entry of a case's trail holds the digest of the one before, and the case that of the last.
    pub fn audit(case: u64) -> Result<bool, Error> {
        let found = find(case)?;
        let mut head = [0; 32];
        for number in 0..TRAIL.len(&case) {
            match TRAIL.get(&case, number) {
                Some(entry) if entry.before == head => head = entry.digest(case),
                _ => return Ok(false),
            }
        }
        Ok(head == found.head)
    }

    /// How many cases were opened.
    pub fn opened() -> u128 {
        OPENED.get()
    }
}

fn find(case: u64) -> Result<Case, Error> {
    CASES.find(&case).ok_or(Error::Unknown)
}

/// The case, if it is in this phase.
fn step(case: u64, phase: Phase) -> Result<Case, Error> {
    let found = find(case)?;
    require(found.phase == phase, Error::WrongPhase)?;
    Ok(found)
}

/// Keeps the changed case, with an entry of its trail, which is told too.
fn record(case: u64, changed: Case, act: Act, document: [u8; 32]) {
    let entry = Entry { by: caller(), time: batch_time(), act, document, before: changed.head };
    TRAIL.push(&case, &entry);
    CASES.set(&case, &Case { head: entry.digest(case), ..changed });
    emit(&Recorded { case, entry });
}
