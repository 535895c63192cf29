use common::alert::{Severity, Subject};
use common::event::Source;
use common::ids::{AlertId, ZoneId};
use serde_json::{Value, json};

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

fn read(out: &mut Vec<Bytes>) -> Vec<Value> {
    std::mem::take(out).iter().map(|text| serde_json::from_slice(text).expect("JSON")).collect()
}

fn join(hub: &Hub, topics: &str, resume: Option<(Uuid, u64)>) -> (Cursor, Vec<Value>) {
    let mut out = Vec::new();
    let cursor = hub.join(Topics::parse(topics).expect("valid"), resume, clock::now(), &mut out);
    let said = read(&mut out);
    (cursor, said)
}

fn next(hub: &Hub, cursor: &mut Cursor) -> Vec<Value> {
    let (mut all, mut out) = (Vec::new(), Vec::new());
    loop {
        hub.next(cursor, clock::now(), &mut out);
        if out.is_empty() {
            return all;
        }
        all.append(&mut read(&mut out));
    }
}

fn seqs(messages: &[Value]) -> Vec<u64> {
    messages.iter().filter_map(|message| message["seq"].as_u64()).collect()
}

#[test]
fn a_snapshot_and_then_every_change_of_the_topics() {
    let hub = Hub::new(1);
    hub.alert(alert(1, 1, State::Raised));
    hub.snapshots(vec![snapshot("a", 5), snapshot("b", 5)]);
    let (mut cursor, said) = join(&hub, "alerts,health", None);
    assert_eq!((said[0]["seq"].as_u64(), &said[0]["alerts"][0]["summary"]), (Some(2), &json!("alert 1")));
    assert!(said[0]["health"].is_null() && said[0].get("snapshots").is_none(), "{}", said[0]);
    hub.health(&json!({"status": "healthy"}));
    hub.snapshots(vec![snapshot("a", 6)]);
    hub.alert(alert(1, 2, State::Cleared));
    let said = next(&hub, &mut cursor);
    assert_eq!(seqs(&said), [3, 5]);
    assert_eq!((&said[0]["topic"], &said[0]["health"]["status"]), (&json!("health"), &json!("healthy")));
    assert_eq!((&said[1]["topic"], &said[1]["alert"]["state"]), (&json!("alerts"), &json!("cleared")));
    assert_eq!(cursor.seq(), 5);
    assert_eq!(next(&hub, &mut cursor), [] as [Value; 0]);
}

#[test]
fn what_is_older_than_what_is_known_is_no_change() {
    let hub = Hub::new(1);
    hub.alert(alert(1, 3, State::Cleared));
    hub.alert(alert(1, 2, State::Raised));
    hub.snapshots(vec![snapshot("a", 9)]);
    hub.snapshots(vec![snapshot("a", 8)]);
    hub.snapshots(vec![snapshot("a", 8), snapshot("b", 1)]);
    let (_, said) = join(&hub, "alerts,snapshots", None);
    assert_eq!(said[0]["seq"], 3);
    assert_eq!(said[0]["alerts"][0]["state"], "cleared");
    let seen = |camera: usize| said[0]["snapshots"][camera]["event_time"].as_str().map(str::to_owned);
    assert_eq!((seen(0).as_deref(), seen(1).as_deref()), (Some("1970-01-01T00:00:09Z"), Some("1970-01-01T00:00:01Z")));
}

#[test]
fn one_that_resumes_gets_what_it_missed_and_nothing_else() {
    let hub = Hub::new(1);
    for number in 0..10 {
        hub.alert(alert(number, 1, State::Raised));
        hub.health(&number);
    }
    let (mut cursor, said) = join(&hub, "alerts", Some((hub.run, 13)));
    assert_eq!((&said[0]["type"], &said[0]["seq"]), (&json!("resumed"), &json!(13)));
    assert_eq!(seqs(&next(&hub, &mut cursor)), [15, 17, 19]);
    for (run, after) in [(Uuid::from_u128(1), 13), (hub.run, 21)] {
        assert_eq!(join(&hub, "alerts", Some((run, after))).1[0]["type"], "snapshot", "{run} {after}");
    }
    assert_eq!(join(&hub, "alerts", Some((hub.run, 0))).1[0]["type"], "resumed", "nothing is lost of it yet");
    for _ in 0..CHANGES_MAX {
        hub.health(&1);
    }
    assert_eq!(join(&hub, "alerts", Some((hub.run, 19))).1[0]["type"], "snapshot", "too long ago");
    let (mut cursor, said) = join(&hub, "health", Some((hub.run, 20)));
    assert_eq!(said[0]["type"], "resumed", "all of it is there, to the last");
    assert_eq!(next(&hub, &mut cursor).len(), CHANGES_MAX);
}

/// Against a count kept by hand: whatever the mix of topics and reading habits, missed plus delivered is all there was.
#[test]
fn the_missed_are_counted_exactly_and_only_of_the_clients_topics() {
    let hub = Hub::new(1);
    let (mut of_alerts, _) = join(&hub, "alerts", None);
    let (mut of_health, _) = join(&hub, "health", None);
    let (mut quick, _) = join(&hub, "alerts,health", None);
    hub.alert(alert(0, 1, State::Raised));
    assert_eq!(next(&hub, &mut quick).len(), 1);
    for number in 0..CHANGES_MAX as u128 {
        hub.health(&1);
        if number % 100 == 0 {
            assert!(next(&hub, &mut quick).iter().all(|message| message["type"] == "change"));
        }
    }
    // The alert went out of the list, the health did not.
    let said = next(&hub, &mut of_alerts);
    assert_eq!((&said[0], &said[1]["type"]), (&json!({"type": "missed", "count": 1}), &json!("snapshot")));
    assert_eq!((said.len(), &said[1]["seq"]), (2, &json!(CHANGES_MAX + 1)));
    assert!(said[1].get("health").is_none());
    for number in 1..=50 {
        hub.alert(alert(number, 1, State::Raised));
    }
    assert_eq!(
        seqs(&next(&hub, &mut of_alerts)),
        (CHANGES_MAX as u64 + 2..=CHANGES_MAX as u64 + 51).collect::<Vec<_>>()
    );
    let said = next(&hub, &mut of_health);
    assert_eq!(said[0], json!({"type": "missed", "count": CHANGES_MAX}));
    assert_eq!(next(&hub, &mut quick).len(), 50 + (CHANGES_MAX - 1) % 100);
}

#[test]
fn a_client_of_one_topic_is_not_hurt_by_a_storm_in_another() {
    let hub = Hub::new(1);
    let (mut cursor, _) = join(&hub, "alerts", None);
    for _ in 0..2 * CHANGES_MAX {
        hub.health(&1);
    }
    hub.alert(alert(1, 1, State::Raised));
    assert_eq!(seqs(&next(&hub, &mut cursor)), [2 * CHANGES_MAX as u64 + 1]);
}

#[test]
fn the_list_is_bounded_in_bytes_too() {
    let hub = Hub::new(1);
    let long = "x".repeat(CHANGES_BYTES_MAX / 4);
    for _ in 0..10 {
        hub.health(&long);
    }
    let inner = hub.inner();
    assert!(inner.changes_bytes <= CHANGES_BYTES_MAX && inner.changes.len() == 3, "{}", inner.changes.len());
    drop(inner);
    hub.health(&"x".repeat(2 * CHANGES_BYTES_MAX));
    assert_eq!(hub.inner().changes_bytes, 0, "one that fits nowhere is not kept");
    let (mut cursor, said) = join(&hub, "health", Some((hub.run, 10)));
    assert_eq!(said[0]["type"], "snapshot");
    assert_eq!(next(&hub, &mut cursor), [] as [Value; 0]);
}

#[test]
fn a_snapshot_holds_a_thousand_alerts_and_the_open_before_the_cleared() {
    let hub = Hub::new(1);
    for number in 0..600 {
        hub.alert(alert(number, 1, State::Cleared));
    }
    for number in 600..1_500 {
        hub.alert(alert(number, 1, State::Raised));
    }
    let (_, said) = join(&hub, "alerts", None);
    let shown = said[0]["alerts"].as_array().expect("a list");
    let count = |state: &str| shown.iter().filter(|alert| alert["state"] == state).count();
    assert_eq!((count("raised"), count("cleared")), (900, 100));
}

#[test]
fn what_was_over_an_hour_ago_is_shown_no_more() {
    let hub = Hub::new(1);
    let mut old = alert(1, 1, State::Cleared);
    old.ended_at = Some(clock::now() - chrono::TimeDelta::minutes(61));
    hub.alert(old);
    hub.alert(alert(2, 1, State::Cleared));
    let (_, said) = join(&hub, "alerts", None);
    assert_eq!(said[0]["alerts"].as_array().map(Vec::len), Some(1));
    assert_eq!(said[0]["alerts"][0]["summary"], "alert 2");
}
