//! Rule sets: made at headquarters, sent with a heartbeat's answer, reported back.

use common::protocol::{Heartbeat, HeartbeatAnswer, RulesReport};
use common::rules::RuleSet;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Batch, EdgeClient, System};
use crate::servers;

fn path(edge: &EdgeClient) -> String {
    format!("/api/v1/sites/{}/rules", edge.warehouse_id)
}

fn heavy(threshold: f64) -> Value {
    json!([{"name": "heavy", "threshold": threshold, "for": "2s"}])
}

async fn make(system: &System, edge: &EdgeClient, rules: &Value, base: Option<i64>) -> (StatusCode, Value) {
    system.post(&path(edge), &json!({"rules": rules, "note": "less noise", "base_version": base})).await
}

/// Beats as an edge that goes by what `report` says, and hears what it is told.
async fn beat(edge: &EdgeClient, report: Option<RulesReport>) -> Option<RuleSet> {
    let (status, answer) = edge.beat(&Heartbeat { rules: report, ..edge.heartbeat(0, &[]) }).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    serde_json::from_value::<HeartbeatAnswer>(answer).expect("an answer").rules
}

fn follows(set: &RuleSet) -> RulesReport {
    RulesReport { version: Some(set.version), set_id: Some(set.set_id), ..RulesReport::default() }
}

async fn edge_state(system: &System, edge: &EdgeClient) -> Value {
    let (status, rules) = system.get(&path(edge)).await;
    assert_eq!(status, StatusCode::OK, "{rules}");
    let edges = rules["edges"].as_array().expect("edges");
    edges.iter().find(|one| one["edge_id"] == edge.edge_id.to_string()).expect("the edge").clone()
}

#[tokio::test]
async fn a_set_reaches_each_edge_of_its_site_and_no_other() {
    let system = System::start().await;
    let edge = system.edge().await;
    let twin = system.edge_of(edge.warehouse_id).await;
    let stranger = system.edge().await;
    let own = Some(RulesReport::default());
    assert_eq!(beat(&edge, own.clone()).await, None, "headquarters has nothing to say");
    let (_, before) = system.get(&path(&edge)).await;
    assert_eq!((&before["current"], &before["edges"][0]["state"]), (&Value::Null, &json!("own")));
    assert_eq!(before["default_rules"][0]["name"], "sustained-risk");

    let (status, made) = make(&system, &edge, &heavy(65.0), None).await;
    assert_eq!((status, &made["version"]), (StatusCode::CREATED, &json!(1)), "{made}");
    assert_eq!(edge_state(&system, &edge).await["state"], "waiting");
    let set = beat(&edge, own.clone()).await.expect("told");
    assert_eq!(set.version, 1);
    // What was left out is said in full, as an edge of any version reads it.
    let (configs, _) = set.read().expect("valid").expect("rules");
    assert_eq!((configs[0].threshold, configs[0].gap.as_millis()), (65.0, 500));
    assert_eq!(beat(&edge, Some(follows(&set))).await, None, "once it goes by it");
    let state = edge_state(&system, &edge).await;
    assert_eq!((&state["state"], &state["applied_version"]), (&json!("applied"), &json!(1)));
    assert_eq!(beat(&twin, own.clone()).await, Some(set.clone()));
    assert_eq!(edge_state(&system, &twin).await["state"], "waiting", "what it reported before it was told");
    assert_eq!(beat(&stranger, own).await, None);
    let (_, overview) = system.get("/api/v1/rules").await;
    let sites = overview["sites"].as_array().expect("sites");
    let of = |edge: &EdgeClient| {
        let id = edge.warehouse_id.to_string();
        let site = sites.iter().find(|site| site["warehouse_id"] == id).expect("the site");
        ["version", "applied", "waiting", "refused", "own"].map(|key| site[key].as_i64())
    };
    assert_eq!(of(&edge), [Some(1), Some(1), Some(1), Some(0), Some(0)]);
    assert_eq!(of(&stranger), [None, Some(0), Some(0), Some(0), Some(1)]);
    assert_eq!(beat(&twin, None).await, None, "an edge that knows only its own rules is not bothered");

    // The edge's own configuration again.
    assert_eq!(make(&system, &edge, &Value::Null, Some(1)).await.0, StatusCode::CREATED);
    let null = beat(&edge, Some(follows(&set))).await.expect("told");
    assert_eq!((null.version, &null.rules), (2, &None));
    assert_eq!(beat(&edge, Some(follows(&null))).await, None);
    assert_eq!(edge_state(&system, &edge).await["state"], "own");
}

#[tokio::test]
async fn a_refusal_is_shown_and_not_argued_with() {
    let system = System::start().await;
    let edge = system.edge().await;
    make(&system, &edge, &heavy(65.0), None).await;
    let good = beat(&edge, Some(RulesReport::default())).await.expect("told");
    make(&system, &edge, &heavy(75.0), Some(1)).await;
    let bad = beat(&edge, Some(follows(&good))).await.expect("told");
    let refusal = RulesReport {
        refused: Some(bad.set_id),
        error: Some("rule 1: unknown field `posture`".to_owned()),
        ..follows(&good)
    };
    assert_eq!(beat(&edge, Some(refusal.clone())).await, None);
    let state = edge_state(&system, &edge).await;
    assert_eq!((&state["state"], &state["applied_version"]), (&json!("refused"), &json!(1)));
    assert_eq!(state["error"], "rule 1: unknown field `posture`");
    // A disk that was full is another matter: it is tried again.
    let full = RulesReport { error: Some("no space left".to_owned()), ..follows(&good) };
    assert_eq!(beat(&edge, Some(full)).await, Some(bad));
    assert_eq!(edge_state(&system, &edge).await["state"], "waiting");
}

/// Versions are compared by being the same, not by which is higher.
#[tokio::test]
async fn after_a_restored_backup_the_edge_goes_by_what_headquarters_says_now() {
    let system = System::start().await;
    let edge = system.edge().await;
    // The edge goes by a set that the backup does not have.
    let gone = RulesReport { version: Some(7), set_id: Some(Uuid::new_v4()), ..RulesReport::default() };
    assert_eq!(beat(&edge, Some(gone.clone())).await, Some(RuleSet::none()), "nothing at all is known");
    assert_eq!(edge_state(&system, &edge).await["state"], "waiting");
    for version in 1..=7 {
        make(&system, &edge, &heavy(60.0 + version as f64), Some(version - 1).filter(|base| *base > 0)).await;
        let told = beat(&edge, Some(gone.clone())).await.expect("told, also where the number is the same");
        assert_eq!(told.version, version.unsigned_abs());
    }
}

#[tokio::test]
async fn two_people_do_not_overwrite_each_other() {
    let system = System::start().await;
    let edge = system.edge().await;
    let (one, two) = (heavy(61.0), heavy(62.0));
    let (a, b) = tokio::join!(make(&system, &edge, &one, None), make(&system, &edge, &two, None));
    let mut statuses = [a.0.as_u16(), b.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let (status, problem) = make(&system, &edge, &heavy(63.0), Some(4)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("version_conflict")));
    assert!(problem["message"].as_str().expect("text").contains("it is 1"), "{problem}");
    assert_eq!(system.count("SELECT count(*) FROM rule_sets").await, 1);
    assert_eq!(
        system
            .count("SELECT count(*) FROM audit_log WHERE action = 'set_rules' AND detail LIKE 'version 1: heavy; less noise'")
            .await,
        1
    );
}

#[tokio::test]
async fn what_no_edge_could_use_is_refused_here() {
    let system = System::start().await;
    let edge = system.edge().await;
    let many: Vec<Value> = (0..21).map(|n| json!({"name": format!("r{n}"), "threshold": 70})).collect();
    for (rules, words) in [
        (json!([{"name": "heavy", "threshold": 101}]), "rules: rule 1 \"heavy\": threshold: "),
        (json!([{"name": "wan-down", "threshold": 70}]), "rules: rule 1 \"wan-down\": name: "),
        (json!([{"name": "heavy", "threshold": 70, "color": "red"}]), "rules: rule 1: unknown field `color`"),
        (json!(many), "at most 20"),
    ] {
        for (path, body) in [
            (path(&edge), json!({"rules": &rules, "note": ""})),
            (format!("{}/check", path(&edge)), json!({"rules": &rules})),
        ] {
            let (status, problem) = system.post(&path, &body).await;
            assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("rules_invalid")));
            assert!(problem["message"].as_str().expect("text").contains(words), "{problem}");
        }
    }
    let (status, _) = system.post(&format!("{}/check", path(&edge)), &json!({"rules": heavy(70.0)})).await;
    assert_eq!(status, StatusCode::OK);
    let (status, problem) = system.post(&path(&edge), &json!({"note": "forgot them"})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("body_invalid")));
    let note = json!({"rules": null, "note": "less\u{202e} noise"});
    let (status, problem) = system.post(&path(&edge), &note).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("body_invalid")));
    assert!(problem["message"].as_str().expect("text").starts_with("note has '\\u{202e}' in it"), "{problem}");
    let nowhere = format!("/api/v1/sites/{}/rules", Uuid::new_v4());
    assert_eq!(system.get(&nowhere).await.0, StatusCode::NOT_FOUND);
    assert_eq!(system.post(&nowhere, &json!({"rules": null})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(system.count("SELECT count(*) FROM rule_sets").await, 0);
}

/// It would be silent there, and nobody would notice.
#[tokio::test]
async fn a_rule_for_a_zone_that_the_site_does_not_have_is_refused_with_those_it_has() {
    let system = System::start().await;
    let edge = system.edge().await;
    let stranger = system.edge().await;
    let refused = async |zone: Value, words: &[String]| {
        let rules = json!([{"name": "all", "threshold": 70}, {"name": "dock", "threshold": 70, "zones": [zone]}]);
        for (path, body) in
            [(path(&edge), json!({"rules": &rules})), (format!("{}/check", path(&edge)), json!({"rules": &rules}))]
        {
            let (status, problem) = system.post(&path, &body).await;
            assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("rules_invalid")));
            let message = problem["message"].as_str().expect("text");
            for words in words {
                assert!(message.contains(words), "{words} is not in: {message}");
            }
        }
    };
    let field = "rules: rule 2 \"dock\": zones: ".to_owned();
    refused(json!(edge.zone_id), &[field.clone(), "no zone of the site is known yet".to_owned()]).await;
    for edge in [&edge, &stranger] {
        edge.send(&Batch::of(&edge.records(1..=1))).await.receipt();
    }
    let zone = edge.zone_id.to_string();
    let named = json!({"zones": {&zone: "Dock 4"}});
    assert_eq!(system.put(&path(&edge).replace("/rules", "/settings"), &named).await.0, StatusCode::OK);
    // Another site's.
    refused(json!(stranger.zone_id), &[field, format!("no zone {}", stranger.zone_id), format!("{zone} (Dock 4)")])
        .await;
    assert_eq!(system.count("SELECT count(*) FROM rule_sets").await, 0);
    let own = json!([{"name": "dock", "threshold": 70, "zones": [zone]}]);
    assert_eq!(make(&system, &edge, &own, None).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn a_set_without_rules_is_said_to_switch_alerts_off() {
    let system = System::start().await;
    let edge = system.edge().await;
    let site = path(&edge).replace("/rules", "");
    servers::eventually("the fleet has it", async || (system.get(&site).await.0 == StatusCode::OK).then_some(())).await;
    let said = async || {
        let (_, overview) = system.get("/api/v1/rules").await;
        let (_, site) = system.get(&site).await;
        (overview["sites"][0]["alerts_off"].clone(), site["alerts_off"].clone())
    };
    for (base, rules, off) in [(None, heavy(60.0), false), (Some(1), json!([]), true), (Some(2), Value::Null, false)] {
        assert_eq!(make(&system, &edge, &rules, base).await.0, StatusCode::CREATED);
        assert_eq!(said().await, (json!(off), json!(off)), "{rules}");
    }
}

#[tokio::test]
async fn all_versions_can_be_looked_at_page_by_page() {
    let system = System::start().await;
    let edge = system.edge().await;
    for version in 0..5 {
        let base = Some(version).filter(|base| *base > 0);
        assert_eq!(make(&system, &edge, &heavy(60.0 + version as f64), base).await.0, StatusCode::CREATED);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = system.get(&format!("{}/versions?limit=2{cursor}", path(&edge))).await;
        let versions = page["versions"].as_array().expect("versions");
        seen.extend(versions.iter().map(|one| (one["version"].as_i64(), one["rules"][0]["threshold"].as_f64())));
        let Some(next) = page["next"].as_i64() else { break };
        cursor = format!("&cursor={next}");
    }
    let wanted: Vec<_> = (1..=5).rev().map(|n| (Some(n), Some(59.0 + n as f64))).collect();
    assert_eq!(seen, wanted);
    let (_, page) = system.get(&format!("{}/versions", path(&edge))).await;
    assert_eq!((&page["versions"][0]["made_by"], &page["versions"][0]["note"]), (&json!("test"), &json!("less noise")));
}
