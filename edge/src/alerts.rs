//! From accepted events to alerts on the floor, whatever else is down.
//!
//! ```text
//! intake ──observations──▶ engine ──changes──▶ history (SQLite) ──▶ buffer ──▶ central
//!                        (rules, pure)             │
//! system (pure) ──changes──────────────────────────┼──▶ live ──▶ screens
//! people ──facts───────────────────────────────────┘
//! ```
//!
//! The engine and the system's own watch decide, and know neither clock nor disk; the floor (`floor.rs`) is the one
//! task that gives them their input, keeps what they say, and tells it on.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::alert::{Origin, Severity, Subject};
use common::event::{Hundredths, Source};
use common::ids::{AlertId, FactId, WorkerId, ZoneId};
use serde::Serialize;
use utoipa::ToSchema;

pub mod entrance;

pub mod rules;

pub mod engine;
pub mod flood;
pub mod system;

pub mod replay;

pub mod floor;

pub mod board;
pub mod facts;
pub mod view;

pub mod history;
pub mod outbox;

pub mod api;
pub mod metrics;

/// What the rules see of an accepted event.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// By the camera's clock, or the ingest time if that cannot be believed.
    pub event_time: DateTime<Utc>,
    /// By our clock.
    pub arrived_at: DateTime<Utc>,
    pub zone_id: ZoneId,
    pub camera_id: Arc<str>,
    pub worker_id: Option<WorkerId>,
    pub risk_score: Hundredths,
    pub confidence: Hundredths,
    pub source: Source,
    /// The JSON text of the posture, only where the score is high enough that an alert may want to show it.
    pub keypoints: Option<Arc<str>>,
}

/// An alert as the engine or the system's watch sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    pub alert_id: AlertId,
    pub subject: Subject,
    pub rule: Arc<str>,
    pub severity: Severity,
    pub zone_id: Option<ZoneId>,
    pub camera_id: Option<Arc<str>>,
    pub worker_id: Option<WorkerId>,
    /// Time of the first event.
    pub started_at: DateTime<Utc>,
    /// Event time at which the condition was fulfilled.
    pub raised_at: DateTime<Utc>,
    /// Time of the last event; set once it is over.
    pub ended_at: Option<DateTime<Utc>>,
    /// `None` for a system alert.
    pub latest: Option<Hundredths>,
    pub peak: Option<Hundredths>,
    pub peak_at: Option<DateTime<Utc>>,
    /// The posture at the peak, as JSON text.
    pub posture: Option<Arc<str>>,
    /// Time and score of the episode's events, thinned out where there are too many.
    pub curve: Vec<(DateTime<Utc>, Hundredths)>,
    pub events: u32,
    /// More than 1 if a flood was grouped into this one.
    pub episodes: u32,
    /// What happened, in English, without anything personal.
    pub summary: String,
}

/// The last time of which an episode tells.
fn last_known(episode: &Episode) -> DateTime<Utc> {
    let told = [episode.ended_at, episode.peak_at, episode.curve.last().map(|(at, _)| *at)];
    told.into_iter().flatten().fold(episode.raised_at, DateTime::max)
}

/// What the engine and the system's watch say.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// New; or, under an id that was cleared before, going on again because its events had only been held up. Never
    /// twice without a [`Change::Cleared`] between.
    Raised(Episode),
    /// Peak, curve or group have grown. Worth showing, not worth keeping.
    Updated(Episode),
    Cleared(Episode),
}

/// An alert as the floor sees it: in the API, over WebSocket, on the page. Nobody's identity is in it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertView {
    pub alert_id: AlertId,
    pub revision: u32,
    pub state: State,
    pub subject: Subject,
    pub rule: String,
    pub severity: Severity,
    pub zone_id: Option<ZoneId>,
    /// The zone's name, where the configuration has one.
    pub zone: Option<String>,
    pub camera_id: Option<String>,
    pub camera: Option<String>,
    pub started_at: DateTime<Utc>,
    pub raised_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub latest: Option<f64>,
    pub peak: Option<f64>,
    pub peak_at: Option<DateTime<Utc>>,
    pub events: u32,
    pub episodes: u32,
    pub summary: String,
    /// It was over for more than a minute when its events arrived: history, not news.
    pub late: bool,
    /// The acknowledgement that counts.
    pub acknowledged: Option<Acknowledged>,
    pub silenced: Option<Silenced>,
}

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AlertState)]
pub enum State {
    /// Going on, and nobody sees to it.
    Raised,
    /// Going on, and somebody sees to it.
    Acknowledged,
    /// Over.
    Cleared,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Acknowledged {
    pub by: String,
    pub at: DateTime<Utc>,
    pub note: Option<String>,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Silenced {
    pub silence_id: FactId,
    pub reason: String,
    pub until: DateTime<Utc>,
}
