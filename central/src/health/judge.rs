//! From what was seen to a status with reasons in words. Pure.
//!
//! The original system's thresholds are kept, read so that normal work is not a fault: `length` and `pending` count
//! frames that are not acknowledged, and `pending` only while the oldest of them is old. A frame that a worker is
//! just writing is pending by nature, and acknowledged ones stay in the stream on purpose.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::health::{Code, Health, Status, thresholds};

use super::Seen;
use super::sampler::{Look, Samples};

/// A look older than this proves nothing.
const FRESH: Duration = Duration::from_secs(5);
/// Frames are stored within a fraction of a second; older ones wait for something.
const FLIGHT: Duration = Duration::from_secs(3);
/// Edges give up waiting after about this; from here on nothing is being stored.
const STUCK: Duration = Duration::from_secs(15);
/// Rollups are a second or two behind what is stored.
const ROLLUPS_BEHIND: Duration = Duration::from_secs(60);
/// A rate of failures needs a few attempts to mean anything.
const ATTEMPTS_LEAST: usize = 20;

pub struct Facts<'a> {
    pub now: DateTime<Utc>,
    pub samples: &'a Samples,
    pub seen: &'a Seen,
    /// Why the configuration in force is not the one in the files.
    pub config: Option<&'a str>,
}

fn age(now: DateTime<Utc>, then: DateTime<Utc>) -> Duration {
    (now - then).to_std().unwrap_or_default()
}

/// Whether something answered just now.
pub fn fresh(look: &Look, now: DateTime<Utc>) -> bool {
    look.ok_at.is_some_and(|at| age(now, at) <= FRESH)
}

pub fn judge(facts: &Facts<'_>) -> Health {
    let mut health = Health::healthy();
    let Facts { now, samples, seen, config } = *facts;
    for (name, code, look) in
        [("Redis", Code::RedisUnavailable, &samples.redis), ("Postgres", Code::PostgresUnavailable, &samples.postgres)]
    {
        if !fresh(look, now) {
            let why = look.error.as_deref().unwrap_or("not asked yet");
            health.add(Status::Unhealthy, code, format!("{name} does not answer: {why}; edges keep their events"));
        }
    }
    if let Some(words) = config {
        health.add(Status::Degraded, Code::ConfigRefused, words);
    }
    let waiting = samples.load.waiting;
    let oldest = samples.load.oldest;
    // By us, or by whoever acknowledges frames.
    let committing = samples.load.rate > 0.0 || seen.last_commit.is_some_and(|at| age(now, at) <= STUCK);
    if waiting > 0 && oldest > STUCK && !committing {
        health.add(
            Status::Unhealthy,
            Code::FramesStuck,
            format!("{waiting} frames wait, the oldest for {} s, and none is being stored", oldest.as_secs()),
        );
    } else if waiting > thresholds::STREAM_LENGTH {
        health.add(
            Status::Degraded,
            Code::StreamLong,
            format!("{waiting} frames wait in the stream, more than {}", thresholds::STREAM_LENGTH),
        );
    }
    let pending: u64 = samples.partitions.iter().map(|p| p.pending).sum();
    if pending > thresholds::PENDING && oldest > FLIGHT {
        health.add(
            Status::Degraded,
            Code::FramesHeld,
            format!(
                "workers hold {pending} frames, more than {}, the oldest for {} s",
                thresholds::PENDING,
                oldest.as_secs()
            ),
        );
    }
    if seen.workers.is_empty() {
        health.add(Status::Unhealthy, Code::NoWorker, "no persist worker runs");
    }
    let rate = seen.failures as f64 / seen.attempts.max(1) as f64;
    if seen.attempts >= ATTEMPTS_LEAST && rate > thresholds::ERROR_RATE {
        health.add(
            Status::Degraded,
            Code::TransactionsFail,
            format!(
                "{} of {} transactions of the last minute failed and were tried again, more than {} %",
                seen.failures,
                seen.attempts,
                thresholds::ERROR_RATE * 100.0
            ),
        );
    }
    if let Some(behind) = samples.rollups_due.map(|at| age(now, at)).filter(|behind| *behind > ROLLUPS_BEHIND) {
        health.add(
            Status::Degraded,
            Code::RollupsBehind,
            format!("trends and rankings lack what was stored in the last {} s", behind.as_secs()),
        );
    }
    health
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::inflight::Load;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_000_000_000).expect("a time")
    }

    fn samples(waiting: u64, oldest_secs: u64) -> Samples {
        let ok = Look { ok_at: Some(now()), error: None };
        Samples {
            started_at: Some(now()),
            load: Load { waiting, oldest: Duration::from_secs(oldest_secs), rate: 0.0 },
            redis: ok.clone(),
            postgres: ok,
            ..Samples::default()
        }
    }

    fn seen() -> Seen {
        Seen { workers: [("w".to_owned(), now())].into(), ..Seen::default() }
    }

    fn status(samples: &Samples, seen: &Seen) -> (Status, String) {
        let health = judge(&Facts { now: now(), samples, seen, config: None });
        (health.status, health.reasons.join("; "))
    }

    #[test]
    fn nothing_to_do_is_healthy() {
        assert_eq!(status(&samples(0, 0), &seen()), (Status::Healthy, String::new()));
    }

    #[test]
    fn a_look_that_is_old_proves_nothing() {
        let mut old = samples(0, 0);
        old.postgres.ok_at = Some(now() - TimeDelta::seconds(6));
        let (status, reasons) = status(&old, &seen());
        assert_eq!(status, Status::Unhealthy);
        assert!(reasons.contains("Postgres does not answer"), "{reasons}");
    }

    #[test]
    fn frames_that_wait_without_any_commit_are_unhealthy_and_with_commits_not() {
        assert_eq!(status(&samples(3, 20), &seen()).0, Status::Unhealthy);
        let committing = Seen { last_commit: Some(now()), ..seen() };
        assert_eq!(status(&samples(3, 20), &committing).0, Status::Healthy);
        assert_eq!(status(&samples(5_001, 20), &committing).0, Status::Degraded);
    }

    #[test]
    fn rollups_may_be_a_little_behind() {
        let due = |secs| Samples { rollups_due: Some(now() - TimeDelta::seconds(secs)), ..samples(0, 0) };
        assert_eq!(status(&due(60), &seen()).0, Status::Healthy);
        let (status, reasons) = status(&due(90), &seen());
        assert_eq!((status, reasons.contains("the last 90 s")), (Status::Degraded, true), "{reasons}");
    }

    #[test]
    fn failures_count_as_a_share() {
        let failing = |attempts, failures| Seen { attempts, failures, ..seen() };
        assert_eq!(status(&samples(0, 0), &failing(1_000, 10)).0, Status::Healthy);
        assert_eq!(status(&samples(0, 0), &failing(1_000, 11)).0, Status::Degraded);
        assert_eq!(status(&samples(0, 0), &failing(2, 1)).0, Status::Healthy, "too few to tell");
    }
}
