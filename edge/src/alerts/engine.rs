//! Holds observations against the rules. Pure: no clock, no disk; the same observations and ticks give the same alerts.
//!
//! ```text
//! observation ─▶ each rule: filter ─▶ scope (who, where) ─▶ reorder 0.5 s ─▶ run ─▶ flood ─▶ changes
//! ```
//!
//! Judged by `event_time`, scope by scope. Within a scope an observation waits until the scope has seen one more than
//! [`REORDER`] later, or until it has lain here for that long; then it is judged in its place. What comes later than
//! that is dropped and counted. Observations of one scope at the very same time are one moment, at the highest score.
//!
//! **An alert that goes on again.** When nothing comes for [`IDLE_AFTER`], an alert is cleared: nobody knows better. If
//! the events were only held up and go on without a gap in their own time, it was one episode after all, and the engine
//! says [`Change::Raised`] again *under the same id*. Each raised is followed by exactly one cleared before the next.
//!
//! **Bounds.** At most [`SCOPES_MAX`] scopes a rule, each with at most a moment's queue and a curve of a few hundred
//! points. Beyond it those not seen for longest are let go, those without an open alert first, and of them those
//! that are not on the way to one.

mod curve;
mod scope;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{WorkerId, ZoneId};

use super::flood::{self, Flood};
use super::rules::{Rule, ScopeKind};
use super::{Change, Episode, Observation, last_known};
use scope::{Scope, Taken};

/// How far observations of one scope may come out of order. On recorded cameras 0.5 s suffices.
pub const REORDER: TimeDelta = TimeDelta::milliseconds(500);
/// An open alert of which nothing more is heard is cleared after this, by our clock. Longer than a camera's usual
/// delay (0.5 s) and a lost request's first retry, short enough that a screen does not show what is over.
pub const IDLE_AFTER: TimeDelta = TimeDelta::seconds(3);
/// Scopes a rule remembers. A site has tens to hundreds of workers; made-up ones must not fill memory.
pub const SCOPES_MAX: usize = 2_000;
/// What the summary of an alert says that ended with its rule.
const RULES_CHANGED: &str = "; ended because the rules were changed";
/// Scopes let go at once when there are too many, so that looking for them is rare.
const SCOPES_LET_GO: usize = SCOPES_MAX / 8;

/// Who and where. Its order makes ticks deterministic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Worker(WorkerId, ZoneId),
    Camera(Arc<str>, ZoneId),
}

impl Key {
    /// `None` if the rule does not count such an observation.
    fn of(kind: ScopeKind, worker: Option<WorkerId>, camera: &Arc<str>, zone: ZoneId) -> Option<Self> {
        match (kind, worker) {
            (ScopeKind::Worker | ScopeKind::Person, Some(worker)) => Some(Self::Worker(worker, zone)),
            (ScopeKind::Unidentified | ScopeKind::Person, None) => Some(Self::Camera(Arc::clone(camera), zone)),
            (ScopeKind::Worker, None) | (ScopeKind::Unidentified, Some(_)) => None,
        }
    }

    const fn zone(&self) -> ZoneId {
        match self {
            Self::Worker(_, zone) | Self::Camera(_, zone) => *zone,
        }
    }

    const fn worker(&self) -> Option<WorkerId> {
        match self {
            Self::Worker(worker, _) => Some(*worker),
            Self::Camera(..) => None,
        }
    }

    /// Part of every alert's id: must never change.
    fn text(&self) -> String {
        match self {
            Self::Worker(worker, zone) => format!("worker {worker} zone {zone}"),
            Self::Camera(camera, zone) => format!("camera {camera} zone {zone}"),
        }
    }
}

/// What one rule did with what it was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Scopes held now.
    pub scopes: u64,
    /// Scopes let go because there were too many.
    pub evicted: u64,
    /// Observations another zone, source or confidence kept out.
    pub filtered: u64,
    /// Observations that are nobody's under the rule's `scope`: without `worker_id`, or with one.
    pub unscoped: u64,
    /// Observations that came after their time had been judged.
    pub late: u64,
    /// Observations taken in.
    pub taken: u64,
}

/// What a scope says before floods are grouped.
enum Said {
    Raised(Episode),
    /// The same alert as before goes on.
    RaisedAgain(Episode),
    Updated(Episode),
    Cleared(Episode),
}

/// One rule and everybody it watches.
struct Watched {
    rule: Rule,
    scopes: BTreeMap<Key, Scope>,
    figures: Figures,
}

/// The engine. See the module.
pub struct Engine {
    watched: Vec<Watched>,
    flood: Flood,
    /// Alerts resumed of which no rule knows any more; the next tick clears them.
    orphans: Vec<Episode>,
    /// Counts observations, to tell which scope was seen least recently.
    turn: u64,
    said: Vec<Said>,
}

impl Engine {
    pub fn new(rules: &[Rule]) -> Self {
        let watched = rules.iter().map(Watched::new).collect();
        Self { watched, flood: Flood::new(flood::PER_MINUTE), orphans: Vec::new(), turn: 0, said: Vec::new() }
    }

    /// Goes by other rules from the next observation on. What is going on under a rule that stays the same in every field
    /// goes on, with its alerts. Alerts of a rule that went or changed are cleared, and their summary says why; the rule
    /// as it now is begins with the next observation (those that waited to be judged, [`REORDER`] at most, it has not
    /// seen).
    pub fn replace(&mut self, rules: &[Rule], now: DateTime<Utc>, changes: &mut Vec<Change>) {
        let mut before = std::mem::take(&mut self.watched);
        for rule in rules {
            let same = before.iter().position(|watched| watched.rule == *rule);
            self.watched.push(same.map_or_else(|| Watched::new(rule), |index| before.swap_remove(index)));
        }
        for mut gone in before {
            for (key, scope) in &mut gone.scopes {
                scope.end(&gone.rule, key, &mut self.said);
            }
        }
        for said in &mut self.said {
            if let Said::Cleared(episode) = said {
                episode.summary.push_str(RULES_CHANGED);
            }
        }
        self.tell(now, changes);
    }

    /// Takes one observation in; adds to `changes` what follows from it.
    pub fn observe(&mut self, seen: &Observation, changes: &mut Vec<Change>) {
        self.turn += 1;
        for watched in &mut self.watched {
            watched.observe(seen, self.turn, &mut self.said);
        }
        self.tell(seen.arrived_at, changes);
    }

    /// Time has passed: judges what has waited long enough, clears alerts of which nothing more is heard, and reports
    /// those that have grown. To be called a few times a second.
    pub fn tick(&mut self, now: DateTime<Utc>, changes: &mut Vec<Change>) {
        for mut orphan in self.orphans.drain(..) {
            orphan.ended_at = Some(last_known(&orphan));
            changes.push(Change::Cleared(orphan));
        }
        for watched in &mut self.watched {
            for (key, scope) in &mut watched.scopes {
                scope.tick(&watched.rule, key, now, &mut self.said);
            }
        }
        self.tell(now, changes);
        self.flood.tick(now, changes);
    }

    /// Takes over an alert that was open when the last run ended: it goes on with the next observation, or a tick
    /// clears it.
    pub fn resume(&mut self, episode: Episode) {
        if *episode.rule == *flood::RULE {
            self.flood.resume(episode);
            return;
        }
        let key = |kind| {
            let camera = episode.camera_id.clone().unwrap_or_else(|| "".into());
            Key::of(kind, episode.worker_id, &camera, episode.zone_id?)
        };
        let own = self.watched.iter_mut().find(|watched| watched.rule.name == episode.rule);
        if let Some((watched, key)) = own.and_then(|watched| key(watched.rule.scope).map(|key| (watched, key)))
            && watched.scopes.len() < SCOPES_MAX
            && !watched.scopes.contains_key(&key)
        {
            watched.scopes.insert(key, Scope::resumed(episode));
            return;
        }
        self.orphans.push(episode);
    }

    /// Per rule, in the order of the rules.
    pub fn figures(&self) -> Vec<(Arc<str>, Figures)> {
        let with_scopes = |watched: &Watched| Figures { scopes: watched.scopes.len() as u64, ..watched.figures };
        self.watched.iter().map(|watched| (Arc::clone(&watched.rule.name), with_scopes(watched))).collect()
    }

    /// Alerts open now, floods included.
    pub fn open(&self) -> usize {
        let scopes = self.watched.iter().flat_map(|watched| watched.scopes.values());
        let each = scopes.filter(|scope| scope.is_open()).count();
        (each + self.flood.open()).saturating_sub(self.flood.grouped_open())
    }

    fn tell(&mut self, now: DateTime<Utc>, changes: &mut Vec<Change>) {
        for said in self.said.drain(..) {
            match said {
                Said::Raised(episode) => self.flood.raised(episode, now, changes),
                Said::RaisedAgain(episode) => self.flood.raised_again(episode, changes),
                Said::Updated(episode) => self.flood.updated(episode, changes),
                Said::Cleared(episode) => self.flood.cleared(episode, changes),
            }
        }
    }
}

impl Watched {
    fn new(rule: &Rule) -> Self {
        Self { rule: rule.clone(), scopes: BTreeMap::new(), figures: Figures::default() }
    }

    fn observe(&mut self, seen: &Observation, turn: u64, said: &mut Vec<Said>) {
        if !self.rule.wants(seen.source, seen.confidence, seen.zone_id) {
            self.figures.filtered += 1;
            return;
        }
        let Some(key) = Key::of(self.rule.scope, seen.worker_id, &seen.camera_id, seen.zone_id) else {
            self.figures.unscoped += 1;
            return;
        };
        if self.scopes.len() >= SCOPES_MAX && !self.scopes.contains_key(&key) {
            self.let_some_go(said);
        }
        let scope = self.scopes.entry(key.clone()).or_default();
        match scope.observe(&self.rule, &key, seen, turn, said) {
            Taken::In => self.figures.taken += 1,
            Taken::TooLate => self.figures.late += 1,
        }
    }

    fn let_some_go(&mut self, said: &mut Vec<Said>) {
        let mut by_age: Vec<(bool, bool, u64, Key)> = self
            .scopes
            .iter()
            .map(|(key, scope)| (scope.is_open(), scope.is_running(), scope.last_turn(), key.clone()))
            .collect();
        by_age.sort_unstable();
        for (_, _, _, key) in by_age.into_iter().take(SCOPES_LET_GO) {
            if let Some(mut scope) = self.scopes.remove(&key) {
                scope.close(&self.rule, &key, said);
                self.figures.evicted += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
