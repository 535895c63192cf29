//! How many workers there should be. Added one at a time while there is more to do than they can, removed only after a
//! calm time, so that the number does not swing with every gust. Pure.

use tokio::time::{Duration, Instant};

use super::worker::FRAMES_PER_TRANSACTION;

/// Frames that wait longer than this need more hands, however few they are.
const TOO_OLD: Duration = Duration::from_millis(500);
/// Workers that are busy for a larger share of the time make the frames wait that come next.
const BUSY_SHARE: f64 = 0.85;
/// One worker less would have been busy for no more than this share.
const CALM_SHARE: f64 = 0.6;
/// And so long must that have been so before one goes.
const CALM: Duration = Duration::from_secs(30);

/// How much there is to do.
#[derive(Debug, Clone, Copy)]
pub struct Pressure {
    /// Frames.
    pub waiting: u64,
    pub oldest: Duration,
    /// How many workers were busy, on average since the last look.
    pub hands: f64,
}

pub struct Scaler {
    least: usize,
    most: usize,
    calm_since: Option<Instant>,
}

impl Scaler {
    pub const fn new(least: usize, most: usize) -> Self {
        Self { least, most, calm_since: None }
    }

    /// How many there should be, where there are `current`.
    pub fn decide(&mut self, now: Instant, current: usize, pressure: Pressure) -> usize {
        let Pressure { waiting, oldest, hands } = pressure;
        // More than each worker takes in its next transaction.
        let many = waiting > (current * FRAMES_PER_TRANSACTION) as u64;
        if many || oldest > TOO_OLD || hands > current as f64 * BUSY_SHARE {
            self.calm_since = None;
            return (current + 1).clamp(self.least, self.most);
        }
        if hands > current.saturating_sub(1) as f64 * CALM_SHARE {
            self.calm_since = None;
            return current.clamp(self.least, self.most);
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

    const IDLE: Pressure = Pressure { waiting: 0, oldest: Duration::ZERO, hands: 0.0 };

    #[test]
    fn workers_come_one_at_a_time_and_go_slowly() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let mut scaler = Scaler::new(1, 3);
        assert_eq!(scaler.decide(at(0), 1, IDLE), 1);
        assert_eq!(scaler.decide(at(1), 1, Pressure { waiting: 100, ..IDLE }), 2, "many wait");
        assert_eq!(scaler.decide(at(2), 2, Pressure { oldest: Duration::from_secs(1), ..IDLE }), 3, "one waits long");
        assert_eq!(scaler.decide(at(3), 3, Pressure { waiting: 1_000, ..IDLE }), 3, "never more than the most");
        assert_eq!(scaler.decide(at(4), 3, IDLE), 3);
        assert_eq!(scaler.decide(at(33), 3, IDLE), 3, "not calm for long enough");
        assert_eq!(scaler.decide(at(34), 3, IDLE), 2);
        assert_eq!(scaler.decide(at(35), 2, IDLE), 2, "the next goes after another calm time");
        assert_eq!(scaler.decide(at(64), 2, IDLE), 1);
        assert_eq!(scaler.decide(at(200), 1, IDLE), 1, "never fewer than the least");
    }

    #[test]
    fn a_gust_ends_the_calm() {
        let start = Instant::now();
        let mut scaler = Scaler::new(1, 2);
        assert_eq!(scaler.decide(start, 2, IDLE), 2);
        assert_eq!(scaler.decide(start + Duration::from_secs(29), 2, Pressure { waiting: 99, ..IDLE }), 2);
        assert_eq!(scaler.decide(start + Duration::from_secs(31), 2, IDLE), 2);
    }

    #[test]
    fn busy_hands_ask_for_more_and_half_busy_ones_are_kept() {
        let start = Instant::now();
        let mut scaler = Scaler::new(1, 4);
        let hands = |hands| Pressure { hands, ..IDLE };
        assert_eq!(scaler.decide(start, 1, hands(0.95)), 2);
        assert_eq!(scaler.decide(start, 2, hands(1.2)), 2);
        assert_eq!(scaler.decide(start + Duration::from_secs(60), 2, hands(1.2)), 2, "one alone would not do");
        assert_eq!(scaler.decide(start + Duration::from_secs(61), 2, hands(0.3)), 2);
        assert_eq!(scaler.decide(start + Duration::from_secs(91), 2, hands(0.3)), 1);
    }
}
