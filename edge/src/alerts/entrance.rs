//! How accepted events get from the intake to the alerts: through a bounded queue that the intake never waits for. What
//! does not fit is stored and forwarded like all events, but not evaluated; that is counted and said in health.

use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use common::event::Hundredths;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;

use super::Observation;

/// Observations that may wait for the floor: a minute of a busy site (250 a second), a few seconds of what the intake
/// can take at most.
const QUEUE: usize = 16_384;
/// How long health speaks of events that were not evaluated.
const UNEVALUATED_SHOWN: TimeDelta = TimeDelta::minutes(5);

/// The intake's way to the floor.
#[derive(Debug)]
pub struct Entrance {
    queue: mpsc::Sender<Observation>,
    /// Scores below it need no posture: no rule would show it.
    keypoints_from: AtomicU16,
    /// Observations for which there was no room.
    pub unevaluated: Counter,
    last_unevaluated_us: AtomicI64,
}

impl Entrance {
    pub fn new(keypoints_from: Hundredths) -> (Self, mpsc::Receiver<Observation>) {
        let (queue, observations) = mpsc::channel(QUEUE);
        let entrance = Self {
            queue,
            keypoints_from: AtomicU16::new(keypoints_from.raw()),
            unevaluated: Counter::default(),
            last_unevaluated_us: AtomicI64::new(i64::MIN),
        };
        (entrance, observations)
    }

    /// Whether an alert might want to show the posture of an event with this score.
    pub fn wants_keypoints(&self, risk_score: Hundredths) -> bool {
        risk_score.raw() >= self.keypoints_from.load(Ordering::Relaxed)
    }

    /// Other rules are in force.
    pub fn want_keypoints_from(&self, score: Hundredths) {
        self.keypoints_from.store(score.raw(), Ordering::Relaxed);
    }

    /// Hands accepted events over. Never waits.
    pub fn offer(&self, observations: impl IntoIterator<Item = Observation>, now: DateTime<Utc>) {
        let dropped = observations.into_iter().filter_map(|one| self.queue.try_send(one).err()).count() as u64;
        if dropped > 0 {
            self.unevaluated.inc_by(dropped);
            self.last_unevaluated_us.store(now.timestamp_micros(), Ordering::Relaxed);
        }
    }

    /// How many could not be evaluated in this run, if that is still news.
    pub fn trouble(&self, now: DateTime<Utc>) -> Option<u64> {
        let last = DateTime::from_timestamp_micros(self.last_unevaluated_us.load(Ordering::Relaxed))?;
        (now - last < UNEVALUATED_SHOWN).then(|| self.unevaluated.get())
    }
}

#[cfg(test)]
mod tests {
    use common::event::Source;
    use common::ids::ZoneId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_is_news_for_a_while() {
        let at = |secs: i64| DateTime::from_timestamp(secs, 0).expect("in range");
        let one = Observation {
            event_time: at(0),
            arrived_at: at(0),
            zone_id: ZoneId::from_uuid(Uuid::nil()),
            camera_id: "cam".into(),
            worker_id: None,
            risk_score: Hundredths::from_raw(1),
            confidence: Hundredths::from_raw(1),
            source: Source::Camera,
            keypoints: None,
        };
        let (entrance, mut observations) = Entrance::new(Hundredths::from_raw(7_000));
        entrance.offer(std::iter::repeat_n(one.clone(), QUEUE), at(1));
        assert_eq!((entrance.unevaluated.get(), entrance.trouble(at(1))), (0, None));
        entrance.offer(std::iter::repeat_n(one.clone(), 3), at(2));
        assert_eq!(entrance.trouble(at(2)), Some(3));
        drop(observations.try_recv());
        entrance.offer([one.clone(), one], at(3));
        assert_eq!(entrance.trouble(at(4)), Some(4), "room for one came free");
        assert_eq!(entrance.trouble(at(400)), None, "no longer news");
        assert_eq!(entrance.unevaluated.get(), 4, "but counted");
    }
}
