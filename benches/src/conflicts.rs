//! What calls conflicted on, with advice: the X-ray of hot keys.

use crate::figures::count;
use crate::report::hex;
use phalanx_engine::{Address, Cause, Conflicts, Place, PlaceConflicts, prepare::prepare};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::io::{Result, Write};

/// Places that are reported.
pub const PLACES: usize = 20;
/// Slots that there is advice for.
const ADVICE: usize = 5;

/// The conflicts of a run. In JSON it is the list of its places.
#[derive(Clone, Debug)]
pub struct ConflictReport {
    /// Calls that were executed in parallel.
    pub parallel_calls: u64,
    /// Of them, those that read what they would not have read in order.
    pub dirty_calls: u64,
    /// Calls that were executed again.
    pub executed_again: u64,
    /// Dirty calls at places that were too many to be kept.
    pub forgotten: u64,
    /// The places with the most dirty calls, most first, at most [`PLACES`].
    pub places: Vec<ConflictPlace>,
    /// What to do about the slots with the most dirty calls.
    pub advice: Vec<String>,
}

/// Keys on which calls of a method conflicted.
#[derive(Clone, Debug, Serialize)]
pub struct ConflictPlace {
    /// Id of the contract whose keys they are.
    pub contract: String,
    /// The method that was called.
    pub method: String,
    /// The slot, in hex.
    pub slot: String,
    /// What the contract's ABI calls it.
    pub slot_name: Option<String>,
    /// How the keys begin, in hex: the slot and up to three more bytes.
    pub prefix: String,
    /// Whether the keys go on behind it.
    #[serde(skip)]
    pub is_cut: bool,
    /// Calls whose parallel execution did not stand because of these keys.
    pub dirty_calls: u64,
    /// Their share of the calls that were executed in parallel.
    pub share: f64,
    /// Most calls of a round that touched one of the keys; 0 for scans.
    pub longest_chain: u32,
    /// The place's part of the calls that were executed again.
    pub executed_again: u64,
    /// What most of the dirty calls did: `counted` (read it and left a 16-byte integer), `replaced` (read it and left another
    /// value), `read`, `answer` (an add or sub would get another one) or `scan`.
    pub cause: &'static str,
    /// What to do about it.
    pub advice: String,
}

impl Serialize for ConflictReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> core::result::Result<S::Ok, S::Error> {
        self.places.serialize(serializer)
    }
}

impl ConflictReport {
    /// `module` answers the module of a contract, whose ABI names its slots.
    pub fn new(conflicts: &Conflicts, module: &dyn Fn(&Address) -> Option<Vec<u8>>) -> Self {
        let mut names = SlotNames { module, of: BTreeMap::new() };
        let mut of = |(place, counts): (&Place, &PlaceConflicts)| {
            let name = names.name(place);
            ConflictPlace::new(place, counts, name, conflicts.parallel_calls)
        };
        let places = conflicts.top_keys(PLACES).into_iter().map(&mut of).collect();
        let advice = conflicts.top_slots(ADVICE).into_iter().map(|slot| of(slot).advice).collect();
        let Conflicts { parallel_calls, dirty_calls, executed_again, forgotten, .. } = *conflicts;
        Self { parallel_calls, dirty_calls, executed_again, forgotten, places, advice }
    }

    /// Prints the report for people.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn print(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "What calls conflicted on")?;
        let parallel = count(self.parallel_calls);
        if self.parallel_calls == 0 {
            return writeln!(
                out,
                "  No call was executed in parallel and checked, so none could conflict: in order, or with keys declared (`hinted`), none \
                 does. With `--mode optimistic` it shows what would."
            );
        }
        if self.dirty_calls == 0 {
            return writeln!(out, "  Nothing conflicts: all {parallel} calls that were executed in parallel stand.");
        }
        let (dirty, again) = (count(self.dirty_calls), count(self.executed_again));
        writeln!(out, "  {parallel} calls in parallel, {dirty} of them dirty, {again} executed again")?;
        writeln!(
            out,
            "  {:>11} {:>8} {:>13} {:>11}  method and key",
            "dirty calls", "share", "longest chain", "again"
        )?;
        self.places.iter().try_for_each(|place| place.print(out))?;
        if self.forgotten > 0 {
            writeln!(out, "  {:>11} at places that were too many to be kept", count(self.forgotten))?;
        }
        self.advice.iter().try_for_each(|advice| writeln!(out, "  {advice}"))
    }
}

impl ConflictPlace {
    fn new(place: &Place, counts: &PlaceConflicts, slot_name: Option<String>, parallel_calls: u64) -> Self {
        let slot = hex(place.prefix.slot().bytes());
        let cause = counts.cause();
        Self {
            contract: hex(&place.contract),
            method: place.method.clone(),
            prefix: hex(place.prefix.bytes()),
            is_cut: place.prefix.is_cut,
            dirty_calls: counts.dirty_calls,
            share: share(counts.dirty_calls, parallel_calls),
            longest_chain: counts.chain_max,
            executed_again: counts.executed_again,
            cause: cause_name(cause),
            advice: advice(cause, &subject(&slot, slot_name.as_deref()), share(counts.of(cause), parallel_calls)),
            slot,
            slot_name,
        }
    }

    fn print(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(
            out,
            "  {:>11} {:>8} {:>13} {:>11}  {} on {}{} of {}…",
            count(self.dirty_calls),
            percent(self.share),
            count(u64::from(self.longest_chain)),
            count(self.executed_again),
            self.method.escape_debug(),
            self.prefix,
            if self.is_cut { "…" } else { "" },
            self.contract.get(..18).unwrap_or(&self.contract)
        )
    }
}

fn share(calls: u64, all: u64) -> f64 {
    calls as f64 / all.max(1) as f64
}

fn percent(share: f64) -> String {
    match share >= 0.01 {
        true => format!("{:.0} %", 100.0 * share),
        false => format!("{:.2} %", 100.0 * share),
    }
}

fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Counted => "counted",
        Cause::Replaced => "replaced",
        Cause::Read => "read",
        Cause::Answer => "answer",
        Cause::Scan => "scan",
    }
}

fn subject(slot: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("`{}` slot {slot}", name.escape_debug()),
        None => format!("slot {slot}"),
    }
}

/// What to do about a slot that a share of the calls conflict on.
fn advice(cause: Cause, subject: &str, share: f64) -> String {
    let calls = format!("{} of the calls", percent(share));
    match cause {
        Cause::Counted => format!("{subject} is read and written by {calls}: make it an add"),
        Cause::Replaced => format!(
            "{subject} is read and replaced by {calls}: give what they change keys of its own, or make its integers adds"
        ),
        Cause::Read => {
            format!(
                "{subject} is read by {calls} while others write it: write it less often, or apart from what they read"
            )
        }
        Cause::Answer => format!(
            "{subject}: what {calls} are answered by adds, subs or `set_once` depends on calls before them, which refuse it or come \
             first: keep numbers away from their bounds, or spread them over several keys; of a `set_once` only the first is done"
        ),
        Cause::Scan => format!(
            "{subject} is scanned by {calls} while others change it: scan fewer keys, or keep what is looked for under a key \
             of its own"
        ),
    }
}

/// Names of slots, as contracts' ABIs have them.
struct SlotNames<'a> {
    module: &'a dyn Fn(&Address) -> Option<Vec<u8>>,
    of: BTreeMap<Address, BTreeMap<u8, String>>,
}

/// A line of an ABI that names a slot.
#[derive(Deserialize)]
struct SlotLine {
    slot: u8,
    name: String,
}

impl SlotNames<'_> {
    fn name(&mut self, place: &Place) -> Option<String> {
        let names = self.of.entry(place.contract).or_insert_with(|| {
            let abi = (self.module)(&place.contract).and_then(|module| prepare(&module).ok()?.abi).unwrap_or_default();
            let lines = abi.split(|byte| *byte == b'\n');
            let slots = lines.filter_map(|line| serde_json::from_slice::<SlotLine>(line).ok());
            slots.map(|line| (line.slot, line.name)).collect()
        });
        names.get(place.prefix.bytes().first()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_advice() {
        let advice = |cause| advice(cause, &subject("0x05", Some("counter")), 0.94);
        assert_eq!(
            advice(Cause::Counted),
            "`counter` slot 0x05 is read and written by 94 % of the calls: make it an add"
        );
        assert!(advice(Cause::Replaced).contains("read and replaced by 94 % of the calls"));
        assert!(advice(Cause::Read).contains("while others write it"));
        assert!(advice(Cause::Answer).contains("what 94 % of the calls are answered"));
        assert!(advice(Cause::Scan).contains("scan fewer keys"));
        assert!(super::advice(Cause::Read, &subject("0x05", None), 0.001).starts_with("slot 0x05 is read by 0.10 %"));
    }

    #[test]
    fn without_parallel_calls_nothing_is_claimed() {
        let print = |conflicts: &Conflicts| {
            let mut text = Vec::new();
            ConflictReport::new(conflicts, &|_| None).print(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert!(print(&Conflicts::default()).contains("No call was executed in parallel and checked"));
        let mut conflicts = Conflicts::default();
        conflicts.parallel_calls = 1_234;
        assert!(print(&conflicts).contains("Nothing conflicts: all 1,234 calls"));
    }
}
