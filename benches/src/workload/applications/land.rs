//! `land`: parcels are registered, proposed to another owner, accepted and approved by three authorities.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_engine::Address;
use phalanx_land::{Authority, Parcel};

const PARCELS: u8 = 1;
const TITLES: u8 = 3;
const COUNTS: u8 = 4;

const STEPS: u64 = 6;
const AUTHORITIES: [Authority; 3] = [Authority::Registry, Authority::Survey, Authority::Tax];

/// The workload.
pub(super) struct Land(pub(super) Parties);

impl Land {
    /// The officer of the authority of an index.
    fn officer(&self, authority: usize) -> Address {
        self.0.digest(u64::MAX - authority as u64)
    }
}

impl Application for Land {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/land.wasm");

    fn name(&self) -> &'static str {
        "land"
    }

    fn describe(&self) -> String {
        "parcels (contracts/land) that are registered, proposed, accepted and approved by three authorities, 1 % refused".into()
    }

    fn set_up_calls(&self) -> u64 {
        AUTHORITIES.len() as u64
    }

    fn set_up(&self, index: u64) -> Ask {
        Ask::new(DEPLOYER, "appoint", &(AUTHORITIES[index as usize], self.officer(index as usize)))
    }

    fn ask(&self, number: u64) -> Ask {
        let (parcel, step) = self.0.steps(STEPS).of(number);
        let [from, to] = self.0.two(parcel);
        match step {
            0 => Ask::new(self.officer(0), "register", &(parcel, from, self.0.digest(parcel))),
            1 => Ask::new(from, "propose", &(parcel, to)),
            2 => Ask::new(to, "accept", &(parcel,)),
            _ => {
                let authority = step as usize - 3;
                Ask::new(self.officer(authority), "approve", &(parcel, AUTHORITIES[authority], to))
            }
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        let (parcel, _) = self.0.steps(STEPS).of(index);
        Some(Ask::new(STRANGER, "approve", &(parcel, Authority::Tax, self.0.two(parcel)[1])))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let parcels = self.0.steps(STEPS).things(asked);
        let holds = |parcel: u64| {
            let [from, to] = self.0.two(parcel);
            let (owner, titles) = if self.0.steps(STEPS).done(parcel, asked) == 6 { (to, 2u32) } else { (from, 1) };
            let found: Option<Parcel> = state.get(PARCELS, &parcel);
            found.is_some_and(|found| found.owner.0 == owner) && state.get(TITLES, &parcel) == Some(titles)
        };
        Checks::new("owners of parcels")
            .equal("parcels counted", u128::from(parcels), state.sum(COUNTS, self.0.everyone()))
            .each("parcels", parcels, holds)
            .finish()
    }
}
