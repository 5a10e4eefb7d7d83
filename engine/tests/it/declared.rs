//! Calls that declare what was learned of their methods, and some that touch other keys than that.

use super::episode::{Covered, compare, engines};
use phalanx_engine::{Address, BatchBuilder, Call, Deployment, Mode, Oracle};
use phalanx_exerciser::script::{Key, Op, encode};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const EXERCISER: &[u8] = include_bytes!("../../../contracts/wasm/exerciser.wasm");
const SENDER: Address = [1; 32];

/// A key that calls meet on, in this slot.
fn key(slot: u8, number: u8) -> Key {
    let mut key = [slot; 33];
    key[1..].fill(number);
    Key::new(key)
}

/// Reads and writes a key, and reads another; those that stray write a third one too.
fn random_script(rng: &mut ChaCha8Rng, strays: f64) -> Vec<u8> {
    let (written, read) = (rng.random_range(0..60), rng.random_range(0..60));
    let mut ops = vec![
        Op::Get { key: key(1, written), capacity: 16 },
        Op::Set { key: key(1, written), value: vec![rng.random(); 16] },
        Op::Get { key: key(1, read), capacity: 16 },
    ];
    if rng.random_bool(strays) {
        ops.push(Op::Set { key: key(2, written), value: vec![rng.random(); 8] });
    }
    encode(&ops)
}

fn call(contract: Address, arguments: &[u8]) -> Call<'_> {
    Call { contract, method: "run", sender: SENDER, arguments, gas_limit: 1_000_000 }
}

#[test]
fn calls_that_stray_from_what_was_learned_are_executed_again_in_order() {
    const SETTINGS: [(Mode, usize); 3] = [(Mode::Hinted, 1), (Mode::Hinted, 2), (Mode::Hinted, 5)];
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (engines, mut oracle, mut covered) = (engines(&SETTINGS, 7), Oracle::new(), Covered::default());
    let deployment = Deployment::new(SENDER, [2; 32], EXERCISER);
    let contract = deployment.contract();
    let mut run = |calls: &[Call<'_>]| {
        let height = oracle.height() + 1;
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        calls.iter().for_each(|call| batch.push(call).expect("within the limits"));
        compare(7, &batch.finish(), &engines, &mut oracle, &mut covered);
        engines.iter().for_each(|(engine, _)| assert_eq!(engine.state_digest(), oracle.state_digest()));
    };
    run(&[deployment.call()]);
    // In the first batch the method is learned. Later on some calls stray, and some write what others only read.
    for strays in [0.0, 0.0, 0.001, 0.01, 0.2] {
        let scripts: Vec<_> = (0..2_000).map(|_| random_script(&mut rng, strays)).collect();
        run(&scripts.iter().map(|script| call(contract, script)).collect::<Vec<_>>());
    }
    let counts = covered.statistics;
    println!("{counts:?}");
    assert!(counts.hinted_calls > 8_000 && counts.strayed_calls > 10 && counts.unhinted_calls > 1_000, "{counts:?}");
}
