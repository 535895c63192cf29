//! What of a damaged spill survives. Damage is done to a copy of a running spill's files, so that there is a log, as after a
//! power cut.

use std::fs;
use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;

use super::carve::{WAL_FRAME_HEAD_BYTES, WAL_HEAD_BYTES};
use super::examine::{Examined, examine, mend, take_over};
use super::file::DirLock;
use super::tests::{config, now, run, start, stored};
use super::*;

const RECORDS: u64 = 300;
/// In pages that were written back into the database; the rest is in the log.
const IN_DATABASE: u64 = 200;
/// SQLite's file format, "The Database Header".
const HEAD_BYTES: usize = 100;
const EPOCH: Epoch = Epoch::from_uuid(Uuid::from_u128(7));

fn database(dir: &TempDir) -> PathBuf {
    dir.path().join("spill.db")
}

fn log(dir: &TempDir) -> PathBuf {
    dir.path().join("spill.db-wal")
}

/// The files of a spill as a power cut leaves them.
async fn cut_off() -> TempDir {
    let dir = tempfile::tempdir().expect("a temp dir");
    {
        let (spill, _, end) = start(dir.path(), config());
        spill.append(run(EPOCH, 1..=IN_DATABASE), false, now()).await.expect("room");
        drop(spill);
        assert!(end.await.expect("it ends").is_none());
    }
    let (spill, _, _end) = start(dir.path(), config());
    for from in (IN_DATABASE + 1..=RECORDS).step_by(10) {
        spill.append(run(EPOCH, from..=from + 9), false, now()).await.expect("room");
    }
    let copy = tempfile::tempdir().expect("a temp dir");
    copy_files(&dir, &copy);
    assert!(fs::metadata(log(&copy)).expect("a log").len() > 50_000);
    copy
}

fn copy_files(from: &TempDir, to: &TempDir) {
    for path in [database, log] {
        if path(from).exists() {
            fs::copy(path(from), path(to)).expect("copied");
        }
    }
}

fn change(path: &PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("there");
    change(&mut bytes);
    fs::write(path, bytes).expect("written");
}

/// Starts it until it runs, as systemd would: damage that only shows when it is read ends the first run. Answers the rows that
/// the forwarder gets.
async fn rows(dir: &TempDir, shown: &str) -> Vec<Row> {
    for _ in 0..3 {
        let (spill, _, end) = start(dir.path(), config());
        let rows = spill.read(0, 10_000, usize::MAX).await;
        let appended = spill.append(run(Epoch::random(), 1..=5), true, now()).await;
        drop(spill);
        let ended = end.await.expect("no panic");
        if let (Ok(rows), Ok(()), None) = (rows, appended, ended) {
            return rows;
        }
    }
    panic!("{shown}: it does not run");
}

/// Seqs of the whole records of before.
async fn seqs(dir: &TempDir) -> Vec<u64> {
    let rows = rows(dir, "after damage").await;
    let records = rows.iter().filter_map(|row| common::record::Record::open(&row.record).ok());
    let mut seqs: Vec<u64> = records.filter(|record| record.epoch == EPOCH).map(|record| record.seq).collect();
    seqs.sort_unstable();
    seqs
}

fn look(dir: &TempDir) -> Examined {
    examine(dir.path(), &DirLock::take(dir.path()).expect("nobody has it"))
}

#[tokio::test]
async fn a_spill_that_was_cut_off_is_whole_and_looking_changes_nothing() {
    let dir = cut_off().await;
    let before = (fs::read(database(&dir)).expect("there"), fs::read(log(&dir)).expect("there"));
    assert_eq!(look(&dir), Examined { faults: Vec::new(), records: RECORDS, damaged: 0 });
    assert!(before == (fs::read(database(&dir)).expect("there"), fs::read(log(&dir)).expect("there")));
    assert_eq!(seqs(&dir).await.len() as u64, RECORDS);
}

#[tokio::test]
async fn one_flipped_bit_in_the_log_costs_no_more_than_its_record() {
    let dir = cut_off().await;
    let target = stored(EPOCH, IN_DATABASE + 20).bytes;
    change(&log(&dir), |bytes| {
        // In all copies of it: a page is in the log once for each commit that changed it.
        let places: Vec<usize> =
            (0..bytes.len() - target.len()).filter(|at| bytes[*at..].starts_with(&target)).collect();
        assert!(!places.is_empty());
        places.into_iter().for_each(|at| bytes[at + 100] ^= 0x10);
    });
    assert!(look(&dir).faults[0].contains("log"), "{:?}", look(&dir));
    // No mark, no repair: the edge just starts.
    let (spill, opened, end) = start(dir.path(), config());
    let (aside, salvaged) = opened.salvaged.expect("it was noticed");
    assert!(aside.exists() && aside.to_string_lossy().ends_with("-wal"), "{}", aside.display());
    assert_eq!(salvaged.damaged, 1);
    drop(spill);
    assert!(end.await.expect("it ends").is_none());
    let left = seqs(&dir).await;
    assert_eq!(left, (1..=RECORDS).filter(|seq| *seq != IN_DATABASE + 20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_torn_end_of_the_log_is_no_damage() {
    let dir = cut_off().await;
    change(&log(&dir), |bytes| bytes.extend_from_slice(&[0; 10_000]));
    assert_eq!(look(&dir).faults, Vec::<String>::new());
    let (_spill, opened, _end) = start(dir.path(), config());
    assert_eq!(opened.salvaged, None);
}

#[tokio::test]
async fn without_its_head_what_is_there_is_taken_over() {
    // The first page is in the log too, where SQLite finds it.
    let dir = cut_off().await;
    change(&database(&dir), |bytes| bytes[..100].fill(0xFF));
    assert_eq!(seqs(&dir).await.len() as u64, RECORDS);
    let dir = cut_off().await;
    change(&database(&dir), |bytes| bytes[..100].fill(0xFF));
    fs::remove_file(log(&dir)).expect("removed");
    assert!(!look(&dir).faults.is_empty());
    assert_eq!(seqs(&dir).await, (1..=IN_DATABASE).collect::<Vec<_>>());
}

#[tokio::test]
async fn no_flipped_bit_of_the_head_stops_the_start_or_costs_a_record() {
    let whole = cut_off().await;
    // With the log, SQLite would find a whole first page there.
    fs::remove_file(log(&whole)).expect("removed");
    for bit in 0..HEAD_BYTES * 8 {
        let dir = tempfile::tempdir().expect("a temp dir");
        copy_files(&whole, &dir);
        change(&database(&dir), |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let shown = format!("byte {}, bit {}", bit / 8, bit % 8);
        let faults = look(&dir).faults;
        assert_eq!(seqs(&dir).await.len() as u64, IN_DATABASE, "{shown}");
        assert!(!faults.is_empty() || !was_moved_aside(&dir), "{shown}: what stands in the way of the start is named");
    }
}

#[tokio::test]
async fn a_table_that_seems_to_begin_elsewhere_hides_no_records() {
    let dir = cut_off().await;
    fs::remove_file(log(&dir)).expect("removed");
    // One bit more or less in the list of tables, and a leaf of the table is taken for its root.
    let connection = Connection::open(database(&dir)).expect("opens");
    connection
        .execute_batch(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = rootpage + 8 WHERE name = 'records'",
        )
        .expect("taken");
    drop(connection);
    assert!(look(&dir).faults.iter().any(|fault| fault.contains("checksum")), "{:?}", look(&dir));
    assert_eq!(seqs(&dir).await.len() as u64, IN_DATABASE);
}

fn was_moved_aside(dir: &TempDir) -> bool {
    let mut files = fs::read_dir(dir.path()).expect("a directory").flatten();
    files.any(|file| file.file_name().to_string_lossy().starts_with("spill-damaged-"))
}

#[tokio::test]
async fn without_its_end_what_is_there_is_taken_over() {
    let dir = cut_off().await;
    change(&database(&dir), |bytes| bytes.truncate(bytes.len() / 2));
    let there = still_there(&dir);
    assert!((RECORDS / 2..RECORDS).contains(&(there as u64)), "{there}");
    assert!(!look(&dir).faults.is_empty());
    assert_eq!(seqs(&dir).await.len(), there);
}

#[tokio::test]
async fn an_emptied_database_does_not_take_its_log_with_it() {
    for gone in [false, true] {
        let dir = cut_off().await;
        if gone {
            fs::remove_file(database(&dir)).expect("removed")
        } else {
            change(&database(&dir), Vec::clear)
        }
        let left = seqs(&dir).await;
        assert!(left.len() as u64 >= RECORDS - IN_DATABASE, "{gone}: {}", left.len());
    }
}

#[tokio::test]
async fn a_lost_log_loses_only_what_was_in_it() {
    let dir = cut_off().await;
    fs::remove_file(log(&dir)).expect("removed");
    assert_eq!(seqs(&dir).await, (1..=IN_DATABASE).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_that_had_no_room_once_is_taken_over_later() {
    let (dir, other) = (cut_off().await, tempfile::tempdir().expect("a temp dir"));
    fs::rename(database(&dir), other.path().join("spill-damaged-1.db")).expect("moved");
    fs::rename(log(&dir), other.path().join("spill-damaged-1.db-wal")).expect("moved");
    let lock = DirLock::take(other.path()).expect("free");
    let from = other.path().join("spill-damaged-1.db");
    assert_eq!(take_over(other.path(), &from, lock, now()).expect("taken").records, RECORDS);
    let lock = DirLock::take(other.path()).expect("free");
    assert_eq!(take_over(other.path(), &from, lock, now()).expect("taken").records, 0, "once");
    assert_eq!(seqs(&other).await.len() as u64, RECORDS);
}

#[tokio::test]
async fn a_running_edges_spill_is_not_touched() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (_spill, _, _end) = start(dir.path(), config());
    let error = DirLock::take(dir.path()).err().expect("taken").to_string();
    assert!(error.contains("another smartpick-edge"), "{error}");
}

/// Does something bad at random; answers how many bytes were changed.
fn harm(rng: &mut StdRng, dir: &TempDir) -> usize {
    let mut flips = 0;
    for _ in 0..rng.random_range(1..=3) {
        let path = if rng.random_bool(0.5) { database(dir) } else { log(dir) };
        if !path.exists() {
            continue;
        }
        match rng.random_range(0..10) {
            0 => change(&path, |bytes| bytes.truncate(rng.random_range(0..=bytes.len()))),
            1 => fs::remove_file(&path).expect("removed"),
            2 => change(&path, |bytes| rng.fill(&mut bytes[..])),
            _ => change(&path, |bytes| {
                for _ in 0..rng.random_range(1..20) {
                    if !bytes.is_empty() {
                        // Heads of pages and files as often as all the rest.
                        let at = rng.random_range(0..bytes.len());
                        let at = if rng.random_bool(0.5) { at / 4_096 * 4_096 + at % 128 } else { at };
                        let end = bytes.len() - 1;
                        bytes[at.min(end)] ^= 1 << rng.random_range(0..8);
                        flips += 1;
                    }
                }
            }),
        }
    }
    flips
}

/// A log up to its last commit: what is behind it looks as after a power cut, which nobody was told is safe.
fn committed(log: &[u8]) -> &[u8] {
    let Some((_, frames)) = log.split_at_checked(WAL_HEAD_BYTES) else { return &[] };
    let frame_bytes = WAL_FRAME_HEAD_BYTES + 4_096;
    // A frame that ends a transaction has the size of the database.
    let last = frames.chunks_exact(frame_bytes).rposition(|frame| frame[4..8] != [0; 4]);
    &log[..last.map_or(0, |last| WAL_HEAD_BYTES + (last + 1) * frame_bytes)]
}

/// How many of the records are somewhere in the files, byte for byte.
fn still_there(dir: &TempDir) -> usize {
    let epoch = EPOCH.uuid().into_bytes();
    let mut found = std::collections::BTreeSet::new();
    let read = |path: PathBuf| fs::read(path).unwrap_or_default();
    for bytes in [read(database(dir)), committed(&read(log(dir))).to_vec()] {
        for at in 2..bytes.len().saturating_sub(epoch.len()) {
            // Behind version and kind.
            if bytes[at..].starts_with(&epoch)
                && let Some((_, seq)) = common::record::place(&bytes[at - 2..])
                && (1..=RECORDS).contains(&seq)
                && bytes[at - 2..].starts_with(&stored(EPOCH, seq).bytes)
            {
                found.insert(seq);
            }
        }
    }
    found.len()
}

#[tokio::test]
async fn no_damage_stops_the_start_and_neighbours_of_damaged_records_survive() {
    let seed = std::env::var("SMARTPICK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    // Shown if it fails.
    let shown = format!("SMARTPICK_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let whole = cut_off().await;
    for round in 0..25 {
        let (started, mended) = (tempfile::tempdir().expect("a dir"), tempfile::tempdir().expect("a dir"));
        copy_files(&whole, &started);
        let flips = harm(&mut rng, &started);
        copy_files(&started, &mended);
        let there = still_there(&started);

        rows(&started, &format!("{shown}, round {round}")).await;

        // And fsck finds what can be found.
        let examined = look(&mended);
        if !examined.faults.is_empty() {
            let lock = DirLock::take(mended.path()).expect("free");
            mend(mended.path(), lock, now()).expect("mended");
        }
        let found = seqs(&mended).await.len();
        assert!(
            found + flips >= there,
            "{shown}, round {round}: {found} found of {there} that are there, {flips} bytes flipped: {:?}",
            examined.faults
        );
        assert_eq!(look(&mended).faults, Vec::<String>::new(), "{shown}, round {round}: mended is whole");
    }
}
