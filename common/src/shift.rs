//! When a shift begins and ends, in real time, whatever the clocks on the wall do in between.
//!
//! A shift is said in local time. Where a local time happens twice (clocks go back), the first counts; where it never
//! happens (clocks go forward), the moment of the change does. Both rules are monotonic, so shifts that touch on paper
//! touch in time: no instant is in two occurrences of one shift, and none falls between two that follow each other. A
//! night shift over the change is an hour longer or shorter, as it is for those who work it.
//!
//! Pure, and shared: the floor and headquarters must mean the same stretch of time by "the early shift of Monday".

use chrono::{
    DateTime, Datelike as _, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _,
    Timelike as _, Utc, Weekday,
};
use chrono_tz::Tz;
use serde::Serialize;

/// A change of the clocks skips at most a day (Samoa, 2011).
const GAP_MAX: TimeDelta = TimeDelta::hours(25);
/// How far back and ahead shifts are looked for: a week has each day once, and a day on each side for those over
/// midnight.
const DAYS_AROUND: i64 = 8;

/// A shift as it comes round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    pub name: String,
    /// Days on which it begins.
    pub days: Vec<Weekday>,
    pub start: NaiveTime,
    /// Not after `start`: on the next day. Equal to it: a whole day.
    pub end: NaiveTime,
}

/// What a stretch of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// One of the configured shifts.
    Shift,
    /// No shifts are configured: the local calendar day.
    Day,
    /// Shifts are configured, but none is on.
    Between,
}

/// A stretch of time, from `from` up to but without `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Occurrence {
    pub kind: Stretch,
    pub name: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Occurrence {
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.to
    }
}

/// The instant at which clocks on the wall first show `local` or something later.
pub fn instant(local: NaiveDateTime, tz: Tz) -> DateTime<Utc> {
    let minute = TimeDelta::minutes(1);
    let mut before = local;
    while local - before <= GAP_MAX {
        match tz.from_local_datetime(&before) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                let at = at.with_timezone(&Utc);
                // The gap began with the minute that follows the last that there was.
                return if before == local { at } else { at + minute };
            }
            LocalResult::None => before -= minute,
        }
    }
    // No zone has ever skipped more; as good an instant as any.
    local.and_utc()
}

impl Shift {
    /// The occurrence that begins on `date`, if the shift does on that day and any of it is left by a change of the
    /// clocks.
    fn on(&self, date: NaiveDate, tz: Tz) -> Option<Occurrence> {
        if !self.days.contains(&date.weekday()) {
            return None;
        }
        let last = if self.end <= self.start { date.checked_add_days(Days::new(1))? } else { date };
        let (from, to) = (instant(date.and_time(self.start), tz), instant(last.and_time(self.end), tz));
        (from < to).then(|| Occurrence { kind: Stretch::Shift, name: self.name.clone(), from, to })
    }

    /// Its occurrences around `at`, earliest first.
    fn around(&self, at: DateTime<Utc>, tz: Tz) -> impl Iterator<Item = Occurrence> {
        let today = at.with_timezone(&tz).date_naive();
        (-DAYS_AROUND..=DAYS_AROUND)
            .filter_map(move |days| today.checked_add_signed(TimeDelta::days(days)))
            .filter_map(move |date| self.on(date, tz))
    }
}

const DAY_MINUTES: i64 = 24 * 60;
const WEEK_MINUTES: i64 = 7 * DAY_MINUTES;

/// The first two shifts that are on at the same time of some week, as the clocks on the wall show it, and when both are: the
/// day and time at which the later one of them begins.
pub fn overlapping(shifts: &[Shift]) -> Option<(&Shift, &Shift, Weekday, NaiveTime)> {
    let minute = |time: NaiveTime| i64::from(time.num_seconds_from_midnight() / 60);
    let length = |shift: &Shift| match (minute(shift.end) - minute(shift.start)).rem_euclid(DAY_MINUTES) {
        0 => DAY_MINUTES,
        minutes => minutes,
    };
    let begins =
        |shift: &Shift, day: Weekday| i64::from(day.num_days_from_monday()) * DAY_MINUTES + minute(shift.start);
    // Whether `b` begins while `a` is on.
    let within = |a: &Shift, b: &Shift, on: Weekday| {
        let since = |day: &Weekday| (begins(b, on) - begins(a, *day)).rem_euclid(WEEK_MINUTES);
        a.days.iter().any(|day| since(day) < length(a))
    };
    let meet = |a: &Shift, b: &Shift| b.days.iter().find(|day| within(a, b, **day)).map(|day| (*day, b.start));
    shifts.iter().enumerate().find_map(|(index, a)| {
        let with = |b| meet(a, b).or_else(|| meet(b, a)).map(|(day, time)| (a, b, day, time));
        shifts[index + 1..].iter().find_map(with)
    })
}

/// What is on at `at`: the shift (of several the one listed first), the day if there are no shifts, or what is between
/// two of them.
pub fn at(shifts: &[Shift], tz: Tz, at: DateTime<Utc>) -> Occurrence {
    if shifts.is_empty() {
        return day(at.with_timezone(&tz).date_naive(), tz);
    }
    let around = || shifts.iter().flat_map(|shift| shift.around(at, tz));
    if let Some(on) = around().find(|occurrence| occurrence.contains(at)) {
        return on;
    }
    let midnight = |days: i64| at + TimeDelta::days(days);
    Occurrence {
        kind: Stretch::Between,
        name: "Between shifts".to_owned(),
        from: around().map(|one| one.to).filter(|to| *to <= at).max().unwrap_or_else(|| midnight(-DAYS_AROUND)),
        to: around().map(|one| one.from).filter(|from| *from > at).min().unwrap_or_else(|| midnight(DAYS_AROUND)),
    }
}

/// The last shift (or day) that began before what is on at `at`.
pub fn previous(shifts: &[Shift], tz: Tz, now: DateTime<Utc>) -> Occurrence {
    let current = at(shifts, tz, now);
    if shifts.is_empty() {
        return at(shifts, tz, current.from - TimeDelta::seconds(1));
    }
    shifts
        .iter()
        .flat_map(|shift| shift.around(current.from, tz))
        .filter(|one| one.from < current.from)
        .max_by_key(|one| one.from)
        .unwrap_or(current)
}

/// All occurrences of the shifts that overlap the time from `from` up to but without `to`, earliest first (of several
/// that begin at once, the shift listed first); the local days if there are no shifts. What is between two shifts is not
/// among them.
pub fn between(shifts: &[Shift], tz: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Occurrence> {
    if from >= to {
        return Vec::new();
    }
    let local = |at: DateTime<Utc>| at.with_timezone(&tz).date_naive();
    // What goes on at `from` began on that local day or the one before; one more costs nothing.
    let first = local(from).checked_sub_days(Days::new(2)).unwrap_or(NaiveDate::MIN);
    let last = local(to).checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
    let dates = first.iter_days().take_while(|date| *date <= last);
    let mut all: Vec<Occurrence> = if shifts.is_empty() {
        // A day that the clocks skipped is none.
        dates.map(|date| day(date, tz)).filter(|one| one.from < one.to).collect()
    } else {
        dates.flat_map(|date| shifts.iter().filter_map(move |shift| shift.on(date, tz))).collect()
    };
    all.retain(|one| one.from < to && from < one.to);
    all.sort_by_key(|one| one.from);
    all
}

fn day(date: NaiveDate, tz: Tz) -> Occurrence {
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
    Occurrence {
        kind: Stretch::Day,
        name: date.format("%Y-%m-%d").to_string(),
        from: instant(date.and_time(NaiveTime::MIN), tz),
        to: instant(next.and_time(NaiveTime::MIN), tz),
    }
}

#[cfg(test)]
mod tests;
