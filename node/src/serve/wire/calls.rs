//! Calls as they came in, checked, and put into a batch.

use foldhash::quality::FixedState;
use phalanx_engine::limits::METHOD_BYTES_MAX;
use phalanx_engine::{Address, BatchBuilder, BatchError, CallsSize, Identity, SYSTEM_CONTRACT, Signed};
use phalanx_proto::{Bytes, v1};
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

use super::super::refusal::Refusal;
use super::columns::Columns;
use super::{address, detach, fixed, required};

/// Checked calls of one submission: at least one, and no more than a batch can hold.
pub(crate) struct Calls {
    form: Form,
    size: CallsSize,
    /// How many of them are signed.
    signed: u32,
    /// Whether any of them deploys or upgrades.
    to_system: bool,
}

enum Form {
    List(Vec<v1::Call>),
    Columns(Box<Columns>),
}

/// One call, borrowed from whatever form it came in.
#[derive(Clone, Copy)]
pub(crate) struct Borrowed<'a> {
    pub(crate) contract: &'a Address,
    pub(crate) method: &'a str,
    pub(crate) sender: &'a Address,
    pub(crate) arguments: &'a [u8],
    pub(crate) gas_limit: u32,
    /// If it is signed.
    pub(crate) signed: Option<Signed<'a>>,
}

impl Calls {
    /// A single call, which may have an id.
    pub(crate) fn single(call: Option<v1::Call>) -> Result<(Calls, Option<[u8; 16]>), Refusal> {
        let mut call = required("call", call)?;
        let id = call.id.as_ref().map(|id| fixed("call.id", id)).transpose()?;
        let mut size = CallsSize::default();
        let to_system = check("call", &call, &mut size)?;
        let is_signed = call.signature.is_some();
        if !is_signed {
            if let Some(id) = &id {
                size.add_identity(Identity::Id(id));
            }
            call.id = None;
        }
        size.check().map_err(|error| Refusal::of_batch("call", &error))?;
        detach(fields(&mut call));
        Ok((Calls { form: Form::List(vec![call]), size, signed: is_signed.into(), to_system }, id))
    }

    /// A list.
    pub(crate) fn list(mut list: v1::CallList) -> Result<Calls, Refusal> {
        let mut size = CallsSize::default();
        let (mut to_system, mut signed) = (false, 0);
        // Checked first, so that a hostile list is not walked.
        size.add_calls(list.calls.len() as u64, 0, 0);
        size.check().map_err(|error| Refusal::of_batch("list.calls", &error))?;
        size = CallsSize::default();
        for (index, call) in list.calls.iter().enumerate() {
            let field = format_args!("list.calls[{index}]");
            to_system |= check(field, call, &mut size)?;
            signed += u32::from(call.signature.is_some());
            if call.id.is_some() && call.signature.is_none() {
                return Err(Refusal::malformed(
                    format_args!("{field}.id"),
                    "a submission is known by its place in a session, its calls have no ids unless they are signed",
                ));
            }
        }
        let size = Calls::checked(size, "list.calls")?;
        detach(list.calls.iter_mut().flat_map(fields));
        let calls = Calls { form: Form::List(list.calls), size, signed, to_system };
        if signed > 1 {
            calls.check_ids_differ()?;
        }
        Ok(calls)
    }

    /// Columns.
    pub(crate) fn columns(columns: v1::CallColumns) -> Result<Calls, Refusal> {
        let (mut columns, size) = Columns::check(columns)?;
        let to_system = columns.targets().any(|(contract, _)| *contract == SYSTEM_CONTRACT);
        let size = Calls::checked(size, "columns")?;
        columns.detach();
        Ok(Calls { form: Form::Columns(Box::new(columns)), size, signed: 0, to_system })
    }

    /// The size with that of a submission's identity, if a batch can hold it.
    fn checked(mut size: CallsSize, field: &'static str) -> Result<CallsSize, Refusal> {
        if size.calls == 0 {
            return Err(Refusal::malformed(field, "there are no calls"));
        }
        size.add_identity(Identity::Begins(phalanx_engine::Submission { session: [0; 16], sequence: 0 }));
        size.check().map_err(|error| Refusal::of_batch(field, &error))?;
        Ok(size)
    }

    /// What they add to a batch, at most.
    pub(crate) fn size(&self) -> &CallsSize {
        &self.size
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.size.calls as u32
    }

    /// How many of them are signed.
    pub(crate) fn signed(&self) -> u32 {
        self.signed
    }

    /// An id is used once, also within a list.
    fn check_ids_differ(&self) -> Result<(), Refusal> {
        let mut ids = HashSet::with_capacity(self.signed as usize);
        self.try_each(|index, call| match call.signed {
            Some(Signed { id, .. }) if !ids.insert((*call.sender, *id)) => Err(Refusal::malformed(
                format_args!("list.calls[{index}].id"),
                "another call of the list has this sender and id",
            )),
            _ => Ok(()),
        })
    }

    /// Whether any of them deploys or upgrades.
    pub(crate) fn reach_system(&self) -> bool {
        self.to_system
    }

    /// Visits them in order until one is not as it should be.
    pub(crate) fn try_each<E>(&self, mut visit: impl FnMut(usize, Borrowed<'_>) -> Result<(), E>) -> Result<(), E> {
        match &self.form {
            Form::List(calls) => calls.iter().map(borrow).enumerate().try_for_each(|(index, call)| visit(index, call)),
            Form::Columns(columns) => (0..columns.len()).try_for_each(|index| visit(index, columns.call(index))),
        }
    }

    /// Checks each sender; the error names the first that does not pass.
    pub(crate) fn check_senders(&self, mut may: impl FnMut(&Address) -> bool) -> Result<(), Address> {
        let mut last: Option<Address> = None;
        self.try_each(|_, call| {
            if last.as_ref() == Some(call.sender) || may(call.sender) {
                last = Some(*call.sender);
                return Ok(());
            }
            Err(*call.sender)
        })
    }

    /// What tells their body from another.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::default();
        let done: Result<(), ()> = self.try_each(|_, call| {
            fingerprint.add(call.contract, call.method.as_bytes(), call.sender, call.arguments, call.gas_limit.into());
            Ok(())
        });
        debug_assert!(done.is_ok());
        fingerprint.finish()
    }

    /// Appends them to a batch that has room for their size. The identity is the first one's; with that of a submission
    /// the others go on with it.
    pub(crate) fn push_into(&self, builder: &mut BatchBuilder, identity: Identity<'_>) -> Result<(), BatchError> {
        let behind = match identity {
            Identity::Begins(_) | Identity::Continues => Identity::Continues,
            Identity::Anonymous | Identity::Id(_) => Identity::Anonymous,
        };
        let identity_at = |index| if index == 0 { identity } else { behind };
        match &self.form {
            Form::List(calls) => calls.iter().map(borrow).enumerate().try_for_each(|(index, call)| {
                let target = builder.target(call.contract, call.method)?;
                let place = identity_at(index);
                match call.signed {
                    None => builder.push_to(target, call.sender, call.gas_limit, call.arguments, place),
                    Some(signed) => {
                        builder.push_signed(target, call.sender, call.gas_limit, call.arguments, signed, place)
                    }
                }
            }),
            Form::Columns(columns) => {
                let targets = columns.targets().map(|(contract, method)| builder.target(contract, method));
                let targets = targets.collect::<Result<Vec<_>, _>>()?;
                (0..columns.len()).try_for_each(|index| {
                    let target = targets[columns.target_number(index)];
                    let (sender, gas_limit) = (columns.sender(index), columns.gas_limit(index));
                    builder.push_to(target, sender, gas_limit, columns.arguments(index), identity_at(index))
                })
            }
        }
    }
}

/// What a checked call shares with its message.
fn fields(call: &mut v1::Call) -> impl Iterator<Item = &mut Bytes> {
    let signed = call.id.iter_mut().chain(&mut call.signature);
    [&mut call.contract, &mut call.sender, &mut call.arguments].into_iter().chain(signed)
}

/// Checks a call and counts it. Answers whether it goes to the system contract.
fn check(field: impl std::fmt::Display, call: &v1::Call, size: &mut CallsSize) -> Result<bool, Refusal> {
    let contract = address(format_args!("{field}.contract"), &call.contract)?;
    address(format_args!("{field}.sender"), &call.sender)?;
    check_method(format_args!("{field}.method"), &call.method)?;
    if call.gas_limit > u64::from(u32::MAX) {
        let field = format_args!("{field}.gas_limit");
        return Err(Refusal::limit(field, "call_gas_limit", call.gas_limit, u32::MAX.into()));
    }
    if let Some(signature) = &call.signature {
        fixed::<64>(format_args!("{field}.signature"), signature)?;
        let Some(id) = &call.id else {
            return Err(Refusal::malformed(
                format_args!("{field}.id"),
                "a signed call has an id, which begins with the last height at which it may be ordered",
            ));
        };
        fixed::<16>(format_args!("{field}.id"), id)?;
        size.add_signature();
    }
    size.add_target(call.method.len());
    size.add_calls(1, call.arguments.len() as u64, call.gas_limit);
    Ok(contract == SYSTEM_CONTRACT)
}

/// Checks a method's name.
pub(super) fn check_method(field: impl std::fmt::Display, method: &str) -> Result<(), Refusal> {
    match method.len() <= METHOD_BYTES_MAX {
        true => Ok(()),
        false => Err(Refusal::limit(field, "method_bytes", method.len() as u64, METHOD_BYTES_MAX as u64)),
    }
}

/// A call whose lengths have been checked.
fn borrow(call: &v1::Call) -> Borrowed<'_> {
    Borrowed {
        contract: (&call.contract[..]).try_into().expect("32 bytes"),
        method: &call.method,
        sender: (&call.sender[..]).try_into().expect("32 bytes"),
        arguments: &call.arguments,
        gas_limit: u32::try_from(call.gas_limit).expect("32 bits"),
        signed: call.signature.as_ref().map(|signature| Signed {
            id: call.id.as_deref().and_then(|id| id.try_into().ok()).expect("16 bytes"),
            signature: (&signature[..]).try_into().expect("64 bytes"),
        }),
    }
}

/// Tells one body of calls from another, so that a client is told that it used an id twice. No defence: whoever makes two
/// bodies alike deceives himself alone.
#[derive(Clone)]
pub(crate) struct Fingerprint(<FixedState as BuildHasher>::Hasher);

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint(FixedState::default().build_hasher())
    }
}

impl Fingerprint {
    /// Takes a call in.
    pub(crate) fn add(&mut self, contract: &Address, method: &[u8], sender: &Address, arguments: &[u8], gas: u64) {
        self.0.write(contract);
        self.0.write_usize(method.len());
        self.0.write(method);
        self.0.write(sender);
        self.0.write_u64(gas);
        self.0.write_usize(arguments.len());
        self.0.write(arguments);
    }

    /// Of all that was taken in.
    pub(crate) fn finish(&self) -> u64 {
        self.0.finish()
    }
}
