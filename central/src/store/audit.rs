//! Rows of `audit_log`: who did what to what, and why. Written in the transaction that does it, so that what happened is in the
//! audit, and what is in the audit happened. Never changed; deleted by retention alone.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Db, StoreError, within};

const NOTE: &str = "INSERT INTO audit_log (actor, action, subject, detail) VALUES ($1, $2, $3, $4)";

/// Newest first. A subject is asked for by how it begins, so that `alert` finds those of all alerts.
const PAGE: &str = "\
SELECT id, at, actor, action, subject, detail FROM audit_log
WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2)
  AND ($3::text IS NULL OR subject ^@ $3)
  AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)
  AND ($6::int8 IS NULL OR id < $6)
ORDER BY id DESC LIMIT $7";

pub const STATEMENTS: &[&str] = &[NOTE, PAGE];

/// Adds a line to the transaction that `connection` is in. `action` is a verb in `snake_case`, `subject` a kind and a name
/// (`user anna`), `detail` what else there is to know: never a worker's id, never a secret.
pub(super) async fn note(
    connection: &mut PgConnection,
    actor: &str,
    action: &str,
    subject: &str,
    detail: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(NOTE).bind(actor).bind(action).bind(subject).bind(detail).execute(connection).await.map(drop)
}

/// Adds a line about something that changes nothing, such as looking at a person's data. Whoever looks gets the data
/// only after this.
///
/// # Errors
/// If Postgres cannot take it.
pub async fn add(db: &Db, actor: &str, action: &str, subject: &str, detail: Option<&str>) -> Result<(), StoreError> {
    let mut lease = db.lease().await?;
    within(note(&mut lease, actor, action, subject, detail)).await?;
    lease.done();
    Ok(())
}

/// One line.
#[derive(Debug, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct Entry {
    pub id: i64,
    pub at: DateTime<Utc>,
    /// An account, a machine's token, or whoever was at the command line.
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub detail: Option<String>,
}

/// Which lines to read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub actor: Option<String>,
    pub action: Option<String>,
    /// How it begins.
    pub subject: Option<String>,
    /// Inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub to: Option<DateTime<Utc>>,
    /// Only what is older than this one.
    pub before: Option<i64>,
    pub limit: i64,
}

/// A page of the audit, newest first.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn page(db: &Db, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(PAGE)
        .bind(&filter.actor)
        .bind(&filter.action)
        .bind(&filter.subject)
        .bind(filter.from)
        .bind(filter.to)
        .bind(filter.before)
        .bind(filter.limit);
    let page = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(page)
}
