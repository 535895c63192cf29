//! Credentials: of edges, for sending, and of people's tools, for reading. A token is shown once, when it is made;
//! Postgres holds its SHA-256. A slow password hash would protect nothing here: the token is 256 random bits.

use chrono::{DateTime, Utc};
use common::credentials::{self, TokenHash, token_hash};
use common::ids::{EdgeId, WarehouseId};
use uuid::Uuid;

use super::{Db, StoreError, within};
use crate::access::Scopes;

const ADD_WAREHOUSE: &str = "INSERT INTO warehouses (warehouse_id) VALUES ($1) ON CONFLICT DO NOTHING";
const ADD_EDGE: &str = "\
INSERT INTO edges (edge_id, warehouse_id, name, credential_sha256) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const LIST_EDGES: &str = "\
SELECT edge_id, warehouse_id, name, created_at, revoked_at, heartbeat_at FROM edges ORDER BY created_at, edge_id";
const REVOKE_EDGE: &str = "UPDATE edges SET revoked_at = now() WHERE edge_id = $1 AND revoked_at IS NULL";
const FIND_EDGE: &str = "\
SELECT edge_id, warehouse_id FROM edges WHERE credential_sha256 = $1 AND revoked_at IS NULL";

const ADD_TOKEN: &str = "\
INSERT INTO api_tokens (name, token_sha256, scopes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const LIST_TOKENS: &str = "SELECT name, created_at, revoked_at FROM api_tokens ORDER BY created_at, name";
const REVOKE_TOKEN: &str = "UPDATE api_tokens SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL";
const FIND_TOKEN: &str = "\
SELECT name, scopes FROM api_tokens WHERE token_sha256 = $1 AND revoked_at IS NULL";

pub const STATEMENTS: &[&str] =
    &[ADD_WAREHOUSE, ADD_EDGE, LIST_EDGES, REVOKE_EDGE, FIND_EDGE, ADD_TOKEN, LIST_TOKENS, REVOKE_TOKEN, FIND_TOKEN];

#[derive(Debug, sqlx::FromRow, serde::Serialize)]
pub struct ListedEdge {
    pub edge_id: Uuid,
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub heartbeat_at: Option<DateTime<Utc>>,
}

#[derive(Debug, sqlx::FromRow, serde::Serialize)]
pub struct ListedToken {
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Makes a credential for an edge; `None` if the edge has one already.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn add_edge(
    db: &Db,
    edge: EdgeId,
    warehouse: WarehouseId,
    name: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let token = credentials::token("spe_");
    let mut lease = db.lease().await?;
    within(sqlx::query(ADD_WAREHOUSE).bind(warehouse.uuid()).execute(&mut *lease)).await?;
    let add =
        sqlx::query(ADD_EDGE).bind(edge.uuid()).bind(warehouse.uuid()).bind(name).bind(token_hash(&token).to_vec());
    let added = within(add.execute(&mut *lease)).await?.rows_affected() == 1;
    lease.done();
    Ok(added.then_some(token))
}

/// # Errors
/// If Postgres cannot answer.
pub async fn list_edges(db: &Db) -> Result<Vec<ListedEdge>, StoreError> {
    let mut lease = db.lease().await?;
    let edges = within(sqlx::query_as(LIST_EDGES).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(edges)
}

/// False if there is no such edge with a valid credential.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn revoke_edge(db: &Db, edge: EdgeId) -> Result<bool, StoreError> {
    let mut lease = db.lease().await?;
    let revoked = within(sqlx::query(REVOKE_EDGE).bind(edge.uuid()).execute(&mut *lease)).await?;
    lease.done();
    Ok(revoked.rows_affected() == 1)
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

/// Makes a token for the API; `None` if the name is taken.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn add_token(db: &Db, name: &str, scopes: Scopes) -> Result<Option<String>, StoreError> {
    let token = credentials::token("spt_");
    let mut lease = db.lease().await?;
    let added = within(
        sqlx::query(ADD_TOKEN).bind(name).bind(token_hash(&token).to_vec()).bind(scopes.texts()).execute(&mut *lease),
    )
    .await?;
    lease.done();
    Ok((added.rows_affected() == 1).then_some(token))
}

/// # Errors
/// If Postgres cannot answer.
pub async fn list_tokens(db: &Db) -> Result<Vec<ListedToken>, StoreError> {
    let mut lease = db.lease().await?;
    let tokens = within(sqlx::query_as(LIST_TOKENS).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(tokens)
}

/// False if there is no such valid token.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn revoke_token(db: &Db, name: &str) -> Result<bool, StoreError> {
    let mut lease = db.lease().await?;
    let revoked = within(sqlx::query(REVOKE_TOKEN).bind(name).execute(&mut *lease)).await?;
    lease.done();
    Ok(revoked.rows_affected() == 1)
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
