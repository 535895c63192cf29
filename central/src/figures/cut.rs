//! How a range is cut by a site's clock: into the buckets of a trend, the hours of a heat map, and into what counts for
//! coverage. Whatever is asked for becomes one list of bounds with what lies between them, so that Postgres can add up
//! quarters of an hour by a look into that list and never needs to know a time zone.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, DurationRound as _, TimeDelta, Timelike as _, Utc};
use common::shift::{self, Occurrence};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Range;
use crate::store::rollups::QUARTER;
use crate::store::sites::SiteClock;

const HOUR: TimeDelta = TimeDelta::hours(1);

/// What a trend is broken down by. Hours, days and weeks (from Monday on) are local; a day on which the clocks change
/// has 23 or 25 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    Quarter,
    Hour,
    Day,
    Week,
    Shift,
}

/// A part of a range, never beyond it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Of a shift its name, of a day its date, of a week its ISO name.
    pub name: Option<String>,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// The quarter that `at` is in; `None` for times that nothing is ever stored under.
pub fn floor(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    at.duration_trunc(QUARTER).ok()
}

/// The first quarter that does not begin before `at`.
pub fn ceil(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let floor = floor(at)?;
    if floor == at { Some(at) } else { floor.checked_add_signed(QUARTER) }
}

/// The nearest quarter. Shifts that touch still touch after it.
fn nearest(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_round(QUARTER).unwrap_or(at)
}

/// The buckets of a range, earliest first. Shifts are moved to the nearest quarter of an hour; if there are none, the days
/// take their place.
pub fn buckets(by: By, clock: &SiteClock, range: Range) -> Vec<Bucket> {
    match by {
        By::Quarter => steps(range, |_| QUARTER),
        By::Hour => steps(range, |at| to_full_hour(at, clock)),
        By::Day => days(clock, range).map(|day| clip(Some(day.name.clone()), &day, range)).collect(),
        By::Week => weeks(clock, range),
        By::Shift => shifts(clock, range),
    }
}

fn steps(range: Range, step: impl Fn(DateTime<Utc>) -> TimeDelta) -> Vec<Bucket> {
    let mut from = range.from;
    std::iter::from_fn(|| {
        let next = (from < range.to).then(|| (from + step(from)).min(range.to))?;
        Some(Bucket { name: None, from: std::mem::replace(&mut from, next), to: next })
    })
    .collect()
}

/// Until the clock on the wall shows a full hour; it may do so twice, or be half an hour late for once.
fn to_full_hour(at: DateTime<Utc>, clock: &SiteClock) -> TimeDelta {
    let local = at.with_timezone(&clock.time_zone);
    TimeDelta::minutes(60 - i64::from(local.minute()))
}

fn days(clock: &SiteClock, range: Range) -> impl Iterator<Item = Occurrence> {
    shift::between(&[], clock.time_zone, range.from, range.to).into_iter()
}

fn weeks(clock: &SiteClock, range: Range) -> Vec<Bucket> {
    let mut weeks: Vec<Bucket> = Vec::new();
    for day in days(clock, range) {
        let week = day.from.with_timezone(&clock.time_zone).date_naive().iso_week();
        let day = clip(Some(format!("{}-W{:02}", week.year(), week.week())), &day, range);
        match weeks.last_mut() {
            Some(last) if last.name == day.name => last.to = day.to,
            _ => weeks.push(day),
        }
    }
    weeks
}

fn shifts(clock: &SiteClock, range: Range) -> Vec<Bucket> {
    let shifts = shift::between(&clock.shifts, clock.time_zone, range.from, range.to);
    shifts.iter().map(|shift| clip(Some(shift.name.clone()), shift, range)).filter(|b| b.from < b.to).collect()
}

fn clip(name: Option<String>, occurrence: &Occurrence, range: Range) -> Bucket {
    Bucket { name, from: nearest(occurrence.from).max(range.from), to: nearest(occurrence.to).min(range.to) }
}

/// From when to when, and the cell it is added to.
type Piece = (DateTime<Utc>, DateTime<Utc>, i32);

/// A piece that is in no cell. Not a null: of an array with nulls Postgres counts through the elements up to the one that it
/// is asked for.
pub const NO_CELL: i32 = -1;

/// What is read of a range, earliest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    pub hours: Vec<Range>,
    pub quarters: Vec<Range>,
}

/// A range cut into pieces. What is before the first bound is in no piece, and so is what follows the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub range: Range,
    /// Where each piece begins, earliest first.
    pub bounds: Vec<DateTime<Utc>>,
    /// By piece: the cell that it is added to, [`NO_CELL`] if it is left out.
    pub cells: Vec<i32>,
    /// By piece: whether it counts for coverage, because a shift is on or the site has none.
    pub counts: Vec<bool>,
}

impl Cut {
    /// A range as one cell.
    pub fn whole(clock: &SiteClock, range: Range) -> Self {
        Self::of(clock, range, &[(range.from, range.to, 0)])
    }

    /// By the hours of the local day: cell 0 has all that was between midnight and one.
    pub fn hours(clock: &SiteClock, range: Range) -> Self {
        let hour = |at: DateTime<Utc>| i32::try_from(at.with_timezone(&clock.time_zone).hour()).unwrap_or(0);
        let pieces: Vec<_> =
            buckets(By::Hour, clock, range).into_iter().map(|b| (b.from, b.to, hour(b.from))).collect();
        Self::of(clock, range, &pieces)
    }

    /// By buckets, each a cell of its own. Shifts may overlap, and a piece is in one cell only: so there are as many cuts as it
    /// takes, one if nothing overlaps.
    pub fn buckets(clock: &SiteClock, range: Range, buckets: &[Bucket]) -> Vec<Self> {
        let mut layers: Vec<Vec<Piece>> = Vec::new();
        for (bucket, cell) in buckets.iter().zip(0..) {
            let piece = (bucket.from, bucket.to, cell);
            match layers.iter_mut().find(|layer| layer.last().is_none_or(|(_, to, _)| *to <= bucket.from)) {
                Some(layer) => layer.push(piece),
                None => layers.push(vec![piece]),
            }
        }
        layers.iter().map(|pieces| Self::of(clock, range, pieces)).collect()
    }

    /// `pieces` do not overlap and come earliest first.
    fn of(clock: &SiteClock, range: Range, pieces: &[Piece]) -> Self {
        let shifts = if clock.shifts.is_empty() {
            vec![(range.from, range.to)]
        } else {
            let shifts = shifts(clock, range);
            union(shifts.iter().map(|shift| (shift.from, shift.to)))
        };
        let ends = |ends: (DateTime<Utc>, DateTime<Utc>)| [ends.0, ends.1];
        let mut bounds: Vec<_> = pieces.iter().flat_map(|piece| ends((piece.0, piece.1))).collect();
        bounds.extend(shifts.iter().copied().flat_map(ends));
        bounds.sort_unstable();
        bounds.dedup();
        let cell = |at: DateTime<Utc>| {
            let piece = pieces[..pieces.partition_point(|piece| piece.0 <= at)].last()?;
            (at < piece.1).then_some(piece.2)
        };
        let counts =
            |at: DateTime<Utc>| shifts[..shifts.partition_point(|s| s.0 <= at)].last().is_some_and(|s| at < s.1);
        Self {
            range,
            cells: bounds.iter().map(|at| cell(*at).unwrap_or(NO_CELL)).collect(),
            counts: bounds.iter().map(|at| counts(*at)).collect(),
            bounds,
        }
    }

    /// How a `stretch` of the range is read: in whole UTC hours, but for those that a bound or an end of it is inside of.
    pub fn parts(&self, stretch: Range) -> Parts {
        let Range { from, to } = stretch;
        let inside = |at: &DateTime<Utc>| (from..=to).contains(at);
        let bounds = self.bounds.iter().copied().filter(inside).chain([from, to]);
        let cut: BTreeSet<_> =
            bounds.filter_map(|at| at.duration_trunc(HOUR).ok().filter(|hour| *hour != at)).collect();
        let (mut parts, mut at) = (Parts::default(), from);
        for hour in cut {
            let quarters = Range { from: hour.max(from), to: (hour + HOUR).min(to) };
            if at < quarters.from {
                parts.hours.push(Range { from: at, to: quarters.from });
            }
            match parts.quarters.last_mut() {
                Some(last) if last.to == quarters.from => last.to = quarters.to,
                _ => parts.quarters.push(quarters),
            }
            at = quarters.to;
        }
        if at < to {
            parts.hours.push(Range { from: at, to });
        }
        parts
    }

    /// Minutes of each cell that could have been observed by `now` in a zone that was first heard of at `first`. There are as
    /// many as `cells`.
    pub fn minutes_expected(&self, cells: usize, first: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Vec<i64> {
        let mut minutes = vec![0; cells];
        let Some(first) = first else { return minutes };
        let pieces = self.bounds.iter().zip(self.bounds.iter().skip(1)).zip(self.cells.iter().zip(&self.counts));
        for ((from, to), (cell, counts)) in pieces {
            let cell = usize::try_from(*cell).ok().and_then(|cell| minutes.get_mut(cell));
            if let Some(sum) = cell.filter(|_| *counts) {
                *sum += ((*to).min(now) - (*from).max(first)).num_minutes().max(0);
            }
        }
        minutes
    }
}

/// The same times without overlaps.
fn union(sorted: impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut union: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (from, to) in sorted {
        match union.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => union.push((from, to)),
        }
    }
    union
}

#[cfg(test)]
mod tests;
