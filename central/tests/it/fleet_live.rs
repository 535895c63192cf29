//! `/ws/fleet` and the metrics: the same as the list, on every instance, also while Redis is away.

use std::cell::Cell;

use central::central::Central;
use central::config::Config;
use chrono::{DateTime, Utc};
use common::alert::{AlertEvent, Severity, Subject, alert_id, payload};
use common::clock;
use common::record::{Kind, Record};
use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

use crate::client::{Batch, EdgeClient, System};
use crate::servers::{PATIENCE, eventually, execute};

/// A screen.
struct Screen {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    snapshot: Value,
}

impl Screen {
    async fn of(system: &System, url: &str, query: &str) -> Self {
        let url = format!("{}/ws/fleet{query}", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a URL");
        let bearer = format!("Bearer {}", system.token).parse().expect("a header");
        request.headers_mut().insert("Authorization", bearer);
        let (socket, _) = connect_async(request).await.expect("connects");
        let mut screen = Self { socket, snapshot: Value::Null };
        screen.snapshot = screen.next().await.expect("a first message");
        screen
    }

    /// The next message; `None` when the conversation is over.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let said = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("something is said");
            match said? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The first change that is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                let said = self.next().await.expect("still open");
                if wanted(&said) {
                    return said;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("never told: {what}"))
    }

    async fn until_alert(&mut self, alert: &AlertEvent, state: &str) -> Value {
        let id = alert.alert_id.to_string();
        let said = self.until(state, |said| said["alert"]["alert_id"] == *id && said["alert"]["state"] == *state).await;
        said["alert"].clone()
    }
}

/// Another instance over the same servers.
async fn another(system: &System, change: impl FnOnce(&mut Config)) -> (Central, String) {
    let mut config = system.config.clone();
    change(&mut config);
    let central = Central::start(config).await.expect("started");
    let url = format!("http://{}", central.address);
    (central, url)
}

fn alert(edge: &EdgeClient, revision: u32, ended_at: Option<DateTime<Utc>>) -> AlertEvent {
    let at = DateTime::from_timestamp(clock::now().timestamp() / 1_000 * 1_000, 0).expect("a time");
    AlertEvent {
        alert_id: alert_id("sustained-risk", &edge.edge_id.to_string(), at),
        revision,
        subject: Subject::Risk,
        warehouse_id: Some(edge.warehouse_id),
        edge_id: Some(edge.edge_id),
        rule: "sustained-risk".to_owned(),
        severity: Severity::Critical,
        zone_id: Some(edge.zone_id),
        camera_id: None,
        worker_id: edge.event().worker_id,
        started_at: at,
        raised_at: at,
        ended_at,
        peak: Some(88.0),
        peak_at: Some(at),
        events: 30,
        episodes: 1,
        summary: "Risk above 70 for 3 s".to_owned(),
        curve: None,
    }
}

async fn send(edge: &EdgeClient, seq: u64, alert: &AlertEvent) {
    let accepted_ms = clock::now().timestamp_millis();
    let record = Record { kind: Kind::Alert, epoch: edge.epoch, seq, accepted_ms, payload: &payload(alert) }.write();
    edge.deliver(&Batch::of(&[record])).await;
}

#[tokio::test]
async fn screens_of_both_instances_see_states_alerts_and_what_is_said_of_them() {
    let system = System::start().await;
    let (other, other_url) = another(&system, |_| {}).await;
    let edge = system.edge().await;
    let id = edge.warehouse_id.to_string();
    let mut here = Screen::of(&system, &system.url, "").await;
    let mut there = Screen::of(&system, &other_url, "").await;
    for member in ["run", "seq", "server_time", "version", "sites", "alerts", "rates"] {
        assert!(here.snapshot.get(member).is_some(), "{member} is missing in {}", here.snapshot);
    }
    edge.beat(&edge.heartbeat(0, &[])).await;
    for screen in [&mut here, &mut there] {
        let is_healthy = |said: &Value| said["site"]["warehouse_id"] == *id && said["site"]["state"] == "healthy";
        let said = screen.until("healthy", is_healthy).await;
        assert_eq!((&said["type"], &said["topic"]), (&json!("change"), &json!("sites")));
    }
    let raised = alert(&edge, 1, None);
    send(&edge, 1, &raised).await;
    for screen in [&mut here, &mut there] {
        let view = screen.until_alert(&raised, "raised").await;
        assert!(view.get("worker_id").is_none() && !view.to_string().contains("worker"), "{view}");
    }
    // Said over the other instance's API.
    let path = format!("{other_url}/api/v1/alerts/{}/acknowledge", raised.alert_id);
    let body = json!({ "fact_id": Uuid::new_v4(), "note": "on my way" });
    let answer = system.http.post(path).bearer_auth(&system.token).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    for screen in [&mut here, &mut there] {
        assert_eq!(screen.until_alert(&raised, "acknowledged").await["acknowledged"]["note"], "on my way");
    }
    let silence = json!({
        "silence_id": Uuid::new_v4(), "warehouse_id": edge.warehouse_id, "reason": "a test", "minutes": 5,
    });
    assert!(system.post("/api/v1/silences", &silence).await.0.is_success());
    for screen in [&mut here, &mut there] {
        screen.until("silenced", |said| said["alert"]["silenced"]["reason"] == "a test").await;
    }
    // One that comes now is told in the snapshot.
    let late = Screen::of(&system, &other_url, "").await;
    assert_eq!(late.snapshot["alerts"][0]["state"], "acknowledged");
    assert_eq!(late.snapshot["sites"][0]["warehouse_id"], *id);
    send(&edge, 2, &alert(&edge, 2, Some(raised.raised_at))).await;
    for screen in [&mut here, &mut there] {
        // The alert and its site's count are told in either order.
        let (cleared, counted) = (Cell::new(false), Cell::new(false));
        let both = |said: &Value| {
            let alert = said["alert"]["alert_id"] == raised.alert_id.to_string();
            cleared.set(cleared.get() || alert && said["alert"]["state"] == "cleared");
            let site = said["site"]["warehouse_id"] == *id;
            counted.set(counted.get() || site && said["site"]["alerts_open"] == 0);
            cleared.get() && counted.get()
        };
        screen.until("the alert is cleared and none is open", both).await;
    }
    other.stop().await.expect("stopped");
    assert!(there.next().await.is_none_or(|said| said["type"] != "error"));
}

#[tokio::test]
async fn while_redis_is_away_screens_are_told_a_little_later() {
    let mut system = System::start().await;
    let (other, other_url) = another(&system, |_| {}).await;
    let edge = system.edge().await;
    let raised = alert(&edge, 1, None);
    send(&edge, 1, &raised).await;
    let mut there = Screen::of(&system, &other_url, "?topics=alerts").await;
    if there.snapshot["alerts"].as_array().is_some_and(Vec::is_empty) {
        there.until_alert(&raised, "raised").await;
    }
    system.redis.kill();
    let path = format!("/api/v1/alerts/{}/acknowledge", raised.alert_id);
    let (status, _) = system.post(&path, &json!({ "fact_id": Uuid::new_v4(), "note": null })).await;
    assert_eq!(status, StatusCode::OK, "nobody needs Redis to acknowledge");
    there.until_alert(&raised, "acknowledged").await;
    other.stop().await.expect("stopped");
}

#[tokio::test]
async fn one_that_comes_back_gets_what_followed_and_places_are_limited() {
    let system = System::start_with(|config| config.live.clients_max = 1).await;
    let edge = system.edge().await;
    let mut screen = Screen::of(&system, &system.url, "").await;
    let run = screen.snapshot["run"].as_str().expect("a run").to_owned();
    let first = screen.until("a site", |said| said["topic"] == "sites").await;
    let plain = system.http.get(format!("{}/ws/fleet", system.url)).bearer_auth(&system.token).send().await;
    assert_eq!(plain.expect("an answer").status(), StatusCode::UPGRADE_REQUIRED);
    let full = system
        .http
        .get(format!("{}/ws/fleet", system.url))
        .bearer_auth(&system.token)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .send()
        .await
        .expect("an answer");
    assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(full.json::<Value>().await.expect("JSON")["code"], "too_many_clients");
    screen.socket.close(None).await.expect("closed");
    edge.beat(&edge.heartbeat(0, &[])).await;
    eventually("it was seen", async || {
        let (_, health) = system.get("/api/v1/fleet/health").await;
        (health["counts"]["healthy"] == 1).then_some(())
    })
    .await;
    let query = format!("?run={run}&after={}", first["seq"]);
    let request = async || {
        let url = format!("{}/ws/fleet{query}", system.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a URL");
        request.headers_mut().insert("Authorization", format!("Bearer {}", system.token).parse().expect("a header"));
        connect_async(request).await.ok()
    };
    let (mut socket, _) = eventually("the place is free", async || request().await).await;
    let said = socket.next().await.expect("something").expect("well");
    let said: Value = serde_json::from_str(said.to_text().expect("text")).expect("JSON");
    assert_eq!((&said["type"], &said["seq"]), (&json!("resumed"), &first["seq"]));
    let mut screen = Screen { socket, snapshot: said };
    screen.until("healthy", |said| said["site"]["state"] == "healthy").await;
}

#[tokio::test]
async fn a_screen_whose_token_is_revoked_is_closed() {
    let system = System::start().await;
    let mut screen = Screen::of(&system, &system.url, "?topics=rates").await;
    execute(&system.pool, "UPDATE api_tokens SET revoked_at = now()").await;
    eventually("it is closed", async || screen.next().await.is_none().then_some(())).await;
}

#[tokio::test]
async fn metrics_say_what_the_list_says() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.beat(&edge.heartbeat(9, &[(1, 5)])).await;
    execute(&system.pool, "UPDATE warehouses SET name_set = 'North \"1\"'").await;
    let site = edge.warehouse_id;
    let scraped = async |line: &str| {
        let text = system.http.get(format!("{}/metrics", system.url)).send().await.expect("an answer");
        let text = text.text().await.expect("text");
        text.lines().any(|found| found == line).then_some(text)
    };
    let state = |state: &str, is: &str| {
        format!("smartpick_central_site_state{{warehouse_id=\"{site}\",state=\"{state}\"}} {is}")
    };
    let text = eventually("its state is scraped", async || scraped(&state("degraded", "1.0")).await).await;
    for line in [
        state("healthy", "0.0"),
        format!("smartpick_central_site_backlog_records{{warehouse_id=\"{site}\"}} 5.0"),
        format!("smartpick_central_site_missing_records{{warehouse_id=\"{site}\"}} 4.0"),
        "smartpick_central_sites{state=\"degraded\"} 1.0".to_owned(),
        "smartpick_central_sites{state=\"healthy\"} 0.0".to_owned(),
        "smartpick_central_fleet_outdated 0.0".to_owned(),
        "smartpick_central_site_series_left_out 0.0".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
    assert!(text.contains(&format!("smartpick_central_site_last_heartbeat_age_seconds{{warehouse_id=\"{site}\"}} ")));
    let named = format!("smartpick_central_site_info{{warehouse_id=\"{site}\",name=\"North \\\"1\\\"\"}} 1.0");
    eventually("its name is scraped", async || scraped(&named).await).await;

    let (few, url) = another(&system, |config| config.metrics.site_labels_max = 0).await;
    let text = eventually("the totals are scraped", async || {
        let text = system.http.get(format!("{url}/metrics")).send().await.expect("an answer");
        let text = text.text().await.expect("text");
        text.contains("smartpick_central_site_series_left_out 1.0").then_some(text)
    })
    .await;
    assert!(!text.contains(&site.to_string()), "{text}");
    few.stop().await.expect("stopped");
}
