//! Names, time zones and shifts: reported by edges, set at headquarters, and which of them counts.

use central::store::sites::{self, SiteClock};
use chrono::Duration;
use common::clock;
use common::ids::{WarehouseId, ZoneId};
use common::protocol::{CameraReport, Heartbeat, HeartbeatAnswer};
use common::site::{Day, NamedCamera, NamedZone, ShiftConfig, SiteReport};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{EdgeClient, System};

const ZONE: Uuid = Uuid::from_u128(0x20);

fn early() -> ShiftConfig {
    ShiftConfig { name: "early".to_owned(), days: vec![Day::Mon], start: "06:00".to_owned(), end: "14:00".to_owned() }
}

fn report() -> SiteReport {
    let zone_id = ZoneId::from_uuid(ZONE);
    SiteReport {
        name: "Hall 1".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        shifts: vec![early()],
        zones: vec![NamedZone { zone_id, name: "Picking".to_owned() }],
        cameras: vec![NamedCamera {
            camera_id: "cam-1".to_owned(),
            name: Some("Aisle 1".to_owned()),
            zone_id: Some(zone_id),
        }],
    }
}

fn about(edge: &EdgeClient, report: &SiteReport, told: bool) -> Heartbeat {
    Heartbeat { site_digest: Some(report.digest()), site: told.then(|| report.clone()), ..edge.heartbeat(0, &[]) }
}

async fn answer(edge: &EdgeClient, heartbeat: &Heartbeat) -> HeartbeatAnswer {
    let (status, answer) = edge.beat(heartbeat).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    serde_json::from_value(answer).expect("an answer")
}

/// Tells a report as an edge does: when it is asked for.
async fn tell(edge: &EdgeClient, report: &SiteReport) {
    assert!(answer(edge, &about(edge, report, false)).await.site_wanted, "not known yet");
    answer(edge, &about(edge, report, true)).await;
    assert!(!answer(edge, &about(edge, report, false)).await.site_wanted, "known now");
}

fn path(edge: &EdgeClient) -> String {
    format!("/api/v1/sites/{}/settings", edge.warehouse_id)
}

async fn settings(system: &System, edge: &EdgeClient) -> Value {
    let (status, settings) = system.get(&path(edge)).await;
    assert_eq!(status, StatusCode::OK, "{settings}");
    settings
}

#[tokio::test]
async fn what_an_edge_reports_is_asked_for_once_and_kept() {
    let system = System::start().await;
    let edge = system.edge().await;
    let before = settings(&system, &edge).await;
    assert_eq!((&before["name"], &before["time_zone"], &before["shifts"]), (&Value::Null, &json!("UTC"), &json!([])));
    tell(&edge, &report()).await;
    let now = settings(&system, &edge).await;
    assert_eq!(
        (&now["name"], &now["name_reported"], &now["name_set"]),
        (&json!("Hall 1"), &json!("Hall 1"), &json!(null))
    );
    assert_eq!(now["shifts"], json!([{"name": "early", "days": ["mon"], "start": "06:00", "end": "14:00"}]));
    assert_eq!(now["zones"][0]["name"], "Picking");
    assert_eq!((&now["cameras"][0]["name"], &now["cameras"][0]["zone_id"]), (&json!("Aisle 1"), &json!(ZONE)));
    // It is kept in its own place, not with every heartbeat.
    assert_eq!(system.count("SELECT count(*) FROM edges WHERE heartbeat ? 'site'").await, 0);
    let kept: SiteClock = sites::clock(system.db(), edge.warehouse_id.uuid()).await.expect("a clock");
    assert_eq!((kept.time_zone.name(), kept.shifts.len()), ("Europe/Berlin", 1));
    let unknown = sites::clock(system.db(), Uuid::new_v4()).await.expect("a clock");
    assert_eq!(unknown, SiteClock::default());

    // A name that is reported no more is none; another report rewrites only what differs.
    let rows = "SELECT (xmin::text::int8) FROM zones";
    let before = system.count(rows).await;
    let mut fewer = report();
    fewer.cameras.clear();
    fewer.name = String::new();
    tell(&edge, &fewer).await;
    let now = settings(&system, &edge).await;
    assert_eq!((&now["name"], &now["cameras"][0]["name"]), (&json!(null), &json!(null)));
    assert_eq!(now["cameras"][0]["camera_id"], "cam-1", "it was there all the same");
    assert_eq!(system.count(rows).await, before, "the zone's row was left alone");
}

#[tokio::test]
async fn of_two_who_change_the_same_settings_the_second_is_told() {
    let system = System::start().await;
    let edge = system.edge().await;
    tell(&edge, &report()).await;
    let seen = settings(&system, &edge).await["revision"].clone();
    let shift = |name| json!({"name": name, "days": ["mon"], "start": "06:00", "end": "14:00"});
    let (status, now) = system.put(&path(&edge), &json!({"shifts": [shift("early")], "revision": seen})).await;
    assert_eq!(status, StatusCode::OK, "{now}");
    let second = json!({"shifts": [shift("late")], "revision": seen});
    let (status, answer) = system.put(&path(&edge), &second).await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("version_conflict")));
    let unchanged = settings(&system, &edge).await;
    assert_eq!((&unchanged["shifts_set"][0]["name"], &unchanged["revision"]), (&json!("early"), &now["revision"]));

    // What an edge reports meanwhile is nobody's change, and who gives no revision asks for none.
    let mut renamed = report();
    renamed.name = "Hall 9".to_owned();
    tell(&edge, &renamed).await;
    let second = json!({"shifts": [shift("late")], "revision": now["revision"]});
    assert_eq!(system.put(&path(&edge), &second).await.0, StatusCode::OK);
    assert_eq!(system.put(&path(&edge), &json!({"name": "Dock"})).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_set_at_headquarters_counts_until_it_is_taken_back() {
    let system = System::start().await;
    let edge = system.edge().await;
    tell(&edge, &report()).await;
    let set = json!({
        "name": "Hall One",
        "time_zone": "America/New_York",
        "shifts": [],
        "zones": {ZONE.to_string(): "Picking area"},
        "cameras": {"cam-1": "First aisle"},
    });
    let (status, now) = system.put(&path(&edge), &set).await;
    assert_eq!(status, StatusCode::OK, "{now}");
    assert_eq!((&now["name"], &now["name_reported"]), (&json!("Hall One"), &json!("Hall 1")));
    assert_eq!((&now["time_zone"], &now["shifts"]), (&json!("America/New_York"), &json!([])));
    assert_eq!(
        (&now["zones"][0]["name"], &now["zones"][0]["name_reported"]),
        (&json!("Picking area"), &json!("Picking"))
    );
    assert_eq!(now["cameras"][0]["name"], "First aisle");
    let clock = sites::clock(system.db(), edge.warehouse_id.uuid()).await.expect("a clock");
    assert_eq!((clock.time_zone.name(), clock.shifts.len()), ("America/New_York", 0), "no shifts were set on purpose");

    // What an edge says later does not push it aside.
    let mut renamed = report();
    renamed.name = "Hall 9".to_owned();
    renamed.zones[0].name = "Packing".to_owned();
    tell(&edge, &renamed).await;
    let now = settings(&system, &edge).await;
    assert_eq!((&now["name"], &now["name_reported"]), (&json!("Hall One"), &json!("Hall 9")));
    assert_eq!(
        (&now["zones"][0]["name"], &now["zones"][0]["name_reported"]),
        (&json!("Picking area"), &json!("Packing"))
    );

    // Taken back, and what is not mentioned stays.
    let (_, now) = system.put(&path(&edge), &json!({"name": null, "zones": {ZONE.to_string(): null}})).await;
    assert_eq!((&now["name"], &now["zones"][0]["name"]), (&json!("Hall 9"), &json!("Packing")));
    assert_eq!((&now["time_zone"], &now["cameras"][0]["name"]), (&json!("America/New_York"), &json!("First aisle")));
    let audited = "SELECT count(*) FROM audit_log WHERE actor = 'test' AND action = 'set_site' AND detail LIKE ";
    let first =
        "name as reported → \"Hall One\"; time zone as reported → \"America/New_York\"; shifts as reported → none; %";
    assert_eq!(system.count(&format!("{audited}'{first}'")).await, 1);
    let back = format!("name \"Hall One\" → as reported; zone {ZONE} \"Picking area\" → as reported");
    assert_eq!(system.count(&format!("{audited}'{back}'")).await, 1);
    // What changes nothing is no line of the audit.
    let lines = "SELECT count(*) FROM audit_log WHERE action = 'set_site'";
    let before = system.count(lines).await;
    assert_eq!(system.put(&path(&edge), &json!({"time_zone": "America/New_York"})).await.0, StatusCode::OK);
    assert_eq!(system.count(lines).await, before);
}

#[tokio::test]
async fn what_cannot_be_set_names_its_field_and_changes_nothing() {
    let system = System::start().await;
    let edge = system.edge().await;
    tell(&edge, &report()).await;
    let before = settings(&system, &edge).await;
    let shift = |start: &str| json!([{"name": "early", "days": ["mon"], "start": start, "end": "14:00"}]);
    for (body, field) in [
        (json!({"name": " "}), "name: "),
        (json!({"time_zone": "Europe/Berln"}), "time_zone: "),
        (json!({"shifts": shift("6:00")}), "shifts: start of \"early\""),
        (json!({"zones": {ZONE.to_string(): "x".repeat(61)}}), "zones: "),
        (json!({"zones": {ZONE.to_string(): "Do\u{202e}ck"}}), "zones: name "),
        (json!({"name": "Hall\u{200b}"}), "name: name "),
        (
            json!({"shifts": [
                {"name": "early", "days": ["sun"], "start": "22:00", "end": "06:00"},
                {"name": "office", "days": ["mon"], "start": "05:00", "end": "17:00"},
            ]}),
            "shifts: \"early\" and \"office\" are on at once, for instance on Mon at 05:00",
        ),
        // All or nothing: the name before it is not kept either.
        (json!({"name": "Hall", "zones": {Uuid::new_v4().to_string(): "Dock"}}), "zones: the site has no zone"),
        (json!({"name": "Hall", "cameras": {"cam-9": "Dock"}}), "cameras: the site has no camera \"cam-9\""),
    ] {
        let (status, problem) = system.put(&path(&edge), &body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("settings_invalid")),
            "{problem}"
        );
        assert!(problem["message"].as_str().expect("text").starts_with(field), "{problem}");
    }
    for unread in [json!({"nmae": "Hall"}), json!(["Hall", "Europe/Berlin"]), json!([])] {
        let (status, problem) = system.put(&path(&edge), &unread).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("body_invalid")), "{unread}");
    }
    let (status, _) = system.put(&format!("/api/v1/sites/{}/settings", Uuid::new_v4()), &json!({"name": "Hall"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(settings(&system, &edge).await, before);
    assert_eq!(system.count("SELECT count(*) FROM audit_log WHERE action = 'set_site'").await, 0);
}

#[tokio::test]
async fn two_edges_of_a_site_do_not_take_turns() {
    let system = System::start().await;
    let first = system.edge().await;
    let second = system.edge_of(first.warehouse_id).await;
    let other = SiteReport { name: "Hall 2".to_owned(), time_zone: "Asia/Tokyo".to_owned(), ..report() };
    // The newer edge is heard first.
    tell(&second, &other).await;
    assert_eq!(settings(&system, &first).await["name"], "Hall 2");
    tell(&first, &report()).await;
    for (edge, says) in [(&second, &other), (&first, &report()), (&second, &other)] {
        assert!(!answer(edge, &about(edge, says, false)).await.site_wanted);
        let now = settings(&system, &first).await;
        assert_eq!(
            (&now["name"], &now["time_zone"]),
            (&json!("Hall 1"), &json!("Europe/Berlin")),
            "who was there first"
        );
    }
}

#[tokio::test]
async fn cameras_are_remembered_and_rows_rewritten_only_for_news() {
    let system = System::start().await;
    let edge = system.edge().await;
    let at = |id: &str, zone: u128, age: i64| CameraReport {
        camera_id: id.to_owned(),
        zone_id: ZoneId::from_uuid(Uuid::from_u128(zone)),
        last_seen: clock::now() - Duration::seconds(age),
        clock_suspect: false,
    };
    let beat = |cameras: Vec<CameraReport>| Heartbeat { cameras, ..edge.heartbeat(0, &[]) };
    // A thousand of them, and one that is in two zones at once.
    let mut cameras: Vec<CameraReport> = (0..1_000).map(|n| at(&format!("cam-{n:04}"), 1, 5)).collect();
    cameras.push(at("cam-0000", 2, 1));
    answer(&edge, &beat(cameras.clone())).await;
    assert_eq!(system.count("SELECT count(*) FROM cameras").await, 1_000);
    let now = settings(&system, &edge).await;
    assert_eq!(now["cameras"][0]["zone_id"], json!(Uuid::from_u128(2)), "where it was seen last");
    let written = "SELECT sum(xmin::text::int8)::int8 FROM cameras";
    let before = system.count(written).await;
    for camera in &mut cameras {
        camera.last_seen = clock::now();
    }
    cameras[1_000].last_seen = clock::now() + Duration::seconds(1);
    answer(&edge, &beat(cameras)).await;
    assert_eq!(system.count(written).await, before, "nothing new, nothing written");
    answer(&edge, &beat(vec![at("cam-0001", 3, 0)])).await;
    assert_eq!(
        system.count("SELECT count(*) FROM cameras WHERE zone_id = '00000000-0000-0000-0000-000000000003'").await,
        1
    );
    assert_eq!(system.count("SELECT count(*) FROM cameras").await, 1_000, "nobody is forgotten");
}

#[tokio::test]
async fn a_thousand_named_cameras_fit_into_a_heartbeat() {
    let system = System::start().await;
    let edge = system.edge_of(WarehouseId::from_uuid(Uuid::new_v4())).await;
    let mut large = report();
    large.cameras = (0..1_000)
        .map(|n| NamedCamera {
            camera_id: format!("camera-{n:024}"),
            name: Some("\u{142}".repeat(60)),
            zone_id: Some(ZoneId::from_uuid(ZONE)),
        })
        .collect();
    assert_eq!(large.shorten(), 0);
    let mut heartbeat = about(&edge, &large, true);
    heartbeat.cameras = large
        .cameras
        .iter()
        .map(|camera| CameraReport {
            camera_id: camera.camera_id.clone(),
            zone_id: ZoneId::from_uuid(ZONE),
            last_seen: clock::now(),
            clock_suspect: false,
        })
        .collect();
    let bytes = serde_json::to_vec(&heartbeat).expect("JSON").len();
    assert!(bytes < 1024 * 1024, "{bytes}");
    answer(&edge, &heartbeat).await;
    assert_eq!(system.count("SELECT count(*) FROM cameras WHERE name IS NOT NULL").await, 1_000);
}
