//! The state of a site, computed in one place and nowhere else. Pure: facts in, state and reasons out.
//!
//! Healthy needs proof: a heartbeat that is fresh and has nothing to hide. A connection proves nothing. What a state is
//! entered by is a little worse than what it is left by, so that a site on the edge does not flicker.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::health::Status;
use common::protocol::{HEARTBEAT_INTERVAL_SECS, Heartbeat, RedisReport};
use serde::Serialize;
use uuid::Uuid;

/// Two heartbeats lost, and the third late.
pub const STALE_AFTER: TimeDelta = TimeDelta::seconds(30);
pub const OFFLINE_AFTER: TimeDelta = TimeDelta::seconds(120);
/// A silent edge is believed again at a heartbeat that is not already late.
const BACK_WITHIN: TimeDelta = TimeDelta::seconds(15);
/// A clock further off makes event times of different sites hard to compare.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(30);
const SKEW_LEAVE: TimeDelta = TimeDelta::seconds(20);
/// Cameras send several events a second; one that was silent for this long is broken, or its aisle is closed.
const CAMERA_SILENT_AFTER: TimeDelta = TimeDelta::seconds(120);
/// A camera gone for longer was taken away.
const CAMERA_GONE_AFTER: TimeDelta = TimeDelta::hours(24);
/// A backlog younger than this has had no time to drain.
const BACKLOG_YOUNG: Duration = Duration::from_secs(60);

/// Better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A fresh heartbeat says that all is well.
    Healthy,
    /// It is there, and somebody should look at the reasons.
    Degraded,
    /// Its heartbeats are late.
    Stale,
    /// It has been silent for so long that somebody should go and see.
    Offline,
    /// It never told us anything.
    Unknown,
}

/// A state with what made it so, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assessment {
    pub state: State,
    pub reasons: Vec<String>,
}

/// What is known of one edge.
pub struct EdgeFacts<'a> {
    /// The last heartbeat and when it came, by our clock.
    pub heartbeat: Option<(&'a Heartbeat, DateTime<Utc>)>,
    /// When its last batch was committed.
    pub progress_at: Option<DateTime<Utc>>,
    /// Seqs that are neither here nor there.
    pub missing: i64,
    pub dead_letters_open: i64,
}

/// The state of one edge. `before`: what it was the last time, if that is known.
pub fn assess_edge(now: DateTime<Utc>, facts: &EdgeFacts<'_>, before: Option<&Assessment>) -> Assessment {
    let Some((heartbeat, heard_at)) = facts.heartbeat else {
        return match facts.progress_at {
            // It sends, but has not said anything of itself.
            Some(at) if now - at < STALE_AFTER => Assessment { state: State::Healthy, reasons: Vec::new() },
            Some(_) => said(State::Unknown, "sent events but never a heartbeat"),
            None => said(State::Unknown, "never heard of"),
        };
    };
    let silent = now - heard_at;
    let was = before.map_or(State::Healthy, |b| b.state);
    let late = if was >= State::Stale && was != State::Unknown { BACK_WITHIN } else { STALE_AFTER };
    let ago = describe(silent);
    let mut reasons = Vec::new();
    if facts.missing > 0 {
        reasons.push(format!("{} events it accepted are missing", facts.missing));
    }
    if silent > late {
        let state = if silent > OFFLINE_AFTER { State::Offline } else { State::Stale };
        let how = if heartbeat.stopping { "it stopped by plan" } else { "last heartbeat" };
        reasons.insert(0, format!("{how} {ago} ago"));
        let waiting = heartbeat.live.records + heartbeat.backlog.records;
        if waiting > 0 {
            reasons.push(format!("{waiting} events were waiting there then"));
        }
        return Assessment { state, reasons };
    }
    reasons.extend(own_reasons(heartbeat));
    reasons.extend(backlog_reasons(heartbeat));
    reasons.extend(skew_reason(heartbeat, heard_at, before));
    reasons.extend(camera_reasons(heartbeat));
    if facts.dead_letters_open > 0 {
        reasons.push(format!("{} dead letters wait for a decision", facts.dead_letters_open));
    }
    let state = if reasons.is_empty() { State::Healthy } else { State::Degraded };
    Assessment { state, reasons }
}

fn said(state: State, reason: &str) -> Assessment {
    Assessment { state, reasons: vec![reason.to_owned()] }
}

fn describe(time: TimeDelta) -> String {
    match time.num_seconds() {
        secs @ ..=119 => format!("{secs} s"),
        secs @ 120..=7_199 => format!("{} min", secs / 60),
        secs @ 7_200..=172_799 => format!("{} h", secs / 3_600),
        secs => format!("{} days", secs / 86_400),
    }
}

fn own_reasons(heartbeat: &Heartbeat) -> Vec<String> {
    if heartbeat.health.status == Status::Healthy {
        return Vec::new();
    }
    if heartbeat.health.reasons.is_empty() {
        return vec![format!("it calls itself {}", heartbeat.health.status.as_str())];
    }
    heartbeat.health.reasons.clone()
}

fn backlog_reasons(heartbeat: &Heartbeat) -> Vec<String> {
    let mut reasons = Vec::new();
    let backlog = &heartbeat.backlog;
    let old = backlog.oldest_age_ms.is_some_and(|ms| Duration::from_millis(ms) > BACKLOG_YOUNG);
    // Without Redis everything goes through the spill, and a few records there are in normal flight.
    if backlog.records > 0 && old && heartbeat.drain_seconds.is_none() {
        reasons.push(format!("its backlog of {} events is not draining", backlog.records));
    }
    if heartbeat.spill.full {
        reasons.push("its spill is full, cameras are refused".to_owned());
    }
    if heartbeat.redis == RedisReport::Weak {
        reasons.push("its Redis is not durable".to_owned());
    }
    if heartbeat.dead_letters > 0 {
        reasons.push(format!("it keeps {} damaged records aside", heartbeat.dead_letters));
    }
    reasons
}

const SKEW: &str = "its clock is ";

fn skew_reason(heartbeat: &Heartbeat, heard_at: DateTime<Utc>, before: Option<&Assessment>) -> Option<String> {
    let skew = heartbeat.sent_at - heard_at;
    let was = before.is_some_and(|b| b.reasons.iter().any(|r| r.starts_with(SKEW)));
    let limit = if was { SKEW_LEAVE } else { SKEW_MAX };
    (skew.abs() > limit).then(|| {
        let way = if skew > TimeDelta::zero() { "ahead" } else { "behind" };
        format!("{SKEW}{} {way}", describe(skew.abs()))
    })
}

/// Cameras are judged by the edge's own clock, on which they were seen.
fn camera_reasons(heartbeat: &Heartbeat) -> Vec<String> {
    let mut reasons = Vec::new();
    let silent: Vec<&str> = heartbeat
        .cameras
        .iter()
        .filter(|c| {
            let silent = heartbeat.sent_at - c.last_seen;
            silent > CAMERA_SILENT_AFTER && silent < CAMERA_GONE_AFTER
        })
        .map(|c| c.camera_id.as_str())
        .collect();
    let suspect: Vec<&str> =
        heartbeat.cameras.iter().filter(|c| c.clock_suspect).map(|c| c.camera_id.as_str()).collect();
    for (cameras, what) in [(silent, "silent"), (suspect, "sending impossible times")] {
        if let Some(first) = cameras.first() {
            let more = cameras.len() - 1;
            let others = if more > 0 { format!(" and {more} more") } else { String::new() };
            reasons.push(format!("camera {first}{others} {what}"));
        }
    }
    reasons
}

/// The state of a site: its worst edge's, with whose it is where there are several. An edge that is gone while others
/// work makes the site degraded, not offline.
pub fn assess_site(edges: &[(String, Assessment)]) -> Assessment {
    match edges {
        [] => said(State::Unknown, "no edge has a credential"),
        [(_, only)] => only.clone(),
        several => {
            let best = several.iter().map(|(_, a)| a.state).min().unwrap_or(State::Unknown);
            let worst = several.iter().map(|(_, a)| a.state).max().unwrap_or(State::Unknown);
            let state = if best <= State::Degraded && worst > State::Healthy { State::Degraded } else { best };
            let reasons = several
                .iter()
                .flat_map(|(name, a)| a.reasons.iter().map(move |reason| format!("{name}: {reason}")))
                .collect();
            Assessment { state, reasons }
        }
    }
}

/// What each edge was at the last look, for the hysteresis.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<Uuid, Assessment>>);

impl Memory {
    /// Assesses an edge in the light of what it was.
    pub fn assess(&self, edge: Uuid, now: DateTime<Utc>, facts: &EdgeFacts<'_>) -> Assessment {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let assessment = assess_edge(now, facts, known.get(&edge));
        known.insert(edge, assessment.clone());
        assessment
    }
}

// A heartbeat that comes as often as agreed is never late.
const _: () = assert!(HEARTBEAT_INTERVAL_SECS < 15);

#[cfg(test)]
mod tests;
