//! Calls as they came in, checked, and put into a batch.

use foldhash::quality::FixedState;
use phalanx_engine::limits::METHOD_BYTES_MAX;
use phalanx_engine::{Address, BatchBuilder, BatchError, CallsSize, Identity, SYSTEM_CONTRACT, Signed};
use phalanx_proto::{Bytes, v1};
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

use super::super::refusal::Refusal;
use super::columns::{Columns, Gathered};
use super::{detach, fixed, fixed_in_place, required};

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
    Single(Box<v1::Call>),
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
        let checked = check("call", &(&call).into(), &mut size)?;
        let (to_system, is_signed) = (*checked.contract == SYSTEM_CONTRACT, checked.signed.is_some());
        size.add_target(call.method.len());
        if !is_signed {
            if let Some(id) = &id {
                size.add_identity(Identity::Id(id));
            }
            call.id = None;
        }
        size.check().map_err(|error| Refusal::of_batch("call", &error))?;
        detach(fields(&mut call));
        Ok((Calls { form: Form::Single(Box::new(call)), size, signed: is_signed.into(), to_system }, id))
    }

    /// A list, whose calls are put into columns.
    pub(crate) fn list(list: &v1::CallList) -> Result<Calls, Refusal> {
        let mut size = CallsSize::default();
        let mut to_system = false;
        // Checked first, so that a hostile list is not walked.
        size.add_calls(list.len() as u64, 0, 0);
        size.check().map_err(|error| Refusal::of_batch("list.calls", &error))?;
        size = CallsSize::default();
        let mut gathered = Gathered::new(list);
        for (index, call) in list.calls().enumerate() {
            let field = format_args!("list.calls[{index}]");
            let call = call.map_err(|error| Refusal::malformed(field, error))?;
            let has_id = call.id.is_some();
            let call = check(field, &call, &mut size)?;
            if has_id && call.signed.is_none() {
                return Err(Refusal::malformed(
                    format_args!("{field}.id"),
                    "a submission is known by its place in a session, its calls have no ids unless they are signed",
                ));
            }
            to_system |= *call.contract == SYSTEM_CONTRACT;
            gathered.push(&call, &mut size);
        }
        let size = Calls::checked(size, "list.calls")?;
        let columns = gathered.into_columns();
        let signed = columns.signed();
        let calls = Calls { form: Form::Columns(Box::new(columns)), size, signed, to_system };
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
            Form::Single(call) => visit(0, borrow(call)),
            Form::Columns(columns) => columns.calls().enumerate().try_for_each(|(index, call)| visit(index, call)),
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
        let mut identities = std::iter::once(identity).chain(std::iter::repeat(behind));
        let mut push = |builder: &mut BatchBuilder, target, call: Borrowed<'_>| {
            let Borrowed { sender, gas_limit, arguments, signed, .. } = call;
            let identity = identities.next().unwrap_or(behind);
            match signed {
                None => builder.push_to(target, sender, gas_limit, arguments, identity),
                Some(signed) => builder.push_signed(target, sender, gas_limit, arguments, signed, identity),
            }
        };
        match &self.form {
            Form::Single(call) => {
                let call = borrow(call);
                let target = builder.target(call.contract, call.method)?;
                push(builder, target, call)
            }
            Form::Columns(columns) => {
                let targets = columns.targets().map(|(contract, method)| builder.target(contract, method));
                let targets = targets.collect::<Result<Vec<_>, _>>()?;
                let mut calls = columns.calls().enumerate();
                calls.try_for_each(|(index, call)| push(builder, targets[columns.target_number(index)], call))
            }
        }
    }
}

/// What a checked call shares with its message.
fn fields(call: &mut v1::Call) -> impl Iterator<Item = &mut Bytes> {
    let signed = call.id.iter_mut().chain(&mut call.signature);
    [&mut call.contract, &mut call.sender, &mut call.arguments].into_iter().chain(signed)
}

/// Checks a call and counts it, but for its target.
fn check<'a>(
    field: impl std::fmt::Display,
    call: &v1::ListedCall<'a>,
    size: &mut CallsSize,
) -> Result<Borrowed<'a>, Refusal> {
    let &v1::ListedCall { contract, method, sender, arguments, gas_limit, id, signature } = call;
    let contract = fixed_in_place(format_args!("{field}.contract"), contract)?;
    let sender = fixed_in_place(format_args!("{field}.sender"), sender)?;
    check_method(format_args!("{field}.method"), method)?;
    let limited = u32::try_from(gas_limit).map_err(|_| {
        let field = format_args!("{field}.gas_limit");
        Refusal::limit(field, "call_gas_limit", gas_limit, u32::MAX.into())
    })?;
    let signed = match signature {
        None => None,
        Some(signature) => {
            let signature = fixed_in_place(format_args!("{field}.signature"), signature)?;
            let Some(id) = id else {
                return Err(Refusal::malformed(
                    format_args!("{field}.id"),
                    "a signed call has an id, which begins with the last height at which it may be ordered",
                ));
            };
            let id = fixed_in_place(format_args!("{field}.id"), id)?;
            size.add_signature();
            Some(Signed { id, signature })
        }
    };
    size.add_calls(1, arguments.len() as u64, gas_limit);
    Ok(Borrowed { contract, method, sender, arguments, gas_limit: limited, signed })
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
