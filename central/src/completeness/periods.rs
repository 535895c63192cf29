//! The ledger of a site by the periods that its people count in: hours, shifts, days. Pure: quarters of an hour and what
//! is known of the edges in, figures out.
//!
//! A period counts whole quarters of an hour: where it does not begin or end on one, the nearest is taken, and
//! `counted_from` and `counted_to` say so. It is complete only once every edge that could have accepted something in it
//! has spoken after its end, by its own clock, because until then nobody knows what there was.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use common::quarter;
use common::shift::{Occurrence, Shift, between};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Completeness, Known, News, State, judge, thousands};
use crate::fleet::STALE_AFTER;
use crate::store::ledger::hours::{Quarter, Witness};

/// What to count by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[schema(as = CompletenessBy)]
pub enum By {
    /// Hours of the site's clock.
    Hour,
    /// Its shifts; local days if it has none.
    #[default]
    Shift,
    /// Its local days.
    Day,
}

impl By {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Shift => "shift",
            Self::Day => "day",
        }
    }
}

/// A stretch of time that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub kind: &'static str,
    pub name: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Period {
    fn of(occurrence: Occurrence) -> Self {
        let Occurrence { kind, name, from, to } = occurrence;
        let kind = match kind {
            common::shift::Stretch::Shift => "shift",
            common::shift::Stretch::Day => "day",
            common::shift::Stretch::Between => "between",
        };
        Self { kind, name, from, to }
    }

    /// The time that is counted for it.
    pub fn counted(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (nearest(self.from), nearest(self.to))
    }
}

fn nearest(time: DateTime<Utc>) -> DateTime<Utc> {
    quarter::Quarter::of(time + quarter::Quarter::LENGTH / 2).start()
}

/// The periods that overlap the time from `from` up to but without `to`, whole, earliest first.
pub fn periods(by: By, shifts: &[Shift], tz: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Period> {
    match by {
        By::Hour => hours(tz, from, to),
        By::Shift => between(shifts, tz, from, to).into_iter().map(Period::of).collect(),
        By::Day => between(&[], tz, from, to).into_iter().map(Period::of).collect(),
    }
}

fn hours(tz: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Period> {
    let full = |at: DateTime<Utc>| at.with_timezone(&tz).minute() == 0;
    // Every zone's hours begin on one of our quarters, also where clocks change by half an hour.
    let mut start = quarter::Quarter::of(from).start();
    while !full(start) {
        start -= quarter::Quarter::LENGTH;
    }
    let mut all = Vec::new();
    while start < to {
        let mut end = start + quarter::Quarter::LENGTH;
        while !full(end) {
            end += quarter::Quarter::LENGTH;
        }
        let name = start.with_timezone(&tz).format("%Y-%m-%d %H:%M").to_string();
        all.push(Period { kind: "hour", name, from: start, to: end });
        start = end;
    }
    all
}

/// What became of what was accepted in a period. `accepted = received + buffered + missing`, and
/// `received = stored + alerts + duplicates + dead`.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Figure {
    /// "hour", "shift" or "day".
    pub kind: &'static str,
    pub name: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// The quarters of an hour that were counted.
    pub counted_from: DateTime<Utc>,
    pub counted_to: DateTime<Utc>,
    /// Records that the edges accepted: events, changes of alerts, and what people said of them.
    pub accepted: i64,
    pub received: i64,
    /// Events that became rows.
    pub stored: i64,
    /// Records that changed an alert or added what somebody said of one.
    pub alerts: i64,
    pub duplicates: i64,
    pub dead: i64,
    /// Waiting at an edge or on the way.
    pub buffered: i64,
    pub missing: i64,
    /// The share of what was accepted that is here and is no dead letter; null if nothing was accepted, or nobody can say.
    pub completeness: Option<f64>,
    pub state: State,
    pub text: String,
    /// Some of what is missing or waiting may be of the period before or after: an edge did not live to tell.
    pub approximate: bool,
    /// The share of the period in which the edges ran; null if the site had none.
    pub ran: Option<f64>,
    /// Where something is missing.
    pub epochs: Vec<EpochFigure>,
}

/// What is missing of one epoch in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct EpochFigure {
    pub edge_id: Uuid,
    /// The edge's name.
    pub edge: Option<String>,
    pub epoch: Uuid,
    pub missing: i64,
    pub approximate: bool,
}

/// The figures of `periods`. `quarters`: of all their time, in order.
pub fn figures(now: DateTime<Utc>, periods: &[Period], quarters: &[Quarter], witnesses: &[Witness]) -> Vec<Figure> {
    periods
        .iter()
        .map(|period| {
            let (from, to) = period.counted();
            let first = quarters.partition_point(|q| q.quarter < from);
            let last = quarters.partition_point(|q| q.quarter < to);
            figure(now, period, &quarters[first..last.max(first)], witnesses)
        })
        .collect()
}

fn figure(now: DateTime<Utc>, period: &Period, quarters: &[Quarter], witnesses: &[Witness]) -> Figure {
    let (counted_from, counted_to) = period.counted();
    let sum = |of: fn(&Quarter) -> i64| quarters.iter().fold(0_i64, |sum, q| sum.saturating_add(of(q)));
    let (accepted, received, missing) = (sum(|q| q.accepted), sum(|q| q.received), sum(|q| q.missing));
    // What came in since an edge last told is on its way, as what it told of is.
    let buffered = accepted.saturating_sub(received).saturating_sub(missing).max(0);
    let known = witness(now, (counted_from, counted_to), quarters, witnesses);
    let judged = judge(&Known {
        missing,
        backlog: buffered,
        drain_seconds: known.drain_seconds,
        news: if known.fresh { News::Fresh } else { News::Silent },
    });
    let dead = sum(|q| q.dead);
    let (state, text) = words(now, period, judged, &known, dead);
    let good = received.saturating_sub(dead).max(0);
    Figure {
        kind: period.kind,
        name: period.name.clone(),
        from: period.from,
        to: period.to,
        counted_from,
        counted_to,
        accepted,
        received,
        stored: sum(|q| q.stored),
        alerts: sum(|q| q.alerts),
        duplicates: sum(|q| q.duplicates),
        dead,
        buffered,
        missing,
        completeness: (accepted > 0 && state != State::Unknown).then(|| (good as f64 / accepted as f64).min(1.0)),
        state,
        text,
        approximate: quarters.iter().any(|q| q.approximate),
        ran: known.ran,
        epochs: epochs(quarters, witnesses),
    }
}

fn epochs(quarters: &[Quarter], witnesses: &[Witness]) -> Vec<EpochFigure> {
    let mut missing: BTreeMap<(Uuid, Uuid), (i64, bool)> = BTreeMap::new();
    for quarter in quarters.iter().filter(|q| q.missing > 0) {
        let (count, approximate) = missing.entry((quarter.edge_id, quarter.epoch)).or_default();
        *count = count.saturating_add(quarter.missing);
        *approximate |= quarter.approximate;
    }
    let name = |edge| witnesses.iter().find(|w| w.edge_id == edge).and_then(|w| w.name.clone());
    missing
        .into_iter()
        .map(|((edge_id, epoch), (missing, approximate))| EpochFigure {
            edge_id,
            edge: name(edge_id),
            epoch,
            missing,
            approximate,
        })
        .collect()
}

/// What the edges' words are worth for a period.
struct Testimony {
    /// All that have a backlog to tell of were heard lately.
    fresh: bool,
    drain_seconds: Option<f64>,
    /// Edges that have not spoken since the period's end, and when they last did.
    silent: Vec<(String, Option<DateTime<Utc>>)>,
    ran: Option<f64>,
}

fn witness(
    now: DateTime<Utc>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    quarters: &[Quarter],
    witnesses: &[Witness],
) -> Testimony {
    let mut testimony = Testimony { fresh: true, drain_seconds: None, silent: Vec::new(), ran: None };
    let ran: BTreeSet<(Uuid, DateTime<Utc>)> = quarters.iter().map(|q| (q.edge_id, q.quarter)).collect();
    let (mut quarters_ran, mut quarters_all) = (0, 0);
    for edge in witnesses {
        let Some(since) = edge.since.map(|since| quarter::Quarter::of(since).start().max(from)) else { continue };
        // One whose credential is revoked cannot tell more than it had until then.
        let until = edge.revoked_at.map_or(to, |at| (at - STALE_AFTER).min(to));
        if since >= until {
            continue;
        }
        if edge.sent_at.is_none_or(|at| at < until) {
            testimony.silent.push((edge.label(), edge.heartbeat_at));
        }
        if edge.heartbeat_at.is_some_and(|at| now - at <= STALE_AFTER) {
            let longest = [testimony.drain_seconds, edge.drain_seconds].into_iter().flatten().max_by(f64::total_cmp);
            testimony.drain_seconds = longest;
        } else if edge.revoked_at.is_none() {
            testimony.fresh = false;
        }
        let length = quarter::Quarter::LENGTH.num_seconds();
        let until = until.min(now);
        quarters_all += ((until - since).num_seconds() + length - 1).max(0) / length;
        quarters_ran += ran.iter().filter(|(id, quarter)| *id == edge.edge_id && *quarter < until).count();
    }
    testimony.ran = (quarters_all > 0).then(|| (quarters_ran as f64 / quarters_all as f64).min(1.0));
    testimony
}

/// What [`judge`] says, and what it cannot know of a period.
fn words(now: DateTime<Utc>, period: &Period, judged: Completeness, known: &Testimony, dead: i64) -> (State, String) {
    if matches!(judged.state, State::Missing | State::Filling) {
        return (judged.state, judged.text);
    }
    if now < period.to {
        return (State::Filling, "filling (not over yet)".to_owned());
    }
    let unknown = |why: String| (State::Unknown, format!("unknown ({why})"));
    if let Some((edge, heard_at)) = known.silent.first() {
        let more = known.silent.len() - 1;
        let others = if more > 0 { format!(", nor {more} more") } else { String::new() };
        return unknown(match heard_at {
            Some(at) => format!("{edge} not heard since {}{others}", at.format("%Y-%m-%d %H:%M UTC")),
            None => format!("{edge} never heard{others}"),
        });
    }
    match known.ran {
        None => unknown("no edge of this site was known then".to_owned()),
        Some(ran) if ran <= 0.0 => unknown("no edge ran".to_owned()),
        Some(ran) => {
            let (state, mut text) = if dead > 0 {
                (State::DeadLettered, format!("all arrived, {} dead-lettered", thousands(dead)))
            } else {
                (State::Complete, "complete".to_owned())
            };
            if ran < 1.0 {
                text.push_str(&format!(", edges ran {} % of it", (ran * 100.0).floor()));
            }
            (state, text)
        }
    }
}

/// Rows are read for this time.
pub fn span(periods: &[Period]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let from = periods.iter().map(|p| p.counted().0).min()?;
    let to = periods.iter().map(|p| p.counted().1).max()?;
    Some((from, to))
}

/// Three months and a change of the clocks: what is asked for at once.
pub const RANGE_MAX: TimeDelta = TimeDelta::hours(93 * 24);

#[cfg(test)]
mod tests;
