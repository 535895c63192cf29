use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Parser;
use rand::SeedableRng as _;
use serde_json::{Value, json};

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn args(url: &str, rest: &[&str]) -> Args {
    Cli::try_parse_from(["simulate", "--url", url].iter().chain(rest)).unwrap_or_else(|e| panic!("{e}")).args
}

/// An edge that remembers what it took and fails on request.
#[derive(Default)]
struct Fake {
    taken: StdMutex<HashMap<String, Value>>,
    requests: AtomicU32,
    /// Answers these many requests with 503 first.
    failures: AtomicU32,
    largest_batch: AtomicU32,
    token: Option<&'static str>,
    /// Says which it is of, once it has failed as it was asked to.
    warehouse: Option<Uuid>,
}

impl Fake {
    fn fails(&self) -> bool {
        self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

async fn health(State(fake): State<Arc<Fake>>) -> Response {
    match fake.warehouse {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(_) if fake.fails() => (StatusCode::BAD_GATEWAY, "no").into_response(),
        // One that can store nothing says it too.
        Some(id) => (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({"warehouseId": id}))).into_response(),
    }
}

async fn ingest(State(fake): State<Arc<Fake>>, headers: HeaderMap, body: String) -> Response {
    fake.requests.fetch_add(1, Ordering::SeqCst);
    let authorized = headers.get("authorization").and_then(|value| value.to_str().ok());
    if fake.token.is_some_and(|token| authorized != Some(&format!("Bearer {token}"))) {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({"code": "unauthorized"}))).into_response();
    }
    if fake.fails() {
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], "no").into_response();
    }
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let events = body.as_array().cloned().unwrap_or_else(|| vec![body]);
    fake.largest_batch.fetch_max(u32::try_from(events.len()).expect("few"), Ordering::SeqCst);
    let mut taken = fake.taken.lock().expect("no panic");
    let results: Vec<Value> = events
        .into_iter()
        .enumerate()
        .map(|(index, event)| {
            let id = event["event_id"].as_str().unwrap_or_default().to_owned();
            if event["risk_score"].as_f64().is_none_or(|score| !(0.0..=100.0).contains(&score)) {
                return json!({"index": index, "status": "rejected", "field": "risk_score", "code": "out_of_range"});
            }
            let status = if taken.insert(id, event).is_some() { "duplicate" } else { "accepted" };
            json!({"index": index, "status": status})
        })
        .collect();
    (StatusCode::ACCEPTED, axum::Json(json!({"results": results}))).into_response()
}

async fn start(fake: Fake) -> (String, Arc<Fake>) {
    let fake = Arc::new(fake);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let router = Router::new()
        .route("/ingestion/ergonomics", post(ingest))
        .route("/streams/health", get(health))
        .with_state(Arc::clone(&fake));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, fake)
}

fn ledger_ids(path: &std::path::Path) -> Vec<String> {
    std::fs::read_to_string(path).expect("ledger").lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_delivered_once_and_noted_although_the_edge_is_away_at_first() {
    let (url, fake) = start(Fake { failures: AtomicU32::new(3), token: Some("t"), ..Fake::default() }).await;
    let ledger = tempfile::NamedTempFile::new().expect("temp file");
    let path = ledger.path().to_str().expect("utf-8");
    let rest = ["--count", "205", "--rate", "0", "--batch", "50", "--token", "t", "--ledger", path];
    run(args(&url, &rest)).await.expect("runs");
    let mut noted = ledger_ids(ledger.path());
    noted.sort();
    let mut taken: Vec<String> = fake.taken.lock().expect("no panic").keys().cloned().collect();
    taken.sort();
    assert_eq!(taken.len(), 205);
    assert_eq!(noted, taken);
    assert_eq!(fake.largest_batch.load(Ordering::SeqCst), 50);
    assert_eq!(fake.requests.load(Ordering::SeqCst), 3 + 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_of_the_edges_own_warehouse_unless_told_otherwise() {
    let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2).to_string());
    for (warehouse, failures, rest, expected) in [
        (Some(own), 2, &[][..], own),
        (Some(own), 0, &["--warehouse", &other], Uuid::from_u128(2)),
        (None, 0, &[], Uuid::nil()),
    ] {
        let (url, fake) = start(Fake { warehouse, failures: AtomicU32::new(failures), ..Fake::default() }).await;
        run(args(&url, &[&["--count", "3", "--rate", "0"], rest].concat())).await.expect("runs");
        let taken = fake.taken.lock().expect("no panic");
        assert_eq!(taken.len(), 3);
        assert!(taken.values().all(|event| event["warehouse_id"] == json!(expected)), "{expected}: {taken:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_ends_it_at_once() {
    for (rest, words) in [(&[][..], "asks for a --token"), (&["--token", "u"], "does not take this --token")] {
        let (url, fake) = start(Fake { token: Some("t"), ..Fake::default() }).await;
        let error = run(args(&url, &[&["--concurrency", "1"], rest].concat())).await.expect_err("refused");
        assert_eq!(Exit::of(&error), Exit::NoPermission);
        assert!(format!("{error:#}").contains(words), "{error:#}");
        assert_eq!(fake.requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_if_all_are_rejected_it_failed() {
    let replay = |scores: &[f64]| {
        let mut file = tempfile::NamedTempFile::new().expect("temp file");
        for (n, score) in scores.iter().enumerate() {
            let line = json!({"event_id": Uuid::from_u128(n as u128), "risk_score": score, "event_time": common::clock::now()});
            writeln!(file, "{line}").expect("write");
        }
        file
    };
    let (url, _fake) = start(Fake::default()).await;
    for (scores, fails) in [(&[101.0, 102.0, 50.0][..], false), (&[101.0, 102.0], true)] {
        let file = replay(scores);
        let ran = run(args(&url, &["--speed", "0", "--replay", file.path().to_str().expect("utf-8")])).await;
        assert_eq!(ran.is_err(), fails, "{ran:?}");
        if let Err(error) = ran {
            assert_eq!(Exit::of(&error), Exit::Failure);
            assert_eq!(error.to_string(), "all 2 events were rejected, most of them for risk_score: out_of_range");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_and_late_events_come_on_request() {
    let (url, fake) = start(Fake::default()).await;
    let before = common::clock::now();
    let ledger = tempfile::NamedTempFile::new().expect("temp file");
    let path = ledger.path().to_str().expect("utf-8");
    let rest = ["--count", "400", "--rate", "0", "--duplicates", "50%", "--late", "0.25", "--seed", "7"];
    run(args(&url, &[&rest[..], &["--ledger", path]].concat())).await.expect("runs");
    let taken = fake.taken.lock().expect("no panic");
    assert_eq!(taken.len(), 400, "a copy has the id of its original");
    let again = ledger_ids(ledger.path()).len() - 400;
    assert!((150..250).contains(&again), "{again} of 400 came twice");
    let late = taken.values().filter(|event| {
        let time: chrono::DateTime<chrono::Utc> = event["event_time"].as_str().expect("text").parse().expect("time");
        time < before
    });
    let late = late.count();
    assert!((60..140).contains(&late), "{late} of 400 were late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_sends_one_warehouse_with_shifted_times_and_does_not_repeat_what_is_rejected() {
    let (url, fake) = start(Fake::default()).await;
    let mut file = tempfile::Builder::new().suffix(".jsonl.zst").tempfile().expect("temp file");
    let mut packed = zstd::Encoder::new(&mut file, 1).expect("zstd");
    let (north, south) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for (n, warehouse, score) in [(1u128, north, 1.0), (2, south, 2.0), (3, north, 300.0), (4, north, 4.0)] {
        let line = json!({
            "event_id": Uuid::from_u128(n), "warehouse_id": warehouse, "risk_score": score, "kept": "as it is",
            "event_time": format!("2020-01-01T00:00:0{n}.000Z"), "ingest_time": format!("2020-01-01T00:00:0{n}.250Z"),
        });
        writeln!(packed, "{line}").expect("write");
    }
    packed.finish().expect("write");
    let path = file.path().to_str().expect("utf-8");
    let north = north.to_string();
    run(args(&url, &["--replay", path, "--speed", "0", "--warehouse", &north, "--batch", "10"])).await.expect("runs");
    assert_eq!(fake.requests.load(Ordering::SeqCst), 1);
    let taken = fake.taken.lock().expect("no panic");
    let mut events: Vec<&Value> = taken.values().collect();
    events.sort_by_key(|event| event["event_id"].as_str().map(str::to_owned));
    let time = |event: &Value, name: &str| -> chrono::DateTime<chrono::Utc> {
        event[name].as_str().expect("text").parse().expect("a time")
    };
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["kept"], "as it is");
    assert_eq!(time(events[1], "event_time") - time(events[0], "event_time"), chrono::TimeDelta::seconds(3));
    assert_eq!((time(events[1], "ingest_time") - time(events[1], "event_time")).num_milliseconds(), 250);
    let age = common::clock::now() - time(events[1], "ingest_time");
    assert!((0..60).contains(&age.num_seconds()), "the last event is now, not {age} ago");
}

#[test]
fn people_stay_in_bounds_and_are_above_seventy_for_seconds_at_times() {
    let mut scene = scene::Scene::new(NO_WAREHOUSE, 1, 42);
    let start = common::clock::now();
    let (mut high, mut longest, mut run_length) = (0, 0, 0);
    for frame in 0..20_000 {
        let snapshot = scene.snapshot(start + chrono::TimeDelta::milliseconds(frame * 100));
        let points: HashMap<String, HashMap<String, f64>> =
            serde_json::from_str(snapshot.posture_keypoints.get()).expect("an object of joints");
        assert_eq!(points.len(), 14);
        assert!(points.values().flat_map(HashMap::values).all(|value| (0.0..=1.0).contains(value)));
        assert!((0.0..=100.0).contains(&snapshot.risk_score) && (0.0..=1.0).contains(&snapshot.confidence));
        let above = snapshot.risk_score >= 70.0;
        high += u32::from(above);
        run_length = if above { run_length + 1 } else { 0 };
        longest = longest.max(run_length);
    }
    assert!((1_000..6_000).contains(&high), "{high} of 20,000 frames at 70 or above");
    assert!(longest >= 30, "an episode of at least 3 s, not {longest} frames");
}

#[test]
fn the_same_seed_moves_the_same_people_but_gives_new_ids() {
    let at = common::clock::now();
    let [a, b] = [(); 2].map(|()| scene::Scene::new(NO_WAREHOUSE, 3, 9).snapshot(at));
    assert_eq!(a.posture_keypoints.get(), b.posture_keypoints.get());
    assert_eq!((a.worker_id, a.risk_score), (b.worker_id, b.risk_score));
    assert_ne!(a.event_id, b.event_id);
    let mut rng = rand::rngs::StdRng::seed_from_u64(1);
    assert!(person::Person::new(&mut rng).score_hundredths(&mut rng) <= 10_000);
}

#[test]
fn shares_are_read_as_percent_or_number() {
    assert_eq!(share("5%"), Ok(0.05));
    assert_eq!(share("0.5"), Ok(0.5));
    assert!(share("101%").is_err() && share("many").is_err() && share("-1%").is_err());
}
