//! How much of the disk's bandwidth the replay log gets, measured in the current folder.
//!
//! `cargo run --release -p phalanx-engine --example log_bandwidth [BATCH_BYTES] [ROUNDS]`
//!
//! D is a plain file, appended to by whole batches with one data sync each. The log's rows append the same batches: one
//! un-synced batch at a time (a sync each, as D), and eight; each without and with space written ahead before the clock starts.
//! Rows are interleaved, since disks drift, and the median of the rounds is printed, after one round that isn't counted.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{Genesis, Log, Options};

const TOTAL_BYTES: u64 = 192 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let batch_bytes = arguments.next().map_or(Ok(3 << 19), |text| text.parse::<usize>())?;
    let rounds = arguments.next().map_or(Ok(5), |text| text.parse::<usize>())?;
    let batch = Arc::new(noise(batch_bytes));
    let count = TOTAL_BYTES.div_ceil(batch_bytes as u64);
    let rows: [(&str, Option<(u64, u64)>); 5] = [
        ("D: plain append, a sync a batch", None),
        ("log, 1 un-synced batch", Some((1, 0))),
        ("log, 1 un-synced batch, written ahead", Some((1, TOTAL_BYTES + (1 << 20)))),
        ("log, 8 un-synced batches", Some((8, 0))),
        ("log, 8 un-synced batches, written ahead", Some((8, TOTAL_BYTES + (1 << 20)))),
    ];
    let mut seconds = vec![Vec::new(); rows.len()];
    for round in 0..=rounds {
        for ((_, row), seconds) in rows.iter().zip(&mut seconds) {
            let directory = tempfile::tempdir_in(".")?;
            let elapsed = match row {
                None => plain(&directory.path().join("plain"), &batch, count)?,
                Some((unsynced, ahead)) => log(directory.path(), &batch, count, *unsynced, *ahead)?,
            };
            if round > 0 {
                seconds.push(elapsed);
            }
        }
    }
    println!("{count} batches of {batch_bytes} bytes; MB/s: median (slowest to fastest round)");
    let mut plain_rate = 0.0;
    for ((name, row), seconds) in rows.iter().zip(&mut seconds) {
        seconds.sort_by(f64::total_cmp);
        let rate = |seconds: f64| (count * batch_bytes as u64) as f64 / seconds / 1e6;
        let median = rate(seconds[seconds.len() / 2]);
        if row.is_none() {
            plain_rate = median;
        }
        let (slowest, fastest) = (rate(seconds[seconds.len() - 1]), rate(seconds[0]));
        println!("{name:42} {median:6.0} ({slowest:.0} to {fastest:.0}), {:.2} x D", median / plain_rate);
    }
    Ok(())
}

/// Seconds to append and sync every batch.
fn plain(path: &Path, batch: &[u8], count: u64) -> Result<f64, Box<dyn Error>> {
    let mut file = OpenOptions::new().create_new(true).append(true).open(path)?;
    let start = Instant::now();
    for _ in 0..count {
        file.write_all(batch)?;
        file.sync_data()?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds until every batch is durable.
fn log(directory: &Path, batch: &Arc<Vec<u8>>, count: u64, unsynced: u64, ahead: u64) -> Result<f64, Box<dyn Error>> {
    let genesis = Genesis { chain_id: [0; 32], protocol_version: 1, digest_format: 1 };
    let options = Options { unsynced_batches_max: unsynced, written_ahead_bytes: ahead, ..Options::default() };
    let (log, _) = Log::open(Arc::new(RealFileSystem), directory, genesis, options)?;
    log.wait_written_ahead()?;
    let start = Instant::now();
    for height in 1..=count {
        log.append_input(height, 0, batch.clone())?;
    }
    log.wait_durable(count)?;
    Ok(start.elapsed().as_secs_f64())
}

/// Bytes that no layer below can compress.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}
