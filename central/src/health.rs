//! How central itself is doing: a background sampler looks at Redis, Postgres and the workers and publishes what it
//! saw; health and stats only read that. Healthy is proved by fresh progress or by there being nothing to do, never by
//! a connection that is open.

mod judge;
pub(crate) mod pages;
mod sampler;
mod sentence;

pub use judge::{Facts, fresh, judge};
pub use pages::{ready, streams_health, streams_stats};
pub use sampler::{Sampler, Samples};
pub use sentence::sentence;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::clock;
use tokio::sync::watch;

use crate::inflight::Load;

/// Failures are judged over this time.
const ATTEMPTS_WINDOW: Duration = Duration::from_secs(60);

/// What the persist workers of this process have done, told by themselves.
#[derive(Default)]
pub struct Progress(Mutex<Done>);

#[derive(Default)]
struct Done {
    last_commit: Option<DateTime<Utc>>,
    /// When, and whether it worked.
    attempts: VecDeque<(DateTime<Utc>, bool)>,
    /// When each worker last came back from the stream.
    workers: BTreeMap<String, DateTime<Utc>>,
    /// What all workers together have spent on frames, ever.
    busy: Duration,
}

/// A view of [`Progress`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub last_commit: Option<DateTime<Utc>>,
    pub attempts: usize,
    pub failures: usize,
    pub workers: BTreeMap<String, DateTime<Utc>>,
}

impl Progress {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn committed(&self) {
        let now = clock::now();
        let mut done = self.done();
        done.last_commit = Some(now);
        done.attempt(now, true);
    }

    /// A worker was busy with frames for so long.
    pub fn worked(&self, time: Duration) {
        self.done().busy += time;
    }

    /// What all workers together have spent on frames, ever.
    pub fn busy(&self) -> Duration {
        self.done().busy
    }

    pub fn failed(&self) {
        self.done().attempt(clock::now(), false);
    }

    pub fn worker_started(&self, name: &str) {
        self.done().workers.insert(name.to_owned(), clock::now());
    }

    pub fn worker_turned(&self, name: &str) {
        if let Some(turned) = self.done().workers.get_mut(name) {
            *turned = clock::now();
        }
    }

    pub fn worker_ended(&self, name: &str) {
        self.done().workers.remove(name);
    }

    pub fn seen(&self) -> Seen {
        let now = clock::now();
        let mut done = self.done();
        done.forget_old(now);
        Seen {
            last_commit: done.last_commit,
            attempts: done.attempts.len(),
            failures: done.attempts.iter().filter(|(_, worked)| !worked).count(),
            workers: done.workers.clone(),
        }
    }
}

impl Done {
    fn attempt(&mut self, now: DateTime<Utc>, worked: bool) {
        self.forget_old(now);
        self.attempts.push_back((now, worked));
    }

    fn forget_old(&mut self, now: DateTime<Utc>) {
        let old = |at: DateTime<Utc>| (now - at).to_std().is_ok_and(|age| age > ATTEMPTS_WINDOW);
        while self.attempts.front().is_some_and(|(at, _)| old(*at)) {
            self.attempts.pop_front();
        }
    }
}

/// Where handlers and the crew read what was last seen.
#[derive(Clone)]
pub struct Observed {
    samples: watch::Receiver<Samples>,
    progress: Arc<Progress>,
}

impl Observed {
    pub const fn new(samples: watch::Receiver<Samples>, progress: Arc<Progress>) -> Self {
        Self { samples, progress }
    }

    /// All frames that are not acknowledged, of all instances together.
    pub fn load(&self) -> Load {
        self.samples.borrow().load
    }

    /// The frames that a new one would have to wait for.
    pub fn queue(&self) -> Load {
        self.samples.borrow().queue
    }

    pub fn samples(&self) -> Samples {
        self.samples.borrow().clone()
    }

    pub fn progress(&self) -> Seen {
        self.progress.seen()
    }
}
