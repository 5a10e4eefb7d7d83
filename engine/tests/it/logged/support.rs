//! Thirty batches of token calls, the digests they must have, and what a disk holds.

use phalanx_engine::fs::FileSystem;
use phalanx_engine::fs::faulty::FaultyFileSystem;
use phalanx_engine::log::receipts::ReceiptSegments;
use phalanx_engine::log::{self, Durability, Genesis, Opened, layout};
use phalanx_engine::{
    Address, BatchBuilder, BatchBytes, Call, DIGEST_FORMAT, Deployment, Digest, Engine, HashSeed, LoggedEngine,
    LoggedError, LoggedOptions, MachineCode, Options, PROTOCOL_VERSION, Roots,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub(crate) const HEIGHTS: u64 = 30;
pub(crate) const CHAIN: [u8; 32] = [7; 32];

const TOKEN: &[u8] = include_bytes!("../../../../contracts/wasm/token.wasm");
const ISSUER: Address = [1; 32];

/// What a height must have, known from an engine that neither logged nor crashed.
pub(crate) struct Expected {
    pub(crate) batch: BatchBytes,
    pub(crate) roots: Roots,
    pub(crate) digest: Digest,
    pub(crate) receipts: Vec<u8>,
    pub(crate) writes: Vec<u8>,
}

/// All heights; that of height `h` is at `h - 1`.
pub(crate) fn expected() -> &'static [Expected] {
    static EXPECTED: OnceLock<Vec<Expected>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let engine = Engine::new(options().engine);
        (1..=HEIGHTS)
            .map(|height| {
                let batch = batch(height);
                let executed = engine.execute_batch(batch.clone()).expect("executes");
                let executed = engine.commit(executed).expect("what was executed last");
                Expected {
                    batch,
                    roots: *executed.roots(),
                    digest: executed.digest(),
                    receipts: executed.receipts().bytes().to_vec(),
                    writes: executed.write_set().bytes().to_vec(),
                }
            })
            .collect()
    })
}

/// The digest that an engine must have after `height`.
pub(crate) fn digest(height: u64) -> Digest {
    height.checked_sub(1).map_or([0; 32], |index| expected()[index as usize].digest)
}

/// Height 1 deploys the token, 2 mints; the others move tokens, some more than there are. Some batches are empty, one
/// is longer than a run of the digest.
fn batch(height: u64) -> BatchBytes {
    let deployment = Deployment::new(ISSUER, [9; 32], TOKEN);
    let token = deployment.contract();
    let mut batch = BatchBuilder::new(height, 1_000 * height);
    let mut push = |method, sender, to, amount: u128| {
        let arguments = [&account(to)[..], &amount.to_le_bytes()].concat();
        let call = Call { contract: token, method, sender, arguments: &arguments, gas_limit: 100_000 };
        batch.push(&call).expect("within the limits");
    };
    match height {
        1 => batch.push(&deployment.call()).expect("within the limits"),
        2 => (0..4).for_each(|to| push("mint", ISSUER, to, 1_000)),
        _ => {
            let calls = if height == 9 { 300 } else { height % 5 };
            (0..calls).for_each(|call| {
                push("transfer", account(call * height % 6), call % 5, u128::from(height * 40 * (call % 7)))
            });
        }
    }
    batch.finish()
}

fn account(number: u64) -> Address {
    let mut address = [7; 32];
    address[..8].copy_from_slice(&number.to_le_bytes());
    address
}

/// Segments so small that the log has several; nothing written ahead, so that each operation is one of a batch. No machine
/// code is kept: its operations may fail without anybody knowing.
pub(crate) fn options() -> LoggedOptions {
    LoggedOptions {
        engine: Options { hash_seed: HashSeed::Fixed(3), ..Options::default() },
        log: log::Options {
            durability: Durability::Sync,
            segment_bytes: 48 << 10,
            written_ahead_bytes: 0,
            unsynced_batches_max: 4,
            salt: [9; 16],
        },
        chain_id: CHAIN,
        receipts: true,
        machine_code: MachineCode::InMemory,
    }
}

/// The genesis of a log that [`options`] open.
pub(crate) fn genesis() -> Genesis {
    Genesis { chain_id: CHAIN, protocol_version: PROTOCOL_VERSION, digest_format: DIGEST_FORMAT }
}

pub(crate) fn data() -> &'static Path {
    Path::new("/data")
}

pub(crate) fn shared(fs: &FaultyFileSystem) -> Arc<dyn FileSystem> {
    Arc::new(fs.clone())
}

pub(crate) fn open(fs: &FaultyFileSystem) -> Result<(LoggedEngine, Opened), LoggedError> {
    LoggedEngine::open(shared(fs), data(), options())
}

/// Executes the heights that follow, up to `last`, and compares each digest.
pub(crate) fn execute_to(logged: &LoggedEngine, last: u64) -> Result<(), LoggedError> {
    for height in logged.engine().height() + 1..=last {
        let executed = logged.execute(expected()[height as usize - 1].batch.clone())?;
        assert_eq!((executed.height(), executed.digest()), (height, digest(height)));
    }
    Ok(())
}

/// A data directory with `heights`, closed cleanly or dropped.
pub(crate) fn written(heights: u64, closed: bool) -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    let (logged, _) = open(&fs).expect("an empty disk opens");
    execute_to(&logged, heights).expect("a disk without faults takes all");
    if closed {
        logged.close().expect("a disk without faults closes");
    }
    fs.restart()
}

/// Every file of the data directory.
pub(crate) fn files(fs: &FaultyFileSystem) -> BTreeMap<PathBuf, Vec<u8>> {
    let directories = [layout::LOG, layout::RECEIPTS].map(|name| data().join(name));
    let paths = directories
        .iter()
        .flat_map(|directory| fs.list(directory).unwrap_or_default().into_iter().map(move |name| directory.join(name)));
    paths.filter_map(|path| Some((path.clone(), fs.contents(&path)?))).collect()
}

/// Receipt segments of this length, synced, with what all heights must have, in place of those that are there.
pub(crate) fn place_receipts(fs: &FaultyFileSystem, segment_bytes: u64) {
    remove_receipts(fs);
    let (segments, _) = ReceiptSegments::open(shared(fs), data(), segment_bytes).expect("opens");
    for (index, height) in expected().iter().enumerate() {
        segments.append(index as u64 + 1, &height.receipts, &height.writes).expect("appends");
    }
    segments.sync().expect("syncs");
}

/// Removes the receipt segments.
pub(crate) fn remove_receipts(fs: &FaultyFileSystem) {
    receipt_files(fs).iter().for_each(|path| fs.remove(path).expect("it is listed"));
}

/// The receipt segments' files, in order.
pub(crate) fn receipt_files(fs: &FaultyFileSystem) -> Vec<PathBuf> {
    files(fs).into_keys().filter(|path| path.extension().is_some_and(|extension| extension == "receipts")).collect()
}

/// The log segments' files, in order.
pub(crate) fn log_files(fs: &FaultyFileSystem) -> Vec<PathBuf> {
    files(fs).into_keys().filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect()
}

/// The disk with one bit of a file flipped.
pub(crate) fn flipped(fs: &FaultyFileSystem, path: &Path, offset: usize) -> FaultyFileSystem {
    let mut bytes = fs.contents(path).expect("the file is there");
    bytes[offset] ^= 1 << (offset % 8);
    let damaged = fs.restart();
    damaged.place(path, &bytes);
    damaged
}

/// Seed of the random tests.
#[expect(clippy::disallowed_methods, reason = "which crashes are tried is not a result")]
pub(crate) fn seed() -> u64 {
    std::env::var("PHALANX_TEST_SEED").map_or(20_261_123, |seed| seed.parse().expect("a number"))
}
