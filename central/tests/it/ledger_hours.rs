//! The ledger by hour against a model of it, and what it says when nobody told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use central::config::Retention;
use central::store::{Db, partitions};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use common::clock;
use common::event::Event;
use common::ids::Epoch;
use common::protocol::{EpochReport, Heartbeat, QuarterMark};
use common::quarter::Quarter;
use common::record::{Kind, Record, event_payload};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use crate::client::{Batch, EdgeClient, System};
use crate::servers;

const COLUMNS: [&str; 8] = ["accepted", "received", "stored", "alerts", "duplicates", "dead", "buffered", "missing"];

fn numbers(row: &Value) -> [i64; 8] {
    COLUMNS.map(|name| row[name].as_i64().expect("a number"))
}

fn quarter(hours_ago: i64) -> Quarter {
    let hour = clock::now().duration_trunc(TimeDelta::hours(1)).expect("an hour");
    Quarter::of(hour - TimeDelta::hours(hours_ago))
}

fn next(quarter: Quarter, by: u32) -> Quarter {
    Quarter::from_number(quarter.number() + by)
}

/// All hours of the last days of an edge's warehouse, page by page.
async fn hours(system: &System, edge: &EdgeClient, limit: usize) -> Vec<Value> {
    let from = (clock::now() - TimeDelta::days(30)).format("%Y-%m-%dT%H:%M:%SZ");
    let ask = format!("/api/v1/ledger/hours?warehouse_id={}&from={from}&limit={limit}", edge.warehouse_id);
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = cursor.as_ref().map(|c| format!("&cursor={c}")).unwrap_or_default();
        let (status, answer) = system.get(&format!("{ask}{page}")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let rows = answer["hours"].as_array().expect("hours").clone();
        assert!(rows.len() <= limit);
        all.extend(rows);
        match answer["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

fn hour_of(row: &Value) -> DateTime<Utc> {
    row["hour"].as_str().expect("a time").parse().expect("a time")
}

/// What a record will come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Event,
    /// Repeats an event that is stored.
    Twin,
    /// Never to be stored.
    Nonsense,
    /// Refused by a constraint that will go away.
    Curable,
}

struct Made {
    quarter: Quarter,
    content: Content,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Run {
    /// By seq, from 1 on.
    made: Vec<Made>,
    marks: BTreeMap<Quarter, u64>,
    buffered: BTreeSet<u64>,
    received: BTreeSet<u64>,
    lost: BTreeSet<u64>,
}

impl Run {
    fn marks(&self) -> Vec<QuarterMark> {
        let ends = self.marks.values().skip(1).map(|first| first - 1).chain([self.made.len() as u64]);
        self.marks
            .iter()
            .zip(ends)
            .map(|((quarter, first), last)| QuarterMark { quarter: *quarter, first: *first, last })
            .collect()
    }
}

/// An edge through several runs.
struct Model {
    edge: EdgeClient,
    now: Quarter,
    runs: Vec<(Epoch, Run)>,
    cured: bool,
}

const CURABLE_CAMERA: &str = "cam-13";

impl Model {
    fn run(&mut self) -> &mut Run {
        &mut self.runs.last_mut().expect("one runs").1
    }

    fn restart(&mut self) {
        self.edge.epoch = Epoch::random();
        self.runs.push((self.edge.epoch, Run::default()));
    }

    fn accept(&mut self, rng: &mut StdRng) {
        let (now, edge) = (self.now, self.edge.clone());
        let run = self.run();
        run.marks.entry(now).or_insert(run.made.len() as u64 + 1);
        for _ in 0..rng.random_range(0..12) {
            let seq = run.made.len() as u64 + 1;
            let (content, bytes) = match rng.random_range(0..10) {
                0 => (Content::Nonsense, record(&edge, now, seq, format!("nonsense {seq}").as_bytes())),
                1 => {
                    let event = Event { camera_id: CURABLE_CAMERA.into(), ..edge.event() };
                    (Content::Curable, edge.record_of(now, seq, &event))
                }
                2 => {
                    let stored = run.received.iter().filter(|s| run.made[**s as usize - 1].content == Content::Event);
                    match stored.copied().collect::<Vec<_>>().choose(rng) {
                        Some(first) => {
                            let first =
                                Record::open(&run.made[*first as usize - 1].bytes).expect("ours").payload.to_vec();
                            (Content::Twin, record(&edge, now, seq, &first))
                        }
                        None => (Content::Event, edge.record_of(now, seq, &edge.event())),
                    }
                }
                _ => (Content::Event, edge.record_of(now, seq, &edge.event())),
            };
            run.made.push(Made { quarter: now, content, bytes });
            run.buffered.insert(seq);
        }
    }

    fn lose(&mut self, rng: &mut StdRng) {
        for (_, run) in &mut self.runs {
            let lost: Vec<u64> = run.buffered.iter().copied().filter(|_| rng.random_bool(0.1)).collect();
            run.buffered.retain(|seq| !lost.contains(seq));
            run.lost.extend(lost);
        }
    }

    /// Some of what waits and some of what was sent before, of all runs, in any order, in one batch or two.
    async fn send(&mut self, rng: &mut StdRng) {
        let mut picked: Vec<(usize, u64)> = Vec::new();
        for (at, (_, run)) in self.runs.iter().enumerate() {
            picked.extend(run.buffered.iter().filter(|_| rng.random_bool(0.5)).map(|seq| (at, *seq)));
            picked.extend(run.received.iter().filter(|_| rng.random_bool(0.1)).map(|seq| (at, *seq)));
        }
        picked.shuffle(rng);
        picked.truncate(400);
        let batch: Vec<Vec<u8>> =
            picked.iter().map(|(at, seq)| self.runs[*at].1.made[*seq as usize - 1].bytes.clone()).collect();
        if batch.is_empty() {
            return;
        }
        let batch = Batch::of(&batch);
        // Sometimes the receipt is lost.
        for _ in 0..rng.random_range(1..3) {
            self.edge.send(&batch).await.receipt();
        }
        for (at, seq) in picked {
            let run = &mut self.runs[at].1;
            run.buffered.remove(&seq);
            run.received.insert(seq);
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        let current = self.edge.epoch;
        let reports = self.runs.iter().map(|(epoch, run)| EpochReport {
            epoch: *epoch,
            head: run.made.len() as u64,
            current: *epoch == current,
            buffered: run.buffered.iter().map(|seq| (*seq, *seq)).collect(),
            quarters: run.marks(),
        });
        Heartbeat { epochs: reports.collect(), ..self.edge.heartbeat(0, &[]) }
    }

    /// Per hour and epoch.
    fn expected(&self) -> BTreeMap<(DateTime<Utc>, Uuid), [i64; 8]> {
        let mut hours: BTreeMap<(DateTime<Utc>, Uuid), [i64; 8]> = BTreeMap::new();
        let hour = |quarter: Quarter| quarter.start().duration_trunc(TimeDelta::hours(1)).expect("an hour");
        for (epoch, run) in &self.runs {
            for quarter in run.marks.keys() {
                hours.entry((hour(*quarter), epoch.uuid())).or_default();
            }
            for (made, seq) in run.made.iter().zip(1..) {
                let row = hours.entry((hour(made.quarter), epoch.uuid())).or_default();
                let [accepted, received, stored, _, duplicates, dead, buffered, missing] = row;
                *accepted += 1;
                *buffered += i64::from(run.buffered.contains(&seq));
                *missing += i64::from(run.lost.contains(&seq));
                if run.received.contains(&seq) {
                    *received += 1;
                    match made.content {
                        Content::Event => *stored += 1,
                        Content::Twin => *duplicates += 1,
                        Content::Curable if self.cured => *stored += 1,
                        Content::Nonsense | Content::Curable => *dead += 1,
                    }
                }
            }
        }
        hours
    }

    async fn check(&self, system: &System, rng: &mut StdRng) {
        let answer = self.edge.beat(&self.heartbeat()).await;
        assert_eq!(answer.0, StatusCode::OK);
        let rows = hours(system, &self.edge, rng.random_range(1..20)).await;
        let said: BTreeMap<(DateTime<Utc>, Uuid), [i64; 8]> = rows
            .iter()
            .map(|row| ((hour_of(row), row["epoch"].as_str().expect("a uuid").parse().expect("a uuid")), numbers(row)))
            .collect();
        assert_eq!(said.len(), rows.len(), "each once");
        assert!(rows.iter().all(|row| row["approximate"] == false), "all was told");
        assert_eq!(said, self.expected());
        // And the sums are the epochs'.
        let (_, ledger) = system.get(&format!("/api/v1/ledger?edge_id={}", self.edge.edge_id)).await;
        let epochs: HashMap<Uuid, Value> = ledger["epochs"]
            .as_array()
            .expect("epochs")
            .iter()
            .map(|e| (e["epoch"].as_str().expect("a uuid").parse().expect("a uuid"), e.clone()))
            .collect();
        for (epoch, account) in epochs {
            let mut account = account;
            account["accepted"] = account["head"].clone();
            let mut sums = [0; 8];
            for ((_, of), row) in &said {
                if *of == epoch {
                    sums.iter_mut().zip(row).for_each(|(sum, n)| *sum += n);
                }
            }
            assert_eq!(sums, numbers(&account), "{epoch}");
        }
    }
}

fn record(edge: &EdgeClient, quarter: Quarter, seq: u64, payload: &[u8]) -> Vec<u8> {
    let accepted_ms = quarter.start().timestamp_millis() + 1;
    Record { kind: Kind::Event, epoch: edge.epoch, seq, accepted_ms, payload }.write()
}

#[tokio::test]
async fn the_hours_agree_with_a_model_at_every_step() {
    let system = System::start().await;
    servers::execute(
        &system.pool,
        &format!("ALTER TABLE ergonomic_snapshots ADD CONSTRAINT strict CHECK (camera_id <> '{CURABLE_CAMERA}')"),
    )
    .await;
    let seed = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    // Shown when the test fails.
    drop(std::io::Write::write_all(&mut std::io::stderr(), format!("seed {seed}\n").as_bytes()));
    let mut model = Model { edge: system.edge().await, now: quarter(40), runs: Vec::new(), cured: false };
    model.restart();
    for _ in 0..30 {
        match rng.random_range(0..12) {
            0..5 => model.accept(&mut rng),
            5..7 => model.now = next(model.now, rng.random_range(1..6)),
            7 => model.restart(),
            8 => model.lose(&mut rng),
            _ => model.send(&mut rng).await,
        }
        if rng.random_bool(0.3) {
            model.check(&system, &mut rng).await;
        }
    }
    model.check(&system, &mut rng).await;
    system.assert_consistent().await;
    // Dead letters whose reason is gone are stored after all: in the hours in which they were accepted.
    servers::execute(&system.pool, "ALTER TABLE ergonomic_snapshots DROP CONSTRAINT strict").await;
    let curable: Vec<i64> = sqlx::query_scalar("SELECT id FROM dead_letters WHERE reason LIKE '%23514%'")
        .fetch_all(&system.pool)
        .await
        .expect("letters");
    for id in curable {
        let (status, answer) = system.post(&format!("/api/v1/dead-letters/{id}/replay"), &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    model.cured = true;
    model.check(&system, &mut rng).await;
    system.assert_consistent().await;
}

#[tokio::test]
async fn what_nobody_told_is_counted_nearby_and_called_approximate_until_somebody_does() {
    let system = System::start().await;
    let edge = system.edge().await;
    let (a, b, c) = (quarter(9), quarter(6), quarter(3));
    let mut records: Vec<Vec<u8>> = (1..=10).map(|seq| edge.record_of(a, seq, &edge.event())).collect();
    records.extend((21..=30).map(|seq| edge.record_of(c, seq, &edge.event())));
    edge.deliver(&Batch::of(&records)).await;
    // The box died before it could say anything.
    servers::execute(&system.pool, "UPDATE edge_epochs SET first_seen_at = now() - interval '1 minute'").await;
    let rows = hours(&system, &edge, 100).await;
    let said: Vec<_> = rows.iter().map(|row| (hour_of(row), numbers(row)[0], numbers(row)[7])).collect();
    assert_eq!(said, [(a.start(), 20, 10), (c.start(), 10, 0)]);
    assert_eq!((&rows[0]["approximate"], &rows[1]["approximate"]), (&true.into(), &false.into()));

    // Its next run found the file of quarters.
    let mark = |quarter, first, last| QuarterMark { quarter, first, last };
    let quarters = vec![mark(a, 1, 10), mark(next(a, 4), 11, 10), mark(b, 11, 20), mark(c, 21, 32)];
    let mut heartbeat = edge.heartbeat(32, &[]);
    heartbeat.epochs[0] = EpochReport { current: false, quarters, ..heartbeat.epochs[0].clone() };
    assert_eq!(edge.beat(&heartbeat).await.0, StatusCode::OK);
    let rows = hours(&system, &edge, 100).await;
    let said: Vec<_> = rows.iter().map(|row| (hour_of(row), numbers(row)[0], numbers(row)[7])).collect();
    // It ran in the second hour, and nothing came in.
    let second = next(a, 4).start();
    assert_eq!(said, [(a.start(), 10, 0), (second, 0, 0), (b.start(), 10, 10), (c.start(), 12, 2)]);
    assert!(rows.iter().all(|row| row["approximate"] == false), "{rows:?}");
}

#[tokio::test]
async fn an_epoch_of_which_nothing_is_known_but_its_head_counts_to_when_it_was_first_heard_of() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.beat(&edge.heartbeat(12, &[(1, 5)])).await;
    let rows = hours(&system, &edge, 100).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(numbers(&rows[0]), [12, 0, 0, 0, 0, 0, 5, 7]);
    assert_eq!(rows[0]["approximate"], true);
    assert!(clock::now() - hour_of(&rows[0]) < TimeDelta::hours(2));
}

#[tokio::test]
async fn nonsense_marks_do_not_break_it() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.deliver(&Batch::of(&[
        edge.record_of(quarter(2), 1, &edge.event()),
        edge.record_of(quarter(5), 2, &edge.event()),
    ]))
    .await;
    let mut heartbeat = edge.heartbeat(u64::MAX, &[]);
    let mark = |quarter, first, last| QuarterMark { quarter, first, last };
    heartbeat.epochs[0].quarters = vec![
        mark(quarter(1), 50, 60),
        mark(quarter(3), 900, u64::MAX - 1),
        mark(quarter(3), 1 << 62, (1 << 62) + 5),
        mark(Quarter::from_number(u32::MAX), 1, 4),
        mark(Quarter::UNKNOWN, 7, 2),
    ];
    assert_eq!(edge.beat(&heartbeat).await.0, StatusCode::OK);
    let rows = hours(&system, &edge, 100).await;
    assert!(rows.iter().all(|row| numbers(row).iter().all(|n| *n >= 0)), "{rows:?}");
}

#[tokio::test]
async fn an_epoch_is_forgotten_with_its_hours_once_all_of_them_are_old() {
    let system = System::start().await;
    let edge = system.edge().await;
    let keep = edge.epoch;
    edge.deliver(&Batch::of(&[
        edge.record_of(quarter(24 * 20), 1, &edge.event()),
        edge.record_of(quarter(1), 2, &edge.event()),
    ]))
    .await;
    let old = EdgeClient { epoch: Epoch::random(), ..edge.clone() };
    old.deliver(&Batch::of(&[old.record_of(quarter(24 * 20), 1, &old.event())])).await;
    let open = EdgeClient { epoch: Epoch::random(), ..edge.clone() };
    open.deliver(&Batch::of(&[record(&open, quarter(24 * 20), 1, b"nonsense")])).await;
    servers::execute(
        &system.pool,
        "UPDATE edge_epochs SET current = false, first_seen_at = now() - interval '20 days', reported_at = NULL,
             last_received_at = now() - interval '20 days'",
    )
    .await;
    let db = Db::open(&system.config.database).expect("a URL");
    let retention = Retention { ledger_days: 10, ..Retention::default() };
    partitions::upkeep(&db, &retention, clock::now()).await.expect("done");
    let left: Vec<Uuid> =
        sqlx::query_scalar("SELECT epoch FROM edge_epochs").fetch_all(&system.pool).await.expect("some");
    assert_eq!(left.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([keep.uuid(), open.epoch.uuid()]));
    assert_eq!(
        system.count("SELECT count(*) FROM epoch_quarters").await,
        3,
        "an epoch that goes on keeps its old hours"
    );
}

#[tokio::test]
async fn a_question_that_asks_too_much_is_told_the_limit() {
    let system = System::start().await;
    let edge = system.edge().await;
    let ask = |rest: &str| format!("/api/v1/ledger/hours?warehouse_id={}{rest}", edge.warehouse_id);
    for (path, says) in [
        (ask("&from=2020-01-01T00:00:00Z"), "93 days"),
        (ask("&limit=0"), "1 to 1000"),
        (ask("&cursor=yesterday"), "cursor"),
        ("/api/v1/ledger/hours".to_owned(), "warehouse_id"),
    ] {
        let (status, answer) = system.get(&path).await;
        let message = answer["message"].as_str().unwrap_or_default();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {answer}");
        assert!(message.contains(says), "{path}: {message}");
    }
    // An event is stored whatever the camera says of its time; the hour is that of its acceptance.
    let event = edge.event_at(clock::now() - TimeDelta::days(3));
    edge.deliver(&Batch::of(&[record(&edge, quarter(2), 1, &event_payload(&event))])).await;
    let rows = hours(&system, &edge, 10).await;
    assert_eq!((rows.len(), hour_of(&rows[0])), (1, quarter(2).start()));
}
