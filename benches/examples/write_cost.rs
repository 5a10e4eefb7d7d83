//! What a byte of the log costs the thread that writes it: past the page cache, and through it.
//!
//! `cargo run --release -p phalanx-benches --example write_cost [MIB]` appends MIB (512) MiB to a new file in the current folder, synced
//! each 8 MiB, and prints the writing thread's time on a core and the rate; five times in turns, medians:
//!
//! - *direct*: in writes of 1 MiB, which the engine's file system makes past the page cache where it can.
//! - *cached*: in writes of 64 KiB, which it makes through the page cache; what is synced is let go, as the log does.
//!
//! What the kernel's own threads take to write pages back comes to *cached* besides.

use phalanx_benches::statistics::Sample;
use phalanx_engine::fs::{Access, FileSystem, RealFileSystem};
use std::error::Error;
use std::time::Instant;

const ROUNDS: usize = 5;
const SYNC_BYTES: u64 = 8 << 20;

/// Nanoseconds that this thread has been on a core.
fn on_core() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}

/// Nanoseconds on a core, and nanoseconds, a byte.
fn append(bytes: u64, write_bytes: usize) -> Result<[f64; 2], Box<dyn Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let file = RealFileSystem.open(&folder.path().join("written"), Access::CreateNew)?;
    let written = vec![7; write_bytes];
    let (core, began) = (on_core()?, Instant::now());
    let (mut end, mut synced) = (0, 0);
    while end < bytes {
        file.write_at(end, &[&written])?;
        end += write_bytes as u64;
        if end - synced >= SYNC_BYTES {
            file.sync_data()?;
            file.forget_cached(synced..end);
            synced = end;
        }
    }
    file.sync_data()?;
    let spent = [(on_core()? - core) as f64, began.elapsed().as_nanos() as f64];
    Ok(spent.map(|nanoseconds| nanoseconds / end as f64))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mib: u64 = std::env::args().nth(1).map_or(Ok(512), |mib| mib.parse())?;
    let ways = [("direct", 1 << 20), ("cached", 64 << 10)];
    let mut found = [(); 2].map(|()| [(); 2].map(|()| Sample::new()));
    for _ in 0..ROUNDS {
        for ((_, write_bytes), found) in ways.iter().zip(&mut found) {
            let spent = append(mib << 20, *write_bytes)?;
            found.iter_mut().zip(spent).for_each(|(all, one)| all.add(one));
        }
    }
    println!("{mib} MiB, synced each 8 MiB, medians of {ROUNDS}");
    for ((name, write_bytes), [core, all]) in ways.into_iter().zip(found) {
        let (least, most) = core.range();
        println!(
            "{name}  {:>4} KiB a write  {:.3} ns of a core a byte ({:.3} to {:.3})  {:.2} GB/s",
            write_bytes >> 10,
            core.median(),
            least,
            most,
            1.0 / all.median()
        );
    }
    Ok(())
}
