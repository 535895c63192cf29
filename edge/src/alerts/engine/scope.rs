//! One person (or one camera's unknown ones) under one rule: brings observations into order, and follows the run of
//! high scores that may become an alert.

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::alert::{Subject, alert_id};
use common::event::Hundredths;
use common::ids::AlertId;

use super::curve::Curve;
use super::{IDLE_AFTER, Key, REORDER, Said};
use crate::alerts::rules::Rule;
use crate::alerts::{Episode, Observation, last_known};

/// Moments that wait to be judged. Within [`REORDER`] a camera sends about five; beyond this the oldest is judged early.
const WAITING_MAX: usize = 256;
/// Between what was last kept of an alert and the first event after a restart nobody looked: ten seconds may not have been
/// kept, what waited to be judged is gone, and the start took its time. A pause up to this is not held against the alert.
const RESUME_GAP: TimeDelta = TimeDelta::seconds(30);
/// A growing alert is reported this often: screens need no more, and each report copies the curve.
const REPORT_EVERY: TimeDelta = TimeDelta::seconds(1);
/// Larger keypoints are not remembered: a posture of 14 joints takes about 900 bytes, one of 133 about 8,000.
const POSTURE_BYTES_MAX: usize = 16 * 1024;

/// What a scope was seen doing at one time.
#[derive(Debug, Clone)]
struct Moment {
    at: DateTime<Utc>,
    risk: Hundredths,
    camera: Arc<str>,
    posture: Option<Arc<str>>,
    arrived_at: DateTime<Utc>,
}

impl Moment {
    fn of(seen: &Observation) -> Self {
        Self {
            at: seen.event_time,
            risk: seen.risk_score,
            camera: Arc::clone(&seen.camera_id),
            posture: seen.keypoints.clone().filter(|text| text.len() <= POSTURE_BYTES_MAX),
            arrived_at: seen.arrived_at,
        }
    }

    /// Of two views of one time the worse counts; if they agree, the same one whichever came first.
    fn merge(&mut self, other: Self) {
        let rank = |moment: &Self| (moment.risk, Reverse(moment.camera.clone()), Reverse(moment.posture.clone()));
        let arrived_at = self.arrived_at;
        if rank(&other) > rank(self) {
            *self = Self { arrived_at, ..other };
        }
    }
}

/// A row of moments at or above the threshold without a gap.
#[derive(Debug, Clone)]
struct Run {
    started_at: DateTime<Utc>,
    /// Of the first moment.
    camera: Arc<str>,
    last_at: DateTime<Utc>,
    latest: Hundredths,
    peak: Hundredths,
    peak_at: DateTime<Utc>,
    posture: Option<Arc<str>>,
    curve: Curve,
    moments: u32,
    /// It is of the last run of the edge, and nothing has come since.
    resumed: bool,
    alert: Option<Alert>,
}

/// What a run has become once it lasted.
#[derive(Debug, Clone)]
struct Alert {
    id: AlertId,
    raised_at: DateTime<Utc>,
    /// Cleared because nothing came; raised again if the run goes on after all.
    idle: bool,
    /// Has grown since it was last reported.
    grown: bool,
    reported_at: DateTime<Utc>,
}

/// What became of an observation.
pub enum Taken {
    In,
    TooLate,
}

/// See the module.
#[derive(Default)]
pub struct Scope {
    /// In the order of their time, each time once.
    waiting: Vec<Moment>,
    newest: Option<DateTime<Utc>>,
    /// Everything up to here has been judged.
    judged: Option<DateTime<Utc>>,
    /// When something last arrived, by our clock; `None` until a tick says what the time is.
    last_arrival: Option<DateTime<Utc>>,
    last_turn: u64,
    run: Option<Run>,
    /// When the last alert ended.
    cleared_at: Option<DateTime<Utc>>,
}

impl Scope {
    /// A scope with an alert of the last run of the edge.
    pub fn resumed(episode: Episode) -> Self {
        let last_at = last_known(&episode);
        let peak = episode.peak.unwrap_or(Hundredths::from_raw(0));
        let run = Run {
            started_at: episode.started_at,
            camera: episode.camera_id.unwrap_or_else(|| "".into()),
            last_at,
            latest: episode.latest.unwrap_or(peak),
            peak,
            peak_at: episode.peak_at.unwrap_or(last_at),
            posture: episode.posture,
            curve: Curve::resumed(episode.curve),
            moments: episode.events,
            resumed: true,
            alert: Some(Alert {
                id: episode.alert_id,
                raised_at: episode.raised_at,
                idle: false,
                grown: false,
                reported_at: last_at,
            }),
        };
        Self { newest: Some(last_at), judged: Some(last_at), run: Some(run), ..Self::default() }
    }

    pub fn last_turn(&self) -> u64 {
        self.last_turn
    }

    /// Whether the score is high now, long enough for an alert or not yet.
    pub const fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// Whether an alert was raised and not cleared.
    pub fn is_open(&self) -> bool {
        self.run.as_ref().and_then(|run| run.alert.as_ref()).is_some_and(|alert| !alert.idle)
    }

    pub fn observe(&mut self, rule: &Rule, key: &Key, seen: &Observation, turn: u64, said: &mut Vec<Said>) -> Taken {
        self.last_turn = turn;
        if let Some(judged) = self.judged.filter(|judged| seen.event_time <= *judged) {
            // A clock that ran ahead may have brought us into the future, where everything true would be late.
            if judged <= seen.arrived_at + REORDER || judged - seen.event_time <= IDLE_AFTER {
                return Taken::TooLate;
            }
            self.close(rule, key, said);
            (self.newest, self.judged, self.cleared_at) = (None, None, None);
        }
        self.last_arrival = Some(seen.arrived_at);
        self.newest = self.newest.max(Some(seen.event_time));
        let moment = Moment::of(seen);
        match self.waiting.binary_search_by_key(&moment.at, |waiting| waiting.at) {
            Ok(index) => self.waiting[index].merge(moment),
            Err(index) => self.waiting.insert(index, moment),
        }
        let sure = self.newest.map(|newest| newest - REORDER);
        let due = self.waiting.partition_point(|moment| Some(moment.at) < sure);
        self.judge_first(due.max(self.waiting.len().saturating_sub(WAITING_MAX)), rule, key, said);
        Taken::In
    }

    pub fn tick(&mut self, rule: &Rule, key: &Key, now: DateTime<Utc>, said: &mut Vec<Said>) {
        // A clock set back must not stop everything until it has caught up.
        let waited = |since: DateTime<Utc>, time: TimeDelta| now - since >= time || since - now > IDLE_AFTER;
        let due = self.waiting.iter().rposition(|moment| waited(moment.arrived_at, REORDER));
        self.judge_first(due.map_or(0, |index| index + 1), rule, key, said);
        let idle = waited(*self.last_arrival.get_or_insert(now), IDLE_AFTER);
        let Some(run) = &mut self.run else { return };
        let Some(alert) = run.alert.as_mut().filter(|alert| !alert.idle) else { return };
        if idle {
            alert.idle = true;
            self.cleared_at = Some(run.last_at);
            said.push(Said::Cleared(run.episode(rule, key, true)));
        } else if alert.grown && waited(alert.reported_at, REPORT_EVERY) {
            (alert.grown, alert.reported_at) = (false, now);
            said.push(Said::Updated(run.episode(rule, key, false)));
        }
    }

    /// Judges what waits and ends the run.
    pub fn close(&mut self, rule: &Rule, key: &Key, said: &mut Vec<Said>) {
        self.judge_first(self.waiting.len(), rule, key, said);
        self.end_run(rule, key, said);
    }

    /// Ends the run as it was last judged; what waits is not judged any more.
    pub fn end(&mut self, rule: &Rule, key: &Key, said: &mut Vec<Said>) {
        self.waiting.clear();
        self.end_run(rule, key, said);
    }

    fn judge_first(&mut self, count: usize, rule: &Rule, key: &Key, said: &mut Vec<Said>) {
        if count == 0 {
            return;
        }
        let rest = self.waiting.split_off(count);
        for moment in std::mem::replace(&mut self.waiting, rest) {
            self.judge(moment, rule, key, said);
        }
    }

    fn judge(&mut self, moment: Moment, rule: &Rule, key: &Key, said: &mut Vec<Said>) {
        self.judged = Some(moment.at);
        let goes_on = self.run.as_ref().is_some_and(|run| {
            let level = if run.alert.is_some() { rule.clear_below } else { rule.threshold };
            moment.risk >= level && moment.at - run.last_at <= run.gap(rule)
        });
        if !goes_on {
            self.end_run(rule, key, said);
            if moment.risk < rule.threshold {
                return;
            }
        }
        let arrived_at = moment.arrived_at;
        match &mut self.run {
            Some(run) => run.extend(moment),
            None => self.run = Some(Run::start(moment)),
        }
        let Some(run) = &mut self.run else { return };
        if let Some(alert) = &mut run.alert {
            alert.grown = true;
            if std::mem::take(&mut alert.idle) {
                said.push(Said::RaisedAgain(run.episode(rule, key, false)));
            }
            return;
        }
        let cool = self.cleared_at.is_none_or(|cleared_at| run.last_at - cleared_at >= rule.cooldown);
        if run.last_at - run.started_at >= rule.hold && cool {
            run.alert = Some(Alert {
                id: alert_id(&rule.name, &key.text(), run.started_at),
                raised_at: run.last_at,
                idle: false,
                grown: false,
                reported_at: arrived_at,
            });
            said.push(Said::Raised(run.episode(rule, key, false)));
        }
    }

    fn end_run(&mut self, rule: &Rule, key: &Key, said: &mut Vec<Said>) {
        let Some(run) = self.run.take() else { return };
        if run.alert.as_ref().is_some_and(|alert| !alert.idle) {
            self.cleared_at = Some(run.last_at);
            said.push(Said::Cleared(run.episode(rule, key, true)));
        }
    }
}

impl Run {
    fn start(moment: Moment) -> Self {
        let mut curve = Curve::default();
        curve.push((moment.at, moment.risk));
        Self {
            started_at: moment.at,
            camera: moment.camera,
            last_at: moment.at,
            latest: moment.risk,
            peak: moment.risk,
            peak_at: moment.at,
            posture: moment.posture,
            curve,
            moments: 1,
            resumed: false,
            alert: None,
        }
    }

    /// The longest pause after which it still goes on.
    fn gap(&self, rule: &Rule) -> TimeDelta {
        if self.resumed { rule.gap.max(RESUME_GAP) } else { rule.gap }
    }

    fn extend(&mut self, moment: Moment) {
        self.resumed = false;
        self.last_at = moment.at;
        self.latest = moment.risk;
        self.curve.push((moment.at, moment.risk));
        self.moments = self.moments.saturating_add(1);
        if moment.risk > self.peak {
            (self.peak, self.peak_at, self.posture) = (moment.risk, moment.at, moment.posture);
        }
    }

    /// # Panics
    /// If no alert was raised: there is nothing to tell then.
    fn episode(&self, rule: &Rule, key: &Key, over: bool) -> Episode {
        let alert = self.alert.as_ref().expect("only runs that became an alert are told of");
        let seconds = (self.last_at - self.started_at).as_seconds_f64();
        let (level, peak) = (rule.threshold.as_f64(), self.peak.as_f64());
        Episode {
            alert_id: alert.id,
            subject: Subject::Risk,
            rule: Arc::clone(&rule.name),
            severity: rule.severity,
            zone_id: Some(key.zone()),
            camera_id: Some(Arc::clone(&self.camera)),
            worker_id: key.worker(),
            started_at: self.started_at,
            raised_at: alert.raised_at,
            ended_at: over.then_some(self.last_at),
            latest: Some(self.latest),
            peak: Some(self.peak),
            peak_at: Some(self.peak_at),
            posture: self.posture.clone(),
            curve: self.curve.points().to_vec(),
            events: self.moments,
            episodes: 1,
            summary: format!("Risk of {level} or more for {seconds:.1} s, at most {peak}"),
        }
    }
}
