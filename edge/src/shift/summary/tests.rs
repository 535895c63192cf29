use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::shift::Stretch;
use crate::site::{CameraConfig, SiteConfig};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn zone(n: u128) -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(n))
}

/// A minute of a camera, counted from 06:00.
fn minute(n: i64, zone_n: u128, camera: &str, observed: u64, at_risk: u64) -> Minute {
    Minute {
        minute: minute_of(at("2026-07-29T06:00:00Z")) + n,
        zone_id: zone(zone_n),
        camera_id: Arc::from(camera),
        events: u64::from(observed.count_ones()) * 8,
        observed,
        at_risk,
        peak: Hundredths::from_raw(if at_risk == 0 { 4_000 } else { 8_000 }),
    }
}

fn summary(minutes: Vec<Minute>, listed: &[&str], now: &str) -> Summary {
    let config = SiteConfig {
        cameras: listed
            .iter()
            .map(|camera| CameraConfig { camera_id: (*camera).to_owned(), name: None, zone_id: None })
            .collect(),
        ..SiteConfig::default()
    };
    let mut cameras: Vec<KnownCamera> = Vec::new();
    for one in &minutes {
        let known = cameras.iter_mut().find(|c| c.camera_id == *one.camera_id && c.zone_id == one.zone_id);
        match known {
            Some(known) => {
                known.first_minute = known.first_minute.min(one.minute);
                known.last_minute = known.last_minute.max(one.minute);
            }
            None => cameras.push(KnownCamera {
                zone_id: one.zone_id,
                camera_id: one.camera_id.to_string(),
                first_minute: one.minute,
                last_minute: one.minute,
            }),
        }
    }
    let (from, to) = (at("2026-07-29T06:00:00Z"), at("2026-07-29T14:00:00Z"));
    let shift = Occurrence { kind: Stretch::Shift, name: "Early".to_owned(), from, to };
    let inside = |one: &Minute| (minute_of(from)..minute_of(to)).contains(&one.minute);
    let known = Known {
        shift,
        minutes: minutes.into_iter().filter(inside).collect(),
        cameras,
        alerts: Vec::new(),
        system_alerts: 0,
        silences: &Silences::new(),
        site: &Site::new(&config).expect("valid"),
    };
    summarize(&known, at(now))
}

#[test]
fn no_data_is_neither_none_nor_all() {
    let never = summary(vec![], &[], "2026-07-29T10:00:00Z");
    assert_eq!((never.coverage, never.zones.len()), (None, 0));
    assert!(never.coverage_note.contains("ever"), "{}", never.coverage_note);
    let configured = summary(vec![], &["cam-1"], "2026-07-29T10:00:00Z");
    assert_eq!((configured.coverage, configured.cameras.len()), (None, 0), "not even connected yet");
    // It sent yesterday, and not in this shift: that is known, and is nothing.
    let dead = summary(vec![minute(-600, 1, "cam-1", 1, 0)], &[], "2026-07-29T10:00:00Z");
    assert_eq!((dead.coverage, dead.events, dead.zones[0].coverage), (Some(0.0), 0, Some(0.0)));
    assert_eq!(dead.zones[0].peak, None);
    // No minute is over.
    let fresh = summary(vec![minute(0, 1, "cam-1", 1, 0)], &[], "2026-07-29T06:00:50Z");
    assert_eq!((fresh.coverage, fresh.events), (None, 8));
}

#[test]
fn coverage_is_the_share_of_expected_camera_minutes() {
    let minutes: Vec<Minute> = (0..30).map(|n| minute(n, 1, "cam-1", 0b11, 0)).collect();
    let half = summary(minutes.clone(), &[], "2026-07-29T07:00:30Z");
    assert_eq!(half.coverage, Some(0.5));
    let listed = summary(minutes.clone(), &["cam-1", "cam-2"], "2026-07-29T07:00:30Z");
    assert_eq!(listed.coverage, Some(0.25), "cam-2 is expected and has never sent");
    assert!(listed.coverage_note.starts_with("30 of 120"), "{}", listed.coverage_note);
    let over = summary(minutes, &["cam-1"], "2026-07-30T12:00:00Z");
    assert_eq!(over.coverage, Some(30.0 / 480.0), "after the shift, all of it counts");
    // A camera that is new is expected from its first event on.
    let new = (30..60).map(|n| minute(n, 1, "cam-1", 1, 0)).collect();
    assert_eq!(summary(new, &[], "2026-07-29T07:00:30Z").coverage, Some(1.0));
}

#[test]
fn seconds_of_a_zones_cameras_are_laid_over_each_other() {
    let minutes = vec![
        minute(0, 1, "cam-1", 0b1111, 0b0011),
        minute(0, 1, "cam-2", 0b1100, 0b1100),
        minute(1, 2, "cam-2", 0b1, 0),
    ];
    let summary = summary(minutes, &[], "2026-07-29T07:00:30Z");
    let zones: Vec<_> = summary.zones.iter().map(|z| (z.zone_id, z.seconds_observed, z.seconds_at_risk)).collect();
    assert_eq!(zones, [(zone(1), 4, 4), (zone(2), 1, 0)], "most at risk first, and no second twice");
    let cameras: Vec<_> =
        summary.cameras.iter().map(|c| (c.camera_id.as_str(), c.seconds_observed, c.seconds_at_risk)).collect();
    assert_eq!(cameras, [("cam-1", 4, 2), ("cam-2", 3, 2)]);
    assert_eq!(summary.events, 56);
}
