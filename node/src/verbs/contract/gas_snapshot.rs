//! What calls cost at one time, in a file beside the sources, so that a change of gas shows where it is reviewed.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use super::gas::{MethodGas, OutcomeGas};
use crate::exit::Failure;

const SCHEMA: &str = "phalanx.contract.gas_snapshot/1";

/// The file: rows as in the table, by contract, method and outcome.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    schema: String,
    methods: Vec<MethodGas>,
}

/// A row that a snapshot and the calls do not have alike.
#[derive(PartialEq, Eq, Debug, Serialize)]
pub(super) struct Difference {
    contract: String,
    method: String,
    outcome: String,
    /// In the snapshot; `null` if it has no such row.
    snapshot: Option<OutcomeGas>,
    /// Now; `null` if no call ended so.
    now: Option<OutcomeGas>,
}

/// Writes a snapshot, indented: a change is then a change of few lines.
///
/// # Errors
/// Exit code 2 if the file cannot be written.
pub(super) fn write(path: &Path, methods: &[MethodGas]) -> Result<(), Failure> {
    let snapshot = Snapshot { schema: SCHEMA.to_owned(), methods: methods.to_vec() };
    let written = serde_json::to_vec_pretty(&snapshot).map_err(std::io::Error::from).and_then(|mut json| {
        json.push(b'\n');
        std::fs::write(path, json)
    });
    written
        .map_err(|error| Failure::usage(format_args!("{}: {error}", path.display()), "name a file that can be written"))
}

/// What differs from a snapshot, in the order of contracts, methods and outcomes.
///
/// # Errors
/// Exit code 2 if the file cannot be read or is no snapshot.
pub(super) fn check(path: &Path, methods: &[MethodGas]) -> Result<Vec<Difference>, Failure> {
    let file = path.display();
    let fix = "name a file that `--snapshot` wrote";
    let json = std::fs::read(path).map_err(|error| Failure::usage(format_args!("{file}: {error}"), fix))?;
    let snapshot: Snapshot =
        serde_json::from_slice(&json).map_err(|error| Failure::usage(format_args!("{file}: {error}"), fix))?;
    if snapshot.schema != SCHEMA {
        let schema = snapshot.schema.escape_debug();
        return Err(Failure::usage(format_args!("{file}: schema `{schema}` is not `{SCHEMA}`"), fix));
    }
    Ok(differences(&snapshot.methods, methods))
}

fn differences(snapshot: &[MethodGas], now: &[MethodGas]) -> Vec<Difference> {
    let (snapshot, now) = (rows(snapshot), rows(now));
    let keys: BTreeSet<_> = snapshot.keys().chain(now.keys()).collect();
    let found = keys.into_iter().filter_map(|key| {
        let (snapshot, now) = (snapshot.get(key).copied(), now.get(key).copied());
        let (contract, method, outcome) = *key;
        let owned = str::to_owned;
        (snapshot != now).then(|| Difference {
            contract: owned(contract),
            method: owned(method),
            outcome: owned(outcome),
            snapshot,
            now,
        })
    });
    found.collect()
}

fn rows(methods: &[MethodGas]) -> BTreeMap<(&str, &str, &str), OutcomeGas> {
    let rows = methods.iter().flat_map(|MethodGas { contract, method, outcomes, .. }| {
        outcomes.iter().map(move |(outcome, gas)| ((&**contract, &**method, &**outcome), *gas))
    });
    rows.collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} {}: ", self.contract.escape_debug(), self.method.escape_debug(), self.outcome.escape_debug())?;
        let (snapshot, now) = match (&self.snapshot, &self.now) {
            (Some(snapshot), Some(now)) => (snapshot, now),
            (None, _) => return write!(f, "not in the snapshot"),
            (_, None) => return write!(f, "in the snapshot alone"),
        };
        let mut separator = "";
        for (name, before, after) in [
            ("calls", snapshot.calls, now.calls),
            ("min", snapshot.gas_min, now.gas_min),
            ("median", snapshot.gas_median, now.gas_median),
            ("max", snapshot.gas_max, now.gas_max),
        ] {
            if before != after {
                let difference = i128::from(after.0) - i128::from(before.0);
                write!(f, "{separator}{name} {} -> {} ({difference:+})", before.0, after.0)?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::verbs::contract::gas::{MethodGas, OutcomeGas};

    fn method(contract: &str, name: &str, outcome: &str, gas: &[u64]) -> MethodGas {
        MethodGas::new(
            contract.to_owned(),
            name.to_owned(),
            [(outcome.to_owned(), OutcomeGas::of(gas.to_vec()))].into(),
        )
    }

    #[test]
    fn a_difference_names_the_method_and_the_numbers() {
        let snapshot = [
            method("token", "mint", "ok", &[7]),
            method("token", "transfer", "ok", &[10, 20, 30]),
            method("a", "b", "ok", &[1]),
        ];
        let now = [
            method("token", "transfer", "ok", &[10, 25, 29]),
            method("token", "transfer", "reverted", &[5]),
            method("a", "b", "ok", &[1]),
        ];
        let texts: Vec<String> = differences(&snapshot, &now).iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "token.mint ok: in the snapshot alone",
                "token.transfer ok: median 20 -> 25 (+5), max 30 -> 29 (-1)",
                "token.transfer reverted: not in the snapshot",
            ]
        );
        assert_eq!(differences(&now, &now), []);
    }
}
