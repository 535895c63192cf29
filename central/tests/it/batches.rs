//! Batches become rows, once each, whatever is sent twice.

use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use common::event::{Event, Hundredths};
use common::ids::{BatchId, WarehouseId};
use common::protocol::{BATCH_RECORDS_MAX, FRAME_BYTES_MAX, FRAME_UNPACKED_BYTES_MAX};
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use crate::client::{Batch, System};

#[tokio::test]
async fn every_field_of_an_event_arrives_as_it_was() {
    let system = System::start().await;
    let edge = system.edge().await;
    let mut event = edge.event();
    event.risk_score = Hundredths::from_raw(10_000);
    event.confidence = Hundredths::from_raw(0);
    event.camera_id = "Kamera „Süd“ 🎥".into();
    let receipt = edge.send(&Batch::of(&[edge.record(7, &event)])).await.receipt();
    assert_eq!((receipt.committed, receipt.duplicates, receipt.dead_letters.len()), (1, 0, 0));

    type Row =
        (Uuid, DateTime<Utc>, DateTime<Utc>, Uuid, Uuid, String, Option<Uuid>, String, String, String, String, String);
    let row: Row = sqlx::query_as(
        "SELECT event_id, event_time, ingest_time, warehouse_id, zone_id, camera_id, worker_id, model_version,
                risk_score::text, posture_keypoints::text, confidence::text, source FROM ergonomic_snapshots",
    )
    .fetch_one(&system.pool)
    .await
    .expect("one row");
    let expected: Row = (
        event.event_id.uuid(),
        event.event_time,
        event.ingest_time,
        event.warehouse_id.uuid(),
        event.zone_id.uuid(),
        event.camera_id.to_string(),
        event.worker_id.map(|w| w.uuid()),
        event.model_version.to_string(),
        "100.00".to_owned(),
        event.posture_keypoints.to_string(),
        "0.00".to_owned(),
        "camera".to_owned(),
    );
    assert_eq!(row, expected);
    let place: (Uuid, Uuid, i64, bool) =
        sqlx::query_as("SELECT edge_id, edge_epoch, edge_seq, clock_suspect FROM ergonomic_snapshots")
            .fetch_one(&system.pool)
            .await
            .expect("one row");
    assert_eq!(place, (edge.edge_id.uuid(), edge.epoch.uuid(), 7, false));
    system.assert_consistent().await;
}

#[tokio::test]
async fn the_same_batch_five_times_at_once_is_stored_once() {
    let system = System::start().await;
    let edge = system.edge().await;
    let records = edge.records(1..=300);
    // The same contents: as re-sends of one batch, and under other batch ids in other orders.
    let mut shuffled = records.clone();
    shuffled.reverse();
    let mut batches = vec![Batch::of(&records), Batch::of(&shuffled)];
    shuffled.rotate_left(100);
    batches.push(Batch::of(&shuffled));
    batches.extend([batches[0].clone(), batches[0].clone()]);
    let answers = futures_util::future::join_all(batches.iter().map(|batch| edge.send(batch))).await;
    for answer in answers {
        let receipt = answer.receipt();
        assert_eq!(receipt.committed + receipt.duplicates, 300);
    }
    assert_eq!(system.rows().await, 300);
    let account = system.account(&edge).await;
    assert_eq!(
        (&account["received"], &account["stored"], &account["duplicates"]),
        (&300.into(), &300.into(), &0.into())
    );
    system.assert_consistent().await;
    let metric = async |name: &str| system.metric(&format!("smartpick_central_records_{name}_total")).await;
    assert_eq!(metric("received").await, metric("stored").await + metric("duplicate").await + metric("dead").await);
    assert_eq!(metric("stored").await, 300.0);
}

#[tokio::test]
async fn an_event_that_was_accepted_twice_is_a_duplicate_in_the_ledger() {
    let system = System::start().await;
    let a = system.edge().await;
    let b = system.edge_of(a.warehouse_id).await;
    let event = a.event();
    // Twice in one batch, again in another, and by another edge of the site.
    let twice = [a.record(1, &event), a.record(2, &event)];
    let receipt = a.send(&Batch::of(&twice)).await.receipt();
    assert_eq!((receipt.committed, receipt.duplicates), (1, 1));
    let receipt = a.send(&Batch::of(&[a.record(3, &event), a.record(4, &a.event())])).await.receipt();
    assert_eq!((receipt.committed, receipt.duplicates), (1, 1));
    let receipt = b.send(&Batch::of(&[b.record(1, &event)])).await.receipt();
    assert_eq!((receipt.committed, receipt.duplicates), (0, 1));
    assert_eq!(system.rows().await, 2);
    let account = system.account(&a).await;
    assert_eq!((&account["received"], &account["stored"], &account["duplicates"]), (&4.into(), &2.into(), &2.into()));
    assert_eq!(system.account(&b).await["duplicates"], 1);
    system.assert_consistent().await;
}

#[tokio::test]
async fn many_edges_at_once_do_not_harm_each_other() {
    let system = System::start_with(|config| {
        // One frame in each transaction, and many transactions at once.
        (config.workers.min, config.workers.concurrency, config.stream.batch_size) = (4, 4, 1);
    })
    .await;
    let warehouse = system.edge().await.warehouse_id;
    let shared = system.edge_of(warehouse).await;
    // All write the same events, zones and minutes in other orders: whoever locks out of order would deadlock.
    let events: Vec<_> = (0..500).map(|_| shared.event()).collect();
    let mut sends = Vec::new();
    for round in 0..13 {
        let edge = system.edge_of(warehouse).await;
        let mut records: Vec<_> = events.iter().enumerate().map(|(i, e)| edge.record(i as u64 + 1, e)).collect();
        records.rotate_left(round * 37);
        sends.push(async move { edge.deliver(&Batch::of(&records)).await });
    }
    for receipt in futures_util::future::join_all(sends).await {
        assert_eq!(receipt.committed + receipt.duplicates, 500);
    }
    assert_eq!(system.rows().await, 500);
    assert_eq!(system.metric("smartpick_central_transactions_failed_total").await, 0.0);
    system.assert_consistent().await;
}

#[tokio::test]
async fn an_event_with_an_impossible_time_is_stored_once_under_its_ingest_time() {
    let system = System::start().await;
    let edge = system.edge().await;
    let mut event = edge.event_at(DateTime::from_timestamp(7_000_000_000_000, 0).expect("a time far away"));
    event.clock_suspect = true;
    let again = common::event::Event { ingest_time: event.ingest_time + TimeDelta::seconds(9), ..event.clone() };
    let receipt = edge.send(&Batch::of(&[edge.record(1, &event), edge.record(2, &edge.event())])).await.receipt();
    assert_eq!((receipt.committed, receipt.duplicates), (2, 0));
    // The same event, sent again by its camera later: another ingest time, the same identity.
    let receipt = edge.send(&Batch::of(&[edge.record(3, &again), edge.record(1, &event)])).await.receipt();
    assert_eq!((receipt.committed, receipt.duplicates), (0, 2));
    let stored: Vec<(DateTime<Utc>, bool)> =
        sqlx::query_as("SELECT event_time, clock_suspect FROM ergonomic_snapshots WHERE clock_suspect")
            .fetch_all(&system.pool)
            .await
            .expect("rows");
    assert_eq!(stored, [(event.ingest_time, true)]);
    let claimed: DateTime<Utc> = sqlx::query_scalar("SELECT claimed_event_time FROM clock_suspect_events")
        .fetch_one(&system.pool)
        .await
        .expect("one");
    assert_eq!(claimed, event.event_time);
    system.assert_consistent().await;
}

#[tokio::test]
async fn an_edge_speaks_for_its_own_site_only() {
    let system = System::start().await;
    let (edge, other) = (system.edge().await, system.edge().await);
    let foreign = Event { warehouse_id: other.warehouse_id, ..edge.event() };
    // Taken before the edge was of any site.
    let early = Event { warehouse_id: WarehouseId::from_uuid(Uuid::nil()), ..edge.event() };
    let own = edge.event();
    let records = [edge.record(1, &foreign), edge.record(2, &early), edge.record(3, &own)];
    let receipt = edge.send(&Batch::of(&records)).await.receipt();
    assert_eq!((receipt.committed, receipt.dead_letters.len()), (2, 1), "{receipt:?}");
    let reason = &receipt.dead_letters[0].reason;
    assert!(reason.contains(&format!("its edge is of warehouse {}", edge.warehouse_id)), "{reason}");
    let sites: Vec<Uuid> =
        sqlx::query_scalar("SELECT warehouse_id FROM ergonomic_snapshots").fetch_all(&system.pool).await.expect("rows");
    assert_eq!(sites, [edge.warehouse_id.uuid(); 2]);
    // Nor does a replay bring it there.
    let letter = system.get("/api/v1/dead-letters").await.1["dead_letters"][0]["id"].as_i64().expect("one");
    let (status, answer) = system.post(&format!("/api/v1/dead-letters/{letter}/replay"), &Value::Null).await;
    assert_eq!((status.as_u16(), answer["code"].as_str()), (422, Some("still_refused")), "{answer}");
    assert_eq!(system.account(&edge).await["dead"], 1);
    system.assert_consistent().await;
}

#[tokio::test]
async fn rollups_hold_what_the_rows_hold() {
    let system = System::start().await;
    let edge = system.edge().await;
    let minute = clock::now() - TimeDelta::minutes(5);
    let mut records = Vec::new();
    for (seq, raw) in [(1u64, 0u16), (2, 4_999), (3, 5_000), (4, 10_000)] {
        let mut event = edge.event_at(minute);
        event.risk_score = Hundredths::from_raw(raw);
        records.push(edge.record(seq, &event));
    }
    edge.send(&Batch::of(&records[..2])).await.receipt();
    edge.send(&Batch::of(&records)).await.receipt();
    let (events, sum, max, histogram): (i64, i64, i32, Vec<i32>) =
        sqlx::query_as("SELECT events, risk_sum_hundredths, risk_max_hundredths, risk_histogram FROM zone_minutes")
            .fetch_one(&system.pool)
            .await
            .expect("one minute");
    let mut expected = vec![0; 20];
    (expected[0], expected[9], expected[10], expected[19]) = (1, 1, 1, 1);
    assert_eq!((events, sum, max, histogram), (4, 19_999, 10_000, expected));
}

#[tokio::test]
async fn what_can_never_be_taken_is_refused_at_the_door() {
    let system = System::start().await;
    let edge = system.edge().await;
    let good = Batch::of(&edge.records(1..=3));
    let refused = async |batch: Batch| {
        let answer = edge.send(&batch).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        (answer.status.as_u16(), answer.code().to_owned())
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    // An edge of before, whose records this central would misread, and one of the future.
    for protocol in ["1", "3", "two"] {
        let other = Batch { protocol: protocol.to_owned(), ..good.clone() };
        assert_eq!(refused(other).await, is(400, "protocol_unsupported"), "{protocol}");
    }
    assert_eq!(
        refused(Batch { checksum: Some("00000000".to_owned()), ..good.clone() }).await,
        is(400, "checksum_mismatch")
    );
    assert_eq!(refused(Batch { checksum: Some("so".to_owned()), ..good.clone() }).await, is(400, "header_invalid"));
    assert_eq!(refused(Batch { records: BATCH_RECORDS_MAX + 1, ..good.clone() }).await, is(400, "header_invalid"));
    assert_eq!(refused(Batch::raw(vec![7; FRAME_BYTES_MAX + 1], 1)).await, is(413, "too_large"));
    let bomb = zstd::bulk::compress(&vec![0; FRAME_UNPACKED_BYTES_MAX + 1], 1).expect("memory");
    assert_eq!(refused(Batch::raw(bomb, 1)).await, is(413, "too_large"));

    let stranger = crate::client::EdgeClient { token: "spe_0000".to_owned(), ..edge.clone() };
    let answer = stranger.send(&good).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "unauthorized"));
    // An API token is no edge's.
    let tool = crate::client::EdgeClient { token: system.token.clone(), ..edge.clone() };
    assert_eq!(tool.send(&good).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(system.rows().await, 0);
    edge.send(&good).await.receipt();
}

#[tokio::test]
async fn a_batch_id_belongs_to_its_edge() {
    let system = System::start().await;
    let (a, b) = (system.edge().await, system.edge().await);
    let batch_id = BatchId::random();
    let first = Batch { batch_id, ..Batch::of(&a.records(1..=2)) };
    let second = Batch { batch_id, ..Batch::of(&b.records(1..=3)) };
    let (first, second) = tokio::join!(a.send(&first), b.send(&second));
    assert_eq!((first.receipt().committed, second.receipt().committed), (2, 3));
}

#[tokio::test]
async fn a_revoked_edge_is_shut_out() {
    let system = System::start().await;
    let edge = system.edge().await;
    let db = central::store::Db::open(&system.config.database).expect("a URL");
    assert!(
        central::store::tokens::revoke_edge(&db, "test", edge.edge_id, common::clock::now()).await.expect("revoked")
    );
    let answer = edge.send(&Batch::of(&edge.records(1..=1))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(
        !central::store::tokens::revoke_edge(&db, "test", edge.edge_id, common::clock::now()).await.expect("asked"),
        "only once"
    );
}
