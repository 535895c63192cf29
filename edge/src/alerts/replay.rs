//! A recording held against the rules as if it happened: each event arrives at its `ingest_time`, and the engine is
//! ticked as that time passes. Pure: lines in, alerts out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::AlertId;
use serde::Serialize;

use super::engine::{Engine, Figures};
use super::rules::Rule;
use super::{Change, Episode, Observation};
use crate::intake::{self, Refusal};

/// As the running edge ticks.
const TICK: TimeDelta = TimeDelta::milliseconds(250);
/// In a pause, nothing more can happen after this: alerts are cleared after seconds, floods after a minute.
const PAUSE_TICKED: TimeDelta = TimeDelta::minutes(2);
/// Refused lines that are told one by one.
pub const REFUSED_TOLD_MAX: usize = 100;

/// A line that holds no valid event.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedLine {
    /// From 1.
    pub line: u64,
    #[serde(flatten)]
    pub refusal: Refusal,
}

/// A replay under way. See the module.
pub struct Replay {
    rules: Vec<Rule>,
    engine: Engine,
    event_age_max: Duration,
    now: Option<DateTime<Utc>>,
    lines: u64,
    events: u64,
    refused: u64,
    told: Vec<RefusedLine>,
    changes: Vec<Change>,
    alerts: BTreeMap<AlertId, Episode>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    pub lines: u64,
    pub events: u64,
    pub refused: u64,
    /// The first of them.
    pub told: Vec<RefusedLine>,
    /// Each alert once, as it was in the end; by start.
    pub alerts: Vec<Episode>,
    /// What became of the events, rule by rule.
    pub figures: Vec<(Rule, Figures)>,
}

impl Replay {
    pub fn new(rules: &[Rule], event_age_max: Duration) -> Self {
        Self {
            rules: rules.to_vec(),
            engine: Engine::new(rules),
            event_age_max,
            now: None,
            lines: 0,
            events: 0,
            refused: 0,
            told: Vec::new(),
            changes: Vec::new(),
            alerts: BTreeMap::new(),
        }
    }

    /// The next line: a JSON event. An empty one is passed over, a bad one is noted.
    pub fn line(&mut self, text: &str) {
        self.lines += 1;
        if text.trim_ascii().is_empty() {
            return;
        }
        let event = match intake::read_recorded(text, self.event_age_max) {
            Ok(event) => event,
            Err(refusal) => {
                self.refused += 1;
                if self.told.len() < REFUSED_TOLD_MAX {
                    self.told.push(RefusedLine { line: self.lines, refusal });
                }
                return;
            }
        };
        self.events += 1;
        let arrived_at = self.pass_to(event.ingest_time);
        if event.zone_id.uuid() == intake::TEST_ZONE {
            return;
        }
        let seen = Observation {
            event_time: event.stored_time(),
            arrived_at,
            zone_id: event.zone_id,
            camera_id: Arc::from(&*event.camera_id),
            worker_id: event.worker_id,
            risk_score: event.risk_score,
            confidence: event.confidence,
            source: event.source,
            keypoints: None,
        };
        self.engine.observe(&seen, &mut self.changes);
        self.note();
    }

    /// The recording is over: lets time pass until everything is.
    pub fn finish(mut self) -> Outcome {
        if let Some(now) = self.now {
            self.pass_to(now + PAUSE_TICKED);
        }
        let mut alerts: Vec<Episode> = self.alerts.into_values().collect();
        alerts.sort_by_key(|alert| (alert.started_at, alert.zone_id, alert.alert_id));
        Outcome {
            lines: self.lines,
            events: self.events,
            refused: self.refused,
            told: self.told,
            alerts,
            figures: self
                .rules
                .into_iter()
                .zip(self.engine.figures())
                .map(|(rule, (_, figures))| (rule, figures))
                .collect(),
        }
    }

    /// Ticks until `time`, and says what it is then: a recording never goes back.
    fn pass_to(&mut self, time: DateTime<Utc>) -> DateTime<Utc> {
        let mut now = self.now.unwrap_or(time);
        let time = time.max(now);
        let pause_from = now + PAUSE_TICKED;
        while now + TICK <= time {
            now += TICK;
            if now > pause_from {
                now = time;
            }
            self.engine.tick(now, &mut self.changes);
        }
        self.note();
        self.now = Some(now);
        time
    }

    fn note(&mut self) {
        for change in self.changes.drain(..) {
            if let Change::Cleared(episode) = change {
                self.alerts.insert(episode.alert_id, episode);
            }
        }
    }
}
