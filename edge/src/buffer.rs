//! Where accepted events are safe until central has them: Redis for what is live, SQLite for the backlog.
//!
//! ```text
//! intake ──append──▶ appender ──▶ redis (live)     ──▶ lanes ──▶ forwarder
//!                        │    └─▶ spill (backlog)  ──▶   │
//!                        ◀────────────forget─────────────┘
//! ```
//!
//! One task, the appender, does all writing to both stores: it takes everything that waits (group commit), appends it
//! to one store, and answers only when that store says it is on disk. Because nobody else writes, what we have counted
//! and what Redis says its length is must agree after every step; if they do not, somebody wiped or touched it, and
//! the account is rebuilt from what is really there.

mod account;
mod appender;
mod connector;
mod head;
mod lanes;
mod quarters;
mod redis;
mod spill;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use common::ids::Epoch;
use common::lifecycle::Lifecycle;
use common::protocol::EpochReport;
use common::record::Kind;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use account::Account;
pub use account::Place;
use appender::{Appender, Request};
use head::HeadFile;
pub use lanes::{Done, Lane, Lanes, Taken};
use quarters::QuartersFile;
use redis::LiveConfig;
pub use redis::{KeyStats, examine};
pub use spill::{DeadLetter, Peek, PeekError, SpillStats, Waiting, is_marked_damaged, sqlite_version};
use spill::{Salvaged, Spill};

/// For `smartpick-edge fsck`.
pub mod fsck {
    pub use super::spill::DirLock;
    pub use super::spill::examine::{Examined, examine, mend, take_over};
}

/// An idempotency key: one byte for its kind, 16 of identity.
pub type Key = [u8; 17];

/// Something that wants to be appended.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub kind: Kind,
    pub key: Key,
    /// Of what the camera said, to tell a retry from another event under the same key.
    pub hash: u64,
    /// The record's payload.
    pub payload: Vec<u8>,
}

/// A record with its key, as it goes into a store.
#[derive(Debug, Clone)]
struct Stored {
    key: Key,
    hash: u64,
    place: Place,
    bytes: Vec<u8>,
}

/// A key that was found: its position among those asked for, and the hash of what came under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    index: usize,
    hash: u64,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// On disk.
    Accepted,
    /// Its key came before with the same body, which is on disk or beyond.
    Duplicate,
    /// Its key came before with another body.
    Conflict,
}

/// Why nothing of a request was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error("the buffer is full: {0}")]
    Full(String),
    #[error("the buffer cannot keep up; try again in a moment")]
    Busy,
    #[error("the edge is stopping; try again in a moment")]
    Stopping,
}

/// How the connection to Redis is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveState {
    /// None is configured.
    Absent,
    /// In use. With a reason: it is not durable, but the operator said to use it.
    Ready {
        weak: Option<String>,
    },
    /// It answers but is not durable, and so not used.
    Weak {
        reason: String,
    },
    Down {
        reason: String,
        since: DateTime<Utc>,
    },
}

/// What the appender found when it last looked at both stores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    pub live_oldest_ms: Option<u64>,
    pub live_keys: KeyStats,
    pub spill: SpillStats,
}

/// What is in the buffer now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    pub live_records: u64,
    pub live_bytes: u64,
    pub backlog_records: u64,
    pub backlog_bytes: u64,
}

/// A handle to the buffer, for every stage that needs it.
#[derive(Clone)]
pub struct Buffer {
    requests: mpsc::Sender<Request>,
    account: Arc<Mutex<Account>>,
    spill: Spill,
    /// Told when there is something new to forward.
    filled: Arc<Notify>,
    live_state: watch::Receiver<LiveState>,
    probe: watch::Receiver<Probe>,
    live_config: Option<LiveConfig>,
    salvaged: Option<String>,
}

/// Requests waiting for the appender; with 64 connections of single posts there are 64. Beyond it the intake answers
/// `Busy` after [`QUEUE_WAIT`].
const QUEUE: usize = 256;
/// How long a request may wait for a place in the queue before the camera is told to come back.
const QUEUE_WAIT: Duration = Duration::from_secs(2);

impl Buffer {
    /// Opens the stores in `dir` and adds the buffer's stages to `life`. They must be stopped after those that use it.
    ///
    /// # Errors
    /// If the data directory cannot be used. A Redis that is not there is no error.
    pub fn start(
        config: &Config,
        dir: &Path,
        consumer: &str,
        now: DateTime<Utc>,
        life: &mut Lifecycle,
    ) -> anyhow::Result<Self> {
        let ttl = Duration::from_secs(config.idempotency.ttl_seconds);
        let (spill, opened, spill_end) =
            Spill::start(dir, config.spill.clone(), config.idempotency.keys_max, ttl, now)?;
        let (head_file, left) = HeadFile::open(&dir.join("head")).context("open the head file")?;
        let epoch = Epoch::random();
        let mut past: HashMap<Epoch, u64> = opened.past;
        // The last run's epoch; what it held in the file is noted for good before the file is used again.
        let ran_before = left.is_some_and(|(_, head)| head > 0);
        past.extend(left.filter(|_| ran_before));
        let (quarters_file, quarters) =
            QuartersFile::open(&dir.join("quarters"), &past).context("open the file of quarters")?;
        let mut account = Account::new(epoch, past, config.redis.url.is_some());
        account.backlog = opened.held;
        account.quarters = quarters;
        let account = Arc::new(Mutex::new(account));

        let live_config = config.redis.url.is_some().then(|| LiveConfig {
            redis: config.redis.clone(),
            stream: config.stream.clone(),
            idempotency: config.idempotency.clone(),
            consumer: consumer.to_owned(),
        });
        let state = match &live_config {
            None => LiveState::Absent,
            Some(_) => LiveState::Down { reason: "not connected yet".to_owned(), since: now },
        };
        let (live_state_tx, live_state) = watch::channel(state);
        let (probe_tx, probe) = watch::channel(Probe::default());
        let (connected_tx, connected) = mpsc::channel(1);
        let (requests, queue) = mpsc::channel(QUEUE);
        let (filled, wanted) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let live_state_tx = Arc::new(live_state_tx);

        if let Some(live_config) = live_config.clone() {
            wanted.notify_one();
            let (wanted, state) = (Arc::clone(&wanted), Arc::clone(&live_state_tx));
            life.stage("redis", move |stop| connector::run(live_config, wanted, connected_tx, state, stop));
        }
        let appender = Appender {
            account: Arc::clone(&account),
            spill: spill.clone(),
            head_file,
            quarters_file,
            accepted_ms: i64::MIN,
            filled: Arc::clone(&filled),
            wanted,
            live: None,
            live_state: live_state_tx,
            probe: probe_tx,
            sign: life.signs().add("appender"),
            unforgotten: Vec::new(),
            spill_has_keys: true,
            stream_max_length: config.stream.max_length,
            accept_weak: config.redis.accept_weak_durability,
        };
        life.stage("appender", move |stop| appender.run(left, queue, connected, stop));
        let closing = spill.clone();
        life.stage("spill", move |stop| watch_spill(closing, spill_end, stop));
        let emptied = (opened.made_anew && ran_before).then(|| EMPTIED.to_owned());
        let salvaged = opened.salvaged.map(|(aside, salvaged)| salvaged_words(&aside, &salvaged)).or(emptied);
        Ok(Self { requests, account, spill, filled, live_state, probe, live_config, salvaged })
    }

    /// Appends events; returns once what was accepted is on disk. Verdicts in the order of the candidates.
    ///
    /// # Errors
    /// If nothing of it could be stored.
    pub async fn append(&self, candidates: Vec<Candidate>) -> Result<Vec<Verdict>, AppendError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Append { candidates, reply };
        match self.requests.send_timeout(request, QUEUE_WAIT).await {
            Ok(()) => answer.await.unwrap_or(Err(AppendError::Stopping)),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(AppendError::Busy),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(AppendError::Stopping),
        }
    }

    /// Forgets what central has confirmed. Returns once that is done as far as it can be now.
    pub async fn forget(&self, taken: Taken) {
        let (reply, answer) = oneshot::channel();
        // If the appender is gone the records stay, and are sent again by the next run.
        if self.requests.send(Request::Forget { taken, reply }).await.is_ok() {
            drop(answer.await);
        }
    }

    /// Looks at both stores: are they as counted, still durable, how old is the oldest, how much room is left.
    pub async fn probe(&self) -> Probe {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(Request::Probe { reply }).await.is_ok() {
            drop(answer.await);
        }
        self.last_probe()
    }

    /// What the last [`Buffer::probe`] found.
    pub fn last_probe(&self) -> Probe {
        self.probe.borrow().clone()
    }

    /// Central has noted how far these epochs got.
    pub async fn settle(&self, epochs: &[Epoch]) {
        let gone = self.account().settle(epochs);
        if !gone.is_empty() {
            // A spill that is gone takes the process with it.
            drop(self.spill.drop_epochs(gone).await);
        }
    }

    /// Tells central again of epochs that it may have forgotten.
    pub fn recall(&self, heads: &[(Epoch, u64)]) {
        self.account().recall(heads);
    }

    /// Central has noted these reports. True if there is more to tell it than one heartbeat holds.
    pub fn told(&self, reports: &[EpochReport]) -> bool {
        self.account().quarters.told(reports)
    }

    /// What the ledger says on this side.
    pub fn epoch_reports(&self) -> Vec<EpochReport> {
        self.account().reports()
    }

    /// The current epoch and the highest seq given out in it.
    pub fn head(&self) -> (Epoch, u64) {
        let account = self.account();
        (account.epoch(), account.head())
    }

    pub fn contents(&self) -> Contents {
        let account = self.account();
        Contents {
            live_records: account.live.records,
            live_bytes: account.live.bytes,
            backlog_records: account.backlog.records,
            backlog_bytes: if account.backlog.records == 0 { 0 } else { self.probe.borrow().spill.bytes_used },
        }
    }

    /// Records that vanished from Redis in this run: it was wiped, or came back without its data.
    pub fn vanished(&self) -> u64 {
        self.account().vanished
    }

    pub fn live_state(&self) -> LiveState {
        self.live_state.borrow().clone()
    }

    /// What was done about a damaged spill at start, in words.
    pub fn salvaged(&self) -> Option<&str> {
        self.salvaged.as_deref()
    }

    /// The latest records that could not be sent.
    ///
    /// # Errors
    /// If the spill is gone.
    pub async fn dead_letters(&self, limit: u32) -> anyhow::Result<Vec<DeadLetter>> {
        Ok(self.spill.dead_letters(limit).await?)
    }

    /// Keeps a record that cannot be sent.
    pub async fn dead_letter(&self, reason: String, raw: Vec<u8>, now: DateTime<Utc>) {
        // A spill that is gone takes the process with it, and the record stays where it was.
        drop(self.spill.dead_letter(reason, raw, now).await);
    }

    /// The forwarder's way of reading; there must be only one.
    pub fn lanes(&self) -> Lanes {
        Lanes::new(self.spill.clone(), self.live_config.clone(), self.live_state.clone(), Arc::clone(&self.account))
    }

    /// Resolves when there may be something new to forward.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }
}

/// What health says of a spill that is not there any more.
const EMPTIED: &str = "the spill was gone or empty at the last start, though this box had taken events before; what was in it is \
                       missing in headquarters' ledger";

/// What health says of a damaged spill.
fn salvaged_words(aside: &Path, salvaged: &Salvaged) -> String {
    let Salvaged { records, damaged, stopped } = salvaged;
    let stopped = stopped.as_ref().map(|why| format!("; there may be more ({why})")).unwrap_or_default();
    format!(
        "the spill was not whole at the last start; {records} records were taken over, {damaged} were found damaged{stopped}; what \
         is missing is in headquarters' ledger, and the damaged file is {}",
        aside.display()
    )
}

/// The spill thread as a stage: it ends by itself only with an error.
async fn watch_spill(
    spill: Spill,
    mut end: oneshot::Receiver<Option<rusqlite::Error>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let ended = tokio::select! {
        // An error, or a panic.
        ended = &mut end => ended,
        // All that used it have stopped.
        () = stop.cancelled() => {
            spill.close().await;
            end.await
        }
    };
    match ended.context("the spill thread panicked")? {
        Some(error) => Err(error).context("write to the spill"),
        None => Ok(()),
    }
}

/// The account is plain counting; a panic elsewhere leaves it usable.
fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
