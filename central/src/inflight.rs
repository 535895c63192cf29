//! Batches on their way from receive to Postgres, and who waits for each. A re-send of a batch that is still on its way
//! waits for the first copy instead of doubling the load.
//!
//! Also the judgement whether one more would be finished in time. If not, the edge is told at once: backpressure
//! travels to where the disk is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::ids::{BatchId, EdgeId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::stream::{Outcome, Report};

/// So few are always taken: they are how we learn that a store which stood still moves again.
const ALWAYS_TAKEN: u64 = 8;
/// If the oldest has waited less than this, the queue moves, whatever the rate says after an idle time.
const MOVES: Duration = Duration::from_secs(1);
/// The rate is measured over this time.
const RATE_WINDOW: Duration = Duration::from_secs(10);
/// Batches that nobody waits for any more are forgotten after this; their edges come again within a minute.
const FORGET_AFTER: Duration = Duration::from_secs(120);

type Key = (EdgeId, BatchId);
/// Where a waiting request gets its outcome.
pub type Waiter = watch::Receiver<Option<Outcome>>;

struct Entry {
    since: Instant,
    bytes: u64,
    outcome: watch::Sender<Option<Outcome>>,
    /// Partition and id in the stream, once it is there.
    place: Option<(u16, String)>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    bytes: u64,
    /// When frames were finished, within the window.
    finished: VecDeque<Instant>,
}

impl State {
    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.bytes -= entry.bytes;
        Some(entry)
    }
}

/// All batches in flight in this instance.
pub struct Inflight {
    state: Mutex<State>,
    timeout: Duration,
    bytes_max: u64,
}

/// What to do with a batch that came in.
pub enum Joined<'a> {
    /// It is new: append it to the stream.
    First(Appending<'a>),
    /// A copy is on its way.
    Waiting(Waiter),
    /// A copy was sent so long ago that it may have got lost; ask the stream about it.
    Stale(Waiter, u16, String),
    /// It would not be finished in time.
    Refused,
}

/// A batch that is being appended. Dropped without [`Appending::sent`], it and all that joined it are lost.
pub struct Appending<'a> {
    inflight: &'a Inflight,
    key: Key,
    waiter: Waiter,
    sent: bool,
}

impl Appending<'_> {
    /// It is in the stream.
    pub fn sent(mut self, partition: u16, id: String) -> Waiter {
        self.sent = true;
        // It may be finished and gone already.
        if let Some(entry) = self.inflight.state().entries.get_mut(&self.key) {
            entry.place = Some((partition, id));
        }
        self.waiter.clone()
    }
}

impl Drop for Appending<'_> {
    fn drop(&mut self) {
        if !self.sent {
            self.inflight.finish(&self.key, Outcome::Lost);
        }
    }
}

impl Inflight {
    pub fn new(timeout: Duration, bytes_max: u64) -> Self {
        Self { state: Mutex::default(), timeout, bytes_max }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a batch of `bytes`, if what waits in the whole stream allows.
    pub fn join(&self, key: Key, bytes: u64, stream: Load, now: Instant) -> Joined<'_> {
        let mut state = self.state();
        if let Some(entry) = state.entries.get(&key) {
            let waiter = entry.outcome.subscribe();
            return match &entry.place {
                Some((partition, id)) if now - entry.since >= self.timeout => {
                    Joined::Stale(waiter, *partition, id.clone())
                }
                _ => Joined::Waiting(waiter),
            };
        }
        let own_oldest = state.entries.values().map(|e| now - e.since).max().unwrap_or_default();
        let load = Load {
            waiting: stream.waiting.max(state.entries.len() as u64),
            oldest: stream.oldest.max(own_oldest),
            rate: stream.rate.max(rate(&mut state.finished, now)),
        };
        if state.bytes + bytes > self.bytes_max || !in_time(load, self.timeout) {
            return Joined::Refused;
        }
        let (outcome, waiter) = watch::channel(None);
        state.entries.insert(key, Entry { since: now, bytes, outcome, place: None });
        state.bytes += bytes;
        Joined::First(Appending { inflight: self, key, waiter, sent: false })
    }

    /// Forgets a batch whose copy is not in the stream any more, so that it can be sent again.
    pub fn forget(&self, key: &Key) {
        self.finish(key, Outcome::Lost);
    }

    fn finish(&self, key: &Key, outcome: Outcome) {
        let entry = self.state().remove(key);
        if let Some(entry) = entry {
            entry.outcome.send_replace(Some(outcome));
        }
    }

    /// A worker, here or elsewhere, has finished a frame.
    pub fn report(&self, report: Report, now: Instant) {
        let mut state = self.state();
        state.finished.push_back(now);
        // Keeps the window short while nothing is received.
        rate(&mut state.finished, now);
        drop(state);
        self.finish(&(report.edge_id, report.batch_id), report.outcome);
    }

    /// The streams were wiped: nothing that is in flight will arrive.
    pub fn lose_all(&self) -> usize {
        let keys: Vec<Key> = self.state().entries.keys().copied().collect();
        for key in &keys {
            self.finish(key, Outcome::Lost);
        }
        keys.len()
    }

    /// Forgets what nobody waits for any more. Answers how many batches and bytes are in flight.
    pub fn sweep(&self, now: Instant) -> (usize, u64) {
        let mut state = self.state();
        let old = |e: &Entry| now - e.since >= FORGET_AFTER && e.outcome.receiver_count() == 0;
        let gone: Vec<Key> = state.entries.iter().filter(|(_, e)| old(e)).map(|(key, _)| *key).collect();
        for key in gone {
            state.remove(&key);
        }
        (state.entries.len(), state.bytes)
    }
}

/// What is known of a queue of frames.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load {
    pub waiting: u64,
    /// How long the oldest has waited.
    pub oldest: Duration,
    /// Frames finished per second.
    pub rate: f64,
}

/// Whether one more frame will be finished within `timeout`.
fn in_time(load: Load, timeout: Duration) -> bool {
    if load.waiting < ALWAYS_TAKEN || load.oldest < MOVES {
        return true;
    }
    load.waiting as f64 <= load.rate * timeout.as_secs_f64()
}

fn rate(finished: &mut VecDeque<Instant>, now: Instant) -> f64 {
    while finished.front().is_some_and(|at| now - *at > RATE_WINDOW) {
        finished.pop_front();
    }
    let Some(first) = finished.front() else { return 0.0 };
    // The window may be only partly filled; a second at least, so that one frame is not a thousand a second.
    finished.len() as f64 / (now - *first).as_secs_f64().max(1.0)
}

#[cfg(test)]
mod tests {
    use common::protocol::Receipt;
    use uuid::Uuid;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn key(n: u128) -> Key {
        (EdgeId::from_uuid(Uuid::from_u128(1)), BatchId::from_uuid(Uuid::from_u128(n)))
    }

    fn committed(n: u128) -> Report {
        let (edge_id, batch_id) = key(n);
        let receipt = Receipt { batch_id, committed: 1, duplicates: 0, dead_letters: Vec::new(), database: None };
        Report { edge_id, batch_id, outcome: Outcome::Committed(receipt) }
    }

    fn join(inflight: &Inflight, n: u128, now: Instant) -> Joined<'_> {
        inflight.join(key(n), 10, Load::default(), now)
    }

    fn first(inflight: &Inflight, n: u128, now: Instant) -> Appending<'_> {
        match join(inflight, n, now) {
            Joined::First(appending) => appending,
            _ => panic!("batch {n} is not the first"),
        }
    }

    #[test]
    fn a_full_queue_is_refused_unless_it_moves_fast_enough() {
        let load = |waiting, oldest, rate| Load { waiting, oldest: Duration::from_secs(oldest), rate };
        assert!(in_time(load(7, 1_000, 0.0), TIMEOUT), "a few are always taken");
        assert!(in_time(load(500, 0, 0.0), TIMEOUT), "a burst after an idle time");
        assert!(!in_time(load(8, 2, 0.0), TIMEOUT), "nothing moves");
        assert!(in_time(load(100, 5, 10.0), TIMEOUT));
        assert!(!in_time(load(101, 5, 10.0), TIMEOUT));
    }

    #[tokio::test]
    async fn a_resend_waits_for_the_first_copy_and_both_get_its_receipt() {
        let (inflight, now) = (Inflight::new(TIMEOUT, 1_000), Instant::now());
        let mut a = first(&inflight, 1, now).sent(0, "1-0".to_owned());
        let Joined::Waiting(mut b) = join(&inflight, 1, now) else { panic!("not joined") };
        inflight.report(committed(1), now);
        for waiter in [&mut a, &mut b] {
            let outcome = waiter.wait_for(Option::is_some).await.expect("told").clone();
            assert_eq!(outcome, Some(committed(1).outcome));
        }
        assert_eq!(inflight.sweep(now), (0, 0));
    }

    #[test]
    fn a_copy_that_is_late_is_to_be_looked_for() {
        let (inflight, now) = (Inflight::new(TIMEOUT, 1_000), Instant::now());
        drop(first(&inflight, 1, now).sent(3, "1-0".to_owned()));
        let Joined::Stale(_, 3, id) = join(&inflight, 1, now + TIMEOUT) else { panic!("not stale") };
        assert_eq!(id, "1-0");
        inflight.forget(&key(1));
        drop(first(&inflight, 1, now));
    }

    #[tokio::test]
    async fn an_append_that_fails_or_is_abandoned_frees_its_place() {
        let (inflight, now) = (Inflight::new(TIMEOUT, 1_000), Instant::now());
        let appending = first(&inflight, 1, now);
        let Joined::Waiting(mut joined) = join(&inflight, 1, now) else { panic!("not joined") };
        drop(appending);
        assert_eq!(joined.wait_for(Option::is_some).await.expect("told").clone(), Some(Outcome::Lost));
        drop(first(&inflight, 1, now));
        assert_eq!(inflight.sweep(now), (0, 0));
    }

    #[test]
    fn a_receipt_that_comes_before_the_append_is_noted_is_not_lost() {
        let (inflight, now) = (Inflight::new(TIMEOUT, 1_000), Instant::now());
        let appending = first(&inflight, 1, now);
        inflight.report(committed(1), now);
        let waiter = appending.sent(0, "1-0".to_owned());
        assert_eq!(waiter.borrow().clone(), Some(committed(1).outcome));
    }

    #[test]
    fn bytes_in_flight_are_bounded() {
        let (inflight, now) = (Inflight::new(TIMEOUT, 15), Instant::now());
        let waiter = first(&inflight, 1, now).sent(0, "1-0".to_owned());
        assert!(matches!(join(&inflight, 2, now), Joined::Refused));
        inflight.report(committed(1), now);
        drop((first(&inflight, 2, now), waiter));
    }

    #[test]
    fn what_nobody_waits_for_is_forgotten_in_the_end() {
        let (inflight, now) = (Inflight::new(TIMEOUT, 1_000), Instant::now());
        drop(first(&inflight, 1, now).sent(0, "1-0".to_owned()));
        let kept = first(&inflight, 2, now).sent(0, "2-0".to_owned());
        assert_eq!(inflight.sweep(now + FORGET_AFTER), (1, 10));
        drop(kept);
    }
}
