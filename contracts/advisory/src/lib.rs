//! Vulnerability records that are sealed until a date, by the time of the batches.
//!
//! A reporter files a digest of its address and what it found, salted, with the day of disclosure; once the text is disclosed, it is proven
//! who knew it since when. Until then the ledger has the digest alone, unless somebody tries to disclose too early: that is refused, but what
//! a refused call said is in the log, which whoever runs a node can read. The vendor that the deployer registered for the product
//! acknowledges the record, and says when it is fixed. A coordinator, whom the deployer appoints, may move the day until it is fixed, but
//! never beyond 180 days after the report. From that day on, or once it is fixed, whoever has text and salt discloses it, and the contract
//! checks that it is what was reported. A reporter may withdraw a record until it is disclosed.
//!
//! # Conflicts
//!
//! Calls about one record run in order; others don't meet. Filing reads whether its number is taken and whether the product has a vendor, and
//! counts without reading; the vendor's steps read who that is. Time is the batch's: all calls of a batch see the same, so which calls are early does not depend on
//! how they are executed.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Who may do what.
#[slot]
const ROLES: Roles<Role> = Roles::at(0);
/// The vendor of each product.
#[slot]
const VENDORS: Map<u32, Address> = Map::at(1);
/// Each record.
#[slot]
const ADVISORIES: Map<u64, Advisory> = Map::at(2);
/// Texts that were disclosed.
#[slot]
const TEXTS: Map<u64, Bytes<TEXT_BYTES_MAX>> = Map::at(3);
/// How many records were filed for each product.
#[slot]
const FILED: Map<u32, u128> = Map::at(4);

/// Longest text in bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// The longest time from report to disclosure in milliseconds: 180 days.
pub const SEALED_MAX: u64 = 180 * 24 * 60 * 60 * 1_000;

/// What an address may do.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Move days of disclosure.
    Coordinator,
}

/// How far a record has come.
#[derive(Wire, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The vendor has not answered.
    Reported,
    /// The vendor knows of it.
    Acknowledged,
    /// The vendor has fixed it.
    Fixed,
    /// Everyone may read it.
    Disclosed,
    /// The reporter took it back.
    Withdrawn,
}

/// A record.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Advisory {
    /// What is vulnerable.
    pub product: u32,
    /// Who found it.
    pub reporter: Address,
    /// SHA-256 of reporter, salt and text, see [`seal`].
    pub seal: [u8; 32],
    /// When it was reported, in milliseconds.
    pub reported: u64,
    /// From when on it may be disclosed, in milliseconds.
    pub disclosed_from: u64,
    /// How far it has come.
    pub phase: Phase,
}

/// A record came to another phase, or has another day of disclosure.
#[derive(Wire, Debug, PartialEq)]
pub struct Changed {
    /// Its number.
    pub advisory: u64,
    /// Where it is now.
    pub phase: Phase,
    /// From when on it may be disclosed, in milliseconds.
    pub disclosed_from: u64,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer may.
    NotDeployer,
    /// The caller is no coordinator.
    NotCoordinator,
    /// The product has no vendor, or another one than the caller.
    NotVendor,
    /// Somebody else reported it.
    NotReporter,
    /// The number is taken.
    Exists,
    /// No record has this number.
    Unknown,
    /// The record has not come so far, or is past it.
    WrongPhase,
    /// The day of disclosure lies in the past, or beyond [`SEALED_MAX`] after the report.
    BadDay,
    /// The day of disclosure has not come.
    TooEarly,
    /// A text has 1 to [`TEXT_BYTES_MAX`] bytes.
    BadLength,
    /// This is not what was reported.
    OtherText,
}

/// The contract.
pub struct Advisories;

#[contract]
impl Advisories {
    /// Makes an address a coordinator. The deployer alone may.
    pub fn appoint(coordinator: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.grant(Role::Coordinator, coordinator);
        Ok(())
    }

    /// Ends an appointment. The deployer alone may.
    pub fn dismiss(coordinator: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.revoke(Role::Coordinator, coordinator);
        Ok(())
    }

    /// Makes an address the vendor of a product. The deployer alone may.
    pub fn register_vendor(product: u32, vendor: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        VENDORS.set(&product, &vendor);
        Ok(())
    }

    /// Files a sealed record about a registered product, for disclosure from a time in milliseconds.
    pub fn report(advisory: u64, product: u32, seal: [u8; 32], disclosed_from: u64) -> Result<(), Error> {
        require(VENDORS.find(&product).is_some(), Error::NotVendor)?;
        require(ADVISORIES.find(&advisory).is_none(), Error::Exists)?;
        let reported = batch_time();
        check_day(reported, disclosed_from)?;
        FILED.add(&product, 1).or_abort("more records than numbers");
        let reporter = caller();
        change(advisory, Advisory { product, reporter, seal, reported, disclosed_from, phase: Phase::Reported });
        Ok(())
    }

    /// Says that the vendor knows of it. The product's vendor alone may.
    pub fn acknowledge(advisory: u64) -> Result<(), Error> {
        let found = step(advisory, &[Phase::Reported])?;
        only_vendor(found.product)?;
        change(advisory, Advisory { phase: Phase::Acknowledged, ..found });
        Ok(())
    }

    /// Says that it is fixed, after which it may be disclosed. The product's vendor alone may.
    pub fn fix(advisory: u64) -> Result<(), Error> {
        let found = step(advisory, &[Phase::Reported, Phase::Acknowledged])?;
        only_vendor(found.product)?;
        change(advisory, Advisory { phase: Phase::Fixed, ..found });
        Ok(())
    }

    /// Moves the day of disclosure. Coordinators alone may.
    pub fn reschedule(advisory: u64, disclosed_from: u64) -> Result<(), Error> {
        ROLES.require(Role::Coordinator, Error::NotCoordinator)?;
        let found = step(advisory, &[Phase::Reported, Phase::Acknowledged])?;
        check_day(found.reported, disclosed_from)?;
        change(advisory, Advisory { disclosed_from, ..found });
        Ok(())
    }

    /// Takes a record back before it is disclosed. Its reporter alone may.
    pub fn withdraw(advisory: u64) -> Result<(), Error> {
        let found = step(advisory, &[Phase::Reported, Phase::Acknowledged, Phase::Fixed])?;
        only(found.reporter, Error::NotReporter)?;
        change(advisory, Advisory { phase: Phase::Withdrawn, ..found });
        Ok(())
    }

    /// Publishes the text of a record that is fixed or whose day has come. Whoever has text and salt may.
    pub fn disclose(advisory: u64, salt: [u8; 32], text: &[u8]) -> Result<(), Error> {
        let found = step(advisory, &[Phase::Reported, Phase::Acknowledged, Phase::Fixed])?;
        require(found.phase == Phase::Fixed || batch_time() >= found.disclosed_from, Error::TooEarly)?;
        let kept = Bytes::new(text).filter(|_| !text.is_empty()).ok_or(Error::BadLength)?;
        require(seal(found.reporter, &salt, text) == Some(found.seal), Error::OtherText)?;
        TEXTS.set(&advisory, &kept);
        change(advisory, Advisory { phase: Phase::Disclosed, ..found });
        Ok(())
    }

    /// A record.
    pub fn advisory(advisory: u64) -> Option<Advisory> {
        ADVISORIES.find(&advisory)
    }

    /// The text of a record that was disclosed.
    pub fn text(advisory: u64) -> Option<Bytes<TEXT_BYTES_MAX>> {
        TEXTS.find(&advisory)
    }

    /// How many records were filed for a product.
    pub fn filed(product: u32) -> u128 {
        FILED.get(&product)
    }
}

/// SHA-256 of reporter, salt and text: who copies another's seal into a record of its own can never disclose it. `None` if the text is
/// longer than [`TEXT_BYTES_MAX`].
pub fn seal(reporter: Address, salt: &[u8; 32], text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 64 + TEXT_BYTES_MAX];
    bytes[..32].copy_from_slice(&reporter.0);
    bytes[32..64].copy_from_slice(salt);
    bytes[64..].get_mut(..text.len())?.copy_from_slice(text);
    Some(hash::sha256(bytes.get(..64 + text.len())?))
}

fn check_day(reported: u64, disclosed_from: u64) -> Result<(), Error> {
    let latest = reported.saturating_add(SEALED_MAX);
    require(disclosed_from > batch_time() && disclosed_from <= latest, Error::BadDay)
}

fn only_vendor(product: u32) -> Result<(), Error> {
    only(VENDORS.find(&product).ok_or(Error::NotVendor)?, Error::NotVendor)
}

/// The record, if it is in one of these phases.
fn step(advisory: u64, phases: &[Phase]) -> Result<Advisory, Error> {
    let found = ADVISORIES.find(&advisory).ok_or(Error::Unknown)?;
    require(phases.contains(&found.phase), Error::WrongPhase)?;
    Ok(found)
}

fn change(advisory: u64, changed: Advisory) {
    ADVISORIES.set(&advisory, &changed);
    emit(&Changed { advisory, phase: changed.phase, disclosed_from: changed.disclosed_from });
}
