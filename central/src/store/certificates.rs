//! Edges' certificates: whose one is and whether it still counts, and the ones given out for enrolments, renewals and
//! returns. What a certificate says of itself is not asked for here: who has it is known by its fingerprint.
//!
//! An edge may have several at a time. The first request with a new one ends those before it, after a while in which
//! batches that were on their way still arrive. Whoever shows an ended one later has a copy of the edge's disk.

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{EdgeId, WarehouseId};
use common::tls::Fingerprint;
use common::tls::authority::Issued;
use common::tls::request::KeyHash;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Db, StoreError, audit, transaction, within};

/// Longer than a batch can be on its way.
const SUPERSEDED_GRACE: TimeDelta = TimeDelta::minutes(10);
/// A copy that comes again and again is in the audit once in this time.
const COPY_NOTED_EVERY: TimeDelta = TimeDelta::hours(1);

const ADD_AUTHORITY: &str = "\
INSERT INTO authorities (fingerprint, certificate, made_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const AUTHORITIES: &str = "SELECT fingerprint, certificate FROM authorities ORDER BY made_at DESC";

const FIND: &str = "\
SELECT e.edge_id, e.warehouse_id, c.not_after, c.first_used_at, c.superseded_at,
       coalesce(c.revoked_at, e.revoked_at) AS revoked_at
FROM edge_certificates c JOIN edges e ON e.edge_id = c.edge_id WHERE c.fingerprint = $1";
/// Renewals of one edge come one after the other.
const LOCK: &str = "SELECT edge_id FROM edges WHERE edge_id = $1 FOR NO KEY UPDATE";
const USE: &str = "\
UPDATE edge_certificates SET first_used_at = $2
WHERE fingerprint = $1 AND first_used_at IS NULL AND superseded_at IS NULL RETURNING edge_id";
const SUPERSEDE: &str = "\
UPDATE edge_certificates SET superseded_at = $3
WHERE edge_id = $2 AND fingerprint <> $1 AND superseded_at IS NULL";
/// Whether this is news for the audit.
const NOTE_COPY: &str = "\
UPDATE edges e SET copy_seen_at = $2 FROM (SELECT edge_id, copy_seen_at FROM edges WHERE edge_id = $1) old
WHERE e.edge_id = old.edge_id RETURNING old.copy_seen_at IS NULL OR old.copy_seen_at < $3";
pub(super) const ADD: &str = "\
INSERT INTO edge_certificates
    (fingerprint, serial, edge_id, issued_by, issued_for, key_sha256, certificate, not_before, not_after, renew_at,
     issued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
/// One that was given out already for this key and is as good.
const SAME: &str = "\
SELECT certificate, not_after, renew_at FROM edge_certificates
WHERE edge_id = $1 AND key_sha256 = $2 AND renew_at > $3 AND superseded_at IS NULL AND revoked_at IS NULL
ORDER BY issued_at DESC LIMIT 1";
const KEY: &str = "SELECT key_sha256 FROM edge_certificates WHERE fingerprint = $1";

/// Only if there is none, so that two instances that start at once do not each have one of their own.
const FIRST_AUTHORITY: &str = "\
INSERT INTO authorities (fingerprint, certificate, made_at)
SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM authorities)";

pub const STATEMENTS: &[&str] =
    &[FIRST_AUTHORITY, ADD_AUTHORITY, AUTHORITIES, FIND, LOCK, USE, SUPERSEDE, NOTE_COPY, ADD, SAME, KEY];

/// Makes an authority known, if it is not.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn add_authority(db: &Db, fingerprint: Fingerprint, pem: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query(ADD_AUTHORITY).bind(&fingerprint.0[..]).bind(pem).bind(now);
    within(query.execute(&mut *lease)).await?;
    lease.done();
    Ok(())
}

/// Makes the first authority known; false if there is another one.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn first_authority(
    db: &Db,
    fingerprint: Fingerprint,
    pem: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query(FIRST_AUTHORITY).bind(&fingerprint.0[..]).bind(pem).bind(now);
    let added = within(query.execute(&mut *lease)).await?.rows_affected() > 0;
    lease.done();
    Ok(added)
}

/// Fingerprints and certificates (PEM) of all authorities, the newest first.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn authorities(db: &Db) -> Result<Vec<(Fingerprint, String)>, StoreError> {
    let mut lease = db.lease().await?;
    let rows: Vec<(Vec<u8>, String)> = within(sqlx::query_as(AUTHORITIES).fetch_all(&mut *lease)).await?;
    lease.done();
    // A row that is no fingerprint was not written by us.
    Ok(rows.into_iter().filter_map(|(print, pem)| Some((Fingerprint(print.try_into().ok()?), pem))).collect())
}

/// What a certificate is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Valid(EdgeId, WarehouseId),
    /// Its edge is shut out, or this one is.
    Revoked(EdgeId),
    /// Another one was used after it.
    Superseded(EdgeId),
    Expired(EdgeId),
    /// Signed by our authority, and not in this database: it is another one, or an older copy of it.
    Unknown,
}

#[derive(Debug, sqlx::FromRow)]
struct Found {
    edge_id: Uuid,
    warehouse_id: Uuid,
    not_after: DateTime<Utc>,
    first_used_at: Option<DateTime<Utc>>,
    superseded_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

/// `grace`: for how long a superseded one still counts.
fn standing(found: Option<&Found>, now: DateTime<Utc>, grace: TimeDelta) -> Standing {
    let Some(found) = found else { return Standing::Unknown };
    let edge = EdgeId::from_uuid(found.edge_id);
    if found.revoked_at.is_some() {
        Standing::Revoked(edge)
    } else if found.superseded_at.is_some_and(|at| at + grace <= now) {
        Standing::Superseded(edge)
    } else if found.not_after <= now {
        Standing::Expired(edge)
    } else {
        Standing::Valid(edge, WarehouseId::from_uuid(found.warehouse_id))
    }
}

/// What the certificate is worth. Its first use ends the ones before it; use after its end is noted as a copy's.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn show(db: &Db, fingerprint: Fingerprint, now: DateTime<Utc>) -> Result<Standing, StoreError> {
    let mut lease = db.lease().await?;
    let found: Option<Found> =
        within(sqlx::query_as(FIND).bind(&fingerprint.0[..]).fetch_optional(&mut *lease)).await?;
    lease.done();
    let standing = standing(found.as_ref(), now, SUPERSEDED_GRACE);
    match standing {
        Standing::Valid(edge, _) if found.is_some_and(|found| found.first_used_at.is_none()) => {
            first_use(db, fingerprint, edge, now).await?;
        }
        Standing::Superseded(edge) => {
            transaction(db, async |connection| note_copy(connection, edge, now, "came in").await).await?;
        }
        _ => {}
    }
    Ok(standing)
}

async fn first_use(db: &Db, fingerprint: Fingerprint, edge: EdgeId, now: DateTime<Utc>) -> Result<(), StoreError> {
    transaction(db, async |connection| {
        sqlx::query(LOCK).bind(edge.uuid()).execute(&mut *connection).await?;
        let used = sqlx::query(USE).bind(&fingerprint.0[..]).bind(now).execute(&mut *connection).await?;
        if used.rows_affected() > 0 {
            let end = sqlx::query(SUPERSEDE).bind(&fingerprint.0[..]).bind(edge.uuid()).bind(now);
            end.execute(connection).await?;
        }
        Ok(())
    })
    .await
}

async fn note_copy(
    connection: &mut PgConnection,
    edge: EdgeId,
    now: DateTime<Utc>,
    what: &str,
) -> Result<(), sqlx::Error> {
    let note = sqlx::query_scalar(NOTE_COPY).bind(edge.uuid()).bind(now).bind(now - COPY_NOTED_EVERY);
    let news: Option<bool> = note.fetch_optional(&mut *connection).await?;
    if news == Some(true) {
        let detail =
            format!("a box {what} with a certificate that another one has replaced: it has a copy of the disk");
        audit::note(connection, &actor(edge), "edge_copy_seen", &format!("edge {edge}"), Some(&detail)).await?;
    }
    Ok(())
}

/// As whom an edge is in the audit. The blank keeps it apart from accounts' and tokens' names.
pub(super) fn actor(edge: EdgeId) -> String {
    format!("edge {edge}")
}

/// What a certificate is given out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Enrolment,
    Renewal,
    /// To a box that was away for longer than its certificate held.
    Return,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
            Self::Renewal => "renewal",
            Self::Return => "return",
        }
    }
}

/// A certificate as an edge gets it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Given {
    #[sqlx(rename = "certificate")]
    pub pem: String,
    pub not_after: DateTime<Utc>,
    pub renew_at: DateTime<Utc>,
}

impl Given {
    pub(super) fn of(issued: &Issued) -> Self {
        Self { pem: issued.pem.clone(), not_after: issued.not_after, renew_at: issued.renew_at }
    }
}

pub(super) async fn add(
    connection: &mut PgConnection,
    issued: &Issued,
    by: Fingerprint,
    edge: EdgeId,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(ADD)
        .bind(&issued.fingerprint.0[..])
        .bind(&issued.serial[..])
        .bind(edge.uuid())
        .bind(&by.0[..])
        .bind(purpose.as_str())
        .bind(&issued.key_hash[..])
        .bind(&issued.pem)
        .bind(issued.not_before)
        .bind(issued.not_after)
        .bind(issued.renew_at)
        .bind(now)
        .execute(connection)
        .await
        .map(drop)
}

/// Stores a new certificate for who came with a valid one that nothing has superseded; for the same key again it is the
/// same one.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn renew(
    db: &Db,
    shown: Fingerprint,
    issued: &Issued,
    by: Fingerprint,
    now: DateTime<Utc>,
) -> Result<Result<Given, Standing>, StoreError> {
    transaction(db, async |connection| {
        let found: Option<Found> = sqlx::query_as(FIND).bind(&shown.0[..]).fetch_optional(&mut *connection).await?;
        // Whoever may still deliver with its old one may not make a second line of certificates out of it.
        let edge = match standing(found.as_ref(), now, TimeDelta::zero()) {
            Standing::Valid(edge, _) => edge,
            Standing::Superseded(edge) => {
                note_copy(connection, edge, now, "asked for a renewal").await?;
                return Ok(Err(Standing::Superseded(edge)));
            }
            other => return Ok(Err(other)),
        };
        Ok(Ok(give(connection, issued, by, edge, Purpose::Renewal, now).await?))
    })
    .await
}

/// Stores a new certificate for who showed an expired one: not revoked, its edge's latest, expired for less than `grace`, and
/// with the same key that the request was signed with.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn bring_back(
    db: &Db,
    shown: Fingerprint,
    issue: impl FnOnce(EdgeId) -> Issued,
    key: &KeyHash,
    by: Fingerprint,
    grace: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Result<(EdgeId, WarehouseId, Given), NoReturn>, StoreError> {
    transaction(db, async |connection| {
        let found: Option<Found> = sqlx::query_as(FIND).bind(&shown.0[..]).fetch_optional(&mut *connection).await?;
        let standing = standing(found.as_ref(), now, TimeDelta::zero());
        let (edge, found) = match (standing, found) {
            (Standing::Valid(edge, _) | Standing::Expired(edge), Some(found)) => (edge, found),
            (Standing::Superseded(edge), _) => {
                note_copy(connection, edge, now, "wanted to come back").await?;
                return Ok(Err(NoReturn::Standing(standing)));
            }
            _ => return Ok(Err(NoReturn::Standing(standing))),
        };
        let its_key: Option<Vec<u8>> =
            sqlx::query_scalar(KEY).bind(&shown.0[..]).fetch_optional(&mut *connection).await?;
        if its_key.as_deref() != Some(&key[..]) {
            return Ok(Err(NoReturn::OtherKey));
        }
        if found.not_after + grace <= now {
            return Ok(Err(NoReturn::TooLate));
        }
        let given = give(connection, &issue(edge), by, edge, Purpose::Return, now).await?;
        Ok(Ok((edge, WarehouseId::from_uuid(found.warehouse_id), given)))
    })
    .await
}

/// Why an expired certificate opens no way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoReturn {
    Standing(Standing),
    /// Whoever asks does not have the certificate's key.
    OtherKey,
    /// It expired too long ago.
    TooLate,
}

async fn give(
    connection: &mut PgConnection,
    issued: &Issued,
    by: Fingerprint,
    edge: EdgeId,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Given, sqlx::Error> {
    sqlx::query(LOCK).bind(edge.uuid()).execute(&mut *connection).await?;
    let same = sqlx::query_as(SAME).bind(edge.uuid()).bind(&issued.key_hash[..]).bind(now);
    let same: Option<Given> = same.fetch_optional(&mut *connection).await?;
    if let Some(same) = same {
        return Ok(same);
    }
    add(connection, issued, by, edge, purpose, now).await?;
    let action = match purpose {
        Purpose::Enrolment => "edge_enrolled",
        Purpose::Renewal => "edge_certificate_renewed",
        Purpose::Return => "edge_returned",
    };
    let detail = format!("certificate until {}", issued.not_after.format("%FT%TZ"));
    audit::note(connection, &actor(edge), action, &format!("edge {edge}"), Some(&detail)).await?;
    Ok(Given::of(issued))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + secs, 0).expect("in range")
    }

    fn found() -> Found {
        let (edge_id, warehouse_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first_used_at, superseded_at, revoked_at) = (None, None, None);
        Found { edge_id, warehouse_id, not_after: at(1_000), first_used_at, superseded_at, revoked_at }
    }

    #[test]
    fn a_certificate_is_worth_what_the_worst_of_its_dates_says() {
        let edge = EdgeId::from_uuid(Uuid::from_u128(1));
        let valid = Standing::Valid(edge, WarehouseId::from_uuid(Uuid::from_u128(2)));
        let grace = TimeDelta::seconds(600);
        assert_eq!(standing(None, at(0), grace), Standing::Unknown);
        assert_eq!(standing(Some(&found()), at(999), grace), valid);
        assert_eq!(standing(Some(&found()), at(1_000), grace), Standing::Expired(edge));
        let superseded = Found { superseded_at: Some(at(0)), ..found() };
        assert_eq!(standing(Some(&superseded), at(599), grace), valid, "what is on its way still arrives");
        assert_eq!(standing(Some(&superseded), at(600), grace), Standing::Superseded(edge));
        assert_eq!(standing(Some(&superseded), at(0), TimeDelta::zero()), Standing::Superseded(edge));
        let revoked = Found { revoked_at: Some(at(0)), ..superseded };
        assert_eq!(standing(Some(&revoked), at(2_000), grace), Standing::Revoked(edge));
    }
}
