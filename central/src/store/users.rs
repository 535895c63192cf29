//! Rows of `users`: people with their roles and what their passwords are checked against. Each change takes one lock, so that two
//! at once cannot remove the last two administrators, and has its line in the audit.

use chrono::{DateTime, Utc};
use common::credentials::{TokenHash, name_key};
use sqlx::PgConnection;

use super::{Db, StoreError, audit, sessions, transaction, within};
use crate::access::Role;

/// Taken by whoever changes accounts or gives out names. Any number that nobody else uses; it spells "smartacc".
const LOCK: &str = "SELECT pg_advisory_xact_lock(x'736d617274616363'::bit(64)::int8)";

/// Accounts and machines' tokens share their names: the audit must say who it was.
const IS_TAKEN: &str = "\
SELECT EXISTS (SELECT FROM users WHERE name_key = $1) OR EXISTS (SELECT FROM api_tokens WHERE name_key = $1)";

const ADD: &str = "INSERT INTO users (name, name_key, role, password) VALUES ($1, $2, $3, $4)";
const LIST: &str = "SELECT name, role, created_at, last_used_at FROM users ORDER BY name_key";
const FIND: &str = "SELECT user_id, name, role, password FROM users WHERE name_key = $1";
const ANY: &str = "SELECT EXISTS (SELECT FROM users)";
const OTHER_ADMINISTRATOR: &str = "SELECT EXISTS (SELECT FROM users WHERE role = 'administrator' AND user_id <> $1)";
const SET_ROLE: &str = "UPDATE users SET role = $2 WHERE user_id = $1";
const SET_PASSWORD: &str = "UPDATE users SET password = $2 WHERE user_id = $1";
const REMOVE: &str = "DELETE FROM users WHERE user_id = $1";

pub const STATEMENTS: &[&str] =
    &[LOCK, IS_TAKEN, ADD, LIST, FIND, ANY, OTHER_ADMINISTRATOR, SET_ROLE, SET_PASSWORD, REMOVE];

/// An account, with what its password is checked against.
#[derive(Clone)]
pub struct User {
    pub user_id: i64,
    pub name: String,
    pub role: Role,
    pub password: String,
}

/// An account as it is listed.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ListedUser {
    pub name: String,
    pub role: Role,
    pub created_at: DateTime<Utc>,
    /// When a session of it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Done,
    /// There is no such account.
    Unknown,
    /// Nobody could manage accounts any more.
    LastAdministrator,
}

/// What to change of an account.
#[derive(Default)]
pub struct Change {
    pub role: Option<Role>,
    /// Hashed. Whoever is signed in is signed out.
    pub password: Option<String>,
}

/// The table's check lets nothing else in; what a later version may add must not be more than the least.
pub(super) fn role(text: &str) -> Role {
    Role::parse(text).unwrap_or(Role::Viewer)
}

/// Takes the lock of all changes and says whether a name is taken already.
pub(super) async fn is_taken(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query(LOCK).execute(&mut *connection).await?;
    sqlx::query_scalar(IS_TAKEN).bind(name_key(name)).fetch_one(connection).await
}

async fn find_on(connection: &mut PgConnection, name: &str) -> Result<Option<User>, sqlx::Error> {
    let row: Option<(i64, String, String, String)> =
        sqlx::query_as(FIND).bind(name_key(name)).fetch_optional(connection).await?;
    Ok(row.map(|(user_id, name, role_text, password)| User { user_id, name, role: role(&role_text), password }))
}

/// Takes the lock of all changes and says whether the account may stop being an administrator.
async fn can_go(connection: &mut PgConnection, user: &User) -> Result<bool, sqlx::Error> {
    if user.role != Role::Administrator {
        return Ok(true);
    }
    sqlx::query_scalar(OTHER_ADMINISTRATOR).bind(user.user_id).fetch_one(connection).await
}

/// Makes an account; false if its name is that of another account or of a machine's token.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn add(db: &Db, actor: &str, name: &str, role: Role, password_hash: &str) -> Result<bool, StoreError> {
    transaction(db, async |connection| {
        if is_taken(connection, name).await? {
            return Ok(false);
        }
        let add = sqlx::query(ADD).bind(name).bind(name_key(name)).bind(role.as_str()).bind(password_hash);
        add.execute(&mut *connection).await?;
        audit::note(connection, actor, "user_added", &subject(name), Some(role.as_str())).await?;
        Ok(true)
    })
    .await
}

/// # Errors
/// If Postgres cannot answer.
pub async fn list(db: &Db) -> Result<Vec<ListedUser>, StoreError> {
    let mut lease = db.lease().await?;
    type Row = (String, String, DateTime<Utc>, Option<DateTime<Utc>>);
    let rows: Vec<Row> = within(sqlx::query_as(LIST).fetch_all(&mut *lease)).await?;
    lease.done();
    let listed =
        |(name, text, created_at, last_used_at): Row| ListedUser { name, role: role(&text), created_at, last_used_at };
    Ok(rows.into_iter().map(listed).collect())
}

/// # Errors
/// If Postgres cannot answer.
pub async fn find(db: &Db, name: &str) -> Result<Option<User>, StoreError> {
    let mut lease = db.lease().await?;
    let found = within(find_on(&mut lease, name)).await?;
    lease.done();
    Ok(found)
}

/// Whether there are accounts at all.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn any(db: &Db) -> Result<bool, StoreError> {
    let mut lease = db.lease().await?;
    let any = within(sqlx::query_scalar(ANY).fetch_one(&mut *lease)).await?;
    lease.done();
    Ok(any)
}

/// Changes an account, all that is asked for or nothing.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn change(db: &Db, actor: &str, name: &str, change: &Change) -> Result<Changed, StoreError> {
    transaction(db, async |connection| {
        sqlx::query(LOCK).execute(&mut *connection).await?;
        let Some(user) = find_on(connection, name).await? else { return Ok(Changed::Unknown) };
        if let Some(role) = change.role.filter(|role| *role != user.role) {
            if !can_go(connection, &user).await? {
                return Ok(Changed::LastAdministrator);
            }
            sqlx::query(SET_ROLE).bind(user.user_id).bind(role.as_str()).execute(&mut *connection).await?;
            let detail = format!("{} to {role}", user.role);
            audit::note(connection, actor, "user_role", &subject(&user.name), Some(&detail)).await?;
        }
        if let Some(password) = &change.password {
            set_password(connection, actor, &user, password, None).await?;
        }
        Ok(Changed::Done)
    })
    .await
}

/// Changes the password of who is signed in, and ends the account's other sessions; false if it is not the account's
/// any more that was checked.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn change_own_password(
    db: &Db,
    user: &User,
    password_hash: &str,
    session: &TokenHash,
) -> Result<bool, StoreError> {
    transaction(db, async |connection| {
        sqlx::query(LOCK).execute(&mut *connection).await?;
        let now = find_on(connection, &user.name).await?;
        if now.is_none_or(|now| (now.user_id, &now.password) != (user.user_id, &user.password)) {
            return Ok(false);
        }
        set_password(connection, &user.name, user, password_hash, Some(session)).await?;
        Ok(true)
    })
    .await
}

async fn set_password(
    connection: &mut PgConnection,
    actor: &str,
    user: &User,
    password_hash: &str,
    keep: Option<&TokenHash>,
) -> Result<(), sqlx::Error> {
    sqlx::query(SET_PASSWORD).bind(user.user_id).bind(password_hash).execute(&mut *connection).await?;
    sessions::end_all(connection, user.user_id, keep).await?;
    audit::note(connection, actor, "user_password", &subject(&user.name), None).await
}

/// Removes an account; its sessions end with it.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn remove(db: &Db, actor: &str, name: &str) -> Result<Changed, StoreError> {
    transaction(db, async |connection| {
        sqlx::query(LOCK).execute(&mut *connection).await?;
        let Some(user) = find_on(connection, name).await? else { return Ok(Changed::Unknown) };
        if !can_go(connection, &user).await? {
            return Ok(Changed::LastAdministrator);
        }
        sqlx::query(REMOVE).bind(user.user_id).execute(&mut *connection).await?;
        audit::note(connection, actor, "user_removed", &subject(&user.name), Some(user.role.as_str())).await?;
        Ok(Changed::Done)
    })
    .await
}

fn subject(name: &str) -> String {
    format!("user {name}")
}
