//! The sequencer and its journal.

use latchkey_exchange::ports::{EachRecord, Journal, JournalError};
use latchkey_exchange::view::OrderName;
use latchkey_exchange::{
    Command, Core, DecodeError, EffectId, MarketSettings, Refusal, Reply, Sequencer, SnapshotError, replay,
};
use latchkey_protocol::Timestamp;
use latchkey_protocol::order::{OrderStatus, Side};

use crate::support::*;

type Records = Vec<(u64, Vec<u8>)>;

/// A journal in memory: what was appended is lost unless it was committed.
#[derive(Default)]
struct Memory {
    durable: Records,
    pending: Records,
    broken: bool,
}

impl Journal for Memory {
    fn forget(&mut self, _: u64) -> Result<(), JournalError> {
        Ok(())
    }

    fn append(&mut self, sequence: u64, record: &[u8]) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Storage("full".into()));
        }
        self.pending.push((sequence, record.to_vec()));
        Ok(())
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Storage("full".into()));
        }
        self.durable.append(&mut self.pending);
        Ok(())
    }

    fn read_from(&mut self, sequence: u64, each: &mut EachRecord<'_>) -> Result<(), JournalError> {
        self.durable
            .iter()
            .filter(|(number, _)| *number >= sequence)
            .try_for_each(|(number, record)| each(*number, record))
    }
}

fn settings() -> MarketSettings {
    MarketSettings { symbols: vec![plain_symbol()], ..MarketSettings::empty() }
}

fn credit(effect: i64) -> Command {
    Command::Credit(latchkey_exchange::Transfer {
        effect: latchkey_exchange::EffectId(effect),
        account: ANN,
        asset: asset("USDT"),
        amount: amount("1000"),
    })
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(NOON).plus_millis(millis)
}

fn buy() -> Command {
    Command::Place(limit(ANN, Side::Buy, "1", "99"))
}

fn open(journal: &mut Memory) -> Sequencer<u32> {
    Sequencer::open(settings(), journal).expect("a journal that opens")
}

#[test]
fn answers_leave_with_the_commit_and_a_restart_loses_nothing() {
    let mut journal = Memory::default();
    let mut sequencer = open(&mut journal);
    for (token, command) in [credit(1), buy(), buy(), credit(1)].iter().enumerate() {
        sequencer.submit(token as u32, at(token as i64), command, &mut journal).expect("a submission");
    }
    let absent = Command::Cancel(cancel(ANN, 77));
    sequencer.submit(4, at(9), &absent, &mut journal).expect("a submission");
    assert_eq!((sequencer.waiting(), journal.durable.len()), (5, 1), "nothing is durable before the commit");
    let released: Vec<_> = sequencer.commit(&mut journal).expect("a commit").collect();
    assert_eq!(released.iter().map(|r| r.token).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(matches!(released[1].outcome, Ok(Reply::Placed(_))));
    assert_eq!(released[3].outcome, Ok(Reply::AlreadyDone));
    assert_eq!(released[4].outcome, Err(Refusal::UnknownOrder));
    assert_eq!(sequencer.last_sequence(), 4, "settings and three commands; what changed nothing is not written");

    // Appended but never committed: gone after a restart.
    sequencer.submit(9, at(20), &buy(), &mut journal).expect("a submission");
    journal.pending.clear();
    let again = open(&mut journal);
    assert_eq!(again.core().open_orders(ANN, None).expect("no symbol").len(), 2);
    assert_eq!(again.last_sequence(), 4);
    let mut live = Core::new(settings()).expect("settings");
    assert_eq!(replay(&mut live, 1, &mut journal).expect("a replay"), 4);
    assert_eq!(live.state_hash(), again.core().state_hash());
}

#[test]
fn recorded_settings_win_over_configured_ones() {
    let mut journal = Memory::default();
    open(&mut journal);
    let other = MarketSettings { seed: 99, ..MarketSettings::builtin(1) };
    let sequencer: Sequencer<()> = Sequencer::open(other, &mut journal).expect("a journal that opens");
    assert_eq!(sequencer.core().symbols().map(|spec| spec.symbol).collect::<Vec<_>>(), [symbol("ABCUSDT")]);
}

#[test]
fn a_snapshot_saves_the_records_before_it() {
    let mut journal = Memory::default();
    let mut sequencer = open(&mut journal);
    for token in 0..4 {
        let command = if token == 0 { credit(1) } else { buy() };
        sequencer.submit(token, at(0), &command, &mut journal).expect("a submission");
    }
    sequencer.commit(&mut journal).expect("a commit");
    let (snapshot, last) = (sequencer.core().snapshot(), sequencer.last_sequence());
    sequencer.submit(5, at(50), &buy(), &mut journal).expect("a submission");
    sequencer.commit(&mut journal).expect("a commit");
    journal.durable.retain(|(number, _)| *number > last);
    let core = Core::restore(&snapshot).expect("a snapshot");
    let resumed: Sequencer<u32> = Sequencer::resume(core, last, &mut journal).expect("a journal that opens");
    assert_eq!(resumed.core().state_hash(), sequencer.core().state_hash());
    assert_eq!(resumed.last_sequence(), sequencer.last_sequence());
}

#[test]
fn a_journal_that_fails_stops_the_sequencer_for_good() {
    for fail_in_commit in [false, true] {
        let mut journal = Memory::default();
        let mut sequencer = open(&mut journal);
        journal.broken = !fail_in_commit;
        let submitted = sequencer.submit(1, at(0), &credit(1), &mut journal);
        assert_eq!(submitted.is_ok(), fail_in_commit);
        journal.broken = true;
        assert!(sequencer.commit(&mut journal).is_err());
        journal.broken = false;
        assert!(matches!(sequencer.commit(&mut journal), Err(JournalError::Stopped)));
        assert!(matches!(sequencer.submit(2, at(0), &buy(), &mut journal), Err(JournalError::Stopped)));
    }
}

#[test]
fn foreign_and_newer_records_are_refused_by_name() {
    let mut journal = Memory::default();
    let mut sequencer = open(&mut journal);
    sequencer.submit(1, at(0), &credit(1), &mut journal).expect("a submission");
    sequencer.commit(&mut journal).expect("a commit");
    let open_with = |change: &dyn Fn(&mut Records)| {
        let mut journal = Memory { durable: journal.durable.clone(), ..Memory::default() };
        change(&mut journal.durable);
        let opened: Result<Sequencer<()>, _> = Sequencer::open(settings(), &mut journal);
        opened.map(|_| ()).expect_err("a refusal").to_string()
    };
    assert_eq!(open_with(&|d| d[1].0 = 5), "the journal has record 5 where 2 belongs");
    assert_eq!(open_with(&|d| drop(d.remove(0))), "the journal has record 2 where 1 belongs");
    assert_eq!(open_with(&|d| d[1].1[0] = b'X'), "record 2 of the journal does not belong there");
    assert_eq!(open_with(&|d| d[1].1[9] = 9), "record 2 of the journal cannot be read");
    assert_eq!(open_with(&|d| d[0].1[1] = 9), "record 1 of the journal cannot be read");

    let mut bytes = Vec::new();
    credit(1).encode(&mut bytes);
    assert_eq!(Command::decode(&bytes), Ok(credit(1)));
    bytes[0] = 4;
    assert_eq!(Command::decode(&bytes), Err(DecodeError::Newer { found: 4, known: 3 }));
    bytes[0] = 0;
    assert_eq!(Command::decode(&bytes), Err(DecodeError::Unknown(0)));
    bytes[0] = 1;
    assert_eq!(Command::decode(&bytes), Ok(credit(1)), "the format before this one");
    bytes.push(0);
    assert_eq!(Command::decode(&bytes), Err(DecodeError::Trailing(1)));
    assert_eq!(Command::decode(&[]), Err(DecodeError::Empty));
    assert!(matches!(Command::decode(&[1, 250]), Err(DecodeError::Malformed(_))));
}

#[test]
fn damaged_and_newer_snapshots_are_refused_by_name() {
    let bytes = Desk::open().core.snapshot();
    let restore = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        Core::restore(&bytes).map(|_| ()).expect_err("a refusal")
    };
    assert_eq!(restore(&|b| b[0] = 0), SnapshotError::Foreign);
    assert_eq!(restore(&|b| b[8] = 7), SnapshotError::Newer { found: 7, known: 2 });
    assert_eq!(restore(&|b| b[8] = 0), SnapshotError::Unknown(0));
    assert_eq!(restore(&|b| b[20] ^= 1), SnapshotError::Damaged);
    assert_eq!(restore(&|b| b.truncate(30)), SnapshotError::Damaged);
    assert!(Core::restore(&bytes).is_ok());
}

/// Ann cancelled her order `mine` on ABCUSDT, opened another of that name on XYZUSDT and bought from Bob twice; then
/// she entered special-key mode. Written by a build of format 1.
const FORMAT_1: &[u8] = include_bytes!("../../testdata/snapshot-1.bin");

#[test]
fn a_snapshot_of_the_format_before_is_read_whole() {
    let mut core = Core::restore(FORMAT_1).expect("a snapshot of format 1");
    assert!(core.owner(ANN.owner).special_mode);
    assert_eq!(core.liquidation_loan(ANN.owner), None);
    let named = |of: &str| {
        let mine = OrderName { order_id: None, client_order_id: Some(name("mine")) };
        core.order(ANN, symbol(of), mine).expect("an order").status
    };
    assert_eq!((named("ABCUSDT"), named("XYZUSDT")), (OrderStatus::Canceled, OrderStatus::New));
    let trades = |order| core.my_trades(BOB, symbol("ABCUSDT"), Some(order), ALL).expect("a symbol").len();
    assert_eq!((trades(1), trades(2)), (0, 2));

    let again = Core::restore(&core.snapshot()).expect("a snapshot of this format");
    assert_eq!(again.state_hash(), core.state_hash());
    let loan = Command::OpenLiquidationLoan {
        effect: EffectId(900),
        owner: ANN.owner,
        asset: asset("USDT"),
        amount: amount("1"),
    };
    assert_eq!(core.apply(core.now(), &loan), Ok(Reply::Done));
}

#[test]
fn a_frozen_state_keeps_what_the_core_then_changes() {
    let mut desk = Desk::open();
    desk.rest(ANN, Side::Buy, "1", "99");
    for _ in 0..3_000 {
        let order = desk.rest(ANN, Side::Buy, "1", "98").order;
        desk.cancel(ANN, order.order_id).expect("a cancel");
        desk.now = desk.now.plus_millis(200);
    }
    let (frozen, bytes) = (desk.core.frozen(), desk.core.snapshot());
    desk.cancel(ANN, 1).expect("a cancel in a full chunk");
    desk.rest(BOB, Side::Sell, "0.5", "99");
    assert_ne!(desk.core.snapshot(), bytes);
    assert_eq!(frozen.snapshot(), bytes);
}
