//! The edge's surface as a camera sees it, on SQLite alone and with a Redis.

use std::time::{Duration, Instant};

use common::ids::WarehouseId;
use common::protocol::HEARTBEAT_INTERVAL_SECS;
use edge::config::Config;
use edge::edge::Edge;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::redis_server::RedisServer;

struct Site {
    edge: Edge,
    url: String,
    http: Client,
    _dir: tempfile::TempDir,
    _redis: Option<RedisServer>,
}

async fn site(with_redis: bool, change: impl FnOnce(&mut Config)) -> Site {
    // Once per process; the other tests have done it already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let dir = tempfile::tempdir().expect("a temp dir");
    let redis = with_redis.then(|| RedisServer::start(dir.path()));
    let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    config.data_dir = dir.path().join("data").display().to_string();
    config.redis.url = redis.as_ref().map(RedisServer::url);
    change(&mut config);
    let edge = edge::edge::start(config).await.expect("starts");
    let url = format!("http://{}", edge.addr);
    Site { edge, url, http: Client::new(), _dir: dir, _redis: redis }
}

impl Site {
    async fn post(&self, body: &Value) -> (StatusCode, Value) {
        self.send(self.http.post(format!("{}/ingestion/ergonomics", self.url)).json(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        (status, answer.json().await.expect("JSON"))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn stop(self) {
        drop(self.http);
        self.edge.life.stop().await.expect("stops in time");
    }
}

fn event() -> Value {
    let now = common::clock::now();
    json!({
        "event_id": Uuid::new_v4(), "event_time": now, "warehouse_id": Uuid::from_u128(1), "zone_id": Uuid::from_u128(2),
        "camera_id": "cam-01", "worker_id": Uuid::from_u128(3), "model_version": "v1", "risk_score": 71.25,
        "confidence": 0.9, "source": "camera", "posture_keypoints": {"head": {"x": 0.5, "y": 0.25, "confidence": 0.9}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_posts_with_one_key_one_is_accepted() {
    for with_redis in [false, true] {
        let site = site(with_redis, |_| {}).await;
        let event = event();
        let posts = (0..64).map(|_| site.post(&event));
        let answers = futures_util::future::join_all(posts).await;
        let count = |status: &str| answers.iter().filter(|(_, a)| a["results"][0]["status"] == status).count();
        assert_eq!((count("accepted"), count("duplicate")), (1, 63), "with Redis: {with_redis}");
        assert!(answers.iter().all(|(status, _)| *status == StatusCode::ACCEPTED));
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_another_body_is_a_conflict() {
    for with_redis in [false, true] {
        let site = site(with_redis, |_| {}).await;
        let first = event();
        let mut second = first.clone();
        second["risk_score"] = json!(5);
        assert_eq!(site.post(&first).await.0, StatusCode::ACCEPTED);
        let (status, answer) = site.post(&second).await;
        assert_eq!(
            (status, &answer["results"][0]["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_conflict"))
        );

        let keyed = |body: &Value| {
            site.http.post(format!("{}/ingestion/ergonomics", site.url)).header("Idempotency-Key", "k1").json(body)
        };
        let (a, b) = (event(), event());
        assert_eq!(site.send(keyed(&a)).await.1["accepted"], 1);
        assert_eq!(site.send(keyed(&a)).await.1["duplicates"], 1);
        let (status, answer) = site.send(keyed(&b)).await;
        assert_eq!(
            (status, &answer["results"][0]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("Idempotency-Key"))
        );
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_mixed_request_has_its_own_verdict() {
    let site = site(true, |_| {}).await;
    let (good, mut bad) = (event(), event());
    bad["risk_score"] = json!(101);
    let (status, answer) = site.post(&json!([good, bad, good, 7])).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let said: Vec<_> =
        answer["results"].as_array().expect("a list").iter().map(|r| (&r["status"], &r["field"])).collect();
    let (accepted, duplicate, rejected) = (json!("accepted"), json!("duplicate"), json!("rejected"));
    let (risk, whole, none) = (json!("risk_score"), json!("event"), Value::Null);
    assert_eq!(said, [(&accepted, &none), (&rejected, &risk), (&duplicate, &none), (&rejected, &whole)]);
    assert_eq!((&answer["accepted"], &answer["duplicates"], &answer["rejected"]), (&json!(1), &json!(1), &json!(2)));

    let packed = rmp_serde::to_vec(&json!([event(), {"event_id": "x"}])).expect("packs");
    let post =
        site.http.post(format!("{}/ingestion/ergonomics", site.url)).header("Content-Type", "application/msgpack");
    let (status, answer) = site.send(post.body(packed)).await;
    assert_eq!(
        (status, &answer["accepted"], &answer["results"][1]["field"]),
        (StatusCode::ACCEPTED, &json!(1), &json!("event_id"))
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_says_why() {
    let site = site(false, |config| config.camera_token = Some("secret".to_owned())).await;
    let url = format!("{}/ingestion/ergonomics", site.url);
    let post = || site.http.post(&url).bearer_auth("secret").header("Content-Type", "application/json");
    let many = Value::Array(vec![json!({}); 1_001]);
    let cases = [
        (site.http.post(&url).json(&event()), 401, "unauthorized"),
        (site.http.post(&url).bearer_auth("other").json(&event()), 401, "unauthorized"),
        (post().body("{\"event_id\":"), 400, "unreadable"),
        (post().body(""), 400, "empty"),
        (post().json(&many), 413, "too_many_events"),
        (post().body(vec![b' '; 5 * 1024 * 1024]), 413, "body_too_large"),
        (
            site.http.post(&url).bearer_auth("secret").header("Content-Type", "text/plain").body("{}"),
            415,
            "unsupported_media_type",
        ),
        (post().header("Content-Encoding", "gzip").json(&event()), 415, "unsupported_media_type"),
        (post().header("Idempotency-Key", "").json(&event()), 400, "invalid_idempotency_key"),
        (site.http.get(&url), 405, "method_not_allowed"),
        (site.http.get(format!("{}/nothing", site.url)), 404, "not_found"),
    ];
    for (request, status, code) in cases {
        let (said, problem) = site.send(request).await;
        assert_eq!((said.as_u16(), problem["code"].as_str()), (status, Some(code)));
        assert!(problem["message"].as_str().is_some_and(|text| text.len() > 10), "{problem}");
    }
    let (status, answer) = site.send(post().json(&json!({"event_id": 7}))).await;
    assert_eq!((status.as_u16(), &answer["results"][0]["field"]), (422, &json!("event_id")));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_buffer_says_507_and_recovers_when_there_is_room() {
    let began = Instant::now();
    let site = site(false, |config| config.spill.bytes_max = 60_000).await;
    let events: Vec<Value> = (0..100).map(|_| event()).collect();
    let (status, problem) = site.post(&json!(events)).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (507, Some("buffer_full")));
    assert_eq!(site.get("/streams/stats").await.1["accepted"], 0);
    let ready = site.http.get(format!("{}/readyz", site.url)).send().await.expect("answers");
    // Unless the machine was so slow that the next look has been.
    if began.elapsed() < Duration::from_secs(HEARTBEAT_INTERVAL_SECS / 2) {
        assert_eq!(ready.status(), StatusCode::OK, "it is not known to be full before the next look");
    }
    assert_eq!(site.post(&event()).await.0, StatusCode::ACCEPTED, "a small one still fits");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_stats_keep_the_originals_shape() {
    let site = site(true, |_| {}).await;
    site.post(&json!([event(), event()])).await;
    let (status, health) = site.get("/streams/health").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(health["status"], "degraded", "no central is configured: {health}");
    assert_eq!(health["stream"]["name"], "ergonomics:events");
    assert!(health["stream"]["length"].is_u64() && health["stream"]["info"].is_object());
    let worker = &health["worker"];
    assert_eq!(worker["consumerGroup"], "ergonomics-processor");
    assert!(worker["status"].is_string() && worker["consumerName"].is_string());
    assert!(worker["pendingMessages"].is_u64() && worker["processedKeysCount"].is_u64());
    let timestamp = health["timestamp"].as_str().expect("text");
    assert!(timestamp.ends_with('Z') && timestamp.len() == "2025-11-17T12:00:00.000Z".len(), "{timestamp}");

    let (_, stats) = site.get("/streams/stats").await;
    assert_eq!((&stats["accepted"], &stats["ledger"]["head"]), (&json!(2), &json!(2)));
    let waiting = stats["buffered"]["live"].as_u64().zip(stats["buffered"]["backlog"].as_u64()).expect("numbers");
    assert_eq!(waiting.0 + waiting.1, 2);

    let metrics =
        site.http.get(format!("{}/metrics", site.url)).send().await.expect("answers").text().await.expect("text");
    assert!(metrics.contains("smartpick_edge_events_total{outcome=\"accepted\"} 2"), "{metrics}");
    assert!(metrics.contains("smartpick_edge_events_total{outcome=\"unstored\"} 0"), "zero is shown too");
    assert!(!metrics.contains("00000000-0000-0000-0000-000000000003"), "no worker in the metrics");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_route_tries_without_storing_or_sends_one() {
    let site = site(false, |_| {}).await;
    let url = format!("{}/ingestion/ergonomics/test", site.url);
    let (status, answer) = site.send(site.http.post(&url).json(&json!([event(), {"event_id": "x"}]))).await;
    assert_eq!((status, &answer["valid"], &answer["rejected"]), (StatusCode::OK, &json!(1), &json!(1)));
    assert_eq!(site.get("/streams/stats").await.1["accepted"], 0);
    let (status, answer) = site.send(site.http.post(&url)).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::ACCEPTED, &json!(1)));
    let stats = site.get("/streams/stats").await.1;
    assert_eq!((&stats["accepted"], &stats["cameras"]), (&json!(1), &json!([])), "nobody waits for its next event");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stalls_does_not_hold_up_the_stop() {
    use tokio::io::AsyncWriteExt as _;
    let site = site(false, |_| {}).await;
    let mut stalled = tokio::net::TcpStream::connect(site.edge.addr).await.expect("connects");
    stalled
        .write_all(b"POST /ingestion/ergonomics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        .await
        .expect("writes");
    let began = std::time::Instant::now();
    site.stop().await;
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_takes_events_of_its_own_warehouse_only_once_it_has_one() {
    let (own, other) = (WarehouseId::from_uuid(Uuid::from_u128(1)), Uuid::from_u128(9));
    let mut foreign = event();
    foreign["warehouse_id"] = json!(other);
    let site = site(false, |config| config.warehouse_id = Some(own)).await;
    let (status, answer) = site.post(&json!([event(), foreign])).await;
    assert_eq!((status, &answer["accepted"], &answer["rejected"]), (StatusCode::ACCEPTED, &json!(1), &json!(1)));
    let verdict = &answer["results"][1];
    assert_eq!((&verdict["field"], &verdict["code"]), (&json!("warehouse_id"), &json!("other_warehouse")));
    let message = verdict["message"].as_str().expect("text");
    assert_eq!(message, format!("{other} is another warehouse than this edge's; set the camera to {own}"));
    let try_out = site.http.post(format!("{}/ingestion/ergonomics/test", site.url)).json(&foreign);
    assert_eq!(site.send(try_out).await.1["rejected"], 1);
    assert_eq!(site.get("/streams/health").await.1["warehouseId"], json!(own));
    site.stop().await;

    let nobodys = self::site(false, |_| {}).await;
    assert_eq!(nobodys.post(&foreign).await.0, StatusCode::ACCEPTED);
    assert_eq!(nobodys.get("/streams/health").await.1["warehouseId"], Value::Null);
    nobodys.stop().await;
}
