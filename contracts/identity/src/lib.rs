//! Identifiers for people and cities: registered, with keys that rotate, and with credentials that are issued, presented and
//! revoked. No personal data is stored: an identifier is a random number, and a credential the salted digest of what it says.
//!
//! Whoever controls an identifier's key registers it, and names a guardian, who can rotate the key where it was lost. The deployer accredits
//! identifiers as issuers. An issuer issues a credential to a subject; the subject presents it to a verifier, with a number of the
//! verifier's choice that works once; the issuer revokes it. The verifier gets the credential's text and salt from the subject, off
//! the ledger, and compares the digest.
//!
//! # Conflicts
//!
//! Calls conflict where they are about one identifier or one credential and one of them changes it: a presentation runs after the
//! rotation or revocation that came before it. Presentations of one credential to different verifiers only read it, and don't wait
//! for each other; nor do two credentials of one issuer.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Each identifier.
#[slot]
const IDENTITIES: Map<[u8; 32], Identity> = Map::at(0);
/// Identifiers whose credentials count.
#[slot]
const ISSUERS: Set<[u8; 32]> = Set::at(1);
/// Each credential, by its digest.
#[slot]
const CREDENTIALS: Map<[u8; 32], Credential> = Map::at(2);
/// Credentials that their issuers revoked.
#[slot]
const REVOKED: Set<[u8; 32]> = Set::at(3);
/// Verifiers' numbers that were used, each with the credential: nobody uses up a number that another subject was given.
#[slot]
const CHALLENGES: Set<([u8; 32], Address, u64)> = Set::at(4);

/// Who speaks for an identifier.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Identity {
    /// The address of the key in force.
    pub controller: Address,
    /// Who may rotate the key too.
    pub guardian: Option<Address>,
    /// How often the key was rotated.
    pub rotations: u32,
}

/// A credential, without what it says.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Credential {
    /// Who issued it.
    pub issuer: [u8; 32],
    /// Of whom it says something.
    pub subject: [u8; 32],
    /// The time in milliseconds from which on it is not valid.
    pub expires: u64,
}

/// An identifier was registered.
#[derive(Wire, Debug, PartialEq)]
pub struct Registered {
    /// Which.
    pub id: [u8; 32],
}

/// An identifier has another key.
#[derive(Wire, Debug, PartialEq)]
pub struct Rotated {
    /// Which.
    pub id: [u8; 32],
    /// The address of the key in force.
    pub controller: Address,
}

/// A credential was issued.
#[derive(Wire, Debug, PartialEq)]
pub struct Issued {
    /// Its digest.
    pub digest: [u8; 32],
    /// Who issued it.
    pub issuer: [u8; 32],
}

/// A credential was presented, and was valid.
#[derive(Wire, Debug, PartialEq)]
pub struct Presented {
    /// Its digest.
    pub digest: [u8; 32],
    /// To whom.
    pub verifier: Address,
    /// The verifier's number.
    pub challenge: u64,
}

/// A credential was revoked.
#[derive(Wire, Debug, PartialEq)]
pub struct Revoked {
    /// Its digest.
    pub digest: [u8; 32],
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer accredits.
    NotDeployer,
    /// The identifier is taken.
    Exists,
    /// There is no such identifier or credential.
    Unknown,
    /// The caller does not control the identifier.
    NotController,
    /// The identifier is not accredited as an issuer.
    NotIssuer,
    /// The credential's time is over, or would be from the start.
    Expired,
    /// The credential was revoked.
    Revoked,
    /// The verifier's number was used before, with this credential.
    ChallengeUsed,
}

/// The contract.
pub struct IdentityRegistry;

#[contract]
impl IdentityRegistry {
    /// Registers an identifier under the caller's control.
    pub fn register(id: [u8; 32], guardian: Option<Address>) -> Result<(), Error> {
        let identity = Identity { controller: caller(), guardian, rotations: 0 };
        IDENTITIES.set_once(&id, &identity).map_err(|Refused| Error::Exists)?;
        emit(&Registered { id });
        Ok(())
    }

    /// Gives an identifier another key. Its controller and its guardian may.
    pub fn rotate(id: [u8; 32], controller: Address) -> Result<(), Error> {
        let identity = find(&id)?;
        let by = Some(caller());
        require(by == Some(identity.controller) || by == identity.guardian, Error::NotController)?;
        IDENTITIES.set(&id, &Identity { controller, rotations: identity.rotations.saturating_add(1), ..identity });
        emit(&Rotated { id, controller });
        Ok(())
    }

    /// Names another guardian, or none. The identifier's controller alone may.
    pub fn entrust(id: [u8; 32], guardian: Option<Address>) -> Result<(), Error> {
        let identity = controlled(&id)?;
        IDENTITIES.set(&id, &Identity { guardian, ..identity });
        Ok(())
    }

    /// Lets an identifier issue credentials. The deployer alone may.
    pub fn accredit(issuer: [u8; 32]) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        find(&issuer)?;
        ISSUERS.insert(&issuer);
        Ok(())
    }

    /// Ends an accreditation: the issuer's credentials are not valid until it is accredited again. The deployer alone may.
    pub fn discredit(issuer: [u8; 32]) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ISSUERS.remove(&issuer);
        Ok(())
    }

    /// Issues a credential to a subject. The controller of an accredited issuer alone may.
    pub fn issue(digest: [u8; 32], credential: Credential) -> Result<(), Error> {
        controlled(&credential.issuer)?;
        require(ISSUERS.contains(&credential.issuer), Error::NotIssuer)?;
        find(&credential.subject)?;
        require(credential.expires > batch_time(), Error::Expired)?;
        CREDENTIALS.set_once(&digest, &credential).map_err(|Refused| Error::Exists)?;
        emit(&Issued { digest, issuer: credential.issuer });
        Ok(())
    }

    /// Shows a verifier, who chose the number `challenge`, that a credential is valid and its subject here. The subject's controller
    /// alone may.
    pub fn present(digest: [u8; 32], verifier: Address, challenge: u64) -> Result<(), Error> {
        let credential = CREDENTIALS.find(&digest).ok_or(Error::Unknown)?;
        controlled(&credential.subject)?;
        standing(&digest, &credential)?;
        CHALLENGES.insert_once(&(digest, verifier, challenge)).map_err(|Refused| Error::ChallengeUsed)?;
        emit(&Presented { digest, verifier, challenge });
        Ok(())
    }

    /// Revokes a credential, for good. The controller of its issuer alone may, accredited or not.
    pub fn revoke(digest: [u8; 32]) -> Result<(), Error> {
        let credential = CREDENTIALS.find(&digest).ok_or(Error::Unknown)?;
        controlled(&credential.issuer)?;
        REVOKED.insert_once(&digest).map_err(|Refused| Error::Revoked)?;
        emit(&Revoked { digest });
        Ok(())
    }

    /// Who speaks for an identifier.
    pub fn resolve(id: [u8; 32]) -> Option<Identity> {
        IDENTITIES.find(&id)
    }

    /// A credential, if it is valid.
    pub fn valid(digest: [u8; 32]) -> Result<Credential, Error> {
        let credential = CREDENTIALS.find(&digest).ok_or(Error::Unknown)?;
        standing(&digest, &credential)?;
        Ok(credential)
    }
}

fn find(id: &[u8; 32]) -> Result<Identity, Error> {
    IDENTITIES.find(id).ok_or(Error::Unknown)
}

/// The identity, if the caller controls it.
fn controlled(id: &[u8; 32]) -> Result<Identity, Error> {
    let identity = find(id)?;
    only(identity.controller, Error::NotController)?;
    Ok(identity)
}

fn standing(digest: &[u8; 32], credential: &Credential) -> Result<(), Error> {
    require(!REVOKED.contains(digest), Error::Revoked)?;
    require(batch_time() < credential.expires, Error::Expired)?;
    require(ISSUERS.contains(&credential.issuer), Error::NotIssuer)
}
