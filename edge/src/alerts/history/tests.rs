use common::alert::{AlertEvent, Curve, Fact, Origin, Scope, Severity, Statement, Subject, merge};
use common::event::Hundredths;
use common::ids::{AlertId, FactId, ZoneId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::alerts::view;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + secs, 0).expect("in range")
}

fn alert_id(n: u128) -> AlertId {
    AlertId::from_uuid(Uuid::from_u128(n))
}

fn fact_id(n: u128) -> FactId {
    FactId::from_uuid(Uuid::from_u128(n))
}

fn kept(n: u128, raised: i64, cleared: Option<i64>) -> Kept {
    Kept {
        event: AlertEvent {
            alert_id: alert_id(n),
            revision: if cleared.is_some() { 2 } else { 1 },
            subject: Subject::Risk,
            warehouse_id: None,
            edge_id: None,
            rule: "sustained-risk".to_owned(),
            severity: Severity::Warning,
            zone_id: Some(ZoneId::from_uuid(Uuid::from_u128(9))),
            camera_id: Some("cam-01".to_owned()),
            worker_id: None,
            started_at: at(raised - 3),
            raised_at: at(raised),
            ended_at: cleared.map(at),
            peak: Some(81.5),
            peak_at: Some(at(raised)),
            events: 25,
            episodes: 1,
            summary: "a lift".to_owned(),
            curve: None,
        },
        seen_at: at(raised),
        cleared_at: cleared.map(at),
        late: false,
        latest: Some(Hundredths::from_raw(8_150)),
        threshold: Some(Hundredths::from_raw(7_000)),
        clear_below: Some(Hundredths::from_raw(7_000)),
        curve: vec![(at(raised).timestamp_micros(), Hundredths::from_raw(8_150))],
        posture: Some("{}".to_owned()),
    }
}

fn fact(n: u128, secs: i64, origin: Origin, statement: Statement) -> Fact {
    Fact { fact_id: fact_id(n), at: at(secs), by: format!("person {n}"), origin, statement }
}

fn acknowledge(n: u128, secs: i64, origin: Origin, of: u128) -> Fact {
    fact(n, secs, origin, Statement::Acknowledge { alert_id: alert_id(of), note: None })
}

fn start(dir: &Path) -> History {
    start_with(dir, |_| ())
}

fn start_with(dir: &Path, change: impl FnOnce(&mut HistoryConfig)) -> History {
    let mut config = HistoryConfig::default();
    change(&mut config);
    History::start(dir, config, at(0)).expect("starts")
}

fn batch(alerts: Vec<Kept>, facts: Vec<Fact>) -> Arc<Batch> {
    Arc::new(Batch { alerts: alerts.into_iter().map(|kept| (kept, true)).collect(), facts, minutes: Vec::new() })
}

async fn all(history: &History) -> Vec<Found> {
    let filter = Filter { limit: 500, ..Filter::default() };
    history.ask(at(0), move |store| store.list(&filter, at(0))).await.expect("lists").found
}

async fn outbox(history: &History) -> Vec<OutboxRow> {
    history.ask(at(0), |store| store.outbox(1_000)).await.expect("reads")
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start(dir.path());
    let said = history
        .write(batch(vec![kept(1, 100, None)], vec![acknowledge(5, 110, Origin::Edge, 1)]), at(110))
        .await
        .expect("writes")
        .said;
    assert!(matches!(&said[..], [Said::New(Some(found))] if found.facts.len() == 1), "{said:?}");
    history.close().await;
    assert!(matches!(history.write(batch(vec![], vec![]), at(0)).await, Err(HistoryError::Unusable(_))));
    let history = start(dir.path());
    let found = history.ask(at(0), |store| store.recent(at(0))).await.expect("reads");
    assert_eq!((found.len(), &found[0].kept), (1, &kept(1, 100, None)));
    assert_eq!((found[0].facts[0].by.as_str(), history.trouble()), ("person 5", None));
}

#[tokio::test]
async fn a_fact_twice_is_one_and_an_unknown_alert_has_none() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start(dir.path());
    let first = acknowledge(5, 110, Origin::Edge, 1);
    let other = Fact { at: at(111), ..acknowledge(5, 111, Origin::Edge, 1) };
    let unknown = acknowledge(6, 110, Origin::Edge, 2);
    let end = fact(7, 110, Origin::Edge, Statement::EndSilence { silence_id: fact_id(70) });
    let facts = vec![first.clone(), other, unknown, end];
    let said = history.write(batch(vec![kept(1, 100, None)], facts), at(110)).await.expect("writes").said;
    assert!(matches!(&said[0], Said::New(Some(_))));
    assert!(matches!(&said[1], Said::Before(before, Some(_)) if **before == first), "{:?}", said[1]);
    assert_eq!(&said[2..], [Said::Unknown, Said::Unknown]);
    assert_eq!(outbox(&history).await.len(), 2, "one alert, one fact");
    // What headquarters says is kept though the alert may be gone here, and is not told back to it.
    let of_theirs = acknowledge(8, 109, Origin::Headquarters, 2);
    let said = history.write(batch(vec![], vec![of_theirs]), at(112)).await.expect("writes").said;
    assert_eq!((said.as_slice(), outbox(&history).await.len()), (&[Said::New(None)][..], 2));
}

#[tokio::test]
async fn each_revision_waits_once_until_the_buffer_has_it() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start(dir.path());
    for _ in 0..2 {
        history.write(batch(vec![kept(1, 100, None)], vec![]), at(100)).await.expect("writes");
    }
    history.write(batch(vec![kept(1, 100, Some(120))], vec![]), at(120)).await.expect("writes");
    let rows = outbox(&history).await;
    let told: Vec<AlertEvent> =
        rows.iter().map(|row| common::alert::read_alert(&row.payload).expect("an alert")).collect();
    assert_eq!(told.iter().map(|alert| alert.revision).collect::<Vec<_>>(), [1, 2]);
    let curve = Curve { threshold: Some(70.0), clear_below: Some(70.0), moments: vec![(3_000, 8_150)] };
    assert_eq!(told[1].curve, Some(curve));
    assert_ne!(rows[0].identity, rows[1].identity);
    let first = rows[0].id;
    history.ask(at(0), move |store| store.sent(&[first])).await.expect("writes");
    history.close().await;
    let history = start(dir.path());
    assert_eq!(outbox(&history).await, rows[1..]);
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside_and_the_edge_starts() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start(dir.path());
    history.write(batch(vec![kept(1, 100, None)], vec![]), at(100)).await.expect("writes");
    history.close().await;
    std::fs::write(dir.path().join("history.db"), vec![0x5a; 8_192]).expect("writes");
    let history = start(dir.path());
    assert!(history.trouble().is_some_and(|words| words.contains("damaged") && words.contains("history-damaged-")));
    assert!(all(&history).await.is_empty());
    history.write(batch(vec![kept(2, 100, None)], vec![]), at(100)).await.expect("is kept again");
    let aside = std::fs::read_dir(dir.path()).expect("lists").flatten();
    assert!(aside.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("history-damaged-")));
}

/// A history with one alert, spoiled while nobody had it open.
async fn start_spoiled(dir: &Path, spoil: impl FnOnce(&mut [u8])) -> History {
    let history = start(dir);
    history.write(batch(vec![kept(1, 100, None)], vec![]), at(100)).await.expect("writes");
    history.close().await;
    let path = dir.join("history.db");
    let mut bytes = std::fs::read(&path).expect("reads");
    spoil(&mut bytes);
    std::fs::write(&path, bytes).expect("writes");
    start(dir)
}

/// Its head is whole, so that it opens; what the store reads first is not.
#[tokio::test]
async fn a_file_damaged_behind_its_head_is_moved_aside_too() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start_spoiled(dir.path(), |bytes| bytes[4_096..].fill(0x5a)).await;
    assert!(history.trouble().is_some_and(|words| words.contains("history-damaged-")), "{:?}", history.trouble());
    history.write(batch(vec![kept(2, 100, None)], vec![]), at(100)).await.expect("is kept again");
}

/// SQLite goes on with such a head, and the history would find itself larger than any bound and give all of it up.
#[tokio::test]
async fn a_head_that_counts_more_free_pages_than_there_are_is_damage() {
    let dir = tempfile::tempdir().expect("a temp dir");
    // The number of free pages, https://www.sqlite.org/fileformat.html#the_database_header.
    let history = start_spoiled(dir.path(), |bytes| bytes[36] = 0x10).await;
    assert!(history.trouble().is_some_and(|words| words.contains("history-damaged-")), "{:?}", history.trouble());
}

/// Damage that shows only while it runs: the next write has a new file.
#[tokio::test]
async fn damage_found_later_begins_a_new_file_too() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start(dir.path());
    let first = history.write(batch(vec![kept(1, 100, None)], vec![]), at(100)).await.expect("writes");
    let damage = history.ask(at(0), |_| -> rusqlite::Result<()> {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        Err(rusqlite::Error::SqliteFailure(code, None))
    });
    assert!(matches!(damage.await, Err(HistoryError::Unusable(_))));
    let second = history.write(batch(vec![kept(2, 100, None)], vec![]), at(101)).await.expect("writes");
    assert_ne!(first.generation, second.generation, "so that what is on the board is written again");
    assert_eq!(all(&history).await.len(), 1);
    assert!(history.trouble().is_some_and(|words| words.contains("begun anew")));
}

#[tokio::test]
async fn a_full_disk_is_said_and_over_when_it_is_over() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start(dir.path());
    history.write(batch(vec![kept(1, 100, None)], vec![]), at(100)).await.expect("writes");
    history.ask(at(0), |store| store.limit_pages(1)).await.expect("limits");
    let many = |from: u128| batch((from..from + 200).map(|n| kept(n, 100, None)).collect(), vec![]);
    assert!(matches!(history.write(many(10), at(101)).await, Err(HistoryError::Unusable(_))));
    assert!(history.trouble().is_some_and(|words| words.contains("not kept") && words.contains("full")));
    assert_eq!(all(&history).await.len(), 1, "nothing of it was written, and reading goes on");
    history.ask(at(0), |store| store.limit_pages(100_000)).await.expect("limits");
    history.write(many(10), at(102)).await.expect("writes again");
    assert_eq!((history.trouble(), all(&history).await.len()), (None, 201));
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_stops_nothing() {
    let dir = tempfile::tempdir().expect("a temp dir");
    std::fs::create_dir(dir.path().join("history.db")).expect("makes a directory");
    let history = start(dir.path());
    assert!(history.trouble().is_some_and(|words| words.contains("not kept")), "{:?}", history.trouble());
    assert!(matches!(history.write(batch(vec![], vec![]), at(0)).await, Err(HistoryError::Unusable(_))));
}

#[tokio::test]
async fn the_old_go_and_the_open_stay() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start_with(dir.path(), |config| config.keep_days = 1);
    let day = 86_400;
    let alerts = vec![kept(1, 0, None), kept(2, 10, Some(20)), kept(3, 2 * day, Some(2 * day + 9))];
    let over = Statement::Silence { scope: Scope::default(), reason: "x".to_owned(), until: at(60) };
    let facts = vec![
        acknowledge(5, 12, Origin::Edge, 2),
        acknowledge(6, 12, Origin::Edge, 1),
        fact(7, 12, Origin::Edge, over),
        fact(8, 14, Origin::Edge, Statement::EndSilence { silence_id: fact_id(7) }),
    ];
    history.write(batch(alerts, facts), at(20)).await.expect("writes");
    let gone = history.ask(at(0), move |store| store.tidy(at(2 * day))).await.expect("tidies");
    assert_eq!(gone, (1, 0));
    let found = all(&history).await;
    let left: Vec<_> = found.iter().map(|one| (one.kept.event.alert_id, one.facts.len())).collect();
    assert_eq!(left, [(alert_id(3), 0), (alert_id(1), 1)], "the open one with what was said of it");
    assert!(history.ask(at(0), |store| Ok(store.silences())).await.expect("reads").is_empty());
}

#[tokio::test]
async fn what_is_too_much_goes_oldest_first() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start_with(dir.path(), |config| config.bytes_max = 1024 * 1024);
    let large = |n: u128| Kept { posture: Some("x".repeat(2_000)), ..kept(n, n as i64, Some(n as i64 + 1)) };
    let mut alerts: Vec<Kept> = (1..1_500).map(large).collect();
    alerts.push(Kept { cleared_at: None, ..large(0) });
    let alerts = alerts.into_iter().map(|kept| (kept, false)).collect();
    history.write(Arc::new(Batch { alerts, ..Batch::default() }), at(0)).await.expect("writes");
    let (gone, _) = history.ask(at(0), |store| store.tidy(at(2_000))).await.expect("tidies");
    let found = all(&history).await;
    assert!(gone > 0 && !found.is_empty());
    assert_eq!(found[0].kept.event.alert_id, alert_id(1_499), "the newest stays");
    let open = history.ask(at(0), |store| store.find(alert_id(0))).await.expect("reads");
    assert!(open.is_some(), "the oldest of all is open, and stays");
    assert!(history.ask(at(0), |store| store.bytes_used()).await.expect("reads") <= 1024 * 1024);
}

#[tokio::test]
async fn minutes_add_up_and_cameras_are_remembered() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let history = start(dir.path());
    let minute = |minute, observed, at_risk, peak| Minute {
        minute,
        zone_id: ZoneId::from_uuid(Uuid::from_u128(9)),
        camera_id: Arc::from("cam-01"),
        events: 3,
        observed,
        at_risk,
        peak: Hundredths::from_raw(peak),
    };
    for minutes in [vec![minute(100, 0b011, 0b010, 7_100)], vec![minute(100, 0b110, 0b100, 6_000), minute(90, 1, 0, 5)]]
    {
        history.write(Arc::new(Batch { minutes, ..Batch::default() }), at(0)).await.expect("writes");
    }
    let minutes = history.ask(at(0), |store| store.minutes(100, 101)).await.expect("reads");
    assert_eq!(minutes, [Minute { events: 6, ..minute(100, 0b111, 0b110, 7_100) }]);
    let cameras = history.ask(at(0), |store| store.cameras()).await.expect("reads");
    assert_eq!((cameras.len(), cameras[0].first_minute, cameras[0].last_minute), (1, 90, 100));
}

/// Facts from both sides about one alert and one silence.
fn any_facts() -> impl Strategy<Value = Vec<Fact>> {
    let one = (0i64..6, any::<bool>(), 0u8..3).prop_map(|(secs, edge, kind)| {
        let statement = match kind {
            0 => Statement::Acknowledge { alert_id: alert_id(1), note: None },
            1 => Statement::EndSilence { silence_id: fact_id(900) },
            _ => Statement::Silence { scope: Scope::default(), reason: "x".to_owned(), until: at(50) },
        };
        (secs, if edge { Origin::Edge } else { Origin::Headquarters }, statement)
    });
    prop::collection::vec(one, 0..8).prop_map(|all| {
        all.into_iter().zip(1..).map(|((secs, origin, statement), n)| fact(n, secs, origin, statement)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Whichever side's facts come first, one by one or together, once or twice: the history ends up with what the
    /// shared rule makes of the set.
    #[test]
    fn facts_merge_the_same_in_any_order(mut facts in any_facts(), seed in any::<u64>()) {
        let silence = Statement::Silence { scope: Scope::default(), reason: "y".to_owned(), until: at(40) };
        facts.push(fact(900, 2, Origin::Headquarters, silence));
        let mut orders = vec![facts.clone(), facts.iter().rev().cloned().collect()];
        let mut mixed = facts.clone();
        mixed.sort_by_key(|fact| seed.wrapping_mul(fact.fact_id.uuid().as_u128() as u64 | 1));
        mixed.extend(facts.clone());
        orders.push(mixed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for (index, order) in orders.into_iter().enumerate() {
            let dir = tempfile::tempdir().expect("a temp dir");
            let (found, silences) = runtime.block_on(async {
                let history = start(dir.path());
                history.write(batch(vec![kept(1, 0, None)], vec![]), at(0)).await.expect("writes");
                // What the edge says of a silence it has not heard of is refused, so that one comes first here.
                let (first, rest): (Vec<Fact>, Vec<Fact>) =
                    order.into_iter().partition(|fact| fact.fact_id == fact_id(900) && index != 0);
                for fact in first.into_iter().chain(rest) {
                    history.write(batch(vec![], vec![fact]), at(10)).await.expect("writes");
                }
                history.ask(at(10), |store| Ok((store.find(alert_id(1))?, store.silences()))).await.expect("reads")
            });
            let found = found.expect("is there");
            // In the first order the edge's ends came before the silence, and were refused.
            let heard: Vec<Fact> = facts
                .iter()
                .filter(|fact| {
                    index != 0
                        || fact.origin == Origin::Headquarters
                        || !matches!(fact.statement, Statement::EndSilence { .. })
                })
                .cloned()
                .collect();
            let merged = merge(&heard);
            let first = merged.acknowledgements.get(&alert_id(1)).and_then(|all| all.first());
            prop_assert_eq!(view::acknowledged(&found.kept, &found.facts).map(|a| a.at), first.map(|a| a.at));
            prop_assert_eq!(&*silences, &merged.silences);
        }
    }
}
