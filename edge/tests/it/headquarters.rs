//! What headquarters says of the rules, and of batches, over real HTTP, with a headquarters that says what the test
//! wants.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use common::clock;
use common::ids::{EdgeId, WarehouseId, ZoneId};
use common::problem::Problem;
use common::protocol::{
    BATCHES_PATH, HEADER_BATCH_ID, HEADER_PROTOCOL, HEADER_RECORDS, HEARTBEATS_PATH, Heartbeat, HeartbeatAnswer,
    PROTOCOL_VERSION, Receipt,
};
use common::rules::{RuleConfig, RuleSet};
use edge::site::ZoneConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::alerts::{Api, Floor, LIFT, ZONE, eventually};

const WAREHOUSE: Uuid = Uuid::from_u128(1);

/// What it says, and what it heard.
#[derive(Default)]
struct Desk {
    rules: Option<RuleSet>,
    site_wanted: bool,
    heard: Vec<Heartbeat>,
    /// The protocol that it takes batches in; `None`: it takes none now.
    speaks: Option<u16>,
    /// Batches that were refused for their protocol.
    refused: u32,
    /// Records of those that were not.
    taken: u32,
}

struct Headquarters {
    url: String,
    desk: Arc<Mutex<Desk>>,
    stop: CancellationToken,
}

impl Headquarters {
    async fn start() -> Self {
        let desk = Arc::new(Mutex::new(Desk::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new()
            .route(HEARTBEATS_PATH, post(answer))
            .route(BATCHES_PATH, post(receipt))
            .with_state(Arc::clone(&desk));
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(until.cancelled_owned()).await.expect("serves");
        });
        Self { url, desk, stop }
    }

    /// Until told otherwise, each answer brings this, as for an edge that goes by another.
    fn says(&self, set: &RuleSet) {
        self.desk.lock().expect("whole").rules = Some(set.clone());
    }

    fn last(&self) -> Option<Heartbeat> {
        self.desk.lock().expect("whole").heard.last().cloned()
    }

    async fn floor(&self, dir: &TempDir) -> Floor {
        floor(&self.url, dir.path()).await
    }
}

async fn answer(State(desk): State<Arc<Mutex<Desk>>>, Json(heartbeat): Json<Heartbeat>) -> Json<HeartbeatAnswer> {
    let mut desk = desk.lock().expect("whole");
    let report = heartbeat.rules.clone().expect("a report");
    let settled = |set: &RuleSet| report.set_id == Some(set.set_id) || report.refused == Some(set.set_id);
    let rules = desk.rules.clone().filter(|set| !settled(set));
    let site_wanted = std::mem::take(&mut desk.site_wanted);
    desk.heard.push(heartbeat);
    Json(HeartbeatAnswer {
        settled: Vec::new(),
        lacking: Vec::new(),
        database: None,
        server_time: clock::now(),
        facts: Vec::new(),
        facts_until: 0,
        site_wanted,
        rules,
    })
}

async fn receipt(State(desk): State<Arc<Mutex<Desk>>>, headers: HeaderMap) -> Response {
    let header = |name: &str| headers[name].to_str().expect("text");
    let mut desk = desk.lock().expect("whole");
    let Some(speaks) = desk.speaks else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    if header(HEADER_PROTOCOL) != speaks.to_string() {
        desk.refused += 1;
        return Problem::new(StatusCode::BAD_REQUEST, "protocol_unsupported", "another protocol").into_response();
    }
    let committed: u32 = header(HEADER_RECORDS).parse().expect("a number");
    desk.taken += committed;
    let batch_id = header(HEADER_BATCH_ID).parse().expect("an id");
    Json(Receipt { batch_id, committed, duplicates: 0, dead_letters: Vec::new(), database: None }).into_response()
}

async fn floor(url: &str, dir: &Path) -> Floor {
    Floor::start(dir, |config| {
        config.central.url = Some(url.to_owned());
        config.central.token = Some("token".to_owned());
        config.warehouse_id = Some(WarehouseId::from_uuid(WAREHOUSE));
        config.edge_id = Some(EdgeId::from_uuid(Uuid::from_u128(2)));
        config.site.name = "Hall 1".to_owned();
        config.site.zones = vec![ZoneConfig { zone_id: ZoneId::from_uuid(ZONE), name: "Picking".to_owned() }];
    })
    .await
}

fn set(version: u64, rules: Value) -> RuleSet {
    RuleSet {
        version,
        set_id: Uuid::from_u128(u128::from(version)),
        rules: serde_json::from_value(rules).expect("rules"),
    }
}

fn sustained() -> Value {
    json!(RuleConfig::sustained_risk())
}

fn heavy() -> Value {
    json!({"name": "heavy", "threshold": 60, "for": "2s"})
}

/// A lift that goes on and on.
fn lifting(api: Api) -> CancellationToken {
    let stop = CancellationToken::new();
    let until = stop.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
        while !until.is_cancelled() {
            ticks.tick().await;
            api.send(&LIFT.events(clock::now(), 0.0, 80.0)).await;
        }
    });
    stop
}

fn of_rule<'a>(alerts: &'a [Value], rule: &str) -> Vec<&'a Value> {
    alerts.iter().filter(|alert| alert["rule"] == rule).collect()
}

async fn rules_shown(api: &Api, names: &[&str]) {
    eventually(api, "/api/v1/site", |site| {
        let shown: Vec<&str> =
            site["rules"].as_array().expect("rules").iter().filter_map(|r| r["name"].as_str()).collect();
        shown == names
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rules_come_into_force_under_a_lift_and_outlive_a_restart_without_wan() {
    let dir = TempDir::new().expect("a directory");
    let headquarters = Headquarters::start().await;
    let floor = headquarters.floor(&dir).await;
    let api = floor.api();
    let lift = lifting(api.clone());
    let raised = api.until("?subject=risk", |alerts| alerts.len() == 1).await[0]["alert_id"].clone();

    headquarters.says(&set(1, json!([heavy(), sustained()])));
    rules_shown(&api, &["heavy", "sustained-risk"]).await;
    let alerts = api.until("?subject=risk", |alerts| alerts.len() == 2).await;
    let goes_on = of_rule(&alerts, "sustained-risk");
    assert_eq!((goes_on.len(), &goes_on[0]["alert_id"], &goes_on[0]["state"]), (1, &raised, &json!("raised")));
    let new = of_rule(&alerts, "heavy")[0]["alert_id"].clone();

    headquarters.says(&set(2, json!([heavy()])));
    rules_shown(&api, &["heavy"]).await;
    let alerts = api.until("?subject=risk", |alerts| alerts.iter().any(|alert| alert["state"] == "cleared")).await;
    let (over, goes_on) = (of_rule(&alerts, "sustained-risk"), of_rule(&alerts, "heavy"));
    assert_eq!((over.len(), &over[0]["alert_id"], &over[0]["state"]), (1, &raised, &json!("cleared")));
    assert!(over[0]["summary"].as_str().expect("text").contains("rules were changed"), "{over:?}");
    assert_eq!((goes_on.len(), &goes_on[0]["alert_id"], &goes_on[0]["state"]), (1, &new, &json!("raised")));
    // Told at once, not ten seconds later.
    eventually(&api, "/streams/health", |_| {
        let report = headquarters.last().and_then(|heartbeat| heartbeat.rules).expect("a report");
        (report.version, report.set_id, report.error) == (Some(2), Some(Uuid::from_u128(2)), None)
    })
    .await;
    let metrics = floor.http.get(format!("{}/metrics", floor.url)).send().await.expect("an answer").text().await;
    let metrics = metrics.expect("text");
    assert!(metrics.contains("smartpick_alerts_raised_total{rule=\"heavy\""), "{metrics}");
    assert!(!metrics.contains("rule=\"sustained-risk\""), "{metrics}");
    lift.cancel();
    floor.stop().await;

    headquarters.stop.cancel();
    let floor = floor_without_wan(&dir).await;
    let (_, site) = floor.api().get("/api/v1/site").await;
    assert_eq!((&site["rules"][0]["name"], &site["rules_version"]), (&json!("heavy"), &json!(2)));
    let (_, health) = floor.api().get("/streams/health").await;
    assert_eq!(health["rules"]["from"], "headquarters' version 2");
    floor.stop().await;
}

/// Nobody listens on port 9.
async fn floor_without_wan(dir: &TempDir) -> Floor {
    floor("http://127.0.0.1:9", dir.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_cannot_be_used_is_refused_in_words_and_one_that_is_damaged_is_asked_for_again() {
    let dir = TempDir::new().expect("a directory");
    let headquarters = Headquarters::start().await;
    headquarters.says(&set(1, json!([heavy()])));
    let floor = headquarters.floor(&dir).await;
    let api = floor.api();
    rules_shown(&api, &["heavy"]).await;
    let foreign = set(2, json!([{"name": "heavy", "threshold": 60, "posture": "bent"}]));
    headquarters.says(&foreign);
    let report = loop {
        let report = headquarters.last().and_then(|heartbeat| heartbeat.rules).expect("a report");
        if report.refused.is_some() {
            break report;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!((report.version, report.refused), (Some(1), Some(foreign.set_id)));
    assert!(report.error.expect("why").contains("rule 1: unknown field `posture`"));
    let degraded = |health: &Value, words: &str| {
        let reasons = health["reasons"].as_array().expect("reasons");
        reasons.iter().filter_map(Value::as_str).any(|reason| reason.contains(words))
    };
    eventually(&api, "/streams/health", |health| {
        degraded(health, "version 2, cannot be used here") && degraded(health, "in force are headquarters' version 1")
    })
    .await;
    rules_shown(&api, &["heavy"]).await;
    floor.stop().await;

    // The disk did something to it meanwhile.
    headquarters.says(&set(1, json!([heavy()])));
    let file = dir.path().join("data/headquarters-rules");
    let text = std::fs::read_to_string(&file).expect("kept");
    std::fs::write(&file, text.replace("heavy", "heavx")).expect("written");
    let without = floor_without_wan(&dir).await;
    let (_, site) = without.api().get("/api/v1/site").await;
    assert_eq!((&site["rules"][0]["name"], &site["rules_version"]), (&json!("sustained-risk"), &Value::Null));
    eventually(&without.api(), "/streams/health", |health| degraded(health, "rules were damaged on disk")).await;
    without.stop().await;
    let floor = headquarters.floor(&dir).await;
    rules_shown(&floor.api(), &["heavy"]).await;
    eventually(&floor.api(), "/streams/health", |health| !degraded(health, "headquarters' rules")).await;
    // Headquarters gives the edge its own back.
    headquarters.says(&RuleSet { version: 3, set_id: Uuid::from_u128(3), rules: None });
    rules_shown(&floor.api(), &["sustained-risk"]).await;
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_is_told_when_it_is_asked_for() {
    let dir = TempDir::new().expect("a directory");
    let headquarters = Headquarters::start().await;
    headquarters.desk.lock().expect("whole").site_wanted = true;
    let floor = headquarters.floor(&dir).await;
    eventually(&floor.api(), "/streams/health", |_| headquarters.last().is_some_and(|heard| heard.site.is_some()))
        .await;
    let heard = std::mem::take(&mut headquarters.desk.lock().expect("whole").heard);
    assert_eq!(heard[0].site, None, "not before it is asked for");
    let site = heard[1].site.as_ref().expect("told");
    assert_eq!((site.name.as_str(), site.zones[0].name.as_str()), ("Hall 1", "Picking"));
    assert_eq!(heard[1].site_digest, Some(site.digest()));
    floor.stop().await;
    assert_eq!(headquarters.last().and_then(|last| last.site), None, "and once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_headquarters_of_another_protocol_refuses_is_kept_until_it_is_of_ours() {
    let dir = TempDir::new().expect("a directory");
    let headquarters = Headquarters::start().await;
    let said = || headquarters.desk.lock().expect("whole");
    said().speaks = Some(PROTOCOL_VERSION + 1);
    let floor = headquarters.floor(&dir).await;
    let api = floor.api();
    let events = LIFT.events(clock::now(), 1.0, 20.0);
    api.send(&events).await;
    eventually(&api, "/streams/health", |health| {
        let error = health["central"]["error"].as_str().unwrap_or_default();
        error.contains("another protocol") && said().refused > 0
    })
    .await;
    let (_, stats) = api.get("/streams/stats").await;
    assert_eq!((&stats["buffered"]["backlog"], &stats["deadLetters"]), (&json!(events.len()), &json!(0)), "{stats:#}");
    // Kept on disk too.
    floor.stop().await;
    said().speaks = Some(PROTOCOL_VERSION);
    let floor = headquarters.floor(&dir).await;
    eventually(&floor.api(), "/streams/stats", |stats| {
        stats["buffered"]["backlog"] == 0 && said().taken as usize == events.len()
    })
    .await;
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_headquarters_that_takes_connections_and_never_answers_holds_up_no_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (asks, mut asked) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // It is kept open there.
            asks.send(connection).await.ok();
        }
    });
    let dir = TempDir::new().expect("a directory");
    let floor = floor(&url, dir.path()).await;
    floor.api().send(&LIFT.events(clock::now(), 0.0, 80.0)).await;
    let _heartbeat_and_batch = [asked.recv().await, asked.recv().await].map(|ask| ask.expect("a connection"));
    let began = Instant::now();
    floor.stop().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
