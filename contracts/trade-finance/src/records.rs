//! What a letter is, and what is told and refused about it.

use phalanx_contract::{Address, Wire};

/// How far a letter has come.
#[derive(Wire, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The amount is set aside; nothing was presented.
    Issued,
    /// A document waits for the bank.
    Presented,
    /// The bank says that the document is not what the letter asks for.
    Discrepant,
    /// The bank, or the buyer despite a discrepancy, takes the document.
    Accepted,
    /// The seller has the amount.
    Settled,
    /// The time was over: the bank has the amount.
    Closed,
}

/// A letter of credit.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Letter {
    /// Who promises.
    pub bank: Address,
    /// For whom.
    pub buyer: Address,
    /// Whom.
    pub seller: Address,
    /// How much.
    pub amount: u128,
    /// The time in milliseconds from which on nothing is presented any more.
    pub ends: u64,
    /// Digest of the document that was presented last.
    pub document: Option<[u8; 32]>,
    /// How far it has come.
    pub phase: Phase,
}

/// A letter came to another phase.
#[derive(Wire, Debug, PartialEq)]
pub struct PhaseChanged {
    /// Which.
    pub letter: u64,
    /// Where it is now.
    pub phase: Phase,
    /// The document that it claims.
    pub document: Option<[u8; 32]>,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer may.
    NotDeployer,
    /// The caller may not issue letters.
    NotBank,
    /// Only the bank that issued the letter may.
    NotIssuingBank,
    /// Only the buyer may.
    NotBuyer,
    /// Only the seller may.
    NotSeller,
    /// The number is taken.
    Exists,
    /// No letter has this number.
    Unknown,
    /// The letter has not come so far, or is past it.
    WrongPhase,
    /// The letter's time is over.
    Ended,
    /// The letter's time is not over.
    NotEnded,
    /// Another letter claims the document.
    AlreadyClaimed,
    /// The bank has less than the amount.
    InsufficientMoney,
    /// There would be more money than numbers.
    MoneyOverflow,
    /// This is not the document that was presented.
    OtherDocument,
}
