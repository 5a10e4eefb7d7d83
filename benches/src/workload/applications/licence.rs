//! `licence`: certificates are issued, shared, checked and, every fourth, revoked.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_contract::Address as Account;
use phalanx_engine::Address;
use phalanx_licence::{Certificate, Number};

const CERTIFICATES: u8 = 2;
const REVOCATIONS: u8 = 3;
const CONSENTS: u8 = 4;
const ISSUED: u8 = 5;

const STEPS: u64 = 4;
const DEPARTMENTS: u64 = 16;
/// Why certificates are revoked.
const REASON: u16 = 7;

/// The workload.
pub(super) struct Licence(pub(super) Parties);

impl Licence {
    /// The head of a department, who is its clerk too.
    fn clerk(&self, department: u32) -> Address {
        self.0.digest(u64::MAX - u64::from(department))
    }

    fn number(&self, thing: u64) -> Number {
        Number { department: (thing % DEPARTMENTS) as u32, serial: thing }
    }

    fn certificate(&self, thing: u64) -> Certificate {
        let [holder, _] = self.0.two(thing);
        Certificate { holder: Account(holder), kind: 1, digest: self.0.digest(thing), expires: u64::MAX }
    }
}

fn is_revoked(thing: u64) -> bool {
    thing.is_multiple_of(4)
}

impl Application for Licence {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/licence.wasm");

    fn name(&self) -> &'static str {
        "licence"
    }

    fn describe(&self) -> String {
        format!(
            "certificates (contracts/licence) of {DEPARTMENTS} departments that are issued, shared, checked, and revoked or \
             not shared any longer, 1 % refused"
        )
    }

    fn set_up_calls(&self) -> u64 {
        2 * DEPARTMENTS
    }

    fn set_up(&self, index: u64) -> Ask {
        let department = (index / 2) as u32;
        let clerk = self.clerk(department);
        match index % 2 {
            0 => Ask::new(DEPLOYER, "open_department", &(department, clerk)),
            _ => Ask::new(clerk, "appoint", &(department, clerk)),
        }
    }

    fn ask(&self, number: u64) -> Ask {
        let (thing, step) = self.0.steps(STEPS).of(number);
        let [holder, verifier] = self.0.two(thing);
        let number = self.number(thing);
        let clerk = self.clerk(number.department);
        match step {
            0 => Ask::new(clerk, "issue", &(number, self.certificate(thing))),
            1 => Ask::new(holder, "share", &(number, verifier, u64::MAX)),
            2 => Ask::new(verifier, "check", &(number,)),
            _ if is_revoked(thing) => Ask::new(clerk, "revoke", &(number, REASON)),
            _ => Ask::new(holder, "unshare", &(number, verifier)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        let (thing, _) = self.0.steps(STEPS).of(index);
        Some(Ask::new(STRANGER, "issue", &(self.number(!thing), self.certificate(thing))))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let things = self.0.steps(STEPS).things(asked);
        let holds = |thing: u64| {
            let (number, done) = (self.number(thing), self.0.steps(STEPS).done(thing, asked));
            let [_, verifier] = self.0.two(thing);
            let revoked = (done == 4 && is_revoked(thing)).then_some(REASON);
            let shared = (done >= 2 && (done < 4 || is_revoked(thing))).then_some(u64::MAX);
            state.get(CERTIFICATES, &number) == Some(self.certificate(thing))
                && state.get(REVOCATIONS, &number) == revoked
                && state.get(CONSENTS, &(number, verifier)) == shared
        };
        let issued = (0..DEPARTMENTS as u32).map(|department| state.number(ISSUED, &department)).sum();
        Checks::new("certificates")
            .equal("issued", u128::from(things), issued)
            .each("certificates", things, holds)
            .finish()
    }
}
