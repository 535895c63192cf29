//! The shape of every answer, and who gets none.

use chrono::TimeDelta;
use common::clock;
use common::health::{Code, Status};
use reqwest::StatusCode;
use serde_json::Value;

use crate::client::{Batch, System};
use crate::servers::eventually;

const PATHS: &[&str] = &[
    "/api/v1/fleet/health",
    "/api/v1/fleet/stats",
    "/api/v1/sites/00000000-0000-0000-0000-000000000001",
    "/api/v1/events",
    "/api/v1/dead-letters",
    "/api/v1/dead-letters/1",
    "/api/v1/ledger",
];

fn has(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "{key} is missing in {value}");
    }
}

#[tokio::test]
async fn nobody_is_answered_without_a_token() {
    let system = System::start().await;
    let edge = system.edge().await;
    for path in PATHS {
        for token in [None, Some("spt_wrong"), Some(edge.token.as_str())] {
            let mut request = system.http.get(format!("{}{path}", system.url));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} with {token:?}");
            let problem: Value = answer.json().await.expect("JSON");
            // There is nobody yet who could sign in.
            assert_eq!(problem["code"], if token.is_some() { "unauthorized" } else { "no_accounts" });
        }
    }
    for path in ["replay", "discard"] {
        let url = format!("{}/api/v1/dead-letters/1/{path}", system.url);
        assert_eq!(system.http.post(url).send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let system = System::start().await;
    for path in
        ["/nothing", "/api/v1/sites/00000000-0000-0000-0000-000000000001", "/api/v1/sites/home", "/api/v1/sites/a%00b"]
    {
        let (status, problem) = system.get(path).await;
        assert_eq!((status, problem["code"].as_str()), (StatusCode::NOT_FOUND, Some("not_found")), "{path}");
    }
    let (status, problem) = system.post("/api/v1/ledger", &Value::Null).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::METHOD_NOT_ALLOWED, Some("method_not_allowed")));
    for query in ["limit=0", "limit=1001", "limit=x", "zone=1", "cursor=7", "warehouse_id=home", "camera_id=%00"] {
        let (status, problem) = system.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("query_invalid")), "{query}");
    }
}

/// An empty answer would say that nothing happened there.
#[tokio::test]
async fn a_site_that_is_not_known_is_not_an_empty_one() {
    let system = System::start().await;
    let edge = system.edge().await;
    for path in ["ledger", "ledger/hours", "events", "alerts", "silences", "completeness"] {
        let of = |site: &str| format!("/api/v1/{path}?warehouse_id={site}");
        let (status, answer) = system.get(&of("00000000-0000-0000-0000-000000000001")).await;
        let said = (answer["code"].as_str(), answer["message"].as_str());
        assert_eq!(
            (status, said),
            (StatusCode::NOT_FOUND, (Some("not_found"), Some("there is no such site"))),
            "{path}"
        );
        let (status, answer) = system.get(&of(&edge.warehouse_id.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_range_that_ends_before_it_begins_is_refused() {
    let system = System::start().await;
    for path in ["events", "alerts", "audit"] {
        let asked = |from: &str, to: &str| format!("/api/v1/{path}?from={from}T00:00:00Z&to={to}T00:00:00Z");
        let (status, problem) = system.get(&asked("2026-05-02", "2026-05-01")).await;
        assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("query_invalid")), "{path}");
        assert_eq!(system.get(&asked("2026-05-01", "2026-05-02")).await.0, StatusCode::OK, "{path}");
    }
}

/// In an address a `+` means a blank.
#[tokio::test]
async fn an_offset_that_is_not_escaped_is_refused_with_how_to_write_it() {
    let system = System::start().await;
    for path in ["events", "alerts", "audit"] {
        let (status, problem) = system.get(&format!("/api/v1/{path}?from=2026-05-01T12:00:00+01:00")).await;
        assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("query_invalid")), "{path}");
        let message = problem["message"].as_str().expect("text");
        assert!(message.contains("from") && message.contains("%2B"), "{message}");
        let (status, _) = system.get(&format!("/api/v1/{path}?from=2026-05-01T12:00:00%2B01:00")).await;
        assert_eq!(status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_mistyped_address_is_the_pages_to_explain_and_to_programs_a_problem() {
    let system = System::start().await;
    let ask = async |path: &str, accept: &str| {
        let request = system.http.get(format!("{}{path}", system.url)).header("accept", accept);
        let answer = request.header("if-none-match", "*").send().await.expect("an answer");
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        (answer.status(), kind, answer.headers().clone())
    };
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    let (status, kind, headers) = ask("/nowhere", browser).await;
    assert_eq!((status, kind.as_str()), (StatusCode::NOT_FOUND, "text/html; charset=utf-8"));
    assert!(
        headers["content-security-policy"].to_str().expect("text").contains("default-src 'self'"),
        "the page's own"
    );
    for (path, accept) in [
        ("/nowhere", "application/json"),
        ("/nowhere", "*/*"),
        ("/api/v1/nowhere", browser),
        ("/api/v1/nowhere", "*/*"),
    ] {
        let (status, kind, _) = ask(path, accept).await;
        assert_eq!((status, kind.as_str()), (StatusCode::NOT_FOUND, "application/problem+json"), "{path} {accept}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_said_to_be() {
    let system = System::start().await;
    let edge = system.edge().await;
    let path = format!("/api/v1/sites/{}/settings", edge.warehouse_id);
    let (status, problem) = system.put(&path, &serde_json::json!({ "name": "x".repeat(2 * 1024 * 1024) })).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("too_large")), "{problem}");
}

/// Waits until the only site is so; answers its reasons.
async fn site_is(system: &System, state: &str, reason: &str) -> String {
    eventually(&format!("the site is {state} {reason}"), async || {
        let (status, health) = system.get("/api/v1/fleet/health").await;
        assert_eq!(status, StatusCode::OK);
        has(&health, &["generated_at", "counts", "events_per_second", "alerts_open", "sites"]);
        let site = health["sites"].get(0)?;
        has(
            site,
            &["warehouse_id", "name", "state", "reasons", "since", "edges", "edges_silent", "backlog", "missing"],
        );
        has(site, &["oldest_age_seconds", "drain_seconds", "last_heartbeat_at", "last_progress_at", "last_event_time"]);
        has(site, &["events_per_second", "alerts_open", "alerts_unacknowledged", "dead_letters_open", "completeness"]);
        assert_eq!(health["counts"][site["state"].as_str().expect("a state")], 1);
        let reasons = site["reasons"].to_string();
        (site["state"] == state && reasons.contains(reason)).then_some(reasons)
    })
    .await
}

#[tokio::test]
async fn a_site_is_judged_by_its_heartbeats_and_its_ledger() {
    let system = System::start().await;
    let edge = system.edge().await;
    site_is(&system, "unknown", "never heard of").await;
    edge.beat(&edge.heartbeat(0, &[])).await;
    assert_eq!(site_is(&system, "healthy", "").await, "[]");
    edge.beat(&edge.heartbeat(3, &[])).await;
    site_is(&system, "degraded", "3 events it accepted are missing").await;
    edge.send(&Batch::of(&edge.records(1..=3))).await.receipt();
    site_is(&system, "healthy", "").await;
    let mut heartbeat = edge.heartbeat(3, &[]);
    heartbeat.health.add(Status::Degraded, Code::RedisDown, "spilling");
    edge.beat(&heartbeat).await;
    assert_eq!(site_is(&system, "degraded", "").await, "[\"spilling\"]");
    let silent = |secs: u32| {
        format!(
            "UPDATE edges SET heartbeat_at = now() - interval '{secs} seconds';
             UPDATE edge_epochs SET last_received_at = now() - interval '{secs} seconds'"
        )
    };
    crate::servers::execute(&system.pool, &silent(60)).await;
    site_is(&system, "stale", "last heartbeat 6").await;
    crate::servers::execute(&system.pool, &silent(600)).await;
    site_is(&system, "offline", "10 min ago").await;
}

#[tokio::test]
async fn stats_and_the_page_of_a_site_add_up() {
    let system = System::start().await;
    let edge = system.edge().await;
    let time = clock::now() - TimeDelta::minutes(2);
    let records: Vec<_> = (1..=30).map(|seq| edge.record(seq, &edge.event_at(time))).collect();
    edge.send(&Batch::of(&records)).await.receipt();
    edge.beat(&edge.heartbeat(40, &[(31, 36)])).await;
    let stats = eventually("the heartbeat is seen", async || {
        let (status, stats) = system.get("/api/v1/fleet/stats").await;
        assert_eq!(status, StatusCode::OK);
        // The rate is by the minute, and looked at less often.
        let site = &stats["sites"][0];
        (site["received"] == 30 && site["missing"] == 4 && site["events_per_second"] == 0.1).then_some(stats)
    })
    .await;
    let site = &stats["sites"][0];
    for (key, value) in [
        ("events_stored", 30),
        ("accepted", 40),
        ("received", 30),
        ("buffered", 6),
        ("missing", 4),
        ("duplicates", 0),
        ("dead", 0),
        ("dead_letters_open", 0),
    ] {
        assert_eq!(site[key], value, "{key}");
    }
    assert_eq!(site["last_event_time"], serde_json::to_value(time).expect("a time"));
    assert_eq!((&stats["totals"]["stored"], &stats["totals"]["missing"]), (&30.into(), &4.into()));

    let (status, page) = system.get(&format!("/api/v1/sites/{}", edge.warehouse_id)).await;
    assert_eq!(status, StatusCode::OK);
    has(&page, &["warehouse_id", "name", "state", "reasons", "time_zone", "stats", "zones", "cameras", "edge_list"]);
    assert_eq!(page["zones"][0]["zone_id"], edge.zone_id.to_string());
    assert_eq!(page["zones"][0]["last_event_time"], serde_json::to_value(time).expect("a time"));
    assert_eq!((&page["edges"], &page["edge_list"][0]["ledger"]["missing"]), (&1.into(), &4.into()));
    assert_eq!(page["edge_list"][0]["epochs"][0]["epoch"], edge.epoch.to_string());
    assert_eq!(page["edge_list"][0]["heartbeat"]["accepted"], 40);
    assert_eq!(page["stats"], *site);
}

#[tokio::test]
async fn events_come_newest_first_page_by_page_without_gaps() {
    let system = System::start().await;
    let (a, b) = (system.edge().await, system.edge().await);
    let now = clock::now();
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for i in 0..20u64 {
        // Pairs at the same moment, over several days.
        let time = now - TimeDelta::hours(6 * i64::try_from(i / 2).expect("small"));
        of_a.push(a.record(i + 1, &a.event_at(time)));
        of_b.push(b.record(i + 1, &b.event_at(time)));
    }
    a.send(&Batch::of(&of_a)).await.receipt();
    b.send(&Batch::of(&of_b)).await.receipt();
    let all = async |filter: String| {
        let mut events: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        loop {
            let (status, page) = system.get(&format!("/api/v1/events?limit=7{filter}{cursor}")).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            events.extend(page["events"].as_array().expect("events").iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return events,
            }
        }
    };
    let micros = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let ever = format!("&from={}", micros(now - TimeDelta::days(9)));
    let events = all(ever.clone()).await;
    assert_eq!(events.len(), 40);
    let ids: std::collections::BTreeSet<_> = events.iter().map(|e| e["event_id"].to_string()).collect();
    assert_eq!(ids.len(), 40);
    let times: Vec<_> = events
        .iter()
        .map(|e| e["event_time"].as_str().expect("a time").parse::<chrono::DateTime<chrono::Utc>>().expect("a time"))
        .collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
    has(&events[0], &["event_id", "event_time", "zone_id", "camera_id", "risk_score", "posture_keypoints", "edge_seq"]);
    assert_eq!(events[0]["risk_score"], 45.08);
    assert_eq!(events[0]["posture_keypoints"]["head"]["x"], 0.5082);
    assert!(events.iter().all(|e| e.get("worker_id").is_none()), "personal data");

    assert_eq!(all(format!("{ever}&warehouse_id={}", a.warehouse_id)).await.len(), 20);
    assert_eq!(all(format!("{ever}&zone_id={}", b.zone_id)).await.len(), 20);
    assert_eq!(all(format!("{ever}&camera_id=cam-07")).await.len(), 40);
    assert_eq!(all(format!("{ever}&camera_id=cam-08")).await.len(), 0);
    let (from, to) = (micros(now - TimeDelta::hours(12)), micros(now));
    assert_eq!(all(format!("&from={from}&to={to}")).await.len(), 8, "from is inclusive, to is not");

    // Without a range it is the last day, and the answer says so.
    assert_eq!(all(String::new()).await.len(), 16);
    let (_, page) = system.get(&format!("/api/v1/events?to={from}")).await;
    assert_eq!(
        (page["from"].as_str(), page["to"].as_str()),
        (Some(&*micros(now - TimeDelta::hours(36))), Some(&*from))
    );
    assert_eq!(page["events"].as_array().map(Vec::len), Some(16));
}

#[tokio::test]
async fn health_has_the_shape_of_the_original_and_more() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.send(&Batch::of(&edge.records(1..=5))).await.receipt();
    let health = eventually("healthy and measured", async || {
        let (_, health) = system.get("/streams/health").await;
        let measured = health["stream"]["info"]["entries"] == 1 && health["stream"]["length"] == 0;
        (health["status"] == "healthy" && measured).then_some(health)
    })
    .await;
    has(&health, &["status", "stream", "worker", "timestamp", "reasons", "workers", "postgres"]);
    has(&health["stream"], &["name", "length", "info", "partitions"]);
    has(&health["worker"], &["status", "consumerGroup", "consumerName", "pendingMessages", "processedKeysCount"]);
    assert_eq!(health["stream"]["name"], "ergonomics:events");
    assert_eq!(health["worker"]["consumerGroup"], "ergonomics-processor");
    assert_eq!(health["worker"]["status"], "running");
    assert_eq!(health["worker"]["processedKeysCount"], 5);
    assert_eq!(health["stream"]["partitions"].as_array().map(Vec::len), Some(8));
    assert!(health["timestamp"].as_str().expect("text").ends_with('Z'));
    let (_, stats) = system.get("/streams/stats").await;
    assert_eq!(stats["counts"]["recordsStored"], 5);
}

#[tokio::test]
async fn metrics_start_at_zero_and_name_nobody() {
    let system = System::start().await;
    for name in ["received", "stored", "duplicate", "dead"] {
        assert_eq!(system.metric(&format!("smartpick_central_records_{name}_total")).await, 0.0);
    }
    let edge = system.edge().await;
    let event = edge.event();
    edge.send(&Batch::of(&[edge.record(1, &event), edge.record(2, &event), vec![0; 40]])).await.receipt();
    for (name, value) in [("received", 3.0), ("stored", 1.0), ("duplicate", 1.0), ("dead", 1.0)] {
        assert_eq!(system.metric(&format!("smartpick_central_records_{name}_total")).await, value, "{name}");
    }
    let text = system.http.get(format!("{}/metrics", system.url)).send().await.expect("an answer");
    let text = text.text().await.expect("text");
    let worker = event.worker_id.expect("one").to_string();
    for personal in [worker, edge.edge_id.to_string(), event.camera_id.to_string()] {
        assert!(!text.contains(&personal));
    }
}
