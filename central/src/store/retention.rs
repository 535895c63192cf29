//! Deletes alerts and what was said of them, and the audit, when they are past their retention: a few at a time, so that neither a
//! lock nor a statement lasts long however much there is. Whole partitions of events go in [`super::partitions`].

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Rows of one statement.
const BATCH: u64 = 10_000;

/// One that still goes on stays.
const DELETE_ALERTS: &str = "\
DELETE FROM alerts WHERE ctid = ANY (ARRAY(SELECT ctid FROM alerts WHERE ended_at < $1 LIMIT 10000))";

/// What was said of an alert stays as long as the alert, and the end of a silence as long as the silence could last.
const DELETE_FACTS: &str = "\
DELETE FROM alert_facts WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM alert_facts f
    WHERE f.made_at < $1 AND (f.until IS NULL OR f.until < $1)
      AND NOT EXISTS (SELECT FROM alerts a WHERE a.warehouse_id = f.warehouse_id AND a.alert_id = f.alert_id)
      AND NOT EXISTS (SELECT FROM alert_facts s
                      WHERE s.fact_id = f.silence_id AND s.warehouse_id = f.warehouse_id AND s.until >= $1)
    LIMIT 10000))";

const DELETE_AUDIT: &str = "\
DELETE FROM audit_log WHERE ctid = ANY (ARRAY(SELECT ctid FROM audit_log WHERE at < $1 LIMIT 10000))";

pub const STATEMENTS: &[&str] = &[DELETE_ALERTS, DELETE_FACTS, DELETE_AUDIT];

/// Alerts that ended before this, and then facts that were said before it.
pub(super) async fn alerts(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_ALERTS, before).await?;
    in_batches(connection, DELETE_FACTS, before).await
}

/// Lines of the audit from before this.
pub(super) async fn audit(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    in_batches(connection, DELETE_AUDIT, before).await
}

async fn in_batches(
    connection: &mut PgConnection,
    statement: &'static str,
    before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    loop {
        let deleted = sqlx::query(statement).bind(before).execute(&mut *connection).await?.rows_affected();
        if deleted < BATCH {
            return Ok(());
        }
    }
}
