//! What the site does not want to know of its workers is nowhere on its box.

use std::path::Path;

use chrono::TimeDelta;
use common::clock;
use edge::alerts::rules::ScopeKind;
use edge::intake::WorkerIdentity;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::alerts::{Floor, LIFT, Lift};

/// In how many files below a directory an id is, as text or as its bytes.
fn files_with(dir: &Path, id: Uuid) -> usize {
    let text = id.to_string();
    let says = |bytes: &[u8]| {
        bytes.windows(16).any(|window| window == id.as_bytes())
            || bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
    };
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| {
            if path.is_dir() { files_with(&path, id) } else { usize::from(says(&std::fs::read(&path).expect("bytes"))) }
        })
        .sum()
}

/// What an edge that was told so keeps of somebody who lifts until there is an alert: in how many files the id is, and
/// the worker of the alert.
async fn kept(choice: WorkerIdentity, worker: Uuid) -> (usize, Value) {
    let dir = tempfile::tempdir().expect("a directory");
    let change = |config: &mut edge::config::Config| {
        config.privacy.worker_identity = choice;
        config.alerts.rules[0].scope = ScopeKind::Person;
    };
    let floor = Floor::start(dir.path(), change).await;
    let api = floor.api();
    let events = Lift { worker: Some(worker), ..LIFT }.events(clock::now() - TimeDelta::seconds(10), 5.0, 80.0);
    api.send(&events).await;
    let alerts = api.until("", |alerts| alerts.len() == 1).await;
    // The same once more is the same, whatever became of its worker.
    let (_, said) = api.post("/ingestion/ergonomics", &json!(events)).await;
    assert_eq!((&said["duplicates"], &said["rejected"]), (&json!(events.len()), &json!(0)), "{said}");
    floor.stop().await;
    (files_with(dir.path(), worker), alerts[0]["worker_id"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_or_hidden_worker_is_nowhere_in_the_data_directory() {
    let worker = Uuid::new_v4();
    let (files, shown) = kept(WorkerIdentity::Pass, worker).await;
    assert!(files > 0, "else this test could not fail");
    assert!(shown.is_null() || shown == json!(worker), "{shown}");
    let (files, shown) = kept(WorkerIdentity::Pseudonym, worker).await;
    assert_eq!(files, 0);
    assert!(shown.is_null() || shown != json!(worker), "{shown}");
    assert_eq!(kept(WorkerIdentity::Drop, worker).await, (0, Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_stops_the_start_and_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let pseudonym = |config: &mut edge::config::Config| config.privacy.worker_identity = WorkerIdentity::Pseudonym;
    Floor::start(dir.path(), pseudonym).await.stop().await;
    let key = dir.path().join("data/worker.key");
    let mut bytes = std::fs::read(&key).expect("is there");
    bytes[0] ^= 1;
    std::fs::write(&key, bytes).expect("writes");
    let mut config = edge::config::Config { listen: ([127, 0, 0, 1], 0).into(), ..Default::default() };
    config.data_dir = dir.path().join("data").display().to_string();
    pseudonym(&mut config);
    let error = edge::edge::start(config).await.map(drop).expect_err("must not start").to_string();
    assert!(error.contains("worker.key") && error.contains("move it aside"), "{error}");
}
