//! How the floor is shown: an alert with what people said of it, and how the edge is, in the words a screen needs.
//! Pure: everything comes in as an argument.

use chrono::{DateTime, Utc};
use common::alert::{Fact, Silence, merge};
use common::event::Hundredths;
use common::health::Status;
use common::ids::ZoneId;
use serde::Serialize;

use super::history::{Kept, Silences};
use super::{Acknowledged, AlertView, Silenced, State};
use crate::site::Site;

/// An alert as the floor sees it at `now`, with what was said of it.
pub fn alert(kept: &Kept, facts: &[Fact], silences: &Silences, site: &Site, now: DateTime<Utc>) -> AlertView {
    let event = &kept.event;
    let acknowledged = acknowledged(kept, facts);
    let state = match (event.ended_at, &acknowledged) {
        (Some(_), _) => State::Cleared,
        (None, Some(_)) => State::Acknowledged,
        (None, None) => State::Raised,
    };
    AlertView {
        alert_id: event.alert_id,
        revision: event.revision,
        state,
        subject: event.subject,
        rule: event.rule.clone(),
        severity: event.severity,
        zone_id: event.zone_id,
        zone: event.zone_id.and_then(|zone| site.zone(zone)).map(str::to_owned),
        camera_id: event.camera_id.clone(),
        camera: event.camera_id.as_deref().and_then(|camera| site.camera(camera)).map(str::to_owned),
        started_at: event.started_at,
        raised_at: event.raised_at,
        ended_at: event.ended_at,
        latest: kept.latest.map(Hundredths::as_f64),
        peak: event.peak,
        peak_at: event.peak_at,
        events: event.events,
        episodes: event.episodes,
        summary: event.summary.clone(),
        late: kept.late,
        acknowledged,
        silenced: silence(kept, silences, now).map(|silence| Silenced {
            silence_id: silence.silence_id,
            reason: silence.reason.clone(),
            until: silence.until,
        }),
    }
}

/// The acknowledgement that counts, by the rule that both sides share.
pub fn acknowledged(kept: &Kept, facts: &[Fact]) -> Option<Acknowledged> {
    let first = merge(facts).acknowledgements.remove(&kept.event.alert_id)?.into_iter().next()?;
    Some(Acknowledged { by: first.by, at: first.at, note: first.note, origin: first.origin })
}

/// The silence under which an alert is now, or was when it cleared; of several the one that lasts longest.
pub fn silence<'s>(kept: &Kept, silences: &'s Silences, now: DateTime<Utc>) -> Option<&'s Silence> {
    let (event, at) = (&kept.event, kept.cleared_at.unwrap_or(now));
    silences
        .values()
        .filter(|one| one.active(at) && one.scope.covers(&event.rule, event.zone_id, event.camera_id.as_deref()))
        .max_by_key(|one| (one.until, one.silence_id))
}

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
