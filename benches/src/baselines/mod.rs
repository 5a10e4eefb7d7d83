//! The same calls without Phalanx: what a figure is to be compared with.
//!
//! | name | what | scope |
//! |---|---|---|
//! | `native_serial` | Rust, one hashbrown table (foldhash, 32-byte keys, u128), sized beforehand | moves balances; no receipts, events, gas, isolation or digest |
//! | `native_flat` | Rust, one flat table of 64-byte slots, prefetched some calls ahead | the same: about the limit of the memory |
//! | `wasm_serial` | the module as deployed, on bare wasmtime, one instance that is never reset | collects events; no gas, isolation, undo, receipts or digest |
//! | `fresh_instance` | the same with a new instance a call, pooled | isolated as most engines do it |
//!
//! Each decodes the batches' bytes with the public decoder, since bytes are what arrives. All run the same calls, at most
//! [`CALLS_MAX`] of them, and must come to the same number of refusals and the same sum of balances.

mod flat;
mod native;
mod wasm;

use crate::BenchError;
use crate::progress::Progress;
use crate::workload::{Token, Workload};
use phalanx_engine::{Batch, BatchBytes};
use serde::Serialize;
use std::time::Duration;

/// Calls that a baseline executes at most: a second of the slowest.
pub const CALLS_MAX: usize = 200_000;

/// Calls a second of each baseline, on one core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Baselines {
    /// A pre-sized hashbrown table.
    pub native_serial: f64,
    /// A prefetching flat table.
    pub native_flat: f64,
    /// The module on bare wasmtime, one leaking instance.
    pub wasm_serial: f64,
    /// The module on bare wasmtime, an instance a call.
    pub fresh_instance: f64,
}

impl Baselines {
    /// The names and rates, in the order of the table above.
    pub fn rows(&self) -> [(&'static str, f64); 4] {
        [
            ("native_serial", self.native_serial),
            ("native_flat", self.native_flat),
            ("wasm_serial", self.wasm_serial),
            ("fresh_instance", self.fresh_instance),
        ]
    }
}

/// What a baseline did, to see that all did the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Done {
    calls: u64,
    refused: u64,
    balances: u128,
    elapsed: Duration,
}

impl Done {
    fn per_second(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64()
    }

    fn result(&self) -> (u64, u64, u128) {
        (self.calls, self.refused, self.balances)
    }
}

/// Measures all four on the first calls of a token workload.
pub(crate) fn measure(token: &Token, progress: &dyn Progress) -> Result<Baselines, BenchError> {
    let batches = batches(token)?;
    progress.begin("running baselines", 4);
    let native_serial = native::run(&mut native::Table::new(token), &batches)?;
    progress.advance(1);
    let native_flat = native::run(&mut flat::Table::new(token), &batches)?;
    progress.advance(1);
    let bare = wasm::Bare::new(token)?;
    let wasm_serial = bare.leaking(&batches)?;
    progress.advance(1);
    let fresh_instance = bare.fresh(&batches)?;
    progress.advance(1);
    progress.end();
    for (name, done) in [("native_flat", native_flat), ("wasm_serial", wasm_serial), ("fresh_instance", fresh_instance)]
    {
        if done.result() != native_serial.result() {
            let reason = format!(
                "came to (calls, refused, sum of balances) {:?}, native_serial to {:?}",
                done.result(),
                native_serial.result()
            );
            return Err(BenchError::Baseline { name, reason });
        }
    }
    Ok(Baselines {
        native_serial: native_serial.per_second(),
        native_flat: native_flat.per_second(),
        wasm_serial: wasm_serial.per_second(),
        fresh_instance: fresh_instance.per_second(),
    })
}

/// The first measured batches, as many as hold [`CALLS_MAX`] calls at most; one at least.
fn batches(token: &Token) -> Result<Vec<BatchBytes>, BenchError> {
    let first = token.set_up_batches() + 1;
    let count = (CALLS_MAX / token.shape().batch_size).max(1) as u64;
    (first..first + count.min(token.measured_batches())).map(|height| token.batch(height)).collect()
}

/// Decodes a batch whose bytes the workload made.
fn decode(name: &'static str, bytes: &BatchBytes) -> Result<Batch, BenchError> {
    Batch::decode(bytes.clone()).map_err(|error| BenchError::Baseline { name, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::{batches, flat, native, wasm};
    use crate::workload::{Shape, Token};

    #[test]
    fn all_come_to_the_same_result_as_the_calls_say() {
        let shape = Shape { accounts: 50, calls: 5_000, batch_size: 1_000, skew: 1.2, seed: 3 };
        let token = Token::new(shape).unwrap();
        let batches = batches(&token).unwrap();
        let expected = native::run(&mut native::Table::new(&token), &batches).unwrap().result();
        assert_eq!(expected.0, 5_000);
        assert!((20..100).contains(&expected.1), "one in a hundred is refused, not {} of 5,000", expected.1);
        assert_eq!(expected.2, 50 * crate::workload::Token::funds());
        assert_eq!(native::run(&mut flat::Table::new(&token), &batches).unwrap().result(), expected);
        let bare = wasm::Bare::new(&token).unwrap();
        assert_eq!(bare.leaking(&batches).unwrap().result(), expected);
        assert_eq!(bare.fresh(&batches).unwrap().result(), expected);
    }
}
