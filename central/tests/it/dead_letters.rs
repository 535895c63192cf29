//! Dead letters are looked at, tried again, discarded.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Batch, EdgeClient, System};

/// Makes a dead letter that this version could store: one whose reason has gone away since.
pub async fn curable(system: &System, edge: &EdgeClient, seq: u64) -> i64 {
    crate::servers::execute(
        &system.pool,
        "ALTER TABLE ergonomic_snapshots ADD CONSTRAINT strict CHECK (camera_id <> 'cam-07')",
    )
    .await;
    let receipt = edge.deliver(&Batch::of(&[edge.record(seq, &edge.event())])).await;
    assert_eq!(receipt.dead_letters.len(), 1);
    assert!(receipt.dead_letters[0].reason.contains("23514"), "{}", receipt.dead_letters[0].reason);
    crate::servers::execute(&system.pool, "ALTER TABLE ergonomic_snapshots DROP CONSTRAINT strict").await;
    system.count("SELECT max(id) FROM dead_letters").await
}

fn numbers(account: &Value) -> [i64; 4] {
    ["received", "stored", "dead", "duplicates"].map(|name| account[name].as_i64().expect("a number"))
}

#[tokio::test]
async fn a_replayed_letter_becomes_a_row_and_the_ledger_says_so() {
    let system = System::start().await;
    let edge = system.edge().await;
    let id = curable(&system, &edge, 1).await;
    assert_eq!(numbers(&system.account(&edge).await), [1, 0, 1, 0]);
    let (status, answer) = system.post(&format!("/api/v1/dead-letters/{id}/replay"), &Value::Null).await;
    assert_eq!((status, &answer["state"], &answer["stored"]), (StatusCode::OK, &"replayed".into(), &1.into()));
    assert_eq!(system.rows().await, 1);
    assert_eq!(numbers(&system.account(&edge).await), [1, 1, 0, 0]);
    system.assert_consistent().await;
    assert_eq!(system.count("SELECT count(*) FROM audit_log WHERE actor = 'test' AND action = 'replayed'").await, 1);

    let (status, answer) = system.post(&format!("/api/v1/dead-letters/{id}/replay"), &Value::Null).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("not_open")));
}

#[tokio::test]
async fn two_people_replaying_at_once_store_it_once() {
    let system = System::start().await;
    let edge = system.edge().await;
    let id = curable(&system, &edge, 1).await;
    let path = format!("/api/v1/dead-letters/{id}/replay");
    let (a, b) = tokio::join!(system.post(&path, &Value::Null), system.post(&path, &Value::Null));
    let mut statuses = [a.0.as_u16(), b.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(numbers(&system.account(&edge).await), [1, 1, 0, 0]);
    system.assert_consistent().await;
}

#[tokio::test]
async fn a_letter_that_still_cannot_be_stored_stays_open() {
    let system = System::start().await;
    let edge = system.edge().await;
    let mut event = edge.event();
    event.posture_keypoints = r#"{"a":"\u0000"}"#.into();
    edge.deliver(&Batch::of(&[edge.record(1, &event), vec![9; 40]])).await;
    let ids: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM dead_letters").fetch_all(&system.pool).await.expect("letters");
    assert_eq!(ids.len(), 2);
    for id in ids {
        let (status, answer) = system.post(&format!("/api/v1/dead-letters/{id}/replay"), &Value::Null).await;
        assert_eq!((status, answer["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("still_refused")));
    }
    assert_eq!(system.count("SELECT count(*) FROM dead_letters WHERE state = 'open'").await, 2);
    assert_eq!(numbers(&system.account(&edge).await), [1, 0, 1, 0]);
    system.assert_consistent().await;
}

#[tokio::test]
async fn a_letter_is_discarded_with_a_reason() {
    let system = System::start().await;
    let edge = system.edge().await;
    let id = curable(&system, &edge, 1).await;
    let path = format!("/api/v1/dead-letters/{id}/discard");
    assert_eq!(system.post(&path, &json!({})).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(system.post(&path, &json!({ "reason": " " })).await.0, StatusCode::BAD_REQUEST);
    let (status, problem) = system.post(&path, &json!({ "reason": "a test\u{200b} camera" })).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &"reason_missing".into()), "{problem}");
    let (status, answer) = system.post(&path, &json!({ "reason": "a test camera" })).await;
    assert_eq!((status, &answer["state"]), (StatusCode::OK, &"discarded".into()));
    assert_eq!(system.post(&path, &json!({ "reason": "again" })).await.0, StatusCode::CONFLICT);
    assert_eq!(
        system.post("/api/v1/dead-letters/999999/discard", &json!({ "reason": "x" })).await.0,
        StatusCode::NOT_FOUND
    );
    let why: String = sqlx::query_scalar("SELECT detail FROM audit_log WHERE action = 'discarded'")
        .fetch_one(&system.pool)
        .await
        .expect("one line");
    assert_eq!(why, "a test camera");
    assert_eq!(numbers(&system.account(&edge).await), [1, 0, 1, 0], "it was received and is dead");
    system.assert_consistent().await;
}

#[tokio::test]
async fn letters_are_listed_page_by_page_and_shown_with_their_bytes() {
    let system = System::start().await;
    let edge = system.edge().await;
    let records: Vec<Vec<u8>> = (0..5u8).map(|i| vec![i; 40]).collect();
    edge.deliver(&Batch::of(&records)).await;
    let (status, first) = system.get("/api/v1/dead-letters?state=open&limit=3").await;
    assert_eq!((status, first["dead_letters"].as_array().map(Vec::len)), (StatusCode::OK, Some(3)));
    let (_, rest) = system.get(&format!("/api/v1/dead-letters?limit=3&cursor={}", first["next"])).await;
    assert_eq!((rest["dead_letters"].as_array().map(Vec::len), &rest["next"]), (Some(2), &Value::Null));
    let letter = &rest["dead_letters"][1];
    assert_eq!((&letter["kind"], &letter["raw_bytes"]), (&"record".into(), &40.into()));
    assert!(letter.get("raw_hex").is_none());
    let (status, shown) = system.get(&format!("/api/v1/dead-letters/{}?reason=looking", letter["id"])).await;
    let hex = shown["raw_hex"].as_str().expect("bytes");
    assert_eq!((status, hex), (StatusCode::OK, hex[..2].repeat(40).as_str()));
    assert_eq!(system.get("/api/v1/dead-letters?state=lost").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(system.get("/api/v1/dead-letters/0").await.0, StatusCode::NOT_FOUND);
    assert_eq!(system.get("/api/v1/dead-letters/first").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_whole_frame_can_be_replayed_once_it_can_be_opened() {
    let system = System::start().await;
    let edge = system.edge().await;
    let body = common::protocol::pack_frame(&edge.records(1..=3)).expect("memory");
    // As an earlier version would have left it that could not read this frame.
    sqlx::query(
        "INSERT INTO dead_letters (edge_id, warehouse_id, batch_id, kind, reason, raw, raw_sha256)
         VALUES ($1, $2, gen_random_uuid(), 'frame', 'too new', $3, sha256($3))",
    )
    .bind(edge.edge_id.uuid())
    .bind(edge.warehouse_id.uuid())
    .bind(&body)
    .execute(&system.pool)
    .await
    .expect("inserted");
    let id = system.count("SELECT max(id) FROM dead_letters").await;
    let (status, answer) = system.post(&format!("/api/v1/dead-letters/{id}/replay"), &Value::Null).await;
    assert_eq!((status, &answer["stored"]), (StatusCode::OK, &3.into()));
    assert_eq!(numbers(&system.account(&edge).await), [3, 3, 0, 0]);
    system.assert_consistent().await;
}

#[tokio::test]
async fn letters_of_one_site_are_found_among_those_of_others() {
    let system = System::start().await;
    let (a, b) = (system.edge().await, system.edge().await);
    for (edge, letters) in [(&a, 1), (&b, 3)] {
        let broken: Vec<Vec<u8>> = (0..letters).map(|n| vec![n; 40]).collect();
        edge.send(&Batch::of(&broken)).await.receipt();
    }
    let of = async |query: String| {
        let (status, page) = system.get(&format!("/api/v1/dead-letters?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let letters = page["dead_letters"].as_array().expect("letters").clone();
        (
            letters.iter().map(|one| one["warehouse_id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>(),
            page["next"].clone(),
        )
    };
    let (a, b) = (a.warehouse_id.to_string(), b.warehouse_id.to_string());
    assert_eq!(of(String::new()).await.0.len(), 4);
    assert_eq!(of(format!("warehouse_id={a}")).await, (vec![a], Value::Null));
    let (letters, next) = of(format!("warehouse_id={b}&limit=2&state=open")).await;
    assert_eq!(letters, [b.clone(), b.clone()]);
    assert_eq!(of(format!("warehouse_id={b}&limit=2&cursor={next}")).await, (vec![b], Value::Null));
    let (status, _) = system.get("/api/v1/dead-letters?warehouse_id=00000000-0000-0000-0000-000000000001").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
