//! Boxes that join, renew, come back and are shut out, over real TLS.

use central::config::Config;
use central::store::certificates::{self, NoReturn, Standing};
use central::store::{enrolment as store, tokens};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use common::ids::{EdgeId, WarehouseId};
use common::join::{
    Admission, ENROLL_PATH, EdgeName, Enrol, IDENTITY_PATH, JoinToken, RENEW_PATH, RETURN_PATH, Renew, Return,
};
use common::protocol::{HEARTBEATS_PATH, Heartbeat};
use common::tls::authority::Authority;
use common::tls::request::{CertificateRequest, new_key};
use common::tls::{Fingerprint, Mode, certificates as read};
use reqwest::{Client, Identity, StatusCode};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::client::System;
use crate::servers::eventually;

/// A central that speaks TLS by its own authority.
async fn start() -> (System, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let own = |config: &mut Config| {
        config.tls.mode = Mode::Own;
        config.tls.ca_dir = dir.path().display().to_string();
    };
    (System::start_with(own).await, dir)
}

/// A site's token.
async fn token(system: &System, warehouse: WarehouseId, edge: Option<EdgeId>) -> JoinToken {
    store::add_site(system.db(), "test", warehouse, "Rotterdam 1").await.expect("stored");
    let token = JoinToken::new(&system.url, None);
    store::add_token(system.db(), "test", &token.hash(), warehouse, edge, clock::now()).await.expect("stored");
    token
}

fn site() -> WarehouseId {
    WarehouseId::from_uuid(Uuid::new_v4())
}

fn asked(key: &str) -> CertificateRequest {
    CertificateRequest::new(key).expect("signed")
}

async fn post(system: &System, client: &Client, path: &str, body: &impl Serialize) -> (StatusCode, Value) {
    let answer = client.post(format!("{}{path}", system.url)).json(body).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn enrol(system: &System, token: &JoinToken, key: &str) -> (StatusCode, Value) {
    let body = Enrol { token: token.secret(), request: asked(key), name: Some("box".to_owned()) };
    post(system, &system.http, ENROLL_PATH, &body).await
}

/// A box with its key and certificate.
struct Joined {
    key: String,
    admission: Admission,
    client: Client,
}

fn joined(system: &System, key: String, answer: Value) -> Joined {
    let admission: Admission = serde_json::from_value(answer).expect("an admission");
    let pem = format!("{}{key}", admission.certificate);
    let client = system.trusting().identity(Identity::from_pem(pem.as_bytes()).expect("a pair")).build();
    Joined { key, admission, client: client.expect("a client") }
}

async fn join(system: &System, token: &JoinToken) -> Joined {
    let key = new_key().expect("a key");
    let (status, answer) = enrol(system, token, &key).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    joined(system, key, answer)
}

impl Joined {
    async fn identity(&self, system: &System) -> (StatusCode, Value) {
        let answer = self.client.get(format!("{}{IDENTITY_PATH}", system.url)).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&read(&self.admission.certificate, "the answer").expect("PEM")[0])
    }
}

async fn refused(system: &System, joined: &Joined, code: &str) {
    eventually(code, async || {
        let (status, problem) = joined.identity(system).await;
        (status == StatusCode::UNAUTHORIZED && problem["code"] == code).then_some(())
    })
    .await;
}

async fn audited(system: &System, action: &str) -> i64 {
    system.count(&format!("SELECT count(*) FROM audit_log WHERE action = '{action}'")).await
}

#[tokio::test]
async fn a_box_joins_by_its_token_and_comes_in_by_its_certificate() {
    let (system, _dir) = start().await;
    let warehouse = site();
    let token = token(&system, warehouse, None).await;
    let joined = join(&system, &token).await;
    assert_eq!(joined.admission.warehouse_id, warehouse);
    let (status, name) = joined.identity(&system).await;
    assert_eq!(status, StatusCode::OK, "{name}");
    let name: EdgeName = serde_json::from_value(name).expect("a name");
    assert_eq!((name.edge_id, name.warehouse_id), (joined.admission.edge_id, warehouse));
    // Without a certificate nobody is an edge, and a certificate opens nothing else.
    let bare = system.http.get(format!("{}{IDENTITY_PATH}", system.url)).send().await.expect("an answer");
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
    let more = joined.client.get(format!("{}/api/v1/fleet/health", system.url)).send().await.expect("an answer");
    assert_eq!(more.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(audited(&system, "edge_enrolled").await, 1);
    let secret = format!("SELECT count(*) FROM join_tokens t WHERE t::text LIKE '%{}%'", token.secret());
    assert_eq!(system.count(&secret).await, 0, "only its hash is stored");
}

#[tokio::test]
async fn a_token_is_good_for_one_box_which_may_ask_again() {
    let (system, _dir) = start().await;
    let token = token(&system, site(), None).await;
    let key = new_key().expect("a key");
    let (_, first) = enrol(&system, &token, &key).await;
    let (status, again) = enrol(&system, &token, &key).await;
    assert_eq!((status, &again), (StatusCode::OK, &first), "a box whose answer was lost gets the same");
    let (status, problem) = enrol(&system, &token, &new_key().expect("a key")).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::FORBIDDEN, Some("token_used")), "{problem}");
    assert_eq!(system.count("SELECT count(*) FROM edges").await, 1);
}

#[tokio::test]
async fn an_ended_or_an_unknown_token_opens_nothing_and_says_so() {
    let (system, _dir) = start().await;
    let token = token(&system, site(), None).await;
    system.execute("UPDATE join_tokens SET expires_at = now() - interval '1 second'").await;
    let key = new_key().expect("a key");
    let (status, problem) = enrol(&system, &token, &key).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::FORBIDDEN, Some("token_expired")), "{problem}");
    let (status, problem) = enrol(&system, &JoinToken::new("https://x", None), &key).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::FORBIDDEN, Some("token_unknown")), "{problem}");
    let forged = CertificateRequest::new(&new_key().expect("a key")).expect("signed");
    let mut body = serde_json::to_value(Enrol { token: token.secret(), request: forged, name: None }).expect("JSON");
    body["request"]["public_key"] = serde_json::to_value(asked(&key)).expect("JSON")["public_key"].clone();
    let (status, problem) = post(&system, &system.http, ENROLL_PATH, &body).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("request_invalid")), "{problem}");
}

#[tokio::test]
async fn who_tries_tokens_is_slowed_down() {
    let (system, _dir) = start().await;
    let key = new_key().expect("a key");
    let mut last = StatusCode::FORBIDDEN;
    for _ in 0..8 {
        last = enrol(&system, &JoinToken::new("https://x", None), &key).await.0;
        if last != StatusCode::FORBIDDEN {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_renewed_certificate_ends_the_old_one_once_it_is_used_and_a_copy_of_the_old_disk_is_noticed() {
    let (system, _dir) = start().await;
    let old = join(&system, &token(&system, site(), None).await).await;
    assert_eq!(old.identity(&system).await.0, StatusCode::OK);
    let key = new_key().expect("a key");
    let (status, answer) = post(&system, &old.client, RENEW_PATH, &Renew { request: asked(&key) }).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, again) = post(&system, &old.client, RENEW_PATH, &Renew { request: asked(&key) }).await;
    assert_eq!(answer, again, "the same for the same key");
    let new = joined(&system, key, answer);
    assert_eq!(old.identity(&system).await.0, StatusCode::OK, "the old one is in use until the new one was");
    let superseded = "SELECT count(*) FROM edge_certificates WHERE superseded_at IS NOT NULL";
    assert_eq!(system.count(superseded).await, 0);
    assert_eq!(new.identity(&system).await.0, StatusCode::OK);
    assert_eq!(system.count(superseded).await, 1);
    // What is on its way still arrives, but no second line of certificates comes of it.
    assert_eq!(old.identity(&system).await.0, StatusCode::OK);
    let (status, problem) =
        post(&system, &old.client, RENEW_PATH, &Renew { request: asked(&new_key().expect("a key")) }).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("certificate_superseded")));
    assert_eq!(audited(&system, "edge_copy_seen").await, 1);
    system
        .execute(
            "UPDATE edge_certificates SET superseded_at = now() - interval '1 hour' WHERE superseded_at IS NOT NULL",
        )
        .await;
    refused(&system, &old, "certificate_superseded").await;
    assert_eq!(new.identity(&system).await.0, StatusCode::OK);
    assert_eq!(audited(&system, "edge_copy_seen").await, 1, "once an hour");
    // The copy is shown while the edge is heard of, in the fleet and with its certificate.
    let (edge_id, warehouse_id) = (new.admission.edge_id, new.admission.warehouse_id);
    let heartbeat = Heartbeat { edge_id, warehouse_id, ..system.edge().await.heartbeat(0, &[]) };
    let (status, answer) = post(&system, &new.client, HEARTBEATS_PATH, &heartbeat).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let page = eventually("the copy is a reason", async || {
        let (_, page) = system.get(&format!("/api/v1/sites/{warehouse_id}")).await;
        page["reasons"].to_string().contains("a copy of this box came in").then_some(page)
    })
    .await;
    let shown = &page["edge_list"][0];
    assert_eq!(shown["certificate_until"], serde_json::to_value(new.admission.not_after).expect("a time"));
    assert!(shown["certificate_renewed_at"].is_string() && shown["copy_seen_at"].is_string(), "{shown:#}");
    assert_eq!(page["shut_out"], serde_json::json!([]));
}

#[tokio::test]
async fn an_edge_that_is_shut_out_is_out_within_seconds_and_back_by_a_token_of_its_own() {
    let (system, _dir) = start().await;
    let warehouse = site();
    let old = join(&system, &token(&system, warehouse, None).await).await;
    assert_eq!(old.identity(&system).await.0, StatusCode::OK);
    let edge = old.admission.edge_id;
    assert!(tokens::revoke_edge(system.db(), "test", edge, clock::now()).await.expect("revoked"));
    let asked_at = std::time::Instant::now();
    refused(&system, &old, "certificate_revoked").await;
    assert!(asked_at.elapsed() < std::time::Duration::from_secs(5), "{:?}", asked_at.elapsed());
    let body = Return { certificate: old.admission.certificate.clone(), request: asked(&old.key) };
    let (status, problem) = post(&system, &system.http, RETURN_PATH, &body).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("certificate_revoked")));
    let page = eventually("the site shows it", async || {
        let (_, page) = system.get(&format!("/api/v1/sites/{warehouse}")).await;
        (!page["shut_out"].as_array()?.is_empty()).then_some(page)
    })
    .await;
    let shown = &page["shut_out"][0];
    assert!(shown["edge_id"] == edge.to_string() && shown["name"] == "box" && shown["at"].is_string(), "{page:#}");
    let new = join(&system, &token(&system, warehouse, Some(edge)).await).await;
    assert_eq!(new.admission.edge_id, edge, "it is the same edge");
    assert_eq!(new.identity(&system).await.0, StatusCode::OK);
    refused(&system, &old, "certificate_revoked").await;
}

#[tokio::test]
async fn the_way_back_is_open_to_the_last_certificate_and_its_key_for_a_bounded_time() {
    let (system, dir) = start().await;
    let joined_box = join(&system, &token(&system, site(), None).await).await;
    let body = |key: &str| Return { certificate: joined_box.admission.certificate.clone(), request: asked(key) };
    let (status, problem) = post(&system, &system.http, RETURN_PATH, &body(&new_key().expect("a key"))).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::FORBIDDEN, Some("other_key")), "{problem}");

    // Expired ones: the store's clock is an argument.
    let authority = Authority::open(dir.path()).expect("readable").expect("there");
    let key = asked(&joined_box.key).check().expect("its own");
    let back = async |now: DateTime<Utc>| {
        let issue = |edge| authority.edge(&key, edge, now, TimeDelta::days(90)).expect("signed");
        let (shown, by) = (joined_box.fingerprint(), authority.fingerprint());
        certificates::bring_back(system.db(), shown, issue, &key.hash(), by, TimeDelta::days(365), now)
            .await
            .expect("answered")
    };
    let ended = joined_box.admission.not_after;
    assert_eq!(back(ended + TimeDelta::days(365)).await, Err(NoReturn::TooLate));
    let now = ended + TimeDelta::days(364);
    let (edge, _, given) = back(now).await.expect("let in");
    assert_eq!(edge, joined_box.admission.edge_id);
    assert!(given.not_after > now);
    assert_eq!(audited(&system, "edge_returned").await, 1);
    // Its answer was lost: the same again.
    assert_eq!(back(now + TimeDelta::seconds(5)).await.expect("let in").2, given);
    assert_eq!(audited(&system, "edge_returned").await, 1);
    // Once the new one was used, the old one opens nothing.
    let given = Fingerprint::of(&read(&given.pem, "the answer").expect("PEM")[0]);
    let used = certificates::show(system.db(), given, now).await.expect("answered");
    assert!(matches!(used, Standing::Valid(..)), "{used:?}");
    assert_eq!(back(now).await, Err(NoReturn::Standing(Standing::Superseded(edge))));
}

#[tokio::test]
async fn an_instance_without_the_authoritys_key_does_not_start_with_another_one() {
    let (mut system, dir) = start().await;
    system.central.take().expect("started").stop().await.expect("stopped");
    let other = tempfile::tempdir().expect("a directory");
    system.config.tls.ca_dir = other.path().display().to_string();
    let error = central::central::Central::start(system.config.clone()).await.err().expect("refused").to_string();
    assert!(error.contains("ca.key") && error.contains(&other.path().display().to_string()), "{error}");
    for name in ["ca.key", "ca.crt"] {
        std::fs::copy(dir.path().join(name), other.path().join(name)).expect("copied");
    }
    system.start_central().await;
}
