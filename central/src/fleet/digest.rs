//! What of a heartbeat the state of an edge is made of, worked out once when it comes. A heartbeat lists every camera and
//! every range of the ledger; a fleet's worth of those is too much to read every few seconds.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use common::health::Status;
use common::protocol::{CameraReport, Heartbeat, LaneReport, RedisReport, SpillReport};
use serde::{Deserialize, Serialize};

/// Cameras send several events a second; one that was silent for this long is broken, or its aisle is closed.
const CAMERA_SILENT_AFTER: TimeDelta = TimeDelta::seconds(120);
/// A camera that was silent is believed again once it was seen within this: one that sends every two minutes does not
/// flicker.
const CAMERA_BACK_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// A camera gone for longer was taken away.
const CAMERA_GONE_AFTER: TimeDelta = TimeDelta::hours(24);
/// Sums of a fleet's numbers still fit.
const COUNT_MAX: u64 = 1 << 53;
/// A hundred years: what is older is a wrong clock, and a time that far back can still be worked out.
const AGE_MS_MAX: u64 = 100 * 366 * 86_400 * 1_000;
/// Reasons of its own that an edge is believed, and how long each may be; more would only crowd out the page.
const OWN_REASONS_MAX: usize = 12;
const OWN_REASON_CHARS_MAX: usize = 300;

/// Some cameras: how many, and the first one's name, for a sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cameras {
    pub count: usize,
    pub first: Option<String>,
}

impl Cameras {
    fn of<'a>(cameras: impl Iterator<Item = &'a CameraReport>) -> Self {
        let names: BTreeMap<&str, ()> = cameras.map(|camera| (camera.camera_id.as_str(), ())).collect();
        Self { count: names.len(), first: names.keys().next().map(|name| (*name).to_owned()) }
    }
}

/// See the module. As it is stored: fields may be added with a default, none may change its meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    pub version: String,
    pub sent_at: DateTime<Utc>,
    pub stopping: bool,
    /// What the edge calls itself, and why.
    pub status: Status,
    pub reasons: Vec<String>,
    pub live: LaneReport,
    pub backlog: LaneReport,
    pub drain_seconds: Option<f64>,
    pub spill: SpillReport,
    pub redis: RedisReport,
    pub dead_letters: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub cameras: usize,
    /// Silent for long, by the edge's own clock, on which they were seen.
    pub silent: Cameras,
    /// Not seen just now: these, if silent ones were there before.
    pub quiet: Cameras,
    /// Their clocks cannot be believed.
    pub suspect: Cameras,
    /// Why headquarters' newest rules are not in force there.
    #[serde(default)]
    pub rules_error: Option<String>,
}

/// What Postgres can count: an edge may claim any number.
fn countable(n: u64) -> u64 {
    n.min(COUNT_MAX)
}

fn short(text: &str) -> String {
    text.chars().take(OWN_REASON_CHARS_MAX).collect()
}

fn lane(lane: &LaneReport) -> LaneReport {
    LaneReport {
        records: countable(lane.records),
        bytes: countable(lane.bytes),
        oldest_age_ms: lane.oldest_age_ms.map(|ms| ms.min(AGE_MS_MAX)),
    }
}

impl Digest {
    pub fn of(heartbeat: &Heartbeat) -> Self {
        let unseen_for = |limit: TimeDelta| {
            let cameras = heartbeat.cameras.iter();
            Cameras::of(cameras.filter(move |camera| {
                let silent = heartbeat.sent_at - camera.last_seen;
                silent > limit && silent < CAMERA_GONE_AFTER
            }))
        };
        let own = heartbeat.health.reasons.iter().take(OWN_REASONS_MAX);
        Self {
            version: heartbeat.version.chars().take(50).collect(),
            sent_at: heartbeat.sent_at,
            stopping: heartbeat.stopping,
            status: heartbeat.health.status,
            reasons: own.map(|reason| short(reason)).collect(),
            live: lane(&heartbeat.live),
            backlog: lane(&heartbeat.backlog),
            drain_seconds: heartbeat.drain_seconds.filter(|secs| secs.is_finite() && *secs >= 0.0),
            spill: SpillReport {
                bytes_free: countable(heartbeat.spill.bytes_free),
                disk_bytes_free: countable(heartbeat.spill.disk_bytes_free),
                ..heartbeat.spill.clone()
            },
            redis: heartbeat.redis,
            dead_letters: countable(heartbeat.dead_letters),
            accepted: countable(heartbeat.accepted),
            rejected: countable(heartbeat.rejected),
            cameras: heartbeat.cameras.len(),
            silent: unseen_for(CAMERA_SILENT_AFTER),
            quiet: unseen_for(CAMERA_BACK_WITHIN),
            suspect: Cameras::of(heartbeat.cameras.iter().filter(|camera| camera.clock_suspect)),
            rules_error: heartbeat.rules.as_ref().and_then(|rules| rules.error.as_deref()).map(short),
        }
    }

    /// Whether a camera that was last seen then is silent, as the list of cameras shows it.
    pub fn is_silent(sent_at: DateTime<Utc>, last_seen: DateTime<Utc>) -> bool {
        sent_at - last_seen > CAMERA_SILENT_AFTER
    }

    /// As it is in JSON.
    pub const fn redis_word(&self) -> &'static str {
        match self.redis {
            RedisReport::Absent => "absent",
            RedisReport::Ready => "ready",
            RedisReport::Weak => "weak",
            RedisReport::Down => "down",
        }
    }

    /// Records that the edge still had.
    pub const fn waiting(&self) -> u64 {
        self.live.records.saturating_add(self.backlog.records)
    }

    /// Age of the oldest of them when the heartbeat was sent.
    pub fn oldest_age(&self) -> Option<TimeDelta> {
        let oldest = self.live.oldest_age_ms.max(self.backlog.oldest_age_ms)?;
        Some(TimeDelta::milliseconds(i64::try_from(oldest.min(AGE_MS_MAX)).expect("fits")))
    }
}
