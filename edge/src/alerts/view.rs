//! How the floor is shown: an alert with what people said of it, and how the edge is, in the words a screen needs.
//! Pure: everything comes in as an argument.

use chrono::{DateTime, Utc};
use common::health::{Health, Status};
use common::ids::ZoneId;
use serde::Serialize;

/// How the edge is, for screens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FloorHealth {
    pub status: Status,
    /// In words a site technician understands, most severe first.
    pub reasons: Vec<String>,
    pub uplink: Uplink,
    pub waiting: Waiting,
    /// How long the buffer has room at the last minute's rate; `None` while nothing comes in.
    pub room_hours: Option<f64>,
    /// How long the backlog takes at the last minute's rate; `None` if there is none, or it does not shrink.
    pub drain_seconds: Option<f64>,
    pub disk_bytes_free: u64,
    pub cameras: Vec<CameraHealth>,
    /// Events since the start that the rules could not look at, because there were too many at once.
    pub unevaluated: u64,
}

/// The way to headquarters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Uplink {
    pub state: UplinkState,
    /// Since when it is so; `None` without a headquarters.
    pub since: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UplinkState {
    /// Headquarters has confirmed something, and nothing has failed since.
    Up,
    Down,
    /// No headquarters is configured.
    None,
}

/// Records that wait for headquarters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Waiting {
    pub live: u64,
    pub backlog: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraHealth {
    pub camera_id: String,
    pub zone_id: ZoneId,
    pub last_seen: DateTime<Utc>,
    /// Its clock was out of bounds at its last event.
    pub clock_suspect: bool,
    /// It has sent nothing for longer than `no_data_after_seconds`.
    pub silent: bool,
}

impl FloorHealth {
    /// Takes over the edge's own verdict.
    pub fn judged(&mut self, health: Health) {
        self.status = health.status;
        self.reasons = health.reasons;
    }
}
