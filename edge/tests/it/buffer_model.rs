//! The buffer against a model of what it promises, under random appends, outages of Redis, restarts, and batches that
//! are confirmed late and out of order.
//!
//! The promise: what was accepted is handed out until it is forgotten, and the seqs of an epoch have no gaps.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use common::clock;
use common::ids::Epoch;
use common::lifecycle::Lifecycle;
use common::record::Kind;
use common::record::Record;
use edge::buffer::{Buffer, Candidate, Lane, Lanes, LiveState, Taken, Verdict};
use edge::config::Config;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::redis_server::RedisServer;

/// One run of the buffer.
struct Run {
    life: Lifecycle,
    buffer: Buffer,
    lanes: Lanes,
    /// Handed out and not confirmed yet.
    out: Vec<Taken>,
}

impl Run {
    fn start(config: &Config, dir: &Path) -> Self {
        let mut life = Lifecycle::new();
        let buffer = Buffer::start(config, dir, "model", clock::now(), &mut life).expect("starts");
        let lanes = buffer.lanes();
        Self { life, buffer, lanes, out: Vec::new() }
    }

    async fn stop(self) {
        let Self { life, buffer, lanes, out } = self;
        drop((buffer, lanes, out));
        life.stop().await.expect("stops in time");
    }

    async fn wait_for(&self, what: &str, condition: impl Fn(&Buffer) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition(&self.buffer) {
            assert!(Instant::now() < deadline, "timed out waiting for {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// What must hold.
#[derive(Default)]
struct Model {
    next: u64,
    accepted: HashSet<u64>,
    delivered: HashSet<u64>,
    /// Per epoch the seqs that were handed out and confirmed.
    seqs: BTreeMap<Epoch, BTreeSet<u64>>,
}

fn candidate(id: u64) -> Candidate {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&id.to_le_bytes());
    let mut payload = id.to_le_bytes().to_vec();
    payload.resize(300, 7);
    Candidate { kind: Kind::Event, key, hash: id, payload }
}

impl Model {
    async fn append(&mut self, run: &Run, rng: &mut StdRng) {
        let fresh = rng.random_range(1..=40);
        let mut ids: Vec<u64> = (self.next..self.next + fresh).collect();
        self.next += fresh;
        // Some come again, in this request or from an earlier one.
        for _ in 0..rng.random_range(0..5) {
            ids.push(rng.random_range(0..self.next));
        }
        let verdicts = run.buffer.append(ids.iter().map(|id| candidate(*id)).collect()).await.expect("there is room");
        for (id, verdict) in ids.iter().zip(verdicts) {
            match verdict {
                Verdict::Accepted => drop(self.accepted.insert(*id)),
                Verdict::Duplicate => assert!(self.accepted.contains(id), "{id} is no duplicate of anything"),
                Verdict::Conflict => panic!("{id} never came with another body"),
            }
        }
    }

    async fn confirm(&mut self, run: &mut Run, at: usize) {
        let taken = run.out.swap_remove(at);
        for bytes in &taken.records {
            let record = Record::open(bytes).expect("whole");
            let id = u64::from_le_bytes(record.payload[..8].try_into().expect("8 bytes"));
            assert!(self.accepted.contains(&id), "{id} was never accepted");
            self.delivered.insert(id);
            self.seqs.entry(record.epoch).or_default().insert(record.seq);
        }
        let done = taken.done();
        run.buffer.forget(taken).await;
        run.lanes.give_back(&done);
    }
}

async fn take(run: &mut Run, lane: Lane) {
    let taken = run.lanes.take(lane).await.expect("the spill is alive");
    if !taken.is_empty() {
        run.out.push(taken);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "captured, and shown if the test fails")]
async fn random_histories_lose_nothing() {
    let seed: u64 =
        std::env::var("SMARTPICK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random::<u64>);
    let rounds = if std::env::var_os("SMARTPICK_LONG").is_some() { 40 } else { 3 };
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        println!("SMARTPICK_SEED={seed}");
        history(seed).await;
    }
}

async fn history(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().expect("a temp dir");
    let mut redis = RedisServer::start(dir.path());
    let mut config = Config::default();
    config.redis.url = Some(redis.url());
    // A stream that is often full, so that both stores are in play.
    config.stream.max_length = 150;
    config.spill.disk_free_min = 0;
    let mut run = Run::start(&config, dir.path());
    let mut model = Model::default();
    for _ in 0..200 {
        match rng.random_range(0..100) {
            0..50 => model.append(&run, &mut rng).await,
            50..65 => take(&mut run, Lane::Live).await,
            65..75 => take(&mut run, Lane::Backlog).await,
            75..90 => {
                if !run.out.is_empty() {
                    let at = rng.random_range(0..run.out.len());
                    model.confirm(&mut run, at).await;
                }
            }
            90..94 => redis.kill(),
            94..97 => {
                if !redis.is_up() {
                    redis.up();
                }
            }
            _ => {
                run.stop().await;
                run = Run::start(&config, dir.path());
            }
        }
    }
    if !redis.is_up() {
        redis.up();
    }
    run.wait_for("Redis to be used again", |buffer| matches!(buffer.live_state(), LiveState::Ready { .. })).await;
    drain(&mut run, &mut model).await;

    let lost: Vec<_> = model.accepted.difference(&model.delivered).collect();
    assert!(lost.is_empty(), "seed {seed}: {} of {} accepted are lost: {lost:?}", lost.len(), model.accepted.len());
    for report in run.buffer.epoch_reports() {
        let seqs = model.seqs.remove(&report.epoch).unwrap_or_default();
        let missing: Vec<u64> = (1..=report.head).filter(|seq| !seqs.contains(seq)).collect();
        assert!(missing.is_empty(), "seed {seed}: epoch {} lacks {missing:?} of {}", report.epoch, report.head);
        assert!(report.buffered.is_empty(), "seed {seed}: {report:?} although all is drained");
    }
    assert_eq!(run.buffer.vanished(), 0, "seed {seed}: nobody wiped anything");
    assert!(model.seqs.is_empty(), "seed {seed}: epochs are not reported: {:?}", model.seqs.keys());
    run.stop().await;
}

async fn drain(run: &mut Run, model: &mut Model) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while run.buffer.contents().live_records + run.buffer.contents().backlog_records > 0 {
        assert!(Instant::now() < deadline, "not drained: {:?}", run.buffer.contents());
        take(run, Lane::Live).await;
        take(run, Lane::Backlog).await;
        while !run.out.is_empty() {
            model.confirm(run, 0).await;
        }
        run.buffer.probe().await;
    }
}

/// What a wipe takes is not counted as buffered any more, so the ledger shows it as missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_redis_is_noticed_and_not_counted_as_buffered() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let redis = RedisServer::start(dir.path());
    let mut config = Config::default();
    config.redis.url = Some(redis.url());
    let run = Run::start(&config, dir.path());
    run.wait_for("Redis", |buffer| matches!(buffer.live_state(), LiveState::Ready { .. })).await;
    run.buffer.append((0..30).map(candidate).collect()).await.expect("room");
    redis.query::<()>(&mut redis::cmd("FLUSHALL"));
    run.buffer.probe().await;
    let reports = run.buffer.epoch_reports();
    assert_eq!((reports[0].head, reports[0].buffered.len()), (30, 0));
    assert_eq!(run.buffer.vanished(), 30);
    // And the buffer goes on, its group made anew.
    run.buffer.append((30..35).map(candidate).collect()).await.expect("room");
    assert_eq!(run.buffer.epoch_reports()[0].buffered, [(31, 35)]);
    let mut run = run;
    take(&mut run, Lane::Live).await;
    assert_eq!(run.out[0].len(), 5);
    run.stop().await;
}
