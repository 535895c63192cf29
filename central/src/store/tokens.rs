//! Credentials: of edges, for sending, and of people's tools, for reading. A token is shown once, when it is made;
//! Postgres holds its SHA-256. A slow password hash would protect nothing here: the token is 256 random bits. Who made
//! and revoked one is in the audit.

use chrono::{DateTime, Utc};
use common::credentials::{self, TokenHash, name_key, token_hash};
use common::ids::{EdgeId, WarehouseId};
use uuid::Uuid;

use super::{Db, StoreError, audit, enrolment, transaction, users, within};
use crate::access::Scopes;

/// Edges that were shut out, on the page of a site; the command line lists all.
const SHUT_OUT_MAX: i64 = 50;

const ADD_WAREHOUSE: &str = "INSERT INTO warehouses (warehouse_id) VALUES ($1) ON CONFLICT DO NOTHING";
const ADD_EDGE: &str = "\
INSERT INTO edges (edge_id, warehouse_id, name, credential_sha256) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const LIST_EDGES: &str = "\
SELECT e.edge_id, e.warehouse_id, e.name, e.created_at, e.revoked_at, e.heartbeat_at, c.not_after AS certificate_until,
       e.credential_sha256 IS NOT NULL AS has_token
FROM edges e LEFT JOIN LATERAL (
    SELECT not_after FROM edge_certificates
    WHERE edge_id = e.edge_id AND revoked_at IS NULL AND superseded_at IS NULL
    ORDER BY first_used_at IS NULL, issued_at DESC LIMIT 1
) c ON true
ORDER BY e.created_at, e.edge_id";
const SHUT_OUT: &str = "\
SELECT edge_id, name, revoked_at AS at FROM edges WHERE warehouse_id = $1 AND revoked_at IS NOT NULL
ORDER BY revoked_at DESC, edge_id LIMIT $2";
const REVOKE_EDGE: &str = "UPDATE edges SET revoked_at = now() WHERE edge_id = $1 AND revoked_at IS NULL";
const FIND_EDGE: &str = "\
SELECT edge_id, warehouse_id FROM edges WHERE credential_sha256 = $1 AND revoked_at IS NULL";

const ADD_TOKEN: &str = "INSERT INTO api_tokens (name, name_key, token_sha256, scopes) VALUES ($1, $2, $3, $4)";
const LIST_TOKENS: &str = "\
SELECT name, scopes, created_at, last_used_at, revoked_at FROM api_tokens ORDER BY created_at, name";
const REVOKE_TOKEN: &str = "\
UPDATE api_tokens SET revoked_at = now() WHERE name_key = $1 AND revoked_at IS NULL RETURNING name";
const NOTE_USE: &str = "UPDATE api_tokens SET last_used_at = now() WHERE token_sha256 = $1";
const FIND_TOKEN: &str = "\
SELECT name, scopes FROM api_tokens WHERE token_sha256 = $1 AND revoked_at IS NULL";

pub const STATEMENTS: &[&str] = &[
    ADD_WAREHOUSE,
    ADD_EDGE,
    LIST_EDGES,
    SHUT_OUT,
    REVOKE_EDGE,
    FIND_EDGE,
    ADD_TOKEN,
    LIST_TOKENS,
    REVOKE_TOKEN,
    NOTE_USE,
    FIND_TOKEN,
];

#[derive(Debug, sqlx::FromRow, serde::Serialize)]
pub struct ListedEdge {
    pub edge_id: Uuid,
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub heartbeat_at: Option<DateTime<Utc>>,
    /// Of the one that it comes in by.
    pub certificate_until: Option<DateTime<Utc>>,
    /// Whether it may come in by a bearer token.
    pub has_token: bool,
}

/// An edge that may not come in any more.
#[derive(Debug, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct ShutOut {
    pub edge_id: Uuid,
    pub name: Option<String>,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// A machine's token as it is listed.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ListedToken {
    pub name: String,
    pub scopes: Scopes,
    pub created_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Makes a credential for an edge; `None` if the edge has one already.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn add_edge(
    db: &Db,
    actor: &str,
    edge: EdgeId,
    warehouse: WarehouseId,
    name: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let token = credentials::token("spe_");
    let hash = token_hash(&token).to_vec();
    let added = transaction(db, async |connection| {
        sqlx::query(ADD_WAREHOUSE).bind(warehouse.uuid()).execute(&mut *connection).await?;
        let add = sqlx::query(ADD_EDGE).bind(edge.uuid()).bind(warehouse.uuid()).bind(name).bind(hash);
        if add.execute(&mut *connection).await?.rows_affected() == 0 {
            return Ok(false);
        }
        let detail = format!("for warehouse {warehouse}");
        audit::note(connection, actor, "edge_added", &format!("edge {edge}"), Some(&detail)).await?;
        Ok(true)
    });
    Ok(added.await?.then_some(token))
}

/// # Errors
/// If Postgres cannot answer.
pub async fn list_edges(db: &Db) -> Result<Vec<ListedEdge>, StoreError> {
    let mut lease = db.lease().await?;
    let edges = within(sqlx::query_as(LIST_EDGES).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(edges)
}

/// Edges of a site that were shut out, the latest first.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn shut_out(db: &Db, warehouse: Uuid) -> Result<Vec<ShutOut>, StoreError> {
    let mut lease = db.lease().await?;
    let edges = within(sqlx::query_as(SHUT_OUT).bind(warehouse).bind(SHUT_OUT_MAX).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(edges)
}

/// Shuts an edge out, token and certificates; false if there is no such edge, or it is out already.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn revoke_edge(db: &Db, actor: &str, edge: EdgeId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    transaction(db, async |connection| {
        let revoked = sqlx::query(REVOKE_EDGE).bind(edge.uuid()).execute(&mut *connection).await?;
        if revoked.rows_affected() == 0 {
            return Ok(false);
        }
        enrolment::revoke_all(connection, edge, now).await?;
        audit::note(connection, actor, "edge_revoked", &format!("edge {edge}"), None).await?;
        Ok(true)
    })
    .await
}

/// The edge whose valid credential this is.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn find_edge(db: &Db, token: &TokenHash) -> Result<Option<(EdgeId, WarehouseId)>, StoreError> {
    let mut lease = db.lease().await?;
    let found: Option<(Uuid, Uuid)> =
        within(sqlx::query_as(FIND_EDGE).bind(&token[..]).fetch_optional(&mut *lease)).await?;
    lease.done();
    Ok(found.map(|(edge, warehouse)| (EdgeId::from_uuid(edge), WarehouseId::from_uuid(warehouse))))
}

/// Makes a token for the API; `None` if the name is that of another token, revoked or not, or of an account.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn add_token(db: &Db, actor: &str, name: &str, scopes: Scopes) -> Result<Option<String>, StoreError> {
    let token = credentials::token("spt_");
    let hash = token_hash(&token).to_vec();
    let added = transaction(db, async |connection| {
        if users::is_taken(connection, name).await? {
            return Ok(false);
        }
        let add = sqlx::query(ADD_TOKEN).bind(name).bind(name_key(name)).bind(hash).bind(scopes.texts());
        add.execute(&mut *connection).await?;
        let detail = scopes.texts().join(", ");
        audit::note(connection, actor, "token_added", &format!("token {name}"), Some(&detail)).await?;
        Ok(true)
    });
    Ok(added.await?.then_some(token))
}

/// # Errors
/// If Postgres cannot answer.
pub async fn list_tokens(db: &Db) -> Result<Vec<ListedToken>, StoreError> {
    type Row = (String, Vec<String>, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let mut lease = db.lease().await?;
    let rows: Vec<Row> = within(sqlx::query_as(LIST_TOKENS).fetch_all(&mut *lease)).await?;
    lease.done();
    let listed = |(name, scopes, created_at, last_used_at, revoked_at): Row| ListedToken {
        name,
        scopes: Scopes::of_texts(&scopes),
        created_at,
        last_used_at,
        revoked_at,
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// False if there is no such valid token.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn revoke_token(db: &Db, actor: &str, name: &str) -> Result<bool, StoreError> {
    transaction(db, async |connection| {
        let revoke = sqlx::query_scalar(REVOKE_TOKEN).bind(name_key(name));
        let revoked: Option<String> = revoke.fetch_optional(&mut *connection).await?;
        let Some(name) = revoked else { return Ok(false) };
        audit::note(connection, actor, "token_revoked", &format!("token {name}"), None).await?;
        Ok(true)
    })
    .await
}

/// # Errors
/// If Postgres cannot do it now.
pub async fn note_use(db: &Db, token: &TokenHash) -> Result<(), StoreError> {
    let mut lease = db.lease().await?;
    within(sqlx::query(NOTE_USE).bind(&token[..]).execute(&mut *lease)).await?;
    lease.done();
    Ok(())
}

/// The name of a valid API token, and what it may do.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn find_token(db: &Db, token: &TokenHash) -> Result<Option<(String, Scopes)>, StoreError> {
    let mut lease = db.lease().await?;
    let found: Option<(String, Vec<String>)> =
        within(sqlx::query_as(FIND_TOKEN).bind(&token[..]).fetch_optional(&mut *lease)).await?;
    lease.done();
    Ok(found.map(|(name, scopes)| (name, Scopes::of_texts(&scopes))))
}
