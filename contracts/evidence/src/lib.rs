//! Court evidence: documents notarised and verified, with a chain of custody that has no gaps.
//!
//! The court (the deployer) appoints officers. An officer notarises a document of at most 1 KiB, whose SHA-256 is its id from then
//! on, and has custody of it. Custody moves in two steps: the custodian hands over, the receiver takes over; until then it
//! stays where it was. Nothing that was written is ever changed.
//!
//! # Conflicts
//!
//! Calls about different documents do not meet: the count of all documents is added to, not read. Calls about one document run in
//! order, which is what a chain of custody is. Each call reads the roles of its officers, so it runs after their appointment or dismissal.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Who may notarise and have custody.
#[slot]
const ROLES: Roles<Role> = Roles::at(0);
/// Each notarised document.
#[slot]
const RECORDS: Map<[u8; 32], Record> = Map::at(1);
/// The documents themselves.
#[slot]
const DOCUMENTS: Map<[u8; 32], Bytes<DOCUMENT_BYTES_MAX>> = Map::at(2);
/// Everyone who had custody of a document, in order.
#[slot]
const CUSTODY: List<[u8; 32], Custody> = List::at(3);
/// To whom the custodian hands over, until that officer takes over.
#[slot]
const HANDOVERS: Map<[u8; 32], Address> = Map::at(4);
/// How many documents were notarised.
#[slot]
const NOTARISED: Item<u128> = Item::at(5);

/// Longest document in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1_024;

/// What an address may do.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Notarise and have custody.
    Officer,
}

/// When a document was notarised, and by whom.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// The officer.
    pub notary: Address,
    /// The batch.
    pub height: u64,
    /// Its time in milliseconds.
    pub time: u64,
}

/// One link of the chain of custody.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Custody {
    /// Who had custody from then on.
    pub holder: Address,
    /// The time in milliseconds when custody began.
    pub since: u64,
}

/// A document was notarised.
#[derive(Wire, Debug, PartialEq)]
pub struct Notarised {
    /// SHA-256 of the document.
    pub id: [u8; 32],
    /// The officer, who has custody.
    pub notary: Address,
}

/// Custody went from one officer to another.
#[derive(Wire, Debug, PartialEq)]
pub struct TakenOver {
    /// The document.
    pub id: [u8; 32],
    /// Who had custody.
    pub from: Address,
    /// Who has it.
    pub to: Address,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer appoints and dismisses.
    NotDeployer,
    /// The caller, or who shall have custody, is no officer.
    NotOfficer,
    /// A document has 1 to [`DOCUMENT_BYTES_MAX`] bytes.
    BadLength,
    /// The document was notarised before.
    AlreadyNotarised,
    /// No document has this id.
    Unknown,
    /// Another officer has custody.
    NotCustodian,
    /// Custody is not handed over to the caller.
    NotOffered,
    /// The custodian has custody already.
    SameOfficer,
}

/// The contract.
pub struct Evidence;

#[contract]
impl Evidence {
    /// Makes an address an officer. The deployer alone may.
    pub fn appoint(officer: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.grant(Role::Officer, officer);
        Ok(())
    }

    /// Ends an appointment. What the officer has custody of stays in it until it is handed over. The deployer alone may.
    pub fn dismiss(officer: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.revoke(Role::Officer, officer);
        Ok(())
    }

    /// Keeps a document under its SHA-256, which is the answer, in the caller's custody. Officers alone may.
    pub fn notarise(document: &[u8]) -> Result<[u8; 32], Error> {
        ROLES.require(Role::Officer, Error::NotOfficer)?;
        let kept = Bytes::new(document).filter(|_| !document.is_empty()).ok_or(Error::BadLength)?;
        let (id, notary) = (hash::sha256(document), caller());
        let record = Record { notary, height: height(), time: batch_time() };
        RECORDS.set_once(&id, &record).map_err(|Refused| Error::AlreadyNotarised)?;
        DOCUMENTS.set(&id, &kept);
        CUSTODY.push(&id, &Custody { holder: notary, since: batch_time() });
        NOTARISED.add(1).or_abort("more documents than numbers");
        emit(&Notarised { id, notary });
        Ok(id)
    }

    /// When and by whom this very document was notarised, if it was.
    pub fn verify(document: &[u8]) -> Option<Record> {
        RECORDS.find(&hash::sha256(document))
    }

    /// Offers custody to another officer, in place of any offer before. The custodian alone may, dismissed or not.
    pub fn hand_over(id: [u8; 32], to: Address) -> Result<(), Error> {
        only(custodian(&id)?, Error::NotCustodian)?;
        require(to != caller(), Error::SameOfficer)?;
        require(ROLES.has(Role::Officer, to), Error::NotOfficer)?;
        HANDOVERS.set(&id, &to);
        Ok(())
    }

    /// Takes custody that was offered to the caller, who must still be an officer.
    pub fn take_over(id: [u8; 32]) -> Result<(), Error> {
        let (from, to) = (custodian(&id)?, caller());
        require(HANDOVERS.find(&id) == Some(to), Error::NotOffered)?;
        ROLES.require(Role::Officer, Error::NotOfficer)?;
        HANDOVERS.remove(&id);
        CUSTODY.push(&id, &Custody { holder: to, since: batch_time() });
        emit(&TakenOver { id, from, to });
        Ok(())
    }

    /// What was notarised of a document.
    pub fn record(id: [u8; 32]) -> Option<Record> {
        RECORDS.find(&id)
    }

    /// The document.
    pub fn document(id: [u8; 32]) -> Option<Bytes<DOCUMENT_BYTES_MAX>> {
        DOCUMENTS.find(&id)
    }

    /// How many links the chain of custody has; 0 for an unknown document.
    pub fn custody_len(id: [u8; 32]) -> u32 {
        CUSTODY.len(&id)
    }

    /// A link of the chain of custody, counted from 0.
    pub fn custody(id: [u8; 32], number: u32) -> Option<Custody> {
        CUSTODY.get(&id, number)
    }

    /// How many documents were notarised.
    pub fn notarised() -> u128 {
        NOTARISED.get()
    }
}

fn custodian(id: &[u8; 32]) -> Result<Address, Error> {
    CUSTODY.last(id).map(|custody| custody.holder).ok_or(Error::Unknown)
}
