//! What dashboards are told equals a slow look at every row of the raw table, by the site's own clock, and nothing is told
//! of fewer than five people.

use central::store::batch;
use central::store::batch::Known;
use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use common::clock;
use common::event::{Event, Hundredths, Source};
use common::ids::{WarehouseId, WorkerId};
use common::protocol::LaneReport;
use common::shift::{self, Shift, Stretch};
use common::site::{self, ShiftConfig};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::System;
use crate::raw::{self, Floor, Raw, Truth};
use crate::rollups::{added_up, db, seed};
use crate::servers;

async fn store(system: &System, events: Vec<Event<'static>>) {
    let mut connection = db(&system.config.database.url).connect().await.expect("connected");
    let events: Vec<_> = (1..).zip(events).collect();
    for chunk in events.chunks(400) {
        batch::write(&mut connection, &raw::items(chunk), &mut Known::default()).await.expect("stored");
    }
    added_up(&system.config.database.url, &system.pool).await;
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// Gives a site its clock, as headquarters would.
async fn set_clock(system: &System, warehouse: WarehouseId, time_zone: Tz, shifts: &Value) -> Vec<Shift> {
    let set = "UPDATE warehouses SET time_zone_set = $2, shifts_set = $3 WHERE warehouse_id = $1";
    let set = sqlx::query(set).bind(warehouse.uuid()).bind(time_zone.name()).bind(shifts);
    assert_eq!(set.execute(&system.pool).await.expect("set").rows_affected(), 1);
    let written: Vec<ShiftConfig> = serde_json::from_value(shifts.clone()).expect("shifts");
    site::shifts(&written).expect("shifts")
}

async fn ok(system: &System, path: &str) -> Value {
    let (status, answer) = system.get(&format!("/api/v1{path}")).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// By counting up to the event it is about and going on within its bin.
fn percentile(truth: &Truth, share: f64) -> f64 {
    let rank = share * truth.events as f64;
    let mut seen = 0.0;
    for (bin, count) in truth.bins.iter().enumerate().filter(|(_, count)| **count > 0) {
        if seen + *count as f64 >= rank {
            let inside = (rank - seen) / *count as f64;
            return rounded((bin as f64 * 5.0 + inside * 5.0).min(truth.max as f64 / 100.0));
        }
        seen += *count as f64;
    }
    panic!("there are no events");
}

/// Holds shown figures against the truth. Says whether they were shown.
fn assert_figures(figures: &Value, truth: &Truth, what: &str) -> bool {
    let people = truth.people.len();
    if figures["suppressed"] == true {
        for hidden in
            ["events", "mean", "max", "p50", "p90", "p95", "seconds_observed", "seconds_at_risk", "coverage", "people"]
        {
            assert_eq!(figures[hidden], Value::Null, "{what}: {hidden}");
        }
        assert!(truth.events > 0, "{what}: nothing to hide");
        return false;
    }
    assert!(people == 0 || people >= 5, "{what}: {people} people are shown");
    let shown = json!({
        "events": truth.events,
        "seconds_observed": truth.observed.len(),
        "seconds_at_risk": truth.at_risk.len(),
        "people": people,
    });
    for (name, value) in shown.as_object().expect("an object") {
        assert_eq!(&figures[name], value, "{what}: {name}");
    }
    if truth.events == 0 {
        for none in ["mean", "max", "p50", "p90", "p95"] {
            assert_eq!(figures[none], Value::Null, "{what}: no data is not no risk: {none}");
        }
    } else {
        assert_eq!(figures["max"], truth.max as f64 / 100.0, "{what}: max");
        assert_eq!(figures["mean"], rounded(truth.sum as f64 / truth.events as f64 / 100.0), "{what}: mean");
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95)] {
            // The last digit may fall to either side.
            let off = figures[name].as_f64().expect("a number") - percentile(truth, share);
            assert!(off.abs() < 0.011, "{what}: {name} = {} is off by {off}", figures[name]);
        }
    }
    true
}

fn within<'r>(rows: &'r [Raw], warehouse: Uuid, zone: Option<Uuid>, from: &Value, to: &Value) -> Vec<&'r Raw> {
    let (from, to) = (time(from), time(to));
    let own = |row: &&Raw| row.warehouse_id == warehouse && zone.is_none_or(|zone| zone == row.zone_id);
    rows.iter().filter(own).filter(|row| from <= row.event_time && row.event_time < to).collect()
}

fn time(value: &Value) -> DateTime<Utc> {
    at(value.as_str().expect("a time"))
}

/// Observed minutes and those that could have been, minute by minute, one zone after another.
fn coverage(
    rows: &[&Raw],
    all: &[Raw],
    zones: &[Uuid],
    shifts: &[Shift],
    tz: Tz,
    from: &Value,
    to: &Value,
) -> Option<f64> {
    let (mut observed, mut expected) = (0, 0);
    for zone in zones {
        let Some(first) = all.iter().filter(|row| row.zone_id == *zone).map(|row| row.event_time).min() else {
            continue;
        };
        let first = first.timestamp().div_euclid(900) * 900;
        let seen: std::collections::HashSet<i64> = rows
            .iter()
            .filter(|row| row.zone_id == *zone && row.source != "manual")
            .map(|row| row.event_time.timestamp().div_euclid(60))
            .collect();
        let mut minute = time(from);
        while minute < time(to) {
            let on = shifts.is_empty() || shift::at(shifts, tz, minute).kind == Stretch::Shift;
            if on && minute.timestamp() >= first {
                expected += 1;
                observed += i32::from(seen.contains(&minute.timestamp().div_euclid(60)));
            }
            minute += TimeDelta::minutes(1);
        }
    }
    (expected > 0).then(|| (f64::from(observed) / f64::from(expected) * 10_000.0).round() / 10_000.0)
}

/// Events in bursts over three days, so that some hours have many people, some few, some nobody.
fn bursts(rng: &mut StdRng, floor: &Floor, from: DateTime<Utc>) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    for _ in 0..60 {
        let start = from + TimeDelta::seconds(rng.random_range(0..3 * 86_400));
        let crew = rng.random_range(0..=floor.workers.len());
        for _ in 0..rng.random_range(1..60) {
            let time = start + TimeDelta::milliseconds(rng.random_range(0..1_800_000));
            let mut event = floor.event(rng, time);
            event.worker_id = event.worker_id.filter(|worker| floor.workers[..crew].contains(worker));
            events.push(event);
        }
    }
    events
}

#[tokio::test]
async fn every_figure_equals_a_slow_look_at_the_raw_table() {
    let rng = &mut StdRng::seed_from_u64(seed());
    let system = System::start().await;
    let shifts = json!([
        {"name": "Early", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "06:00", "end": "14:00"},
        {"name": "Office", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "09:00", "end": "17:30"},
        {"name": "Night", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "22:00", "end": "05:45"},
    ]);
    // The clocks go forward in Berlin on the 29th; Kathmandu is five hours and three quarters ahead all year.
    let start = at("2026-03-28T03:00:00Z");
    let sites =
        [(Floor::new(rng, 3, 9), Tz::Europe__Berlin, shifts), (Floor::new(rng, 2, 7), Tz::Asia__Kathmandu, json!([]))];
    for (floor, ..) in &sites {
        store(&system, bursts(rng, floor, start)).await;
    }
    let rows = raw::rows(&system.pool).await;
    let (mut shown, mut hidden) = (0, 0);
    for (floor, tz, shifts) in &sites {
        let shifts = set_clock(&system, floor.warehouse_id, *tz, shifts).await;
        let (warehouse, tz) = (floor.warehouse_id.uuid(), *tz);
        let zones: Vec<Uuid> = floor.zones.iter().map(|zone| zone.uuid()).collect();
        let own: Vec<Raw> = rows.iter().filter(|row| row.warehouse_id == warehouse).cloned().collect();
        let range = format!("warehouse_id={warehouse}&from=2026-03-28T02:07:00Z&to=2026-03-31T05:20:00Z");
        let mut tally = |shown_now: bool| if shown_now { shown += 1 } else { hidden += 1 };
        for by in ["quarter", "hour", "day", "week", "shift"] {
            for zone in std::iter::once(None).chain(zones.iter().copied().map(Some)) {
                let of_zone = zone.map(|zone| format!("&zone_id={zone}")).unwrap_or_default();
                let trend = ok(&system, &format!("/trend?{range}&by={by}{of_zone}")).await;
                assert_eq!((&trend["time_zone"], &trend["from"]), (&json!(tz.name()), &json!("2026-03-28T02:00:00Z")));
                let buckets = trend["buckets"].as_array().expect("buckets");
                let mut events = 0;
                for bucket in buckets {
                    let what = format!("{tz} by {by} {zone:?} {}", bucket["from"]);
                    let rows = within(&rows, warehouse, zone, &bucket["from"], &bucket["to"]);
                    let truth = Truth::of(rows.iter().copied());
                    events += truth.events;
                    let is_shown = assert_figures(bucket, &truth, &what);
                    tally(is_shown);
                    if is_shown && by != "quarter" {
                        let zones = zone.map_or(zones.clone(), |zone| vec![zone]);
                        let covered = coverage(&rows, &own, &zones, &shifts, tz, &bucket["from"], &bucket["to"]);
                        assert_eq!(bucket["coverage"], json!(covered), "{what}: coverage");
                    }
                }
                let all = within(&rows, warehouse, zone, &trend["from"], &trend["to"]).len() as i64;
                assert!(by == "shift" && !shifts.is_empty() || events == all, "{by}: each event is in one bucket");
            }
        }
        let days = ok(&system, &format!("/trend?{range}&by=day")).await;
        for day in days["buckets"].as_array().expect("buckets").iter().skip(1) {
            assert_eq!(time(&day["from"]).with_timezone(&tz).time().num_seconds_from_midnight(), 0, "{tz} {day}");
        }

        let map = ok(&system, &format!("/heatmap?{range}")).await;
        let cells = map["cells"].as_array().expect("cells");
        assert_eq!(cells.len(), 24 * zones.len());
        for cell in cells {
            let zone: Uuid = serde_json::from_value(cell["zone_id"].clone()).expect("an id");
            let rows = within(&rows, warehouse, Some(zone), &map["from"], &map["to"]);
            let hour = |row: &&&Raw| json!(row.event_time.with_timezone(&tz).hour()) == cell["hour"];
            let truth = Truth::of(rows.iter().filter(hour).copied());
            tally(assert_figures(cell, &truth, &format!("{tz} {zone} at {}", cell["hour"])));
        }

        let spread = ok(&system, &format!("/distribution?{range}")).await;
        let truth = Truth::of(within(&rows, warehouse, None, &spread["from"], &spread["to"]));
        assert!(assert_figures(&spread, &truth, "distribution"));
        assert_eq!(spread["bins"], json!(truth.bins));
        let with = "with_from=2026-03-28T12:00:00Z&with_to=2026-03-29T12:00:00Z";
        let later = "from=2026-03-29T12:00:00Z&to=2026-03-31T05:20:00Z";
        let compared = ok(&system, &format!("/compare?warehouse_id={warehouse}&{later}&{with}")).await;
        let (status, problem) = system.get(&format!("/api/v1/compare?{range}&{with}")).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("query_invalid")), "they overlap");
        let a = Truth::of(within(&rows, warehouse, None, &compared["from"], &compared["to"]));
        let b = Truth::of(within(&rows, warehouse, None, &compared["with_from"], &compared["with_to"]));
        tally(assert_figures(&compared["a"], &a, "a"));
        tally(assert_figures(&compared["b"], &b, "b"));
        for zone in compared["zones"].as_array().expect("zones") {
            let id: Uuid = serde_json::from_value(zone["zone_id"].clone()).expect("an id");
            let truth = Truth::of(within(&rows, warehouse, Some(id), &compared["from"], &compared["to"]));
            tally(assert_figures(&zone["a"], &truth, "zone's a"));
        }
    }
    let ranking = ok(&system, "/ranking?from=2026-03-28T09:00:00Z&to=2026-03-30T21:30:00Z").await;
    let mut shares = Vec::new();
    for site in ranking["sites"].as_array().expect("sites") {
        let id: Uuid = serde_json::from_value(site["warehouse_id"].clone()).expect("an id");
        let truth = Truth::of(within(&rows, id, None, &ranking["from"], &ranking["to"]));
        assert!(assert_figures(site, &truth, "ranking"));
        shares.push(truth.at_risk.len() as f64 / truth.observed.len() as f64);
    }
    assert!(shares.len() == 2 && shares[0] >= shares[1], "{shares:?}");
    assert!(shown > 100 && hidden > 20, "{shown} were shown, {hidden} hidden");
}

/// Ten events of as many people as said, in one zone, in the hour from `start`.
fn crew(rng: &mut StdRng, floor: &Floor, zone: usize, people: usize, start: DateTime<Utc>) -> Vec<Event<'static>> {
    let workers: Vec<WorkerId> = (0..people).map(|_| WorkerId::from_uuid(raw::uuid(rng))).collect();
    let event = |n: usize, rng: &mut StdRng| Event {
        zone_id: floor.zones[zone],
        worker_id: workers.get(n % people.max(1)).copied(),
        source: Source::Camera,
        risk_score: Hundredths::from_raw(8_000),
        ..floor.event(rng, start + TimeDelta::minutes(i64::try_from(n).expect("few")))
    };
    (0..10).map(|n| event(n, rng)).collect()
}

#[tokio::test]
async fn nothing_is_told_of_fewer_than_five_people_nor_can_it_be_worked_out() {
    let rng = &mut StdRng::seed_from_u64(seed());
    let system = System::start().await;
    let floor = Floor::new(rng, 5, 1);
    let start = at("2026-05-04T08:00:00Z");
    let mut events = Vec::new();
    for (zone, people) in [2, 9, 6, 7, 0].into_iter().enumerate() {
        events.extend(crew(rng, &floor, zone, people, start));
    }
    store(&system, events).await;
    let warehouse = floor.warehouse_id;
    let day = format!("warehouse_id={warehouse}&from=2026-05-04T00:00:00Z&to=2026-05-05T00:00:00Z");
    let spread = ok(&system, &format!("/distribution?{day}")).await;
    let suppressed = |answer: &Value, zone: usize| {
        let zones = answer.as_array().expect("zones");
        let one = zones.iter().find(|one| one["zone_id"] == floor.zones[zone].to_string() && one["hour"] != json!(0));
        one.expect("the zone is there")["suppressed"] == true
    };
    let hidden: Vec<bool> = (0..5).map(|zone| suppressed(&spread["zones"], zone)).collect();
    assert_eq!(hidden, [true, false, true, false, false], "two people, and the six who would give them away");
    assert_eq!((&spread["events"], &spread["people"]), (&json!(50), &json!(24)), "the whole is shown");

    // The zone alone is not to be had either, nor is the one that hides it.
    for (zone, expected) in [(0, true), (2, true), (3, false), (4, false)] {
        let of_zone = format!("{day}&zone_id={}", floor.zones[zone]);
        for path in [
            format!("/distribution?{of_zone}"),
            format!("/compare?{of_zone}&with_from=2026-05-05T00:00:00Z&with_to=2026-05-06T00:00:00Z"),
        ] {
            let answer = ok(&system, &path).await;
            let figures = if answer["a"].is_object() { &answer["a"] } else { &answer };
            assert_eq!(figures["suppressed"], expected, "{path}");
            assert!(
                !expected || figures["events"].is_null() && answer.get("bins").is_none_or(Value::is_null),
                "{path}"
            );
        }
        let trend = ok(&system, &format!("/trend?{of_zone}&by=hour")).await;
        assert_eq!(trend["buckets"][8]["suppressed"], expected, "{zone}");
        let map = ok(&system, &format!("/heatmap?{of_zone}")).await;
        assert_eq!(
            (map["cells"].as_array().map(Vec::len), &map["cells"][8]["suppressed"]),
            (Some(24), &json!(expected))
        );
    }

    // As CSV the cells are empty, and a column says why.
    let url = format!("{}/api/v1/heatmap.csv?{day}", system.url);
    let answer = system.http.get(url).bearer_auth(&system.token).send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    let text = answer.text().await.expect("text");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().expect("a header").clone();
    let column = |name: &str| columns.iter().position(|column| column == name).expect("the column");
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 5 * 24);
    let hidden: Vec<_> = rows.iter().filter(|row| &row[column("suppressed")] == "true").collect();
    assert_eq!(hidden.len(), 2);
    assert!(hidden.iter().all(|row| row[column("events")].is_empty() && row[column("people")].is_empty()));
    let shown = rows.iter().find(|row| &row[column("people")] == "9").expect("nine people");
    assert_eq!((&shown[column("events")], &shown[column("mean")], &shown[column("hour")]), ("10", "80", "8"));

    // Forgetting everybody changes no figure.
    servers::execute(&system.pool, "DELETE FROM worker_numbers").await;
    assert_eq!(ok(&system, &format!("/distribution?{day}")).await, spread);
}

#[tokio::test]
async fn no_data_is_no_figure_and_a_question_that_cannot_be_answered_says_why() {
    let rng = &mut StdRng::seed_from_u64(seed());
    let system = System::start().await;
    let floor = Floor::new(rng, 1, 1);
    store(&system, crew(rng, &floor, 0, 0, at("2026-05-04T08:00:00Z"))).await;
    let warehouse = floor.warehouse_id;
    let trend =
        ok(&system, &format!("/trend?warehouse_id={warehouse}&from=2026-05-04T06:00:00Z&to=2026-05-04T10:00:00Z"))
            .await;
    let buckets = trend["buckets"].as_array().expect("buckets");
    let shown: Vec<_> = buckets.iter().map(|b| (&b["events"], &b["mean"], &b["coverage"])).collect();
    let none = &Value::Null;
    assert_eq!(shown[1], (&json!(0), none, none), "before the first event ever");
    assert_eq!(shown[2], (&json!(10), &json!(80.0), &json!(0.1667)));
    assert_eq!(shown[3], (&json!(0), none, &json!(0.0)), "a camera that sees nothing");

    let to = clock::now() + TimeDelta::days(2);
    let later = ok(
        &system,
        &format!(
            "/trend?warehouse_id={warehouse}&by=day&from={}&to={}",
            (to - TimeDelta::days(1)).format("%Y-%m-%dT00:00:00Z"),
            to.format("%Y-%m-%dT00:00:00Z")
        ),
    )
    .await;
    assert_eq!(later["buckets"][0]["coverage"], Value::Null, "the future");

    let ask = |path: &str, days: i64| {
        let from = at("2026-01-01T00:00:00Z");
        let to = (from + TimeDelta::days(days)).format("%Y-%m-%dT%H:%M:%SZ");
        format!("/api/v1/{path}&from=2026-01-01T00:00:00Z&to={to}")
    };
    for (path, days) in [
        ("trend?by=quarter", 7),
        ("trend?by=hour", 93),
        ("trend?by=shift", 400),
        ("heatmap?", 400),
        ("distribution?", 400),
    ] {
        let site = format!("{path}&warehouse_id={warehouse}").replace("?&", "?");
        assert_eq!(system.get(&ask(&site, days)).await.0, StatusCode::OK, "{path}");
        let (status, answer) = system.get(&ask(&site, days + 1)).await;
        assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("range_too_long")), "{path}");
        assert!(answer["message"].as_str().is_some_and(|m| m.contains(&format!("{days} days"))), "{answer}");
        assert_eq!(system.get(&ask(&site, 0)).await.1["code"], "query_invalid", "{path}");
    }
    let (status, _) = system.get(&ask(&format!("trend?warehouse_id={}", Uuid::new_v4()), 1)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "no such site");
    let (status, answer) =
        system.get(&ask(&format!("trend?warehouse_id={warehouse}&zone_id={}", Uuid::new_v4()), 1)).await;
    assert_eq!((status, answer["message"].as_str()), (StatusCode::NOT_FOUND, Some("there is no such zone")));
    for wrong in ["trend?by=month", "trend?", "heatmap?zone=1"] {
        assert_eq!(system.get(&ask(wrong, 1).replace("?&", "?")).await.1["code"], "query_invalid", "{wrong}");
    }
    let far = "/api/v1/ranking?from=-200000-01-01T00:00:00Z&to=-199999-01-01T00:00:00Z";
    assert_eq!(system.get(far).await.1["code"], "query_invalid");
}

#[tokio::test]
async fn dashboards_that_do_not_get_their_turn_are_told_so_and_hold_up_nobody() {
    let rng = &mut StdRng::seed_from_u64(seed());
    let system = System::start().await;
    let floor = Floor::new(rng, 1, 1);
    store(&system, crew(rng, &floor, 0, 0, at("2026-05-04T08:00:00Z"))).await;
    let warehouse = floor.warehouse_id;
    let path = format!("/api/v1/trend?warehouse_id={warehouse}&from=2026-05-04T00:00:00Z&to=2026-05-05T00:00:00Z");
    let path = path.as_str();

    // Nothing of what a dashboard reads can be read: as if the disk hung.
    let mut hold = system.pool.begin().await.expect("begun");
    sqlx::raw_sql("LOCK TABLE zone_quarters, site_hours IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *hold)
        .await
        .expect("locked");
    let refused = async {
        let answers = futures_util::future::join_all((0..8).map(|_| system.get(path))).await;
        answers.into_iter().filter(|(_, answer)| answer["code"] == "dashboards_busy").count()
    };
    // The pool has five connections; that others are answered meanwhile shows that dashboards have not taken them all.
    let others = async {
        for _ in 0..20 {
            ok(&system, &format!("/sites/{warehouse}/settings")).await;
        }
    };
    let (refused, ()) = tokio::join!(refused, others);
    assert!(
        refused >= 6,
        "only {refused} of 8 were told that their turn did not come, and one is worked out at a time"
    );

    hold.rollback().await.expect("let go");
    servers::eventually("dashboards are answered again", async || {
        (system.get(path).await.0 == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_waits_at_an_edge_makes_its_time_unfinished() {
    let system = System::start().await;
    let edge = system.edge().await;
    let now = clock::now();
    let at = |minutes: i64| (now - TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M:%SZ");
    let filling = async |from: i64, to: i64| {
        let (from, to) = (at(from), at(to));
        let path = format!("/distribution?warehouse_id={}&from={from}&to={to}", edge.warehouse_id);
        ok(&system, &path).await["filling"].clone()
    };
    let mut heartbeat = edge.heartbeat(0, &[]);
    assert_eq!(edge.beat(&heartbeat).await.0, StatusCode::OK);
    assert_eq!(filling(120, 0).await, true, "its last quarter of an hour is not over");
    assert_eq!(filling(120, 15).await, false);
    heartbeat.backlog = LaneReport { records: 9, bytes: 900, oldest_age_ms: Some(90 * 60_000) };
    assert_eq!(edge.beat(&heartbeat).await.0, StatusCode::OK);
    assert_eq!(filling(120, 15).await, true);
    assert_eq!(filling(240, 120).await, false, "nothing so old waits");
}
