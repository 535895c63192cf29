//! How many workers there should be. Added one at a time while frames wait, removed only after a calm time, so that
//! the number does not swing with every gust. Pure.

use tokio::time::{Duration, Instant};

use super::worker::FRAMES_PER_TRANSACTION;

/// Frames that wait longer than this need more hands, however few they are.
const TOO_OLD: Duration = Duration::from_millis(500);
/// So long must the work of one worker less have sufficed before one goes.
const CALM: Duration = Duration::from_secs(30);

pub struct Scaler {
    least: usize,
    most: usize,
    calm_since: Option<Instant>,
}

impl Scaler {
    pub const fn new(least: usize, most: usize) -> Self {
        Self { least, most, calm_since: None }
    }

    /// How many there should be, where there are `current`, `waiting` frames and an oldest one of this age.
    pub fn decide(&mut self, now: Instant, current: usize, waiting: u64, oldest: Duration) -> usize {
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        // More than each worker takes in its next transaction.
        let busy = waiting > current * FRAMES_PER_TRANSACTION || oldest > TOO_OLD;
        if busy {
            self.calm_since = None;
            return (current + 1).clamp(self.least, self.most);
        }
        let since = *self.calm_since.get_or_insert(now);
        if current > self.least && now - since >= CALM {
            self.calm_since = Some(now);
            return (current - 1).clamp(self.least, self.most);
        }
        current.clamp(self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_come_one_at_a_time_and_go_slowly() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let mut scaler = Scaler::new(1, 3);
        assert_eq!(scaler.decide(at(0), 1, 0, Duration::ZERO), 1);
        assert_eq!(scaler.decide(at(1), 1, 100, Duration::ZERO), 2, "many wait");
        assert_eq!(scaler.decide(at(2), 2, 1, Duration::from_secs(1)), 3, "one waits long");
        assert_eq!(scaler.decide(at(3), 3, 1_000, Duration::from_secs(9)), 3, "never more than the most");
        assert_eq!(scaler.decide(at(4), 3, 0, Duration::ZERO), 3);
        assert_eq!(scaler.decide(at(33), 3, 0, Duration::ZERO), 3, "not calm for long enough");
        assert_eq!(scaler.decide(at(34), 3, 0, Duration::ZERO), 2);
        assert_eq!(scaler.decide(at(35), 2, 0, Duration::ZERO), 2, "the next goes after another calm time");
        assert_eq!(scaler.decide(at(64), 2, 0, Duration::ZERO), 1);
        assert_eq!(scaler.decide(at(200), 1, 0, Duration::ZERO), 1, "never fewer than the least");
    }

    #[test]
    fn a_gust_ends_the_calm() {
        let start = Instant::now();
        let mut scaler = Scaler::new(1, 2);
        assert_eq!(scaler.decide(start, 2, 0, Duration::ZERO), 2);
        assert_eq!(scaler.decide(start + Duration::from_secs(29), 2, 99, Duration::ZERO), 2);
        assert_eq!(scaler.decide(start + Duration::from_secs(31), 2, 0, Duration::ZERO), 2);
    }
}
