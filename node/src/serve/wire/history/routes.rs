//! What each of an audience chooses of a height.
//!
//! Whoever wants canonical bytes has them put together here, in the one pass that looks at the calls anyhow. So that this costs no
//! more than a few copies of the height, however many there are, what goes beyond is left to each for itself.

use phalanx_engine::{Batch, Receipt, Receipts, WriteItem, WriteSet};
use std::sync::Arc;

use super::audience::{Audience, Members};
use super::canonical::{Gathering, Outputs};
use super::{Filter, Form, Kept, Part};

/// Calls whose choosers are looked up together, before any of them is copied: their places in memory are waited for at once.
const AT_ONCE: usize = 64;
/// How many times the bytes of its batch may be gathered of a height: enough for two copies of all with what their calls left.
const COPIES_MAX: usize = 8;

/// See the module's docs.
pub(super) struct Routes {
    filters: Vec<Arc<Filter>>,
    /// Who chooses all calls. They have nothing else here.
    wholes: Members,
    /// Of the filter of each number.
    choices: Vec<Choice>,
    bytes: usize,
}

/// What a filter chooses of a height.
#[derive(Clone, Copy)]
pub(super) enum Chosen<'a> {
    All,
    /// These calls, in order.
    Calls(&'a [u32]),
    /// Calls in canonical bytes, in parts that begin at these cursors' indexes.
    Parts(&'a [(u32, Part)]),
}

/// The same, while it is put together.
enum Choice {
    Calls(Vec<u32>),
    Parts(Parts),
}

impl Routes {
    /// Of a batch and what it left, as far as that is `kept`. It is looked at only as far as it is gathered.
    pub(super) fn of(
        batch: &Batch,
        kept: Kept,
        (mut receipts, writes): (Receipts<'_>, WriteSet<'_>),
        audience: &Audience,
    ) -> Routes {
        let (filters, choosers) = (audience.filters().to_vec(), audience.choosers(batch));
        let wholes = choosers.wholes;
        let mut choices: Vec<Choice> = filters.iter().map(|filter| Choice::of(filter, kept)).collect();
        let is_gathered = |number: &usize| wholes >> number & 1 == 0 && matches!(choices[*number], Choice::Parts(_));
        let gathered = needs_of(&filters, (0..filters.len()).filter(is_gathered));
        let others = filters.len() - wholes.count_ones() as usize;
        // Nothing of what follows is for those who choose all.
        let calls_told = if others > 0 { batch.len() } else { 0 };
        let mut room = Room {
            bytes: COPIES_MAX * batch.bytes().as_slice().len(),
            // As if all had about the same share. More room is found as it is needed.
            calls: batch.len() * 5 / 4 / others.max(1) + 1,
        };
        let (mut writes, mut writes_of_call) = (writes.peekable(), Vec::new());
        let mut members = [0; AT_ONCE];
        for first in (0..calls_told).step_by(AT_ONCE) {
            let calls = first..calls_told.min(first + AT_ONCE);
            members
                .iter_mut()
                .zip(calls.clone())
                .for_each(|(members, call)| *members = choosers.of_call(&batch.call(call)));
            for (mut members, call) in members.into_iter().zip(calls) {
                let receipt = if gathered.receipts { receipts.next() } else { None };
                writes_of_call.clear();
                if gathered.writes {
                    let is_of_call = |item: &WriteItem<'_>| item.call() as usize <= call;
                    writes_of_call.extend(std::iter::from_fn(|| writes.next_if(is_of_call)).map(|item| item.record()));
                }
                let outputs = (receipt.as_ref().map_or(&[][..], Receipt::record), &writes_of_call[..]);
                while members != 0 {
                    choices[members.trailing_zeros() as usize].add(batch, call as u32, outputs, &mut room);
                    members &= members - 1;
                }
            }
        }
        choices.iter_mut().for_each(|choice| choice.end(batch));
        let bytes = choices.iter().map(Choice::bytes).sum();
        Routes { filters, wholes, choices, bytes }
    }

    /// What a filter chooses; `None` if it is not one of the audience.
    pub(super) fn chosen(&self, filter: &Arc<Filter>) -> Option<Chosen<'_>> {
        let number = self.filters.iter().position(|other| Arc::ptr_eq(other, filter))?;
        Some(self.chosen_by(number))
    }

    fn chosen_by(&self, number: usize) -> Chosen<'_> {
        match &self.choices[number] {
            _ if self.wholes >> number & 1 != 0 => Chosen::All,
            Choice::Calls(calls) => Chosen::Calls(calls),
            Choice::Parts(parts) => Chosen::Parts(&parts.ended),
        }
    }

    /// What the height must have for those whose calls are not gathered here.
    pub(super) fn needs(&self) -> Kept {
        let others = (0..self.choices.len()).filter(|number| !matches!(self.chosen_by(*number), Chosen::Parts(_)));
        needs_of(&self.filters, others)
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn needs_of(filters: &[Arc<Filter>], numbers: impl Iterator<Item = usize>) -> Kept {
    numbers.map(|number| filters[number].needs()).fold(Kept::default(), Kept::or)
}

/// What there is room for.
struct Room {
    /// Bytes that may still be gathered.
    bytes: usize,
    /// Calls that one filter chooses, about.
    calls: usize,
}

impl Choice {
    fn of(filter: &Filter, kept: Kept) -> Choice {
        match filter.form.canonical && kept.serves(filter.needs()) {
            true => Choice::Parts(Parts::new(filter.form)),
            false => Choice::Calls(Vec::new()),
        }
    }

    fn add(&mut self, batch: &Batch, call: u32, outputs: Outputs<'_>, room: &mut Room) {
        let parts = match self {
            Choice::Calls(calls) => return calls.push(call),
            Choice::Parts(parts) => parts,
        };
        let bytes = parts.add(batch, call, outputs, room.calls);
        match room.bytes.checked_sub(bytes) {
            Some(rest) => room.bytes = rest,
            // Whoever still has calls when there is no more room gives its own back.
            None => {
                room.bytes += parts.bytes - bytes;
                *self = Choice::Calls(core::mem::take(&mut parts.calls));
            }
        }
    }

    fn end(&mut self, batch: &Batch) {
        if let Choice::Parts(parts) = self {
            parts.end(batch, None);
            parts.calls = Vec::new();
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Choice::Calls(calls) => calls.capacity() * size_of::<u32>(),
            Choice::Parts(parts) => parts.ended.iter().map(|(_, part)| size_of_val(part) + part.bytes()).sum(),
        }
    }
}

/// Calls in canonical bytes, a part after the other.
struct Parts {
    form: Form,
    ended: Vec<(u32, Part)>,
    /// Where the open one begins.
    from: u32,
    open: Gathering,
    /// All calls, and the bytes of their pieces.
    calls: Vec<u32>,
    bytes: usize,
}

impl Parts {
    fn new(form: Form) -> Parts {
        Parts { form, ended: Vec::new(), from: 0, open: Gathering::default(), calls: Vec::new(), bytes: 0 }
    }

    /// Adds a call. Answers the bytes of its pieces.
    fn add(&mut self, batch: &Batch, call: u32, outputs: Outputs<'_>, expected: usize) -> usize {
        let add = |open: &mut Gathering| open.push(batch, self.form, call, outputs, expected);
        let bytes = add(&mut self.open).unwrap_or_else(|| {
            self.end(batch, Some(call));
            self.open.push(batch, self.form, call, outputs, expected).unwrap_or_default()
        });
        self.calls.push(call);
        self.bytes += bytes;
        bytes
    }

    fn end(&mut self, batch: &Batch, next: Option<u32>) {
        let part = core::mem::take(&mut self.open).part(batch, next);
        self.ended.push((self.from, part));
        self.from = next.unwrap_or(u32::MAX);
    }
}
