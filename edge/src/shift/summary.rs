//! What a shift amounts to, from its minutes and its alerts. Pure.
//!
//! No data is never no risk: beside each figure stands its coverage, the share of expected camera-minutes in which at
//! least one event arrived. It is `None` where nothing can be said: before the first event ever, where no camera is
//! expected, and while no minute of the shift is complete. What it cannot know:
//! - a camera that sends nothing while nobody is in view looks like one that is dead, so an empty aisle lowers it;
//! - a minute with a single event counts as covered;
//! - without `[[site.cameras]]`, a camera that has never sent is not missed, nor one that has been dead for a week, and a
//!   new one is expected from its first event on;
//! - events that the floor had no room for (`unevaluated` in health) are stored and forwarded, but are not in here;
//! - events still on their way from a camera that was cut off count once they arrive, in the minute they are of.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use common::event::Hundredths;
use common::ids::ZoneId;
use serde::Serialize;
use utoipa::ToSchema;

use super::Occurrence;
use crate::alerts::history::{Found, KnownCamera, Minute, Silences};
use crate::alerts::view;
use crate::site::Site;

/// Cameras in a summary: those with the most time at risk.
const CAMERAS_TOP: usize = 10;
/// A camera that was heard of within this many minutes (a week) is expected, if the configuration lists none.
const EXPECTED_FOR_MINUTES: i64 = 7 * 24 * 60;
/// A minute is complete this long after its end: figures reach the disk every five seconds.
const COMPLETE_AFTER: TimeDelta = TimeDelta::seconds(10);

/// What is known of a shift.
pub struct Known<'k> {
    pub shift: Occurrence,
    pub minutes: Vec<Minute>,
    /// All cameras that are remembered, also from other shifts.
    pub cameras: Vec<KnownCamera>,
    /// Risk alerts raised in the shift.
    pub alerts: Vec<Found>,
    pub system_alerts: u64,
    pub silences: &'k Silences,
    pub site: &'k Site,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ShiftSummary)]
pub struct Summary {
    pub shift: ShiftView,
    pub events: u64,
    /// Share of expected camera-minutes with data, 0 to 1.
    pub coverage: Option<f64>,
    /// What coverage says and cannot say here.
    pub coverage_note: String,
    /// Most time at risk first.
    pub zones: Vec<ZoneFigures>,
    /// Those with the most time at risk.
    pub cameras: Vec<CameraFigures>,
    pub alerts: AlertFigures,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ShiftView {
    #[serde(flatten)]
    pub occurrence: Occurrence,
    pub running: bool,
}

/// Seconds in which any camera of the zone saw somebody, and saw them at risk.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ZoneFigures {
    pub zone_id: ZoneId,
    pub zone: Option<String>,
    pub events: u64,
    pub coverage: Option<f64>,
    pub seconds_at_risk: u64,
    pub seconds_observed: u64,
    pub alerts: u64,
    /// Highest score, 0 to 100; `None` without events.
    pub peak: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CameraFigures {
    pub camera_id: String,
    pub camera: Option<String>,
    pub zone_id: Option<ZoneId>,
    pub events: u64,
    pub coverage: Option<f64>,
    pub seconds_at_risk: u64,
    pub seconds_observed: u64,
    pub alerts: u64,
    pub peak: Option<f64>,
}

/// Risk alerts raised in the shift, and what became of them until now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct AlertFigures {
    pub raised: u64,
    pub acknowledged: u64,
    pub cleared: u64,
    pub silenced: u64,
    /// From the alert on a screen to the first acknowledgement.
    pub median_seconds_to_acknowledge: Option<f64>,
    /// Beside them, alerts about SmartPick itself.
    pub system: u64,
}

/// Sums over minutes.
#[derive(Default)]
struct Sum {
    events: u64,
    seconds_at_risk: u64,
    seconds_observed: u64,
    peak: Option<Hundredths>,
}

impl Sum {
    fn add(&mut self, events: u64, observed: u64, at_risk: u64, peak: Hundredths) {
        self.events += events;
        self.seconds_observed += u64::from(observed.count_ones());
        self.seconds_at_risk += u64::from(at_risk.count_ones());
        self.peak = self.peak.max(Some(peak));
    }

    fn peak(&self) -> Option<f64> {
        self.peak.map(Hundredths::as_f64)
    }
}

/// A camera that should have sent in some minutes, and in how many it did.
struct Expected {
    camera_id: String,
    zone_id: Option<ZoneId>,
    minutes: u64,
    covered: u64,
}

fn share<'e>(expected: impl IntoIterator<Item = &'e Expected>) -> Option<f64> {
    let (covered, minutes) =
        expected.into_iter().fold((0, 0), |(covered, minutes), one| (covered + one.covered, minutes + one.minutes));
    (minutes > 0).then(|| covered as f64 / minutes as f64)
}

/// Minutes since 1970.
pub fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}

/// The summary as of `now`.
pub fn summarize(known: &Known<'_>, now: DateTime<Utc>) -> Summary {
    let expected = expected(known, now);
    let coverage = share(&expected);
    Summary {
        shift: ShiftView { occurrence: known.shift.clone(), running: known.shift.contains(now) },
        events: known.minutes.iter().map(|minute| minute.events).sum(),
        coverage,
        coverage_note: note(known, &expected, coverage),
        zones: zones(known, &expected),
        cameras: cameras(known, &expected),
        alerts: alerts(known, now),
    }
}

fn expected(known: &Known<'_>, now: DateTime<Utc>) -> Vec<Expected> {
    // Before the first event ever, the cameras may not even be connected.
    if known.cameras.is_empty() {
        return Vec::new();
    }
    let (from, to) = (minute_of(known.shift.from), minute_of(known.shift.to));
    let until = to.min(minute_of(now - COMPLETE_AFTER));
    // A camera that moved is where it was last.
    let mut seen: BTreeMap<&str, (i64, i64, ZoneId)> = BTreeMap::new();
    for one in &known.cameras {
        let held = seen.entry(&one.camera_id).or_insert((one.first_minute, one.last_minute, one.zone_id));
        held.0 = held.0.min(one.first_minute);
        if one.last_minute > held.1 {
            (held.1, held.2) = (one.last_minute, one.zone_id);
        }
    }
    let listed = &known.site.config.cameras;
    let wanted: Vec<(&str, Option<ZoneId>, i64)> = if listed.is_empty() {
        let lately = seen.iter().filter(|(_, (first, last, _))| *last >= to - EXPECTED_FOR_MINUTES && *first < to);
        lately.map(|(camera, (first, _, zone))| (*camera, Some(*zone), from.max(*first))).collect()
    } else {
        let zone_of = |camera: &str| seen.get(camera).map(|(_, _, zone)| *zone);
        listed.iter().map(|c| (c.camera_id.as_str(), zone_of(&c.camera_id).or(c.zone_id), from)).collect()
    };
    let mut covered: HashMap<&str, HashSet<i64>> = HashMap::new();
    for minute in known.minutes.iter().filter(|minute| minute.observed != 0) {
        covered.entry(&minute.camera_id).or_default().insert(minute.minute);
    }
    wanted
        .into_iter()
        .map(|(camera_id, zone_id, from)| {
            let inside = |minutes: &HashSet<i64>| minutes.iter().filter(|at| (from..until).contains(at)).count();
            Expected {
                camera_id: camera_id.to_owned(),
                zone_id,
                minutes: u64::try_from(until - from).unwrap_or(0),
                covered: covered.get(camera_id).map_or(0, inside) as u64,
            }
        })
        .collect()
}

fn note(known: &Known<'_>, expected: &[Expected], coverage: Option<f64>) -> String {
    let mut note = if known.cameras.is_empty() {
        "No event has ever arrived, so nothing is known of this shift.".to_owned()
    } else if expected.is_empty() {
        "No camera has sent anything for a week, so none is expected; list them under [[site.cameras]].".to_owned()
    } else if coverage.is_none() {
        "No minute of this shift is complete yet.".to_owned()
    } else {
        let (covered, minutes) = expected.iter().fold((0, 0), |(c, m), one| (c + one.covered, m + one.minutes));
        let of = if known.site.config.cameras.is_empty() { "seen within seven days" } else { "configured" };
        format!(
            "{covered} of {minutes} camera-minutes of the {} cameras {of} have data; of the others nothing is known.",
            expected.len()
        )
    };
    if coverage.is_some_and(|share| share < 1.0) {
        // Writing to a string cannot fail.
        write!(note, " A camera that sends nothing while nobody is in view cannot be told from one that is dead.").ok();
    }
    note
}

fn zones(known: &Known<'_>, expected: &[Expected]) -> Vec<ZoneFigures> {
    // Seconds of several cameras are laid over each other before they are counted.
    let mut laid: BTreeMap<(ZoneId, i64), (u64, u64, u64, Hundredths)> = BTreeMap::new();
    for one in &known.minutes {
        let cell = laid.entry((one.zone_id, one.minute)).or_insert((0, 0, 0, one.peak));
        *cell = (cell.0 + one.events, cell.1 | one.observed, cell.2 | one.at_risk, cell.3.max(one.peak));
    }
    let mut sums: BTreeMap<ZoneId, Sum> = BTreeMap::new();
    for ((zone, _), (events, observed, at_risk, peak)) in laid {
        sums.entry(zone).or_default().add(events, observed, at_risk, peak);
    }
    let named = known.site.config.zones.iter().map(|zone| zone.zone_id);
    let others = expected.iter().filter_map(|one| one.zone_id);
    for zone in named.chain(others).chain(known.alerts.iter().filter_map(|found| found.kept.event.zone_id)) {
        sums.entry(zone).or_default();
    }
    let mut zones: Vec<ZoneFigures> = sums
        .into_iter()
        .map(|(zone_id, sum)| ZoneFigures {
            zone_id,
            zone: known.site.zone(zone_id).map(str::to_owned),
            events: sum.events,
            coverage: share(expected.iter().filter(|one| one.zone_id == Some(zone_id))),
            seconds_at_risk: sum.seconds_at_risk,
            seconds_observed: sum.seconds_observed,
            alerts: known.alerts.iter().filter(|found| found.kept.event.zone_id == Some(zone_id)).count() as u64,
            peak: sum.peak(),
        })
        .collect();
    zones.sort_by_key(|zone| std::cmp::Reverse((zone.seconds_at_risk, zone.alerts, zone.events)));
    zones
}

fn cameras(known: &Known<'_>, expected: &[Expected]) -> Vec<CameraFigures> {
    let mut sums: BTreeMap<&str, (Option<ZoneId>, Sum)> = BTreeMap::new();
    for one in expected {
        sums.insert(&one.camera_id, (one.zone_id, Sum::default()));
    }
    for one in &known.minutes {
        let (zone, sum) = sums.entry(&one.camera_id).or_default();
        zone.get_or_insert(one.zone_id);
        sum.add(one.events, one.observed, one.at_risk, one.peak);
    }
    let mut cameras: Vec<CameraFigures> = sums
        .into_iter()
        .map(|(camera_id, (zone_id, sum))| {
            let own = |found: &&Found| found.kept.event.camera_id.as_deref() == Some(camera_id);
            CameraFigures {
                camera_id: camera_id.to_owned(),
                camera: known.site.camera(camera_id).map(str::to_owned),
                zone_id,
                events: sum.events,
                coverage: share(expected.iter().filter(|one| one.camera_id == camera_id)),
                seconds_at_risk: sum.seconds_at_risk,
                seconds_observed: sum.seconds_observed,
                alerts: known.alerts.iter().filter(own).count() as u64,
                peak: sum.peak(),
            }
        })
        .collect();
    cameras.sort_by_key(|camera| std::cmp::Reverse((camera.seconds_at_risk, camera.alerts, camera.events)));
    cameras.truncate(CAMERAS_TOP);
    cameras
}

fn alerts(known: &Known<'_>, now: DateTime<Utc>) -> AlertFigures {
    let count = |wanted: &dyn Fn(&Found) -> bool| known.alerts.iter().filter(|found| wanted(found)).count() as u64;
    let mut waits: Vec<f64> = known
        .alerts
        .iter()
        .filter_map(|found| {
            let at = view::acknowledged(&found.kept, &found.facts)?.at;
            Some((at - found.kept.seen_at).as_seconds_f64().max(0.0))
        })
        .collect();
    waits.sort_by(f64::total_cmp);
    let middle = waits.len() / 2;
    let median = match waits.len() {
        0 => None,
        count if count % 2 == 1 => Some(waits[middle]),
        _ => Some(f64::midpoint(waits[middle - 1], waits[middle])),
    };
    AlertFigures {
        raised: known.alerts.len() as u64,
        acknowledged: waits.len() as u64,
        cleared: count(&|found| found.kept.cleared_at.is_some()),
        silenced: count(&|found| view::silence(&found.kept, known.silences, now).is_some()),
        median_seconds_to_acknowledge: median,
        system: known.system_alerts,
    }
}

#[cfg(test)]
mod tests;
