use common::record::{Kind, Record};
use std::io::{Seek as _, SeekFrom, Write as _};

use super::*;
use crate::buffer::account::Place;

pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
}

pub(super) fn config() -> SpillConfig {
    SpillConfig { bytes_max: 64 * 1024 * 1024, disk_free_min: 0, ballast_bytes: 64 * 1024 }
}

pub(super) fn stored(epoch: Epoch, seq: u64) -> Stored {
    let payload = [seq as u8; 500];
    let bytes = Record { kind: Kind::Event, epoch, seq, accepted_ms: 0, payload: &payload }.write();
    let mut key = [0; 17];
    key[..8].copy_from_slice(&seq.to_le_bytes());
    Stored { key, hash: seq * 7, place: Place { epoch, seq, bytes: bytes.len() as u64 }, bytes }
}

pub(super) fn run(epoch: Epoch, seqs: std::ops::RangeInclusive<u64>) -> Vec<Stored> {
    seqs.map(|seq| stored(epoch, seq)).collect()
}

pub(super) fn start(dir: &Path, config: SpillConfig) -> (Spill, Opened, oneshot::Receiver<Option<rusqlite::Error>>) {
    Spill::start(dir, config, 1_000, Duration::from_secs(3_600), now()).expect("starts")
}

/// Drops the handle and waits until the thread has let go of the directory.
async fn close(spill: Spill, end: oneshot::Receiver<Option<rusqlite::Error>>) {
    drop(spill);
    assert!(end.await.expect("the thread says how it ended").is_none());
}

#[tokio::test]
async fn what_was_appended_is_there_after_a_restart_and_in_order() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let epoch = Epoch::random();
    let (spill, _, end) = start(dir.path(), config());
    spill.append(run(epoch, 1..=10), true, now()).await.expect("room");
    spill.forget(1, 4).await.expect("alive");
    spill.note_epoch(epoch, 10).await.expect("alive");
    close(spill, end).await;

    let (spill, opened, _end) = start(dir.path(), config());
    assert_eq!((opened.held.records, opened.past.get(&epoch)), (6, Some(&10)));
    let rows = spill.read(0, 4, usize::MAX).await.expect("alive");
    let seqs: Vec<u64> = rows.iter().map(|row| Record::open(&row.record).expect("whole").seq).collect();
    assert_eq!(seqs, [5, 6, 7, 8]);
    let rest = spill.read(rows[3].id, 100, usize::MAX).await.expect("alive");
    assert_eq!(rest.len(), 2);
    // Keys live longer than records.
    let keys = [stored(epoch, 1).key, stored(epoch, 99).key];
    assert_eq!(spill.known(keys.to_vec()).await.expect("alive"), [Known { index: 0, hash: 7 }]);
}

#[tokio::test]
async fn ids_are_never_given_twice() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (spill, _, _end) = start(dir.path(), config());
    let epoch = Epoch::random();
    spill.append(run(epoch, 1..=3), false, now()).await.expect("room");
    spill.forget(1, 3).await.expect("alive");
    spill.append(run(epoch, 4..=4), false, now()).await.expect("room");
    assert_eq!(spill.read(0, 10, usize::MAX).await.expect("alive")[0].id, 4);
}

#[tokio::test]
async fn a_read_stops_at_its_bytes() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (spill, _, _end) = start(dir.path(), config());
    spill.append(run(Epoch::random(), 1..=10), false, now()).await.expect("room");
    assert_eq!(spill.read(0, 10, 1_000).await.expect("alive").len(), 2);
}

#[tokio::test]
async fn the_budget_refuses_without_writing_and_draining_makes_room_again() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (spill, _, _end) = start(dir.path(), SpillConfig { bytes_max: 200_000, ..config() });
    let epoch = Epoch::random();
    let mut seq = 0;
    let refused = loop {
        match spill.append(run(epoch, seq + 1..=seq + 20), true, now()).await {
            Ok(()) => seq += 20,
            Err(error) => break error.to_string(),
        }
    };
    assert!(refused.contains("spill.bytes_max"), "{refused}");
    assert!(seq > 60, "only {seq} fitted");
    assert!(spill.stats(now()).await.expect("alive").full);
    assert_eq!(spill.read(0, 10_000, usize::MAX).await.expect("alive").len() as u64, seq);
    spill.forget(1, 60).await.expect("alive");
    spill.append(run(epoch, seq + 1..=seq + 20), true, now()).await.expect("room again");
    assert!(!spill.stats(now()).await.expect("alive").full);
}

#[tokio::test]
async fn the_floor_of_free_disk_refuses_too() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (spill, _, _end) = start(dir.path(), SpillConfig { disk_free_min: u64::MAX / 2, ..config() });
    let error = spill.append(run(Epoch::random(), 1..=1), true, now()).await.expect_err("no room").to_string();
    assert!(error.contains("spill.disk_free_min"), "{error}");
}

#[tokio::test]
async fn keys_are_bounded_and_forgotten_in_time() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let ttl = Duration::from_secs(3_600);
    let (spill, _, _end) = Spill::start(dir.path(), config(), 100, ttl, now()).expect("starts");
    let epoch = Epoch::random();
    for from in (0..500).step_by(10) {
        spill.append(run(epoch, from + 1..=from + 10), true, now()).await.expect("room");
        let keys = spill.stats(now()).await.expect("alive").keys;
        assert!(keys <= 110, "{keys} keys");
    }
    let latest = stored(epoch, 500).key;
    assert_eq!(spill.known(vec![latest]).await.expect("alive").len(), 1);
    let later = now() + ttl;
    spill.stats(later).await.expect("alive");
    assert_eq!(spill.known(vec![latest]).await.expect("alive").len(), 1, "at least the ttl");
    spill.stats(later + ttl).await.expect("alive");
    assert_eq!(spill.known(vec![latest]).await.expect("alive").len(), 0, "not for ever");
}

#[tokio::test]
async fn two_processes_cannot_share_a_directory() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (_spill, _, _end) = start(dir.path(), config());
    let second = Spill::start(dir.path(), config(), 10, Duration::from_secs(1), now());
    let error = second.err().expect("refused").to_string();
    assert!(error.contains("another smartpick-edge"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside_and_what_is_whole_is_taken_over() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let epoch = Epoch::random();
    let (spill, _, end) = start(dir.path(), config());
    spill.append(run(epoch, 1..=2_000), false, now()).await.expect("room");
    close(spill, end).await;

    let path = dir.path().join("spill.db");
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).expect("opens");
    let middle = file.metadata().expect("metadata").len() / 2;
    file.seek(SeekFrom::Start(middle / 4096 * 4096)).expect("seeks");
    file.write_all(&[0xA5; 8 * 4096]).expect("damages");
    drop(file);
    // What a run that met the damage leaves behind.
    file::mark_damaged(dir.path());

    let (spill, opened, _end) = start(dir.path(), config());
    let (aside, Salvaged { records: salvaged, .. }) = opened.salvaged.expect("it was damaged");
    assert!(aside.exists());
    assert!((1_500..2_000).contains(&salvaged), "{salvaged} of 2000 salvaged");
    assert_eq!(opened.held.records, salvaged);
    let rows = spill.read(0, 10_000, usize::MAX).await.expect("alive");
    assert!(rows.iter().all(|row| Record::open(&row.record).is_ok()));
    spill.append(run(epoch, 3_000..=3_001), true, now()).await.expect("works on");
}

#[tokio::test]
async fn a_file_that_is_no_database_does_not_stop_the_start() {
    let dir = tempfile::tempdir().expect("a temp dir");
    std::fs::write(dir.path().join("spill.db"), vec![7; 100_000]).expect("writes");
    let (spill, opened, _end) = start(dir.path(), config());
    assert_eq!(opened.salvaged.map(|(_, salvaged)| salvaged), Some(Salvaged::default()));
    spill.append(run(Epoch::random(), 1..=1), true, now()).await.expect("works on");
}

#[test]
fn a_file_of_a_newer_version_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let path = dir.path().join("spill.db");
    drop(file::open(dir.path(), now()).expect("a new one"));
    crate::sqlite::tests::make_newer(&path);
    let before = std::fs::read(&path).expect("is there");
    let error = format!("{:#}", file::open(dir.path(), now()).err().expect("refused"));
    assert!(error.contains("newer smartpick-edge") && error.contains("install that version"), "{error}");
    assert!(std::fs::read(&path).expect("is there") == before, "not a byte has changed");
    let mut files = std::fs::read_dir(dir.path()).expect("a directory").flatten();
    assert!(!files.any(|file| file.file_name().to_string_lossy().contains("damaged")), "nothing was moved aside");
}
