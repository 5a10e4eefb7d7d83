//! Electronic licences: certificates that departments issue, holders share, and departments revoke.
//!
//! The deployer opens departments, each with a head, whom it may replace, and who appoints clerks. A clerk issues a certificate to a holder,
//! under a number of its department; the certificate itself is a digest here, its text stays with the holder. The holder shares it with
//! whoever shall check it, until a time; without that consent `check` answers nobody but the holder and the department's clerks. That is a rule
//! for callers, not secrecy: events tell everyone to whom a certificate was issued and with whom it is shared, and whoever runs a node can
//! read its state; so nothing secret is stored. The department revokes.
//!
//! # Conflicts
//!
//! Calls about different certificates don't meet: how many a department issued is added up without reading. Calls about one certificate
//! conflict only where one issues or revokes it, or gives or takes back the consent by which another checks it; consents to different verifiers
//! are keys of their own, and checking only reads.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// The head of each department.
#[slot]
const HEADS: Map<u32, Address> = Map::at(0);
/// The clerks of each department.
#[slot]
const CLERKS: Roles<u32> = Roles::at(1);
/// Each certificate.
#[slot]
const CERTIFICATES: Map<Number, Certificate> = Map::at(2);
/// Why a certificate was revoked.
#[slot]
const REVOCATIONS: Map<Number, u16> = Map::at(3);
/// Until when a holder lets a verifier see a certificate, in milliseconds.
#[slot]
const CONSENTS: Map<(Number, Address), u64> = Map::at(4);
/// How many certificates each department issued.
#[slot]
const ISSUED: Map<u32, u128> = Map::at(5);

/// A certificate's number.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Who issued it.
    pub department: u32,
    /// Its number there.
    pub serial: u64,
}

/// A certificate.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    /// To whom it was issued.
    pub holder: Address,
    /// What kind of licence it is; a number of the department.
    pub kind: u16,
    /// Digest of the certificate's text.
    pub digest: [u8; 32],
    /// The time in milliseconds from which on it is not valid.
    pub expires: u64,
}

/// What a verifier learns.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// It is valid.
    Valid,
    /// Its time is over.
    Expired,
    /// It was revoked, for a reason that is a number of the department.
    Revoked(u16),
}

/// A certificate was issued.
#[derive(Wire, Debug, PartialEq)]
pub struct Issued {
    /// Its number.
    pub number: Number,
    /// To whom.
    pub holder: Address,
}

/// A certificate was revoked.
#[derive(Wire, Debug, PartialEq)]
pub struct Revoked {
    /// Its number.
    pub number: Number,
    /// Why.
    pub reason: u16,
}

/// A holder lets somebody see a certificate, or no longer.
#[derive(Wire, Debug, PartialEq)]
pub struct Consent {
    /// Its number.
    pub number: Number,
    /// Who may see it.
    pub verifier: Address,
    /// Until when, in milliseconds; `None`: not any longer.
    pub until: Option<u64>,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer opens departments and replaces their heads.
    NotDeployer,
    /// The department has a head.
    DepartmentExists,
    /// Only the department's head may.
    NotHead,
    /// Only the department's clerks may.
    NotClerk,
    /// The number is taken.
    Exists,
    /// No certificate has this number.
    Unknown,
    /// Only the holder may.
    NotHolder,
    /// It was revoked before.
    AlreadyRevoked,
    /// The time lies in the past.
    Past,
    /// The holder does not share it with the caller.
    NotShared,
    /// There is no such department.
    NoDepartment,
}

/// The contract.
pub struct Licence;

#[contract]
impl Licence {
    /// Opens a department. The deployer alone may.
    pub fn open_department(department: u32, head: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        HEADS.set_once(&department, &head).map_err(|Refused| Error::DepartmentExists)
    }

    /// Gives a department another head; its clerks stay. The deployer alone may.
    pub fn replace_head(department: u32, head: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        require(HEADS.find(&department).is_some(), Error::NoDepartment)?;
        HEADS.set(&department, &head);
        Ok(())
    }

    /// Makes an address a clerk of a department. Its head alone may.
    pub fn appoint(department: u32, clerk: Address) -> Result<(), Error> {
        only_head(department)?;
        CLERKS.grant(department, clerk);
        Ok(())
    }

    /// Ends an appointment. The department's head alone may.
    pub fn dismiss(department: u32, clerk: Address) -> Result<(), Error> {
        only_head(department)?;
        CLERKS.revoke(department, clerk);
        Ok(())
    }

    /// Issues a certificate. The department's clerks alone may.
    pub fn issue(number: Number, certificate: Certificate) -> Result<(), Error> {
        CLERKS.require(number.department, Error::NotClerk)?;
        require(certificate.expires > batch_time(), Error::Past)?;
        CERTIFICATES.set_once(&number, &certificate).map_err(|Refused| Error::Exists)?;
        ISSUED.add(&number.department, 1).or_abort("more certificates than numbers");
        emit(&Issued { number, holder: certificate.holder });
        Ok(())
    }

    /// Revokes a certificate, for good. The department's clerks alone may.
    pub fn revoke(number: Number, reason: u16) -> Result<(), Error> {
        CLERKS.require(number.department, Error::NotClerk)?;
        find(number)?;
        REVOCATIONS.set_once(&number, &reason).map_err(|Refused| Error::AlreadyRevoked)?;
        emit(&Revoked { number, reason });
        Ok(())
    }

    /// Lets a verifier see a certificate until a time in milliseconds. The holder alone may.
    pub fn share(number: Number, verifier: Address, until: u64) -> Result<(), Error> {
        only(find(number)?.holder, Error::NotHolder)?;
        require(until > batch_time(), Error::Past)?;
        CONSENTS.set(&(number, verifier), &until);
        emit(&Consent { number, verifier, until: Some(until) });
        Ok(())
    }

    /// Takes a consent back. The holder alone may.
    pub fn unshare(number: Number, verifier: Address) -> Result<(), Error> {
        only(find(number)?.holder, Error::NotHolder)?;
        CONSENTS.remove(&(number, verifier));
        emit(&Consent { number, verifier, until: None });
        Ok(())
    }

    /// A certificate and whether it is valid. The holder may ask, the department's clerks, and with whom it is shared.
    pub fn check(number: Number) -> Result<(Certificate, Standing), Error> {
        let certificate = find(number)?;
        let verifier = caller();
        let shared = || CONSENTS.find(&(number, verifier)).is_some_and(|until| batch_time() < until);
        let allowed = verifier == certificate.holder || shared() || CLERKS.has(number.department, verifier);
        require(allowed, Error::NotShared)?;
        let standing = match REVOCATIONS.find(&number) {
            Some(reason) => Standing::Revoked(reason),
            None if certificate.expires <= batch_time() => Standing::Expired,
            None => Standing::Valid,
        };
        Ok((certificate, standing))
    }

    /// How many certificates a department issued.
    pub fn issued(department: u32) -> u128 {
        ISSUED.get(&department)
    }
}

fn only_head(department: u32) -> Result<(), Error> {
    only(HEADS.find(&department).ok_or(Error::NotHead)?, Error::NotHead)
}

fn find(number: Number) -> Result<Certificate, Error> {
    CERTIFICATES.find(&number).ok_or(Error::Unknown)
}
