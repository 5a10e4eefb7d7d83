//! Lists, texts and long values, which the SDK's feature `alloc` is for: a folder of notes for each sender.
//!
//! Conflicts: calls of one sender meet at the sender's folder, which is read and written whole.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// A note.
#[derive(Wire, Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is called.
    pub title: String,
    /// What it says.
    pub words: Vec<String>,
    /// The heaviest come first.
    pub weight: u32,
}

/// Why a call is refused.
#[derive(Wire, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no note of this number.
    NoNote,
}

/// The notes of each sender.
#[slot]
const FOLDERS: Map<Address, Vec<Note>> = Map::at(0);

/// The contract.
pub struct Heap;

#[contract]
impl Heap {
    /// Adds a note to the sender's, heaviest first; answers how many there are.
    pub fn add(note: Note) -> u32 {
        let mut notes = FOLDERS.find(&caller()).unwrap_or_default();
        notes.push(note);
        notes.sort_by(|left, right| right.weight.cmp(&left.weight).then_with(|| left.title.cmp(&right.title)));
        FOLDERS.set(&caller(), &notes);
        notes.len() as u32
    }

    /// Removes one of the sender's notes.
    pub fn remove(number: u32) -> Result<Note, Error> {
        let mut notes = FOLDERS.find(&caller()).unwrap_or_default();
        let number = number as usize;
        if number >= notes.len() {
            return Err(Error::NoNote);
        }
        let removed = notes.remove(number);
        FOLDERS.set(&caller(), &notes);
        Ok(removed)
    }

    /// All notes of an account.
    pub fn notes(of: Address) -> Vec<Note> {
        FOLDERS.find(&of).unwrap_or_default()
    }

    /// The sender's titles, one a line.
    pub fn titles() -> String {
        let notes = FOLDERS.find(&caller()).unwrap_or_default();
        notes.iter().map(|note| format!("{}. {}\n", note.weight, note.title)).collect()
    }

    /// Numbers in their order.
    pub fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
        numbers.sort_unstable();
        numbers
    }

    /// Holds so many blocks of so many bytes at once, and answers with the sum of their first and last bytes.
    pub fn hold(blocks: u32, bytes: u32) -> u64 {
        let held: Vec<Vec<u8>> = (0..blocks).map(|block| vec![block as u8; bytes as usize]).collect();
        let ends = |block: &Vec<u8>| {
            u64::from(block.first().copied().unwrap_or(0)) + u64::from(block.last().copied().unwrap_or(0))
        };
        held.iter().map(ends).sum()
    }
}
