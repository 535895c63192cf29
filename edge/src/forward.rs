//! Carries batches to central until it has confirmed them.
//!
//! Two lanes share four slots. Live goes first, so that headquarters sees now before yesterday; but the backlog always
//! gets a slot when it has something, so that it shrinks however busy the floor is. A batch is sent as soon as
//! something waits and a slot is free: while all slots are busy the next batch grows by itself.
//!
//! A batch keeps its id and contents through all retries, and retries never end. The store forgets the records only on
//! central's receipt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::backoff::Backoff;
use common::clock;
use common::ids::BatchId;
use common::lifecycle::LifeSign;
use common::protocol::pack_frame;
use common::record::Record;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::archive::{Archive, Entry};
use crate::buffer::{Buffer, Done, Lane, Lanes, Taken};
use crate::central_client::{CentralClient, SendError};
use crate::metrics::Metrics;

/// Batches on their way at a time: one being packed, one on the wire, one being committed, and one to spare.
const SLOTS: usize = 4;
/// Design §2.5.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// How often the lanes are looked at though nobody has told us of anything new.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long what is on its way, or still waits, gets to finish once we stop. The next run sends what does not.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// Records that were sent longer ago than this without a receipt count as pending in the original's sense. Those in
/// normal flight do not: four full slots are two thousand, and healthy.
const PENDING_AGE: Duration = Duration::from_secs(5);

/// How the way to central is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// When central last confirmed anything, a batch or a heartbeat.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When central last confirmed a batch.
    pub receipt_at: Option<DateTime<Utc>>,
    /// The failure that has not been followed by a success yet, and when it began.
    pub failing: Option<(DateTime<Utc>, SendError)>,
    /// Why central, which answers, takes no batch, and since when. Only a receipt ends it: a heartbeat says nothing of batches.
    pub refused: Option<(DateTime<Utc>, SendError)>,
}

impl Link {
    /// What is wrong, and since when.
    pub fn trouble(&self) -> Option<&(DateTime<Utc>, SendError)> {
        self.failing.as_ref().or(self.refused.as_ref())
    }
}

/// Shared by the forwarder and the heartbeat: each learns from the other's luck.
#[derive(Clone)]
pub struct LinkState(watch::Sender<Link>);

impl Default for LinkState {
    fn default() -> Self {
        Self(watch::Sender::new(Link::default()))
    }
}

impl LinkState {
    pub fn get(&self) -> Link {
        self.0.borrow().clone()
    }

    pub fn succeeded(&self, now: DateTime<Utc>, batch: bool) {
        self.0.send_modify(|link| {
            link.confirmed_at = Some(now);
            if batch {
                link.receipt_at = Some(now);
                link.refused = None;
            }
            if let Some((since, _)) = link.failing.take() {
                info!(since = %since.format("%FT%TZ"), "Central is reached again");
            }
        });
    }

    pub fn failed(&self, now: DateTime<Utc>, error: SendError) {
        self.0.send_modify(|link| note(&mut link.failing, now, error));
    }

    /// The same of a batch.
    pub fn batch_failed(&self, now: DateTime<Utc>, error: SendError) {
        self.0.send_modify(|link| {
            let of = if matches!(error, SendError::Link(_)) { &mut link.failing } else { &mut link.refused };
            note(of, now, error);
        });
    }

    /// Resolves once somebody has reached central.
    async fn reached(&self) {
        let mut link = self.0.subscribe();
        // The sender is ours, so waiting cannot fail.
        drop(link.wait_for(|link| link.failing.is_none()).await);
    }
}

/// The latest error, and when the first of its kind was.
fn note(known: &mut Option<(DateTime<Utc>, SendError)>, now: DateTime<Utc>, error: SendError) {
    let since = known.as_ref().map_or(now, |(since, _)| *since);
    if known.as_ref().is_none_or(|(_, old)| *old != error) {
        warn!("Sending to central fails: {error}; it is tried again for ever");
    }
    *known = Some((since, error));
}

/// What is on its way: when each batch was first sent, and how many records it has.
#[derive(Clone, Default)]
pub struct InFlight(Arc<Mutex<HashMap<BatchId, (Instant, usize)>>>);

impl InFlight {
    /// Records on their way, and of them those for too long.
    pub fn counts(&self) -> (u64, u64) {
        let batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = batches.values().map(|(_, records)| records).sum();
        let late: usize =
            batches.values().filter(|(at, _)| at.elapsed() > PENDING_AGE).map(|(_, records)| records).sum();
        (all as u64, late as u64)
    }

    fn enter(&self, id: BatchId, records: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (Instant::now(), records));
    }

    fn leave(&self, id: BatchId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// The forwarder. See the module. A clone of it carries each batch.
#[derive(Clone)]
pub struct Forwarder {
    // What it works with.
    pub buffer: Buffer,
    pub client: CentralClient,
    pub archive: Archive,
    pub link: LinkState,
    pub in_flight: InFlight,
    pub metrics: Arc<Metrics>,
}

impl Forwarder {
    /// Forwards until `stop`, then gives what is left a few seconds.
    ///
    /// # Errors
    /// If the spill is gone.
    pub async fn run(self, sign: LifeSign, stop: CancellationToken) -> anyhow::Result<()> {
        let mut lanes = self.buffer.lanes();
        let mut slots: JoinSet<Done> = JoinSet::new();
        let mut backlog_slots = 0;
        let mut flush_until = None;
        loop {
            sign.show();
            while slots.len() < SLOTS {
                let Some(taken) = next_batch(&mut lanes, backlog_slots).await? else { break };
                backlog_slots += usize::from(taken.lane == Lane::Backlog);
                slots.spawn(self.clone().carry(taken));
            }
            if flush_until.is_some() && slots.is_empty() {
                return Ok(());
            }
            tokio::select! {
                // A batch is done: its slot is free.
                Some(done) = slots.join_next() => {
                    let done = done?;
                    backlog_slots -= usize::from(done.lane() == Lane::Backlog);
                    lanes.give_back(&done);
                }
                // Something new came in.
                () = self.buffer.filled() => {}
                // In case something was there all along, such as a Redis that has come back.
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                // Told to stop: flush.
                () = stop.cancelled(), if flush_until.is_none() => flush_until = Some(Instant::now() + FLUSH_TIMEOUT),
                // Flushed long enough; the next run goes on.
                () = sleep_until(flush_until), if flush_until.is_some() => return Ok(()),
            }
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Live first; but the backlog must have at least one slot.
async fn next_batch(lanes: &mut Lanes, backlog_slots: usize) -> anyhow::Result<Option<Taken>> {
    let backlog_first = backlog_slots == 0 && lanes.has(Lane::Backlog);
    let order = if backlog_first { [Lane::Backlog, Lane::Live] } else { [Lane::Live, Lane::Backlog] };
    for lane in order {
        if lanes.has(lane) {
            let taken = lanes.take(lane).await?;
            if !taken.is_empty() {
                return Ok(Some(taken));
            }
        }
    }
    Ok(None)
}

impl Forwarder {
    async fn carry(self, mut taken: Taken) -> Done {
        let done = taken.done();
        self.sort_out_damaged(&mut taken).await;
        let mut parts = vec![taken];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            if self.deliver(&part).await {
                self.buffer.forget(part).await;
            } else if part.len() > 1 {
                parts.push(part.split_half());
                parts.push(part);
            } else {
                self.give_up(part, "central takes no record of this size").await;
            }
        }
        done
    }

    /// Sends until there is a receipt. `false`: too large, it must be split.
    async fn deliver(&self, part: &Taken) -> bool {
        let id = BatchId::random();
        let frame = match pack_frame(&part.records) {
            Ok(frame) => Bytes::from(frame),
            Err(error) => {
                // Out of memory, in effect; smaller pieces may fit.
                warn!("Failed to pack a batch: {error}");
                return false;
            }
        };
        self.in_flight.enter(id, part.len());
        // While it is on its way, so that nobody waits for it afterwards.
        let keeping = self.archive.keep(|| Entry::of(id, &part.records, frame.clone()));
        let asked = self.archive.ask_database();
        let started = Instant::now();
        let mut rng = StdRng::from_os_rng();
        let mut attempt = 0;
        let delivered = loop {
            match self.client.send_batch(id, part.len(), frame.clone()).await {
                Ok(receipt) => {
                    self.link.succeeded(clock::now(), true);
                    self.metrics.forwarded(part.lane, &receipt, frame.len(), started.elapsed());
                    debug!(batch = %id, records = part.len(), lane = part.lane.as_str(), "Central has a batch");
                    self.archive.hear(receipt.database.as_ref(), &asked);
                    keeping.confirmed(&receipt).await;
                    break true;
                }
                Err(SendError::TooLarge) => {
                    keeping.withdrawn().await;
                    break false;
                }
                Err(error) => {
                    self.metrics.send_failed();
                    let retry_after = match &error {
                        SendError::Refused { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    // A link that is back is worth trying at once; a central that says "later" is not.
                    let wake = matches!(error, SendError::Link(_));
                    self.link.batch_failed(clock::now(), error);
                    let delay = RETRY.delay(attempt, retry_after, &mut rng);
                    tokio::select! {
                        // As long as the policy says.
                        () = tokio::time::sleep(delay) => {}
                        // Or until the heartbeat or another batch got through.
                        () = self.link.reached(), if wake => {}
                    }
                    attempt = attempt.saturating_add(1);
                }
            }
        };
        self.in_flight.leave(id);
        delivered
    }

    /// A record whose checksum is wrong was damaged in the buffer. It is kept aside and not sent; central's ledger will
    /// show its seq as missing.
    async fn sort_out_damaged(&self, taken: &mut Taken) {
        for (damaged, reason) in taken.split_off_damaged(|bytes| Record::open(bytes).err()) {
            self.give_up(damaged, &format!("damaged in the buffer: {reason}")).await;
        }
    }

    async fn give_up(&self, taken: Taken, reason: &str) {
        warn!(records = taken.len(), "Put a record to the dead letters: {reason}");
        for raw in &taken.records {
            self.metrics.dead_letter();
            self.buffer.dead_letter(reason.to_owned(), raw.clone(), clock::now()).await;
        }
        self.buffer.forget(taken).await;
    }
}
