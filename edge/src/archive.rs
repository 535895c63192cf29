//! What headquarters has confirmed is kept here for a day, so that it can be sent again: when its database was restored from a
//! backup or failed over to a copy that had not got everything, or when somebody asks for it.
//!
//! ```text
//! forwarder ──frame──▶ archive.db ──resend──▶ central
//! heartbeat ◀──which seqs central lacks──┘
//! ```
//!
//! Records must be here before the buffer forgets them, or a failover in between would lose them. That costs no time: a batch
//! is written here while it is on its way to central, and has long been when its receipt comes. The forwarder waits for it
//! [`KEPT_WITHIN`] and no longer: the archive is not the buffer. No trouble of it stops anything, and when the disk gets low
//! it gives way before the spill has to refuse a camera. What is wrong is said by [`Archive::health`].
//!
//! What to send again is not guessed. Another database, or one that went back in time, is told of all epochs that are known
//! here, answers which of their seqs it lacks, and gets those. So it is bounded by what is really missing, and the ledger
//! counts what even the archive does not have.

mod replays;
mod resend;
mod schema;
mod store;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use common::clock;
use common::health::Code;
use common::ids::Epoch;
use common::protocol::{DatabaseMark, Receipt};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::config::ArchiveConfig;
use crate::sqlite;
pub use replays::{Answered, Due, Replay, Why};
pub use resend::Resender;
pub use store::{Entry, Figures, Store, path};
use watch::Watch;
pub use watch::{Asked, Verdict};

/// Jobs that may wait for the thread: four batches on their way, their receipts, and a few questions. Beyond it a batch is
/// not kept, and counted as skipped.
const QUEUE: usize = 64;
/// How long whoever asks something waits. What it asked for may be done later all the same.
const ASKED_WITHIN: Duration = Duration::from_secs(5);
/// How often headquarters is told of all epochs though nothing seems to be wrong.
const TELL_INTERVAL: Duration = Duration::from_secs(3_600);
/// How long the forwarder waits for a batch to be kept once it is confirmed.
const KEPT_WITHIN: Duration = Duration::from_millis(500);
const LOW: &str = "the disk is low, and what is left belongs to the buffer";
/// How long a look at a low disk may take in one go.
const GIVE_WAY_WITHIN: Duration = Duration::from_millis(500);

/// The archive did not do something; its words are in [`Archive::health`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the archive cannot be used now")]
pub struct ArchiveError;

type Job = Box<dyn FnOnce(&mut Thread) + Send>;

/// What others see of the archive.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub figures: Figures,
    /// The replay that goes on, or the last one.
    pub replay: Option<Replay>,
    /// Confirmed records of this run that were not kept.
    pub skipped: u64,
}

#[derive(Debug, Default)]
struct Shared {
    status: Status,
    /// It does not keep anything now, and why.
    failing: Option<String>,
    /// What was done about damage in this run.
    moved: Option<String>,
    watch: Watch,
    /// When headquarters was last told of all epochs.
    told_at: Option<Instant>,
}

/// A handle to the archive's thread; an archive that is switched off does nothing.
#[derive(Clone)]
pub struct Archive(Option<Handle>);

#[derive(Clone)]
struct Handle {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Mutex<Shared>>,
    /// The number of the last receipt.
    receipts: Arc<AtomicI64>,
}

impl Archive {
    /// Opens `archive.db` in `dir` and starts the thread, which ends with the last handle. `disk_free_min` is what the spill
    /// leaves free; the archive leaves twice as much. One that is switched off deletes what an earlier run kept.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(dir: &Path, config: ArchiveConfig, disk_free_min: u64, now: DateTime<Utc>) -> anyhow::Result<Self> {
        if config.keep.is_zero() {
            remove(dir);
            return Ok(Self(None));
        }
        let handle_shared = Arc::new(Mutex::new(Shared::default()));
        let receipts = Arc::new(AtomicI64::new(0));
        let mut thread = Thread {
            dir: dir.to_owned(),
            config,
            disk_free_min,
            store: None,
            shared: Arc::clone(&handle_shared),
            receipts: Arc::clone(&receipts),
        };
        thread.open(now);
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new().name("archive".to_owned()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut thread);
            }
        })?;
        Ok(Self(Some(Handle { jobs, shared: handle_shared, receipts })))
    }

    /// One that does nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Keeps a batch while it is being sent.
    pub fn keep(&self, entry: impl FnOnce() -> Entry) -> Keeping {
        let Some(handle) = &self.0 else { return Keeping { handle: None, kept: None } };
        let (reply, kept) = oneshot::channel();
        let entry = entry();
        let job: Job = Box::new(move |thread| {
            // Who has gone away does not need the answer.
            reply.send(thread.keep(&entry)).ok();
        });
        // Full: the disk is too slow for it.
        drop(handle.jobs.try_send(job));
        Keeping { handle: Some(handle.clone()), kept: Some(kept) }
    }

    /// What is known of headquarters' database before it is asked something.
    pub fn ask_database(&self) -> Asked {
        self.0.as_ref().map(|handle| lock(&handle.shared).watch.ask()).unwrap_or_default()
    }

    /// Headquarters answered from this database.
    pub fn hear(&self, database: Option<&DatabaseMark>, asked: &Asked) -> Verdict {
        let (Some(handle), Some(mark)) = (&self.0, database) else { return Verdict::Same };
        let mut shared = lock(&handle.shared);
        let (unchecked, alternating) = (shared.watch.is_unchecked(), shared.watch.is_alternating(Instant::now()));
        let verdict = shared.watch.hear(mark, asked, Instant::now());
        match verdict {
            Verdict::Unchecked if !unchecked => {
                warn!("Headquarters' database is another one than before, or older; it is asked what it lacks");
            }
            Verdict::Alternating if !alternating => {
                warn!("Headquarters answers from different databases in turn; nothing is sent again because of it");
            }
            Verdict::Same | Verdict::Unchecked | Verdict::Alternating => {}
        }
        verdict
    }

    /// If headquarters' database is not the one that we know: the highest seqs of all epochs that it is to be told of. Also at
    /// the start and every hour, in case it changed and had the same marks again before anybody here heard from it.
    pub async fn heads_to_tell(&self) -> Option<Vec<(Epoch, u64)>> {
        let handle = self.0.as_ref()?;
        {
            let shared = lock(&handle.shared);
            let due = shared.told_at.is_none_or(|at| at.elapsed() >= TELL_INTERVAL);
            if !due && !shared.watch.is_unchecked() {
                return None;
            }
        }
        // Without them it is told of what it was going to be told of anyway.
        Some(self.ask(|store| store.heads()).await.unwrap_or_default())
    }

    /// The number of the last receipt, to be told with what headquarters lacks.
    pub fn receipts(&self) -> i64 {
        self.0.as_ref().map_or(0, |handle| handle.receipts.load(Ordering::Acquire))
    }

    /// Takes what headquarters' database said that it lacks, and sends again what is kept of it. `told`: it was told of all
    /// [heads](Self::heads_to_tell), so that is all; a database that is not the one we know must have been.
    pub async fn take(&self, answered: Answered, told: bool) {
        let Some(handle) = &self.0 else { return };
        let identity = answered.database.identity.clone();
        let Ok(records) = self.ask(move |store| store.answered(&answered, clock::now())).await else { return };
        if records > 0 {
            warn!(records, "Headquarters lacks what this box had handed over; it is sent again");
            self.look_after().await;
        }
        let mut shared = lock(&handle.shared);
        if told {
            shared.watch.checked(&identity);
            shared.told_at = Some(Instant::now());
        } else if records > 0 {
            // There may be more, in epochs that it was not told of.
            shared.told_at = None;
        }
    }

    /// Does something with the store on its thread.
    ///
    /// # Errors
    /// If the store is not usable, or became so, or there is none.
    pub async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let handle = self.0.as_ref().ok_or(ArchiveError)?;
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |thread| drop(reply.send(thread.work(work))));
        run(handle, job, answer).await.unwrap_or(Err(ArchiveError))
    }

    /// Deletes what is too old, gives way if the disk is low, and looks how much there is.
    pub async fn look_after(&self) {
        let Some(handle) = &self.0 else { return };
        let (reply, done) = oneshot::channel();
        let job: Job = Box::new(move |thread| {
            thread.look_after();
            reply.send(()).ok();
        });
        run(handle, job, done).await;
    }

    /// Closes the file; from then on nothing is kept.
    pub async fn close(&self) {
        let Some(handle) = &self.0 else { return };
        let (reply, done) = oneshot::channel();
        let job: Job = Box::new(move |thread| {
            thread.store = None;
            reply.send(()).ok();
        });
        run(handle, job, done).await;
    }

    /// `None`: it is switched off.
    pub fn status(&self) -> Option<Status> {
        self.0.as_ref().map(|handle| lock(&handle.shared).status.clone())
    }

    /// What is wrong here or at headquarters, in words.
    pub fn health(&self) -> Vec<(Code, String)> {
        let Some(handle) = &self.0 else { return Vec::new() };
        let shared = lock(&handle.shared);
        let mut words = Vec::new();
        if let Some(why) = &shared.failing {
            let text =
                format!("what headquarters confirms is not kept to be sent again if its database is restored: {why}");
            words.push((Code::ArchiveNotKept, text));
        }
        words.extend(shared.moved.clone().map(|text| (Code::ArchiveNotKept, text)));
        if shared.watch.is_alternating(Instant::now()) {
            let text = "headquarters answers from different databases in turn, so nothing is sent again until it has been \
                        one for ten minutes; are two centrals set up with different databases?";
            words.push((Code::HeadquartersAlternate, text.to_owned()));
        } else if shared.watch.is_unchecked() {
            let text = "headquarters' database was restored or replaced; it is being asked what it lacks";
            words.push((Code::HeadquartersRestored, text.to_owned()));
        }
        let going = shared.status.replay.as_ref();
        if let Some(replay) = going.filter(|replay| replay.why == Why::Database && replay.ended_at.is_none()) {
            let text = format!(
                "headquarters lacks what this box had handed over, as after its database was restored; sending it again from the \
                 archive: {} % of {} records",
                replay.percent(),
                replay.total
            );
            words.push((Code::HeadquartersRestored, text));
        }
        words
    }
}

/// Has the thread do a job and answers what it said, unless that takes too long: nobody may hang on a disk that hangs.
async fn run<T>(handle: &Handle, job: Job, answer: oneshot::Receiver<T>) -> Option<T> {
    let said = async {
        handle.jobs.send(job).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(ASKED_WITHIN, said).await.ok().flatten()
}

/// A batch that is being kept.
pub struct Keeping {
    handle: Option<Handle>,
    kept: Option<oneshot::Receiver<Option<i64>>>,
}

impl Keeping {
    /// It is confirmed: waits until it is kept, but not for long. Then the buffer may forget it.
    pub async fn confirmed(self, receipt: &Receipt) {
        let (Some(handle), Some(kept)) = (self.handle, self.kept) else { return };
        let id = tokio::time::timeout(KEPT_WITHIN, kept).await;
        let Ok(Ok(Some(id))) = id else {
            let records = u64::from(receipt.committed) + u64::from(receipt.duplicates);
            lock(&handle.shared).status.skipped += records + receipt.dead_letters.len() as u64;
            return;
        };
        let database = receipt.database.clone();
        let job: Job = Box::new(move |thread| {
            // Without it the batch is still there, only not known to be confirmed.
            thread.work(|store| store.confirm(id, database.as_ref(), clock::now())).ok();
        });
        drop(handle.jobs.try_send(job));
    }

    /// It was not sent as it is.
    pub async fn withdrawn(self) {
        let (Some(handle), Some(kept)) = (self.handle, self.kept) else { return };
        if let Ok(Ok(Some(id))) = tokio::time::timeout(KEPT_WITHIN, kept).await {
            let job: Job = Box::new(move |thread| {
                thread.work(|store| store.withdraw(id)).ok();
            });
            drop(handle.jobs.try_send(job));
        }
    }
}

struct Thread {
    dir: PathBuf,
    config: ArchiveConfig,
    disk_free_min: u64,
    store: Option<Store>,
    shared: Arc<Mutex<Shared>>,
    receipts: Arc<AtomicI64>,
}

impl Thread {
    fn open(&mut self, now: DateTime<Utc>) {
        let opened = match Store::open(&self.dir, self.config.clone()) {
            Err(error) if sqlite::is_caused_by_damage(&error) => sqlite::move_aside(&self.dir, store::NAME, now)
                .and_then(|aside| {
                    error!("The archive was damaged. Moved it to {}", aside.display());
                    lock(&self.shared).moved = Some(moved_words(&aside));
                    Store::open(&self.dir, self.config.clone())
                }),
            opened => opened,
        };
        match opened.and_then(|store| Ok((store.heard()?, store))) {
            Ok((heard, store)) => {
                self.receipts.store(store.receipts(), Ordering::Release);
                let mut shared = lock(&self.shared);
                // A file begun anew knows less than this run does.
                if heard.is_some() {
                    shared.watch = Watch::new(heard);
                }
                shared.failing = None;
                self.store = Some(store);
            }
            Err(error) => self.say(format!("{error:#}")),
        }
    }

    fn keep(&mut self, entry: &Entry) -> Option<i64> {
        if self.is_low() {
            self.say(LOW.to_owned());
            return None;
        }
        let now = clock::now();
        let kept = self.work(|store| {
            let id = store.keep(entry, now)?;
            store.trim(now)?;
            Ok(id)
        });
        if kept.is_ok() && lock(&self.shared).failing.take().is_some() {
            warn!("What headquarters confirms is kept again");
        }
        kept.ok()
    }

    fn work<T>(&mut self, work: impl FnOnce(&mut Store) -> rusqlite::Result<T>) -> Result<T, ArchiveError> {
        let store = self.store.as_mut().ok_or(ArchiveError)?;
        let result = work(store);
        self.receipts.store(store.receipts(), Ordering::Release);
        result.map_err(|error| {
            self.failed(&error);
            ArchiveError
        })
    }

    /// Decides what an error means for what comes after.
    fn failed(&mut self, error: &rusqlite::Error) {
        if sqlite::is_full(error) {
            self.say("the disk is full".to_owned());
        } else if sqlite::is_damage(error) {
            self.store = None;
            match sqlite::move_aside(&self.dir, store::NAME, clock::now()) {
                Ok(aside) => {
                    error!("The archive is damaged ({error}). Moved it to {}", aside.display());
                    lock(&self.shared).moved = Some(moved_words(&aside));
                    self.open(clock::now());
                }
                Err(error) => self.say(format!("{error:#}")),
            }
        } else if is_passing(error) {
            warn!("The archive did not do something: {error}");
        } else {
            self.store = None;
            self.say(format!("{error}; it is tried again at the next start of smartpick-edge"));
        }
    }

    /// The archive leaves twice of what the spill leaves, so it stops first.
    fn is_low(&self) -> bool {
        self.disk_free() < self.disk_free_min.saturating_mul(2)
    }

    fn disk_free(&self) -> u64 {
        // A disk that cannot be asked is found out by writing.
        fs4::available_space(&self.dir).unwrap_or(u64::MAX)
    }

    fn look_after(&mut self) {
        let now = clock::now();
        let began = Instant::now();
        while self.store.as_ref().is_some_and(|store| !store.is_empty())
            && self.is_low()
            && began.elapsed() < GIVE_WAY_WITHIN
        {
            if self.disk_free() < self.disk_free_min {
                // The spill is about to refuse cameras; this is the fastest way to make room.
                warn!("The disk is full; gave up the archive to make room for the buffer");
                self.store = None;
                remove(&self.dir);
                self.open(now);
            } else if self.work(Store::give_way).is_err() {
                break;
            }
            self.say(LOW.to_owned());
        }
        let looked = self.work(|store| {
            while store.trim(now)? && began.elapsed() < GIVE_WAY_WITHIN {}
            store.forget_epochs(now)?;
            Ok((store.figures()?, store.latest_replay()?))
        });
        let mut shared = lock(&self.shared);
        match looked {
            Ok((figures, replay)) => (shared.status.figures, shared.status.replay) = (figures, replay),
            Err(_) => shared.status.figures = Figures::default(),
        }
    }

    fn say(&self, why: String) {
        let mut shared = lock(&self.shared);
        if shared.failing.is_none() {
            error!("What headquarters confirms is not kept: {why}");
        }
        shared.failing = Some(why);
    }
}

fn moved_words(aside: &Path) -> String {
    format!(
        "the archive of what headquarters confirmed was damaged and begun anew; what was in it is in {}",
        aside.display()
    )
}

/// Somebody else writes, or it was our question that was wrong: nothing the file is to blame for.
fn is_passing(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    error.sqlite_error_code().is_none_or(|code| matches!(code, DatabaseBusy | DatabaseLocked))
}

/// Removes the files.
fn remove(dir: &Path) {
    let path = path(dir);
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", path.display());
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            warn!("Failed to remove {path}: {error}");
        }
    }
}

/// Plain figures and words; a panic elsewhere leaves them usable.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
