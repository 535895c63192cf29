//! How people describe a site: names of its zones and cameras, its time zone, its shifts, as they write them and checked.
//! At the edge it is `[site]` of the configuration, at headquarters a form; what one takes, the other takes too.

use std::collections::HashSet;

use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::shift::Shift;

/// Zones and cameras, each: a hundred times what a site has, and small enough to look through.
pub const NAMED_MAX: usize = 2_000;
/// Three a day and others on each day of the week, several times over.
pub const SHIFTS_MAX: usize = 100;
/// Characters of a name: what fits on a wall screen.
pub const NAME_CHARS_MAX: usize = 60;

/// What of a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SiteError {
    /// Of the site: `time_zone`, `shifts`, `zones`, `cameras`, `name`.
    pub field: &'static str,
    /// With the fix.
    pub problem: String,
}

impl SiteError {
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// A shift as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShiftConfig {
    pub name: String,
    /// Days on which it begins.
    pub days: Vec<Day>,
    /// Local time, `HH:MM`.
    #[schema(example = "06:00")]
    pub start: String,
    /// Local time, `HH:MM`; not after `start` means on the next day.
    #[schema(example = "14:00")]
    pub end: String,
}

/// A day of the week as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    pub const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Mon,
            Self::Tue => Weekday::Tue,
            Self::Wed => Weekday::Wed,
            Self::Thu => Weekday::Thu,
            Self::Fri => Weekday::Fri,
            Self::Sat => Weekday::Sat,
            Self::Sun => Weekday::Sun,
        }
    }
}

impl ShiftConfig {
    fn check(&self) -> Result<Shift, SiteError> {
        name("shifts", &self.name)?;
        let time = |key: &str, text: &str| {
            // chrono would take "6:00" too, and "06:00 " not: one way to write it is enough.
            NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| text.len() == 5).ok_or_else(|| {
                let problem = format!("{key} of {:?} is {text:?}; write a local time such as \"06:00\"", self.name);
                SiteError::new("shifts", problem)
            })
        };
        if self.days.is_empty() {
            let problem =
                format!("days of {:?} is empty, so it would never begin; for example [\"mon\", \"tue\"]", self.name);
            return Err(SiteError::new("shifts", problem));
        }
        Ok(Shift {
            name: self.name.clone(),
            days: self.days.iter().map(|day| day.weekday()).collect(),
            start: time("start", &self.start)?,
            end: time("end", &self.end)?,
        })
    }
}

/// A time zone by its IANA name.
///
/// # Errors
/// If no such zone is known.
pub fn time_zone(text: &str) -> Result<Tz, SiteError> {
    text.parse().map_err(|_| {
        let problem = format!("{text:?} is no time zone that is known here; use an IANA name such as Europe/Berlin");
        SiteError::new("time_zone", problem)
    })
}

/// Whether something can be called this.
///
/// # Errors
/// If it is empty, too long for a screen, or not printable.
pub fn name(field: &'static str, name: &str) -> Result<(), SiteError> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let problem = format!("name {name:?} must have 1 to {NAME_CHARS_MAX} printable characters");
        return Err(SiteError::new(field, problem));
    }
    Ok(())
}

/// All shifts of a site.
///
/// # Errors
/// The first that cannot be used.
pub fn shifts(written: &[ShiftConfig]) -> Result<Vec<Shift>, SiteError> {
    if written.len() > SHIFTS_MAX {
        let problem = format!("{} are listed, at most {SHIFTS_MAX} can be", written.len());
        return Err(SiteError::new("shifts", problem));
    }
    let shifts = written.iter().map(ShiftConfig::check).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = shifts.iter().find(|shift| !seen.insert(shift.name.as_str())) {
        let problem = format!("{:?} is listed twice; give each shift a name of its own", twice.name);
        return Err(SiteError::new("shifts", problem));
    }
    Ok(shifts)
}
