//! How long to wait before trying again: exponential, capped, with full jitter, so that a thousand edges whose
//! central comes back do not all knock at once.
//!
//! Formula: uniform in `[0, min(cap, base · 2^attempt)]` ("full jitter", AWS Architecture Blog, "Exponential Backoff
//! and Jitter", 2015).

use std::time::Duration;

use rand::Rng;

/// A backoff policy. There is no limit to attempts: nothing in SmartPick is dropped by counting them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
}

impl Backoff {
    /// # Panics
    /// If `base` is zero or above `cap`: a policy is a constant of the program, and such a one is a bug.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        assert!(!base.is_zero() && base.as_nanos() <= cap.as_nanos(), "backoff needs 0 < base <= cap");
        Self { base, cap }
    }

    /// The longest wait after `attempt` failures (0 = the first retry).
    pub fn ceiling(self, attempt: u32) -> Duration {
        self.base.saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(self.cap)
    }

    /// A wait after `attempt` failures. A server's `Retry-After` is honoured as the least, up to the cap.
    pub fn delay(self, attempt: u32, retry_after: Option<Duration>, rng: &mut impl Rng) -> Duration {
        let jittered = self.ceiling(attempt).mul_f64(rng.random::<f64>());
        match retry_after {
            // Jitter on top of it: everybody was told the same number.
            Some(least) => least.min(self.cap) + jittered.min(least),
            None => jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const POLICY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let ceilings: Vec<u64> = (0..8).map(|attempt| POLICY.ceiling(attempt).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(POLICY.ceiling(u32::MAX), Duration::from_secs(60));
    }

    proptest! {
        #[test]
        fn a_delay_stays_between_zero_and_the_ceiling(attempt: u32, seed: u64) {
            let delay = POLICY.delay(attempt, None, &mut StdRng::seed_from_u64(seed));
            prop_assert!(delay <= POLICY.ceiling(attempt));
        }

        #[test]
        fn retry_after_is_the_least_wait(attempt: u32, seed: u64, secs in 0u64..60) {
            let least = Duration::from_secs(secs);
            let delay = POLICY.delay(attempt, Some(least), &mut StdRng::seed_from_u64(seed));
            prop_assert!(delay >= least && delay <= least * 2);
        }
    }

    #[test]
    fn delays_are_spread_over_the_whole_range() {
        let mut rng = StdRng::seed_from_u64(1);
        let delays: Vec<f64> = (0..1000).map(|_| POLICY.delay(3, None, &mut rng).as_secs_f64()).collect();
        for quarter in 0..4 {
            let low = f64::from(quarter) * 2.0;
            let share = delays.iter().filter(|d| (low..low + 2.0).contains(*d)).count();
            assert!((150..350).contains(&share), "quarter {quarter} holds {share} of 1000");
        }
    }
}
