//! Looks at Redis and Postgres every second, keeps the stream trimmed, and publishes what it saw.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use common::clock;
use common::lifecycle::LifeSign;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::inflight::{Inflight, Load};
use crate::metrics::Metrics;
use crate::store::Db;
use crate::store::rollups::due;
use crate::stream::{PartitionSample, Stream};

const INTERVAL: Duration = Duration::from_secs(1);
/// A look that takes longer is a failed one. Short beside the time after which a look proves nothing, so that what hangs
/// is known to, and hides nothing of the other.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// The rate of acknowledgements is measured over this many samples.
const RATE_SAMPLES: usize = 10;
/// Trimming and the clearing of consumers are not urgent.
const UPKEEP_EVERY: u32 = 5;
const CONSUMERS_EVERY: u32 = 60;
/// However full Redis gets, other groups have this long to read a frame.
const RETAIN_LEAST: Duration = Duration::from_secs(1);

/// What was last seen.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    pub started_at: Option<DateTime<Utc>>,
    pub partitions: Vec<PartitionSample>,
    /// All that is not acknowledged.
    pub load: Load,
    /// All that no worker has read. What a dead worker holds until it is claimed is not in it: it holds up nobody.
    pub queue: Load,
    /// Since when something stored has waited to be in quarters, hours and days.
    pub rollups_due: Option<DateTime<Utc>>,
    pub redis: Look,
    pub postgres: Look,
}

/// When something last answered, and what it said if it did not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    pub ok_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

impl Look {
    fn note<T>(&mut self, what: &str, result: anyhow::Result<T>, now: DateTime<Utc>) -> Option<T> {
        match result {
            Ok(value) => {
                if self.error.take().is_some() {
                    info!("{what} answers again");
                }
                self.ok_at = Some(now);
                Some(value)
            }
            Err(error) => {
                let text = format!("{error:#}");
                if self.error.is_none() {
                    warn!("{what} does not answer: {text}");
                }
                self.error = Some(text);
                None
            }
        }
    }
}

pub struct Sampler {
    // Dependencies.
    pub db: Arc<Db>,
    pub stream: Arc<Stream>,
    pub inflight: Arc<Inflight>,
    // Configuration.
    pub retain: Duration,
    pub retain_bytes_max: u64,
    // Metrics.
    pub metrics: Arc<Metrics>,
    // Shown after each look.
    pub sign: LifeSign,
}

/// What goes on from one look to the next.
struct Memory {
    /// The retention in force, shorter than the configured one while Redis holds too many bytes.
    retain: Duration,
    acknowledged: VecDeque<(Instant, u64)>,
    turn: u32,
}

impl Sampler {
    /// Looks until told to stop.
    pub async fn run(self, seen: watch::Sender<Samples>, stop: CancellationToken) {
        let mut memory = Memory { retain: self.retain, acknowledged: VecDeque::new(), turn: 0 };
        let mut samples = Samples { started_at: Some(clock::now()), ..Samples::default() };
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // We stop.
                () = stop.cancelled() => return,
                // Time to look.
                _ = interval.tick() => {}
            }
            // Boxed: it is large, and every layer that this stage is handed through would copy it.
            Box::pin(self.look(&mut samples, &mut memory)).await;
            self.sign.show();
            seen.send_replace(samples.clone());
        }
    }

    async fn look(&self, samples: &mut Samples, memory: &mut Memory) {
        // Side by side: one that hangs does not hide the other.
        let (redis, postgres) = tokio::join!(in_time(self.stream.sample()), in_time(due::oldest(&self.db)));
        let now = clock::now();
        if let Some(due) = samples.postgres.note("Postgres", postgres, now) {
            samples.rollups_due = due;
        }
        if let Some(partitions) = samples.redis.note("Redis", redis, now) {
            let rate = rate(&partitions, &mut memory.acknowledged, Instant::now());
            samples.load = load(&partitions, rate, |p| (p.unacknowledged, p.oldest_age_ms));
            samples.queue =
                load(&partitions, rate, |p| (p.unacknowledged.saturating_sub(p.pending), p.oldest_unread_age_ms));
            samples.partitions = partitions;
            self.keep_up(&samples.partitions, memory).await;
        }
        let sum = |of: fn(&PartitionSample) -> u64| {
            i64::try_from(samples.partitions.iter().map(of).sum::<u64>()).unwrap_or(i64::MAX)
        };
        let (batches, bytes) = self.inflight.sweep(Instant::now());
        let m = &self.metrics;
        m.frames_waiting.set(sum(|p| p.unacknowledged));
        m.frames_pending.set(sum(|p| p.pending));
        m.stream_bytes.set(sum(|p| p.bytes));
        m.frames_oldest_age_seconds.set(samples.load.oldest.as_secs_f64());
        m.rollups_due_age_seconds.set(samples.rollups_due.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0)));
        m.batches_in_flight.set(i64::try_from(batches).unwrap_or(i64::MAX));
        m.bytes_in_flight.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    async fn keep_up(&self, partitions: &[PartitionSample], memory: &mut Memory) {
        memory.turn = memory.turn.wrapping_add(1);
        if !memory.turn.is_multiple_of(UPKEEP_EVERY) {
            return;
        }
        let bytes = partitions.iter().map(|p| p.bytes).sum();
        memory.retain = retain(memory.retain, self.retain, bytes, self.retain_bytes_max);
        if let Err(error) = self.stream.trim(partitions, memory.retain).await {
            warn!("Could not trim the stream: {:#}", anyhow::Error::new(error));
        }
        if memory.turn.is_multiple_of(CONSUMERS_EVERY)
            && let Err(error) = self.stream.forget_consumers().await
        {
            warn!("Could not clear away old consumers: {:#}", anyhow::Error::new(error));
        }
    }
}

async fn in_time<T, E>(look: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let answer = tokio::time::timeout(LOOK_TIMEOUT, look).await;
    Ok(answer.with_context(|| format!("no answer within {LOOK_TIMEOUT:?}"))??)
}

/// The retention to use next: halved while too many bytes are held, doubled back when there is room.
fn retain(current: Duration, configured: Duration, bytes: u64, bytes_max: u64) -> Duration {
    if bytes > bytes_max {
        (current / 2).max(RETAIN_LEAST).min(configured)
    } else if bytes < bytes_max / 2 {
        (current * 2).max(RETAIN_LEAST).min(configured)
    } else {
        current
    }
}

/// Frames acknowledged per second, lately.
fn rate(partitions: &[PartitionSample], acknowledged: &mut VecDeque<(Instant, u64)>, now: Instant) -> f64 {
    let total = partitions.iter().map(|p| p.acknowledged).sum();
    if acknowledged.back().is_some_and(|(_, last)| *last > total) {
        // Redis was wiped.
        acknowledged.clear();
    }
    acknowledged.push_back((now, total));
    if acknowledged.len() > RATE_SAMPLES {
        acknowledged.pop_front();
    }
    acknowledged
        .front()
        .map_or(0.0, |(then, first)| (total - first) as f64 / (now - *then).as_secs_f64().max(INTERVAL.as_secs_f64()))
}

/// What waits in all partitions: how many, and the oldest one's age.
fn load(partitions: &[PartitionSample], rate: f64, of: impl Fn(&PartitionSample) -> (u64, Option<u64>)) -> Load {
    let oldest_ms = partitions.iter().filter_map(|p| of(p).1).max().unwrap_or(0);
    Load { waiting: partitions.iter().map(|p| of(p).0).sum(), oldest: Duration::from_millis(oldest_ms), rate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_gives_way_to_bytes_and_comes_back() {
        let secs = Duration::from_secs;
        assert_eq!(retain(secs(60), secs(60), 101, 100), secs(30));
        assert_eq!(retain(secs(1), secs(60), 101, 100), secs(1), "others always get a moment");
        assert_eq!(retain(secs(30), secs(60), 80, 100), secs(30), "no swinging");
        assert_eq!(retain(secs(30), secs(60), 40, 100), secs(60));
        assert_eq!(retain(secs(60), secs(60), 0, 100), secs(60));
        assert_eq!(retain(secs(0), secs(0), 101, 100), secs(0), "none is wanted");
    }
}
