//! The alerts of the present: what is open, and what was cleared within the hour. The floor's memory; whatever the
//! history does, this is right. Pure: the floor hands in changes and facts, and carries out what is to be shown and
//! kept.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::alert::{AlertEvent, Curve, Fact, Subject};
use common::event::Hundredths;
use common::ids::{AlertId, EdgeId, WarehouseId};

use super::history::{Found, Kept, Silences};
use super::rules::Rule;
use super::{AlertView, Change, Episode, last_known, view};
use crate::site::Site;

/// How long a cleared alert stays.
pub const CLEARED_SHOWN: TimeDelta = TimeDelta::hours(1);
/// Alerts that were over for longer than this when their events arrived are history, not news.
const LATE_AFTER: TimeDelta = TimeDelta::seconds(60);
/// Alerts held, more than the engine can have open. Beyond it the oldest cleared ones go, kept or not.
const ALERTS_MAX: usize = 5_000;

/// Headquarters hears of a peak that has grown by so much, in hundredths: its figure is never far below the floor's, and an alert
/// is told twenty times for it at most.
const PEAK_STEP: u16 = 500;

/// How urgently an alert is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Save {
    /// It is on disk like this.
    Done,
    /// It has only grown: some time will do.
    Later,
    /// Raised, cleared, or risen by a step: now, and headquarters is told.
    Now,
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    facts: Vec<Fact>,
    save: Save,
    /// The peak that headquarters was last told.
    told_peak: u16,
    /// What was last shown.
    shown: Option<AlertView>,
    /// It may look different since.
    touched: bool,
    /// The history has this alert already, over at that time: the same events came once more. Nothing is shown or
    /// kept unless it turns out to last longer.
    again: Option<DateTime<Utc>>,
}

impl Entry {
    /// As the history has it, which may know a higher peak than headquarters by less than a step.
    fn of_history(Found { kept, facts }: Found, again: Option<DateTime<Utc>>) -> Self {
        let told_peak = raw(kept.event.peak.and_then(|peak| Hundredths::round(peak, 100)));
        Self { kept, facts, save: Save::Done, told_peak, shown: None, touched: true, again }
    }
}

fn raw(peak: Option<Hundredths>) -> u16 {
    peak.map_or(0, Hundredths::raw)
}

/// Who we are, for headquarters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity {
    pub warehouse_id: Option<WarehouseId>,
    pub edge_id: Option<EdgeId>,
}

/// See the module.
pub struct Board {
    site: Arc<Site>,
    identity: Identity,
    /// Of each rule, with its clear level.
    thresholds: HashMap<String, (Hundredths, Hundredths)>,
    entries: HashMap<AlertId, Entry>,
    silences: Arc<Silences>,
}

impl Board {
    pub fn new(site: Arc<Site>, identity: Identity, rules: &[Rule]) -> Self {
        let entries = HashMap::new();
        Self { site, identity, thresholds: thresholds(rules), entries, silences: Arc::default() }
    }

    /// Other rules are in force. Alerts that are here keep the marks of the rule that raised them.
    pub fn rules(&mut self, rules: &[Rule]) {
        self.thresholds = thresholds(rules);
    }

    /// Things have other names.
    pub fn site(&mut self, site: Arc<Site>) {
        self.site = site;
    }

    /// Takes over what the history has.
    pub fn restore(&mut self, found: Vec<Found>) {
        for found in found {
            let entry = Entry::of_history(found, None);
            self.entries.insert(entry.kept.event.alert_id, entry);
        }
    }

    /// Whether this alert is here; if not, the history may have it from before.
    pub fn has(&self, alert_id: AlertId) -> bool {
        self.entries.contains_key(&alert_id)
    }

    /// An alert that the history has, and that has just been raised once more.
    pub fn recall(&mut self, found: Found) {
        let again = found.kept.event.ended_at;
        let entry = Entry::of_history(found, again);
        self.entries.insert(entry.kept.event.alert_id, entry);
    }

    /// What the engine or the watch says. Whether it is news: an alert that nobody has seen before.
    pub fn apply(&mut self, change: Change, now: DateTime<Utc>) -> bool {
        let (episode, save) = match change {
            Change::Raised(episode) | Change::Cleared(episode) => (episode, Save::Now),
            Change::Updated(episode) => (episode, Save::Later),
        };
        let (alert_id, peak) = (episode.alert_id, raw(episode.peak));
        if let Some(entry) = self.entries.get_mut(&alert_id) {
            // Raised once more without a moment that is new: the same events, sent again after a restart.
            let over = entry.kept.event.ended_at.filter(|_| save == Save::Now && episode.ended_at.is_none());
            entry.again = entry.again.or(over);
            if entry.again.is_some_and(|ended| last_known(&episode) <= ended) {
                if episode.ended_at.is_some() {
                    // All of it was known.
                    entry.again = None;
                    if entry.shown.is_none() {
                        self.entries.remove(&alert_id);
                    }
                }
                return false;
            }
            entry.again = None;
            entry.touched = true;
            let save = if peak >= entry.told_peak.saturating_add(PEAK_STEP) { Save::Now } else { save };
            if save == Save::Now {
                entry.told_peak = peak;
            }
            let revision = entry.kept.event.revision + u32::from(save == Save::Now);
            entry.kept.update(&self.identity, episode, revision, now);
            entry.save = entry.save.max(save);
            return false;
        }
        let mut kept = Kept::first(&self.identity, episode, now);
        (kept.threshold, kept.clear_below) = self.thresholds.get(&kept.event.rule).copied().unzip();
        let entry = Entry { kept, facts: Vec::new(), save, told_peak: peak, shown: None, touched: true, again: None };
        self.entries.insert(alert_id, entry);
        true
    }

    /// Somebody has said something, and it is kept. The alert comes with it if it is an acknowledgement; it need not
    /// be of the present, and is shown as it now is.
    pub fn said(&mut self, found: Option<Found>, now: DateTime<Utc>) -> Option<AlertView> {
        let Found { kept, facts } = found?;
        match self.entries.get_mut(&kept.event.alert_id) {
            Some(entry) => {
                entry.facts = facts;
                entry.touched = true;
                // It is shown with the others.
                None
            }
            None => Some(view::alert(&kept, &facts, &self.silences, &self.site, now)),
        }
    }

    pub fn silences(&mut self, silences: Arc<Silences>) {
        self.silences = silences;
    }

    /// What looks different from what was last shown. With `all`, also those that nothing has touched: a silence may
    /// have begun or ended.
    pub fn changed(&mut self, all: bool, now: DateTime<Utc>) -> Vec<AlertView> {
        let mut changed: Vec<AlertView> = self
            .entries
            .values_mut()
            .filter(|entry| entry.again.is_none() && (all || entry.touched))
            .filter_map(|entry| {
                entry.touched = false;
                let view = view::alert(&entry.kept, &entry.facts, &self.silences, &self.site, now);
                if entry.shown.as_ref() == Some(&view) {
                    return None;
                }
                entry.shown = Some(view.clone());
                Some(view)
            })
            .collect();
        changed.sort_by_key(|view| (view.raised_at, view.alert_id));
        changed
    }

    /// What is to be kept now, with whether headquarters is to be told. With `grown`, also what has only grown. If the
    /// write fails, give it back to [`Board::unsaved`].
    pub fn to_save(&mut self, grown: bool) -> Vec<(Kept, bool)> {
        let least = if grown { Save::Later } else { Save::Now };
        let due = self.entries.values_mut().filter(|entry| entry.save >= least && entry.again.is_none());
        due.map(|entry| {
            let tell = entry.save == Save::Now;
            entry.save = Save::Done;
            (entry.kept.clone(), tell)
        })
        .collect()
    }

    /// These could not be written.
    pub fn unsaved(&mut self, alerts: &[(Kept, bool)]) {
        for (kept, tell) in alerts {
            if let Some(entry) = self.entries.get_mut(&kept.event.alert_id) {
                entry.save = entry.save.max(if *tell { Save::Now } else { Save::Later });
            }
        }
    }

    /// The history was begun anew: all that is here is to be kept again. Headquarters has it.
    pub fn all_unsaved(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.save = entry.save.max(Save::Later));
    }

    /// Lets go of what is over long since and kept. Says how many had to go unkept.
    pub fn forget(&mut self, now: DateTime<Utc>) -> usize {
        self.entries.retain(|_, entry| {
            entry.save != Save::Done || entry.kept.cleared_at.is_none_or(|at| now - at < CLEARED_SHOWN)
        });
        let excess = self.entries.len().saturating_sub(ALERTS_MAX);
        if excess == 0 {
            return 0;
        }
        let mut cleared: Vec<(DateTime<Utc>, AlertId)> =
            self.entries.iter().filter_map(|(id, entry)| Some((entry.kept.cleared_at?, *id))).collect();
        cleared.sort_unstable();
        let gone = cleared.iter().take(excess).filter_map(|(_, id)| self.entries.remove(id));
        gone.filter(|entry| entry.save != Save::Done).count()
    }

    /// Open alerts, as the engine and the watch would go on with them.
    pub fn open_episodes(&self) -> Vec<Episode> {
        self.entries.values().filter(|entry| entry.kept.event.ended_at.is_none()).map(|e| e.kept.episode()).collect()
    }

    pub fn open(&self) -> usize {
        self.entries.values().filter(|entry| entry.kept.event.ended_at.is_none() && entry.again.is_none()).count()
    }
}

fn thresholds(rules: &[Rule]) -> HashMap<String, (Hundredths, Hundredths)> {
    rules.iter().map(|rule| (rule.name.to_string(), (rule.threshold, rule.clear_below))).collect()
}

impl Kept {
    fn first(identity: &Identity, episode: Episode, now: DateTime<Utc>) -> Self {
        let late = now - last_known(&episode) > LATE_AFTER;
        let event = AlertEvent {
            alert_id: episode.alert_id,
            revision: 1,
            subject: episode.subject,
            warehouse_id: identity.warehouse_id,
            edge_id: identity.edge_id,
            rule: episode.rule.to_string(),
            severity: episode.severity,
            zone_id: None,
            camera_id: None,
            worker_id: None,
            started_at: episode.started_at,
            raised_at: episode.raised_at,
            ended_at: None,
            peak: None,
            peak_at: None,
            events: 0,
            episodes: 0,
            summary: String::new(),
            curve: None,
        };
        let mut kept = Self {
            event,
            seen_at: now,
            cleared_at: None,
            late,
            latest: None,
            threshold: None,
            clear_below: None,
            curve: Vec::new(),
            posture: None,
        };
        kept.update(identity, episode, 1, now);
        kept
    }

    fn update(&mut self, identity: &Identity, episode: Episode, revision: u32, now: DateTime<Utc>) {
        self.event = AlertEvent {
            revision,
            warehouse_id: identity.warehouse_id,
            edge_id: identity.edge_id,
            severity: episode.severity,
            zone_id: episode.zone_id,
            camera_id: episode.camera_id.map(|camera| camera.to_string()),
            worker_id: episode.worker_id,
            started_at: episode.started_at,
            raised_at: episode.raised_at,
            ended_at: episode.ended_at,
            peak: episode.peak.map(Hundredths::as_f64),
            peak_at: episode.peak_at,
            events: episode.events,
            episodes: episode.episodes,
            summary: episode.summary,
            ..self.event.clone()
        };
        self.cleared_at = episode.ended_at.map(|_| self.cleared_at.unwrap_or(now));
        self.latest = episode.latest;
        self.curve = episode.curve.into_iter().map(|(at, risk)| (at.timestamp_micros(), risk)).collect();
        self.posture = episode.posture.map(|posture| posture.to_string());
    }

    /// As the engine or the watch knew it.
    pub fn episode(&self) -> Episode {
        let event = &self.event;
        Episode {
            alert_id: event.alert_id,
            subject: event.subject,
            rule: Arc::from(event.rule.as_str()),
            severity: event.severity,
            zone_id: event.zone_id,
            camera_id: event.camera_id.as_deref().map(Arc::from),
            worker_id: event.worker_id,
            started_at: event.started_at,
            raised_at: event.raised_at,
            ended_at: event.ended_at,
            latest: self.latest,
            peak: event.peak.and_then(|peak| Hundredths::round(peak, 100)),
            peak_at: event.peak_at,
            posture: self.posture.as_deref().map(Arc::from),
            curve: self.times().collect(),
            events: event.events,
            episodes: event.episodes,
            summary: event.summary.clone(),
        }
    }

    /// As headquarters gets it.
    pub fn told(&self) -> AlertEvent {
        let started_at = self.event.started_at;
        let curve = (self.event.subject == Subject::Risk).then(|| Curve {
            threshold: self.threshold.map(Hundredths::as_f64),
            clear_below: self.clear_below.map(Hundredths::as_f64),
            moments: self.times().map(|(at, risk)| ((at - started_at).num_milliseconds(), risk.raw())).collect(),
        });
        AlertEvent { curve, ..self.event.clone() }
    }

    /// The curve's points.
    pub fn times(&self) -> impl Iterator<Item = (DateTime<Utc>, Hundredths)> {
        self.curve.iter().filter_map(|(us, risk)| Some((DateTime::from_timestamp_micros(*us)?, *risk)))
    }
}

#[cfg(test)]
mod tests;
