//! Alerts about SmartPick itself: a camera that fell silent or whose clock is wrong, a buffer that fills, a disk that
//! runs low, headquarters out of reach. Pure: what is known comes as [`Findings`], what follows goes out as changes.
//!
//! Each thing watched is at any look *bad*, *good*, or neither. An alert is raised once it has been bad for its time,
//! and cleared only after it has been good for [`CALM_AFTER`] without a break. What flaps faster than that is one
//! episode, however often it comes and goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::alert::{Severity, Subject, alert_id};
use common::ids::ZoneId;
use common::protocol::CameraReport;

use super::{Change, Episode, last_known};
use crate::buffer::{Probe, SpillStats};
use crate::forward::Link;

pub use common::rules::{BUFFER_FILLING, CAMERA_CLOCK, CAMERA_SILENT, DISK_LOW, SYSTEM as RULES, WAN_DOWN};

/// Good for this long is over. A link that comes and goes within a minute is not usable meanwhile.
pub const CALM_AFTER: TimeDelta = TimeDelta::seconds(60);
/// A camera that nobody has repaired in a week is no longer there.
const CAMERA_REMOVED_AFTER: TimeDelta = TimeDelta::days(7);
/// The buffer must come this far below the mark, as a share of what it can hold, to count as good.
const FILLING_HYSTERESIS: f64 = 0.1;
/// The disk must have this many times the mark free to count as good.
const DISK_HYSTERESIS: f64 = 1.25;
/// Things about cameras watched at once: two for each of the thousand that are remembered. Beyond it, made-up cameras
/// get no alert.
const WATCHED_MAX: usize = 2_000;

/// From where on something is bad, as the site wants it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Zero: cameras may be silent.
    pub camera_silent_after: Duration,
    pub wan_down_after: Duration,
    /// Share of what the spill can hold that is in use, 0 to 1.
    pub buffer_filling_at: f64,
    /// Bytes free on the disk.
    pub disk_low_bytes: u64,
}

/// What the stages know.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    pub cameras: Vec<CameraReport>,
    /// `None`: not looked yet.
    pub spill: Option<SpillStats>,
    /// `None`: no central is configured.
    pub link: Option<Link>,
}

impl Findings {
    pub fn new(cameras: Vec<CameraReport>, probe: &Probe, link: Option<Link>) -> Self {
        let spill = Some(probe.spill.clone()).filter(|spill| spill.bytes_max > 0);
        Self { cameras, spill, link }
    }
}

/// What is watched: the rule, and the camera where there are several.
type Key = (&'static str, Option<Arc<str>>);

/// How it is at one look.
enum Reading {
    Bad {
        since: DateTime<Utc>,
        /// How long that must last before it is told.
        patience: TimeDelta,
        severity: Severity,
        zone_id: Option<ZoneId>,
        summary: String,
    },
    Good,
    /// Not known, or between the two marks: everything stays as it is.
    Neither,
}

/// What has been bad and not yet good for long enough.
struct Watched {
    bad_since: DateTime<Utc>,
    good_since: Option<DateTime<Utc>>,
    open: Option<Episode>,
}

/// The watch. See the module.
pub struct Watch {
    thresholds: Thresholds,
    watched: BTreeMap<Key, Watched>,
    /// Alerts resumed that are about nothing we watch; the next look clears them.
    orphans: Vec<Episode>,
}

impl Watch {
    pub const fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, watched: BTreeMap::new(), orphans: Vec::new() }
    }

    /// Goes by these from the next look on.
    pub const fn thresholds(&mut self, thresholds: Thresholds) {
        self.thresholds = thresholds;
    }

    /// Looks at everything; adds to `changes` what follows. To be called about once a second.
    pub fn look(&mut self, now: DateTime<Utc>, findings: &Findings, changes: &mut Vec<Change>) {
        for mut orphan in self.orphans.drain(..) {
            orphan.ended_at = Some(last_known(&orphan));
            changes.push(Change::Cleared(orphan));
        }
        let mut looked_at = BTreeSet::new();
        for (key, reading) in self.readings(now, findings) {
            looked_at.insert(key.clone());
            self.take(key, reading, now, changes);
        }
        // A camera nobody has heard of since the edge started may still come; in a week it will not.
        let missing = |(key, watched): (&Key, &Watched)| {
            let gone = !looked_at.contains(key) && now - watched.bad_since >= CAMERA_REMOVED_AFTER;
            gone.then(|| key.clone())
        };
        let gone: Vec<Key> = self.watched.iter().filter_map(missing).collect();
        for key in gone {
            self.take(key, Reading::Good, now, changes);
        }
    }

    /// Takes over an alert that was open when the last run ended.
    pub fn resume(&mut self, episode: Episode) {
        let rule = RULES.into_iter().find(|rule| *episode.rule == **rule);
        let of_camera = rule.is_some_and(|rule| rule == CAMERA_SILENT || rule == CAMERA_CLOCK);
        match rule.map(|rule| (rule, episode.camera_id.clone())) {
            Some(key) if of_camera == key.1.is_some() && !self.watched.contains_key(&key) => {
                let bad_since = episode.started_at;
                self.watched.insert(key, Watched { bad_since, good_since: None, open: Some(episode) });
            }
            _ => self.orphans.push(episode),
        }
    }

    /// Alerts open now.
    pub fn open(&self) -> usize {
        self.watched.values().filter(|watched| watched.open.is_some()).count()
    }

    fn readings(&self, now: DateTime<Utc>, findings: &Findings) -> Vec<(Key, Reading)> {
        let mut readings = vec![
            ((WAN_DOWN, None), self.wan(findings.link.as_ref())),
            ((BUFFER_FILLING, None), findings.spill.as_ref().map_or(Reading::Neither, |spill| self.buffer(spill, now))),
            ((DISK_LOW, None), findings.spill.as_ref().map_or(Reading::Neither, |spill| self.disk(spill, now))),
        ];
        for camera in &findings.cameras {
            let name: Arc<str> = camera.camera_id.as_str().into();
            readings.push(((CAMERA_SILENT, Some(Arc::clone(&name))), self.silence(camera, now)));
            readings.push(((CAMERA_CLOCK, Some(name)), clock(camera)));
        }
        readings
    }

    fn wan(&self, link: Option<&Link>) -> Reading {
        match link.and_then(|link| link.failing.as_ref()) {
            Some((since, _)) => Reading::Bad {
                since: *since,
                patience: delta(self.thresholds.wan_down_after),
                severity: Severity::Warning,
                zone_id: None,
                summary: "Headquarters cannot be reached; events are kept safe on this box".to_owned(),
            },
            None => Reading::Good,
        }
    }

    fn buffer(&self, spill: &SpillStats, now: DateTime<Utc>) -> Reading {
        // Of what it can hold, which may be less than its budget where the disk is small.
        let used = spill.bytes_used as f64 / (spill.bytes_used + spill.bytes_free).max(1) as f64;
        let mark = self.thresholds.buffer_filling_at;
        if spill.full || used >= mark {
            let percent = (used * 100.0).floor();
            let (severity, summary) = if spill.full {
                (Severity::Critical, "The buffer on disk is full; cameras are told to wait".to_owned())
            } else {
                (Severity::Warning, format!("The buffer on disk is {percent} % full"))
            };
            return Reading::Bad { since: now, patience: TimeDelta::zero(), severity, zone_id: None, summary };
        }
        if used < mark - FILLING_HYSTERESIS { Reading::Good } else { Reading::Neither }
    }

    fn disk(&self, spill: &SpillStats, now: DateTime<Utc>) -> Reading {
        let (free, mark) = (spill.disk_bytes_free, self.thresholds.disk_low_bytes);
        if free < mark {
            let summary = format!("Only {:.1} GiB of disk are free on this box", free as f64 / f64::from(1 << 30));
            let severity = Severity::Critical;
            return Reading::Bad { since: now, patience: TimeDelta::zero(), severity, zone_id: None, summary };
        }
        if free as f64 >= mark as f64 * DISK_HYSTERESIS { Reading::Good } else { Reading::Neither }
    }

    fn silence(&self, camera: &CameraReport, now: DateTime<Utc>) -> Reading {
        let (silent, most) = (now - camera.last_seen, delta(self.thresholds.camera_silent_after));
        if most.is_zero() || silent < most || silent >= CAMERA_REMOVED_AFTER {
            return Reading::Good;
        }
        Reading::Bad {
            since: camera.last_seen,
            patience: TimeDelta::zero(),
            severity: Severity::Warning,
            zone_id: Some(camera.zone_id),
            summary: format!("Camera {} has sent nothing; its zone is not watched", camera.camera_id),
        }
    }

    fn take(&mut self, key: Key, reading: Reading, now: DateTime<Utc>, changes: &mut Vec<Change>) {
        match reading {
            Reading::Neither => {
                if let Some(watched) = self.watched.get_mut(&key) {
                    watched.good_since = None;
                }
            }
            Reading::Good => {
                let Some(watched) = self.watched.get_mut(&key) else { return };
                // What was never told of may be flapping too, so it also must stay good before it is forgotten.
                let good_since = *watched.good_since.get_or_insert(now);
                if now - good_since < CALM_AFTER {
                    return;
                }
                if let Some(episode) = self.watched.remove(&key).and_then(|watched| watched.open) {
                    changes.push(Change::Cleared(Episode { ended_at: Some(good_since), ..episode }));
                }
            }
            Reading::Bad { since, patience, severity, zone_id, summary } => {
                let of_camera = key.1.is_some();
                if of_camera && self.watched.len() >= WATCHED_MAX && !self.watched.contains_key(&key) {
                    return;
                }
                let watched = self.watched.entry(key.clone()).or_insert(Watched {
                    bad_since: since,
                    good_since: None,
                    open: None,
                });
                watched.good_since = None;
                match &mut watched.open {
                    Some(open) if open.summary != summary || open.severity != severity => {
                        (open.summary, open.severity) = (summary, severity);
                        changes.push(Change::Updated(open.clone()));
                    }
                    Some(_) => {}
                    None if now - watched.bad_since >= patience => {
                        let episode = episode(&key, watched.bad_since, now, severity, zone_id, summary);
                        watched.open = Some(episode.clone());
                        changes.push(Change::Raised(episode));
                    }
                    None => {}
                }
            }
        }
    }
}

/// Since when is not known: it is as its last event was.
fn clock(camera: &CameraReport) -> Reading {
    if !camera.clock_suspect {
        return Reading::Good;
    }
    Reading::Bad {
        since: camera.last_seen,
        patience: TimeDelta::zero(),
        severity: Severity::Notice,
        zone_id: Some(camera.zone_id),
        summary: format!(
            "The clock of camera {} is wrong, so its events count at the time they came; check its NTP",
            camera.camera_id
        ),
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn episode(
    (rule, camera): &Key,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
    severity: Severity,
    zone_id: Option<ZoneId>,
    summary: String,
) -> Episode {
    let scope = camera.as_ref().map_or_else(|| "edge".to_owned(), |camera| format!("camera {camera}"));
    Episode {
        alert_id: alert_id(rule, &scope, started_at),
        subject: Subject::System,
        rule: Arc::from(*rule),
        severity,
        zone_id,
        camera_id: camera.clone(),
        worker_id: None,
        started_at,
        raised_at: now,
        ended_at: None,
        latest: None,
        peak: None,
        peak_at: None,
        posture: None,
        curve: Vec::new(),
        events: 0,
        episodes: 1,
        summary,
    }
}

#[cfg(test)]
mod tests;
