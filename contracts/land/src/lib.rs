//! A land register: parcels, their owners, and transfers that several authorities must approve.
//!
//! The deployer appoints officers of three authorities. The registry registers parcels, and blocks one where a court orders it.
//! An owner proposes a transfer; the new owner accepts it; survey office, tax office and registry approve, each by an officer of its own
//! who approves for no other authority; with the last of these four consents the parcel changes hands. An authority may refuse,
//! and the owner may withdraw, until then.
//!
//! # Conflicts
//!
//! Calls about one parcel run in order: they read and write its record or its proposal. Calls about different parcels don't meet: how many
//! parcels an owner has is added to and subtracted from. Approvals read the officer's appointment.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod records;

use phalanx_contract::*;
pub use records::{Authority, Error, Parcel, Proposal, Proposed, Refusal, Registered, Title, Transferred};

/// The officers of each authority.
#[slot]
const OFFICERS: Roles<Authority> = Roles::at(0);
/// Each parcel.
#[slot]
const PARCELS: Map<u64, Parcel> = Map::at(1);
/// The transfer of a parcel that waits for consents.
#[slot]
const PROPOSALS: Map<u64, Proposal> = Map::at(2);
/// All owners of a parcel, in order.
#[slot]
const TITLES: List<u64, Title> = List::at(3);
/// How many parcels an owner has.
#[slot]
const COUNTS: Map<Address, u128> = Map::at(4);

/// The contract.
pub struct Land;

#[contract]
impl Land {
    /// Makes an address an officer of an authority. The deployer alone may.
    pub fn appoint(authority: Authority, officer: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        OFFICERS.grant(authority, officer);
        Ok(())
    }

    /// Ends an appointment. Approvals that were given stand. The deployer alone may.
    pub fn dismiss(authority: Authority, officer: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        OFFICERS.revoke(authority, officer);
        Ok(())
    }

    /// Registers a parcel, by the digest of its description, for its first owner. The registry alone may.
    pub fn register(parcel: u64, owner: Address, description: [u8; 32]) -> Result<(), Error> {
        OFFICERS.require(Authority::Registry, Error::NotOfficer)?;
        let registered = Parcel { owner, description, blocked: false };
        PARCELS.set_once(&parcel, &registered).map_err(|Refused| Error::Exists)?;
        TITLES.push(&parcel, &Title { owner, since: batch_time() });
        count_in(&owner);
        emit(&Registered { parcel, owner });
        Ok(())
    }

    /// Blocks a parcel for transfers, or frees it. The registry alone may.
    pub fn block(parcel: u64, blocked: bool) -> Result<(), Error> {
        OFFICERS.require(Authority::Registry, Error::NotOfficer)?;
        let found = find(parcel)?;
        PARCELS.set(&parcel, &Parcel { blocked, ..found });
        Ok(())
    }

    /// Proposes to give a parcel to another owner. Its owner alone may, one proposal at a time.
    pub fn propose(parcel: u64, to: Address) -> Result<(), Error> {
        let found = find(parcel)?;
        only(found.owner, Error::NotOwner)?;
        require(!found.blocked, Error::Blocked)?;
        require(to != found.owner, Error::AlreadyOwner)?;
        require(PROPOSALS.find(&parcel).is_none(), Error::AlreadyProposed)?;
        PROPOSALS.set(&parcel, &Proposal { to, ..Proposal::default() });
        emit(&Proposed { parcel, to });
        Ok(())
    }

    /// Takes a proposal back. The parcel's owner alone may.
    pub fn withdraw(parcel: u64) -> Result<(), Error> {
        only(find(parcel)?.owner, Error::NotOwner)?;
        proposal(parcel)?;
        PROPOSALS.remove(&parcel);
        Ok(())
    }

    /// Accepts a proposal. The new owner alone may. Answers with whether this was the last consent.
    pub fn accept(parcel: u64) -> Result<bool, Error> {
        let mut proposal = proposal(parcel)?;
        only(proposal.to, Error::NotNewOwner)?;
        require(!proposal.accepted, Error::AlreadyConsented)?;
        proposal.accepted = true;
        consent(parcel, proposal)
    }

    /// Approves the proposal to give a parcel to `to`, for an authority. Its officers alone may, once for each authority, and nobody for
    /// two. Answers with whether this was the last consent.
    pub fn approve(parcel: u64, authority: Authority, to: Address) -> Result<bool, Error> {
        OFFICERS.require(authority, Error::NotOfficer)?;
        let mut proposal = proposal_to(parcel, to)?;
        let officer = Some(caller());
        require(proposal.approval(authority).is_none(), Error::AlreadyConsented)?;
        require(![proposal.survey, proposal.tax, proposal.registry].contains(&officer), Error::ApprovedForAnother)?;
        *proposal.approval(authority) = officer;
        consent(parcel, proposal)
    }

    /// Refuses the proposal to give a parcel to `to`, for an authority, which ends it. Its officers alone may.
    pub fn refuse(parcel: u64, authority: Authority, to: Address, reason: u16) -> Result<(), Error> {
        OFFICERS.require(authority, Error::NotOfficer)?;
        proposal_to(parcel, to)?;
        PROPOSALS.remove(&parcel);
        emit(&Refusal { parcel, authority, reason });
        Ok(())
    }

    /// A parcel.
    pub fn parcel(parcel: u64) -> Option<Parcel> {
        PARCELS.find(&parcel)
    }

    /// The proposal for a parcel, if one waits.
    pub fn proposal(parcel: u64) -> Option<Proposal> {
        PROPOSALS.find(&parcel)
    }

    /// An owner of a parcel, counted from 0 at the first.
    pub fn title(parcel: u64, number: u32) -> Option<Title> {
        TITLES.get(&parcel, number)
    }

    /// How many parcels an owner has.
    pub fn count_of(owner: Address) -> u128 {
        COUNTS.get(&owner)
    }
}

fn find(parcel: u64) -> Result<Parcel, Error> {
    PARCELS.find(&parcel).ok_or(Error::Unknown)
}

fn proposal(parcel: u64) -> Result<Proposal, Error> {
    PROPOSALS.find(&parcel).ok_or(Error::NoProposal)
}

/// The proposal that an officer looked at: the owner may have put another in its place meanwhile.
fn proposal_to(parcel: u64, to: Address) -> Result<Proposal, Error> {
    let found = proposal(parcel)?;
    require(found.to == to, Error::OtherProposal)?;
    Ok(found)
}

/// Keeps the proposal, or, where nobody's consent is missing, carries it out.
fn consent(parcel: u64, proposal: Proposal) -> Result<bool, Error> {
    let found = find(parcel)?;
    require(!found.blocked, Error::Blocked)?;
    if !proposal.is_complete() {
        PROPOSALS.set(&parcel, &proposal);
        return Ok(false);
    }
    let (from, to) = (found.owner, proposal.to);
    PROPOSALS.remove(&parcel);
    PARCELS.set(&parcel, &Parcel { owner: to, ..found });
    TITLES.push(&parcel, &Title { owner: to, since: batch_time() });
    COUNTS.sub(&from, 1).or_abort("an owner has fewer parcels than it owns");
    count_in(&to);
    emit(&Transferred { parcel, from, to });
    Ok(true)
}

fn count_in(owner: &Address) {
    COUNTS.add(owner, 1).or_abort("an owner has more parcels than there are");
}
