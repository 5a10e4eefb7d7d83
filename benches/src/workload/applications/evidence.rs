//! `evidence`: documents of 896 bytes are notarised, verified, handed over and taken over.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_contract::Bytes;
use phalanx_contract::hash::sha256;
use phalanx_evidence::{Custody, DOCUMENT_BYTES_MAX, Record};
use rand::Rng;

const RECORDS: u8 = 1;
const DOCUMENTS: u8 = 2;
const CUSTODY: u8 = 3;
const HANDOVERS: u8 = 4;
const NOTARISED: u8 = 5;

const STEPS: u64 = 4;

/// A document's length: below what the contract takes, so that 16,384 calls that all carry one fit a batch.
const DOCUMENT_BYTES: usize = 896;

/// The workload.
pub(super) struct Evidence(pub(super) Parties);

impl Evidence {
    fn document(&self, number: u64) -> [u8; DOCUMENT_BYTES] {
        let mut document = [0; DOCUMENT_BYTES];
        self.0.dice(number).fill_bytes(&mut document);
        document
    }
}

impl Application for Evidence {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/evidence.wasm");
    /// A call that carries a document; all of a batch may.
    const CALL_BYTES: usize = 1_000;

    fn name(&self) -> &'static str {
        "evidence"
    }

    fn describe(&self) -> String {
        "documents of 896 bytes (contracts/evidence) that are notarised, verified, handed over and taken over, 1 % refused"
            .into()
    }

    fn set_up_calls(&self) -> u64 {
        self.0.all()
    }

    fn set_up(&self, index: u64) -> Ask {
        Ask::new(DEPLOYER, "appoint", &(self.0.nth(index),))
    }

    fn ask(&self, number: u64) -> Ask {
        let (document, step) = self.0.steps(STEPS).of(number);
        let [notary, other] = self.0.two(document);
        let bytes = self.document(document);
        match step {
            0 => Ask::new(notary, "notarise", &(&bytes[..],)),
            1 => Ask::new(other, "verify", &(&bytes[..],)),
            2 => Ask::new(notary, "hand_over", &(sha256(&bytes), other)),
            _ => Ask::new(other, "take_over", &(sha256(&bytes),)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        Some(Ask::new(STRANGER, "notarise", &(&self.document(!index)[..],)))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let documents = self.0.steps(STEPS).things(asked);
        let holds = |document: u64| {
            let bytes = self.document(document);
            let id = sha256(&bytes);
            let [notary, other] = self.0.two(document);
            let done = self.0.steps(STEPS).done(document, asked);
            let (links, holder) = if done == 4 { (2, other) } else { (1, notary) };
            let kept: Option<Bytes<DOCUMENT_BYTES_MAX>> = state.get(DOCUMENTS, &id);
            let record: Option<Record> = state.get(RECORDS, &id);
            let last: Option<Custody> = state.get(CUSTODY, &(id, links - 1));
            record.is_some_and(|record| record.notary.0 == notary)
                && kept.is_some_and(|kept| kept.as_slice() == bytes)
                && state.get(HANDOVERS, &id) == (done == 3).then_some(other)
                && state.get(CUSTODY, &id) == Some(links)
                && last.is_some_and(|custody| custody.holder.0 == holder)
        };
        Checks::new("records and chains of custody")
            .equal("notarised", u128::from(documents), state.number(NOTARISED, &()))
            .each("documents", documents, holds)
            .finish()
    }
}
