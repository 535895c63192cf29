//! When a zone raises more alerts than anybody can look at, the further ones are grouped into one. Pure.
//!
//! A minute is measured in the events' own time, so that a backlog that arrives in one go is no flood if it was none
//! when it happened. A group ends when the zone has been calm by our clock: half as many raised in a minute as make a
//! flood, and none of the grouped alerts still open.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::alert::{Subject, alert_id};
use common::event::Hundredths;
use common::ids::{AlertId, ZoneId};

use super::{Change, Episode, last_known};

/// The name under which groups are raised.
pub use common::rules::FLOOD as RULE;
/// Alerts in a minute and zone that are still told one by one: one every six seconds is what a supervisor can take in.
pub const PER_MINUTE: usize = 10;
const MINUTE: TimeDelta = TimeDelta::minutes(1);
/// A growing group is reported this often.
const REPORT_EVERY: TimeDelta = TimeDelta::seconds(1);
/// Points of a group's curve: one for each alert in it.
const CURVE_MAX: usize = 240;
/// Raises remembered per zone, beside what the last minute needs: old ones of a backlog.
const REMEMBERED_MAX: usize = 1_000;

/// All zones.
pub struct Flood {
    per_minute: usize,
    zones: BTreeMap<Option<ZoneId>, Zone>,
}

#[derive(Default)]
struct Zone {
    /// Alerts raised lately: when by the events' time, and when by ours. In the order of their arrival.
    raised: VecDeque<(DateTime<Utc>, DateTime<Utc>)>,
    group: Option<Group>,
}

struct Group {
    episode: Episode,
    /// Alerts in it that are not over yet.
    open: HashSet<AlertId>,
    /// The last time any of them tells of.
    last_at: DateTime<Utc>,
    grown: bool,
    reported_at: DateTime<Utc>,
}

impl Flood {
    /// Groups what goes beyond so many in a minute and zone.
    pub const fn new(per_minute: usize) -> Self {
        Self { per_minute, zones: BTreeMap::new() }
    }

    /// An alert is new.
    pub fn raised(&mut self, episode: Episode, now: DateTime<Utc>, changes: &mut Vec<Change>) {
        let zone = self.zones.entry(episode.zone_id).or_default();
        zone.forget_old(now);
        zone.raised.push_back((episode.raised_at, now));
        if let Some(group) = &mut zone.group {
            group.add(&episode);
            return;
        }
        let near = |at: DateTime<Utc>| (episode.raised_at - at).abs() < MINUTE;
        if zone.raised.iter().filter(|(raised_at, _)| near(*raised_at)).count() <= self.per_minute {
            changes.push(Change::Raised(episode));
            return;
        }
        let group = Group::start(&episode, now);
        changes.push(Change::Raised(group.episode.clone()));
        zone.group = Some(group);
    }

    /// An alert that was cleared for want of news goes on. It is no new one, but in a flood it is not listed either.
    pub fn raised_again(&mut self, episode: Episode, changes: &mut Vec<Change>) {
        match self.group_in(episode.zone_id) {
            Some(group) => group.take_in(&episode),
            None => changes.push(Change::Raised(episode)),
        }
    }

    /// An alert has grown.
    pub fn updated(&mut self, episode: Episode, changes: &mut Vec<Change>) {
        match self.group_in(episode.zone_id).filter(|group| group.open.contains(&episode.alert_id)) {
            Some(group) => group.take_in(&episode),
            None => changes.push(Change::Updated(episode)),
        }
    }

    /// An alert is over.
    pub fn cleared(&mut self, episode: Episode, changes: &mut Vec<Change>) {
        match self.group_in(episode.zone_id).filter(|group| group.open.contains(&episode.alert_id)) {
            Some(group) => group.close(&episode),
            None => changes.push(Change::Cleared(episode)),
        }
    }

    /// Time has passed: reports groups that have grown, and ends those whose zone is calm.
    pub fn tick(&mut self, now: DateTime<Utc>, changes: &mut Vec<Change>) {
        for zone in self.zones.values_mut() {
            zone.forget_old(now);
            let calm = zone.raised.len() <= self.per_minute / 2;
            if let Some(group) = zone.group.take_if(|group| calm && group.open.is_empty()) {
                changes.push(Change::Cleared(group.over()));
            } else if let Some(group) = &mut zone.group
                && group.grown
                && (now - group.reported_at).abs() >= REPORT_EVERY
            {
                (group.grown, group.reported_at) = (false, now);
                changes.push(Change::Updated(group.episode.clone()));
            }
        }
        self.zones.retain(|_, zone| zone.group.is_some() || !zone.raised.is_empty());
    }

    /// Takes over a group that was open when the last run ended. Its zone counts as calm until alerts say otherwise.
    pub fn resume(&mut self, episode: Episode) {
        let reported_at = episode.raised_at;
        let zone = self.zones.entry(episode.zone_id).or_default();
        let last_at = last_known(&episode);
        zone.group = Some(Group { episode, open: HashSet::new(), last_at, grown: false, reported_at });
    }

    /// Groups open now.
    pub fn open(&self) -> usize {
        self.zones.values().filter(|zone| zone.group.is_some()).count()
    }

    /// Alerts in open groups, which are not told of by themselves.
    pub fn grouped_open(&self) -> usize {
        self.zones.values().filter_map(|zone| zone.group.as_ref()).map(|group| group.open.len()).sum()
    }

    fn group_in(&mut self, zone_id: Option<ZoneId>) -> Option<&mut Group> {
        self.zones.get_mut(&zone_id)?.group.as_mut()
    }
}

impl Zone {
    /// Those that came a minute ago, or in a time that our clock has since been set back from.
    fn forget_old(&mut self, now: DateTime<Utc>) {
        self.raised.retain(|(_, seen_at)| (now - *seen_at).abs() < MINUTE);
        while self.raised.len() >= REMEMBERED_MAX {
            self.raised.pop_front();
        }
    }
}

impl Group {
    fn start(first: &Episode, now: DateTime<Utc>) -> Self {
        let scope = first.zone_id.map_or_else(|| "everywhere".to_owned(), |zone| format!("zone {zone}"));
        let episode = Episode {
            alert_id: alert_id(RULE, &scope, first.started_at),
            subject: Subject::Risk,
            rule: Arc::from(RULE),
            severity: first.severity,
            zone_id: first.zone_id,
            camera_id: None,
            worker_id: None,
            started_at: first.started_at,
            raised_at: first.raised_at,
            ended_at: None,
            latest: first.latest,
            peak: None,
            peak_at: None,
            posture: None,
            curve: Vec::new(),
            events: 0,
            episodes: 0,
            summary: String::new(),
        };
        let mut group =
            Self { episode, last_at: first.raised_at, open: HashSet::new(), grown: false, reported_at: now };
        group.add(first);
        group.grown = false;
        group
    }

    fn add(&mut self, new: &Episode) {
        self.episode.episodes = self.episode.episodes.saturating_add(1);
        if let (true, Some(score)) = (self.episode.curve.len() < CURVE_MAX, new.latest) {
            self.episode.curve.push((new.raised_at, score));
        }
        self.take_in(new);
    }

    fn take_in(&mut self, of: &Episode) {
        self.open.insert(of.alert_id);
        self.learn(of);
    }

    fn close(&mut self, of: &Episode) {
        self.open.remove(&of.alert_id);
        self.episode.events = self.episode.events.saturating_add(of.events);
        self.learn(of);
    }

    fn learn(&mut self, of: &Episode) {
        self.grown = true;
        self.last_at = self.last_at.max(last_known(of));
        self.episode.severity = self.episode.severity.max(of.severity);
        self.episode.latest = of.latest;
        if of.peak > self.episode.peak {
            (self.episode.peak, self.episode.peak_at) = (of.peak, of.peak_at);
            self.episode.posture.clone_from(&of.posture);
        }
        let (episodes, peak) = (self.episode.episodes, self.episode.peak.map_or(0.0, Hundredths::as_f64));
        self.episode.summary = format!(
            "{episodes} more alerts in this zone, grouped because too many came within a minute; at most {peak}"
        );
    }

    fn over(self) -> Episode {
        Episode { ended_at: Some(self.last_at), ..self.episode }
    }
}

#[cfg(test)]
mod tests;
