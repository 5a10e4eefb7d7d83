//! A supply chain: batches of goods that are produced, split, merged, handed over, and recalled.
//!
//! The deployer admits producers. What a producer makes is a batch, and its own origin. A part that is split off has the origins of
//! the whole; a batch that another is merged into has the origins of both, at most eight. A producer recalls an origin:
//! from then on no batch that has it is handed over, taken over, split or merged, wherever it has come. Batches change hands in two steps;
//! after its production, no step changes how much there is of a product.
//!
//! # Conflicts
//!
//! Calls about one batch run in order, with those about the batches that it is split or merged with. Others don't meet; how much of each
//! product was produced is added up without reading. Every step reads whether its origins were recalled, so the later steps of exactly the
//! goods that a recall is about conflict with it. The recall itself reads who produced the origin, and waits for no step but the production.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Who may produce.
#[slot]
const ROLES: Roles<Role> = Roles::at(0);
/// Each batch.
#[slot]
const BATCHES: Map<u64, Batch> = Map::at(1);
/// The origins of a batch: the batches as which its goods were produced.
#[slot]
const ORIGINS: List<u64, u64> = List::at(2);
/// Who produced a batch.
#[slot]
const PRODUCERS: Map<u64, Address> = Map::at(3);
/// Why an origin was recalled.
#[slot]
const RECALLS: Map<u64, u16> = Map::at(4);
/// To whom a batch is offered.
#[slot]
const OFFERS: Map<u64, Address> = Map::at(5);
/// How much was produced of each product.
#[slot]
const PRODUCED: Map<u32, u128> = Map::at(6);

/// The most origins of a batch.
pub const ORIGINS_MAX: u32 = 8;
/// The most that a batch holds.
pub const QUANTITY_MAX: u64 = 1 << 48;

/// What an address may do.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Produce batches, and recall them.
    Producer,
}

/// A batch of goods.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Batch {
    /// What it is.
    pub product: u32,
    /// How much there is of it; 0 once it went into another batch.
    pub quantity: u64,
    /// Who has it.
    pub holder: Address,
}

/// A batch was produced.
#[derive(Wire, Debug, PartialEq)]
pub struct Produced {
    /// Its number.
    pub batch: u64,
    /// What it is, and how much.
    pub content: Batch,
}

/// Goods went from one batch to another.
#[derive(Wire, Debug, PartialEq)]
pub struct Moved {
    /// Out of this one.
    pub from: u64,
    /// Into this one.
    pub into: u64,
    /// How much.
    pub quantity: u64,
}

/// A batch has another holder.
#[derive(Wire, Debug, PartialEq)]
pub struct HandedOver {
    /// Its number.
    pub batch: u64,
    /// Who had it.
    pub from: Address,
    /// Who has it.
    pub to: Address,
}

/// An origin was recalled.
#[derive(Wire, Debug, PartialEq)]
pub struct Recalled {
    /// The batch as which it was produced.
    pub origin: u64,
    /// Why; a number of the producer.
    pub reason: u16,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer admits.
    NotDeployer,
    /// The caller may not produce, or did not produce this.
    NotProducer,
    /// The number is taken.
    Exists,
    /// No batch has this number.
    Unknown,
    /// Somebody else has the batch.
    NotHolder,
    /// The batch is not offered to the caller.
    NotOffered,
    /// A quantity is 1 to [`QUANTITY_MAX`], and a part less than the whole.
    BadQuantity,
    /// Two batches are merged if they are of one product.
    OtherProduct,
    /// A batch has at most [`ORIGINS_MAX`] origins.
    TooManyOrigins,
    /// An origin of the batch was recalled.
    Recalled,
    /// The batch that is offered holds more or less than that.
    OtherQuantity,
}

/// The contract.
pub struct Trace;

#[contract]
impl Trace {
    /// Lets an address produce. The deployer alone may.
    pub fn admit(producer: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.grant(Role::Producer, producer);
        Ok(())
    }

    /// Lets an address produce no longer; it may still recall. The deployer alone may.
    pub fn expel(producer: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.revoke(Role::Producer, producer);
        Ok(())
    }

    /// Creates a batch. Producers alone may.
    pub fn produce(batch: u64, product: u32, quantity: u64) -> Result<(), Error> {
        ROLES.require(Role::Producer, Error::NotProducer)?;
        require((1..=QUANTITY_MAX).contains(&quantity), Error::BadQuantity)?;
        let content = Batch { product, quantity, holder: caller() };
        BATCHES.set_once(&batch, &content).map_err(|Refused| Error::Exists)?;
        PRODUCERS.set(&batch, &caller());
        ORIGINS.push(&batch, &batch);
        PRODUCED.add(&product, quantity.into()).or_abort("more was produced than numbers say");
        emit(&Produced { batch, content });
        Ok(())
    }

    /// Moves a part of a batch into a new one. The holder alone may.
    pub fn split(batch: u64, part: u64, quantity: u64) -> Result<(), Error> {
        let whole = usable(batch)?;
        require((1..whole.quantity).contains(&quantity), Error::BadQuantity)?;
        BATCHES.set(&batch, &Batch { quantity: whole.quantity - quantity, ..whole });
        BATCHES.set_once(&part, &Batch { quantity, ..whole }).map_err(|Refused| Error::Exists)?;
        origins(batch, |origin| {
            ORIGINS.push(&part, &origin);
            Ok(())
        })?;
        OFFERS.remove(&batch);
        emit(&Moved { from: batch, into: part, quantity });
        Ok(())
    }

    /// Moves all of a batch into another of the same product. Who holds both alone may.
    pub fn merge(from: u64, into: u64) -> Result<(), Error> {
        let (emptied, filled) = (usable(from)?, usable(into)?);
        require(from != into, Error::BadQuantity)?;
        require(emptied.product == filled.product, Error::OtherProduct)?;
        let sum = emptied.quantity + filled.quantity;
        let both_hold = emptied.quantity > 0 && filled.quantity > 0;
        require(both_hold && sum <= QUANTITY_MAX, Error::BadQuantity)?;
        origins(from, |origin| add_origin(into, origin))?;
        BATCHES.set(&from, &Batch { quantity: 0, ..emptied });
        BATCHES.set(&into, &Batch { quantity: sum, ..filled });
        OFFERS.remove(&from);
        OFFERS.remove(&into);
        emit(&Moved { from, into, quantity: emptied.quantity });
        Ok(())
    }

    /// Offers a batch to somebody, in place of any offer before. The holder alone may.
    pub fn hand_over(batch: u64, to: Address) -> Result<(), Error> {
        usable(batch)?;
        OFFERS.set(&batch, &to);
        Ok(())
    }

    /// Takes a batch of so much that is offered to the caller.
    pub fn take_over(batch: u64, quantity: u64) -> Result<(), Error> {
        let found = BATCHES.find(&batch).ok_or(Error::Unknown)?;
        let (from, to) = (found.holder, caller());
        require(OFFERS.find(&batch) == Some(to), Error::NotOffered)?;
        // The holder may have split it, or merged another into it, and offered it again.
        require(found.quantity == quantity, Error::OtherQuantity)?;
        require(!Self::recalled(batch), Error::Recalled)?;
        OFFERS.remove(&batch);
        BATCHES.set(&batch, &Batch { holder: to, ..found });
        emit(&HandedOver { batch, from, to });
        Ok(())
    }

    /// Recalls all goods that were produced as a batch. Its producer alone may.
    pub fn recall(origin: u64, reason: u16) -> Result<(), Error> {
        only(PRODUCERS.find(&origin).ok_or(Error::Unknown)?, Error::NotProducer)?;
        RECALLS.set_once(&origin, &reason).map_err(|Refused| Error::Recalled)?;
        emit(&Recalled { origin, reason });
        Ok(())
    }

    /// A batch.
    pub fn batch(batch: u64) -> Option<Batch> {
        BATCHES.find(&batch)
    }

    /// An origin of a batch, counted from 0.
    pub fn origin(batch: u64, number: u32) -> Option<u64> {
        ORIGINS.get(&batch, number)
    }

    /// Whether an origin of a batch was recalled.
    pub fn recalled(batch: u64) -> bool {
        origins(batch, |origin| require(RECALLS.find(&origin).is_none(), ())).is_err()
    }

    /// How much was produced of a product.
    pub fn produced(product: u32) -> u128 {
        PRODUCED.get(&product)
    }
}

/// The batch, if the caller has it and nothing of it was recalled.
fn usable(batch: u64) -> Result<Batch, Error> {
    let found = BATCHES.find(&batch).ok_or(Error::Unknown)?;
    only(found.holder, Error::NotHolder)?;
    require(!Trace::recalled(batch), Error::Recalled)?;
    Ok(found)
}

/// Hands the origins of a batch to `visit`, until it fails.
fn origins<E>(batch: u64, mut visit: impl FnMut(u64) -> Result<(), E>) -> Result<(), E> {
    (0..ORIGINS.len(&batch)).filter_map(|number| ORIGINS.get(&batch, number)).try_for_each(&mut visit)
}

/// Adds an origin, unless the batch has it.
fn add_origin(batch: u64, origin: u64) -> Result<(), Error> {
    if origins(batch, |known| require(known != origin, ())).is_ok() {
        require(ORIGINS.len(&batch) < ORIGINS_MAX, Error::TooManyOrigins)?;
        ORIGINS.push(&batch, &origin);
    }
    Ok(())
}
