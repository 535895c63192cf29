//! Carries alerts and facts from the history to the buffer, which brings them to headquarters like events; and has the
//! history tidied now and then.
//!
//! What goes out was committed with the change it tells of, and is deleted only once the buffer has it on disk. Dying in
//! between means handing it in again: the buffer knows its key, and if that is long forgotten, headquarters does.

use std::sync::Arc;
use std::time::Duration;

use common::clock;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use xxhash_rust::xxh3::xxh3_64;

use super::history::{History, OutboxRow};
use crate::buffer::{Buffer, Candidate};

/// Rows carried at once.
const ROWS: usize = 200;
/// How often it is looked at though nobody has told of anything new; also the pause after a failure.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const TIDY_INTERVAL: Duration = Duration::from_secs(60);
/// First byte of our keys in the buffer; 0 and 1 are the intake's.
const KEY_KIND: u8 = 2;

/// See the module.
pub struct Outbox {
    pub history: History,
    pub buffer: Buffer,
    /// Told when there may be something new.
    pub filled: Arc<Notify>,
}

impl Outbox {
    /// Runs until `stop`, and carries what waits then.
    ///
    /// # Errors
    /// None; the type fits a lifecycle stage.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tidied: Option<Instant> = None;
        loop {
            tokio::select! {
                // Something new.
                () = self.filled.notified() => {}
                // Perhaps something that could not be carried before.
                _ = looks.tick() => {}
                // What the floor left last.
                () = stop.cancelled() => {
                    self.carry_all().await;
                    return Ok(());
                }
            }
            self.carry_all().await;
            if tidied.is_none_or(|at| at.elapsed() >= TIDY_INTERVAL) {
                tidied = Some(Instant::now());
                self.tidy().await;
            }
        }
    }

    async fn carry_all(&self) {
        while self.carry().await.is_some_and(|carried| carried == ROWS) {}
    }

    /// How many were carried; `None` if that has to wait.
    async fn carry(&self) -> Option<usize> {
        // Trouble of the history is said by itself.
        let rows = self.history.ask(clock::now(), |store| store.outbox(ROWS)).await.ok()?;
        if rows.is_empty() {
            return Some(0);
        }
        let candidates = rows.iter().map(candidate).collect();
        // Accepted, a duplicate, or known with other contents: in each case the buffer has had it.
        if let Err(error) = self.buffer.append(candidates).await {
            debug!("{} alerts and facts wait for the buffer: {error}", rows.len());
            return None;
        }
        let (ids, count) = (rows.iter().map(|row| row.id).collect::<Vec<_>>(), rows.len());
        self.history.ask(clock::now(), move |store| store.sent(&ids)).await.ok()?;
        Some(count)
    }

    async fn tidy(&self) {
        let now = clock::now();
        match self.history.ask(now, move |store| store.tidy(now)).await {
            Ok((0, 0)) | Err(_) => {}
            Ok((gone, 0)) => info!("{gone} old alerts went from the history"),
            Ok((gone, given_up)) => warn!(
                "{gone} old alerts went from the history, and {given_up} records that the full buffer never took; \
                 headquarters will not hear of them"
            ),
        }
    }
}

fn candidate(row: &OutboxRow) -> Candidate {
    let mut key = [0; 17];
    key[0] = KEY_KIND;
    key[1..].copy_from_slice(&row.identity);
    Candidate { kind: row.kind, key, hash: xxh3_64(&row.payload), payload: row.payload.clone() }
}
