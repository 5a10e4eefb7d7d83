//! What subscribers are told, beside messages made as plainly as possible.

use super::super::copied;
use super::super::receipts::{receipt, write};
use super::*;
use phalanx_engine::{BatchBuilder, BatchBytes, Call, CallRef, Deployment, Engine, Executed, Identity, Signed};
use phalanx_proto::Message;
use phalanx_proto::history::EncodedSubscribeResponse;
use tonic::Status;

const TOKEN: &[u8] = include_bytes!("../../../../../contracts/wasm/token.wasm");
const VAULT: &[u8] = include_bytes!("../../../../../contracts/wasm/vault.wasm");
const ISSUER: Address = [1; 32];

fn account(number: u8) -> Address {
    [100 + number; 32]
}

/// Deploys; money for ten accounts and the vault; transfers of which some fail, deposits, and calls of what is not there.
fn batches() -> Vec<BatchBytes> {
    let (token, vault) = (Deployment::new(ISSUER, [0; 32], TOKEN), Deployment::new(ISSUER, [0; 32], VAULT));
    let mut deploys = BatchBuilder::new(1, 5);
    [&token, &vault].into_iter().for_each(|each| deploys.push(&each.call()).expect("it fits"));
    let arguments = |to: Address, amount: u128| [&to[..], &amount.to_le_bytes()].concat();
    let mut money = BatchBuilder::new(2, 6);
    let push = |batch: &mut BatchBuilder, contract, method, sender, arguments: &[u8]| {
        batch.push(&Call { contract, method, sender, arguments, gas_limit: 500_000 }).expect("it fits");
    };
    for number in 0..10 {
        push(&mut money, token.contract(), "mint", ISSUER, &arguments(account(number), 1_000));
        push(&mut money, token.contract(), "approve", account(number), &arguments(vault.contract(), 100));
    }
    let mut moves = BatchBuilder::new(3, 7);
    for number in 0..200u8 {
        let (from, to) = (account(number % 10), account(number % 7));
        match number % 5 {
            0 => push(&mut moves, vault.contract(), "deposit", from, &arguments(token.contract(), 7)),
            1 => push(&mut moves, [9; 32], "nothing", from, b""),
            2 => push(&mut moves, token.contract(), "transfer", from, &arguments(to, 10_000)),
            _ => push(&mut moves, token.contract(), "transfer", from, &arguments(to, u128::from(number))),
        }
    }
    let target = moves.target(&token.contract(), "transfer").expect("it fits");
    let transfer = arguments(account(1), 1);
    let signed = Signed { id: &[3; 16], signature: &[4; 64] };
    moves.push_to(target, &account(3), 9_999, &transfer, Identity::Id(&[5; 16])).expect("it fits");
    moves.push_signed(target, &account(3), 9_999, &transfer, signed, Identity::Anonymous).expect("it fits");
    vec![deploys.finish(), money.finish(), moves.finish()]
}

/// The heights, each with its receipts and writes.
fn heights() -> Vec<(BatchBytes, Executed)> {
    let engine = Engine::default();
    let each = batches().into_iter().map(|bytes| {
        let executed = engine.execute_batch(bytes.clone()).and_then(|it| engine.commit(it)).expect("it runs");
        (bytes, executed)
    });
    each.collect()
}

/// A call of the history, made as plainly as possible.
fn plainly(batch: &Batch, (index, call): (u32, &CallRef<'_>), left: (&[u8], &[u8]), form: Form) -> v1::HistoryCall {
    let (contract, method) = batch.target_of(call);
    let of_call = Receipts::new(left.0).nth(index as usize).expect("each call has one");
    let writes = WriteSet::new(left.1).filter(|item| item.call() == index);
    v1::HistoryCall {
        index,
        call: form.calls.then(|| v1::Call {
            contract: copied(contract),
            method: String::from_utf8_lossy(method).into_owned(),
            sender: copied(call.sender()),
            arguments: copied(call.arguments()),
            gas_limit: call.gas_limit(),
            id: call.id().map(|id| copied(id)),
            signature: call.signature().map(|signature| copied(signature)),
        }),
        receipt: form.receipts.then(|| receipt(&of_call)),
        writes: if form.writes { writes.map(|item| write(&item, contract)).collect() } else { Vec::new() },
    }
}

fn request(form: Form, filter: v1::CallFilter) -> v1::SubscribeRequest {
    v1::SubscribeRequest {
        from: None,
        filter: Some(filter),
        include_calls: form.calls,
        include_receipts: form.receipts,
        include_writes: form.writes,
        canonical: form.canonical,
    }
}

fn filter(form: Form, asked: v1::CallFilter) -> Arc<Filter> {
    Arc::new(Filter::of(&request(form, asked)).map_err(Status::from).expect("it is well formed"))
}

/// Calls in canonical bytes, put together as plainly as possible; `None` for no calls.
fn canonically(batch: &Batch, calls: &[u32], left: (&[u8], &[u8]), form: Form) -> Option<v1::CanonicalCalls> {
    let (mut numbers, mut told) = (std::collections::BTreeSet::new(), v1::CanonicalCalls::default());
    let (mut records, mut receipts, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    for index in calls {
        let call = batch.call(*index as usize);
        numbers.insert(call.target());
        records.extend_from_slice(call.record());
        receipts.extend_from_slice(Receipts::new(left.0).nth(*index as usize).expect("each call has one").record());
        let of_call = WriteSet::new(left.1).filter(|item| item.call() == *index);
        of_call.for_each(|item| writes.extend_from_slice(item.record()));
    }
    told.indexes = calls.to_vec();
    let asked = |asked: bool, bytes: Vec<u8>| if asked { bytes.into() } else { Bytes::new() };
    if form.calls {
        let targets: Vec<_> = batch.targets().collect();
        told.targets = numbers
            .into_iter()
            .map(|number| v1::CanonicalTarget {
                number: number as u32,
                contract: copied(targets[number].0),
                method: String::from_utf8_lossy(targets[number].1).into_owned(),
            })
            .collect();
    }
    told.calls = asked(form.calls, records);
    told.receipts = asked(form.receipts, receipts);
    told.writes = asked(form.writes, writes);
    (!calls.is_empty()).then_some(told)
}

/// Filters that choose all, some by each of their lists, and none.
fn filters() -> Vec<v1::CallFilter> {
    let senders = |numbers: &[u8]| numbers.iter().map(|number| copied(&account(*number))).collect::<Vec<_>>();
    let contracts: Vec<_> = batches()
        .into_iter()
        .flat_map(|bytes| {
            let batch = Batch::decode(bytes).expect("it is well formed");
            batch.targets().map(|(contract, _)| copied(contract)).collect::<Vec<_>>()
        })
        .collect();
    let many = (0..250).map(|number| copied(&[number; 32])).collect();
    vec![
        v1::CallFilter::default(),
        v1::CallFilter { contracts: contracts.clone(), ..v1::CallFilter::default() },
        v1::CallFilter { contracts: contracts[2..3].to_vec(), ..v1::CallFilter::default() },
        v1::CallFilter { methods: vec!["transfer".into(), "deposit".into()], ..v1::CallFilter::default() },
        v1::CallFilter { senders: senders(&[3, 8]), ..v1::CallFilter::default() },
        v1::CallFilter { senders: senders(&[3]), methods: vec!["deposit".into()], ..v1::CallFilter::default() },
        v1::CallFilter { senders: many, contracts: contracts[2..3].to_vec(), ..v1::CallFilter::default() },
        v1::CallFilter { senders: senders(&[50]), ..v1::CallFilter::default() },
    ]
}

#[test]
fn what_is_told_is_what_messages_say_for_every_filter_and_form() {
    let (mut chosen, mut all) = (0, 0);
    for (bytes, executed) in heights() {
        let batch = Batch::decode(bytes).expect("it is well formed");
        let (receipts, writes) = (executed.receipts().bytes().into_owned(), executed.write_set().bytes().into_owned());
        for number in 0..Form::COUNT {
            let bit = |at: usize| number >> at & 1 != 0;
            let form = Form { calls: bit(0), receipts: bit(1), writes: bit(2), canonical: bit(3) };
            assert_eq!(form.number(), number);
            if form.canonical && form.writes && !form.calls {
                let refused = Filter::of(&request(form, v1::CallFilter::default())).map(|_| ()).map_err(Status::from);
                assert!(refused.expect_err("whose keys they are is not said").message().contains("include_calls"));
                continue;
            }
            // For those who are known before, when it is executed or read, and for those who came later.
            let told_to: Vec<_> = filters().into_iter().map(|asked| filter(form, asked)).collect();
            let audience = Audience::of(told_to.clone());
            let left = || Some((receipts.clone(), writes.clone()));
            let heights = [
                Height::executed(batch.clone(), &executed, &audience),
                Height::of(batch.clone(), left(), &audience),
                Height::of(batch.clone(), left(), &Audience::default()),
            ];
            for (asked, filter) in filters().into_iter().zip(told_to) {
                let is_asked = |call: &CallRef<'_>| {
                    let (contract, method) = batch.target_of(call);
                    let method = String::from_utf8_lossy(method).into_owned();
                    (asked.contracts.is_empty() || asked.contracts.contains(&copied(contract)))
                        && (asked.senders.is_empty() || asked.senders.contains(&copied(call.sender())))
                        && (asked.methods.is_empty() || asked.methods.contains(&method))
                };
                for from in [0, 1, 17, batch.len() as u32, 70_000] {
                    let calls = (0..batch.len() as u32).map(|index| (index, batch.call(index as usize)));
                    let calls: Vec<_> = calls.filter(|(index, call)| *index >= from && is_asked(call)).collect();
                    let left = (&*receipts, &*writes);
                    let indexes: Vec<_> = calls.iter().map(|(index, _)| *index).collect();
                    let mut expected = v1::SubscribeResponse {
                        height: batch.height(),
                        time_ms: batch.time_ms(),
                        next: Some(v1::Cursor { height: batch.height() + 1, index: 0 }),
                        ..v1::SubscribeResponse::default()
                    };
                    match form.canonical {
                        true => expected.canonical = canonically(&batch, &indexes, left, form),
                        false => {
                            let each = calls.iter().map(|(index, call)| plainly(&batch, (*index, call), left, form));
                            expected.calls = each.collect();
                        }
                    }
                    // The second time from what was encoded before, if that is all of it.
                    for (height, again) in [0, 1, 2, 0, 1, 2].map(|number| (&heights[number], number)) {
                        let Some(Part { calls, canonical, next }) = height.part(&filter, from) else {
                            // Of what was executed only that is kept which somebody needs who is told it whole.
                            assert!(again == 0 && form.canonical && from > 0 && from < batch.len() as u32);
                            continue;
                        };
                        assert_eq!(next, None);
                        let told = EncodedSubscribeResponse { calls, canonical, ..encoded_head(&expected) };
                        assert_eq!(told.encode_to_vec(), expected.encode_to_vec(), "{form:?} {asked:?} {from}");
                        assert_eq!(told.encoded_len(), expected.encoded_len());
                    }
                    chosen += indexes.len();
                    all += batch.len();
                }
            }
        }
    }
    assert!(chosen > 1_000 && chosen < all, "{chosen} of {all}");
}

/// What a message has of a part.
fn encoded(part: &Part) -> Vec<u8> {
    let Part { calls, canonical, .. } = part.clone();
    EncodedSubscribeResponse { calls, canonical, ..EncodedSubscribeResponse::default() }.encode_to_vec()
}

fn canonical_of(part: &Part) -> v1::CanonicalCalls {
    let message = v1::SubscribeResponse::decode(&encoded(part)[..]).expect("it is well formed");
    message.canonical.expect("it is there")
}

fn encoded_head(message: &v1::SubscribeResponse) -> EncodedSubscribeResponse {
    let v1::SubscribeResponse { height, time_ms, next, .. } = message;
    EncodedSubscribeResponse { height: *height, time_ms: *time_ms, next: *next, ..EncodedSubscribeResponse::default() }
}

/// Calls of nothing but themselves, each of a target of its own with the longest name.
#[test]
fn targets_count_in_parts_of_canonical_calls() {
    const CALLS: u32 = 30_000;
    let mut batch = BatchBuilder::new(1, 0);
    for number in 0..CALLS {
        let method = &format!("{number:064}");
        batch
            .push(&Call { contract: [9; 32], method, sender: account(0), arguments: &[], gas_limit: 0 })
            .expect("it fits");
    }
    let height = Height::of(Batch::decode(batch.finish()).expect("it is well formed"), None, &Audience::default());
    let form = Form { calls: true, receipts: false, writes: false, canonical: true };
    let (filter, mut from, mut parts) = (filter(form, v1::CallFilter::default()), Some(0), 0);
    while let Some(first) = from {
        let part = height.part(&filter, first).expect("calls are there");
        assert!(encoded(&part).len() <= PART_BYTES + 20, "{}", encoded(&part).len());
        let told = canonical_of(&part);
        assert!(told.indexes.iter().copied().eq(first..part.next.unwrap_or(CALLS)));
        let named =
            told.targets.iter().zip(&told.indexes).all(|(target, index)| target.method == format!("{index:064}"));
        assert!(named && told.targets.len() == told.indexes.len());
        (from, parts) = (part.next, parts + 1);
    }
    assert_eq!(parts, 5);
}

#[test]
fn parts_of_a_large_height_are_encoded_once_and_join() {
    for canonical in [false, true] {
        parts_are_encoded_once_and_join(canonical);
    }
}

fn parts_are_encoded_once_and_join(canonical: bool) {
    let mut batch = BatchBuilder::new(1, 0);
    let arguments = &[7; 60_000];
    for number in 0..100 {
        let call = Call { contract: [9; 32], method: "m", sender: account(number), arguments, gas_limit: 0 };
        batch.push(&call).expect("it fits");
    }
    let batch = Batch::decode(batch.finish()).expect("it is well formed");
    let form = Form { calls: true, receipts: false, writes: false, canonical };
    let by = |senders| filter(form, v1::CallFilter { senders, ..v1::CallFilter::default() });
    let (height, all) = (Height::of(batch.clone(), None, &Audience::default()), by(Vec::new()));
    let parts = |filter: &Arc<Filter>, mut from: u32| {
        let mut parts = Vec::new();
        loop {
            let part = height.part(filter, from).expect("calls are there");
            let next = part.next;
            parts.push(part);
            match next {
                Some(next) => from = next,
                None => return parts,
            }
        }
    };
    let before = height.bytes();
    let told = parts(&all, 0);
    // The keys and lengths of what canonical calls are put together of come on top.
    let most = if canonical { PART_BYTES + 20 } else { PART_BYTES };
    assert_eq!((told.len(), told.iter().all(|part| encoded(part).len() <= most)), (6, true));
    let counts = height.bytes() - before > 100 * arguments.len();
    assert_eq!(counts, !canonical, "what was encoded counts, and canonical bytes are shared");
    let again = parts(&all, 0);
    let place = |part: &Part| part.canonical.as_ref().map_or(&part.calls, |canonical| &canonical.calls).as_ptr();
    assert!(told.iter().zip(&again).all(|(part, other)| place(part) == place(other)), "encoded once");
    let each = |parts: &[Part]| parts.iter().map(encoded).collect::<Vec<_>>();
    let senders = (0..100).map(|number| copied(&account(number))).collect();
    assert_eq!(each(&parts(&by(senders), 0)), each(&told));
    // From elsewhere it is the same calls in other parts.
    match canonical {
        false => assert!(each(&told).concat().ends_with(&each(&parts(&all, 50)).concat())),
        true => {
            let calls = |parts: &[Part]| parts.iter().map(|part| canonical_of(part).calls).collect::<Vec<_>>().concat();
            let records: Vec<_> = (0..100).map(|call| batch.call(call).record()).collect();
            assert_eq!(calls(&told), records.concat());
            assert!(calls(&told).ends_with(&calls(&parts(&all, 50))));
        }
    }
}

/// Calls that one filter chooses are gathered in several parts, which say where the next begins; what begins elsewhere holds the same
/// calls. Beyond some copies of a height nothing is gathered, and the answers are the same.
#[test]
fn gathered_parts_join_and_are_bounded() {
    const CALLS: u32 = 100;
    let mut batch = BatchBuilder::new(1, 0);
    for number in 0..CALLS {
        let arguments = &vec![number as u8; 60_000];
        let call = Call { contract: [9; 32], method: "m", sender: account(number as u8), arguments, gas_limit: 0 };
        batch.push(&call).expect("it fits");
    }
    let batch = Batch::decode(batch.finish()).expect("it is well formed");
    let form = Form { calls: true, receipts: false, writes: false, canonical: true };
    // Each chooses all calls but one.
    let filters: Vec<_> = (0..40)
        .map(|left_out| {
            let senders = (0..CALLS as u8).filter(|number| *number != left_out).map(|number| copied(&account(number)));
            filter(form, v1::CallFilter { senders: senders.collect(), ..v1::CallFilter::default() })
        })
        .collect();
    for members in [1, 40] {
        let height = Height::of(batch.clone(), None, &Audience::of(filters[..members].to_vec()));
        let copies = height.routes.bytes() / batch.bytes().as_slice().len();
        assert_eq!(copies, if members == 1 { 0 } else { 7 }, "copies but for what is not full");
        for (left_out, filter) in (0..CALLS).zip(&filters[..members]) {
            let chosen: Vec<_> = (0..CALLS).filter(|call| *call != left_out).collect();
            for from in [0, 16, 17, 18, 50, CALLS] {
                let (mut next, mut told, mut parts) = (Some(from), Vec::new(), 0);
                while let Some(first) = next {
                    let part = height.part(filter, first).expect("calls are there");
                    assert!(encoded(&part).len() <= PART_BYTES + 20);
                    if let Some(canonical) = &part.canonical {
                        let message = canonical_of(&part);
                        let records: Vec<_> =
                            message.indexes.iter().map(|index| batch.call(*index as usize).record()).collect();
                        assert_eq!(canonical.calls, records.concat());
                        told.extend(message.indexes);
                    }
                    (next, parts) = (part.next, parts + 1);
                    assert!(next.is_none_or(|next| told.last().is_some_and(|last| *last < next)));
                }
                assert_eq!(told, chosen[chosen.partition_point(|call| *call < from)..]);
                assert!(from > 0 || parts == 6, "{parts} parts");
            }
        }
    }
}

/// What nobody needed when a batch was executed is not there for who comes later.
#[test]
fn what_was_not_kept_is_not_told() {
    let (bytes, executed) = heights().pop().expect("there are some");
    let batch = Batch::decode(bytes).expect("it is well formed");
    let form = |receipts, writes, canonical| Form { calls: true, receipts, writes, canonical };
    let by_all = |form| filter(form, v1::CallFilter::default());
    let early = by_all(form(true, false, true));
    let height = Height::executed(batch, &executed, &Audience::of(vec![Arc::clone(&early)]));
    assert!(height.part(&early, 0).is_some());
    let late = [form(false, false, false), form(true, false, false), form(false, true, true), form(true, true, false)];
    assert_eq!(late.map(|form| height.part(&by_all(form), 0).is_some()), [true, true, false, false]);
}
