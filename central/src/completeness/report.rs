//! The completeness of a site over a range of time, put together: what the API, the export and the command line show.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::periods::{By, Figure, RANGE_MAX, figures, periods, span};
use crate::store::ledger::hours;
use crate::store::{Db, StoreError, sites};

/// A site's figures.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Report {
    pub generated_at: DateTime<Utc>,
    pub warehouse_id: Uuid,
    pub site: Option<String>,
    /// By its name of the IANA database; shifts, days and hours are of its clock.
    pub time_zone: String,
    /// What was asked for; the periods that overlap it are shown whole.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub by: By,
    pub periods: Vec<Figure>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    pub warehouse_id: Uuid,
    pub by: By,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("there is no such site")]
    NoSite,
    /// The text says what to ask instead.
    #[error("{0}")]
    Range(String),
    #[error("use Postgres")]
    Store(#[from] StoreError),
}

/// What is shown if nobody says from when: a day of hours, a week of shifts or days.
fn shown(by: By) -> TimeDelta {
    if by == By::Hour { TimeDelta::days(1) } else { TimeDelta::days(7) }
}

/// The range that is meant.
///
/// # Errors
/// [`ReportError::Range`] if it is empty or too long.
pub fn range(
    now: DateTime<Utc>,
    (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    shown: TimeDelta,
) -> Result<(DateTime<Utc>, DateTime<Utc>), ReportError> {
    let to = to.unwrap_or(now);
    // A time so early has nothing before it.
    let from = from.unwrap_or_else(|| to.checked_sub_signed(shown).unwrap_or(to));
    if from >= to {
        return Err(ReportError::Range(format!("from = {} is not before to = {}", from.to_rfc3339(), to.to_rfc3339())));
    }
    if to - from > RANGE_MAX {
        let days = RANGE_MAX.num_days();
        return Err(ReportError::Range(format!("from and to are more than {days} days apart; ask for less at once")));
    }
    Ok((from, to))
}

/// Puts the figures of a site together. What is to come is left out.
///
/// # Errors
/// See [`ReportError`].
pub async fn report(db: &Db, question: &Question, now: DateTime<Utc>) -> Result<Report, ReportError> {
    let Question { warehouse_id, by, .. } = *question;
    let (from, to) = range(now, (question.from, question.to), shown(by))?;
    let (_, site) = hours::sites(db, Some(warehouse_id)).await?.pop().ok_or(ReportError::NoSite)?;
    let clock = sites::clock(db, warehouse_id).await?;
    let mut wanted = periods(by, &clock.shifts, clock.time_zone, from, to);
    wanted.retain(|period| period.from < now);
    let periods = match span(&wanted) {
        None => Vec::new(),
        Some((first, last)) => {
            // Who has spoken is asked first: what was said after that can only add.
            let witnesses = hours::witnesses(db, warehouse_id).await?;
            let quarters = hours::quarters(db, warehouse_id, first, last).await?;
            figures(now, &wanted, &quarters, &witnesses)
        }
    };
    let time_zone = clock.time_zone.name().to_owned();
    Ok(Report { generated_at: now, warehouse_id, site, time_zone, from, to, by, periods })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_bounded_and_the_error_says_by_what() {
        let now: DateTime<Utc> = "2026-03-10T00:00:00Z".parse().expect("a time");
        let asked = |from: &str, to: &str| {
            let time = |text: &str| text.parse().ok();
            range(now, (time(from), time(to)), TimeDelta::days(7))
        };
        assert_eq!(asked("", "").expect("good"), (now - TimeDelta::days(7), now));
        assert!(asked("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z").is_ok(), "a quarter of a year");
        let error = asked("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z").expect_err("too long").to_string();
        assert!(error.contains("93 days"), "{error}");
        let error = asked("2026-03-11T00:00:00Z", "").expect_err("the wrong way round").to_string();
        assert!(error.contains("not before"), "{error}");
    }
}
