//! `identity`: credentials are issued, presented twice, with a rotation of the subject's key between, and revoked.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_engine::Address;
use phalanx_identity::{Credential, Identity as Registered};

const IDENTITIES: u8 = 0;
const CREDENTIALS: u8 = 2;
const REVOKED: u8 = 3;

const STEPS: u64 = 5;
const CITIES: u64 = 16;

/// The workload.
pub(super) struct Identity(pub(super) Parties);

impl Identity {
    fn city(&self, number: u64) -> Address {
        self.0.digest(u64::MAX - number % CITIES)
    }

    /// The credential of a number, with the keys of its issuer and its subject.
    fn credential(&self, number: u64) -> (Credential, Address, Address) {
        let (city, [person, _]) = (self.city(number), self.0.two(number));
        (Credential { issuer: id(&city), subject: id(&person), expires: u64::MAX }, city, person)
    }
}

/// The identifier that the key of an address registers.
fn id(key: &Address) -> [u8; 32] {
    *blake3::hash(key).as_bytes()
}

impl Application for Identity {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/identity.wasm");

    fn name(&self) -> &'static str {
        "identity"
    }

    fn describe(&self) -> String {
        format!(
            "credentials (contracts/identity) of {CITIES} cities that are issued, presented, presented again after a rotation \
             of the subject's key, and revoked, 1 % refused"
        )
    }

    fn set_up_calls(&self) -> u64 {
        2 * CITIES + self.0.all()
    }

    fn set_up(&self, index: u64) -> Ask {
        let register = |key: Address| Ask::new(key, "register", &(id(&key), None::<Address>));
        match index {
            0..CITIES => register(self.city(index)),
            _ if index < 2 * CITIES => Ask::new(DEPLOYER, "accredit", &(id(&self.city(index)),)),
            _ => register(self.0.nth(index - 2 * CITIES)),
        }
    }

    fn ask(&self, number: u64) -> Ask {
        let (thing, step) = self.0.steps(STEPS).of(number);
        let digest = self.0.digest(thing);
        let (credential, city, person) = self.credential(thing);
        let [_, verifier] = self.0.two(thing);
        match step {
            0 => Ask::new(city, "issue", &(digest, credential)),
            1 | 3 => Ask::new(person, "present", &(digest, verifier, number)),
            2 => Ask::new(person, "rotate", &(credential.subject, person)),
            _ => Ask::new(city, "revoke", &(digest,)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        Some(Ask::new(STRANGER, "issue", &(self.0.digest(!index), self.credential(index).0)))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let things = self.0.steps(STEPS).things(asked);
        let holds = |thing: u64| {
            let digest = self.0.digest(thing);
            let revoked = (self.0.steps(STEPS).done(thing, asked) == 5).then_some(());
            state.get(CREDENTIALS, &digest) == Some(self.credential(thing).0) && state.get(REVOKED, &digest) == revoked
        };
        let rotated = (0..things).filter(|thing| self.0.steps(STEPS).done(*thing, asked) >= 3).count() as u64;
        let rotations = |key: Address| {
            let found: Option<Registered> = state.get(IDENTITIES, &id(&key));
            found.filter(|found| found.controller.0 == key).map_or(0, |found| u64::from(found.rotations))
        };
        let registered = |index| state.get::<Registered>(IDENTITIES, &id(&self.0.nth(index))).is_some();
        Checks::new("identifiers and credentials")
            .equal("rotations", rotated, self.0.everyone().map(rotations).sum())
            .each("identifiers", self.0.all(), registered)
            .each("credentials", things, holds)
            .finish()
    }
}
