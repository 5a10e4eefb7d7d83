//! What a case is, what is recorded and refused in it.

use phalanx_contract::wire::Writer;
use phalanx_contract::{Address, Wire, hash, host};

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
    /// Whose decision the party appealed against, if it did.
    pub appealed: Option<Address>,
    /// Digest of the trail's last entry.
    pub head: [u8; 32],
}

/// What was done.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// The case was opened.
    Opened {
        /// Whose it is.
        party: Address,
        /// To whom it was assigned.
        officer: Address,
    },
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
    /// BLAKE3 over the encoding of the case's number and the entry.
    pub fn digest(&self, case: u64) -> [u8; 32] {
        let mut buffer = host::buffer::<{ <(u64, Entry) as Wire>::MAX_LEN }>();
        let mut writer = Writer::new(&mut buffer);
        (case, *self).write(&mut writer);
        hash::blake3(writer.finish())
    }
}

/// A step was taken.
#[derive(Wire, Debug, PartialEq)]
pub struct Recorded {
    /// In which case.
    pub case: u64,
    /// The entry of its trail.
    pub entry: Entry,
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
    /// After an appeal, another officer decides than the one appealed against.
    SameOfficer,
    /// The party appealed before.
    AlreadyAppealed,
    /// The number is taken.
    Exists,
    /// No case has this number.
    Unknown,
    /// The case has not come so far, or is past it.
    WrongPhase,
    /// Nobody decides or reviews its own case.
    OwnCase,
    /// This is not what was decided last.
    OtherDecision,
}
