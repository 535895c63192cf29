//! What the floor remembers: alerts with their curve and posture, what people said of them, what still has to go to
//! headquarters, and each camera's figures minute by minute. One SQLite file on a thread of its own.
//!
//! It is not the buffer. Losing it loses no event, so no trouble of it may stop the intake:
//! - a damaged file is moved aside, at the start or later, and a new one is begun;
//! - a full disk makes writes fail, and those who wrote keep what they had and try again;
//! - after any other error the file is left alone until the next start (a failed fsync is never tried again in place).
//!
//! In each of these cases [`History::trouble`] says so in words, for health.

mod file;
mod schema;
mod store;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::config::HistoryConfig;
use crate::sqlite;
pub use file::{peek, zones_seen};
pub use store::{
    Batch, Filter, Found, Kept, KnownCamera, Minute, OutboxRow, Page, Said, SilenceCount, Silences, Store,
};

/// Jobs that may wait for the thread. Beyond it whoever asks waits, for [`QUEUE_WAIT`] at most.
const QUEUE: usize = 64;
const QUEUE_WAIT: Duration = Duration::from_secs(2);

/// Why the history did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("the history cannot be used: {0}")]
    Unusable(String),
    #[error("the history cannot keep up; try again in a moment")]
    Busy,
}

type Job = Box<dyn FnOnce(&mut Thread) + Send>;

/// How the history is, in words.
#[derive(Debug, Default)]
struct Words {
    /// It is not kept now, and why.
    failing: Option<String>,
    /// What was done about damage in this run.
    moved: Option<String>,
}

/// A handle to the history's thread.
#[derive(Clone)]
pub struct History {
    jobs: mpsc::Sender<Job>,
    words: Arc<Mutex<Words>>,
}

impl History {
    /// Opens `history.db` in `dir` and starts the thread, which ends with the last handle. What is wrong with the file is
    /// said by [`History::trouble`].
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(dir: &Path, config: HistoryConfig, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let words = Arc::new(Mutex::new(Words::default()));
        let mut thread = Thread { dir: dir.to_owned(), config, store: None, words: Arc::clone(&words), generation: 0 };
        thread.open(now);
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut thread);
            }
        })?;
        Ok(Self { jobs, words })
    }

    /// Does something with the store on its thread.
    ///
    /// # Errors
    /// If the store is not usable, or became so.
    pub async fn ask<T: Send + 'static>(
        &self,
        now: DateTime<Utc>,
        work: impl FnOnce(&mut Store) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |thread| {
            // Who has gone away does not need the answer.
            drop(reply.send(thread.work(now, work)));
        });
        self.jobs.send_timeout(job, QUEUE_WAIT).await.map_err(|_| HistoryError::Busy)?;
        answer.await.unwrap_or(Err(HistoryError::Busy))
    }

    /// Writes a batch in one transaction; returns once it is on disk.
    ///
    /// # Errors
    /// If nothing of it was written.
    pub async fn write(&self, batch: Arc<Batch>, now: DateTime<Utc>) -> Result<Written, HistoryError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |thread| drop(reply.send(thread.write(&batch, now))));
        self.jobs.send_timeout(job, QUEUE_WAIT).await.map_err(|_| HistoryError::Busy)?;
        answer.await.unwrap_or(Err(HistoryError::Busy))
    }

    /// Closes the file; from then on nothing can be asked.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |thread| {
            thread.store = None;
            reply.send(()).ok();
        });
        if self.jobs.send(job).await.is_ok() {
            drop(answer.await);
        }
    }

    /// What is wrong with the history, in words; `None` if all is kept.
    pub fn trouble(&self) -> Option<String> {
        let words = lock(&self.words);
        let failing = words.failing.as_ref().map(|why| format!("the history of alerts is not kept: {why}"));
        match (failing, &words.moved) {
            (Some(failing), Some(moved)) => Some(format!("{failing}; {moved}")),
            (failing, moved) => failing.or_else(|| moved.clone()),
        }
    }
}

/// What a write did.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// In the order of the batch's facts.
    pub said: Vec<Said>,
    pub silences: Arc<Silences>,
    /// Another number than before: the file was begun anew, so what was written before is gone.
    pub generation: u64,
}

struct Thread {
    dir: PathBuf,
    config: HistoryConfig,
    store: Option<Store>,
    words: Arc<Mutex<Words>>,
    generation: u64,
}

impl Thread {
    fn open(&mut self, now: DateTime<Utc>) {
        let opened = self.open_store(now);
        let mut words = lock(&self.words);
        match opened {
            Ok((store, moved)) => {
                self.store = Some(store);
                words.moved = moved.or_else(|| words.moved.take());
                words.failing = None;
            }
            Err(error) => {
                error!("The history of alerts cannot be used: {error:#}");
                words.failing = Some(format!("{error:#}"));
            }
        }
    }

    /// A file that opens may still be damaged where the store first reads; it is moved aside like any other.
    fn open_store(&self, now: DateTime<Utc>) -> anyhow::Result<(Store, Option<String>)> {
        let (connection, moved) = file::open(&self.dir, now)?;
        match Store::new(connection, self.config.clone()) {
            Err(error) if sqlite::is_damage(&error) => {
                warn!("The history is damaged: {error}");
                let aside = sqlite::move_aside(&self.dir, file::NAME, now)?;
                let (connection, _) = file::open(&self.dir, now)?;
                Ok((Store::new(connection, self.config.clone())?, Some(file::moved_words(&aside))))
            }
            store => Ok((store?, moved)),
        }
    }

    fn work<T>(
        &mut self,
        now: DateTime<Utc>,
        work: impl FnOnce(&mut Store) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let Some(store) = &mut self.store else { return Err(self.unusable()) };
        work(store).map_err(|error| self.failed(&error, now))
    }

    fn write(&mut self, batch: &Batch, now: DateTime<Utc>) -> Result<Written, HistoryError> {
        if let Some(why) = file::no_room(&self.dir) {
            self.say(why);
            return Err(self.unusable());
        }
        let (said, silences) = self.work(now, |store| Ok((store.write(batch)?, store.silences())))?;
        let mut words = lock(&self.words);
        if words.failing.take().is_some() {
            warn!("The history of alerts is kept again");
        }
        Ok(Written { said, silences, generation: self.generation })
    }

    /// Decides what an error means for what comes after.
    fn failed(&mut self, error: &rusqlite::Error, now: DateTime<Utc>) -> HistoryError {
        if sqlite::is_full(error) {
            self.say("the disk is full".to_owned());
        } else if sqlite::is_damage(error) {
            warn!("The history is damaged: {error}");
            self.store = None;
            self.generation += 1;
            match sqlite::move_aside(&self.dir, file::NAME, now) {
                Ok(aside) => {
                    lock(&self.words).moved = Some(file::moved_words(&aside));
                    self.open(now);
                    return HistoryError::Unusable(format!("it was damaged, and is begun anew ({error})"));
                }
                Err(error) => self.say(format!("{error:#}")),
            }
        } else if error.sqlite_error().is_none() {
            // Not the file's fault.
            error!("Failed to ask the history: {error}");
            return HistoryError::Unusable(error.to_string());
        } else {
            self.store = None;
            self.say(format!("{error}; it is tried again at the next start of smartpick-edge"));
        }
        self.unusable()
    }

    fn say(&self, why: String) {
        let mut words = lock(&self.words);
        if words.failing.is_none() {
            error!("The history of alerts is not kept: {why}");
        }
        words.failing = Some(why);
    }

    fn unusable(&self) -> HistoryError {
        HistoryError::Unusable(lock(&self.words).failing.clone().unwrap_or_else(|| "it is closed".to_owned()))
    }
}

/// Plain words; a panic elsewhere leaves them usable.
fn lock(words: &Mutex<Words>) -> std::sync::MutexGuard<'_, Words> {
    words.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
