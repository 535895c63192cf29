//! What dashboards show of a stretch of time, worked out of rollups. Pure: sums in, figures out.
//!
//! Everything here is made by adding: events, bins, minutes and seconds of zones and of quarters of an hour. Times are whole
//! quarters, because a row of the rollups is one; people, whose number decides whether anything is shown at all, cannot be
//! counted for less. "No data" is never "no risk": without events there is no mean, no maximum and no percentile.

pub mod anonymity;
pub mod cut;
pub mod filling;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::rollups::BINS;

/// Points of risk that a bin is wide.
const BIN_WIDTH: f64 = 100.0 / BINS as f64;

/// What was added up of any number of rows of the rollups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    pub events: i64,
    pub risk_sum_hundredths: i64,
    pub risk_max_hundredths: i32,
    /// Minutes with anything seen, of those that count for coverage.
    pub minutes_observed: i64,
    pub seconds_observed: i64,
    pub seconds_at_risk: i64,
    pub bins: [i64; BINS],
}

impl Sum {
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.risk_sum_hundredths += other.risk_sum_hundredths;
        self.risk_max_hundredths = self.risk_max_hundredths.max(other.risk_max_hundredths);
        self.minutes_observed += other.minutes_observed;
        self.seconds_observed += other.seconds_observed;
        self.seconds_at_risk += other.seconds_at_risk;
        for (sum, n) in self.bins.iter_mut().zip(other.bins) {
            *sum += n;
        }
    }

    /// Mean score.
    pub fn mean(&self) -> Option<f64> {
        (self.events > 0).then(|| round(self.risk_sum_hundredths as f64 / self.events as f64 / 100.0, 100.0))
    }

    /// The highest score.
    pub fn max(&self) -> Option<f64> {
        (self.events > 0).then(|| f64::from(self.risk_max_hundredths) / 100.0)
    }

    /// The score that a `share` (0 to 1) of the events do not pass. The bin is exact; inside of it scores are taken to be spread
    /// evenly, so it is off by less than a bin's width, 5 points. Never above the maximum.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let total: i64 = self.bins.iter().sum();
        let max = self.max().filter(|_| total > 0)?;
        let rank = share * total as f64;
        let mut below = 0.0;
        for (bin, &n) in self.bins.iter().enumerate().filter(|(_, n)| **n > 0) {
            let n = n as f64;
            if below + n >= rank {
                let score = BIN_WIDTH * (bin as f64 + (rank - below) / n);
                return Some(round(score.min(max), 100.0));
            }
            below += n;
        }
        Some(max)
    }
}

/// To one part of `parts`, so that an answer has no digits that mean nothing.
fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// A stretch of time in a zone or a site, with what decides about showing it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    pub sum: Sum,
    /// How many different identified people were seen.
    pub people: i64,
    /// Minutes that could have been observed: in shifts, not in the future, and since the first event ever.
    pub minutes_expected: i64,
}

impl Group {
    /// What is shown of it; nothing if it must be `suppressed`.
    pub fn figures(&self, suppressed: bool) -> Figures {
        if suppressed {
            return Figures { suppressed, ..Figures::default() };
        }
        let Sum { events, seconds_observed, seconds_at_risk, .. } = self.sum;
        Figures {
            events: Some(events),
            mean: self.sum.mean(),
            max: self.sum.max(),
            p50: self.sum.percentile(0.5),
            p90: self.sum.percentile(0.9),
            p95: self.sum.percentile(0.95),
            seconds_observed: Some(seconds_observed),
            seconds_at_risk: Some(seconds_at_risk),
            coverage: self.coverage(),
            people: Some(self.people),
            suppressed,
        }
    }

    fn coverage(&self) -> Option<f64> {
        let share = self.sum.minutes_observed as f64 / self.minutes_expected as f64;
        // The minute that is now counts as soon as anything is seen in it.
        (self.minutes_expected > 0).then(|| round(share.min(1.0), 10_000.0))
    }
}

/// What is shown of a stretch of time. Scores are 0 to 100. A second counts once per zone however many saw it. Where
/// `suppressed`, fewer than five people are behind it, or it would tell of another that is: everything else is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Figures {
    pub events: Option<i64>,
    /// Null without events, as the next four.
    pub mean: Option<f64>,
    pub max: Option<f64>,
    pub p50: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    /// Seconds from which any event came that was not made by hand, added up over zones.
    pub seconds_observed: Option<i64>,
    /// Those of them with a score of 70 or more.
    pub seconds_at_risk: Option<i64>,
    /// Minutes in which anything was seen, as a share (0 to 1) of those in shifts up to now, for each zone from its first event on.
    /// Null if there are none.
    pub coverage: Option<f64>,
    /// Different identified people; 0 if nobody was identified.
    pub people: Option<i64>,
    pub suppressed: bool,
}

/// A range of time in whole quarters of an hour, from `from` up to but without `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Range {
    /// The UTC hours or days (`step`) that it holds whole: from the beginning of the first up to the end of the last. Both
    /// are `from` if there are none.
    pub fn whole(self, step: TimeDelta) -> (DateTime<Utc>, DateTime<Utc>) {
        // Fails only for times that nothing is stored under.
        let floor = |at: DateTime<Utc>| at.duration_trunc(step).unwrap_or(at);
        let first = floor(self.from);
        let first = if first == self.from { first } else { first + step };
        let end = floor(self.to);
        if first < end { (first, end) } else { (self.from, self.from) }
    }

    /// The range in stretches of a `length`, earliest first; the last may be shorter.
    pub fn stretches(self, length: TimeDelta) -> impl Iterator<Item = Self> {
        let mut from = self.from;
        std::iter::from_fn(move || {
            let to = (from + length).min(self.to);
            (from < to).then(|| Self { from: std::mem::replace(&mut from, to), to })
        })
    }
}

#[cfg(test)]
mod tests;
