//! The consolidated stream: groups, claims, lag, trimming.

use std::time::Duration;

use central::frame::Frame;
use central::stream::{Reader, Stream};
use common::ids::BatchId;
use uuid::Uuid;

use crate::client::{EdgeClient, System};
use crate::servers::eventually;

fn open(system: &System) -> Stream {
    Stream::open(&system.config.redis, &system.config.stream).expect("a URL")
}

fn frame(edge: &EdgeClient, seqs: std::ops::RangeInclusive<u64>) -> Frame {
    let records = edge.records(seqs);
    let body = common::protocol::pack_frame(&records).expect("memory");
    Frame {
        batch_id: BatchId::random(),
        edge_id: edge.edge_id,
        warehouse_id: edge.warehouse_id,
        reply_to: Uuid::nil(),
        records: records.len() as u32,
        crc32c: crc32c::crc32c(&body),
        body: body.into(),
    }
}

async fn append(stream: &Stream, frame: &Frame) -> String {
    stream.append(stream.partition(frame.warehouse_id), frame).await.expect("appended")
}

async fn lag(stream: &Stream) -> (u64, u64) {
    let samples = stream.sample().await.expect("a sample");
    (samples.iter().map(|s| s.unacknowledged).sum(), samples.iter().map(|s| s.pending).sum())
}

#[tokio::test]
async fn frames_that_a_dead_worker_held_are_claimed_and_stored() {
    let mut system = System::without_central(|config| config.stream.claim_idle_ms = 1_000).await;
    let edge = system.edge().await;
    let stream = open(&system);
    stream.make_groups().await.expect("groups");
    append(&stream, &frame(&edge, 1..=50)).await;
    append(&stream, &frame(&edge, 51..=60)).await;
    let mut dead = Reader::new("dead-1-0".to_owned());
    assert_eq!(dead.read(&stream).await.expect("frames").len(), 2);
    assert_eq!(lag(&stream).await, (2, 2));
    drop(dead);
    system.start_central().await;
    eventually("the rows are there", async || (system.rows().await == 60).then_some(())).await;
    eventually("the frames are acknowledged", async || (lag(&stream).await == (0, 0)).then_some(())).await;
    assert_eq!(system.account(&edge).await["stored"], 60);
}

#[tokio::test]
async fn what_a_dead_worker_holds_does_not_make_the_next_central_refuse_batches() {
    let mut system = System::without_central(|config| config.stream.claim_idle_ms = 600_000).await;
    let mut edge = system.edge().await;
    let stream = open(&system);
    stream.make_groups().await.expect("groups");
    let mut dead = Reader::new("dead-1-0".to_owned());
    for seq in 1..=20 {
        append(&stream, &frame(&edge, seq..=seq)).await;
    }
    while lag(&stream).await.1 < 20 {
        assert!(!dead.read(&stream).await.expect("frames").is_empty());
        // The next read takes new ones, not these again.
        dead = Reader::new(format!("{}0", dead.consumer()));
    }
    eventually("they are old", async || {
        let samples = stream.sample().await.expect("a sample");
        samples.iter().filter_map(|s| s.oldest_age_ms).max().filter(|age| *age > 1_500)
    })
    .await;
    system.start_central().await;
    edge.url.clone_from(&system.url);
    let receipt = edge.send(&crate::client::Batch::of(&edge.records(21..=30))).await.receipt();
    assert_eq!(receipt.committed, 10);
    // The receipt comes before the acknowledgement.
    eventually("only the dead one's wait", async || (lag(&stream).await == (20, 20)).then_some(())).await;
}

#[tokio::test]
async fn a_worker_that_died_between_commit_and_acknowledgement_changes_nothing() {
    let mut system = System::without_central(|config| config.stream.claim_idle_ms = 1_000).await;
    let mut edge = system.edge().await;
    let frame = frame(&edge, 1..=50);
    // What it committed before it died, by way of another central.
    system.start_central().await;
    edge.url.clone_from(&system.url);
    let batch = crate::client::Batch { batch_id: frame.batch_id, ..crate::client::Batch::raw(frame.body.to_vec(), 50) };
    assert_eq!(edge.deliver(&batch).await.committed, 50);
    // Its frame, still pending.
    let stream = open(&system);
    system.central.take().expect("running").stop().await.expect("stopped");
    append(&stream, &frame).await;
    let mut dead = Reader::new("dead-1-0".to_owned());
    assert_eq!(dead.read(&stream).await.expect("frames").len(), 1);
    drop(dead);
    system.start_central().await;
    eventually("the frame is acknowledged", async || (lag(&stream).await == (0, 0)).then_some(())).await;
    assert_eq!(system.rows().await, 50);
    let account = system.account(&edge).await;
    assert_eq!((&account["stored"], &account["duplicates"]), (&50.into(), &0.into()));
    system.assert_consistent().await;
}

#[tokio::test]
async fn the_lag_is_right_after_trimming_and_claims() {
    let system = System::without_central(|_| {}).await;
    let edge = system.edge().await;
    let stream = open(&system);
    stream.make_groups().await.expect("groups");
    for seq in 1..=10 {
        append(&stream, &frame(&edge, seq..=seq)).await;
    }
    assert_eq!(lag(&stream).await, (10, 0));
    let mut reader = Reader::new("w".to_owned());
    let mut read = reader.read(&stream).await.expect("frames");
    assert_eq!((read.len(), lag(&stream).await), (8, (10, 8)));
    let partition = read[0].partition;
    let unfinished = read.split_off(5);
    let ids: Vec<String> = read.into_iter().map(|d| d.id).collect();
    stream.acknowledge(partition, &ids).await.expect("acknowledged");
    stream.acknowledge(partition, &ids).await.expect("twice is once");
    assert_eq!(lag(&stream).await, (5, 3));
    // Trimming takes only what is acknowledged, and the lag does not change.
    let mut trimmed = 0;
    eventually("they are older than no time at all", async || {
        let samples = stream.sample().await.expect("a sample");
        trimmed += stream.trim(&samples, Duration::ZERO).await.expect("trimmed");
        (trimmed >= 5).then_some(())
    })
    .await;
    assert_eq!(trimmed, 5);
    assert_eq!(lag(&stream).await, (5, 3));
    // What the reader did not finish comes first when it looks again.
    reader.recheck_pending();
    let again = reader.read(&stream).await.expect("frames");
    assert_eq!(again.iter().map(|d| &d.id).collect::<Vec<_>>(), unfinished.iter().map(|d| &d.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn nothing_that_another_group_has_not_read_is_trimmed() {
    let system = System::start_with(|config| config.stream.retain_seconds = 0).await;
    let edge = system.edge().await;
    let stream = open(&system);
    let partition = stream.partition(edge.warehouse_id);
    let key = format!("ergonomics:events:{{{partition}}}");
    let _: () = system.redis.command(&["XGROUP", "CREATE", &key, "lake", "0", "MKSTREAM"]).await;
    edge.deliver(&crate::client::Batch::of(&edge.records(1..=3))).await;
    eventually("central has acknowledged", async || (lag(&stream).await == (0, 0)).then_some(())).await;
    let samples = stream.sample().await.expect("a sample");
    assert_eq!(stream.trim(&samples, Duration::ZERO).await.expect("trimmed"), 0);
    let read: redis::Value =
        system.redis.command(&["XREADGROUP", "GROUP", "lake", "l", "NOACK", "STREAMS", &key, ">"]).await;
    assert!(!matches!(read, redis::Value::Nil), "the other group gets it");
    eventually("the frame is trimmed", async || {
        let length: u64 = system.redis.command(&["XLEN", &key]).await;
        (length == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn deleted_entries_and_foreign_ones_do_not_hold_up_the_rest() {
    let mut system = System::without_central(|config| config.stream.claim_idle_ms = 1_000).await;
    let mut edge = system.edge().await;
    let stream = open(&system);
    stream.make_groups().await.expect("groups");
    let partition = stream.partition(edge.warehouse_id);
    let key = format!("ergonomics:events:{{{partition}}}");
    let deleted = append(&stream, &frame(&edge, 1..=1)).await;
    let mut dead = Reader::new("dead".to_owned());
    assert_eq!(dead.read(&stream).await.expect("frames").len(), 1);
    let _: u64 = system.redis.command(&["XDEL", &key, &deleted]).await;
    let _: String = system.redis.command(&["XADD", &key, "*", "hello", "world"]).await;
    system.start_central().await;
    edge.url.clone_from(&system.url);
    assert_eq!(edge.deliver(&crate::client::Batch::of(&edge.records(2..=4))).await.committed, 3);
    eventually("nothing waits", async || (lag(&stream).await == (0, 0)).then_some(())).await;
}

#[tokio::test]
async fn a_frame_that_changed_in_redis_is_not_believed_and_sent_again() {
    let mut system = System::without_central(|_| {}).await;
    let edge = system.edge().await;
    let stream = open(&system);
    stream.make_groups().await.expect("groups");
    let mut damaged = frame(&edge, 1..=5);
    damaged.crc32c ^= 1;
    append(&stream, &damaged).await;
    system.start_central().await;
    eventually("it is out of the way", async || (lag(&stream).await == (0, 0)).then_some(())).await;
    assert_eq!(system.rows().await, 0);
    assert_eq!(system.count("SELECT count(*) FROM dead_letters").await, 0, "the edge has the whole one");
    assert_eq!(system.metric("smartpick_central_frames_lost_total").await, 1.0);
}
