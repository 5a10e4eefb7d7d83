//! How the arguments of each application's methods are drawn.

use super::{Dice, Drawn, compare};
use phalanx_contract::wire::encoded;

/// A test of one application: `method(dice) => (arguments)`.
macro_rules! applications {
    ($($test:ident: $name:literal, $contract:ty { $($method:ident $arguments:expr;)* })*) => { $(
        #[test]
        fn $test() {
            const METHODS: &[Drawn] = &[$((stringify!($method), |dice: &mut Dice| {
                let arguments: fn(&mut Dice) -> Vec<u8> = $arguments;
                arguments(dice)
            })),*];
            compare::<$contract>($name, METHODS);
        }
    )* };
}

fn account(dice: &mut Dice) -> Vec<u8> {
    encoded(&(dice.account(),))
}

fn thing(dice: &mut Dice) -> Vec<u8> {
    encoded(&(dice.thing(),))
}

fn nothing(_: &mut Dice) -> Vec<u8> {
    vec![]
}

fn digest(dice: &mut Dice) -> Vec<u8> {
    encoded(&(dice.digest(),))
}

/// One of few documents.
fn document(dice: &mut Dice) -> &'static [u8] {
    const DOCUMENTS: [&[u8]; 4] = [b"a photograph", b"a letter", b"", &[7; 1_025]];
    dice.of(&DOCUMENTS)
}

fn document_id(dice: &mut Dice) -> [u8; 32] {
    phalanx_contract::hash::sha256(document(dice))
}

fn certificate(dice: &mut Dice) -> phalanx_licence::Certificate {
    let holder = phalanx_contract::Address(dice.account());
    phalanx_licence::Certificate { holder, kind: 1, digest: dice.digest(), expires: dice.time() }
}

fn note(dice: &mut Dice) -> phalanx_heap::Note {
    let title = dice.of(&["", "a", "something longer than others"]).to_owned();
    let words = (0..dice.below(4)).map(|word| word.to_string()).collect();
    phalanx_heap::Note { title, words, weight: dice.below(5) as u32 }
}

fn number(dice: &mut Dice) -> phalanx_licence::Number {
    phalanx_licence::Number { department: dice.below(2) as u32, serial: dice.thing() }
}

/// The number of a credential: of more than there are subjects, since each is issued once.
fn credential_id(dice: &mut Dice) -> [u8; 32] {
    [dice.below(20) as u8; 32]
}

fn credential(dice: &mut Dice) -> phalanx_identity::Credential {
    phalanx_identity::Credential { issuer: dice.digest(), subject: dice.digest(), expires: dice.time() }
}

fn authority(dice: &mut Dice) -> phalanx_land::Authority {
    use phalanx_land::Authority::{Registry, Survey, Tax};
    dice.of(&[Registry, Survey, Tax])
}

/// Who parcels are proposed to.
fn new_owner(dice: &mut Dice) -> [u8; 32] {
    dice.of(&[[1; 32], [2; 32]])
}

/// A letter, and one of two documents, which the next letter may have too.
fn letter_and_document(dice: &mut Dice) -> (u64, [u8; 32]) {
    let letter = dice.below(40);
    (letter, [(letter + dice.below(2)) as u8; 32])
}

fn role(dice: &mut Dice) -> phalanx_casework::Role {
    use phalanx_casework::Role::{Clerk, Officer, Reviewer};
    dice.of(&[Clerk, Officer, Reviewer])
}

fn tranche(dice: &mut Dice) -> phalanx_asset_backed::Tranche {
    dice.of(&phalanx_asset_backed::Tranche::ALL)
}

fn terms(dice: &mut Dice) -> phalanx_asset_backed::Terms {
    let mut share = || phalanx_asset_backed::Share { face: dice.below(4).into(), claim: dice.below(60).into() };
    phalanx_asset_backed::Terms { senior: share(), mezzanine: share(), junior: share() }
}

/// The pairs of assets that pools are of; the last is none.
fn pair(dice: &mut Dice) -> (u32, u32) {
    dice.of(&[(0, 1), (0, 1), (1, 2), (2, 1)])
}

/// An amount of tokens, now and then one beside 2^127.
fn tokens(dice: &mut Dice) -> u128 {
    let (near, few) = ((1 << 127) - 100, dice.amount());
    if dice.below(10) == 0 { few.saturating_add(near) } else { few }
}

applications! {
    token: "token", phalanx_token::Token {
        transfer |dice| encoded(&(dice.account(), tokens(dice)));
        mint |dice| encoded(&(dice.account(), tokens(dice)));
        approve |dice| encoded(&(dice.account(), tokens(dice)));
        transfer_from |dice| encoded(&(dice.account(), dice.account(), tokens(dice)));
        freeze account;
        unfreeze account;
        balance_of account;
        is_frozen account;
        allowance |dice| encoded(&(dice.account(), dice.account()));
        total_supply nothing;
    }
    evidence: "evidence", phalanx_evidence::Evidence {
        appoint account;
        dismiss account;
        notarise |dice| encoded(&(document(dice),));
        verify |dice| encoded(&(document(dice),));
        hand_over |dice| encoded(&(document_id(dice), dice.account()));
        take_over |dice| encoded(&(document_id(dice),));
        record |dice| encoded(&(document_id(dice),));
        document |dice| encoded(&(document_id(dice),));
        custody_len |dice| encoded(&(document_id(dice),));
        custody |dice| encoded(&(document_id(dice), dice.below(4) as u32));
        notarised nothing;
    }
    exchange: "exchange", phalanx_exchange::Exchange {
        issue |dice| encoded(&(dice.below(3) as u32, dice.account(), 100 * dice.amount().min(1 << 60)));
        open |dice| {
            let (low, high) = pair(dice);
            encoded(&(low, high, dice.amount(), dice.amount()))
        };
        join |dice| {
            let (low, high) = pair(dice);
            encoded(&(low, high, dice.amount(), dice.amount(), dice.amount()))
        };
        leave |dice| {
            let (low, high) = pair(dice);
            encoded(&(low, high, dice.amount(), dice.amount() / 8, dice.amount() / 8))
        };
        swap |dice| {
            let (one, other) = pair(dice);
            let (paid, taken) = dice.of(&[(one, other), (other, one), (one, one)]);
            encoded(&(paid, taken, dice.amount(), dice.amount() / 8))
        };
        balance_of |dice| encoded(&(dice.below(3) as u32, dice.account()));
        issued |dice| encoded(&(dice.below(3) as u32,));
        pool |dice| encoded(&pair(dice));
        shares_of |dice| {
            let (low, high) = pair(dice);
            encoded(&(low, high, dice.account()))
        };
    }
    smallbank: "smallbank", phalanx_smallbank::SmallBank {
        open |dice| encoded(&(dice.account(), dice.amount(), dice.amount()));
        balance account;
        deposit_checking |dice| encoded(&(dice.account(), dice.amount()));
        transact_savings |dice| {
            let amount = dice.amount().cast_signed();
            encoded(&(dice.account(), if dice.coin() { amount } else { amount.wrapping_neg() }))
        };
        amalgamate account;
        send_payment |dice| encoded(&(dice.account(), dice.amount()));
        write_check |dice| encoded(&(dice.amount(),));
        turnover nothing;
    }
    kv: "kv", phalanx_kv::Kv {
        insert thing;
        insert_ordered |dice| encoded(&(dice.below(40),));
        read thing;
        update |dice| encoded(&(dice.thing(), dice.below(12) as u8, [dice.below(256) as u8; 100]));
        modify |dice| encoded(&(dice.thing(), dice.below(12) as u8, dice.below(256) as u8));
        scan |dice| encoded(&(dice.below(40), dice.below(103) as u32));
    }
    collectible: "collectible", phalanx_collectible::Collectible {
        admit account;
        expel account;
        credit |dice| encoded(&(dice.account(), dice.amount()));
        mint |dice| encoded(&(dice.thing(), dice.account(), dice.below(1_100) as u16, dice.digest()));
        approve |dice| encoded(&(dice.thing(), dice.maybe(Dice::account)));
        transfer |dice| encoded(&(dice.thing(), dice.account()));
        offer |dice| encoded(&(dice.thing(), dice.maybe(|dice| u128::from(dice.below(4)))));
        buy |dice| encoded(&(dice.thing(), u128::from(dice.below(4))));
        item thing;
        count_of account;
        money_of account;
        price_of thing;
    }
    licence: "licence", phalanx_licence::Licence {
        open_department |dice| encoded(&(dice.below(2) as u32, dice.account()));
        replace_head |dice| encoded(&(dice.below(2) as u32, dice.account()));
        appoint |dice| encoded(&(dice.below(2) as u32, dice.account()));
        dismiss |dice| encoded(&(dice.below(2) as u32, dice.account()));
        issue |dice| encoded(&(number(dice), certificate(dice)));
        revoke |dice| encoded(&(number(dice), dice.thing() as u16));
        share |dice| encoded(&(number(dice), dice.account(), dice.time()));
        unshare |dice| encoded(&(number(dice), dice.account()));
        check |dice| encoded(&(number(dice),));
        issued |dice| encoded(&(dice.below(2) as u32,));
    }
    identity: "identity", phalanx_identity::IdentityRegistry {
        register |dice| encoded(&(dice.digest(), dice.maybe(Dice::account)));
        rotate |dice| encoded(&(dice.digest(), dice.account()));
        entrust |dice| encoded(&(dice.digest(), dice.maybe(Dice::account)));
        accredit digest;
        discredit digest;
        issue |dice| encoded(&(credential_id(dice), credential(dice)));
        present |dice| encoded(&(credential_id(dice), dice.account(), dice.below(50)));
        // Seldom one that there is, so that some are presented before.
        revoke |dice| encoded(&([dice.below(100) as u8; 32],));
        resolve digest;
        valid |dice| encoded(&(credential_id(dice),));
    }
    land: "land", phalanx_land::Land {
        appoint |dice| encoded(&(authority(dice), dice.account()));
        dismiss |dice| encoded(&(authority(dice), dice.account()));
        register |dice| encoded(&(dice.thing(), dice.account(), dice.digest()));
        block |dice| encoded(&(dice.thing(), dice.below(8) == 0));
        propose |dice| encoded(&(dice.thing(), new_owner(dice)));
        // Seldom of a parcel that there is, so that some proposals come to their end.
        withdraw |dice| encoded(&(dice.below(30),));
        accept thing;
        approve |dice| encoded(&(dice.thing(), authority(dice), new_owner(dice)));
        refuse |dice| encoded(&(dice.below(30), authority(dice), new_owner(dice), dice.thing() as u16));
        parcel thing;
        proposal thing;
        title |dice| encoded(&(dice.thing(), dice.below(4) as u32));
        count_of account;
    }
    trade_finance: "trade-finance", phalanx_trade_finance::TradeFinance {
        admit account;
        expel account;
        credit |dice| encoded(&(dice.account(), dice.amount()));
        issue |dice| encoded(&(dice.below(40), dice.account(), dice.account(), dice.amount(), dice.time()));
        present |dice| encoded(&letter_and_document(dice));
        report_discrepancy |dice| encoded(&(dice.below(40),));
        waive |dice| encoded(&letter_and_document(dice));
        accept |dice| encoded(&(dice.below(40),));
        settle |dice| encoded(&(dice.below(40),));
        close |dice| encoded(&(dice.below(40),));
        letter |dice| encoded(&(dice.below(40),));
        claimed_by digest;
        money_of account;
        money nothing;
    }
    auction: "auction", phalanx_auction::AuctionHouse {
        credit |dice| encoded(&(dice.account(), dice.amount()));
        open |dice| encoded(&(dice.below(20), dice.amount() / 8, dice.time()));
        bid |dice| encoded(&(dice.below(20), dice.amount()));
        settle |dice| encoded(&(dice.below(20),));
        auction |dice| encoded(&(dice.below(20),));
        money_of account;
    }
    trace: "trace", phalanx_trace::Trace {
        admit account;
        expel account;
        produce |dice| encoded(&(dice.below(30), dice.below(2) as u32, 8 * dice.below(3)));
        // Into one of many, since each is produced or split off once.
        split |dice| encoded(&(dice.below(30), dice.below(400), 8 * dice.below(3)));
        merge |dice| encoded(&(dice.below(30), dice.below(30)));
        hand_over |dice| encoded(&(dice.below(30), dice.account()));
        take_over |dice| encoded(&(dice.below(30), 8 * dice.below(3)));
        recall |dice| encoded(&(dice.below(300), 1u16));
        batch |dice| encoded(&(dice.below(30),));
        origin |dice| encoded(&(dice.below(30), dice.below(9) as u32));
        recalled |dice| encoded(&(dice.below(30),));
        produced |dice| encoded(&(dice.below(2) as u32,));
    }
    casework: "casework", phalanx_casework::Casework {
        appoint |dice| encoded(&(role(dice), dice.account()));
        dismiss |dice| encoded(&(role(dice), dice.account()));
        open |dice| encoded(&(dice.below(10), dice.account(), dice.account(), dice.digest()));
        decide |dice| encoded(&(dice.below(10), dice.coin(), dice.digest()));
        review |dice| encoded(&(dice.below(10), dice.coin(), dice.digest(), dice.coin(), dice.digest()));
        appeal |dice| encoded(&(dice.below(10), dice.digest()));
        assign |dice| encoded(&(dice.below(10), dice.account()));
        close |dice| encoded(&(dice.below(10),));
        case |dice| encoded(&(dice.below(10),));
        entry |dice| encoded(&(dice.below(10), dice.below(6) as u32));
        audit |dice| encoded(&(dice.below(10),));
        opened nothing;
    }
    advisory: "advisory", phalanx_advisory::Advisories {
        appoint account;
        dismiss account;
        register_vendor |dice| encoded(&(dice.thing() as u32, dice.account()));
        report |dice| {
            let seal = phalanx_advisory::seal(phalanx_contract::Address(dice.account()), &[1; 32], document(dice)).unwrap_or_default();
            encoded(&(dice.below(100), dice.thing() as u32, seal, dice.time()))
        };
        acknowledge |dice| encoded(&(dice.below(100),));
        fix |dice| encoded(&(dice.below(100),));
        reschedule |dice| encoded(&(dice.below(100), dice.time()));
        withdraw |dice| encoded(&(dice.below(100),));
        disclose |dice| encoded(&(dice.below(100), [1u8; 32], document(dice)));
        advisory |dice| encoded(&(dice.below(100),));
        text |dice| encoded(&(dice.below(100),));
        filed |dice| encoded(&(dice.thing() as u32,));
    }
    asset_backed: "asset-backed", phalanx_asset_backed::AssetBacked {
        admit account;
        expel account;
        credit |dice| encoded(&(dice.account(), dice.amount()));
        open |dice| encoded(&(dice.thing(), terms(dice)));
        pledge |dice| encoded(&(dice.thing(), [dice.below(9) as u8; 32], dice.amount()));
        subscribe |dice| encoded(&(dice.thing(), tranche(dice), u128::from(dice.below(3))));
        withdraw |dice| encoded(&(dice.thing(), tranche(dice), u128::from(dice.below(2))));
        close thing;
        collect |dice| encoded(&(dice.thing(), u128::from(dice.below(20))));
        claim |dice| encoded(&(dice.thing(), tranche(dice)));
        claim_rest thing;
        pool thing;
        notes_of |dice| encoded(&(dice.thing(), tranche(dice), dice.account()));
        money_of account;
        money nothing;
    }
    donothing: "donothing", phalanx_donothing::DoNothing {
        nothing nothing;
    }
    cpuheavy: "cpuheavy", phalanx_cpuheavy::CpuHeavy {
        sort |dice| encoded(&(dice.of(&[0, 1, 2, 3, 10, 100, 999, 65_537u32]),));
    }
    ioheavy: "ioheavy", phalanx_ioheavy::IoHeavy {
        write |dice| encoded(&(dice.below(50), dice.below(20) as u32, dice.below(256) as u8));
        read |dice| encoded(&(dice.below(50), dice.below(20) as u32));
    }
    heap: "heap", phalanx_heap::Heap {
        add |dice| encoded(&(note(dice),));
        remove |dice| encoded(&(dice.below(3) as u32,));
        notes account;
        titles nothing;
        sorted |dice| {
            let numbers = dice.below(200);
            encoded(&((0..numbers).map(|_| dice.below(1_000)).collect::<Vec<u64>>(),))
        };
        // Within what an allocator has from the start, and beyond.
        hold |dice| encoded(&(dice.below(4) as u32, dice.of(&[0, 1, 999, 70_000u32])));
    }
}
