//! The present: all that a screen which has just come needs to know. Bounded, and without clock or I/O.
//!
//! Everything is kept as the JSON text it was published with, so that a snapshot is put together and nothing is
//! serialised twice.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use common::alert::ShiftSnapshotEvent;
use common::ids::{AlertId, ZoneId};

use super::topics::{Topic, Topics};
use crate::alerts::{AlertView, State};

/// Alerts a screen is shown at most; more than anyone reads, and its list stays usable. The rest is in the history.
pub const ALERTS_MAX: usize = 1_000;
/// How long an alert that is over stays on the screens.
const CLEARED_FOR: TimeDelta = TimeDelta::hours(1);
/// Cameras shown at most; beyond it the one silent longest goes. A site has tens, and a client that makes up names must
/// not fill memory.
const CAMERAS_MAX: usize = 1_000;

struct Alert {
    revision: u32,
    raised_at: DateTime<Utc>,
    /// When it was over; `None` while it is open.
    over_at: Option<DateTime<Utc>>,
    json: String,
}

struct Camera {
    event_time: DateTime<Utc>,
    json: String,
}

/// See the module.
#[derive(Default)]
pub struct Present {
    alerts: HashMap<AlertId, Alert>,
    cameras: BTreeMap<(ZoneId, String), Camera>,
    health: Option<String>,
}

impl Present {
    /// Takes an alert as it is now. `false` if a newer revision of it is known, so that this is no news.
    pub fn alert(&mut self, alert: &AlertView, json: &str, now: DateTime<Utc>) -> bool {
        if self.alerts.get(&alert.alert_id).is_some_and(|known| known.revision > alert.revision) {
            return false;
        }
        let over_at = (alert.state == State::Cleared).then(|| alert.ended_at.unwrap_or(alert.raised_at));
        let (revision, raised_at) = (alert.revision, alert.raised_at);
        self.alerts.insert(alert.alert_id, Alert { revision, raised_at, over_at, json: json.to_owned() });
        if self.alerts.len() > ALERTS_MAX {
            self.forget_cleared(now);
        }
        if self.alerts.len() > ALERTS_MAX {
            // What is over goes before what is open, the oldest first.
            let least =
                self.alerts.iter().min_by_key(|(_, held)| (held.over_at.is_none(), held.over_at, held.raised_at));
            let least = least.map(|(id, _)| *id);
            least.and_then(|id| self.alerts.remove(&id));
        }
        true
    }

    /// Takes the latest event of a camera in a zone. `false` if a later one is known already.
    pub fn snapshot(&mut self, event: &ShiftSnapshotEvent, json: &str) -> bool {
        let key = (event.zone_id, event.camera_id.clone());
        if self.cameras.get(&key).is_some_and(|known| known.event_time > event.event_time) {
            return false;
        }
        self.cameras.insert(key, Camera { event_time: event.event_time, json: json.to_owned() });
        if self.cameras.len() > CAMERAS_MAX {
            let oldest = self.cameras.iter().min_by_key(|(_, held)| held.event_time).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.cameras.remove(&key));
        }
        true
    }

    pub fn health(&mut self, json: &str) {
        self.health = Some(json.to_owned());
    }

    fn forget_cleared(&mut self, now: DateTime<Utc>) {
        self.alerts.retain(|_, held| held.over_at.is_none_or(|at| now - at <= CLEARED_FOR));
    }
}

impl common::live::Present for Present {
    type Topic = Topic;

    /// The members `alerts`, `snapshots` and `health`.
    fn write(&mut self, topics: Topics, now: DateTime<Utc>, out: &mut String) {
        if topics.has(Topic::Alerts) {
            self.forget_cleared(now);
            let mut alerts: Vec<(&AlertId, &Alert)> = self.alerts.iter().collect();
            alerts.sort_unstable_by_key(|(id, held)| (Reverse(held.raised_at), **id));
            write_list("alerts", alerts.into_iter().map(|(_, held)| &held.json), out);
        }
        if topics.has(Topic::Snapshots) {
            write_list("snapshots", self.cameras.values().map(|held| &held.json), out);
        }
        if topics.has(Topic::Health) {
            out.push_str(",\"health\":");
            out.push_str(self.health.as_deref().unwrap_or("null"));
        }
    }
}

fn write_list<'a>(name: &str, items: impl Iterator<Item = &'a String>, out: &mut String) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":[");
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(item);
    }
    out.push(']');
}
