//! What a case is, what is recorded and refused in it.

use phalanx_contract::{Address, Wire, hash};

/// What an address may do.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Open, assign and close cases.
    Clerk,
    /// Decide.
    Officer,
    /// Confirm or return decisions of others.
    Reviewer,
}

/// How far a case has come.
#[derive(Wire, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// An officer is to decide.
    Assigned,
    /// A reviewer is to look at the decision.
    Decided,
    /// The decision stands.
    Confirmed,
    /// The party appealed; a clerk is to assign another officer.
    Appealed,
    /// Nothing more happens.
    Closed,
}

/// A case.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// Whose it is.
    pub party: Address,
    /// Who decides, or decided.
    pub officer: Address,
    /// How far it has come.
    pub phase: Phase,
    /// Whether the party appealed.
    pub appealed: bool,
    /// Digest of the trail's last entry.
    pub head: [u8; 32],
}

/// What was done.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// The case was opened.
    Opened,
    /// It was decided.
    Decided {
        /// Whether the party gets what it applied for.
        granted: bool,
    },
    /// A reviewer confirmed the decision.
    Confirmed,
    /// A reviewer returned the decision.
    Returned,
    /// The party appealed.
    Appealed,
    /// The case was assigned anew.
    Assigned {
        /// To whom.
        officer: Address,
    },
    /// The case was closed.
    Closed,
}

/// An entry of a case's trail.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Who did it.
    pub by: Address,
    /// When, in milliseconds.
    pub time: u64,
    /// What.
    pub act: Act,
    /// Digest of the document that says more; zeros for none.
    pub document: [u8; 32],
    /// Digest of the entry before; zeros for the first.
    pub before: [u8; 32],
}

impl Entry {
    /// BLAKE3 over who, when, the document, the entry before, and the act: its kind as a byte, and what belongs to it.
    pub fn digest(&self) -> [u8; 32] {
        let (kind, detail) = match self.act {
            Act::Opened => (0, [0; 32]),
            Act::Decided { granted } => (1, [u8::from(granted); 32]),
            Act::Confirmed => (2, [0; 32]),
            Act::Returned => (3, [0; 32]),
            Act::Appealed => (4, [0; 32]),
            Act::Assigned { officer } => (5, officer.0),
            Act::Closed => (6, [0; 32]),
        };
        let mut bytes = [0; 137];
        bytes[..32].copy_from_slice(&self.by.0);
        bytes[32..40].copy_from_slice(&self.time.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.document);
        bytes[72..104].copy_from_slice(&self.before);
        bytes[104] = kind;
        bytes[105..].copy_from_slice(&detail);
        hash::blake3(&bytes)
    }
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer appoints and dismisses.
    NotDeployer,
    /// The caller is no clerk.
    NotClerk,
    /// Who decides, or shall decide, is no officer.
    NotOfficer,
    /// The caller is no reviewer.
    NotReviewer,
    /// The case is assigned to somebody else.
    NotAssigned,
    /// The case is somebody else's.
    NotParty,
    /// Nobody reviews what it decided.
    OwnDecision,
    /// After an appeal, another officer decides.
    SameOfficer,
    /// The party appealed before.
    AlreadyAppealed,
    /// The number is taken.
    Exists,
    /// No case has this number.
    Unknown,
    /// The case has not come so far, or is past it.
    WrongPhase,
}
