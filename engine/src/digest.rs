//! Digests: what two nodes compare to know that they executed the same.
//!
//! Each of the three roots of a batch is a binary tree over *runs*: run k holds what belongs to calls 256 k to
//! 256 k + 255. A run is hashed as a whole because blake3 costs a seventh for a byte of 25 KB that it costs for a byte of 100 B.
//!
//! ```text
//! leaf   = blake3 keyed "leaf" (run)      node = blake3 keyed "node" (left | right), an odd one out moves up
//! root   = blake3 keyed "root" (head | tree)   head: the batch's header and targets for inputs, else empty; no run: tree = 0
//! digest = blake3("phalanx/digest" | version u32 | height u64 | digest before | input root | receipts root | writes root)
//! ```
//!
//! The keys are the names padded with zeros to 32 bytes. Keys, not prefixes: a prefix would shift a run against blake3's
//! chunks, and the first and last would be hashed alone.

/// A 32-byte blake3 hash.
pub type Digest = [u8; 32];

/// Version of the rules that make results: semantics, gas schedule, preparation pass, encodings.
pub const PROTOCOL_VERSION: u32 = 2;

/// Items longer than this enter their run as their hash, so that a proof of a small neighbour stays small.
pub(crate) const ITEM_BYTES_MAX: usize = 1 << 10;

const fn key(name: &[u8; 4]) -> [u8; 32] {
    let mut key = [0; 32];
    (key[0], key[1], key[2], key[3]) = (name[0], name[1], name[2], name[3]);
    key
}

const LEAF: [u8; 32] = key(b"leaf");
const NODE: [u8; 32] = key(b"node");
const ROOT: [u8; 32] = key(b"root");

/// Hash of one run.
pub(crate) fn leaf(run: &[u8]) -> Digest {
    *blake3::keyed_hash(&LEAF, run).as_bytes()
}

/// Root over the runs' hashes, which are used up.
pub(crate) fn root(head: &[u8], leaves: &mut Vec<Digest>) -> Digest {
    while leaves.len() > 1 {
        let pairs = leaves.len() / 2;
        for pair in 0..pairs {
            leaves[pair] = *blake3::keyed_hash(&NODE, leaves[2 * pair..2 * pair + 2].as_flattened()).as_bytes();
        }
        if leaves.len() % 2 == 1 {
            leaves[pairs] = leaves[leaves.len() - 1];
        }
        leaves.truncate(leaves.len().div_ceil(2));
    }
    let mut hasher = blake3::Hasher::new_keyed(&ROOT);
    hasher.update(head);
    hasher.update(&leaves.pop().unwrap_or_default());
    *hasher.finalize().as_bytes()
}

/// The three roots of a batch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Roots {
    /// Over the calls.
    pub input: Digest,
    /// Over the receipts.
    pub receipts: Digest,
    /// Over the final value of each key that was written.
    pub writes: Digest,
}

/// Digest of a height.
pub(crate) fn batch_digest(height: u64, previous: &Digest, roots: &Roots) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"phalanx/digest");
    hasher.update(&PROTOCOL_VERSION.to_le_bytes());
    hasher.update(&height.to_le_bytes());
    hasher.update(previous);
    hasher.update(&roots.input);
    hasher.update(&roots.receipts);
    hasher.update(&roots.writes);
    *hasher.finalize().as_bytes()
}

/// Hash of a run made of length-framed records (calls, receipts). One over the item limit enters as its length with the top bit
/// set, and its hash.
pub(crate) fn leaf_of_records(records: &[u8]) -> Digest {
    let mut scratch = Vec::new();
    let (mut rest, mut copied) = (records, 0);
    while let Some(frame) = rest.first_chunk::<4>() {
        let length = u32::from_le_bytes(*frame);
        let (record, behind) = rest.split_at(length as usize);
        if record.len() > ITEM_BYTES_MAX {
            let at = records.len() - rest.len();
            scratch.extend_from_slice(&records[copied..at]);
            scratch.extend_from_slice(&(length | 1 << 31).to_le_bytes());
            scratch.extend_from_slice(blake3::hash(record).as_bytes());
            copied = at + record.len();
        }
        rest = behind;
    }
    if copied == 0 {
        return leaf(records);
    }
    scratch.extend_from_slice(&records[copied..]);
    leaf(&scratch)
}
