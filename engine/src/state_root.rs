//! Root of the whole state: every entry as (contract id, key, value), in byte order, in runs of 256.
//!
//! ```text
//! item  contract id [32] | key length u16 | value length u32 | key | value
//! ```
//!
//! An item over 1 KiB enters its run as its header with the top bit of the value length set, and its hash.

use crate::batch::Address;
use crate::digest::{Digest, ITEM_BYTES_MAX, leaf, root};

const RUN_ENTRIES: usize = 256;

/// Hashes all entries, which may come in any order.
pub(crate) fn state_root<'a>(entries: impl Iterator<Item = (&'a Address, &'a [u8], &'a [u8])>) -> Digest {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable();
    let mut run = Vec::new();
    let mut leaves = Vec::with_capacity(entries.len() / RUN_ENTRIES + 1);
    for entries in entries.chunks(RUN_ENTRIES) {
        run.clear();
        for (contract, key, value) in entries {
            push(&mut run, contract, key, value);
        }
        leaves.push(leaf(&run));
    }
    root(&[], &mut leaves)
}

fn push(run: &mut Vec<u8>, contract: &Address, key: &[u8], value: &[u8]) {
    let start = run.len();
    let length = value.len() as u32;
    run.extend_from_slice(contract);
    run.extend_from_slice(&(key.len() as u16).to_le_bytes());
    run.extend_from_slice(&length.to_le_bytes());
    run.extend_from_slice(key);
    run.extend_from_slice(value);
    if run.len() - start > ITEM_BYTES_MAX {
        let hash = blake3::hash(&run[start..]);
        run.truncate(start + 34);
        run.extend_from_slice(&(length | 1 << 31).to_le_bytes());
        run.extend_from_slice(hash.as_bytes());
    }
}
