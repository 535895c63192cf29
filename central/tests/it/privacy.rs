//! Whose data it is: seen only by those who may, with a line in the audit; and forgotten for good, whatever comes later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use central::access::{Role, Scope};
use central::config::Retention;
use central::privacy::{self, Found, Subject};
use central::store::{Db, partitions};
use chrono::TimeDelta;
use common::clock;
use common::ids::{WarehouseId, WorkerId};
use common::protocol::Receipt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::alerts::{acknowledge, alert, revised};
use crate::client::{Batch, EdgeClient, System};
use crate::people::{People as _, problem};
use crate::servers::{eventually, execute};

fn worker() -> WorkerId {
    WorkerId::from_uuid(Uuid::new_v4())
}

fn record_of(edge: &EdgeClient, seq: u64, worker: WorkerId) -> Vec<u8> {
    let mut event = edge.event();
    event.worker_id = Some(worker);
    edge.record(seq, &event)
}

impl System {
    fn store(&self) -> Db {
        Db::open(&self.config.database).expect("a URL")
    }

    async fn forget(&self, subject: Subject) -> Found {
        privacy::forget(&self.store(), "tester", subject, |_, _| {}).await.expect("forgotten")
    }

    /// In how many places of the database the id is, as such or in bytes.
    async fn traces(&self, worker: WorkerId) -> i64 {
        let hex = worker.uuid().simple().to_string();
        let sql = format!(
            "SELECT (SELECT count(*) FROM ergonomic_snapshots WHERE worker_id = '{worker}')
                  + (SELECT count(*) FROM alerts WHERE worker_id = '{worker}')
                  + (SELECT count(*) FROM worker_numbers WHERE worker_id = '{worker}')
                  + (SELECT count(*) FROM dead_letters WHERE position('\\x{hex}'::bytea IN raw) > 0)
                  + (SELECT count(*) FROM audit_log WHERE concat(subject, detail) ~ '{worker}')"
        );
        self.count(&sql).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_sees_whose_alert_it_is_and_the_audit_says_who_looked_and_why() {
    let system = System::start().await;
    let edge = system.edge().await;
    let alert = alert(&edge);
    let ids = (alert.alert_id, alert.worker_id.expect("one"));
    edge.deliver(&Batch::of(&[edge.alert_record(1, &alert), edge.record(2, &edge.event())])).await;
    for role in Role::ALL {
        system.add_user(&format!("a-{role}"), role).await;
    }
    let path = format!("/api/v1/alerts/{}/person", ids.0);
    let events = "/api/v1/events?people=true&reason=near%20miss";
    let as_role = async |role: &str, path: &str| {
        let cookie = system.cookie_of(role).await;
        system.request(Method::GET, path).header("cookie", cookie)
    };
    for who in ["a-viewer", "a-administrator"] {
        for path in [&*format!("{path}?reason=x"), events] {
            let (status, code, _) = problem(as_role(who, path).await).await;
            assert_eq!((status, code.as_str()), (403, "scope"), "{who} {path}");
        }
    }
    assert_eq!(system.count("SELECT count(*) FROM audit_log WHERE action LIKE 'pe%_viewed'").await, 0);
    for path in [&*path, &format!("{path}?reason=%20"), "/api/v1/events?people=true"] {
        let (status, code, _) = problem(as_role("a-safety-manager", path).await).await;
        assert_eq!((status, code.as_str()), (400, "reason_missing"), "{path}");
    }
    let (status, code, text) =
        problem(as_role("a-safety-manager", &format!("{path}?reason=near%E2%80%AEmiss")).await).await;
    assert_eq!((status, code.as_str()), (400, "reason_missing"), "{text}");
    let answer = as_role("a-safety-manager", &format!("{path}?reason=near%20miss")).await.send().await.expect("one");
    let seen: Value = answer.json().await.expect("JSON");
    assert_eq!(seen, json!({ "alert_id": ids.0, "worker_id": ids.1 }));
    let subject = format!("alert {} in warehouse {}", ids.0, edge.warehouse_id);
    let line = ("a-safety-manager".to_owned(), "person_viewed".to_owned(), Some("near miss".to_owned()));
    assert_eq!(system.audit_of(&subject).await, [line]);

    let answer = as_role("a-safety-manager", events).await.send().await.expect("an answer");
    let page: Value = answer.json().await.expect("JSON");
    assert!(page["events"][0]["worker_id"].is_string(), "{page}");
    let (_, page) = system.get("/api/v1/events").await;
    assert!(page["events"][0].get("worker_id").is_none(), "only where it is asked for");
    let said = system.audit_of("events").await;
    assert_eq!(said.len(), 1);
    assert!(said[0].2.as_deref().expect("what and why").ends_with("100 at most: near miss"), "{said:?}");
    let named = format!("SELECT count(*) FROM audit_log WHERE concat(subject, detail) ~ '{}'", ids.1);
    assert_eq!(system.count(&named).await, 0, "the audit itself names nobody");
}

/// A zone with one person has no figures; its single events are that person's, with or without an id.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_look_has_figures_of_groups_and_no_single_events() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.deliver(&Batch::of(&edge.records(1..=3))).await;
    for role in Role::ALL {
        system.add_user(&format!("a-{role}"), role).await;
    }
    let events = format!("/api/v1/events?warehouse_id={}", edge.warehouse_id);
    for (who, may) in [("a-viewer", false), ("a-safety-manager", true), ("a-administrator", true)] {
        let cookie = system.cookie_of(who).await;
        let ask = |path: &str| system.request(Method::GET, path).header("cookie", &cookie);
        assert_eq!(ask("/api/v1/fleet/health").send().await.expect("an answer").status(), StatusCode::OK, "{who}");
        if may {
            assert_eq!(ask(&events).send().await.expect("an answer").status(), StatusCode::OK, "{who}");
        } else {
            let (status, code, message) = problem(ask(&events)).await;
            assert_eq!((status, code.as_str()), (403, "scope"), "{who}");
            assert!(message.contains("needs the scope act"), "{message}");
        }
    }
    for (scope, status) in [(Scope::Read, 403), (Scope::People, 403), (Scope::Admin, 403), (Scope::Act, 200)] {
        let token = system.token_with(&format!("only-{scope}"), &[scope]).await;
        let answer = system.request(Method::GET, &events).bearer_auth(token).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{scope}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_a_dead_letter_are_shown_to_who_may_see_people() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.deliver(&Batch::of(&[edge.record(1, &edge.event()), vec![9; 40]])).await;
    let reader = system.token_with("reader", &[Scope::Read]).await;
    let path = "/api/v1/dead-letters/1?reason=a%20camera%20update";
    let answer = system.request(Method::GET, path).bearer_auth(reader).send().await.expect("an answer");
    assert_eq!(answer.json::<Value>().await.expect("JSON")["raw_hex"], Value::Null);
    assert_eq!(system.get("/api/v1/dead-letters/1").await.1["raw_hex"], Value::Null, "nobody said why");
    assert_eq!(system.get("/api/v1/dead-letters/1?reason=").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(system.audit_of("dead_letter 1").await, []);
    assert!(system.get(path).await.1["raw_hex"].is_string());
    assert_eq!(
        system.audit_of("dead_letter 1").await,
        [("test".to_owned(), "bytes_viewed".to_owned(), Some("a camera update".to_owned()))]
    );
}

/// Sends until it is stored; in a task of its own.
async fn store(edge: &EdgeClient, batch: &Batch) -> Receipt {
    loop {
        let answer = edge.send(batch).await;
        if answer.status == StatusCode::OK {
            return answer.receipt();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Stores a worker's events as fast as it goes, until told to stop; answers what it sent.
async fn write(
    edge: EdgeClient,
    worker: WorkerId,
    first: u64,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
) -> Vec<Batch> {
    let (mut seq, mut batches) = (first, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let mut records: Vec<Vec<u8>> = (seq..seq + 20).map(|seq| record_of(&edge, seq, worker)).collect();
        records.extend(edge.records(seq + 20..seq + 25));
        let mut of_worker = alert(&edge);
        of_worker.worker_id = Some(worker);
        records.push(edge.alert_record(seq + 25, &of_worker));
        records.push(edge.alert_record(seq + 26, &revised(&of_worker, 2)));
        let batch = Batch::of(&records);
        store(&edge, &batch).await;
        sent.fetch_add(25, Ordering::Relaxed);
        batches.push(batch);
        seq += 27;
    }
    batches
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_forgotten_in_the_middle_of_everything_never_comes_back() {
    let system = System::start().await;
    let (edge, worker) = (system.edge().await, worker());
    // Letters that could be stored today, a damaged one, one that was replayed, and rows without a partition of their own.
    execute(&system.pool, "ALTER TABLE ergonomic_snapshots ADD CONSTRAINT strict CHECK (risk_score <> 45.08)").await;
    let letters: Vec<Vec<u8>> = (1..=3).map(|seq| record_of(&edge, seq, worker)).collect();
    let mut damaged = record_of(&edge, 4, worker);
    *damaged.last_mut().expect("bytes") ^= 1;
    edge.deliver(&Batch::of(&[letters.clone(), vec![damaged.clone()], edge.records(5..=6)].concat())).await;
    execute(&system.pool, "ALTER TABLE ergonomic_snapshots DROP CONSTRAINT strict").await;
    assert_eq!(system.count("SELECT count(*) FROM dead_letters").await, 6);
    let (status, said) = system.post("/api/v1/dead-letters/1/replay", &Value::Null).await;
    assert_eq!(status, 200, "{said}");
    let mut old = edge.event_at(clock::now() - TimeDelta::days(200));
    old.worker_id = Some(worker);
    edge.deliver(&Batch::of(&[edge.record(7, &old)])).await;
    assert_eq!(system.count("SELECT count(*) FROM ergonomic_snapshots_default").await, 1);

    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (1..=3)
        .map(|n| tokio::spawn(write(edge.clone(), worker, n * 100_000, Arc::clone(&stop), Arc::clone(&sent))))
        .collect();
    let storing = async |more: u64| {
        let from = sent.load(Ordering::Relaxed);
        eventually("events are stored", async || (sent.load(Ordering::Relaxed) >= from + more).then_some(())).await;
    };
    storing(300).await;
    assert!(system.traces(worker).await > 240, "there is something to forget");
    let found = system.forget(Subject { worker, site: None }).await;
    assert!(found.events > 240 && found.alerts > 0 && found.dead_letters >= 3, "{found:?}");
    assert_eq!(system.traces(worker).await, 0, "at once, while it goes on");
    storing(300).await;
    stop.store(true, Ordering::Relaxed);
    let mut all = vec![Batch::of(&[letters, vec![damaged, edge.record(8, &old)]].concat())];
    for writer in writers {
        all.extend(writer.await.expect("wrote"));
    }
    assert_eq!(system.traces(worker).await, 0);
    let before = (system.rows().await, system.count("SELECT count(*) FROM dead_letters").await);
    // Everything once more, as after a lost receipt, and a late state of an alert.
    for batch in &all {
        edge.deliver(&Batch::raw(batch.body.clone(), batch.records)).await;
    }
    let mut late = alert(&edge);
    late.worker_id = Some(worker);
    edge.deliver(&Batch::of(&[edge.alert_record(9, &late), record_of(&edge, 10, worker)])).await;
    assert_eq!(system.traces(worker).await, 0);
    // Three letters that were erased can be stored now: their events are, without the worker.
    let after = (system.rows().await, system.count("SELECT count(*) FROM dead_letters").await);
    assert!(after.0 - before.0 <= 4 && after.1 == before.1, "{before:?} {after:?}");
    let (status, said) = system.post("/api/v1/dead-letters/2/replay", &Value::Null).await;
    assert_eq!((status.as_u16(), &said["code"]), (409, &json!("not_open")), "there is nothing left of it");

    let emptied = "SELECT count(*) FROM ergonomic_snapshots WHERE posture_keypoints::text = '{}'";
    let nameless = "SELECT count(*) FROM ergonomic_snapshots WHERE worker_id IS NULL";
    assert_eq!(system.count(emptied).await, system.count(nameless).await, "the posture went with the name");
    assert!(
        system.count("SELECT count(*) FROM ergonomic_snapshots WHERE worker_id IS NOT NULL").await > 20,
        "others stay"
    );
    assert_eq!(system.count("SELECT coalesce(sum(events), 0)::int8 FROM zone_minutes").await, after.0, "rollups");
    assert_eq!(system.count("SELECT coalesce(sum(stored), 0)::int8 FROM edge_epochs").await, after.0, "ledger");
    let said = system.audit_of("worker sha256:").await;
    assert_eq!(said.iter().map(|line| &*line.1).collect::<Vec<_>>(), ["forget_worker", "worker_forgotten"]);
    assert_eq!(system.forget(Subject { worker, site: None }).await, Found::default(), "once more is no harm");
}

/// Why the tombstone needs the lock: a transaction that asked for tombstones just before must not commit just after.
#[tokio::test(flavor = "multi_thread")]
async fn who_stores_waits_for_a_tombstone_that_is_being_written_and_then_sees_it() {
    let system = System::start().await;
    let (edge, worker) = (system.edge().await, worker());
    let hash = Subject { worker, site: None }.tombstone().to_vec();
    let mut entombing = system.pool.begin().await.expect("begun");
    let lock = "SELECT pg_advisory_xact_lock(x'736d617274666f72'::bit(64)::int8)";
    sqlx::query(lock).execute(&mut *entombing).await.expect("locked");
    let insert = sqlx::query("INSERT INTO forgotten_workers (worker_sha256) VALUES ($1)").bind(hash);
    insert.execute(&mut *entombing).await.expect("written");
    let (sender, batch) = (edge.clone(), Batch::of(&[record_of(&edge, 1, worker)]));
    let sending = tokio::spawn(async move { store(&sender, &batch).await });
    eventually("the storing transaction waits", async || {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        (system.count(waiting).await == 1).then_some(())
    })
    .await;
    entombing.commit().await.expect("committed");
    assert_eq!(sending.await.expect("sent").committed, 1);
    assert_eq!(system.traces(worker).await, 0);
    assert_eq!(system.count("SELECT count(*) FROM ergonomic_snapshots WHERE worker_id IS NULL").await, 1);

    // And the other way round: the tombstone waits for who stores already.
    let mut storing = system.pool.begin().await.expect("begun");
    let shared = "SELECT pg_advisory_xact_lock_shared(x'736d617274666f72'::bit(64)::int8)";
    sqlx::query(shared).execute(&mut *storing).await.expect("locked");
    let (db, other) = (system.store(), Subject { worker: self::worker(), site: None });
    let forgetting = tokio::spawn(async move { privacy::forget(&db, "tester", other, |_, _| {}).await });
    eventually("it waits", async || {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        (system.count(waiting).await == 1).then_some(())
    })
    .await;
    assert_eq!(system.count("SELECT count(*) FROM forgotten_workers").await, 1);
    storing.rollback().await.expect("ended");
    forgetting.await.expect("ran").expect("forgotten");
    assert_eq!(system.count("SELECT count(*) FROM forgotten_workers").await, 2);
}

/// The other half: whoever stores and has asked already must have ended before the tombstone is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_waits_for_those_who_store_already() {
    let system = System::start().await;
    let mut storing = system.pool.begin().await.expect("begun");
    let lock = "SELECT pg_advisory_xact_lock_shared(x'736d617274666f72'::bit(64)::int8)";
    sqlx::query(lock).execute(&mut *storing).await.expect("locked");
    let (db, subject) = (system.store(), Subject { worker: worker(), site: None });
    let forgetting = tokio::spawn(async move { privacy::forget(&db, "tester", subject, |_, _| {}).await });
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted";
    eventually("it waits for the lock", async || (system.count(waiting).await > 0).then_some(())).await;
    assert_eq!(system.count("SELECT count(*) FROM forgotten_workers").await, 0);
    storing.rollback().await.expect("ended");
    forgetting.await.expect("it ends").expect("forgotten");
    assert_eq!(system.count("SELECT count(*) FROM forgotten_workers").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_one_site_others_keep_theirs() {
    let system = System::start().await;
    let (here, there, worker) = (system.edge().await, system.edge().await, worker());
    for edge in [&here, &there] {
        edge.deliver(&Batch::of(&[record_of(edge, 1, worker)])).await;
    }
    let found = system.forget(Subject { worker, site: Some(here.warehouse_id) }).await;
    assert_eq!(found, Found { events: 1, alerts: 0, dead_letters: 0 });
    for edge in [&here, &there] {
        edge.deliver(&Batch::of(&[record_of(edge, 2, worker)])).await;
    }
    let of = async |warehouse: WarehouseId| {
        let sql = format!(
            "SELECT count(*) FROM ergonomic_snapshots WHERE worker_id = '{worker}' AND warehouse_id = '{warehouse}'"
        );
        system.count(&sql).await
    };
    assert_eq!((of(here.warehouse_id).await, of(there.warehouse_id).await), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_what_was_said_of_them_go_together_when_their_time_has_come() {
    let system = System::start().await;
    let edge = system.edge().await;
    let now = clock::now();
    let long_ago = now - TimeDelta::days(50);
    let (open, mut over, mut fresh) = (alert(&edge), alert(&edge), alert(&edge));
    over.ended_at = Some(long_ago);
    fresh.ended_at = Some(now);
    let said = [acknowledge(&open, long_ago), acknowledge(&over, long_ago), acknowledge(&fresh, now)];
    let mut records: Vec<Vec<u8>> =
        [open, over, fresh].iter().zip(1..).map(|(a, seq)| edge.alert_record(seq, a)).collect();
    records.extend(said.iter().zip(4..).map(|(fact, seq)| edge.fact_record(seq, fact)));
    edge.deliver(&Batch::of(&records)).await;
    execute(
        &system.pool,
        "INSERT INTO audit_log (at, actor, action, subject) VALUES (now() - interval '50 days', 'a', 'b', 'c')",
    )
    .await;
    let lines = system.count("SELECT count(*) FROM audit_log").await;
    let retention = Retention { alerts_days: 49, audit_days: 49, ..Retention::default() };
    partitions::upkeep(&system.store(), &retention, now).await.expect("a pass");
    let left =
        (system.count("SELECT count(*) FROM alerts").await, system.count("SELECT count(*) FROM alert_facts").await);
    assert_eq!(left, (2, 2), "an open alert stays with what was said of it");
    assert_eq!(system.count("SELECT count(*) FROM audit_log").await, lines - 1);
}
