//! The one task that turns accepted events into what the floor sees. It gives the engine and the system's watch their
//! input, keeps what they say, and tells it on.
//!
//! Nothing in it can hold up the intake: events come through a bounded queue that is never waited for.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::alert::ShiftSnapshotEvent;
use common::clock;
use common::event::Hundredths;
use common::health::Status;
use common::ids::ZoneId;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Observation;
use super::view::{CameraHealth, FloorHealth, Uplink, UplinkState, Waiting};
use crate::http::State;
use crate::intake::TEST_ZONE;
use crate::site::NO_DATA_AFTER_SECS;

/// Observations that may wait for the floor: a minute of a busy site (250 a second), a few seconds of what the intake
/// can take at most. Beyond it they are not evaluated, which is counted and said in health.
const QUEUE: usize = 16_384;
/// Observations taken in one turn, so that ticks and people get theirs.
const TURN: usize = 1_024;
/// The engine's tick, and how often screens get new snapshots.
const TICK: Duration = Duration::from_millis(250);
/// Ticks between two looks at the system.
const TICKS_PER_LOOK: u32 = 4;
/// Health is told on after this long though nothing has changed, so that a screen knows it is fresh.
const HEALTH_AGE_MAX: TimeDelta = TimeDelta::seconds(10);
/// How long health speaks of events that were not evaluated.
const UNEVALUATED_SHOWN: TimeDelta = TimeDelta::minutes(5);
/// Zones and cameras whose latest event is kept for the next tick; beyond it further new ones wait for theirs.
const SNAPSHOTS_MAX: usize = 2_000;

/// The intake's way to the floor.
#[derive(Debug)]
pub struct Entrance {
    queue: mpsc::Sender<Observation>,
    /// Scores below it need no posture: no rule would show it.
    keypoints_from: Hundredths,
    /// Observations for which there was no room.
    pub unevaluated: Counter,
    last_unevaluated_us: AtomicI64,
}

impl Entrance {
    pub fn new(keypoints_from: Hundredths) -> (Self, mpsc::Receiver<Observation>) {
        let (queue, observations) = mpsc::channel(QUEUE);
        let entrance = Self {
            queue,
            keypoints_from,
            unevaluated: Counter::default(),
            last_unevaluated_us: AtomicI64::new(i64::MIN),
        };
        (entrance, observations)
    }

    /// Whether an alert might want to show the posture of an event with this score.
    pub fn wants_keypoints(&self, risk_score: Hundredths) -> bool {
        risk_score >= self.keypoints_from
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

/// The floor. See the module.
pub struct Floor {
    // What it works with.
    state: Arc<State>,
    observations: mpsc::Receiver<Observation>,

    // What it remembers.
    latest: HashMap<(ZoneId, Arc<str>), ShiftSnapshotEvent>,
    told: Option<(DateTime<Utc>, FloorHealth)>,
    uplink: Option<Uplink>,
}

impl Floor {
    pub fn new(state: Arc<State>, observations: mpsc::Receiver<Observation>) -> Self {
        Self { state, observations, latest: HashMap::new(), told: None, uplink: None }
    }

    /// Runs until all that was accepted before `stop` is evaluated and kept.
    ///
    /// # Errors
    /// None today; the type fits a lifecycle stage.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut turn, mut count) = (Vec::with_capacity(TURN), 0u32);
        loop {
            tokio::select! {
                // Accepted events.
                _ = self.observations.recv_many(&mut turn, TURN) => self.observe(turn.drain(..)),
                // Time passes.
                _ = ticks.tick() => {
                    count = count.wrapping_add(1);
                    self.tick(count.is_multiple_of(TICKS_PER_LOOK));
                }
                // The intake has stopped; what it handed over is still here.
                () = stop.cancelled() => {
                    self.observations.close();
                    while self.observations.recv_many(&mut turn, TURN).await > 0 {
                        self.observe(turn.drain(..));
                    }
                    self.tick(true);
                    return Ok(());
                }
            }
        }
    }

    fn observe(&mut self, observations: impl Iterator<Item = Observation>) {
        for one in observations {
            self.remember_latest(&one);
        }
    }

    fn tick(&mut self, look: bool) {
        if !self.latest.is_empty() {
            self.state.hub.snapshots(self.latest.drain().map(|(_, snapshot)| snapshot).collect());
        }
        if look {
            self.tell_health(clock::now());
        }
    }

    /// Screens get the latest of each zone and camera, four times a second at most.
    fn remember_latest(&mut self, one: &Observation) {
        let key = (one.zone_id, Arc::clone(&one.camera_id));
        if let Some(held) = self.latest.get(&key) {
            if held.event_time > one.event_time {
                return;
            }
        } else if self.latest.len() >= SNAPSHOTS_MAX {
            return;
        }
        let snapshot = ShiftSnapshotEvent {
            event_time: one.event_time,
            zone_id: one.zone_id,
            camera_id: one.camera_id.to_string(),
            source: one.source,
            risk_score: one.risk_score.as_f64(),
            confidence: one.confidence.as_f64(),
        };
        self.latest.insert(key, snapshot);
    }

    fn tell_health(&mut self, now: DateTime<Utc>) {
        let health = self.health(now);
        let due = self.told.as_ref().is_none_or(|(at, told)| now - *at >= HEALTH_AGE_MAX || *told != health);
        if due {
            self.state.hub.health(&health);
            self.told = Some((now, health));
        }
    }

    fn health(&mut self, now: DateTime<Utc>) -> FloorHealth {
        let state = Arc::clone(&self.state);
        let (contents, outlook) = (state.buffer.contents(), state.outlook());
        let silent_after = TimeDelta::seconds(NO_DATA_AFTER_SECS.cast_signed());
        let cameras = state.cameras.reports().into_iter().filter(|camera| camera.zone_id.uuid() != TEST_ZONE);
        let mut health = FloorHealth {
            status: Status::Healthy,
            reasons: Vec::new(),
            uplink: self.look_at_uplink(now),
            waiting: Waiting { live: contents.live_records, backlog: contents.backlog_records },
            room_hours: outlook.room_hours,
            drain_seconds: outlook.drain_seconds,
            disk_bytes_free: state.buffer.last_probe().spill.disk_bytes_free,
            cameras: cameras
                .map(|camera| CameraHealth {
                    silent: now - camera.last_seen > silent_after,
                    camera_id: camera.camera_id,
                    zone_id: camera.zone_id,
                    last_seen: camera.last_seen,
                    clock_suspect: camera.clock_suspect,
                })
                .collect(),
            unevaluated: state.entrance.unevaluated.get(),
        };
        health.judged(state.health(now));
        health
    }

    fn look_at_uplink(&mut self, now: DateTime<Utc>) -> Uplink {
        let link = self.state.link.get();
        let (state, since) = if !self.state.has_central {
            (UplinkState::None, None)
        } else if let Some((since, _)) = link.failing {
            (UplinkState::Down, Some(since))
        } else if link.confirmed_at.is_some() {
            (UplinkState::Up, Some(now))
        } else {
            // Nothing proves that it is up.
            (UplinkState::Down, Some(self.state.started_at))
        };
        let uplink = self.uplink.filter(|known| known.state == state).unwrap_or(Uplink { state, since });
        self.uplink = Some(uplink);
        uplink
    }
}
