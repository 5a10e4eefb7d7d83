//! What the register holds, tells and refuses.

use phalanx_contract::{Address, Wire};

/// Who must approve a transfer.
#[derive(Wire, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Keeps the register.
    Registry,
    /// Knows the parcel's borders.
    Survey,
    /// Knows what is owed for it.
    Tax,
}

/// A parcel.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Parcel {
    /// Whose it is.
    pub owner: Address,
    /// Digest of its description.
    pub description: [u8; 32],
    /// Whether a court keeps it from being transferred.
    pub blocked: bool,
}

/// A transfer that waits for consents.
#[derive(Wire, Clone, Copy, Debug, PartialEq, Default)]
pub struct Proposal {
    /// The new owner.
    pub to: Address,
    /// Whether the new owner accepted.
    pub accepted: bool,
    /// Who approved for the survey office.
    pub survey: Option<Address>,
    /// Who approved for the tax office.
    pub tax: Option<Address>,
    /// Who approved for the registry.
    pub registry: Option<Address>,
}

impl Proposal {
    pub(crate) fn approval(&mut self, authority: Authority) -> &mut Option<Address> {
        match authority {
            Authority::Registry => &mut self.registry,
            Authority::Survey => &mut self.survey,
            Authority::Tax => &mut self.tax,
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.accepted && self.survey.is_some() && self.tax.is_some() && self.registry.is_some()
    }
}

/// Who owned a parcel.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Title {
    /// Who.
    pub owner: Address,
    /// From which time on, in milliseconds.
    pub since: u64,
}

/// A parcel was registered.
#[derive(Wire, Debug, PartialEq)]
pub struct Registered {
    /// Which.
    pub parcel: u64,
    /// Whose it is.
    pub owner: Address,
}

/// An owner wants to give a parcel away.
#[derive(Wire, Debug, PartialEq)]
pub struct Proposed {
    /// Which.
    pub parcel: u64,
    /// To whom.
    pub to: Address,
}

/// An authority ended a proposal.
#[derive(Wire, Debug, PartialEq)]
pub struct Refusal {
    /// For which parcel.
    pub parcel: u64,
    /// Who refused.
    pub authority: Authority,
    /// Why; a number of the authority.
    pub reason: u16,
}

/// A parcel has another owner.
#[derive(Wire, Debug, PartialEq)]
pub struct Transferred {
    /// Which.
    pub parcel: u64,
    /// Whose it was.
    pub from: Address,
    /// Whose it is.
    pub to: Address,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer appoints and dismisses.
    NotDeployer,
    /// The caller is no officer of that authority.
    NotOfficer,
    /// The number is taken.
    Exists,
    /// No parcel has this number.
    Unknown,
    /// The parcel belongs to somebody else.
    NotOwner,
    /// A court keeps the parcel from being transferred.
    Blocked,
    /// The parcel belongs to who shall have it.
    AlreadyOwner,
    /// A proposal waits for consents.
    AlreadyProposed,
    /// No proposal waits.
    NoProposal,
    /// The parcel shall go to somebody else.
    NotNewOwner,
    /// That consent was given.
    AlreadyConsented,
    /// The officer approved of this proposal for another authority.
    ApprovedForAnother,
    /// The proposal that waits is to give the parcel to somebody else.
    OtherProposal,
}
