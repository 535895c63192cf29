//! HTTPS on the edge's own port, and how fast a camera may send.

use edge::config::Config;
use edge::edge::Edge;
use futures_util::StreamExt as _;
use reqwest::{Certificate, Client, StatusCode, header};
use serde_json::{Value, json};
use tokio_tungstenite::Connector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use uuid::Uuid;

async fn start(dir: &tempfile::TempDir, change: impl FnOnce(&mut Config)) -> Edge {
    // Once per process; the other tests have done it already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    config.data_dir = dir.path().display().to_string();
    change(&mut config);
    edge::edge::start(config).await.expect("starts")
}

fn event() -> Value {
    json!({
        "event_id": Uuid::new_v4(), "event_time": common::clock::now(), "warehouse_id": Uuid::from_u128(1),
        "zone_id": Uuid::from_u128(2), "camera_id": "cam-01", "worker_id": null, "model_version": "v1", "risk_score": 7,
        "confidence": 0.9, "source": "camera", "posture_keypoints": {},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_speaks_https_by_an_authority_that_it_hands_out() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let edge = start(&dir, |config| config.tls.mode = common::tls::Mode::Own).await;
    let url = format!("https://localhost:{}", edge.addr.port());
    // Who has not added the authority is warned, and may fetch it all the same.
    assert!(Client::new().get(format!("{url}/livez")).send().await.is_err());
    let careless = Client::builder().tls_danger_accept_invalid_certs(true).build().expect("a client");
    let answer = careless.get(format!("{url}/ca.crt")).send().await.expect("an answer");
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/x-x509-ca-cert");
    let pem = answer.text().await.expect("PEM");
    assert_eq!(pem, std::fs::read_to_string(dir.path().join("tls/ca.crt")).expect("kept"));
    let authority = Certificate::from_pem(pem.as_bytes()).expect("PEM");
    let http = Client::builder().tls_certs_only([authority]).build().expect("a client");
    for host in ["localhost", "127.0.0.1"] {
        let answer = http.get(format!("https://{host}:{}/livez", edge.addr.port())).send().await.expect("trusted");
        assert_eq!(answer.status(), StatusCode::OK);
    }
    // Signing out sets the cookie as signing in does.
    let out = http.delete(format!("{url}/api/v1/session")).send().await.expect("an answer");
    let cookie = out.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains("Secure"), "{cookie}");

    let mut roots = rustls::RootCertStore::empty();
    for certificate in common::tls::certificates(&pem, "the answer").expect("PEM") {
        roots.add(certificate).expect("an authority");
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let request = format!("wss://localhost:{}/ws/live", edge.addr.port()).into_client_request().expect("a request");
    let connector = Connector::Rustls(std::sync::Arc::new(config));
    let connected = tokio_tungstenite::connect_async_tls_with_config(request, None, false, Some(connector)).await;
    let (mut socket, _) = connected.expect("the screen's way works too");
    assert!(socket.next().await.expect("a snapshot").expect("whole").is_text());
    drop(socket);
    edge.life.stop().await.expect("stops in time");

    // The same authority after a restart: nobody has to add it again.
    let edge = start(&dir, |config| config.tls.mode = common::tls::Mode::Own).await;
    let url = format!("https://localhost:{}/livez", edge.addr.port());
    assert!(http.get(url).send().await.expect("still trusted").status().is_success());
    edge.life.stop().await.expect("stops in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_sends_too_fast_is_told_when_to_come_back_and_others_are_not() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let edge = start(&dir, |config| config.intake.camera_events_per_second_max = 2).await;
    let http = Client::new();
    let url = format!("http://{}/ingestion/ergonomics", edge.addr);
    let many: Vec<Value> = (0..50).map(|_| event()).collect();
    let answer = http.post(&url).json(&many).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::ACCEPTED, "a request is taken whole");
    let refused = http.post(&url).json(&event()).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let secs: u64 = refused.headers()[header::RETRY_AFTER].to_str().expect("text").parse().expect("seconds");
    assert!((10..=16).contains(&secs), "30 events of debt at 2 a second: {secs}");
    let problem: Value = refused.json().await.expect("JSON");
    assert_eq!(problem["code"], "camera_too_fast");
    edge.life.stop().await.expect("stops in time");
}
