//! The present of the fleet: a row per site, the open alerts, the rate. Bounded, and without clock or I/O.
//!
//! Everything is kept as the JSON text it was published with, so that a snapshot is put together and nothing is
//! serialised twice.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::live::{Changes, Topics, Words, to_json};
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use crate::api::alerts::View;
use crate::completeness;
use crate::fleet::{Code, FleetSnapshot, Outdated, SiteRow, State};

/// Figures of a site that change with each heartbeat are told this often; what matters is told at once. With 500 sites these
/// are 50 changes a second, which a screen can take.
const FIGURES_EVERY: Duration = Duration::from_secs(10);

/// One kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Sites,
    Alerts,
    Rates,
}

impl common::live::Topic for Topic {
    const ALL: &'static [Self] = &[Self::Sites, Self::Alerts, Self::Rates];

    fn as_str(self) -> &'static str {
        match self {
            Self::Sites => "sites",
            Self::Alerts => "alerts",
            Self::Rates => "rates",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// The present of the fleet, and those who watch it.
pub type Hub = common::live::Hub<Present>;

/// A hub for so many clients.
pub fn hub(clients_max: usize) -> Hub {
    let words = Words {
        goodbye: "this headquarters stops; come back",
        stopping: "this headquarters is about to stop; try again",
        try_instead: "connect with `Upgrade: websocket`, or ask /api/v1/fleet/health",
    };
    Hub::new(Present::default(), clients_max, words)
}

/// What of a row is told as soon as it changes.
#[derive(PartialEq)]
struct Matters {
    name: Option<String>,
    state: State,
    codes: Vec<Code>,
    edges: (usize, usize),
    alerts: (i64, i64),
    dead_letters_open: i64,
    missing: i64,
    completeness: completeness::State,
}

impl Matters {
    fn of(row: &SiteRow) -> Self {
        Self {
            name: row.name.clone(),
            state: row.state,
            codes: row.reason_codes.clone(),
            edges: (row.edges, row.edges_silent),
            alerts: (row.alerts_open, row.alerts_unacknowledged),
            dead_letters_open: row.dead_letters_open,
            missing: row.missing,
            completeness: row.completeness.state,
        }
    }
}

struct Site {
    matters: Matters,
    json: String,
    /// Whether the screens have been told of `json`, and when they were last told anything of this site.
    told: bool,
    told_at: Instant,
}

/// Whose alert, and which.
pub type AlertKey = (Uuid, Uuid);

/// See the module.
#[derive(Default)]
pub struct Present {
    sites: HashMap<Uuid, Site>,
    /// What should be seen to first comes first.
    order: Vec<Uuid>,
    alerts: HashMap<AlertKey, (DateTime<Utc>, String)>,
    rates: String,
}

#[derive(Serialize)]
struct Rates<'a> {
    events_per_second: f64,
    /// Headquarters itself cannot look: since when, and why.
    outdated: Option<&'a Outdated>,
}

/// A snapshot of the fleet takes the place of the one before.
pub fn tell_fleet(changes: &mut Changes<'_, Present>, fleet: &FleetSnapshot, now: Instant) {
    let mut gone = std::mem::take(&mut changes.present().order);
    gone.retain(|id| fleet.site(*id).is_none());
    for id in gone {
        changes.present().sites.remove(&id);
        changes.push(Topic::Sites, "gone", &format!("\"{id}\""));
    }
    for site in &fleet.sites {
        let (id, matters) = (site.row.warehouse_id, Matters::of(&site.row));
        let Some(json) = to_json(&site.row) else { continue };
        let present = changes.present();
        present.order.push(id);
        let known = present.sites.get(&id);
        let news = known.is_none_or(|known| known.matters != matters);
        let told = known.is_some_and(|known| known.told && known.json == json);
        let due = known.is_none_or(|known| now.duration_since(known.told_at) >= FIGURES_EVERY);
        let tell = news || (!told && due);
        let told_at = known.filter(|_| !tell).map_or(now, |known| known.told_at);
        present.sites.insert(id, Site { matters, json: json.clone(), told: told || tell, told_at });
        if tell {
            changes.push(Topic::Sites, "site", &json);
        }
    }
    let rates = Rates { events_per_second: fleet.events_per_second, outdated: fleet.outdated.as_ref() };
    if let Some(json) = to_json(&rates).filter(|json| *json != changes.present().rates) {
        changes.push(Topic::Rates, "rates", &json);
        changes.present().rates = json;
    }
}

/// The open alerts take the place of those before; answers those that are no longer among them.
pub fn tell_open(changes: &mut Changes<'_, Present>, open: &[View]) -> Vec<AlertKey> {
    let mut before = std::mem::take(&mut changes.present().alerts);
    for view in open {
        let key = (view.warehouse_id, view.alert_id);
        let known = before.remove(&key);
        let Some(json) = to_json(view) else { continue };
        if known.is_none_or(|(_, known)| known != json) {
            changes.push(Topic::Alerts, "alert", &json);
        }
        changes.present().alerts.insert(key, (view.raised_at, json));
    }
    before.into_keys().collect()
}

/// Alerts that are no longer among the open ones, as they are now.
pub fn tell_gone(changes: &mut Changes<'_, Present>, gone: &[AlertKey], now: &[View]) {
    for (warehouse_id, alert_id) in gone {
        match now.iter().find(|view| (view.warehouse_id, view.alert_id) == (*warehouse_id, *alert_id)) {
            // One that is still open is only too old for the screens.
            Some(view) if view.ended_at.is_some() => {
                if let Some(json) = to_json(view) {
                    changes.push(Topic::Alerts, "alert", &json);
                }
            }
            Some(_) | None => changes.push(Topic::Alerts, "gone", &format!("\"{alert_id}\"")),
        }
    }
}

impl common::live::Present for Present {
    type Topic = Topic;

    /// The members `sites`, `alerts` and `rates`.
    fn write(&mut self, topics: Topics<Topic>, _now: DateTime<Utc>, out: &mut String) {
        if topics.has(Topic::Sites) {
            let rows = self.order.iter().filter_map(|id| self.sites.get(id));
            write_list("sites", rows.map(|site| &site.json), out);
        }
        if topics.has(Topic::Alerts) {
            let mut alerts: Vec<_> = self.alerts.iter().collect();
            alerts.sort_unstable_by_key(|(key, (raised_at, _))| (std::cmp::Reverse(*raised_at), **key));
            write_list("alerts", alerts.into_iter().map(|(_, (_, json))| json), out);
        }
        if topics.has(Topic::Rates) {
            out.push_str(",\"rates\":");
            out.push_str(if self.rates.is_empty() { "null" } else { &self.rates });
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

#[cfg(test)]
mod tests;
