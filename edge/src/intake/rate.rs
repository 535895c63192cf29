//! How fast one camera may send: one that has gone mad must not fill the buffer that all share. A bucket per camera's token,
//! which fills at the configured rate and holds ten seconds of it. Pure: the time is an argument.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::credentials::TokenHash;

/// A camera that was cut off sends what it kept, faster than usual.
const BURST_SECONDS: f64 = 10.0;
/// Only valid tokens come this far, so there are as many as there are cameras; beyond this all begin anew.
const CAMERAS_MAX: usize = 10_000;

/// By whom a request was sent; cameras without a token, on the box itself, are one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Sender(pub TokenHash);

/// See the module.
pub struct Rates {
    /// Zero: no limit.
    per_second: f64,
    buckets: Mutex<HashMap<Sender, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Below zero after a request that was larger than what was left: a request is taken whole or not at all.
    events: f64,
    at: Instant,
}

impl Rates {
    pub fn new(events_per_second_max: u32) -> Self {
        Self { per_second: f64::from(events_per_second_max), buckets: Mutex::default() }
    }

    /// Takes a request of so many events.
    ///
    /// # Errors
    /// How long the camera is to wait.
    pub fn take(&self, sender: Sender, events: usize, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let most = self.per_second * BURST_SECONDS;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CAMERAS_MAX && !buckets.contains_key(&sender) {
            buckets.clear();
        }
        let bucket = buckets.entry(sender).or_insert(Bucket { events: most, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        *bucket = Bucket { events: (bucket.events + passed * self.per_second).min(most), at: now };
        if bucket.events < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.events) / self.per_second));
        }
        bucket.events -= events as f64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_camera_gets_its_rate_and_ten_seconds_of_it_at_once() {
        let (rates, start) = (Rates::new(10), Instant::now());
        let mad = Sender([1; 32]);
        let mut taken = 0;
        for tenth in 0..600_u32 {
            let now = start + Duration::from_millis(100) * tenth;
            taken += (0..5).filter(|_| rates.take(mad, 1, now).is_ok()).count();
        }
        assert!((690..=701).contains(&taken), "{taken}");
        assert_eq!(rates.take(Sender([2; 32]), 1, start), Ok(()), "others are not held up");
    }

    #[test]
    fn a_large_request_is_taken_whole_and_paid_for_after() {
        let (rates, start) = (Rates::new(10), Instant::now());
        let sender = Sender::default();
        assert_eq!(rates.take(sender, 1_000, start), Ok(()));
        let wait = rates.take(sender, 1, start).expect_err("it is in debt");
        assert!(wait > 90 * SECOND && wait < 91 * SECOND, "{wait:?}");
        assert!(rates.take(sender, 1, start + wait - SECOND).is_err());
        assert_eq!(rates.take(sender, 1, start + wait + SECOND), Ok(()));
    }

    #[test]
    fn without_a_limit_there_is_none() {
        let (rates, now) = (Rates::new(0), Instant::now());
        assert!((0..10_000).all(|_| rates.take(Sender::default(), 1_000, now).is_ok()));
    }
}
