//! The engine with its log: crashes, refusing disks, damage, and a log of an earlier day.
//!
//! `PHALANX_TEST_SEED` chooses which unsynced sectors survive a crash. A failure prints it.

mod code_cache;
mod crash;
mod faults;
mod golden;
mod open;
mod order;
mod receipts;
mod support;
mod verify;
