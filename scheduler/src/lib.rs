//! Order, key ownership, access records and executors of Phalanx: no Wasm, no disk, no async.
