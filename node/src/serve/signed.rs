//! Signed calls: their signatures are checked at admission, and the heights that they are valid for when they are ordered.
//!
//! The id of a signed call begins with the last height at which it may be ordered. The window that ends there is shorter than
//! ids are remembered. So as long as ids are remembered from its first height on, whoever sends the call again, the sender or
//! somebody who has read it in the log, finds its id.

use phalanx_engine::Signed;
use std::sync::Arc;

use super::node::{Node, blocking};
use super::once::{ID_WINDOW_HEIGHTS, Once, Seen};
use super::refusal::Refusal;
use super::submission::{Known, Position, Submission};
use super::wire::{Borrowed, Calls, Fingerprint};
use crate::signatures::Signatures;

/// Heights in which a signed call may be ordered.
pub(crate) const SIGNED_CALL_HEIGHTS: u64 = 32_768;
const _: () = assert!(SIGNED_CALL_HEIGHTS <= ID_WINDOW_HEIGHTS);
/// Lists of signatures that are checked at a time, each on a thread: checking may be all that a stranger's calls cost.
pub(super) const LISTS_CHECKED: usize = 2;
/// Signatures that are checked at once where they came in, a tenth of a millisecond each. More would hold up other requests.
const CHECKED_IN_PLACE: u32 = 4;

impl Node {
    /// Checks that each signature is its sender's, and that there is one where there must be.
    pub(super) async fn check_signatures(&self, calls: Calls) -> Result<Calls, Refusal> {
        if self.shared.require_signatures && calls.signed() < calls.len() {
            return Err(Refusal::not_permitted("UNSIGNED", "this server takes in signed calls alone, in lists"));
        }
        let chain_id = self.shared.chain_id;
        if calls.signed() == 0 {
            Ok(calls)
        } else if calls.signed() <= CHECKED_IN_PLACE {
            verify(calls, &chain_id)
        } else {
            let place = Arc::clone(&self.shared.signature_checks).acquire_owned().await;
            let place = place.map_err(|_| Refusal::stopped())?;
            blocking(move || {
                let verified = verify(calls, &chain_id);
                drop(place);
                verified
            })
            .await
        }
    }
}

fn verify(calls: Calls, chain_id: &[u8; 32]) -> Result<Calls, Refusal> {
    let mut signatures = Signatures::of_chain(*chain_id);
    let mut places = Vec::with_capacity(calls.signed() as usize);
    each_signed(&calls, |index, call, Signed { id, signature }| {
        places.push(index);
        let Borrowed { contract, method, sender, arguments, gas_limit, .. } = call;
        signatures.add((contract, method), sender, id, gas_limit, arguments, signature);
        Ok(())
    })?;
    match signatures.check() {
        Ok(()) => Ok(calls),
        Err(bad) => {
            let index = places[bad];
            let field =
                if calls.len() == 1 { "signature".to_owned() } else { format!("list.calls[{index}].signature") };
            Err(Refusal::bad_signature(&field, index))
        }
    }
}

/// Checks that the signed calls of a submission, which was not executed before, may be ordered at a height, and that none of
/// them was.
pub(super) fn check(submission: &Submission, once: &Once, height: u64) -> Result<(), Refusal> {
    each_signed(&submission.calls, |index, call, Signed { id, .. }| {
        let last = u64::from_le_bytes(*id.first_chunk().expect("16 bytes"));
        let first = last.saturating_sub(SIGNED_CALL_HEIGHTS - 1).max(1);
        if height > last {
            return Err(Refusal::out_of_window("EXPIRED", index, first, last, height));
        }
        if height < first {
            return Err(Refusal::out_of_window("NOT_YET_VALID", index, first, last, height));
        }
        let earliest = once.ids.earliest();
        if earliest > first {
            return Err(Refusal::ids_forgotten(index, first, earliest));
        }
        match once.ids.look_up(call.sender, id, fingerprint(&call)) {
            Seen::At(at) | Seen::Other(at) => {
                Err(Refusal::reused("ID_REUSED", format_args!("the id of call {index}"), at.height, at.index))
            }
            Seen::Never | Seen::Gap(_) | Seen::Forgotten(_) | Seen::NoPlace => Ok(()),
        }
    })
}

/// Notes the ids of the signed calls of a submission that stands in a batch. That of a single call is noted with it.
pub(super) fn note(submission: &Submission, once: &mut Once, position: Position) {
    if matches!(submission.known, Known::Id { .. }) {
        return;
    }
    let noted = each_signed(&submission.calls, |index, call, Signed { id, .. }| {
        let at = Position { height: position.height, index: position.index + index as u32, calls: 1 };
        once.ids.note(call.sender, id, fingerprint(&call), at);
        Ok(())
    });
    debug_assert!(noted.is_ok());
}

fn each_signed(
    calls: &Calls,
    mut visit: impl FnMut(usize, Borrowed<'_>, Signed<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    calls.try_each(|index, call| match call.signed {
        Some(signed) => visit(index, call, signed),
        None => Ok(()),
    })
}

fn fingerprint(call: &Borrowed<'_>) -> u64 {
    let Borrowed { contract, method, sender, arguments, gas_limit, .. } = call;
    let mut fingerprint = Fingerprint::default();
    fingerprint.add(contract, method.as_bytes(), sender, arguments, u64::from(*gas_limit));
    fingerprint.finish()
}
