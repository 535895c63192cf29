//! One persist worker: a consumer of the group with a connection to Postgres of its own.

use std::sync::Arc;

use anyhow::anyhow;
use common::backoff::Backoff;
use common::lifecycle::{LifeSign, LifeSigns};
use common::protocol::{DatabaseMark, DeadLetterNote, Receipt};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use super::open::{Unpacked, items, unpack};
use super::work::Work;
use crate::fleet::Hints;
use crate::frame::{Content, Fate, Frame, Item};
use crate::health::Progress;
use crate::inflight::Inflight;
use crate::metrics::Metrics;
use crate::store::batch::{self, Known, WriteError, Written};
use crate::store::{self, Connection, Db};
use crate::stream::{Delivered, Outcome, Reader, Report, Stream, StreamError};

/// A transaction of 4,000 rows takes about 150 ms; more in one would only make the others wait longer.
pub const FRAMES_PER_TRANSACTION: usize = 8;
/// Longer than the server's own limits; after it the connection is dropped, whatever it is doing.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(12);
/// What a transaction gets to end when we stop; the rest of the process has its share of the 10 s too.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// A store that is away is asked every few seconds.
const RETRY_CAP: Duration = Duration::from_secs(10);

/// What all workers share.
#[derive(Clone)]
pub struct Deps {
    pub db: Arc<Db>,
    pub stream: Arc<Stream>,
    pub inflight: Arc<Inflight>,
    pub metrics: Arc<Metrics>,
    pub progress: Arc<Progress>,
    pub hints: Hints,
    pub instance: Uuid,
    pub retry_delay: Duration,
    /// Each worker has a sign of its own among these.
    pub signs: LifeSigns,
}

pub struct Worker {
    // Dependencies.
    deps: Deps,
    reader: Reader,
    // State.
    connection: Option<Connection>,
    known: Known,
    backoff: Backoff,
    /// Shown after each reading and each attempt to write, which all end within a few seconds.
    sign: LifeSign,
}

impl Worker {
    pub fn new(deps: Deps, consumer: String) -> Self {
        let backoff = Backoff::new(deps.retry_delay, RETRY_CAP.max(deps.retry_delay));
        let sign = deps.signs.add("persist");
        Self { deps, reader: Reader::new(consumer), connection: None, known: Known::default(), backoff, sign }
    }

    /// Works until told to stop; what it has begun it finishes, if Postgres lets it.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            self.sign.show();
            match self.run_once(&stop).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    self.stream_failed(&error);
                    let wait = self.backoff.delay(failures, None, &mut rand::rng());
                    failures = failures.saturating_add(1);
                    tokio::select! {
                        // We stop.
                        () = stop.cancelled() => {}
                        // Redis had its pause.
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
        if let Err(error) = self.deps.stream.retire(self.reader.consumer()).await {
            info!("The stream keeps this worker's name for now: {:#}", anyhow!(error));
        }
    }

    fn stream_failed(&self, error: &StreamError) {
        if matches!(error, StreamError::NoGroup) {
            let lost = self.deps.inflight.lose_all();
            self.deps.metrics.frames_lost.inc_by(lost as u64);
            warn!(lost, "Redis was wiped; edges send again what was in it");
        } else {
            warn!("A persist worker cannot read the stream: {error:#}", error = Chain(error));
        }
    }

    /// Reads once and makes durable what came.
    ///
    /// # Errors
    /// If the stream cannot be read or acknowledged.
    pub async fn run_once(&mut self, stop: &CancellationToken) -> Result<(), StreamError> {
        // Not interrupted by `stop`: frames that Redis hands to a reader who has just left would wait to be claimed.
        let delivered = self.reader.read(&self.deps.stream).await?;
        self.deps.progress.worker_turned(self.reader.consumer());
        for together in batches(delivered) {
            let started = Instant::now();
            let persisted = self.persist(&together, stop).await;
            self.deps.progress.worked(started.elapsed());
            if !persisted? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes frames durable, reports and acknowledges them. False if it was stopped before that; they stay pending.
    async fn persist(&mut self, delivered: &[Delivered], stop: &CancellationToken) -> Result<bool, StreamError> {
        let mut frames: Vec<&Frame> = Vec::with_capacity(delivered.len());
        for entry in delivered {
            match &entry.frame {
                Ok(frame) => frames.push(frame),
                // Nobody waits for it and nothing says whose it is. Not from us: others may write to the stream.
                Err(reason) => warn!(id = entry.id, "Skipped a foreign entry of the stream: {reason}"),
            }
        }
        let unpacked: Vec<Unpacked> = frames.iter().map(|frame| unpack(frame)).collect();
        let all = frames.iter().zip(&unpacked).enumerate().flat_map(|(i, (frame, unpacked))| items(i, frame, unpacked));
        let mut work = Work::new(all.collect());
        let Some(database) = self.write(&mut work, delivered, stop).await else {
            self.reader.recheck_pending();
            return Ok(false);
        };
        let (reports, alerts_changed) = self.reports(&frames, &unpacked, work, &database);
        for (frame, report) in frames.iter().zip(reports) {
            self.report(frame.reply_to, report).await;
        }
        self.acknowledge(delivered).await?;
        if alerts_changed {
            self.tell_alerts_changed().await;
        }
        Ok(true)
    }

    /// Writes everything, trying again until it is durable. Answers where; `None` if it was stopped before. Nothing to write
    /// is nowhere.
    async fn write(
        &mut self,
        work: &mut Work<'_>,
        delivered: &[Delivered],
        stop: &CancellationToken,
    ) -> Option<Option<DatabaseMark>> {
        let (mut failures, mut database) = (0, None);
        while let Some(next) = work.next() {
            self.sign.show();
            let started = Instant::now();
            let written = tokio::select! {
                // Done, or failed.
                written = self.write_once(next) => written,
                // We stop, and Postgres hangs. The connection goes with the attempt; the frames stay pending.
                () = long_after(stop) => return None,
            };
            match written {
                Ok(written) => {
                    self.deps.metrics.transaction_seconds.observe(started.elapsed().as_secs_f64());
                    self.deps.progress.committed();
                    work.done(written.fates);
                    // The first of several: no part is said to be further on than it is.
                    database = database.or(Some(written.database));
                    failures = 0;
                    continue;
                }
                Err(WriteError::Data(reason)) => {
                    self.deps.metrics.bisections.inc();
                    if work.refused(reason.clone()).is_ok() {
                        continue;
                    }
                    error!("Postgres refuses even a dead letter, which is a fault of ours: {reason}");
                }
                Err(error) => warn!("A transaction failed and will be tried again: {error:#}", error = Chain(&error)),
            }
            self.deps.metrics.transactions_failed.inc();
            self.deps.progress.failed();
            let wait = self.backoff.delay(failures, None, &mut rand::rng());
            failures = failures.saturating_add(1);
            tokio::select! {
                // We stop; the frames stay pending.
                () = stop.cancelled() => return None,
                // Postgres had its pause.
                () = tokio::time::sleep(wait) => {}
            }
            self.keep(delivered).await;
        }
        Some(database)
    }

    /// One transaction, on a connection that is dropped if anything about it is in doubt.
    async fn write_once(&mut self, items: &[Item<'_>]) -> Result<Written, WriteError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.known = Known::default();
                self.deps.db.connect().await.map_err(WriteError::Unreachable)?
            }
        };
        let write = batch::write(&mut connection, items, &mut self.known);
        let result = tokio::time::timeout(TRANSACTION_TIMEOUT, write).await;
        let result = result.unwrap_or(Err(WriteError::Unreachable(store::StoreError::Timeout)));
        if matches!(result, Ok(_) | Err(WriteError::Data(_))) {
            self.connection = Some(connection);
        }
        result
    }

    /// Keeps others from taking over frames that only wait for Postgres.
    async fn keep(&self, delivered: &[Delivered]) {
        for (partition, ids) in by_partition(delivered) {
            if let Err(error) = self.reader.keep(&self.deps.stream, partition, &ids).await {
                warn!("Another worker may take over frames of this one: {error:#}", error = Chain(&error));
            }
        }
    }

    async fn acknowledge(&mut self, delivered: &[Delivered]) -> Result<(), StreamError> {
        for (partition, ids) in by_partition(delivered) {
            let acknowledged = self.deps.stream.acknowledge(partition, &ids).await;
            if acknowledged.is_err() {
                self.reader.recheck_pending();
            }
            acknowledged?;
        }
        Ok(())
    }

    /// What to tell of each frame, the counts of all, and whether an alert or what is said of one has changed.
    fn reports(
        &self,
        frames: &[&Frame],
        unpacked: &[Unpacked],
        work: Work<'_>,
        database: &Option<DatabaseMark>,
    ) -> (Vec<Report>, bool) {
        let metrics = &self.deps.metrics;
        let mut tallies: Vec<Tally> = frames.iter().map(|_| Tally::default()).collect();
        let mut alerts_changed = false;
        for (item, fate) in work.finish() {
            alerts_changed |= fate == Fate::Stored && matches!(item.content, Content::Alert(_) | Content::Fact(_));
            tallies[item.frame].add(fate);
        }
        let mut reports = Vec::with_capacity(frames.len());
        for ((frame, unpacked), tally) in frames.iter().zip(unpacked).zip(tallies) {
            let outcome = if matches!(unpacked, Unpacked::Damaged) {
                metrics.frames_lost.inc();
                error!(batch.id = %frame.batch_id, "Batch {} was damaged in Redis; its edge sends it again", frame.batch_id);
                Outcome::Lost
            } else {
                let receipt = tally.receipt(frame, database.clone());
                let dead = receipt.dead_letters.len() as u64;
                if dead > 0 {
                    warn!(
                        edge.id = %frame.edge_id, batch.id = %frame.batch_id, dead,
                        "{dead} records of batch {} became dead letters; the first: {}",
                        frame.batch_id, receipt.dead_letters[0].reason
                    );
                }
                metrics.frames_committed.inc();
                metrics.records_received.inc_by(u64::from(receipt.committed) + u64::from(receipt.duplicates) + dead);
                metrics.records_stored.inc_by(u64::from(receipt.committed));
                metrics.records_duplicate.inc_by(u64::from(receipt.duplicates));
                metrics.records_dead.inc_by(dead);
                Outcome::Committed(receipt)
            };
            reports.push(Report { edge_id: frame.edge_id, batch_id: frame.batch_id, outcome });
        }
        (reports, alerts_changed)
    }

    /// After COMMIT, and after those who wait for it have heard: screens are not urgent.
    async fn tell_alerts_changed(&self) {
        self.deps.hints.alerts();
        if let Err(error) = self.deps.stream.tell_alerts_changed(self.deps.instance).await {
            debug!("Other instances look at the alerts a little later: {error:#}", error = Chain(&error));
        }
    }

    /// Tells the instance that waits; it is often this one.
    async fn report(&self, waiting: Uuid, report: Report) {
        if waiting == self.deps.instance {
            self.deps.inflight.report(report, Instant::now());
        } else if let Err(error) = self.deps.stream.publish(waiting, &report).await {
            warn!("A receipt could not be passed on, its edge will ask again: {error:#}", error = Chain(&error));
        }
    }
}

async fn long_after(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
}

/// What became of a frame's records, in order.
#[derive(Default)]
struct Tally {
    records: u32,
    committed: u32,
    duplicates: u32,
    dead: Vec<DeadLetterNote>,
}

impl Tally {
    fn add(&mut self, fate: Fate) {
        match fate {
            Fate::Stored => self.committed += 1,
            Fate::Duplicate => self.duplicates += 1,
            Fate::Dead(reason) => self.dead.push(DeadLetterNote { index: self.records, reason: reason.into_owned() }),
        }
        self.records += 1;
    }

    fn receipt(mut self, frame: &Frame, database: Option<DatabaseMark>) -> Receipt {
        // A frame that could not be opened is one dead letter, and stands for all records the edge says are in it.
        if self.records == 1 && frame.records > 1 && self.dead.len() == 1 {
            let reason = &self.dead[0].reason;
            self.dead = (0..frame.records).map(|index| DeadLetterNote { index, reason: reason.clone() }).collect();
        }
        Receipt {
            batch_id: frame.batch_id,
            committed: self.committed,
            duplicates: self.duplicates,
            dead_letters: self.dead,
            database,
        }
    }
}

/// Splits what was read into what goes into one transaction.
fn batches(delivered: Vec<Delivered>) -> impl Iterator<Item = Vec<Delivered>> {
    let mut rest = delivered.into_iter().peekable();
    std::iter::from_fn(move || {
        rest.peek()?;
        Some(rest.by_ref().take(FRAMES_PER_TRANSACTION).collect())
    })
}

fn by_partition(delivered: &[Delivered]) -> std::collections::BTreeMap<u16, Vec<String>> {
    let mut ids = std::collections::BTreeMap::<u16, Vec<String>>::new();
    for entry in delivered {
        ids.entry(entry.partition).or_default().push(entry.id.clone());
    }
    ids
}

/// An error with all its causes on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
