//! A shift's summary over real HTTP: what it says of events, of their absence, and after a restart.

use std::time::Duration;

use chrono::{DurationRound as _, TimeDelta};
use common::clock;
use edge::site::{CameraConfig, ZoneConfig};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::alerts::{Floor, LIFT, Lift, ZONE, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_says_what_it_saw_and_what_it_cannot_know() {
    let dir = TempDir::new().expect("a temp dir");
    let configure = |config: &mut edge::config::Config| {
        config.site.time_zone = "Europe/Berlin".to_owned();
        config.site.zones =
            vec![ZoneConfig { zone_id: ZONE.to_string().parse().expect("an id"), name: "=Picking".into() }];
        let camera = |id: &str| CameraConfig { camera_id: id.to_owned(), name: None, zone_id: None };
        config.site.cameras = vec![camera("cam-01"), camera("cam-09")];
    };
    let floor = Floor::start(dir.path(), configure).await;
    let api = floor.api();
    let (status, empty) = api.get("/api/v1/shift").await;
    assert_eq!(
        (status, &empty["shift"]["kind"], &empty["shift"]["running"]),
        (StatusCode::OK, &json!("day"), &json!(true))
    );
    assert_eq!((&empty["coverage"], &empty["events"]), (&Value::Null, &json!(0)), "before the first event: {empty}");

    // Yesterday noon: five seconds of lifting, then a minute that comes late, and one entry made by hand.
    let noon = (clock::now() - TimeDelta::days(1)).duration_trunc(TimeDelta::hours(1)).expect("in range");
    api.send(&LIFT.events(noon + TimeDelta::minutes(2), 4.875, 75.0)).await;
    api.send(&LIFT.events(noon, 1.875, 20.0)).await;
    let other = Lift { camera: "cam-02", worker: None, ..LIFT };
    api.send(&other.events(noon + TimeDelta::minutes(2), 2.875, 90.0)).await;
    let mut by_hand = LIFT.events(noon, 0.0, 99.0);
    by_hand[0]["source"] = json!("manual");
    api.send(&by_hand).await;

    let path = format!("/api/v1/shift?at={}", noon.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let all = |summary: &Value| summary["events"] == 40 + 16 + 24 && summary["alerts"]["cleared"] == 1;
    let summary = eventually(&api, &path, all).await;

    let zone = &summary["zones"][0];
    assert_eq!(
        (&zone["zone"], &zone["seconds_observed"], &zone["seconds_at_risk"]),
        (&json!("=Picking"), &json!(7), &json!(5))
    );
    assert_eq!((&zone["alerts"], &zone["peak"]), (&json!(1), &json!(90.23)));
    let cameras: Vec<(&str, u64)> = summary["cameras"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| (c["camera_id"].as_str().expect("text"), c["seconds_at_risk"].as_u64().expect("a number")))
        .collect();
    assert_eq!(cameras, [("cam-01", 5), ("cam-02", 3), ("cam-09", 0)]);
    // Two minutes of one of two expected cameras, of a day.
    let coverage = summary["coverage"].as_f64().expect("known");
    let minutes = (day_minutes(&summary) * 2) as f64;
    assert!((coverage - 2.0 / minutes).abs() < 1e-9, "{coverage} of {minutes}");
    assert!(summary["coverage_note"].as_str().is_some_and(|note| note.starts_with("2 of ")), "{summary}");
    assert_eq!((&summary["alerts"]["raised"], &summary["alerts"]["acknowledged"]), (&json!(1), &json!(0)));
    assert_eq!(summary["alerts"]["median_seconds_to_acknowledge"], Value::Null);

    // Acknowledged, silenced, over a restart: the same figures.
    let alert = api.alerts("").await.remove(0);
    let acknowledge = format!("/api/v1/alerts/{}/acknowledge", alert["alert_id"].as_str().expect("an id"));
    assert_eq!(api.post(&acknowledge, &json!({"fact_id": Uuid::new_v4()})).await.0, StatusCode::OK);
    let before = api.get(&path).await.1;
    assert_eq!(before["alerts"]["acknowledged"], 1);
    assert!(before["alerts"]["median_seconds_to_acknowledge"].as_f64().is_some_and(|secs| secs < 60.0), "{before}");
    floor.stop().await;
    let floor = Floor::start(dir.path(), configure).await;
    let api = floor.api();
    assert_eq!(api.get(&path).await.1, before);

    let csv =
        api.http.get(format!("{}{}", api.url, path.replace("/shift?", "/shift.csv?"))).send().await.expect("answers");
    assert!(csv.headers()["content-type"].to_str().expect("text").starts_with("text/csv"));
    let text = csv.text().await.expect("text");
    let rows: Vec<Vec<&str>> = text.trim_end().split("\r\n").map(|row| row.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 16), "{text}");
    assert_eq!(
        rows.iter().map(|row| row[3]).collect::<Vec<_>>(),
        ["of", "shift", "zone", "camera", "camera", "camera"]
    );
    assert_eq!((rows[2][5], rows[2][9], rows[1][12]), ("'=Picking", "5", "1"), "{text}");

    let (status, problem) = api.get("/api/v1/shift?at=2020-01-01T00:00:00Z").await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("shift_too_old")));
    floor.stop().await;
}

fn day_minutes(summary: &Value) -> i64 {
    let time = |name: &str| summary["shift"][name].as_str().expect("text").parse::<chrono::DateTime<chrono::Utc>>();
    (time("to").expect("a time") - time("from").expect("a time")).num_minutes()
}

/// Figures that the history cannot take are not lost, nor is the alert: both are there once it can be used again.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_cannot_be_opened_stops_neither_intake_nor_alerts() {
    let dir = TempDir::new().expect("a temp dir");
    std::fs::create_dir_all(dir.path().join("data/history.db")).expect("makes a directory in its place");
    let floor = Floor::start(dir.path(), |_| {}).await;
    let api = floor.api();
    api.send(&LIFT.events(clock::now() - TimeDelta::seconds(4), 4.0, 75.0)).await;
    let mut seen = Vec::new();
    let mut cursor = floor.edge.hub.join(edge::live::Topics::ALL, None, clock::now(), &mut seen);
    let began = std::time::Instant::now();
    let shown =
        |seen: &[bytes::Bytes]| seen.iter().any(|text| String::from_utf8_lossy(text).contains("sustained-risk"));
    while !shown(&seen) {
        assert!(began.elapsed() < Duration::from_secs(10), "no alert was shown: {seen:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        floor.edge.hub.next(&mut cursor, clock::now(), &mut seen);
    }
    let health = api.get("/streams/health").await.1;
    let reasons = health["reasons"].to_string();
    assert!(health["status"] == "degraded" && reasons.contains("the history of alerts is not kept"), "{reasons}");
    for path in ["/api/v1/alerts", "/api/v1/shift", "/api/v1/silences"] {
        let (status, problem) = api.get(path).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("history_unavailable")),
            "{path}"
        );
    }
    let silence = json!({"silence_id": Uuid::new_v4(), "reason": "x", "minutes": 5});
    let (status, problem) = api.post("/api/v1/silences", &silence).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("history_unavailable")));
    floor.stop().await;
}
