//! `advisory`: vulnerabilities are reported, acknowledged, fixed and disclosed.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_advisory::{Advisory as Record, Phase, seal};
use phalanx_contract::Address as Account;
use phalanx_engine::Address;
use rand::Rng;

const ADVISORIES: u8 = 2;
const TEXTS: u8 = 3;
const FILED: u8 = 4;

const STEPS: u64 = 4;
const PRODUCTS: u64 = 16;
const TEXT_BYTES: usize = 200;
/// The day of disclosure of all records, in milliseconds: below the limit at the first batch, and at the fifteen-millionth still to come.
const DAY: u64 = 15_000_000_000;
/// A record that was reported before the clock starts, and is disclosed too early again and again.
const SEALED: u64 = u64::MAX;

/// The workload.
pub(super) struct Advisory(pub(super) Parties);

impl Advisory {
    fn vendor(&self, product: u32) -> Address {
        self.0.digest(u64::MAX - 1 - u64::from(product))
    }

    fn salt_and_text(&self, advisory: u64) -> ([u8; 32], [u8; TEXT_BYTES]) {
        let mut text = [0; TEXT_BYTES];
        self.0.dice(!advisory).fill_bytes(&mut text);
        (self.0.digest(advisory), text)
    }

    fn report(&self, advisory: u64) -> Ask {
        let (salt, text) = self.salt_and_text(advisory);
        let reporter = self.0.one(advisory);
        let seal = seal(Account(reporter), &salt, &text).expect("the text is short");
        Ask::new(reporter, "report", &(advisory, product(advisory), seal, DAY))
    }

    fn disclose(&self, sender: Address, advisory: u64) -> Ask {
        let (salt, text) = self.salt_and_text(advisory);
        Ask::new(sender, "disclose", &(advisory, salt, &text[..]))
    }
}

fn product(advisory: u64) -> u32 {
    (advisory % PRODUCTS) as u32
}

impl Application for Advisory {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/advisory.wasm");
    /// A disclosure; all of a batch may be some.
    const CALL_BYTES: usize = 288;

    fn name(&self) -> &'static str {
        "advisory"
    }

    fn describe(&self) -> String {
        format!(
            "vulnerabilities (contracts/advisory) of {PRODUCTS} products that are reported, acknowledged, fixed and disclosed; \
             1 % of the calls would disclose too early, and are refused"
        )
    }

    fn set_up_calls(&self) -> u64 {
        PRODUCTS + 1
    }

    fn set_up(&self, index: u64) -> Ask {
        if index == PRODUCTS {
            return self.report(SEALED);
        }
        Ask::new(DEPLOYER, "register_vendor", &(product(index), self.vendor(product(index))))
    }

    fn ask(&self, number: u64) -> Ask {
        let (advisory, step) = self.0.steps(STEPS).of(number);
        let vendor = self.vendor(product(advisory));
        match step {
            0 => self.report(advisory),
            1 => Ask::new(vendor, "acknowledge", &(advisory,)),
            2 => Ask::new(vendor, "fix", &(advisory,)),
            _ => self.disclose(self.0.one(advisory), advisory),
        }
    }

    fn refused(&self, _index: u64) -> Option<Ask> {
        Some(self.disclose(STRANGER, SEALED))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let advisories = self.0.steps(STEPS).things(asked);
        let text_of = |advisory: u64| state.get::<phalanx_contract::Bytes<1_024>>(TEXTS, &advisory);
        let holds = |advisory: u64| {
            let done = self.0.steps(STEPS).done(advisory, asked) as usize;
            let phase = [Phase::Reported, Phase::Acknowledged, Phase::Fixed, Phase::Disclosed][done - 1];
            let (salt, text) = self.salt_and_text(advisory);
            let found: Option<Record> = state.get(ADVISORIES, &advisory);
            let disclosed = text_of(advisory);
            found.is_some_and(|found| {
                found.phase == phase && Some(found.seal) == seal(Account(self.0.one(advisory)), &salt, &text)
            }) && disclosed.as_ref().map(|text| text.as_slice()) == (done == 4).then_some(&text[..])
        };
        let filed = (0..PRODUCTS).map(|number| state.number(FILED, &product(number))).sum();
        Checks::new("records and disclosures")
            .equal("filed", u128::from(advisories) + 1, filed)
            .equal("texts disclosed too early", 0, usize::from(text_of(SEALED).is_some()))
            .each("records", advisories, holds)
            .finish()
    }
}
