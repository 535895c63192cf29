//! Heartbeats: who may send them, and what they change.

use common::ids::{EdgeId, Epoch, WarehouseId};
use common::protocol::{EpochReport, HeartbeatAnswer};
use reqwest::StatusCode;
use uuid::Uuid;

use crate::client::{EdgeClient, System};

#[tokio::test]
async fn a_heartbeat_counts_only_for_the_edge_whose_token_it_carries() {
    let system = System::start().await;
    let edge = system.edge().await;
    let mut heartbeat = edge.heartbeat(0, &[]);
    heartbeat.edge_id = EdgeId::from_uuid(Uuid::new_v4());
    let (status, problem) = edge.beat(&heartbeat).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::FORBIDDEN, Some("wrong_edge")));
    let mut heartbeat = edge.heartbeat(0, &[]);
    heartbeat.warehouse_id = WarehouseId::from_uuid(Uuid::new_v4());
    assert_eq!(edge.beat(&heartbeat).await.0, StatusCode::FORBIDDEN);
    let stranger = EdgeClient { token: "spe_no".to_owned(), ..edge.clone() };
    assert_eq!(stranger.beat(&edge.heartbeat(0, &[])).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(system.count("SELECT count(*) FROM edges WHERE heartbeat IS NOT NULL").await, 0);
    assert_eq!(edge.beat(&edge.heartbeat(0, &[])).await.0, StatusCode::OK);
    assert_eq!(system.count("SELECT count(*) FROM edges WHERE heartbeat IS NOT NULL").await, 1);
}

#[tokio::test]
async fn epochs_that_are_over_and_drained_are_settled() {
    let system = System::start().await;
    let edge = system.edge().await;
    let (drained, draining) = (Epoch::random(), Epoch::random());
    let mut heartbeat = edge.heartbeat(5, &[(1, 5)]);
    heartbeat.epochs.push(EpochReport { epoch: drained, head: 9, current: false, buffered: vec![], quarters: vec![] });
    heartbeat.epochs.push(EpochReport {
        epoch: draining,
        head: 9,
        current: false,
        buffered: vec![(8, 9)],
        quarters: vec![],
    });
    let (status, answer) = edge.beat(&heartbeat).await;
    assert_eq!(status, StatusCode::OK);
    let answer: HeartbeatAnswer = serde_json::from_value(answer).expect("an answer");
    assert_eq!(answer.settled, [drained]);
    assert!((common::clock::now() - answer.server_time).num_seconds() < 60);
    // Not mentioned any more: still known, and its losses still count.
    heartbeat.epochs.remove(1);
    edge.beat(&heartbeat).await;
    let (_, ledger) = system.get(&format!("/api/v1/ledger?edge_id={}", edge.edge_id)).await;
    assert_eq!(ledger["epochs"].as_array().map(Vec::len), Some(3));
    assert_eq!(ledger["totals"]["missing"], 9 + 7);
}

#[tokio::test]
async fn a_heartbeat_that_is_not_one_is_refused_with_a_reason() {
    let system = System::start().await;
    let edge = system.edge().await;
    let url = format!("{}/api/v1/heartbeats", system.url);
    let answer = system.http.post(url).bearer_auth(&edge.token).json(&serde_json::json!({ "edge_id": 7 })).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let problem: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(problem["code"], "heartbeat_invalid");
    assert!(problem["message"].as_str().expect("text").contains("edge_id"), "{problem}");
}
