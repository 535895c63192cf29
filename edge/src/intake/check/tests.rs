use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::wire;
use super::*;

const AGE_MAX: Duration = Duration::from_secs(35 * 86_400);

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().expect("a time")
}

fn valid() -> Value {
    json!({
        "event_id": "cb1df237-6d99-581a-9d07-09a4e9d11851",
        "event_time": "2026-11-23T11:59:59.125Z",
        "ingest_time": "2026-11-23T11:59:59.300Z",
        "warehouse_id": "366ed0a5-3794-5421-a05c-cd4828bbf97c",
        "zone_id": "fa152f1c-00b2-5a34-862c-0705db495df2",
        "camera_id": "cam-03",
        "worker_id": null,
        "model_version": "v1.2.3",
        "risk_score": 45.08,
        "posture_keypoints": {"head": {"x": 0.5, "y": 0.4, "confidence": 0.95}},
        "confidence": 0.85,
        "source": "camera",
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut event = valid();
    event[field] = value;
    event
}

/// Field and code of the refusal.
fn refusal(event: &Value) -> (&'static str, &'static str) {
    let text = event.to_string();
    match wire::read_event(&text).and_then(|wire| check(wire, now(), AGE_MAX)) {
        Ok(_) => ("", "ok"),
        Err(refusal) => (refusal.field, refusal.code),
    }
}

#[test]
fn a_valid_event_keeps_every_field() {
    let text = valid().to_string();
    let event = check(wire::read_event(&text).expect("reads"), now(), AGE_MAX).expect("valid");
    assert_eq!(event.event_id.to_string(), "cb1df237-6d99-581a-9d07-09a4e9d11851");
    assert_eq!(event.event_time.timestamp_micros() % 1_000_000, 125_000);
    assert_eq!(event.risk_score.to_string(), "45.08");
    assert_eq!(event.confidence.to_string(), "0.85");
    assert_eq!((&*event.camera_id, event.worker_id, event.source), ("cam-03", None, Source::Camera));
    assert_eq!(serde_json::from_str::<Value>(&event.posture_keypoints).expect("json"), valid()["posture_keypoints"]);
    assert!(!event.clock_suspect);
}

#[test]
fn every_required_field_is_named_when_it_is_missing() {
    for field in [
        "event_id",
        "event_time",
        "warehouse_id",
        "zone_id",
        "camera_id",
        "model_version",
        "risk_score",
        "posture_keypoints",
        "confidence",
        "source",
    ] {
        let mut event = valid();
        event.as_object_mut().expect("object").remove(field);
        assert_eq!(refusal(&event), (field, "missing"), "without {field}");
        assert_eq!(refusal(&with(field, Value::Null)), (field, "missing"), "null {field}");
    }
    for field in ["ingest_time", "worker_id"] {
        let mut event = valid();
        event.as_object_mut().expect("object").remove(field);
        assert_eq!(refusal(&event), ("", "ok"), "without {field}");
    }
}

#[test]
fn every_bound_is_named_with_its_field() {
    let cases = [
        ("event_id", json!("not-a-uuid"), "invalid_uuid"),
        ("event_id", json!(7), "invalid_type"),
        ("worker_id", json!("bob"), "invalid_uuid"),
        ("event_time", json!("yesterday"), "invalid_time"),
        ("event_time", json!("+294277-01-01T00:00:00Z"), "invalid_time"),
        ("event_time", json!("2026-11-23 11:59:59"), "invalid_time"),
        ("camera_id", json!(""), "too_short"),
        ("camera_id", json!("x".repeat(256)), "too_long"),
        ("camera_id", json!("ü".repeat(255)), "ok"),
        ("camera_id", json!("cam\u{0}"), "nul"),
        ("camera_id", json!("cam\n1"), "invalid_text"),
        ("camera_id", json!("cam\u{7f}1"), "invalid_text"),
        ("camera_id", json!("cam\u{200b}1"), "invalid_text"),
        ("camera_id", json!("\u{202e}10-mac"), "invalid_text"),
        ("camera_id", json!(" \u{a0}"), "invalid_text"),
        ("camera_id", json!(" Tor 1 (Süd) "), "ok"),
        ("model_version", json!("v\u{feff}1"), "invalid_text"),
        ("model_version", json!("  "), "invalid_text"),
        ("model_version", json!("v".repeat(51)), "too_long"),
        ("risk_score", json!(100.01), "out_of_range"),
        ("risk_score", json!(-0.01), "out_of_range"),
        ("risk_score", json!("45"), "invalid_type"),
        ("confidence", json!(1.01), "out_of_range"),
        ("source", json!("drone"), "invalid_value"),
        ("posture_keypoints", json!([1]), "invalid_type"),
        ("posture_keypoints", json!({"a": "x".repeat(33 * 1024)}), "too_large"),
    ];
    for (field, value, code) in cases {
        let expected = if code == "ok" { ("", "ok") } else { (field, code) };
        assert_eq!(refusal(&with(field, value.clone())), expected, "{field} = {value}");
    }
}

#[test]
fn a_character_that_nobody_sees_is_named() {
    let text = with("camera_id", json!("cam\u{200b}-01")).to_string();
    let refusal = wire::read_event(&text).and_then(|wire| check(wire, now(), AGE_MAX)).expect_err("refused");
    assert_eq!(refusal.message, r"has '\u{200b}' in it, which nobody would see; leave it out");
}

#[test]
fn a_number_that_no_double_holds_is_out_of_range() {
    let text = valid().to_string().replace("45.08", "1e400");
    let refusal = wire::read_event(&text).err().expect("refused");
    assert_eq!((refusal.field, refusal.code), ("risk_score", "out_of_range"));
}

#[test]
fn an_unbelievable_clock_is_kept_and_marked() {
    for (time, suspect) in [
        ("2026-11-23T12:05:00Z", false),
        ("2026-11-23T12:05:01Z", true),
        ("2026-10-19T12:00:00Z", false),
        ("2026-10-19T11:59:59Z", true),
        ("0001-01-01T00:00:00Z", true),
        ("9999-12-31T23:59:59Z", true),
    ] {
        let text = with("event_time", json!(time)).to_string();
        let event = check(wire::read_event(&text).expect("reads"), now(), AGE_MAX).expect("valid");
        assert_eq!(event.clock_suspect, suspect, "{time}");
        assert_eq!(event.stored_time() == event.ingest_time, suspect, "{time}");
    }
    let mut both = with("event_time", json!("1970-01-01T00:00:00Z"));
    both["ingest_time"] = json!("1970-01-01T00:00:00Z");
    let text = both.to_string();
    let event = check(wire::read_event(&text).expect("reads"), now(), AGE_MAX).expect("valid");
    assert_eq!(event.stored_time(), now(), "neither time can be believed, so ours is taken");
}

#[test]
fn the_hash_sees_every_field_but_the_ingest_time() {
    let hash = |event: &Value| {
        let text = event.to_string();
        body_hash(&check(wire::read_event(&text).expect("reads"), now(), AGE_MAX).expect("valid"))
    };
    let id = json!("00000000-0000-4000-8000-000000000001");
    let base = hash(&valid());
    assert_eq!(hash(&with("ingest_time", json!("2026-11-23T11:59:59.999Z"))), base);
    for (field, value) in [
        ("event_id", id.clone()),
        ("event_time", json!("2026-11-23T11:59:59.126Z")),
        ("warehouse_id", id.clone()),
        ("zone_id", id.clone()),
        ("camera_id", json!("cam-04")),
        ("worker_id", id),
        ("model_version", json!("v1.2.4")),
        ("risk_score", json!(45.09)),
        ("posture_keypoints", json!({})),
        ("confidence", json!(0.86)),
        ("source", json!("manual")),
    ] {
        assert_ne!(hash(&with(field, value)), base, "{field}");
    }
}

proptest! {
    /// Whatever comes: an event or a refusal, never a panic, and never an event out of bounds.
    #[test]
    fn any_values_give_an_event_within_bounds_or_a_refusal(
        risk in any::<f64>(), confidence in any::<f64>(), camera in ".{0,300}", time in "\\PC{0,40}",
    ) {
        let mut event = valid();
        event["risk_score"] = json!(risk);
        event["confidence"] = json!(confidence);
        event["camera_id"] = json!(camera);
        if time.len() > 20 { event["event_time"] = json!(time); }
        let text = event.to_string();
        if let Ok(event) = wire::read_event(&text).and_then(|wire| check(wire, now(), AGE_MAX)) {
            prop_assert!(event.risk_score.raw() <= 10_000 && event.confidence.raw() <= 100);
            prop_assert!((1..=255).contains(&event.camera_id.chars().count()));
        }
    }
}
