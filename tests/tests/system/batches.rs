//! What edges may send: the same batch again and again, and batches that no edge of ours would make.

use std::borrow::Cow;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use common::event::{Event, Hundredths};
use common::ids::BatchId;
use common::protocol::{Receipt, pack_frame};
use common::record::event_payload;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tests::central::Account;
use tests::events::simulated;
use tests::sender::{Sender, event};
use tests::stack::{Options, Stack};
use uuid::Uuid;

use crate::options;

async fn no_edges() -> anyhow::Result<Stack> {
    Stack::start(Options { edges: 0, ..options() }).await
}

async fn rows(sender: &Sender, stack: &Stack) -> anyhow::Result<i64> {
    let mut connection = PgConnection::connect(&stack.database_url).await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ergonomic_snapshots WHERE edge_id = $1")
        .bind(sender.edge_id)
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(rows)
}

async fn account(sender: &Sender, stack: &Stack) -> anyhow::Result<Account> {
    let accounts = stack.centrals[0].ledger().await?;
    accounts.into_iter().find(|account| account.edge_id == sender.edge_id).context("no account")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_five_times_and_shuffled_is_stored_once() -> anyhow::Result<()> {
    let stack = no_edges().await?;
    stack
        .explain(async {
            let sender = Sender::new(&stack, Uuid::new_v4()).await?;
            let records = sender.records(500, 1);
            let mut rng = StdRng::seed_from_u64(5);
            // At once under one batch id, as an impatient edge does; then one after the other under new ones, in
            // another order, as a restarted edge may.
            let batch = BatchId::random();
            for receipt in join_all((0..5).map(|_| sender.send(batch, &records))).await {
                ensure!(receipt?.dead_letters.is_empty());
            }
            for _ in 0..5 {
                let mut shuffled = records.clone();
                shuffled.shuffle(&mut rng);
                let receipt = sender.send(BatchId::random(), &shuffled).await?;
                ensure!(receipt.committed == 0 && receipt.duplicates == 500, "{receipt:?}");
            }
            ensure!(rows(&sender, &stack).await? == 500);
            let account = account(&sender, &stack).await?;
            ensure!(
                (account.received, account.stored, account.dead, account.duplicates) == (500, 500, 0, 0),
                "{account:?}"
            );
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_batches_of_two_senders_are_stored_once() -> anyhow::Result<()> {
    let stack = no_edges().await?;
    stack
        .explain(async {
            let sender = Sender::new(&stack, Uuid::new_v4()).await?;
            let records = sender.records(1_000, 2);
            // Windows that overlap by half, all at once: transactions meet on the same keys.
            let sends = records.windows(200).step_by(100).map(|window| sender.send(BatchId::random(), window));
            let mut committed = 0;
            for receipt in join_all(sends).await {
                let receipt = receipt?;
                ensure!(receipt.dead_letters.is_empty(), "{receipt:?}");
                committed += receipt.committed;
            }
            ensure!(committed == 1_000, "{committed} were told as committed");
            ensure!(rows(&sender, &stack).await? == 1_000);
            Ok(())
        })
        .await
}

/// Replaces the number `from` in a payload, keeping its length.
fn patch_time(payload: &mut [u8], from: DateTime<Utc>, to_micros: i64) {
    let from = from.timestamp_micros().to_be_bytes();
    let at = payload.windows(8).position(|window| window == from).expect("the time is in the payload");
    payload[at..at + 8].copy_from_slice(&to_micros.to_be_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_stored_are_dead_letters_and_their_neighbours_rows() -> anyhow::Result<()> {
    let stack = no_edges().await?;
    stack.explain(dead_letters(&stack)).await
}

async fn dead_letters(stack: &Stack) -> anyhow::Result<()> {
    let sender = Sender::new(stack, Uuid::new_v4()).await?;
    let mut records = sender.records(50, 3);
    let snapshots = simulated(sender.warehouse_id, 6, 4);
    let poisoned = |index: usize, spoil: &dyn Fn(&mut Event<'_>)| {
        let mut event = event(&snapshots[index]);
        spoil(&mut event);
        event_payload(&event)
    };
    // The checksum is right: only Postgres can find these.
    let nul = poisoned(0, &|event| event.camera_id = Cow::Borrowed("cam\0era"));
    let nul_in_json = poisoned(1, &|event| event.posture_keypoints = Cow::Borrowed(r#"{"a": "\u0000"}"#));
    let no_json = poisoned(2, &|event| event.posture_keypoints = Cow::Borrowed("{\"a\": "));
    let long = poisoned(3, &|event| event.camera_id = Cow::Owned("c".repeat(256)));
    let confidence = poisoned(4, &|event| event.confidence = Hundredths::from_raw(u16::MAX));
    // Far beyond the years that dates can hold.
    let mut year = poisoned(5, &|_| {});
    patch_time(&mut year, snapshots[5].event_time, 9_200_000_000_000_000_000);
    let poisons = [nul, nul_in_json, no_json, long, confidence, year];
    for (n, payload) in poisons.iter().enumerate() {
        records[n * 7 + 1] = sender.record((n * 7 + 2) as u64, payload);
    }
    // A bit that flipped after the checksum was made, and a record cut off.
    records[45][60] ^= 4;
    records[47].truncate(40);
    let receipt = sender.send(BatchId::random(), &records).await?;
    let mut dead: Vec<u32> = receipt.dead_letters.iter().map(|letter| letter.index).collect();
    dead.sort_unstable();
    ensure!(dead == [1, 8, 15, 22, 29, 36, 45, 47], "{receipt:?}");
    ensure!(receipt.dead_letters.iter().all(|letter| !letter.reason.is_empty()), "{receipt:?}");
    ensure!(receipt.committed == 42 && rows(&sender, stack).await? == 42, "{receipt:?}");
    let page: serde_json::Value = stack.centrals[0].get("/api/v1/dead-letters").await?;
    let listed = page.as_object().and_then(|page| page.values().find_map(|value| value.as_array())).map(Vec::len);
    ensure!(listed == Some(8), "{page}");
    // Sent again, they are known.
    let again = sender.send(BatchId::random(), &records).await?;
    ensure!(again.committed == 0, "{again:?}");
    let page: serde_json::Value = stack.centrals[0].get("/api/v1/dead-letters").await?;
    let listed = page.as_object().and_then(|page| page.values().find_map(|value| value.as_array())).map(Vec::len);
    ensure!(listed == Some(8), "sent twice, listed twice: {page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn mangled_frames_are_refused_or_kept_and_harm_nothing() -> anyhow::Result<()> {
    let stack = no_edges().await?;
    stack
        .explain(async {
            let sender = Sender::new(&stack, Uuid::new_v4()).await?;
            let records = sender.records(20, 6);
            let frame = pack_frame(&records)?;
            // Damaged on the way: the checksum in the header tells, and the edge may send it again.
            let mut flipped = frame.clone();
            flipped[frame.len() / 2] ^= 1;
            let (status, text) = sender.post(BatchId::random(), 20, crc32c::crc32c(&frame), flipped).await?;
            ensure!(status == 400 && text.contains("checksum"), "{status}: {text}");
            // Damaged before: it will never be whole, so it is kept as dead letters, and the edge is let go on. What
            // can be read of it is read.
            let mut all_mangled = vec![frame[..frame.len() / 2].to_vec(), b"not zstd at all".to_vec()];
            let mut rng = StdRng::seed_from_u64(8);
            for _ in 0..20 {
                let mut flipped = frame.clone();
                // Behind zstd's head, which says how much there is.
                flipped[rng.random_range(16..frame.len())] ^= 1 << rng.random_range(0..8);
                all_mangled.push(flipped);
            }
            for mangled in all_mangled {
                let crc = crc32c::crc32c(&mangled);
                let (status, text) = sender.post(BatchId::random(), 20, crc, mangled).await?;
                ensure!(status == 200, "{status}: {text}");
                let receipt: Receipt = serde_json::from_str(&text)?;
                ensure!(!receipt.dead_letters.is_empty(), "{receipt:?}");
            }
            let receipt = sender.send(BatchId::random(), &records).await?;
            ensure!(receipt.dead_letters.is_empty() && rows(&sender, &stack).await? == 20, "{receipt:?}");
            // A damaged record's place must not be believed: seqs that never were would be missing for ever.
            let account = account(&sender, &stack).await?;
            ensure!((account.head, account.received, account.stored) == (20, 20, 20), "{account:?}");
            Ok(())
        })
        .await
}
