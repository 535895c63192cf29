use common::ids::BatchId;
use common::protocol::{SeqRange, pack_frame};
use common::record::{Kind, Record};
use tempfile::TempDir;

use super::*;

const KEEP: Duration = Duration::from_secs(3_600);

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + secs, 0).expect("in range")
}

fn config() -> ArchiveConfig {
    ArchiveConfig { keep: KEEP, bytes_max: 64 * 1024 * 1024 }
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("a temp dir")
}

fn open(dir: &TempDir, config: ArchiveConfig) -> Store {
    Store::open(dir.path(), config).expect("opens")
}

/// A batch of records that were accepted one second after the other, from `secs` on.
fn entry(epoch: Epoch, seqs: impl IntoIterator<Item = u64>, secs: i64) -> Entry {
    let records: Vec<Vec<u8>> = seqs
        .into_iter()
        .zip(secs..)
        .map(|(seq, secs)| {
            let accepted_ms = at(secs).timestamp_millis();
            Record { kind: Kind::Event, epoch, seq, accepted_ms, payload: &[seq as u8; 300] }.write()
        })
        .collect();
    let frame = pack_frame(&records).expect("memory").into();
    Entry::of(BatchId::random(), &records, frame)
}

fn mark(identity: &str, position: u64) -> DatabaseMark {
    DatabaseMark { identity: identity.to_owned(), position }
}

fn receipt(records: u32, duplicates: u32) -> Receipt {
    Receipt {
        batch_id: BatchId::random(),
        committed: records - duplicates,
        duplicates,
        dead_letters: Vec::new(),
        database: Some(mark("b", 1)),
    }
}

fn keep(store: &mut Store, entry: &Entry, now: DateTime<Utc>) -> i64 {
    let id = store.keep(entry, now).expect("kept");
    store.confirm(id, Some(&mark("a", 7)), now).expect("noted");
    id
}

fn lacks(epoch: Epoch, ranges: &[(u64, u64)], receipts: i64) -> Answered {
    let lacking = ranges.iter().map(|&(first, last)| SeqRange { epoch, first, last }).collect();
    Answered { database: mark("b", 1), heads: vec![(epoch, 100)], lacking, receipts }
}

/// Works off all replays; answers the entries in the order in which they came.
fn work_off(store: &mut Store, now: DateTime<Utc>) -> Vec<i64> {
    let mut entries = Vec::new();
    while let Some(due) = store.due(now).expect("whole") {
        let records = u32::try_from(due.records).expect("few");
        assert!(due.frame.is_some());
        store.resent(&due, Some(&receipt(records, 1)), now).expect("noted");
        entries.push(due.entry);
    }
    entries
}

#[test]
fn what_was_asked_for_is_sent_once_in_order_and_counted() {
    let (dir, epoch) = (dir(), Epoch::random());
    let mut store = open(&dir, config());
    let ids: Vec<i64> =
        (0..5).map(|n| keep(&mut store, &entry(epoch, n * 10 + 1..=n * 10 + 10, n as i64 * 10), at(60))).collect();
    // From the last second of the second batch to the first of the fourth.
    assert_eq!(store.would_send(at(19), at(30)).expect("whole"), (3, 30));
    let replay = store.ask("anna", at(19), at(30), at(61)).expect("noted");
    assert_eq!((replay.total, replay.percent(), replay.ended_at), (30, 0, None));
    // What comes in meanwhile is not part of it.
    keep(&mut store, &entry(epoch, 51..=60, 20), at(62));
    let due = store.due(at(62)).expect("whole").expect("one");
    store.resent(&due, Some(&receipt(10, 4)), at(62)).expect("noted");
    assert_eq!(store.replay(replay.id).expect("there").percent(), 33);
    drop(store);

    // The next run goes on where this one was.
    let mut store = open(&dir, config());
    assert_eq!(work_off(&mut store, at(63)), ids[2..4]);
    let replay = store.latest_replay().expect("whole").expect("one");
    assert_eq!((replay.sent, replay.committed, replay.duplicates, replay.gone), (30, 24, 6, 0));
    assert_eq!((replay.why, replay.ended_at), (Why::Operator, Some(at(63))));
}

#[test]
fn only_what_headquarters_lacks_is_sent_again() {
    let (dir, epoch, other) = (dir(), Epoch::random(), Epoch::random());
    let mut store = open(&dir, config());
    let ids: Vec<i64> = (0..5).map(|n| keep(&mut store, &entry(epoch, n * 10 + 1..=n * 10 + 10, 0), at(0))).collect();
    keep(&mut store, &entry(other, 1..=50, 0), at(0));
    let receipts = store.receipts();
    // The last seq of the second, all of the fourth, and one that never was.
    assert_eq!(store.answered(&lacks(epoch, &[(20, 20), (31, 40), (99, 99)], receipts), at(1)).expect("noted"), 20);
    assert_eq!(store.answered(&lacks(epoch, &[(20, 20)], receipts), at(1)).expect("noted"), 0, "one goes on");
    assert_eq!(work_off(&mut store, at(2)), [ids[1], ids[3]]);
    // An answer from before they were sent again changes nothing, one from after it does.
    assert_eq!(store.answered(&lacks(epoch, &[(20, 20)], receipts), at(3)).expect("noted"), 0);
    let receipts = store.receipts();
    assert_eq!(store.answered(&lacks(epoch, &[(31, 31)], receipts), at(3)).expect("noted"), 10);
    assert_eq!(store.heard().expect("whole"), Some(mark("b", 1)));
    assert_eq!(store.heads().expect("whole").iter().find(|(of, _)| *of == epoch), Some(&(epoch, 100)), "as told");
}

#[test]
fn what_is_lost_for_good_is_looked_for_once() {
    let (dir, epoch) = (dir(), Epoch::random());
    let mut store = open(&dir, config());
    keep(&mut store, &entry(epoch, 1..=10, 0), at(0));
    for _ in 0..3 {
        assert_eq!(store.answered(&lacks(epoch, &[(50, 60)], 1), at(1)).expect("noted"), 0);
        assert_eq!(store.replays(10).expect("whole"), [], "nothing to be seen");
    }
    assert_eq!(store.nothing_of.len(), 1);
    assert_eq!(store.answered(&lacks(epoch, &[(5, 5), (50, 60)], 1), at(1)).expect("noted"), 10, "another question");
}

#[test]
fn what_surrounded_a_loss_is_not_sent_again_for_it_at_each_start() {
    let (dir, epoch, other) = (dir(), Epoch::random(), Epoch::random());
    let mut store = open(&dir, config());
    // As after a damaged spill: the batch was packed from what was left.
    keep(&mut store, &entry(epoch, (1..=10).chain(16..=30), 0), at(0));
    keep(&mut store, &entry(other, [12], 0), at(0));
    for start in 1..=3 {
        drop(store);
        store = open(&dir, config());
        let receipts = store.receipts();
        let lost = lacks(epoch, &[(11, 15)], receipts);
        assert_eq!(store.answered(&lost, at(start)).expect("noted"), 0, "start {start}");
        assert_eq!(store.replays(10).expect("whole"), [], "start {start}");
    }
    // What it does hold it still sends, however much of the rest is known to be lost.
    let receipts = store.receipts();
    assert_eq!(store.answered(&lacks(epoch, &[(11, 16)], receipts), at(9)).expect("noted"), 25);
}

#[test]
fn an_archive_of_before_goes_on_being_sent_from() {
    let (dir, epoch) = (dir(), Epoch::random());
    let mut store = open(&dir, config());
    let id = keep(&mut store, &entry(epoch, 1..=10, 0), at(0));
    store
        .connection
        .execute_batch(
            "DROP TABLE spans;
             CREATE TABLE spans (entry INTEGER NOT NULL, epoch_id INTEGER NOT NULL, first INTEGER NOT NULL,
                                 last INTEGER NOT NULL, PRIMARY KEY (entry, epoch_id)) WITHOUT ROWID;
             INSERT INTO spans SELECT e.id, p.id, 1, 10 FROM entries e, epochs p;
             PRAGMA user_version = 1;
             PRAGMA application_id = 0;",
        )
        .expect("as it was");
    drop(store);
    let mut store = open(&dir, config());
    assert_eq!(store.answered(&lacks(epoch, &[(5, 5)], store.receipts()), at(1)).expect("noted"), 10);
    assert_eq!(work_off(&mut store, at(2)), [id]);
}

#[test]
fn the_oldest_goes_first_by_age_and_by_size() {
    let (dir, epoch) = (dir(), Epoch::random());
    let mut store = open(&dir, config());
    for n in 0..10 {
        keep(&mut store, &entry(epoch, n * 10 + 1..=n * 10 + 10, 0), at(n as i64 * 600));
    }
    store.trim(at(KEEP.as_secs() as i64 + 1_801)).expect("whole");
    let figures = store.figures().expect("whole");
    assert_eq!((figures.batches, figures.records), (6, 60));
    assert_eq!(figures.oldest_ms, Some(at(4 * 600).timestamp_millis()));
    assert_eq!(store.heads().expect("whole"), [(epoch, 100)], "how far it got is known for longer");
    store.forget_epochs(at(40 * 86_400)).expect("whole");
    assert_eq!(store.heads().expect("whole"), []);
    drop(store);

    let mut store = open(&dir, ArchiveConfig { bytes_max: 2 * 1024 * 1024, ..config() });
    for n in 0..400u64 {
        let payload: Vec<u8> =
            (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(n as u32) >> 13) as u8).collect();
        let record = Record { kind: Kind::Event, epoch, seq: 1_000 + n, accepted_ms: 0, payload: &payload }.write();
        let records = [record];
        let frame = pack_frame(&records).expect("memory").into();
        keep(&mut store, &Entry::of(BatchId::random(), &records, frame), at(7_000));
        store.trim(at(7_000)).expect("whole");
        assert!(store.figures().expect("whole").bytes < 3 * 1024 * 1024);
    }
    assert!(store.figures().expect("whole").records > 20);
}

#[test]
fn what_was_pushed_out_before_its_turn_is_counted_as_gone() {
    let (dir, epoch) = (dir(), Epoch::random());
    let mut store = open(&dir, config());
    keep(&mut store, &entry(epoch, 1..=10, 0), at(0));
    keep(&mut store, &entry(epoch, 11..=30, 0), at(1_000));
    store.ask("anna", at(0), at(100), at(1_001)).expect("noted");
    store.trim(at(KEEP.as_secs() as i64 + 500)).expect("whole");
    assert_eq!(work_off(&mut store, at(5_000)).len(), 1);
    let replay = store.latest_replay().expect("whole").expect("one");
    assert_eq!((replay.total, replay.sent, replay.gone, replay.percent()), (30, 20, 10, 100));
}

#[test]
fn a_frame_that_is_not_as_it_was_written_is_not_sent() {
    let (dir, epoch) = (dir(), Epoch::random());
    let mut store = open(&dir, config());
    let id = keep(&mut store, &entry(epoch, 1..=10, 0), at(0));
    store.connection.execute("UPDATE frames SET frame = zeroblob(100) WHERE id = ?1", [id]).expect("spoilt");
    store.ask("anna", at(0), at(100), at(1)).expect("noted");
    let due = store.due(at(1)).expect("whole").expect("one");
    assert!(due.frame.is_none());
    store.resent(&due, None, at(1)).expect("noted");
    assert!(store.due(at(1)).expect("whole").is_none());
    assert_eq!(store.latest_replay().expect("whole").map(|replay| (replay.gone, replay.percent())), Some((10, 100)));
}

#[test]
fn giving_way_gives_the_room_back_to_the_disk() {
    let (dir, epoch) = (dir(), Epoch::random());
    let mut store = open(&dir, config());
    for n in 0..300 {
        keep(&mut store, &entry(epoch, n * 500 + 1..=n * 500 + 500, 0), at(0));
    }
    let size = || fs::metadata(path(dir.path())).expect("there").len();
    store.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("written back");
    let before = size();
    while !store.is_empty() {
        store.give_way().expect("whole");
    }
    assert!(before > 1024 * 1024 && size() < before / 4, "{before} to {}", size());
    assert_eq!(store.figures().expect("whole").records, 0);
}

async fn forward(archive: &Archive, epoch: Epoch, seq: u64) {
    let keeping = archive.keep(|| entry(epoch, seq..=seq, 0));
    keeping.confirmed(&receipt(1, 0)).await;
    archive.look_after().await;
}

#[tokio::test]
async fn a_batch_is_kept_before_it_may_be_forgotten() {
    let (dir, epoch) = (dir(), Epoch::random());
    let archive = Archive::start(dir.path(), config(), 0, at(0)).expect("starts");
    forward(&archive, epoch, 1).await;
    let status = archive.status().expect("it is on");
    assert_eq!((status.figures.records, status.skipped), (1, 0));
    assert_eq!((archive.receipts(), archive.health()), (1, Vec::new()));
    let withdrawn = archive.keep(|| entry(epoch, 2..=9, 0));
    withdrawn.withdrawn().await;
    archive.look_after().await;
    assert_eq!(archive.status().expect("it is on").figures.records, 1);
}

#[tokio::test]
async fn a_low_disk_takes_it_all_and_stops_nobody() {
    let (dir, epoch) = (dir(), Epoch::random());
    let archive = Archive::start(dir.path(), config(), 0, at(0)).expect("starts");
    forward(&archive, epoch, 1).await;
    archive.close().await;
    // No disk has so much free.
    let archive = Archive::start(dir.path(), config(), u64::MAX / 4, at(0)).expect("starts");
    forward(&archive, epoch, 2).await;
    let status = archive.status().expect("it is on");
    assert_eq!((status.figures.records, status.skipped), (0, 1));
    assert!(archive.health()[0].1.contains("the disk is low"), "{:?}", archive.health());
}

#[tokio::test]
async fn a_damaged_archive_is_moved_aside_and_begun_anew() {
    let (dir, epoch) = (dir(), Epoch::random());
    fs::write(path(dir.path()), vec![7; 100_000]).expect("writes");
    let archive = Archive::start(dir.path(), config(), 0, at(0)).expect("starts");
    assert!(archive.health()[0].1.contains("archive-damaged-"), "{:?}", archive.health());
    forward(&archive, epoch, 1).await;
    assert_eq!(archive.status().expect("it is on").figures.records, 1);
    let aside = dir.path().join(format!("archive-damaged-{}.db", at(0).timestamp_millis()));
    assert_eq!(fs::metadata(aside).expect("nothing is deleted").len(), 100_000);
}

#[tokio::test]
async fn switched_off_it_keeps_nothing_and_leaves_nothing() {
    let (dir, epoch) = (dir(), Epoch::random());
    let archive = Archive::start(dir.path(), config(), 0, at(0)).expect("starts");
    forward(&archive, epoch, 1).await;
    archive.close().await;
    let off = ArchiveConfig { keep: Duration::ZERO, ..config() };
    let archive = Archive::start(dir.path(), off, 0, at(0)).expect("starts");
    forward(&archive, epoch, 2).await;
    assert!(archive.status().is_none() && !path(dir.path()).exists());
}
