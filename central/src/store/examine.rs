//! What `doctor` and `status` ask of Postgres: version, settings, schema, rights, partitions, and how the sites are. Looks, and
//! changes nothing.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Db, MIGRATIONS, StoreError, partitions, within};

const SETTINGS: &str = "\
SELECT name, setting FROM pg_settings WHERE name IN
    ('server_version', 'server_version_num', 'fsync', 'full_page_writes', 'synchronous_commit', 'max_connections',
     'superuser_reserved_connections', 'TimeZone', 'statement_timeout', 'lock_timeout',
     'idle_in_transaction_session_timeout', 'data_directory')";

const SERVER: &str = "\
SELECT now(), (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), pg_is_in_recovery()";

const HAS_MIGRATIONS: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";

const STRAYS: &str = "SELECT count(*) FROM (SELECT FROM ergonomic_snapshots_default LIMIT 1000) s";

const WITHOUT_EDGES: &str = "\
SELECT coalesce(w.name, w.warehouse_id::text) FROM warehouses w
WHERE NOT EXISTS (SELECT FROM edges e WHERE e.warehouse_id = w.warehouse_id AND e.revoked_at IS NULL) ORDER BY 1";

const SITES: &str = "\
SELECT w.warehouse_id, w.name, s.state, s.codes, s.since
FROM warehouses w LEFT JOIN fleet_states s ON s.warehouse_id = w.warehouse_id AND s.edge_id IS NULL
ORDER BY w.name, w.warehouse_id";

pub const STATEMENTS: &[&str] = &[SETTINGS, SERVER, HAS_MIGRATIONS, APPLIED, STRAYS, WITHOUT_EDGES, SITES];

/// The server and the schema.
#[derive(Debug, Default)]
pub struct Examined {
    /// By name, as `SHOW` has them.
    pub settings: HashMap<String, String>,
    pub now: DateTime<Utc>,
    pub connections: i64,
    /// Whether partitions can be made.
    pub may_create: bool,
    /// A standby takes no writes.
    pub is_standby: bool,
    pub migrations: Migrations,
}

/// The schema, beside the one of this version.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    pub missing: Vec<i64>,
    /// Of a newer version than this.
    pub unknown: Vec<i64>,
}

/// What can be asked once the schema is there.
#[derive(Debug, Default)]
pub struct Contents {
    /// Days that are wanted and have no partition.
    pub days_missing: Vec<NaiveDate>,
    /// Rows that landed in no day's partition, counted up to a thousand.
    pub strays: i64,
    /// Names of sites that have no edge with a valid credential.
    pub without_edges: Vec<String>,
}

/// A site as it was last judged.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SiteState {
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    /// `None`: it was not judged yet.
    pub state: Option<String>,
    pub codes: Option<Vec<String>>,
    pub since: Option<DateTime<Utc>>,
}

/// # Errors
/// If Postgres cannot be reached or asked.
pub async fn server(db: &Db) -> Result<Examined, StoreError> {
    let mut connection = db.connect().await?;
    within(examined(&mut connection)).await
}

async fn examined(connection: &mut PgConnection) -> Result<Examined, sqlx::Error> {
    let settings: Vec<(String, Option<String>)> = sqlx::query_as(SETTINGS).fetch_all(&mut *connection).await?;
    let (now, connections, may_create, is_standby) = sqlx::query_as(SERVER).fetch_one(&mut *connection).await?;
    let applied: Vec<i64> = if sqlx::query_scalar(HAS_MIGRATIONS).fetch_one(&mut *connection).await? {
        sqlx::query_scalar(APPLIED).fetch_all(&mut *connection).await?
    } else {
        Vec::new()
    };
    let ours: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    let without = |some: &[i64], others: &[i64]| some.iter().copied().filter(|v| !others.contains(v)).collect();
    Ok(Examined {
        settings: settings.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect(),
        now,
        connections,
        may_create,
        is_standby,
        migrations: Migrations { missing: without(&ours, &applied), unknown: without(&applied, &ours) },
    })
}

/// # Errors
/// If Postgres cannot be asked, or has no schema yet.
pub async fn contents(db: &Db, snapshots_days: u32, now: DateTime<Utc>) -> Result<Contents, StoreError> {
    let mut connection = db.connect().await?;
    let days_missing = within(partitions::missing(&mut connection, snapshots_days, now)).await?;
    let strays = within(sqlx::query_scalar(STRAYS).fetch_one(&mut connection)).await?;
    let without_edges = within(sqlx::query_scalar(WITHOUT_EDGES).fetch_all(&mut connection)).await?;
    Ok(Contents { days_missing, strays, without_edges })
}

/// All sites, as they were last judged.
///
/// # Errors
/// If Postgres cannot be asked, or has no schema yet.
pub async fn sites(db: &Db) -> Result<Vec<SiteState>, StoreError> {
    let mut connection = db.connect().await?;
    within(sqlx::query_as(SITES).fetch_all(&mut connection)).await
}
