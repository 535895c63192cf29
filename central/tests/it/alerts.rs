//! Alerts and facts: brought by edges in any order, said at headquarters, delivered to edges, and merged by one rule.

use central::access::{self, Scopes};
use central::store::tokens;
use chrono::{DateTime, TimeDelta, Utc};
use common::alert::{AlertEvent, CURVE_MOMENTS_MAX, Curve, Fact, Origin, Scope, Severity, Statement, Subject, payload};
use common::clock;
use common::ids::{AlertId, FactId, ZoneId};
use common::protocol::FACTS_MAX;
use common::record::{Kind, Record};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Batch, EdgeClient, System};
use crate::servers::eventually;

fn now_ms() -> i64 {
    clock::now().timestamp_millis()
}

/// A lift that still goes on.
pub fn alert(edge: &EdgeClient) -> AlertEvent {
    let now = clock::now();
    AlertEvent {
        alert_id: AlertId::from_uuid(Uuid::new_v4()),
        revision: 1,
        subject: Subject::Risk,
        warehouse_id: Some(edge.warehouse_id),
        edge_id: Some(edge.edge_id),
        rule: "sustained-risk".to_owned(),
        severity: Severity::Warning,
        zone_id: Some(edge.zone_id),
        camera_id: Some("cam-07".to_owned()),
        worker_id: Some(common::ids::WorkerId::from_uuid(Uuid::new_v4())),
        started_at: now - TimeDelta::seconds(5),
        raised_at: now - TimeDelta::seconds(2),
        ended_at: None,
        peak: Some(81.25),
        peak_at: Some(now - TimeDelta::seconds(1)),
        events: 40,
        episodes: 1,
        summary: "risk was above 70 for 3 s".to_owned(),
        curve: Some(Curve {
            threshold: Some(70.0),
            clear_below: Some(65.5),
            moments: vec![(0, 7_100), (4_000, 8_125), (4_100, 7_850)],
        }),
    }
}

/// The same alert at a later change.
pub fn revised(alert: &AlertEvent, revision: u32) -> AlertEvent {
    let ended_at = Some(alert.started_at + TimeDelta::seconds(i64::from(revision)));
    AlertEvent { revision, ended_at, events: revision * 100, ..alert.clone() }
}

fn fact(statement: Statement) -> Fact {
    let fact_id = FactId::from_uuid(Uuid::new_v4());
    Fact { fact_id, at: clock::now(), by: "Aneta".to_owned(), origin: Origin::Edge, statement }
}

pub fn acknowledge(alert: &AlertEvent, at: DateTime<Utc>) -> Fact {
    Fact { at, ..fact(Statement::Acknowledge { alert_id: alert.alert_id, note: Some("on my way".to_owned()) }) }
}

impl EdgeClient {
    pub fn alert_record(&self, seq: u64, alert: &AlertEvent) -> Vec<u8> {
        Record { kind: Kind::Alert, epoch: self.epoch, seq, accepted_ms: now_ms(), payload: &payload(alert) }.write()
    }

    pub fn fact_record(&self, seq: u64, fact: &Fact) -> Vec<u8> {
        Record { kind: Kind::Fact, epoch: self.epoch, seq, accepted_ms: now_ms(), payload: &payload(fact) }.write()
    }

    /// Committed, duplicates, dead letters.
    async fn take(&self, records: &[Vec<u8>]) -> [usize; 3] {
        let receipt = self.deliver(&Batch::of(records)).await;
        [receipt.committed as usize, receipt.duplicates as usize, receipt.dead_letters.len()]
    }

    /// What a heartbeat brings back: the facts, and how far they go.
    pub async fn facts_after(&self, after: u64) -> (Vec<Fact>, u64) {
        let mut heartbeat = self.heartbeat(0, &[]);
        heartbeat.facts_after = Some(after);
        let (status, answer) = self.beat(&heartbeat).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let facts = serde_json::from_value(answer["facts"].clone()).expect("facts");
        (facts, answer["facts_until"].as_u64().expect("a position"))
    }
}

fn parts(account: &Value) -> [i64; 6] {
    ["received", "stored", "alerts", "duplicates", "dead", "missing"].map(|n| account[n].as_i64().expect("a number"))
}

async fn shown(system: &System, alert: &AlertEvent) -> Value {
    let (status, answer) = system.get(&format!("/api/v1/alerts/{}", alert.alert_id)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

fn ids(answer: &Value) -> Vec<String> {
    let alerts = answer["alerts"].as_array().unwrap_or_else(|| panic!("{answer}"));
    alerts.iter().map(|alert| alert["alert_id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn an_alert_and_its_facts_arrive_with_the_events_and_the_ledger_tells_them_apart() {
    let system = System::start().await;
    let edge = system.edge().await;
    let alert = alert(&edge);
    let ack = acknowledge(&alert, clock::now());
    let mut records = edge.records(1..=10);
    records.extend([edge.alert_record(11, &alert), edge.fact_record(12, &ack)]);
    records.extend(edge.records(13..=15));
    assert_eq!(edge.take(&records).await, [15, 0, 0]);
    assert_eq!(parts(&system.account(&edge).await), [15, 13, 2, 0, 0, 0]);
    assert_eq!(system.rows().await, 13);
    system.assert_consistent().await;

    let answer = shown(&system, &alert).await;
    let view = &answer["alert"];
    assert_eq!((&view["state"], &view["acknowledged"]["by"]), (&json!("acknowledged"), &json!("Aneta")));
    assert_eq!((&view["peak"], &view["events"], &view["rule"]), (&json!(81.25), &json!(40), &json!("sustained-risk")));
    assert_eq!(view["warehouse_id"], json!(edge.warehouse_id));
    let worker = alert.worker_id.expect("one").to_string();
    assert!(!answer.to_string().contains(&worker), "personal data");
    let kept = system.count("SELECT count(*) FROM alerts WHERE worker_id IS NOT NULL").await;
    assert_eq!(kept, 1, "it is kept for those who may see it");

    // Sent again, whole and in parts, under other batches: nothing new.
    assert_eq!(edge.take(&records).await, [0, 15, 0]);
    assert_eq!(edge.take(&records[10..12]).await, [0, 2, 0]);
    assert_eq!(parts(&system.account(&edge).await), [15, 13, 2, 0, 0, 0]);
    assert_eq!(system.count("SELECT count(*) FROM alerts").await, 1);
    assert_eq!(system.count("SELECT count(*) FROM alert_facts").await, 1);
    system.assert_consistent().await;
}

#[tokio::test]
async fn the_curve_comes_with_the_alert_and_is_shown_to_those_who_may_see_single_events() {
    let system = System::start().await;
    let edge = system.edge().await;
    let raised = alert(&edge);
    edge.take(&[edge.alert_record(1, &raised)]).await;
    let answer = shown(&system, &raised).await;
    let at = |ms| json!(raised.started_at + TimeDelta::milliseconds(ms));
    let moments = json!([{"t": at(0), "risk": 71.0}, {"t": at(4_000), "risk": 81.25}, {"t": at(4_100), "risk": 78.5}]);
    assert_eq!(
        (&answer["curve"], &answer["threshold"], &answer["clear_below"]),
        (&moments, &json!(70.0), &json!(65.5))
    );

    // The next state brings the rest, one of an edge that does not know of curves none.
    let mut longer = revised(&raised, 2);
    longer.curve.as_mut().expect("one").moments.push((5_000, 6_000));
    edge.take(&[edge.alert_record(2, &longer)]).await;
    assert_eq!(shown(&system, &raised).await["curve"].as_array().map(Vec::len), Some(4));
    let older = AlertEvent { curve: None, ..revised(&raised, 3) };
    edge.take(&[edge.alert_record(3, &older)]).await;
    assert_eq!(shown(&system, &raised).await["curve"], json!([]));

    edge.take(&[edge.alert_record(4, &revised(&raised, 4))]).await;
    let token =
        tokens::add_token(system.db(), "test", "looks", Scopes::of(&[access::Scope::Read])).await.expect("stored");
    let path = format!("{}/api/v1/alerts/{}", system.url, raised.alert_id);
    let request = system.http.get(path).bearer_auth(token.expect("new"));
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&answer["curve"], &answer["threshold"]), (&json!([]), &Value::Null));
    assert_eq!(answer["alert"]["peak"], 81.25);
}

#[tokio::test]
async fn the_newest_state_of_an_alert_holds_in_whatever_order_states_arrive() {
    let system = System::start().await;
    let edge = system.edge().await;
    let (raised, again) = (alert(&edge), alert(&edge));
    let revision = async |alert: &AlertEvent| shown(&system, alert).await["alert"]["revision"].as_i64().expect("one");
    // Each in a batch of its own, the newest in the middle.
    for (seq, (number, stored)) in (1..).zip([(2, 1), (4, 1), (1, 0), (3, 0), (4, 0)]) {
        let record = edge.alert_record(seq, &revised(&raised, number));
        assert_eq!(edge.take(&[record]).await, [stored, 1 - stored, 0], "revision {number}");
    }
    assert_eq!(revision(&raised).await, 4);
    assert_eq!(shown(&system, &raised).await["alert"]["events"], 400, "the whole state is the newest");
    // All in one batch, one of them twice.
    let numbers = [3, 1, 2, 3];
    let together: Vec<_> = (6..).zip(numbers).map(|(seq, n)| edge.alert_record(seq, &revised(&again, n))).collect();
    assert_eq!(edge.take(&together).await, [3, 1, 0]);
    assert_eq!(revision(&again).await, 3);
    assert_eq!(edge.take(&together).await, [0, 4, 0]);
    // Over, it stays over.
    assert_eq!(shown(&system, &again).await["alert"]["state"], "cleared");
    assert_eq!(parts(&system.account(&edge).await), [9, 0, 5, 4, 0, 0]);
    system.assert_consistent().await;
}

#[tokio::test]
async fn many_transactions_with_the_same_alerts_neither_wait_in_a_circle_nor_lose_the_newest() {
    let system = System::start_with(|config| {
        (config.workers.min, config.workers.concurrency, config.stream.batch_size) = (4, 4, 1);
    })
    .await;
    let edge = system.edge().await;
    let alerts: Vec<AlertEvent> = (0..60).map(|_| alert(&edge)).collect();
    let mut sends = Vec::new();
    for round in 0..8u32 {
        let edge = &edge;
        let mut records: Vec<_> = (1..)
            .zip(&alerts)
            .map(|(seq, alert)| edge.alert_record(u64::from(round) * 100 + seq, &revised(alert, round + 1)))
            .collect();
        records.rotate_left(round as usize * 7);
        sends.push(async move { edge.deliver(&Batch::of(&records)).await });
    }
    futures_util::future::join_all(sends).await;
    assert_eq!(system.count("SELECT count(*) FROM alerts WHERE revision = 8").await, 60);
    assert_eq!(system.metric("smartpick_central_transactions_failed_total").await, 0.0);
    // Each change that held was counted once, whichever they were.
    let [received, stored, changes, duplicates, ..] = parts(&system.account(&edge).await);
    assert_eq!((received, stored, changes + duplicates), (480, 0, 480));
    assert!(changes >= 60);
}

#[tokio::test]
async fn an_edge_cannot_touch_another_warehouses_alerts() {
    let system = System::start().await;
    let (own, foreign) = (system.edge().await, system.edge().await);
    let raised = alert(&own);
    let ack = acknowledge(&raised, clock::now());
    own.take(&[own.alert_record(1, &raised)]).await;
    // As itself it can only write below its own warehouse; as another it is not believed.
    let claimed = revised(&raised, 9);
    let mine = AlertEvent { warehouse_id: None, summary: "mine".to_owned(), ..revised(&raised, 9) };
    let records = [foreign.alert_record(1, &claimed), foreign.alert_record(2, &mine), foreign.fact_record(3, &ack)];
    let receipt = foreign.deliver(&Batch::of(&records)).await;
    assert_eq!((receipt.committed, receipt.dead_letters.len()), (2, 1));
    assert!(receipt.dead_letters[0].reason.contains("its edge is of warehouse"), "{receipt:?}");

    let of = async |edge: &EdgeClient| {
        let path = format!("/api/v1/alerts/{}?warehouse_id={}", raised.alert_id, edge.warehouse_id);
        system.get(&path).await.1["alert"].clone()
    };
    let view = of(&own).await;
    assert_eq!((&view["revision"], &view["state"], &view["acknowledged"]), (&json!(1), &json!("raised"), &Value::Null));
    assert_eq!(of(&foreign).await["summary"], "mine");
    // Without saying whose, nobody is taken at a guess.
    let (status, answer) = system.get(&format!("/api/v1/alerts/{}", raised.alert_id)).await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("ambiguous")));
    // The same fact in its own warehouse is another fact.
    assert_eq!(own.take(&[own.fact_record(2, &ack)]).await, [1, 0, 0]);
    assert_eq!(of(&own).await["acknowledged"]["by"], "Aneta");
}

#[tokio::test]
async fn what_cannot_be_stored_is_a_dead_letter_and_its_neighbours_are_stored() {
    let system = System::start().await;
    let edge = system.edge().await;
    let good = alert(&edge);
    let long = "x".repeat(1_001);
    let far = DateTime::<Utc>::MAX_UTC;
    let bad = |spoil: &dyn Fn(&mut AlertEvent)| {
        let mut alert = alert(&edge);
        spoil(&mut alert);
        payload(&alert)
    };
    let curve = |spoil: &dyn Fn(&mut Curve)| bad(&|a| spoil(a.curve.as_mut().expect("one")));
    let say = |statement: Statement| payload(&fact(statement));
    let silence =
        |reason: &str, until| Statement::Silence { scope: Scope::default(), reason: reason.to_owned(), until };
    let ack = acknowledge(&good, clock::now());
    let until = clock::now();
    let poison: Vec<(Kind, Vec<u8>, &str)> = vec![
        (Kind::Alert, bad(&|a| a.summary = "a\0b".to_owned()), "summary contains a NUL"),
        (Kind::Alert, bad(&|a| a.summary.clone_from(&long)), "summary has 1001 characters"),
        (Kind::Alert, bad(&|a| a.rule = " ".to_owned()), "rule is empty"),
        (Kind::Alert, bad(&|a| a.rule = "r".repeat(61)), "rule has 61"),
        (Kind::Alert, bad(&|a| a.camera_id = Some("c".repeat(256))), "camera_id has 256"),
        (Kind::Alert, bad(&|a| a.peak = Some(f64::NAN)), "peak NaN"),
        (Kind::Alert, bad(&|a| a.peak = Some(f64::INFINITY)), "peak inf"),
        (Kind::Alert, bad(&|a| a.revision = 0), "revision 0"),
        (Kind::Alert, bad(&|a| a.raised_at = far), "raised_at is outside"),
        (Kind::Alert, curve(&|c| c.moments = vec![(0, 0); CURVE_MOMENTS_MAX + 1]), "curve has 241"),
        (Kind::Alert, curve(&|c| c.moments[0].1 = 10_001), "curve has a score of 100.01"),
        (Kind::Alert, curve(&|c| c.moments[0].0 = i64::MAX), "curve has a time"),
        (Kind::Alert, curve(&|c| c.threshold = Some(f64::NAN)), "curve.threshold NaN"),
        (Kind::Alert, b"?".to_vec(), "not an alert"),
        (Kind::Fact, b"?".to_vec(), "not a fact"),
        (Kind::Fact, payload(&Fact { by: String::new(), ..ack.clone() }), "by is empty"),
        (Kind::Fact, payload(&Fact { by: "b".repeat(101), ..ack.clone() }), "by has 101"),
        (Kind::Fact, payload(&Fact { origin: Origin::Headquarters, ..ack.clone() }), "made at headquarters"),
        (Kind::Fact, say(silence(" ", until)), "reason is empty"),
        (Kind::Fact, say(silence("stocktaking\0", until)), "reason contains a NUL"),
        (Kind::Fact, say(silence("stocktaking", far)), "until is outside"),
        (Kind::Fact, payload(&Fact { at: far, ..ack.clone() }), "at is outside"),
    ];
    let mut records = vec![edge.alert_record(1, &good), edge.fact_record(2, &ack)];
    for (kind, payload, _) in &poison {
        let seq = records.len() as u64 + 1;
        records.push(Record { kind: *kind, epoch: edge.epoch, seq, accepted_ms: now_ms(), payload }.write());
        records.push(edge.record(seq + 1, &edge.event()));
    }
    let receipt = edge.deliver(&Batch::of(&records)).await;
    assert_eq!(receipt.dead_letters.len(), poison.len());
    for (note, (_, _, reason)) in receipt.dead_letters.iter().zip(&poison) {
        assert!(note.reason.contains(reason), "{:?} does not say {reason:?}", note.reason);
    }
    let (events, letters) = (poison.len() as i64, poison.len() as i64);
    assert_eq!(system.rows().await, events);
    assert_eq!(parts(&system.account(&edge).await), [2 + events + letters, events, 2, 0, letters, 0]);
    assert_eq!(shown(&system, &good).await["alert"]["state"], "acknowledged");
    system.assert_consistent().await;
}

/// As an earlier version would have left it that did not know the kind.
async fn letter(system: &System, edge: &EdgeClient, record: &[u8], seq: i64) -> i64 {
    let quarter = common::quarter::Quarter::of(clock::now()).start();
    sqlx::query(
        "INSERT INTO dead_letters (edge_id, warehouse_id, batch_id, kind, epoch, seq, quarter, reason, raw, raw_sha256)
         VALUES ($1, $2, gen_random_uuid(), 'record', $3, $4, $5, 'kind 2 is not known', $6, sha256($6))",
    )
    .bind(edge.edge_id.uuid())
    .bind(edge.warehouse_id.uuid())
    .bind(edge.epoch.uuid())
    .bind(seq)
    .bind(quarter)
    .bind(record)
    .execute(&system.pool)
    .await
    .expect("inserted");
    for sql in [
        "INSERT INTO edge_epochs (edge_id, epoch, warehouse_id, first_seen_at, head, received, dead)
         VALUES ($1, $2, $3, $4, 1, '{[1,1]}', 1)",
        "INSERT INTO epoch_quarters (edge_id, epoch, warehouse_id, quarter, received, dead)
         VALUES ($1, $2, $3, $4, '{[1,1]}', 1)",
    ] {
        sqlx::query(sql)
            .bind(edge.edge_id.uuid())
            .bind(edge.epoch.uuid())
            .bind(edge.warehouse_id.uuid())
            .bind(quarter)
            .execute(&system.pool)
            .await
            .expect("inserted");
    }
    system.count("SELECT max(id) FROM dead_letters").await
}

#[tokio::test]
async fn an_alert_that_was_a_dead_letter_can_be_replayed() {
    let system = System::start().await;
    let edge = system.edge().await;
    let alert = alert(&edge);
    let id = letter(&system, &edge, &edge.alert_record(1, &alert), 1).await;
    let (status, answer) = system.post(&format!("/api/v1/dead-letters/{id}/replay"), &Value::Null).await;
    assert_eq!((status, &answer["stored"]), (StatusCode::OK, &json!(1)), "{answer}");
    assert_eq!(parts(&system.account(&edge).await), [1, 0, 1, 0, 0, 0]);
    assert_eq!(shown(&system, &alert).await["alert"]["revision"], 1);
    system.assert_consistent().await;
}

#[tokio::test]
async fn the_first_acknowledgement_counts_whichever_came_here_first() {
    let system = System::start().await;
    let edge = system.edge().await;
    let (floor_first, hq_first) = (alert(&edge), alert(&edge));
    edge.take(&[edge.alert_record(1, &floor_first), edge.alert_record(2, &hq_first)]).await;
    let by_hq = async |alert: &AlertEvent| {
        let path = format!("/api/v1/alerts/{}/acknowledge", alert.alert_id);
        system.post(&path, &json!({ "fact_id": Uuid::new_v4(), "note": "seen from afar" })).await
    };
    let early = clock::now() - TimeDelta::minutes(1);
    // Said on the floor a minute ago, but it arrives after what headquarters said.
    assert_eq!(by_hq(&floor_first).await.1["alert"]["acknowledged"]["by"], "test");
    edge.take(&[edge.fact_record(3, &acknowledge(&floor_first, early))]).await;
    // And the other way round: the floor's clock is later, and its word came first.
    edge.take(&[edge.fact_record(4, &acknowledge(&hq_first, clock::now() + TimeDelta::minutes(1)))]).await;
    let (status, answer) = by_hq(&hq_first).await;
    assert_eq!((status, &answer["alert"]["acknowledged"]["by"]), (StatusCode::OK, &json!("test")), "{answer}");
    for (alert, who) in [(&floor_first, ["Aneta", "test"]), (&hq_first, ["test", "Aneta"])] {
        let answer = shown(&system, alert).await;
        assert_eq!(answer["alert"]["acknowledged"]["by"], who[0]);
        let all: Vec<&Value> = answer["facts"].as_array().expect("facts").iter().map(|fact| &fact["by"]).collect();
        assert_eq!(all, who, "the later one is kept");
    }
}

#[tokio::test]
async fn what_headquarters_says_twice_is_one_fact_and_an_id_says_one_thing() {
    let system = System::start().await;
    let edge = system.edge().await;
    let (a, b) = (alert(&edge), alert(&edge));
    edge.take(&[edge.alert_record(1, &a), edge.alert_record(2, &b)]).await;
    let fact_id = Uuid::new_v4();
    let say = async |alert: &AlertEvent, note: &str| {
        let path = format!("/api/v1/alerts/{}/acknowledge", alert.alert_id);
        system.post(&path, &json!({ "fact_id": fact_id, "note": note })).await
    };
    // Five at once, then once more.
    let answers = futures_util::future::join_all((0..5).map(|_| say(&a, "mine"))).await;
    let first = &answers[0].1["alert"]["acknowledged"];
    for (status, answer) in &answers {
        assert_eq!((*status, &answer["alert"]["acknowledged"]), (StatusCode::OK, first));
    }
    assert_eq!(say(&a, "mine").await.1["alert"]["acknowledged"], *first);
    assert_eq!(system.count("SELECT count(*) FROM alert_facts").await, 1);
    assert_eq!(system.count("SELECT count(*) FROM audit_log WHERE action = 'acknowledge'").await, 1);
    // Another note, another alert, another person: another fact.
    let conflict = |(status, answer): (StatusCode, Value)| {
        assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("fact_conflict")));
    };
    conflict(say(&a, "yours").await);
    conflict(say(&b, "mine").await);
    let begin = json!({ "silence_id": fact_id, "warehouse_id": edge.warehouse_id, "reason": "x", "minutes": 5 });
    conflict(system.post("/api/v1/silences", &begin).await);
    assert_eq!(shown(&system, &b).await["alert"]["state"], "raised");

    let nowhere = format!("/api/v1/alerts/{}/acknowledge", Uuid::new_v4());
    assert_eq!(system.post(&nowhere, &json!({ "fact_id": Uuid::new_v4() })).await.0, StatusCode::NOT_FOUND);
    let path = format!("/api/v1/alerts/{}/acknowledge", b.alert_id);
    for body in [
        json!({}),
        json!({ "fact_id": Uuid::new_v4(), "note": "n".repeat(501) }),
        json!({ "fact_id": Uuid::new_v4(), "note": "seen\u{200b}" }),
        json!({ "fact_id": 7 }),
    ] {
        let (status, answer) = system.post(&path, &body).await;
        assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("body_invalid")), "{body}");
    }
}

/// What the fleet's page says of alerts: all that are open, and those that nobody sees to.
async fn fleet_counts(system: &System, open: i64, not_seen_to: i64) {
    eventually("the fleet counts them so", async || {
        let health = system.get("/api/v1/fleet/health").await.1;
        let site = health["sites"].get(0)?;
        (site["alerts_open"] == open && site["alerts_unacknowledged"] == not_seen_to).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_silence_covers_what_it_names_and_ends_by_itself_or_by_hand() {
    let system = System::start().await;
    let edge = system.edge().await;
    let (covered, other) = (alert(&edge), AlertEvent { zone_id: None, ..alert(&edge) });
    edge.take(&[edge.alert_record(1, &covered), edge.alert_record(2, &other)]).await;
    let silence_id = Uuid::new_v4();
    let begin = json!({
        "silence_id": silence_id, "warehouse_id": edge.warehouse_id, "scope": { "zone_id": edge.zone_id },
        "reason": "stocktaking", "minutes": 30,
    });
    let (status, silence) = system.post("/api/v1/silences", &begin).await;
    assert_eq!((status, &silence["active"], &silence["by"]), (StatusCode::OK, &json!(true), &json!("test")));
    // "30 minutes" said again a little later is the same silence; 31 is another.
    assert_eq!(system.post("/api/v1/silences", &begin).await.1["until"], silence["until"]);
    let mut longer = begin.clone();
    longer["minutes"] = json!(31);
    assert_eq!(system.post("/api/v1/silences", &longer).await.0, StatusCode::CONFLICT);
    let silenced = system.get("/api/v1/alerts?state=silenced").await.1;
    assert_eq!(ids(&silenced), [covered.alert_id.to_string()]);
    assert_eq!(silenced["alerts"][0]["silenced"]["reason"], "stocktaking");
    assert_eq!(ids(&system.get("/api/v1/alerts?state=open").await.1).len(), 2, "it stays listed");
    fleet_counts(&system, 2, 1).await;

    // Ended on the floor.
    let ended = fact(Statement::EndSilence { silence_id: FactId::from_uuid(silence_id) });
    edge.take(&[edge.fact_record(3, &ended)]).await;
    assert!(ids(&system.get("/api/v1/alerts?state=silenced").await.1).is_empty());
    fleet_counts(&system, 2, 2).await;
    let (status, silence) =
        system.post(&format!("/api/v1/silences/{silence_id}/end"), &json!({ "fact_id": Uuid::new_v4() })).await;
    assert_eq!((status, &silence["ended"]["by"]), (StatusCode::OK, &json!("Aneta")), "the first end counts: {silence}");
    let listed = system.get(&format!("/api/v1/silences?warehouse_id={}", edge.warehouse_id)).await.1;
    assert_eq!(
        (&listed["silences"][0]["active"], &listed["silences"][0]["ended"]["by"]),
        (&json!(false), &json!("Aneta"))
    );

    // One that was over before it came is never in force.
    let past = Statement::Silence {
        scope: Scope::default(),
        reason: "late".to_owned(),
        until: clock::now() - TimeDelta::minutes(1),
    };
    let past = Fact { at: clock::now() - TimeDelta::minutes(9), ..fact(past) };
    edge.take(&[edge.fact_record(4, &past)]).await;
    assert!(ids(&system.get("/api/v1/alerts?state=silenced").await.1).is_empty());

    for (field, value) in
        [("minutes", json!(0)), ("minutes", json!(10_081)), ("reason", json!(" ")), ("reason", json!("a\u{2066}b"))]
    {
        let mut wrong = begin.clone();
        wrong["silence_id"] = json!(Uuid::new_v4());
        wrong[field] = value;
        let (status, answer) = system.post("/api/v1/silences", &wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {answer}");
    }
    let mut nowhere = begin;
    nowhere["silence_id"] = json!(Uuid::new_v4());
    nowhere["warehouse_id"] = json!(Uuid::new_v4());
    assert_eq!(system.post("/api/v1/silences", &nowhere).await.0, StatusCode::NOT_FOUND);
    let unknown = format!("/api/v1/silences/{}/end", Uuid::new_v4());
    assert_eq!(system.post(&unknown, &json!({ "fact_id": Uuid::new_v4() })).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn alerts_are_filtered_and_listed_page_by_page() {
    let system = System::start().await;
    let (edge, other) = (system.edge().await, system.edge().await);
    let now = clock::now();
    let zone = ZoneId::from_uuid(Uuid::new_v4());
    let alerts: Vec<AlertEvent> = (0..12)
        .map(|n| {
            let started_at = now - TimeDelta::minutes(n);
            let ended_at = (n % 3 == 0).then_some(started_at);
            let severity = if n % 2 == 0 { Severity::Critical } else { Severity::Notice };
            let zone_id = Some(if n < 4 { zone } else { edge.zone_id });
            AlertEvent { started_at, raised_at: started_at, ended_at, severity, zone_id, ..alert(&edge) }
        })
        .collect();
    let records: Vec<_> = (1..).zip(&alerts).map(|(seq, alert)| edge.alert_record(seq, alert)).collect();
    edge.take(&records).await;
    other.take(&[other.alert_record(1, &alert(&other))]).await;
    for alert in [&alerts[1], &alerts[4]] {
        edge.take(&[edge.fact_record(20, &acknowledge(alert, now))]).await;
    }
    let own = format!("/api/v1/alerts?warehouse_id={}", edge.warehouse_id);
    let numbers = async |query: &str| -> Vec<usize> {
        let answer = system.get(&format!("{own}{query}")).await.1;
        let place = |id: &String| alerts.iter().position(|alert| alert.alert_id.to_string() == *id).expect("ours");
        ids(&answer).iter().map(place).collect()
    };
    assert_eq!(numbers("").await, (0..12).collect::<Vec<_>>(), "newest first, of this warehouse only");
    assert_eq!(numbers("&state=open").await, [1, 2, 4, 5, 7, 8, 10, 11]);
    assert_eq!(numbers("&state=cleared").await, [0, 3, 6, 9]);
    assert_eq!(numbers("&state=acknowledged").await, [1, 4]);
    assert_eq!(numbers("&state=raised").await, [2, 5, 7, 8, 10, 11]);
    assert_eq!(numbers("&severity=critical&state=open").await, [2, 4, 8, 10]);
    assert_eq!(numbers(&format!("&zone_id={zone}")).await, [0, 1, 2, 3]);
    let time = |minutes| (now - TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M:%S%.6fZ");
    assert_eq!(numbers(&format!("&from={}&to={}", time(5), time(3))).await, [4, 5]);

    // Pages neither overlap nor leave any out, also where the filter is not the database's.
    for (query, expected) in [("", 12), ("&state=raised", 6)] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = system.get(&format!("{own}{query}&limit=5{cursor}")).await.1;
            seen.extend(ids(&page));
            pages += 1;
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert!((2..=3).contains(&pages), "{pages} pages");
        let unique: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), unique.len()), (expected, expected), "{query}");
    }
    assert_eq!(ids(&system.get("/api/v1/alerts").await.1).len(), 13);
    for wrong in [
        "state=lost",
        "severity=huge",
        "limit=0",
        "cursor=x",
        "warehouse_id=x",
        "warehouse=00000000-0000-0000-0000-000000000001",
        "colour=red",
    ] {
        assert_eq!(system.get(&format!("/api/v1/alerts?{wrong}")).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(system.get("/api/v1/alerts/x").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_edge_is_told_what_headquarters_said_of_its_warehouse_until_it_has_it() {
    let system = System::start().await;
    let edge = system.edge().await;
    let (twin, stranger) = (system.edge_of(edge.warehouse_id).await, system.edge().await);
    let raised = alert(&edge);
    edge.take(&[edge.alert_record(1, &raised), edge.fact_record(2, &acknowledge(&raised, clock::now()))]).await;
    assert_eq!(edge.facts_after(0).await, (Vec::new(), 0), "what an edge said is not told back");
    let path = format!("/api/v1/alerts/{}/acknowledge", raised.alert_id);
    let fact_id = Uuid::new_v4();
    system.post(&path, &json!({ "fact_id": fact_id, "note": "żółw" })).await;
    let (facts, until) = edge.facts_after(0).await;
    assert_eq!(facts.len(), 1);
    assert_eq!(
        (facts[0].fact_id.uuid(), facts[0].by.as_str(), facts[0].origin),
        (fact_id, "test", Origin::Headquarters)
    );
    let note = Some("żółw".to_owned());
    assert_eq!(facts[0].statement, Statement::Acknowledge { alert_id: raised.alert_id, note });
    // Not confirmed: told again. Confirmed: not any more. Its neighbour in the warehouse has its own place.
    assert_eq!(edge.facts_after(0).await, (facts.clone(), until));
    assert_eq!(edge.facts_after(until).await, (Vec::new(), until));
    assert_eq!(twin.facts_after(0).await.0, facts);
    assert_eq!(stranger.facts_after(0).await.0, Vec::new());
    assert_eq!(edge.facts_after(u64::MAX).await.0, Vec::new());

    // More than fit into one answer, said at once: all come, each once, in order.
    let begin = |_| {
        let body = json!({ "silence_id": Uuid::new_v4(), "warehouse_id": edge.warehouse_id, "reason": "many",
                           "minutes": 5 });
        let system = &system;
        async move { assert_eq!(system.post("/api/v1/silences", &body).await.0, StatusCode::OK) }
    };
    let many = FACTS_MAX + 20;
    for chunk in (0..many).collect::<Vec<_>>().chunks(10) {
        futures_util::future::join_all(chunk.iter().map(begin)).await;
    }
    let (first, middle) = edge.facts_after(until).await;
    assert_eq!(first.len(), FACTS_MAX);
    let (rest, end) = edge.facts_after(middle).await;
    assert_eq!(rest.len(), 20);
    assert!(until < middle && middle < end);
    let unique: std::collections::HashSet<_> = first.iter().chain(&rest).map(|fact| fact.fact_id).collect();
    assert_eq!(unique.len(), many);
}

#[tokio::test]
async fn positions_rise_even_over_a_clock_that_was_set_back() {
    let system = System::start().await;
    let edge = system.edge().await;
    let raised = alert(&edge);
    edge.take(&[edge.alert_record(1, &raised)]).await;
    let say = async || {
        let path = format!("/api/v1/alerts/{}/acknowledge", raised.alert_id);
        assert_eq!(system.post(&path, &json!({ "fact_id": Uuid::new_v4() })).await.0, StatusCode::OK);
    };
    say().await;
    // As if the instance that took it had a clock an hour ahead.
    crate::servers::execute(&system.pool, "UPDATE alert_facts SET position = position + 3600000000").await;
    let (_, until) = edge.facts_after(0).await;
    say().await;
    assert_eq!(edge.facts_after(until).await.0.len(), 1);
}
