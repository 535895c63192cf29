use bytes::Bytes;
use chrono::DateTime;
use common::alert::{Severity, Subject};
use common::event::Source;
use common::ids::{AlertId, ZoneId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::topics::Topics;
use super::*;
use crate::alerts::State;

fn alert(number: u128, revision: u32, state: State) -> AlertView {
    let now = clock::now();
    AlertView {
        alert_id: AlertId::from_uuid(Uuid::from_u128(number)),
        revision,
        state,
        subject: Subject::Risk,
        rule: "sustained-risk".to_owned(),
        severity: Severity::Warning,
        zone_id: None,
        zone: None,
        camera_id: None,
        camera: None,
        started_at: now,
        raised_at: now,
        ended_at: (state == State::Cleared).then_some(now),
        latest: None,
        peak: None,
        peak_at: None,
        events: 1,
        episodes: 1,
        summary: format!("alert {number}"),
        late: false,
        acknowledged: None,
        silenced: None,
    }
}

fn snapshot(camera: &str, secs: i64) -> ShiftSnapshotEvent {
    ShiftSnapshotEvent {
        event_time: DateTime::from_timestamp(secs, 0).expect("in range"),
        zone_id: ZoneId::from_uuid(Uuid::from_u128(1)),
        camera_id: camera.to_owned(),
        source: Source::Camera,
        risk_score: 50.0,
        confidence: 0.5,
    }
}

/// The snapshot that a screen which comes now gets.
fn joined(hub: &Hub, topics: &str) -> Value {
    let mut out: Vec<Bytes> = Vec::new();
    hub.join(Topics::parse(topics).expect("valid"), None, clock::now(), &mut out);
    serde_json::from_slice(&out[0]).expect("JSON")
}

#[test]
fn what_is_published_is_in_the_snapshot_and_a_change_of_its_topic() {
    let hub = hub(1);
    let mut out = Vec::new();
    let mut cursor = hub.join(Topics::ALL, None, clock::now(), &mut out);
    hub.alert(alert(1, 1, State::Raised));
    hub.snapshots(vec![snapshot("a", 5), snapshot("b", 5)]);
    hub.health(&json!({"status": "healthy"}));
    out.clear();
    hub.next(&mut cursor, clock::now(), &mut out);
    let changes: Vec<Value> = out.iter().map(|text| serde_json::from_slice(text).expect("JSON")).collect();
    let topics: Vec<&Value> = changes.iter().map(|change| &change["topic"]).collect();
    assert_eq!(topics, ["alerts", "snapshots", "health"]);
    assert_eq!(changes[0]["alert"]["state"], "raised");
    assert_eq!(changes[1]["snapshots"][1]["camera_id"], "b");
    assert_eq!(changes[2]["health"]["status"], "healthy");
    let said = joined(&hub, "alerts,health");
    assert_eq!((&said["seq"], &said["alerts"][0]["summary"]), (&json!(3), &json!("alert 1")));
    assert!(said.get("snapshots").is_none(), "{said}");
}

#[test]
fn what_is_older_than_what_is_known_is_no_change() {
    let hub = hub(1);
    hub.alert(alert(1, 3, State::Cleared));
    hub.alert(alert(1, 2, State::Raised));
    hub.snapshots(vec![snapshot("a", 9)]);
    hub.snapshots(vec![snapshot("a", 8)]);
    hub.snapshots(vec![snapshot("a", 8), snapshot("b", 1)]);
    let said = joined(&hub, "alerts,snapshots");
    assert_eq!(said["seq"], 3);
    assert_eq!(said["alerts"][0]["state"], "cleared");
    let seen = |camera: usize| said["snapshots"][camera]["event_time"].as_str().map(str::to_owned);
    assert_eq!((seen(0).as_deref(), seen(1).as_deref()), (Some("1970-01-01T00:00:09Z"), Some("1970-01-01T00:00:01Z")));
}

#[test]
fn a_snapshot_holds_a_thousand_alerts_and_the_open_before_the_cleared() {
    let hub = hub(1);
    for number in 0..600 {
        hub.alert(alert(number, 1, State::Cleared));
    }
    for number in 600..1_500 {
        hub.alert(alert(number, 1, State::Raised));
    }
    let said = joined(&hub, "alerts");
    let shown = said["alerts"].as_array().expect("a list");
    let count = |state: &str| shown.iter().filter(|alert| alert["state"] == state).count();
    assert_eq!((count("raised"), count("cleared")), (900, 100));
}

#[test]
fn what_was_over_an_hour_ago_is_shown_no_more() {
    let hub = hub(1);
    let mut old = alert(1, 1, State::Cleared);
    old.ended_at = Some(clock::now() - chrono::TimeDelta::minutes(61));
    hub.alert(old);
    hub.alert(alert(2, 1, State::Cleared));
    let said = joined(&hub, "alerts");
    assert_eq!(said["alerts"].as_array().map(Vec::len), Some(1));
    assert_eq!(said["alerts"][0]["summary"], "alert 2");
}
