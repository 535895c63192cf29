//! Sites, and the tokens by which boxes join them: single use, for an hour. A box whose answer was lost may ask again with the
//! same key until the token ends.

use chrono::{DateTime, TimeDelta, Utc};
use common::credentials::TokenHash;
use common::ids::{EdgeId, WarehouseId};
use common::tls::Fingerprint;
use common::tls::authority::Issued;
use common::tls::request::KeyHash;
use sqlx::PgConnection;
use uuid::Uuid;

use super::certificates::{self, Given, Purpose};
use super::{Db, StoreError, audit, transaction, within};

/// How long a technician has to carry a token to its box.
pub const TOKEN_LIFE: TimeDelta = TimeDelta::hours(1);
/// Used and expired ones can still say for a month why they are not taken.
const TOKEN_KEPT: TimeDelta = TimeDelta::days(30);

const ADD_SITE: &str = "INSERT INTO warehouses (warehouse_id, name_set) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const SITES: &str = "\
SELECT w.warehouse_id, w.name, count(e.edge_id) FILTER (WHERE e.revoked_at IS NULL) AS edges, max(e.heartbeat_at) AS heartbeat_at
FROM warehouses w LEFT JOIN edges e ON e.warehouse_id = w.warehouse_id
GROUP BY w.warehouse_id ORDER BY w.name, w.warehouse_id";
const ADD_TOKEN: &str = "\
INSERT INTO join_tokens (token_sha256, warehouse_id, edge_id, made_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
const FORGET_TOKENS: &str = "DELETE FROM join_tokens WHERE expires_at < $1";
const TOKEN: &str = "\
SELECT t.warehouse_id, t.edge_id, t.expires_at, t.used_at, t.key_sha256, c.edge_id AS given_to, c.certificate,
       c.not_after, c.renew_at, coalesce(c.revoked_at, e.revoked_at) AS revoked_at
FROM join_tokens t
LEFT JOIN edge_certificates c ON c.fingerprint = t.certificate
LEFT JOIN edges e ON e.edge_id = c.edge_id
WHERE t.token_sha256 = $1 FOR UPDATE OF t";
const USE_TOKEN: &str = "\
UPDATE join_tokens SET used_at = $2, key_sha256 = $3, certificate = $4 WHERE token_sha256 = $1";
const ADD_EDGE: &str = "INSERT INTO edges (edge_id, warehouse_id, name) VALUES ($1, $2, $3)";
const EDGE_OF: &str = "SELECT warehouse_id FROM edges WHERE edge_id = $1";
/// Whatever it came in by before, it comes in by its new certificate now.
const TAKE_OVER: &str = "\
UPDATE edges SET revoked_at = NULL, credential_sha256 = NULL, copy_seen_at = NULL WHERE edge_id = $1";
const REVOKE_ALL: &str = "\
UPDATE edge_certificates SET revoked_at = $2 WHERE edge_id = $1 AND revoked_at IS NULL";

pub const STATEMENTS: &[&str] =
    &[ADD_SITE, SITES, ADD_TOKEN, FORGET_TOKENS, TOKEN, USE_TOKEN, ADD_EDGE, EDGE_OF, TAKE_OVER, REVOKE_ALL];

#[derive(Debug, Clone, sqlx::FromRow, serde::Serialize)]
pub struct ListedSite {
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    /// That may come in.
    pub edges: i64,
    pub heartbeat_at: Option<DateTime<Utc>>,
}

/// Makes a site; false if there is one under this id.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn add_site(db: &Db, actor: &str, warehouse: WarehouseId, name: &str) -> Result<bool, StoreError> {
    transaction(db, async |connection| {
        let add = sqlx::query(ADD_SITE).bind(warehouse.uuid()).bind(name);
        if add.execute(&mut *connection).await?.rows_affected() == 0 {
            return Ok(false);
        }
        audit::note(connection, actor, "site_added", &format!("site {warehouse}"), Some(name)).await?;
        Ok(true)
    })
    .await
}

/// All sites, by name.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn list_sites(db: &Db) -> Result<Vec<ListedSite>, StoreError> {
    let mut lease = db.lease().await?;
    let sites = within(sqlx::query_as(SITES).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(sites)
}

/// In which warehouse an edge stands.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn edge_of(db: &Db, edge: EdgeId) -> Result<Option<WarehouseId>, StoreError> {
    let mut lease = db.lease().await?;
    let found = within(sqlx::query_scalar(EDGE_OF).bind(edge.uuid()).fetch_optional(&mut *lease)).await?;
    lease.done();
    Ok(found.map(WarehouseId::from_uuid))
}

/// Stores a token for a box of a warehouse; with `edge`, to enrol that one anew. Answers when it ends.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn add_token(
    db: &Db,
    actor: &str,
    hash: &TokenHash,
    warehouse: WarehouseId,
    edge: Option<EdgeId>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, StoreError> {
    let expires_at = now + TOKEN_LIFE;
    transaction(db, async |connection| {
        sqlx::query(FORGET_TOKENS).bind(now - TOKEN_KEPT).execute(&mut *connection).await?;
        sqlx::query(ADD_TOKEN)
            .bind(&hash[..])
            .bind(warehouse.uuid())
            .bind(edge.map(EdgeId::uuid))
            .bind(now)
            .bind(expires_at)
            .execute(&mut *connection)
            .await?;
        let whom = edge.map_or_else(|| "a new edge".to_owned(), |edge| format!("edge {edge}"));
        let detail = format!("for {whom}, until {}", expires_at.format("%FT%TZ"));
        audit::note(connection, actor, "join_token_made", &format!("site {warehouse}"), Some(&detail)).await
    })
    .await?;
    Ok(expires_at)
}

#[derive(Debug, sqlx::FromRow)]
struct Token {
    warehouse_id: Uuid,
    edge_id: Option<Uuid>,
    expires_at: DateTime<Utc>,
    used_at: Option<DateTime<Utc>>,
    key_sha256: Option<Vec<u8>>,
    given_to: Option<Uuid>,
    certificate: Option<String>,
    not_after: Option<DateTime<Utc>>,
    renew_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

/// Why a box may not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEntry {
    /// No such token was made here.
    Unknown,
    Expired(DateTime<Utc>),
    /// By a box with another key.
    Used(DateTime<Utc>),
}

/// Who a box is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    pub edge: EdgeId,
    pub warehouse: WarehouseId,
    pub given: Given,
}

/// What a box brings along.
pub struct Newcomer<'a> {
    pub token: &'a TokenHash,
    pub key: &'a KeyHash,
    /// What its people call it.
    pub name: Option<&'a str>,
}

/// Lets a box in by its token: makes the edge, unless the token is for one that there is, and stores the certificate that `issue`
/// signs for it.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn enrol(
    db: &Db,
    newcomer: &Newcomer<'_>,
    issue: impl FnOnce(EdgeId) -> Issued,
    by: Fingerprint,
    now: DateTime<Utc>,
) -> Result<Result<Enrolled, NoEntry>, StoreError> {
    transaction(db, async |connection| {
        let token: Option<Token> =
            sqlx::query_as(TOKEN).bind(&newcomer.token[..]).fetch_optional(&mut *connection).await?;
        let Some(token) = token else { return Ok(Err(NoEntry::Unknown)) };
        let warehouse = WarehouseId::from_uuid(token.warehouse_id);
        if token.expires_at <= now {
            return Ok(Err(NoEntry::Expired(token.expires_at)));
        }
        if let Some(used_at) = token.used_at {
            return Ok(token.again(newcomer.key).ok_or(NoEntry::Used(used_at)));
        }
        let edge = EdgeId::from_uuid(token.edge_id.unwrap_or_else(Uuid::new_v4));
        let issued = issue(edge);
        match token.edge_id {
            Some(_) => take_over(connection, edge, now).await?,
            None => {
                let add = sqlx::query(ADD_EDGE).bind(edge.uuid()).bind(token.warehouse_id).bind(newcomer.name);
                add.execute(&mut *connection).await?;
            }
        }
        certificates::add(connection, &issued, by, edge, Purpose::Enrolment, now).await?;
        sqlx::query(USE_TOKEN)
            .bind(&newcomer.token[..])
            .bind(now)
            .bind(&newcomer.key[..])
            .bind(&issued.fingerprint.0[..])
            .execute(&mut *connection)
            .await?;
        let detail = format!("for warehouse {warehouse}, certificate until {}", issued.not_after.format("%FT%TZ"));
        let actor = certificates::actor(edge);
        audit::note(connection, &actor, "edge_enrolled", &format!("edge {edge}"), Some(&detail)).await?;
        Ok(Ok(Enrolled { edge, warehouse, given: Given::of(&issued) }))
    })
    .await
}

async fn take_over(connection: &mut PgConnection, edge: EdgeId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    revoke_all(connection, edge, now).await?;
    sqlx::query(TAKE_OVER).bind(edge.uuid()).execute(connection).await.map(drop)
}

/// Ends all certificates of an edge.
pub(super) async fn revoke_all(
    connection: &mut PgConnection,
    edge: EdgeId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(REVOKE_ALL).bind(edge.uuid()).bind(now).execute(connection).await.map(drop)
}

impl Token {
    /// What the box with this key was given, if it was.
    fn again(self, key: &KeyHash) -> Option<Enrolled> {
        if self.key_sha256.as_deref() != Some(&key[..]) || self.revoked_at.is_some() {
            return None;
        }
        Some(Enrolled {
            edge: EdgeId::from_uuid(self.given_to?),
            warehouse: WarehouseId::from_uuid(self.warehouse_id),
            given: Given { pem: self.certificate?, not_after: self.not_after?, renew_at: self.renew_at? },
        })
    }
}
