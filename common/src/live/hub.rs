//! The hub: the present, the number of its last change, and the last changes themselves.
//!
//! There is one list of changes for all. Each change is serialised once, and every client reads along with a [`Cursor`]
//! of its own; so the list is at the same time every client's bounded queue and what a client that comes back resumes
//! from. When it is full the oldest change goes. A client that had not had it by then has missed it; the counts per
//! topic tell how many of its own topics those were, exactly. Publishing touches no client and waits for none.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::topics::{Counts, Topic, Topics};

/// Changes held. At a busy floor's five a second a screen may be away for a quarter of an hour and still resume; one
/// that is further behind is better served by a snapshot.
pub const CHANGES_MAX: usize = 4_096;
/// Their text in bytes: the count alone would let long lists of cameras take tens of MiB.
const CHANGES_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Changes handed to a client at once, so that one that is far behind does not hold the lock for long.
const TAKE_MAX: usize = 64;
/// Clients get this long to hear that we stop; they come back by themselves.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// All that a screen which has just come needs to know. Bounded.
pub trait Present: Send + 'static {
    type Topic: Topic;

    /// Adds the members of a snapshot message, as far as asked for, each after a comma.
    fn write(&mut self, topics: Topics<Self::Topic>, now: DateTime<Utc>, out: &mut String);
}

/// How a binary speaks of itself to its screens.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The goodbye when it stops.
    pub goodbye: &'static str,
    /// To one that comes while it stops.
    pub stopping: &'static str,
    /// What to try instead of a plain HTTP request.
    pub try_instead: &'static str,
}

/// The present, and those who watch it.
pub struct Hub<P: Present> {
    /// Names this process's numbering: a seq of another run means nothing here.
    run: Uuid,
    words: Words,
    inner: Mutex<Inner<P>>,
    /// The last seq; wakes those who wait for more.
    news: watch::Sender<u64>,
    clients_max: usize,
    places: Arc<Semaphore>,
    closing: CancellationToken,
}

struct Inner<P: Present> {
    present: P,
    /// Of the last change; the first is 1.
    seq: u64,
    published: Counts,
    /// The last changes, without a gap; the last of them is `seq`.
    changes: VecDeque<Change<P::Topic>>,
    changes_bytes: usize,
    /// Changes that are no longer in the list.
    dropped: Counts,
}

struct Change<T> {
    topic: T,
    text: Bytes,
}

/// What a publisher holds while it publishes: the present, and the list of its changes. Nobody else changes either
/// meanwhile, so it should not take long.
pub struct Changes<'a, P: Present> {
    inner: &'a mut Inner<P>,
}

impl<P: Present> Changes<'_, P> {
    pub fn present(&mut self) -> &mut P {
        &mut self.inner.present
    }

    /// Numbers a change and tells it to all who want its topic, as member `name`. `body` is JSON.
    pub fn push(&mut self, topic: P::Topic, name: &str, body: &str) {
        self.inner.push(topic, name, body);
    }
}

/// How far one client has got.
#[derive(Debug, Clone)]
pub struct Cursor<T> {
    topics: Topics<T>,
    /// Everything of its topics up to here was handed to it.
    seq: u64,
    /// Changes per topic up to there.
    seen: Counts,
}

impl<T: Topic> Cursor<T> {
    pub const fn seq(&self) -> u64 {
        self.seq
    }
}

impl<P: Present> Hub<P> {
    /// A hub for so many clients.
    pub fn new(present: P, clients_max: usize, words: Words) -> Self {
        let (seq, published, dropped) = (0, Counts::default(), Counts::default());
        let (changes, changes_bytes) = (VecDeque::new(), 0);
        Self {
            run: Uuid::new_v4(),
            words,
            inner: Mutex::new(Inner { present, seq, published, changes, changes_bytes, dropped }),
            news: watch::Sender::new(0),
            clients_max,
            places: Arc::new(Semaphore::new(clients_max.min(Semaphore::MAX_PERMITS))),
            closing: CancellationToken::new(),
        }
    }

    /// Changes the present and tells of it.
    pub fn publish(&self, change: impl FnOnce(&mut Changes<'_, P>)) {
        let seq = {
            let mut inner = self.inner();
            change(&mut Changes { inner: &mut inner });
            inner.seq
        };
        // Two publishers may get here in either order.
        self.news.send_if_modified(|last| {
            let newer = *last < seq;
            *last = seq.max(*last);
            newer
        });
    }

    /// Names this process's numbering.
    pub const fn run_id(&self) -> Uuid {
        self.run
    }

    pub const fn words(&self) -> &Words {
        &self.words
    }

    /// The last seq, and a wake-up for each later one.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// A place among the clients, or `None` if all are taken.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    pub const fn clients_max(&self) -> usize {
        self.clients_max
    }

    pub const fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// A client is here. `out` gets its first messages: what followed `after` in this `run`, if that is still held, else
    /// a snapshot. What is published later is in neither, and what the cursor brings next.
    pub fn join(
        &self,
        topics: Topics<P::Topic>,
        resume: Option<(Uuid, u64)>,
        now: DateTime<Utc>,
        out: &mut Vec<Bytes>,
    ) -> Cursor<P::Topic> {
        let mut inner = self.inner();
        let from =
            resume.and_then(|(run, after)| (run == self.run).then_some(after)).filter(|after| inner.holds(*after));
        if let Some(after) = from {
            out.push(format!(r#"{{"type":"resumed","run":"{}","seq":{after}}}"#, self.run).into());
            let seen = inner.counts_at(after);
            return Cursor { topics, seq: after, seen };
        }
        out.push(inner.snapshot(self.run, topics, now));
        Cursor { topics, seq: inner.seq, seen: inner.published }
    }

    /// Hands the client what comes next: some changes, or, if it was too slow, how many it missed and a snapshot. Adds
    /// nothing to `out` once the client has everything.
    pub fn next(&self, cursor: &mut Cursor<P::Topic>, now: DateTime<Utc>, out: &mut Vec<Bytes>) {
        let mut inner = self.inner();
        if cursor.topics.total(&inner.dropped) > cursor.topics.total(&cursor.seen) {
            let missed = cursor.topics.total(&inner.published) - cursor.topics.total(&cursor.seen);
            out.push(format!(r#"{{"type":"missed","count":{missed}}}"#).into());
            out.push(inner.snapshot(self.run, cursor.topics, now));
            (cursor.seq, cursor.seen) = (inner.seq, inner.published);
            return;
        }
        // What went out of the list since, was of other topics.
        let first = inner.first_seq();
        if cursor.seq + 1 < first {
            (cursor.seq, cursor.seen) = (first - 1, inner.dropped);
        }
        let known = usize::try_from(cursor.seq + 1 - first).expect("not beyond the list's length");
        let mut taken = 0;
        for change in inner.changes.iter().skip(known) {
            if taken == TAKE_MAX {
                break;
            }
            cursor.seq += 1;
            cursor.seen[change.topic.index()] += 1;
            if cursor.topics.has(change.topic) {
                out.push(change.text.clone());
                taken += 1;
            }
        }
    }

    /// What a client that has everything up to its cursor is told now and then.
    pub fn beat(cursor: &Cursor<P::Topic>, now: DateTime<Utc>) -> Bytes {
        format!(r#"{{"type":"beat","seq":{},"server_time":"{}"}}"#, cursor.seq, timestamp(now)).into()
    }

    /// Waits for the stop, then has all clients closed, so that they come back to whoever follows.
    ///
    /// # Errors
    /// None; the type fits a lifecycle stage.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        stop.cancelled().await;
        self.closing.cancel();
        let all = u32::try_from(self.clients_max).unwrap_or(u32::MAX);
        // Those who do not hear it in time notice when the process ends.
        drop(tokio::time::timeout(CLOSE_WITHIN, self.places.acquire_many(all)).await);
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner<P>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Present> Inner<P> {
    /// Numbers a change and keeps it. `body` is JSON.
    fn push(&mut self, topic: P::Topic, name: &str, body: &str) {
        self.seq += 1;
        self.published[topic.index()] += 1;
        let (seq, topic_name) = (self.seq, topic.as_str());
        let text: Bytes = format!(r#"{{"type":"change","seq":{seq},"topic":"{topic_name}","{name}":{body}}}"#).into();
        self.changes_bytes += text.len();
        self.changes.push_back(Change { topic, text });
        while self.changes.len() > CHANGES_MAX || self.changes_bytes > CHANGES_BYTES_MAX {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.changes_bytes -= oldest.text.len();
            self.dropped[oldest.topic.index()] += 1;
        }
    }

    /// Of the oldest change in the list; the next one's if it is empty.
    fn first_seq(&self) -> u64 {
        self.seq + 1 - self.changes.len() as u64
    }

    /// Whether everything that followed `after` is still there.
    fn holds(&self, after: u64) -> bool {
        after <= self.seq && after + 1 >= self.first_seq()
    }

    /// Changes per topic up to `seq`, which must be held.
    fn counts_at(&self, seq: u64) -> Counts {
        let mut counts = self.published;
        let later = usize::try_from(self.seq - seq).expect("at most the list's length");
        for change in self.changes.iter().rev().take(later) {
            counts[change.topic.index()] -= 1;
        }
        counts
    }

    fn snapshot(&mut self, run: Uuid, topics: Topics<P::Topic>, now: DateTime<Utc>) -> Bytes {
        let mut text = String::new();
        let (seq, version) = (self.seq, env!("CARGO_PKG_VERSION"));
        let infallible = write!(
            text,
            r#"{{"type":"snapshot","run":"{run}","seq":{seq},"server_time":"{}","version":"{version}""#,
            timestamp(now)
        );
        infallible.expect("a String takes everything");
        self.present.write(topics, now, &mut text);
        text.push('}');
        text.into()
    }
}

/// What a change or a present is written with. `None` is a bug in a type of ours, and worth a log line, no more.
pub fn to_json<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).inspect_err(|error| warn!("Failed to write a change for the screens: {error}")).ok()
}

fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
pub(super) mod tests;
