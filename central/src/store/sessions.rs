//! Rows of `sessions`: who is signed in. By Postgres's clock, which all instances share.

use std::time::Duration;

use common::credentials::TokenHash;
use common::web::sign_in::{SESSION_AGE_MAX, SESSION_IDLE_MAX, SESSIONS_EACH_MAX};
use sqlx::PgConnection;

use super::users::{self, User};
use super::{Db, StoreError, audit, transaction, within};
use crate::access::Role;

/// Only if the password is still the one that was checked.
const BEGIN_SESSION: &str = "\
INSERT INTO sessions (token_sha256, user_id) SELECT $1, user_id FROM users WHERE user_id = $2 AND password = $3";

const END_STALEST: &str = "\
DELETE FROM sessions WHERE token_sha256 IN
    (SELECT token_sha256 FROM sessions WHERE user_id = $1 ORDER BY used_at DESC, token_sha256 = $2 DESC OFFSET $3)";

const FIND: &str = "\
SELECT u.name, u.role FROM sessions s JOIN users u USING (user_id)
WHERE s.token_sha256 = $1 AND s.used_at >= now() - make_interval(secs => $2)
  AND s.created_at >= now() - make_interval(secs => $3)";

const NOTE_USE: &str = "\
WITH used AS (UPDATE sessions SET used_at = now() WHERE token_sha256 = $1 RETURNING user_id)
UPDATE users SET last_used_at = now() FROM used WHERE users.user_id = used.user_id";

const END: &str = "DELETE FROM sessions WHERE token_sha256 = $1";
const END_ALL: &str = "DELETE FROM sessions WHERE user_id = $1 AND ($2::bytea IS NULL OR token_sha256 <> $2)";

const DELETE_OVER: &str = "\
DELETE FROM sessions
WHERE used_at < now() - make_interval(secs => $1) OR created_at < now() - make_interval(secs => $2)";

pub const STATEMENTS: &[&str] = &[BEGIN_SESSION, END_STALEST, FIND, NOTE_USE, END, END_ALL, DELETE_OVER];

const fn secs(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// Begins a session; false if the account was removed or its password changed since it was checked.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn begin(db: &Db, session: &TokenHash, user: &User) -> Result<bool, StoreError> {
    transaction(db, async |connection| {
        let begin = sqlx::query(BEGIN_SESSION).bind(&session[..]).bind(user.user_id).bind(&user.password);
        if begin.execute(&mut *connection).await?.rows_affected() == 0 {
            return Ok(false);
        }
        let end = sqlx::query(END_STALEST).bind(user.user_id).bind(&session[..]).bind(SESSIONS_EACH_MAX);
        end.execute(&mut *connection).await?;
        audit::note(connection, &user.name, "signed_in", &format!("user {}", user.name), None).await?;
        Ok(true)
    })
    .await
}

/// Whose session this is, if it is not over.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn find(db: &Db, session: &TokenHash) -> Result<Option<(String, Role)>, StoreError> {
    let mut lease = db.lease().await?;
    let find = sqlx::query_as(FIND).bind(&session[..]).bind(secs(SESSION_IDLE_MAX)).bind(secs(SESSION_AGE_MAX));
    let found: Option<(String, String)> = within(find.fetch_optional(&mut *lease)).await?;
    lease.done();
    Ok(found.map(|(name, role)| (name, users::role(&role))))
}

/// # Errors
/// If Postgres cannot do it now.
pub async fn note_use(db: &Db, session: &TokenHash) -> Result<(), StoreError> {
    let mut lease = db.lease().await?;
    within(sqlx::query(NOTE_USE).bind(&session[..]).execute(&mut *lease)).await?;
    lease.done();
    Ok(())
}

/// Ends a session, if there is such a one.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn end(db: &Db, session: &TokenHash) -> Result<(), StoreError> {
    let mut lease = db.lease().await?;
    within(sqlx::query(END).bind(&session[..]).execute(&mut *lease)).await?;
    lease.done();
    Ok(())
}

/// Ends all sessions of an account but `keep`, in the transaction that `connection` is in.
pub(super) async fn end_all(
    connection: &mut PgConnection,
    user_id: i64,
    keep: Option<&TokenHash>,
) -> Result<(), sqlx::Error> {
    sqlx::query(END_ALL).bind(user_id).bind(keep.map(|hash| &hash[..])).execute(connection).await.map(drop)
}

/// Deletes those that are over.
pub(super) async fn tidy(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let delete = sqlx::query(DELETE_OVER).bind(secs(SESSION_IDLE_MAX)).bind(secs(SESSION_AGE_MAX));
    delete.execute(connection).await.map(drop)
}
