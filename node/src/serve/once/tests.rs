use phalanx_engine::{Batch, BatchBuilder, Identity, Submission};

use super::ids::Ids;
use super::sessions::Sessions;
use super::*;

const ALICE: [u8; 32] = [1; 32];
const BOB: [u8; 32] = [2; 32];
const ID: [u8; 16] = [3; 16];

fn at(height: u64, index: u32) -> Position {
    Position { height, index, calls: 1 }
}

fn place(session: u8, sequence: u64) -> Submission {
    Submission { session: [session; 16], sequence }
}

#[test]
fn an_id_is_its_senders_own() {
    let mut ids = Ids::new(100, 100);
    ids.note(&ALICE, &ID, 7, at(1, 4));
    assert_eq!(ids.look_up(&ALICE, &ID, 7), Seen::At(at(1, 4)));
    assert_eq!(ids.look_up(&ALICE, &ID, 8), Seen::Other(at(1, 4)));
    assert_eq!(ids.look_up(&BOB, &ID, 7), Seen::Never);
}

#[test]
fn ids_are_forgotten_with_their_heights() {
    let mut ids = Ids::new(10, 100);
    ids.note(&ALICE, &ID, 7, at(1, 0));
    ids.note(&BOB, &[0; 16], 7, at(10, 0));
    assert_eq!((ids.look_up(&ALICE, &ID, 7), ids.earliest()), (Seen::At(at(1, 0)), 1));
    ids.note(&BOB, &[1; 16], 7, at(11, 0));
    assert_eq!((ids.look_up(&ALICE, &ID, 7), ids.earliest()), (Seen::Never, 2));
    // Used again, it is not forgotten with its first height.
    ids.note(&ALICE, &ID, 9, at(12, 0));
    ids.note(&BOB, &[2; 16], 7, at(20, 0));
    assert_eq!(ids.look_up(&ALICE, &ID, 9), Seen::At(at(12, 0)));
}

#[test]
fn too_many_ids_push_out_the_earliest_heights() {
    let mut ids = Ids::new(1_000, 2);
    for height in 1..=4 {
        ids.note(&ALICE, &[height as u8; 16], 7, at(height, 0));
    }
    let seen: Vec<bool> = (1..=4).map(|id| ids.look_up(&ALICE, &[id; 16], 7) != Seen::Never).collect();
    assert_eq!((seen, ids.earliest()), (vec![false, false, true, true], 3));
}

#[test]
fn a_session_goes_on_by_one() {
    let mut sessions = Sessions::new(10, 10, 2);
    assert_eq!(sessions.look_up(&place(1, 2), 7, 1), Seen::Gap(1));
    assert_eq!(sessions.look_up(&place(1, 0), 7, 1), Seen::Gap(1));
    for sequence in 1..=3 {
        assert_eq!(sessions.look_up(&place(1, sequence), 7, sequence), Seen::Never);
        sessions.note(&place(1, sequence), 7, at(sequence, 0));
    }
    assert_eq!(sessions.look_up(&place(1, 5), 7, 4), Seen::Gap(4));
    assert_eq!(sessions.look_up(&place(1, 3), 7, 4), Seen::At(at(3, 0)));
    assert_eq!(sessions.look_up(&place(1, 2), 8, 4), Seen::Other(at(2, 0)));
    assert_eq!(sessions.look_up(&place(1, 1), 7, 4), Seen::Forgotten(2));
    let session = sessions.get(&[1; 16]).expect("it is known");
    assert_eq!((session.next(), session.earliest_answer()), (4, 2));
}

#[test]
fn a_session_in_use_is_not_forgotten_for_another() {
    let mut sessions = Sessions::new(2, 10, 2);
    sessions.note(&place(1, 1), 7, at(1, 0));
    sessions.note(&place(2, 1), 7, at(5, 0));
    assert_eq!(sessions.look_up(&place(3, 1), 7, 11), Seen::NoPlace);
    assert_eq!(sessions.look_up(&place(3, 1), 7, 12), Seen::Never);
    sessions.note(&place(3, 1), 7, at(12, 0));
    assert!(sessions.get(&[1; 16]).is_none() && sessions.get(&[2; 16]).is_some());
}

#[test]
fn the_log_rebuilds_what_was_noted() {
    let mut builder = BatchBuilder::new(9, 0);
    let target = builder.target(&[7; 32], "transfer").expect("it fits");
    let place = place(1, 1);
    let identities =
        [Identity::Anonymous, Identity::Begins(place), Identity::Continues, Identity::Id(&ID), Identity::Anonymous];
    for (index, identity) in identities.into_iter().enumerate() {
        builder.push_to(target, &ALICE, 5, &[index as u8], identity).expect("it fits");
    }
    let mut once = Once::default();
    once.observe(&Batch::decode(builder.finish()).expect("it is well formed"));

    let fingerprint = |arguments: &[u8]| {
        let mut fingerprint = Fingerprint::default();
        arguments.iter().for_each(|&argument| fingerprint.add(&[7; 32], b"transfer", &ALICE, &[argument], 5));
        fingerprint.finish()
    };
    let submission = Known::Session { position: place, fingerprint: fingerprint(&[1, 2]) };
    assert_eq!(once.look_up(&submission, 10), Seen::At(Position { height: 9, index: 1, calls: 2 }));
    let call = Known::Id { sender: ALICE, id: ID, fingerprint: fingerprint(&[3]) };
    assert_eq!(once.look_up(&call, 10), Seen::At(at(9, 3)));
    let other = Known::Id { sender: ALICE, id: ID, fingerprint: fingerprint(&[4]) };
    assert_eq!(once.look_up(&other, 10), Seen::Other(at(9, 3)));
}
