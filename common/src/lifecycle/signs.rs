//! Signs of life. A stage shows its sign at every turn of its loop, also when there is nothing to do; systemd's watchdog
//! is fed only while every sign is fresh. So a stage that waits for something that never comes ends the process, though
//! everything else goes on: a timer beside the stages would prove only itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

struct Shown {
    name: &'static str,
    at: Mutex<Instant>,
}

/// The sign of one stage, or of one of several workers in it. It counts until it is dropped.
pub struct LifeSign(Arc<Shown>);

impl LifeSign {
    /// The stage has turned.
    pub fn show(&self) {
        self.show_at(Instant::now());
    }

    fn show_at(&self, now: Instant) {
        *at(&self.0) = now;
    }
}

/// All signs of a process. A clone is the same.
#[derive(Clone, Default)]
pub struct LifeSigns(Arc<Mutex<Vec<Weak<Shown>>>>);

impl LifeSigns {
    /// Another sign, shown just now.
    pub fn add(&self, name: &'static str) -> LifeSign {
        let shown = Arc::new(Shown { name, at: Mutex::new(Instant::now()) });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&shown));
        LifeSign(shown)
    }

    /// A stage that has not shown its sign for longer than `limit`, and for how long; of several the one that stopped first.
    pub fn stuck(&self, limit: Duration) -> Option<(&'static str, Duration)> {
        self.stuck_at(Instant::now(), limit)
    }

    fn stuck_at(&self, now: Instant, limit: Duration) -> Option<(&'static str, Duration)> {
        let mut signs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        signs.retain(|sign| sign.strong_count() > 0);
        let silent =
            signs.iter().filter_map(Weak::upgrade).map(|sign| (sign.name, now.saturating_duration_since(*at(&sign))));
        silent.filter(|(_, silence)| *silence > limit).max_by_key(|(_, silence)| *silence)
    }
}

fn at(shown: &Shown) -> MutexGuard<'_, Instant> {
    shown.at.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_that_stopped_first_is_named_until_it_turns_or_is_gone() {
        let signs = LifeSigns::default();
        let (first, second) = (signs.add("first"), signs.add("second"));
        let began = Instant::now();
        let after = |secs| began + Duration::from_secs(secs);
        let stuck = |secs| signs.stuck_at(after(secs), Duration::from_secs(10)).map(|(name, _)| name);
        first.show_at(began);
        second.show_at(after(6));
        assert_eq!(stuck(10), None);
        assert_eq!(signs.stuck_at(after(12), Duration::from_secs(10)), Some(("first", Duration::from_secs(12))));
        assert_eq!(stuck(30), Some("first"), "of two the one that stopped first");
        first.show_at(after(12));
        assert_eq!(stuck(16), None);
        assert_eq!(stuck(30), Some("second"));
        drop(second);
        assert_eq!(stuck(30), Some("first"));
        drop(first);
        assert_eq!(stuck(30), None);
    }
}
