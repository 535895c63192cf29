//! What people call the things of a site, and its clock: set at headquarters, or reported from an edge's configuration.

use chrono_tz::Tz;
use common::shift::Shift;
use common::site::{self, ShiftConfig};
use serde_json::Value;
use tracing::warn;
use uuid::Uuid;

use super::{Db, StoreError, within};

const CLOCK: &str = "\
SELECT coalesce(time_zone_set, time_zone_reported) AS time_zone, coalesce(shifts_set, shifts_reported) AS shifts
FROM warehouses WHERE warehouse_id = $1";

pub const STATEMENTS: &[&str] = &[CLOCK];

/// By what a site's people count their time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteClock {
    pub time_zone: Tz,
    /// Empty: local days take their place.
    pub shifts: Vec<Shift>,
}

impl Default for SiteClock {
    fn default() -> Self {
        Self { time_zone: Tz::UTC, shifts: Vec::new() }
    }
}

impl SiteClock {
    /// What cannot be used, for instance a zone that a newer version of central knew, is left out and said in the log:
    /// figures by UTC are better than none.
    fn of(warehouse: Uuid, time_zone: Option<&str>, shifts: Option<Value>) -> Self {
        let mut clock = Self::default();
        match time_zone.map(site::time_zone).transpose() {
            Ok(time_zone) => clock.time_zone = time_zone.unwrap_or(Tz::UTC),
            Err(error) => warn!("Site {warehouse} goes by UTC: {error}"),
        }
        let written = shifts.map(serde_json::from_value::<Vec<ShiftConfig>>).transpose();
        match written.map(|written| site::shifts(&written.unwrap_or_default())) {
            Ok(Ok(shifts)) => clock.shifts = shifts,
            Ok(Err(error)) => warn!("Site {warehouse} goes by days: {error}"),
            Err(error) => warn!("Site {warehouse} goes by days: shifts: {error}"),
        }
        clock
    }
}

/// The clock of a site: as set at headquarters, else as its edges report it, else UTC and no shifts; that also for a site
/// that is not known.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn clock(db: &Db, warehouse: Uuid) -> Result<SiteClock, StoreError> {
    let mut lease = db.lease().await?;
    let found: Option<(Option<String>, Option<Value>)> =
        within(sqlx::query_as(CLOCK).bind(warehouse).fetch_optional(&mut *lease)).await?;
    lease.done();
    let (time_zone, shifts) = found.unwrap_or_default();
    Ok(SiteClock::of(warehouse, time_zone.as_deref(), shifts))
}
