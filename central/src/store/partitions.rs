//! Daily partitions of `ergonomic_snapshots`, made ahead and dropped by retention by central itself: plain Postgres has
//! nobody else to do it. A pass is idempotent and takes no input; several instances may run it, an advisory lock lets
//! one at a time work. Days are UTC.
//!
//! TimescaleDB would do this by itself; a hypertable is not supported yet.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use super::rollups::people;
use super::{Db, StoreError, ledger, retention, sessions};
use crate::config::Retention;

/// Backfill reaches back this far: the edge's `event_age_max`.
const DAYS_BACK: u64 = 35;
/// Central may be without an upkeep pass for this long.
const DAYS_AHEAD: u64 = 4;

/// Any number that nobody else uses; it spells "smartprt".
const LOCK: &str = "SELECT pg_advisory_xact_lock(x'736d617274707274'::bit(64)::int8)";

/// A pass never makes requests wait longer than this for a lock; it comes again.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '60s'";

const LIST: &str = "\
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'ergonomic_snapshots'::regclass";

const EXISTS: &str = "SELECT to_regclass($1) IS NOT NULL";

pub const STATEMENTS: &[&str] = &[LOCK, LIST, EXISTS];

/// What a pass did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub made: usize,
    pub dropped: usize,
    /// Rows that had landed in the default partition and are now in their day's.
    pub moved: u64,
}

const PREFIX: &str = "ergonomic_snapshots_";

fn name(day: NaiveDate) -> String {
    format!("{PREFIX}{}", day.format("%Y%m%d"))
}

fn day(name: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(name.strip_prefix(PREFIX)?, "%Y%m%d").ok()
}

fn days_before(now: DateTime<Utc>, days: u32) -> NaiveDate {
    now.date_naive().checked_sub_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MIN)
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// The days that need a partition: from the oldest that may still come in, or be kept, to a few days ahead.
fn wanted(now: DateTime<Utc>, snapshots_days: u32) -> impl Iterator<Item = NaiveDate> {
    let back = DAYS_BACK.min(u64::from(snapshots_days));
    let first = now.date_naive().checked_sub_days(Days::new(back)).unwrap_or(NaiveDate::MIN);
    first.iter_days().take(usize::try_from(back + 1 + DAYS_AHEAD).expect("a few dozen"))
}

/// The days that are wanted and have no partition yet.
pub(super) async fn missing(
    connection: &mut PgConnection,
    snapshots_days: u32,
    now: DateTime<Utc>,
) -> Result<Vec<NaiveDate>, sqlx::Error> {
    let existing = existing(connection).await?;
    Ok(wanted(now, snapshots_days).filter(|day| !existing.contains(day)).collect())
}

async fn existing(connection: &mut PgConnection) -> Result<Vec<NaiveDate>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(LIST).fetch_all(connection).await?;
    Ok(names.iter().filter_map(|name| day(name)).collect())
}

/// Makes the partitions that are wanted, drops those past retention, deletes what is past its own.
///
/// # Errors
/// If Postgres cannot do it now; what was done is kept, the rest comes with the next pass.
pub async fn upkeep(db: &Db, keep: &Retention, now: DateTime<Utc>) -> Result<Done, StoreError> {
    let mut connection = db.connect().await?;
    let mut done = Done::default();
    let existing = existing(&mut connection).await?;
    for day in wanted(now, keep.snapshots_days).filter(|day| !existing.contains(day)) {
        if let Some(moved) = make(&mut connection, day).await? {
            done.made += 1;
            done.moved += moved;
        }
    }
    let oldest = days_before(now, keep.snapshots_days);
    for day in existing.into_iter().filter(|day| *day < oldest) {
        drop_day(&mut connection, day).await?;
        done.dropped += 1;
    }
    retention::snapshots(&mut connection, midnight(oldest)).await?;
    retention::rollups(
        &mut connection,
        midnight(days_before(now, keep.zone_minutes_days)),
        midnight(days_before(now, keep.zone_quarters_days)),
    )
    .await?;
    retention::letters(&mut connection, midnight(days_before(now, keep.dead_letters_days))).await?;
    retention::states(&mut connection, midnight(days_before(now, keep.site_states_days))).await?;
    retention::heartbeats(&mut connection, midnight(days_before(now, keep.heartbeats_days))).await?;
    ledger::forget(&mut connection, midnight(days_before(now, keep.ledger_days))).await?;
    retention::alerts(&mut connection, midnight(days_before(now, keep.alerts_days))).await?;
    retention::audit(&mut connection, midnight(days_before(now, keep.audit_days))).await?;
    sessions::tidy(&mut connection).await?;
    people::upkeep(&mut connection, now.date_naive(), days_before(now, keep.zone_quarters_days)).await?;
    Ok(done)
}

/// Begins a transaction that no other instance's upkeep runs beside.
async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(BEGIN).execute(&mut *connection).await?;
    sqlx::query(LOCK).execute(connection).await?;
    Ok(())
}

/// Rows moved into the new partition; `None` if another instance has made it.
///
/// The table is made on its own and attached, because that does not stop writes to other days; only the default
/// partition is locked, so that no row slips into it between the move and the attachment.
async fn make(connection: &mut PgConnection, day: NaiveDate) -> Result<Option<u64>, sqlx::Error> {
    begin(connection).await?;
    let table = name(day);
    // Another instance made it since we looked.
    if sqlx::query_scalar(EXISTS).bind(&table).fetch_one(&mut *connection).await? {
        sqlx::raw_sql("ROLLBACK").execute(connection).await?;
        return Ok(None);
    }
    let next = day.succ_opt().unwrap_or(NaiveDate::MAX);
    // Names and days are our own, not input.
    let make = format!(
        "CREATE TABLE {table} (LIKE ergonomic_snapshots INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
         LOCK TABLE ergonomic_snapshots_default IN ACCESS EXCLUSIVE MODE"
    );
    let range = format!("event_time >= '{day} 00:00+00' AND event_time < '{next} 00:00+00'");
    let fill = format!(
        "WITH moved AS (DELETE FROM ergonomic_snapshots_default WHERE {range} RETURNING *)
         INSERT INTO {table} SELECT * FROM moved"
    );
    let attach = format!(
        "ALTER TABLE ergonomic_snapshots ATTACH PARTITION {table}
             FOR VALUES FROM ('{day} 00:00+00') TO ('{next} 00:00+00')"
    );
    sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut *connection).await?;
    let moved = sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut *connection).await?.rows_affected();
    sqlx::raw_sql(AssertSqlSafe(attach)).execute(&mut *connection).await?;
    sqlx::raw_sql("COMMIT").execute(connection).await?;
    Ok(Some(moved))
}

async fn drop_day(connection: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
    begin(connection).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE IF EXISTS {}", name(day)))).execute(&mut *connection).await?;
    sqlx::raw_sql("COMMIT").execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partitions_name_tells_its_day() {
        let day_of = NaiveDate::from_ymd_opt(2026, 2, 28).expect("a day");
        assert_eq!(name(day_of), "ergonomic_snapshots_20260228");
        assert_eq!(day(&name(day_of)), Some(day_of));
        assert_eq!(day("ergonomic_snapshots_default"), None);
    }

    #[test]
    fn days_are_wanted_from_the_oldest_event_to_a_few_ahead_but_none_past_retention() {
        let now = "2026-03-01T00:30:00Z".parse::<DateTime<Utc>>().expect("a time");
        let days: Vec<_> = wanted(now, Retention::default().snapshots_days).collect();
        assert_eq!((days[0].to_string(), days.len()), ("2026-01-25".to_owned(), 40));
        assert_eq!(days[39].to_string(), "2026-03-05");
        assert_eq!(wanted(now, 2).next().expect("some").to_string(), "2026-02-27");
    }
}
