//! Data that can never be stored becomes dead letters, alone.

use chrono::{DateTime, Utc};
use common::event::{Event, Hundredths};
use common::ids::Epoch;
use common::protocol::pack_frame;
use common::record::{Kind, Record, event_payload};

use crate::client::{Batch, EdgeClient, System};

/// A record whose event the edge's intake would never let through.
fn spoiled(edge: &EdgeClient, seq: u64, keypoints: &str) -> Vec<u8> {
    let mut event = edge.event();
    event.posture_keypoints = keypoints.to_owned().into();
    edge.record(seq, &event)
}

/// One with a value that no intake takes.
fn outside(edge: &EdgeClient, seq: u64, make: impl FnOnce(&mut Event<'_>)) -> Vec<u8> {
    let mut event = edge.event();
    make(&mut event);
    edge.record(seq, &event)
}

const BEFORE_CHRIST: DateTime<Utc> = DateTime::from_timestamp(-100_000_000_000, 0).expect("in range");

fn corrupt(mut record: Vec<u8>) -> Vec<u8> {
    let middle = record.len() / 2;
    record[middle] ^= 0x10;
    record
}

/// A record of another version or kind, with a right checksum.
fn foreign(edge: &EdgeClient, seq: u64, at: usize, value: u8) -> Vec<u8> {
    let mut bytes = edge.record(seq, &edge.event());
    bytes[at] = value;
    let end = bytes.len() - 4;
    let crc = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[tokio::test]
async fn each_poison_becomes_a_dead_letter_with_its_reason_and_harms_no_neighbour() {
    let system = System::start().await;
    let edge = system.edge().await;
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(15_000), "]".repeat(15_000));
    let poison = [
        (spoiled(&edge, 10, r#"{"a":"\u0000"}"#), "the character \\u0000"),
        (spoiled(&edge, 20, r#"{"a":1e2000000}"#), "beyond 1e±308"),
        (spoiled(&edge, 30, "{\"a\":"), "22P02"),
        (spoiled(&edge, 40, &deep), "nested deeper"),
        (corrupt(edge.record(50, &edge.event())), "checksum"),
        (foreign(&edge, 60, 0, 9), "version 9"),
        (foreign(&edge, 70, 1, 9), "kind 9"),
        (
            Record { kind: Kind::Event, epoch: edge.epoch, seq: 80, accepted_ms: 0, payload: b"?" }.write(),
            "not an event",
        ),
        (
            outside(&edge, 85, |event| event.risk_score = Hundredths::from_raw(20_000)),
            "risk_score 200 is outside 0 to 100",
        ),
        (outside(&edge, 90, |event| event.confidence = Hundredths::from_raw(101)), "confidence 1.01 is outside 0 to 1"),
        (outside(&edge, 95, |event| event.event_time = BEFORE_CHRIST), "event_time is outside the years"),
        (vec![1, 2, 3], "shorter"),
        (
            Record {
                kind: Kind::Event,
                epoch: Epoch::random(),
                seq: 0,
                accepted_ms: 0,
                payload: &event_payload(&edge.event()),
            }
            .write(),
            "seq 0",
        ),
    ];
    let mut records = edge.records(1..=100);
    for (record, _) in &poison[..11] {
        // In the place of the record with its seq.
        let seq = usize::try_from(u64::from_le_bytes(record[18..26].try_into().expect("8 bytes"))).expect("small");
        records[seq - 1] = record.clone();
    }
    records.extend(poison[11..].iter().map(|(record, _)| record.clone()));
    let batch = Batch::of(&records);
    let receipt = edge.deliver(&batch).await;
    assert_eq!((receipt.committed, receipt.duplicates), (89, 0));
    let indexes: Vec<u32> = receipt.dead_letters.iter().map(|d| d.index).collect();
    assert_eq!(indexes, [9, 19, 29, 39, 49, 59, 69, 79, 84, 89, 94, 100, 101]);
    for (note, (_, reason)) in receipt.dead_letters.iter().zip(&poison) {
        assert!(note.reason.contains(reason), "{:?} does not say {reason:?}", note.reason);
    }
    assert_eq!(system.rows().await, 89);
    let account = system.account(&edge).await;
    assert_eq!((&account["received"], &account["stored"], &account["dead"]), (&100.into(), &89.into(), &11.into()));
    assert_eq!(account["duplicates"], 0);
    system.assert_consistent().await;

    // Once more: nothing new, not even dead letters.
    let again = edge.send(&Batch { batch_id: common::ids::BatchId::random(), ..batch }).await.receipt();
    assert_eq!((again.committed, again.duplicates, again.dead_letters.len()), (0, 89, 13));
    assert_eq!(system.count("SELECT count(*) FROM dead_letters").await, 13);
    assert_eq!(system.account(&edge).await["dead"], 11);
    system.assert_consistent().await;
}

#[tokio::test]
async fn the_raw_bytes_of_a_dead_letter_are_kept() {
    let system = System::start().await;
    let edge = system.edge().await;
    let record = spoiled(&edge, 1, r#"{"a":"\u0000"}"#);
    edge.deliver(&Batch::of(std::slice::from_ref(&record))).await;
    let raw: Vec<u8> =
        sqlx::query_scalar("SELECT raw FROM dead_letters").fetch_one(&system.pool).await.expect("one letter");
    assert_eq!(raw, record);
}

#[tokio::test]
async fn a_frame_that_cannot_be_opened_is_one_dead_letter_that_stands_for_all_its_records() {
    let system = System::start().await;
    let edge = system.edge().await;
    let whole = pack_frame(&edge.records(1..=5)).expect("memory");
    let cut = whole[..whole.len() - 7].to_vec();
    let not_an_array = zstd::bulk::compress(b"\x81\x01\x02", 1).expect("memory");
    for (body, records) in [(cut.clone(), 5), (not_an_array, 2), (b"plain nonsense".to_vec(), 3)] {
        let receipt = edge.send(&Batch::raw(body, records)).await.receipt();
        assert_eq!((receipt.committed, receipt.duplicates, receipt.dead_letters.len()), (0, 0, records));
    }
    let raw: Vec<u8> = sqlx::query_scalar("SELECT raw FROM dead_letters WHERE kind = 'frame' ORDER BY id LIMIT 1")
        .fetch_one(&system.pool)
        .await
        .expect("a letter");
    assert_eq!(raw, cut);
    assert_eq!(system.count("SELECT count(*) FROM dead_letters WHERE kind = 'frame' AND seq IS NULL").await, 3);
    // Whoever comes next is not held up.
    assert_eq!(edge.send(&Batch::of(&edge.records(1..=5))).await.receipt().committed, 5);
}
