//! Rows of `rule_sets`: the rules that headquarters made for each site. Append-only: the newest is the one to go by, and
//! what was before stays to be looked at.

use chrono::{DateTime, Utc};
use common::rules::RuleConfig;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::batch::{BEGIN, COMMIT};
use super::sites::LOCK_WAREHOUSE;
use super::{Db, StoreError, audit, within};

/// Newest first.
const PAGE: &str = "\
SELECT version, set_id, rules, note, made_by, made_at FROM rule_sets
WHERE warehouse_id = $1 AND ($2::int8 IS NULL OR version < $2) ORDER BY version DESC LIMIT $3";

const EDGES: &str = "\
SELECT edge_id, name, heartbeat -> 'rules' AS report, heartbeat_at FROM edges
WHERE warehouse_id = $1 AND revoked_at IS NULL ORDER BY created_at, edge_id";

/// Each site with its newest set, without the rules themselves.
const OVERVIEW: &str = "\
SELECT w.warehouse_id, w.name, r.version, r.set_id, r.rules IS NOT NULL AS has_rules,
    coalesce(r.rules = '[]', false) AS alerts_off, r.made_by, r.made_at
FROM warehouses w
LEFT JOIN LATERAL (
    SELECT version, set_id, rules, made_by, made_at FROM rule_sets s WHERE s.warehouse_id = w.warehouse_id
    ORDER BY version DESC LIMIT 1
) r ON true
ORDER BY w.name, w.warehouse_id";

const ALL_EDGES: &str = "\
SELECT warehouse_id, heartbeat -> 'rules' AS report FROM edges WHERE revoked_at IS NULL";

const ALERTS_OFF: &str = "\
SELECT coalesce(rules = '[]', false) FROM rule_sets WHERE warehouse_id = $1 ORDER BY version DESC LIMIT 1";

const NEWEST: &str = "SELECT max(version) FROM rule_sets WHERE warehouse_id = $1";

const ADD: &str = "\
INSERT INTO rule_sets (warehouse_id, version, set_id, rules, note, made_by) VALUES ($1, $2, $3, $4, $5, $6)";

pub const STATEMENTS: &[&str] = &[PAGE, EDGES, OVERVIEW, ALL_EDGES, ALERTS_OFF, NEWEST, ADD];

/// A set as it was made.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Made {
    pub version: i64,
    pub set_id: Uuid,
    /// `None`: each edge goes by its own configuration.
    pub rules: Option<Value>,
    pub note: String,
    pub made_by: String,
    pub made_at: DateTime<Utc>,
}

/// An edge and what it last reported of its rules.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Reported {
    pub edge_id: Uuid,
    pub name: Option<String>,
    pub report: Option<Value>,
    pub heartbeat_at: Option<DateTime<Utc>>,
}

/// The sets of a site, newest first, below the version `before`.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn page(db: &Db, warehouse: Uuid, before: Option<i64>, limit: i64) -> Result<Vec<Made>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(PAGE).bind(warehouse).bind(before).bind(limit);
    let page = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(page)
}

/// The newest set of a site, and its edges, the longest there first.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn current(db: &Db, warehouse: Uuid) -> Result<(Option<Made>, Vec<Reported>), StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(PAGE).bind(warehouse).bind(None::<i64>).bind(1_i64);
    let newest = within(query.fetch_optional(&mut *lease)).await?;
    let edges = within(sqlx::query_as(EDGES).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok((newest, edges))
}

/// A site and its newest set.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SiteNewest {
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    /// `None`: none was ever made.
    pub version: Option<i64>,
    pub set_id: Option<Uuid>,
    /// Not if each edge shall go by its own configuration.
    pub has_rules: bool,
    /// The set is empty.
    pub alerts_off: bool,
    pub made_by: Option<String>,
    pub made_at: Option<DateTime<Utc>>,
}

/// All sites by name, and what their edges last reported, by site.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn overview(db: &Db) -> Result<(Vec<SiteNewest>, Vec<(Uuid, Option<Value>)>), StoreError> {
    let mut lease = db.lease().await?;
    let sites = within(sqlx::query_as(OVERVIEW).fetch_all(&mut *lease)).await?;
    let edges = within(sqlx::query_as(ALL_EDGES).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok((sites, edges))
}

/// Whether a site's newest set is empty, so that nothing there raises an alert about people.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn alerts_off(db: &Db, warehouse: Uuid) -> Result<bool, StoreError> {
    let mut lease = db.lease().await?;
    let off: Option<bool> = within(sqlx::query_scalar(ALERTS_OFF).bind(warehouse).fetch_optional(&mut *lease)).await?;
    lease.done();
    Ok(off.unwrap_or(false))
}

/// What came of making a set.
#[derive(Debug, PartialEq, Eq)]
pub enum Added {
    /// Its version.
    Made(i64),
    /// The newest is not the one it was made from, but this.
    Conflict(Option<i64>),
    NoSite,
}

/// A set to be made. Checked by whoever asks.
#[derive(Debug)]
pub struct New<'a> {
    pub rules: Option<&'a [RuleConfig]>,
    pub note: &'a str,
    pub by: &'a str,
    /// The newest that whoever makes it has seen.
    pub base_version: Option<i64>,
}

/// Makes the next set of a site, with a line in the audit log.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub async fn add(db: &Db, warehouse: Uuid, new: New<'_>) -> Result<Added, StoreError> {
    let mut lease = db.lease().await?;
    let connection = &mut *lease;
    let added = within(async {
        sqlx::raw_sql(BEGIN).execute(&mut *connection).await?;
        let locked: Option<Uuid> =
            sqlx::query_scalar(LOCK_WAREHOUSE).bind(warehouse).fetch_optional(&mut *connection).await?;
        if locked.is_none() {
            return Ok(Added::NoSite);
        }
        let newest: Option<i64> = sqlx::query_scalar(NEWEST).bind(warehouse).fetch_one(&mut *connection).await?;
        if newest != new.base_version {
            return Ok(Added::Conflict(newest));
        }
        let version = newest.unwrap_or(0) + 1;
        sqlx::query(ADD)
            .bind(warehouse)
            .bind(version)
            .bind(Uuid::new_v4())
            .bind(new.rules.map(Json))
            .bind(new.note)
            .bind(new.by)
            .execute(&mut *connection)
            .await?;
        let subject = format!("site {warehouse}");
        let rules = match new.rules {
            Some(rules) => rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", "),
            None => "each edge's own".to_owned(),
        };
        let detail = format!("version {version}: {rules}; {}", new.note);
        audit::note(&mut *connection, new.by, "set_rules", &subject, Some(&detail)).await?;
        sqlx::raw_sql(COMMIT).execute(connection).await?;
        Ok(Added::Made(version))
    })
    .await?;
    if matches!(added, Added::Made(_)) {
        // Otherwise its transaction ends with the connection.
        lease.done();
    }
    Ok(added)
}
