//! Deletes what is past its retention: a few rows at a time, so that neither a lock nor a statement lasts long however much there
//! is, for instance after a retention was made shorter. Whole partitions of events go in [`super::partitions`].

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres};

/// Rows of one statement.
const BATCH: u64 = 10_000;

/// Of a plain table the rows that `$old` is true of, where `$1` is the time before which they are.
macro_rules! delete {
    ($table:literal, $old:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ",
            $table,
            " WHERE ",
            $old,
            " LIMIT 10000))"
        )
    };
}

/// Of a partitioned one, where only the key tells rows apart.
macro_rules! delete_of_parts {
    ($table:literal, $key:literal, $old:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE (",
            $key,
            ") IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE ",
            $old,
            " LIMIT 10000)"
        )
    };
}

const DELETE_DEFAULT: &str = delete!("ergonomic_snapshots_default", "event_time < $1");
const DELETE_SUSPECTS: &str = delete!("clock_suspect_events", "stored_event_time < $1");
const DELETE_MINUTES: &str = delete!("zone_minutes", "minute < $1");
const DELETE_QUARTERS: &str = delete_of_parts!("zone_quarters", "warehouse_id, zone_id, quarter", "quarter < $1");
const DELETE_HOURS: &str = delete_of_parts!("zone_hours", "warehouse_id, zone_id, hour", "hour < $1");
const DELETE_SITE_QUARTERS: &str = delete_of_parts!("site_quarters", "warehouse_id, quarter", "quarter < $1");
const DELETE_SITE_HOURS: &str = delete_of_parts!("site_hours", "warehouse_id, hour", "hour < $1");
const DELETE_SITE_DAYS: &str = delete!("site_days", "day < $1");
const DELETE_LETTERS: &str = delete!("dead_letters", "state <> 'open' AND resolved_at < $1");
const DELETE_STATES: &str = delete!("site_states", "at < $1");
const DELETE_HEARTBEATS: &str = delete!("edge_heartbeats", "at < $1");
/// One that still goes on stays.
const DELETE_ALERTS: &str = delete!("alerts", "ended_at < $1");

/// What was said of an alert stays as long as the alert, and the end of a silence as long as the silence could last.
const DELETE_FACTS: &str = "\
DELETE FROM alert_facts WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM alert_facts f
    WHERE f.made_at < $1 AND (f.until IS NULL OR f.until < $1)
      AND NOT EXISTS (SELECT FROM alerts a WHERE a.warehouse_id = f.warehouse_id AND a.alert_id = f.alert_id)
      AND NOT EXISTS (SELECT FROM alert_facts s
                      WHERE s.fact_id = f.silence_id AND s.warehouse_id = f.warehouse_id AND s.until >= $1)
    LIMIT 10000))";

const DELETE_AUDIT: &str = delete!("audit_log", "at < $1");

pub const STATEMENTS: &[&str] = &[
    DELETE_DEFAULT,
    DELETE_SUSPECTS,
    DELETE_MINUTES,
    DELETE_QUARTERS,
    DELETE_HOURS,
    DELETE_SITE_QUARTERS,
    DELETE_SITE_HOURS,
    DELETE_SITE_DAYS,
    DELETE_LETTERS,
    DELETE_STATES,
    DELETE_HEARTBEATS,
    DELETE_ALERTS,
    DELETE_FACTS,
    DELETE_AUDIT,
];

/// Events from before this that no partition of theirs took along, and what tells apart those with a wrong clock.
pub(super) async fn snapshots(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_DEFAULT, before).await?;
    in_batches(connection, DELETE_SUSPECTS, before).await
}

/// Rollups from before these.
pub(super) async fn rollups(
    connection: &mut PgConnection,
    minutes: DateTime<Utc>,
    quarters: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_MINUTES, minutes).await?;
    for statement in [DELETE_QUARTERS, DELETE_HOURS, DELETE_SITE_QUARTERS, DELETE_SITE_HOURS, DELETE_SITE_DAYS] {
        in_batches(connection, statement, quarters).await?;
    }
    Ok(())
}

/// Dead letters that were decided before this.
pub(super) async fn letters(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_LETTERS, before).await
}

/// States of sites that began before this.
pub(super) async fn states(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_STATES, before).await
}

/// Kept heartbeats from before this.
pub(super) async fn heartbeats(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_HEARTBEATS, before).await
}

/// Alerts that ended before this, and then facts that were said before it.
pub(super) async fn alerts(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_ALERTS, before).await?;
    in_batches(connection, DELETE_FACTS, before).await
}

/// Lines of the audit from before this.
pub(super) async fn audit(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_AUDIT, before).await
}

/// Runs a statement that takes at most [`BATCH`] rows until it finds fewer.
pub(in crate::store) async fn in_batches<T>(
    connection: &mut PgConnection,
    statement: &'static str,
    before: T,
) -> Result<(), sqlx::Error>
where
    T: Copy + Send + for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
{
    loop {
        let deleted = sqlx::query(statement).bind(before).execute(&mut *connection).await?.rows_affected();
        if deleted < BATCH {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that took less than [`BATCH`] would end before all is done, one without a limit would run into its timeout.
    #[test]
    fn every_statement_takes_a_batch() {
        for statement in STATEMENTS {
            assert!(statement.contains(&format!("LIMIT {BATCH})")), "{statement}");
        }
    }
}
