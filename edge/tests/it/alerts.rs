//! The life of an alert over real HTTP, from a posted lift to what headquarters will be told, with no WAN at all.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use edge::config::Config;
use edge::edge::Edge;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

/// Everything here happens within moments; this is for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);
pub const ZONE: Uuid = Uuid::from_u128(0x20);

/// A running edge and its data.
pub struct Floor {
    pub edge: Edge,
    pub url: String,
    pub http: Client,
}

impl Floor {
    pub async fn start(dir: &Path, change: impl FnOnce(&mut Config)) -> Self {
        // Once per process; the other tests may have done it already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
        config.data_dir = dir.join("data").display().to_string();
        change(&mut config);
        let edge = edge::edge::start(config).await.expect("starts");
        let url = format!("http://{}", edge.addr);
        Self { edge, url, http: Client::new() }
    }

    pub async fn stop(self) {
        drop(self.http);
        self.edge.life.stop().await.expect("stops in time");
    }

    pub fn api(&self) -> Api {
        Api { url: self.url.clone(), http: self.http.clone() }
    }
}

/// What a client does with an edge.
#[derive(Clone)]
pub struct Api {
    pub url: String,
    pub http: Client,
}

impl Api {
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.http.get(format!("{}{path}", self.url))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    pub async fn send(&self, events: &[Value]) {
        let (status, said) = self.post("/ingestion/ergonomics", &json!(events)).await;
        assert_eq!((status, &said["rejected"]), (StatusCode::ACCEPTED, &json!(0)), "{said}");
    }

    pub async fn alerts(&self, query: &str) -> Vec<Value> {
        let (status, said) = self.get(&format!("/api/v1/alerts{query}")).await;
        assert_eq!(status, StatusCode::OK, "{said}");
        said["alerts"].as_array().expect("a list").clone()
    }

    /// Waits until the alerts of a query are as wanted.
    pub async fn until(&self, query: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let alerts = self.alerts(query).await;
            if wanted(&alerts) {
                return alerts;
            }
            assert!(began.elapsed() < PATIENCE, "{query}: still {alerts:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn stats(&self) -> Value {
        self.get("/streams/stats").await.1
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// Waits for a condition on what a path answers.
pub async fn eventually(api: &Api, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (_, said) = api.get(path).await;
        if wanted(&said) {
            return said;
        }
        assert!(began.elapsed() < PATIENCE, "{path}: still {said:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Somebody who lifts, in view of a camera.
pub struct Lift {
    pub zone: Uuid,
    pub camera: &'static str,
    pub worker: Option<Uuid>,
}

pub const LIFT: Lift = Lift { zone: ZONE, camera: "cam-01", worker: Some(Uuid::from_u128(0x77)) };

impl Lift {
    /// Eight events a second from `from` on, for so many seconds, with a score that rises from `risk` by a hundredth
    /// each time.
    pub fn events(&self, from: DateTime<Utc>, seconds: f64, risk: f64) -> Vec<Value> {
        let count = (seconds * 8.0) as i32;
        (0..=count)
            .map(|n| {
                json!({
                    "event_id": Uuid::new_v4(),
                    "event_time": from + TimeDelta::milliseconds(i64::from(n) * 125),
                    "warehouse_id": Uuid::from_u128(1),
                    "zone_id": self.zone,
                    "camera_id": self.camera,
                    "worker_id": self.worker,
                    "model_version": "v1",
                    "risk_score": risk + f64::from(n) / 100.0,
                    "confidence": 0.9,
                    "source": "camera",
                    "posture_keypoints": {"head": {"x": n, "y": 1, "confidence": 0.5}},
                })
            })
            .collect()
    }
}

fn acknowledge(id: &Value) -> String {
    format!("/api/v1/alerts/{}/acknowledge", id.as_str().expect("an id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lift_is_raised_acknowledged_once_and_cleared() {
    let dir = TempDir::new().expect("a temp dir");
    let floor = Floor::start(dir.path(), |config| {
        config.site.zones =
            vec![edge::site::ZoneConfig { zone_id: ZONE.to_string().parse().expect("an id"), name: "Picking".into() }];
    })
    .await;
    let api = floor.api();
    // The lift goes on: its last event is of now.
    let began = clock::now() - TimeDelta::seconds(4);
    let posted = Instant::now();
    api.send(&LIFT.events(began, 4.0, 75.0)).await;
    let open = api.until("?state=open", |alerts| alerts.len() == 1).await;
    assert!(posted.elapsed() < Duration::from_secs(5), "{:?}", posted.elapsed());
    let alert = &open[0];
    assert_eq!((&alert["state"], &alert["rule"]), (&json!("raised"), &json!("sustained-risk")));
    assert_eq!((&alert["zone"], &alert["camera_id"]), (&json!("Picking"), &json!("cam-01")));
    assert_eq!(alert["late"], false);
    assert!(alert.get("worker_id").is_none() && !alert.to_string().contains("00000077"), "{alert}");

    // Acknowledged twice with one id: one fact, one answer.
    let path = acknowledge(&alert["alert_id"]);
    let body = json!({"fact_id": Uuid::from_u128(5), "note": " on my way "});
    let (status, first) = api.post(&path, &body).await;
    assert_eq!((status, &first["acknowledged"]["note"]), (StatusCode::OK, &json!("on my way")), "{first}");
    assert_eq!(first["acknowledged"]["by"], "floor");
    let (status, again) = api.post(&path, &body).await;
    assert_eq!((status, &again["acknowledged"]), (StatusCode::OK, &first["acknowledged"]));
    // Another statement under the same id.
    let (status, problem) = api.post(&path, &json!({"fact_id": Uuid::from_u128(5), "note": "no"})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("fact_conflict")));
    // A second acknowledgement is kept, and the first still counts.
    let (status, second) = api.post(&path, &json!({"fact_id": Uuid::from_u128(6)})).await;
    assert_eq!((status, &second["acknowledged"]), (StatusCode::OK, &first["acknowledged"]));

    let cleared = api.until("?state=cleared", |alerts| alerts.len() == 1).await;
    assert_eq!((&cleared[0]["alert_id"], &cleared[0]["revision"]), (&alert["alert_id"], &json!(2)));
    assert_eq!(cleared[0]["acknowledged"], first["acknowledged"]);
    let (_, detail) = api.get(&format!("/api/v1/alerts/{}", alert["alert_id"].as_str().expect("an id"))).await;
    assert_eq!((&detail["threshold"], &detail["clear_below"]), (&json!(70.0), &json!(70.0)));
    assert_eq!(detail["facts"].as_array().map(Vec::len), Some(2), "{detail}");
    let curve = detail["curve"].as_array().expect("a curve");
    assert!(curve.len() > 10 && curve.iter().all(|point| point["risk"].as_f64() >= Some(75.0)), "{curve:?}");
    assert!(detail["posture"]["head"]["x"].is_i64(), "{}", detail["posture"]);
    assert!(!detail.to_string().contains("00000077"), "nobody's identity");
    assert!(api.alerts("?state=open").await.is_empty());

    let metrics =
        api.http.get(format!("{}/metrics", api.url)).send().await.expect("answers").text().await.expect("text");
    let raised = "smartpick_alerts_raised_total{rule=\"sustained-risk\",severity=\"warning\"} 1";
    assert!(metrics.contains(raised) && metrics.contains("smartpick_alerts_unevaluated_total 0"), "{metrics}");
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_or_said_names_its_field() {
    let dir = TempDir::new().expect("a temp dir");
    let floor = Floor::start(dir.path(), |_| {}).await;
    let api = floor.api();
    for (path, name) in [
        ("/api/v1/alerts?state=gone", "state=gone"),
        ("/api/v1/alerts?zone=picking", "zone=picking"),
        ("/api/v1/alerts?severity=bad", "severity"),
        ("/api/v1/alerts?subject=all", "subject"),
        ("/api/v1/alerts?from=yesterday", "from=yesterday"),
        ("/api/v1/alerts?limit=0", "limit"),
        ("/api/v1/alerts?limit=501", "limit"),
        ("/api/v1/alerts?cursor=7", "cursor"),
        ("/api/v1/alerts?stat=open", "stat=open"),
        ("/api/v1/shift?which=next", "which"),
        ("/api/v1/shift?at=now", "at=now"),
    ] {
        let (status, problem) = api.get(path).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("query_invalid")), "{path}");
        assert!(problem["message"].as_str().is_some_and(|text| text.contains(name)), "{problem}");
    }
    let unknown = "/api/v1/alerts/00000000-0000-4000-8000-000000000009";
    assert_eq!(api.get(unknown).await.0, StatusCode::NOT_FOUND);
    let fact = json!({"fact_id": Uuid::new_v4()});
    for (path, body, status, text) in [
        (format!("{unknown}/acknowledge"), fact.clone(), 404, "too old"),
        ("/api/v1/alerts/x/acknowledge".to_owned(), fact.clone(), 404, "too old"),
        (format!("{unknown}/acknowledge"), json!({"note": "x"}), 400, "fact_id"),
        (format!("{unknown}/acknowledge"), json!({"fact_id": Uuid::new_v4(), "note": "x".repeat(501)}), 422, "note"),
        (format!("{unknown}/acknowledge"), json!({"fact_id": Uuid::new_v4(), "why": 1}), 400, "why"),
        (
            "/api/v1/silences".to_owned(),
            json!({"silence_id": Uuid::new_v4(), "reason": "x", "minutes": 0}),
            422,
            "minutes",
        ),
        ("/api/v1/silences/00000000-0000-4000-8000-000000000009/end".to_owned(), fact, 404, "silence"),
    ] {
        let (said, problem) = api.post(&path, &body).await;
        assert_eq!(said.as_u16(), status, "{path} {body}: {problem}");
        assert!(problem["message"].as_str().is_some_and(|message| message.contains(text)), "{problem}");
    }
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_covers_counts_and_ends() {
    let dir = TempDir::new().expect("a temp dir");
    let floor = Floor::start(dir.path(), |_| {}).await;
    let api = floor.api();
    let body = json!({
        "silence_id": Uuid::from_u128(8), "scope": {"zone_id": ZONE}, "reason": "training", "minutes": 30,
    });
    let (status, silence) = api.post("/api/v1/silences", &body).await;
    assert_eq!((status, &silence["active"], &silence["alerts"]), (StatusCode::CREATED, &json!(true), &json!(0)));
    let (status, again) = api.post("/api/v1/silences", &body).await;
    assert_eq!((status, &again["until"]), (StatusCode::OK, &silence["until"]), "the first one's time holds");

    let now = clock::now();
    api.send(&LIFT.events(now - TimeDelta::seconds(4), 4.0, 80.0)).await;
    let elsewhere = Lift { zone: Uuid::from_u128(0x21), camera: "cam-02", worker: Some(Uuid::from_u128(0x78)) };
    api.send(&elsewhere.events(now - TimeDelta::seconds(4), 4.0, 80.0)).await;
    api.until("", |alerts| alerts.len() == 2).await;
    let silenced = api.until("?state=silenced", |alerts| alerts.len() == 1 && alerts[0]["state"] == "cleared").await;
    assert_eq!((&silenced[0]["zone_id"], &silenced[0]["silenced"]["reason"]), (&json!(ZONE), &json!("training")));
    let (_, all) = api.get("/api/v1/silences").await;
    assert_eq!((all["silences"].as_array().map(Vec::len), &all["silences"][0]["alerts"]), (Some(1), &json!(1)));

    let end = format!("/api/v1/silences/{}/end", Uuid::from_u128(8));
    let (status, ended) = api.post(&end, &json!({"fact_id": Uuid::from_u128(9)})).await;
    assert_eq!((status, &ended["active"], &ended["ended"]["by"]), (StatusCode::OK, &json!(false), &json!("floor")));
    assert_eq!(api.post(&end, &json!({"fact_id": Uuid::from_u128(9)})).await.1["ended"], ended["ended"]);
    // What is raised from now on is not silenced; what was, still says so.
    let other = Lift { worker: Some(Uuid::from_u128(0x79)), ..LIFT };
    api.send(&other.events(clock::now() - TimeDelta::seconds(4), 4.0, 80.0)).await;
    api.until("", |alerts| alerts.len() == 3 && alerts.iter().all(|alert| alert["state"] == "cleared")).await;
    assert_eq!(api.alerts("?state=silenced").await, silenced);
    floor.stop().await;
}

/// The pages of the list hold every alert once, newest first, and filters say what they mean.
#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_alert_once() {
    let dir = TempDir::new().expect("a temp dir");
    let floor = Floor::start(dir.path(), |_| {}).await;
    let api = floor.api();
    let began = clock::now() - TimeDelta::hours(2);
    // One after the other and in zones of their own, so that no flood is grouped.
    for n in 0..7u32 {
        let lift = Lift { zone: Uuid::from_u128(0x100 + u128::from(n)), ..LIFT };
        api.send(&lift.events(began + TimeDelta::minutes(i64::from(n)), 5.0, 80.0)).await;
    }
    let all = api.until("?state=cleared", |alerts| alerts.len() == 7).await;
    assert!(all.iter().all(|alert| alert["late"] == true), "two hours old is no news");
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = api.get(&format!("/api/v1/alerts?limit=3{cursor}")).await;
        paged.extend(page["alerts"].as_array().expect("a list").clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);
    let times: Vec<&str> = all.iter().filter_map(|alert| alert["raised_at"].as_str()).collect();
    assert!(times.is_sorted_by(|a, b| a > b), "{times:?}");
    let from = |minutes| (began + TimeDelta::minutes(minutes)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    assert_eq!(api.alerts(&format!("?from={}&to={}", from(2), from(5))).await.len(), 3);
    assert_eq!(api.alerts(&format!("?zone={}", Uuid::from_u128(0x103))).await.len(), 1);
    assert_eq!(api.alerts("?camera=cam-02").await.len(), 0);
    assert_eq!(api.alerts("?severity=critical").await.len(), 0);
    assert_eq!(api.alerts("?subject=risk&severity=warning").await.len(), 7);

    // Sent once more under other ids, as after a repair: the same alerts, and nothing told twice.
    let before = api.stats().await["accepted"].as_u64().expect("a number");
    let again: Vec<Value> = {
        let lift = Lift { zone: Uuid::from_u128(0x103), ..LIFT };
        lift.events(began + TimeDelta::minutes(3), 5.0, 80.0)
    };
    api.send(&again).await;
    eventually(&api, "/streams/stats", |stats| stats["accepted"].as_u64() == Some(before + again.len() as u64)).await;
    floor.stop().await;
    let floor = Floor::start(dir.path(), |_| {}).await;
    let api = floor.api();
    assert_eq!(api.alerts("").await, all, "over a restart too");
    // A new engine judges them once more; by the time the later lift is over it has.
    let again = Lift { zone: Uuid::from_u128(0x103), ..LIFT };
    api.send(&again.events(began + TimeDelta::minutes(3), 5.0, 80.0)).await;
    api.send(&LIFT.events(began + TimeDelta::minutes(20), 5.0, 80.0)).await;
    let later = api.until("", |alerts| alerts.len() == 8 && alerts[0]["state"] == "cleared").await;
    assert_eq!(later[1..], all, "neither a second alert nor a new revision");
    floor.stop().await;
}

/// An edge in a process of its own, so that it can be killed.
struct Process {
    child: tokio::process::Child,
    api: Api,
}

impl Process {
    async fn start(dir: &Path, port: u16) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_smartpick-edge"))
            .args(["run", "--config"])
            .arg(dir.join("edge.toml"))
            .arg("--set")
            .arg(format!("listen=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("starts");
        let api = Api { url: format!("http://127.0.0.1:{port}"), http: Client::new() };
        let began = Instant::now();
        while api.http.get(format!("{}/livez", api.url)).send().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "the edge does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { child, api }
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("dies");
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_alert_survives_kill_9_and_is_told_to_headquarters_once() {
    let dir = TempDir::new().expect("a temp dir");
    // Headquarters is configured, and never there.
    let text = format!(
        "data_dir = \"{}\"\nedge_id = \"{}\"\nwarehouse_id = \"{}\"\n[central]\nurl = \"http://127.0.0.1:9\"\ntoken = \"x\"\n\
         [[alerts.rules]]\nname = \"slow\"\nthreshold = 70\nfor = \"3s\"\ngap = \"30s\"\n",
        dir.path().join("data").display(),
        Uuid::from_u128(0xe),
        Uuid::from_u128(1),
    );
    std::fs::write(dir.path().join("edge.toml"), text).expect("writes");
    let edge = Process::start(dir.path(), free_port()).await;
    let began = clock::now() - TimeDelta::seconds(4);
    let events = LIFT.events(began, 4.0, 75.0);
    edge.api.send(&events).await;
    let open = edge.api.until("?state=open", |alerts| alerts.len() == 1).await;
    let path = acknowledge(&open[0]["alert_id"]);
    let (status, acknowledged) = edge.api.post(&path, &json!({"fact_id": Uuid::from_u128(5)})).await;
    assert_eq!(status, StatusCode::OK, "{acknowledged}");
    edge.kill().await;

    let edge = Process::start(dir.path(), free_port()).await;
    let after = edge.api.until("?state=open", |alerts| alerts.len() == 1).await;
    assert_eq!(after[0]["alert_id"], open[0]["alert_id"]);
    assert_eq!(
        (&after[0]["state"], &after[0]["acknowledged"]),
        (&json!("acknowledged"), &acknowledged["acknowledged"])
    );
    assert_eq!(
        edge.api.post(&path, &json!({"fact_id": Uuid::from_u128(5)})).await.1["acknowledged"],
        acknowledged["acknowledged"]
    );
    // The lift goes on: it is the same alert.
    let on = LIFT.events(clock::now() - TimeDelta::seconds(1), 1.0, 90.0);
    edge.api.send(&on).await;
    // And over once nothing more is heard of it.
    let over = |alert: &Value| alert["state"] == "cleared" && alert["peak"].as_f64() >= Some(90.0);
    let cleared = edge.api.until("", |alerts| alerts.len() == 1 && over(&alerts[0])).await;
    assert_eq!(cleared[0]["alert_id"], open[0]["alert_id"]);

    // What went to the buffer: the events, each revision of the alert, one fact. Nothing twice, whoever was killed when.
    let revisions = cleared[0]["revision"].as_u64().expect("a number");
    let records = (events.len() + on.len()) as u64 + revisions + 1;
    let waiting = |stats: &Value| {
        stats["buffered"]["live"].as_u64().zip(stats["buffered"]["backlog"].as_u64()).map(|(a, b)| a + b)
    };
    eventually(&edge.api, "/streams/stats", |stats| waiting(stats) == Some(records)).await;
    edge.kill().await;
    let edge = Process::start(dir.path(), free_port()).await;
    eventually(&edge.api, "/streams/stats", |stats| waiting(stats) == Some(records)).await;
    edge.kill().await;
}
