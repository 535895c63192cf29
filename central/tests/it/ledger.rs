//! The ledger against a model of it.

use std::collections::BTreeSet;

use common::clock;
use common::record::{Kind, Record};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use crate::client::{Batch, EdgeClient, System};

fn numbers(account: &Value) -> [i64; 6] {
    ["head", "received", "stored", "duplicates", "buffered", "missing"].map(|n| account[n].as_i64().expect("a number"))
}

fn ranges(seqs: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &seq in seqs {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            _ => ranges.push((seq, seq)),
        }
    }
    ranges
}

/// An edge that accepts, loses, sends and re-sends at random.
struct Model {
    edge: EdgeClient,
    records: Vec<Vec<u8>>,
    buffered: BTreeSet<u64>,
    received: BTreeSet<u64>,
    lost: BTreeSet<u64>,
    /// Events that were accepted twice.
    twins: i64,
}

impl Model {
    fn accept(&mut self, rng: &mut StdRng) {
        for _ in 0..rng.random_range(1..20) {
            let seq = self.records.len() as u64 + 1;
            self.records.push(self.edge.record(seq, &self.edge.event()));
            self.buffered.insert(seq);
        }
    }

    /// A camera repeats an event that was received, and the edge does not remember it.
    async fn accept_twin(&mut self) {
        let Some(&first) = self.received.first() else { return };
        let original = Record::open(&self.records[first as usize - 1]).expect("ours").payload.to_vec();
        let seq = self.records.len() as u64 + 1;
        let twin = Record {
            kind: Kind::Event,
            epoch: self.edge.epoch,
            seq,
            accepted_ms: clock::now().timestamp_millis(),
            payload: &original,
        }
        .write();
        let receipt = self.edge.send(&Batch::of(std::slice::from_ref(&twin))).await.receipt();
        assert_eq!((receipt.committed, receipt.duplicates), (0, 1));
        self.records.push(twin);
        self.received.insert(seq);
        self.twins += 1;
    }

    fn lose(&mut self, rng: &mut StdRng) {
        let lost: Vec<u64> = self.buffered.iter().copied().filter(|_| rng.random_bool(0.05)).collect();
        for seq in lost {
            self.buffered.remove(&seq);
            self.lost.insert(seq);
        }
    }

    /// Some of what waits and some of what was sent before, in any order.
    async fn send(&mut self, rng: &mut StdRng) {
        let mut seqs: Vec<u64> = self.buffered.iter().copied().filter(|_| rng.random_bool(0.4)).collect();
        seqs.extend(self.received.iter().copied().filter(|_| rng.random_bool(0.1)));
        if seqs.is_empty() {
            return;
        }
        seqs.shuffle(rng);
        let records: Vec<Vec<u8>> = seqs.iter().map(|seq| self.records[*seq as usize - 1].clone()).collect();
        let new = seqs.iter().filter(|seq| !self.received.contains(seq)).count();
        let receipt = self.edge.send(&Batch::of(&records)).await.receipt();
        assert_eq!((receipt.committed as usize, receipt.duplicates as usize), (new, seqs.len() - new));
        for seq in seqs {
            self.buffered.remove(&seq);
            self.received.insert(seq);
        }
    }

    async fn check(&self, system: &System) {
        let head = self.records.len() as u64;
        self.edge.beat(&self.edge.heartbeat(head, &ranges(&self.buffered))).await;
        let received = self.received.len() as i64;
        let expected = [
            head as i64,
            received,
            received - self.twins,
            self.twins,
            self.buffered.len() as i64,
            self.lost.len() as i64,
        ];
        assert_eq!(numbers(&system.account(&self.edge).await), expected);
    }
}

#[tokio::test]
async fn the_ledger_agrees_with_a_model_at_every_step() {
    let system = System::start().await;
    let seed = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut model = Model {
        edge: system.edge().await,
        records: Vec::new(),
        buffered: BTreeSet::new(),
        received: BTreeSet::new(),
        lost: BTreeSet::new(),
        twins: 0,
    };
    // Shown when the test fails.
    drop(std::io::Write::write_all(&mut std::io::stderr(), format!("seed {seed}\n").as_bytes()));
    for _ in 0..25 {
        match rng.random_range(0..10) {
            0..4 => model.accept(&mut rng),
            4 => model.lose(&mut rng),
            5 => model.accept_twin().await,
            _ => model.send(&mut rng).await,
        }
        model.check(&system).await;
    }
    system.assert_consistent().await;
}

#[tokio::test]
async fn what_was_lost_is_missing_to_the_event() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.send(&Batch::of(&edge.records(1..=40))).await.receipt();
    edge.send(&Batch::of(&edge.records(51..=60))).await.receipt();
    edge.beat(&edge.heartbeat(100, &[(61, 70), (95, 100)])).await;
    let account = system.account(&edge).await;
    assert_eq!(numbers(&account), [100, 50, 50, 0, 16, 10 + 24]);
    // An old disk restored: the head does not go back.
    edge.beat(&edge.heartbeat(60, &[])).await;
    assert_eq!(system.account(&edge).await["head"], 100);
}

#[tokio::test]
async fn batches_that_overtake_each_other_do_not_show_losses() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.beat(&edge.heartbeat(10, &[(1, 10)])).await;
    // Seqs 1 to 30 are still on their way when these arrive.
    edge.send(&Batch::of(&edge.records(31..=40))).await.receipt();
    let account = system.account(&edge).await;
    assert_eq!((&account["head"], &account["missing"]), (&40.into(), &0.into()));
    // But if the edge is silent from then on, they are what is missing.
    crate::servers::execute(&system.pool, "UPDATE edge_epochs SET reported_at = now() - interval '1 minute'").await;
    assert_eq!(system.account(&edge).await["missing"], 20);
}

#[tokio::test]
async fn an_edge_that_claims_nonsense_does_not_break_the_ledger() {
    let system = System::start().await;
    let edge = system.edge().await;
    assert_eq!(edge.beat(&edge.heartbeat(u64::MAX, &[(u64::MAX, u64::MAX), (0, 5)])).await.0, 200);
    let other = system.edge().await;
    let mut nonsense = other.heartbeat(u64::MAX, &[]);
    (nonsense.accepted, nonsense.live.records, nonsense.spill.disk_bytes_free) = (u64::MAX, u64::MAX, u64::MAX);
    nonsense.live.oldest_age_ms = Some(u64::MAX);
    nonsense.started_at = chrono::DateTime::<chrono::Utc>::MIN_UTC;
    assert_eq!(other.beat(&nonsense).await.0, 200);
    let (status, ledger) = system.get("/api/v1/ledger").await;
    assert_eq!(status, 200);
    assert!(ledger["totals"]["missing"].as_i64() > Some(1 << 60));
    assert_eq!(system.get("/api/v1/fleet/stats").await.0, 200);
}
