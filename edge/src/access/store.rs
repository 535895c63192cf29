//! Accounts, tokens, sessions and the audit of their changes, in `access.db`. The only file here that speaks to SQLite.
//!
//! The running edge and the command line open it side by side: WAL lets one write while others read, and writers wait
//! for each other. A change is one transaction together with its line in the audit, so a command that is killed has
//! either happened and is in the audit, or has not happened.
//!
//! Root may run the command line for a service that runs as somebody else, so what is created here is given to the
//! owner of the data directory.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::credentials::{self, TokenHash, name_key};
use common::web::sign_in::SESSIONS_EACH_MAX;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};
use rusqlite_migration::M;
use serde::Serialize;

use super::Role;
use crate::owner::{give_to_the_owner, make_for_the_owner};
use crate::sqlite;

/// Without `.db`.
pub const NAME: &str = "access";
const FILE: &str = "access.db";
/// A writer holds the file for milliseconds; who waits longer is behind a broken disk.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Accounts, and tokens of each kind, at most: all of them are held in memory.
const ENTRIES_MAX: u64 = 10_000;
/// Lines of the audit kept; beyond it the oldest go.
const AUDIT_LINES_MAX: i64 = 10_000;

const STEPS: &[M<'_>] = &[M::up(
    "
    CREATE TABLE users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL CHECK (role IN ('viewer', 'supervisor', 'admin')),
        password TEXT NOT NULL,
        created_ms INTEGER NOT NULL
    );
    CREATE TABLE tokens (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('camera', 'kiosk')),
        name TEXT NOT NULL,
        name_key TEXT NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        created_ms INTEGER NOT NULL,
        used_ms INTEGER,
        UNIQUE (kind, name_key)
    );
    -- Of an account or of a kiosk's token; gone with it.
    CREATE TABLE sessions (
        hash BLOB PRIMARY KEY,
        user_id INTEGER REFERENCES users ON DELETE CASCADE,
        token_id INTEGER REFERENCES tokens ON DELETE CASCADE,
        created_ms INTEGER NOT NULL,
        used_ms INTEGER NOT NULL,
        CHECK ((user_id IS NULL) <> (token_id IS NULL))
    ) WITHOUT ROWID;
    CREATE INDEX sessions_of_users ON sessions (user_id);
    CREATE INDEX sessions_of_tokens ON sessions (token_id);
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL
    );
    ",
)];

/// What cannot be done with `access.db`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is {0} called {1} already; choose another name, or remove that one first")]
    Taken(&'static str, String),
    #[error("there is no {0} called {1}; `list` shows those there are")]
    Unknown(&'static str, String),
    #[error("there are {ENTRIES_MAX} already; remove some that are not used")]
    Many,
    #[error("the account was removed or its password changed a moment ago; sign in again")]
    Changed,
    #[error("failed to open {0}")]
    Open(PathBuf, #[source] io::Error),
    #[error("failed to bring access.db to this version's schema")]
    Schema(#[from] sqlite::MigrateError),
    #[error("failed to work on access.db")]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreError {
    /// Whether it may go away by itself: another writer, or a full disk.
    pub fn is_passing(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
        )
    }
}

/// Who holds a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    Camera,
    Kiosk,
}

impl TokenKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Kiosk => "kiosk",
        }
    }

    const fn a(self) -> &'static str {
        match self {
            Self::Camera => "a camera",
            Self::Kiosk => "a kiosk",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Camera => "spc_",
            Self::Kiosk => "spk_",
        }
    }
}

/// An account, with what its password is checked against.
#[derive(Debug, Clone)]
pub struct UserRow {
    pub id: i64,
    pub name: String,
    pub role: Role,
    pub password: String,
}

#[derive(Debug, Clone)]
pub struct TokenRow {
    pub id: i64,
    pub kind: TokenKind,
    pub name: String,
    pub hash: TokenHash,
    pub used_ms: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct SessionRow {
    pub hash: TokenHash,
    pub of: Holder,
    pub created_ms: i64,
    pub used_ms: i64,
}

/// Whose session it is, by the row's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    User(i64),
    Kiosk(i64),
}

/// Everything the running edge keeps in memory.
#[derive(Debug, Default)]
pub struct Contents {
    pub users: Vec<UserRow>,
    pub tokens: Vec<TokenRow>,
    pub sessions: Vec<SessionRow>,
}

/// An account as `users list` shows it.
#[derive(Debug, Serialize)]
pub struct ListedUser {
    pub name: String,
    pub role: Role,
    pub created_at: DateTime<Utc>,
    pub sessions: u32,
}

/// A token as `list` shows it.
#[derive(Debug, Serialize)]
pub struct ListedToken {
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
pub struct AuditLine {
    pub at: DateTime<Utc>,
    pub who: String,
    pub what: String,
}

/// Who changes something, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub who: &'a str,
    pub now: DateTime<Utc>,
}

type Result<T, E = StoreError> = std::result::Result<T, E>;

pub struct Store {
    connection: Connection,
    data_version: i64,
}

impl Store {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        make_for_the_owner(&path).map_err(|error| StoreError::Open(path.clone(), error))?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        sqlite::migrate(&mut connection, STEPS)?;
        let mut store = Self { connection, data_version: 0 };
        store.has_changed()?;
        // SQLite gives its side files to the owner of the database itself, if it was built to.
        for side in ["access.db-wal", "access.db-shm"] {
            give_to_the_owner(dir, &dir.join(side)).map_err(|error| StoreError::Open(dir.join(side), error))?;
        }
        Ok(store)
    }

    /// Moves a damaged file aside and copies what can be read of it into a new one: accounts, tokens and the audit. Answers
    /// where to, how many rows, and what could not be read. Nobody stays signed in.
    ///
    /// # Errors
    /// If no new file can be made.
    pub fn repair(dir: &Path, now: DateTime<Utc>) -> anyhow::Result<(PathBuf, u64, Vec<String>)> {
        let aside = sqlite::move_aside(dir, NAME, now)?;
        let store = Self::open(dir)?;
        let (rows, faults) = sqlite::copy_rows(&aside, &store.connection, &["users", "tokens", "audit"])?;
        Ok((aside, rows, faults))
    }

    /// Whether somebody else has committed since this was last asked.
    pub fn has_changed(&mut self) -> Result<bool> {
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        Ok(std::mem::replace(&mut self.data_version, version) != version)
    }

    fn write(&mut self) -> Result<Transaction<'_>> {
        // Immediate: it waits for another writer now, instead of failing when it has read something by then.
        Ok(self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }

    /// # Errors
    /// If the name is taken, or SQLite cannot.
    pub fn add_user(&mut self, name: &str, role: Role, password_hash: &str, by: By<'_>) -> Result<()> {
        let transaction = self.write()?;
        if count(&transaction, "SELECT count(*) FROM users")? >= ENTRIES_MAX {
            return Err(StoreError::Many);
        }
        let added = transaction.execute(
            "INSERT INTO users (name, name_key, role, password, created_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (name_key) DO NOTHING",
            params![name, name_key(name), role.as_str(), password_hash, by.now.timestamp_millis()],
        )?;
        if added == 0 {
            return Err(StoreError::Taken("an account", name.to_owned()));
        }
        audit(&transaction, by, &format!("added the account {name} as {}", role.as_str()))?;
        Ok(transaction.commit()?)
    }

    /// Its sessions end with it. Says whether accounts are left.
    ///
    /// # Errors
    /// If there is no such account, or SQLite cannot.
    pub fn remove_user(&mut self, name: &str, by: By<'_>) -> Result<bool> {
        let transaction = self.write()?;
        let removed = transaction.execute("DELETE FROM users WHERE name_key = ?1", [name_key(name)])?;
        one_account(removed, name)?;
        audit(&transaction, by, &format!("removed the account {name}"))?;
        let left = count(&transaction, "SELECT count(*) FROM users")? > 0;
        transaction.commit()?;
        Ok(left)
    }

    /// Ends the account's sessions too.
    ///
    /// # Errors
    /// If there is no such account, or SQLite cannot.
    pub fn set_password(&mut self, name: &str, password_hash: &str, by: By<'_>) -> Result<()> {
        let transaction = self.write()?;
        let key = name_key(name);
        let set =
            transaction.execute("UPDATE users SET password = ?2 WHERE name_key = ?1", params![key, password_hash])?;
        one_account(set, name)?;
        transaction
            .execute("DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE name_key = ?1)", [key])?;
        audit(&transaction, by, &format!("changed the password of {name}"))?;
        Ok(transaction.commit()?)
    }

    /// # Errors
    /// If there is no such account, or SQLite cannot.
    pub fn set_role(&mut self, name: &str, role: Role, by: By<'_>) -> Result<()> {
        let transaction = self.write()?;
        let set = transaction
            .execute("UPDATE users SET role = ?2 WHERE name_key = ?1", params![name_key(name), role.as_str()])?;
        one_account(set, name)?;
        audit(&transaction, by, &format!("made {name} {}", role.as_str()))?;
        Ok(transaction.commit()?)
    }

    /// Makes a token and returns it; only its hash is kept.
    ///
    /// # Errors
    /// If the name is taken, or SQLite cannot.
    pub fn add_token(&mut self, kind: TokenKind, name: &str, by: By<'_>) -> Result<String> {
        let token = credentials::token(kind.prefix());
        let transaction = self.write()?;
        if count(&transaction, "SELECT count(*) FROM tokens")? >= 2 * ENTRIES_MAX {
            return Err(StoreError::Many);
        }
        let added = transaction.execute(
            "INSERT INTO tokens (kind, name, name_key, hash, created_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (kind, name_key) DO NOTHING",
            params![kind.as_str(), name, name_key(name), credentials::token_hash(&token), by.now.timestamp_millis()],
        )?;
        if added == 0 {
            return Err(StoreError::Taken(kind.a(), name.to_owned()));
        }
        audit(&transaction, by, &format!("added the {} {name}", kind.as_str()))?;
        transaction.commit()?;
        Ok(token)
    }

    /// # Errors
    /// If there is no such token, or SQLite cannot.
    pub fn remove_token(&mut self, kind: TokenKind, name: &str, by: By<'_>) -> Result<()> {
        let transaction = self.write()?;
        let removed = transaction
            .execute("DELETE FROM tokens WHERE kind = ?1 AND name_key = ?2", params![kind.as_str(), name_key(name)])?;
        if removed == 0 {
            return Err(StoreError::Unknown(kind.as_str(), name.to_owned()));
        }
        audit(&transaction, by, &format!("removed the {} {name}", kind.as_str()))?;
        Ok(transaction.commit()?)
    }

    /// A line in the audit of something that changes nothing here.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn note(&mut self, by: By<'_>, what: &str) -> Result<()> {
        let transaction = self.write()?;
        audit(&transaction, by, what)?;
        Ok(transaction.commit()?)
    }

    /// # Errors
    /// If SQLite cannot.
    pub fn users(&self) -> Result<Vec<ListedUser>> {
        let mut select = self.connection.prepare(
            "SELECT name, role, created_ms, (SELECT count(*) FROM sessions WHERE user_id = users.id) \
             FROM users ORDER BY name_key",
        )?;
        let rows = select.query_map([], |row| {
            Ok(ListedUser {
                name: row.get(0)?,
                role: role(&row.get::<_, String>(1)?),
                created_at: time(row.get(2)?),
                sessions: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// # Errors
    /// If SQLite cannot.
    pub fn tokens(&self, kind: TokenKind) -> Result<Vec<ListedToken>> {
        let mut select = self
            .connection
            .prepare("SELECT name, created_ms, used_ms FROM tokens WHERE kind = ?1 ORDER BY name_key")?;
        let rows = select.query_map([kind.as_str()], |row| {
            Ok(ListedToken {
                name: row.get(0)?,
                created_at: time(row.get(1)?),
                used_at: row.get::<_, Option<i64>>(2)?.map(time),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The last lines, oldest first.
    ///
    /// # Errors
    /// If SQLite cannot.
    pub fn audit(&self, lines: u32) -> Result<Vec<AuditLine>> {
        let mut select = self.connection.prepare("SELECT at_ms, who, what FROM audit ORDER BY id DESC LIMIT ?1")?;
        let rows = select
            .query_map([lines], |row| Ok(AuditLine { at: time(row.get(0)?), who: row.get(1)?, what: row.get(2)? }))?;
        let mut lines: Vec<_> = rows.collect::<Result<_, _>>()?;
        lines.reverse();
        Ok(lines)
    }

    /// # Errors
    /// If SQLite cannot.
    pub fn contents(&mut self) -> Result<Contents> {
        let snapshot = self.connection.transaction()?;
        let users = snapshot
            .prepare("SELECT id, name, role, password FROM users")?
            .query_map([], |row| {
                let role = role(&row.get::<_, String>(2)?);
                Ok(UserRow { id: row.get(0)?, name: row.get(1)?, role, password: row.get(3)? })
            })?
            .collect::<Result<_, _>>()?;
        let tokens = snapshot
            .prepare("SELECT id, kind, name, hash, used_ms FROM tokens")?
            .query_map([], |row| {
                let kind = if row.get::<_, String>(1)? == "camera" { TokenKind::Camera } else { TokenKind::Kiosk };
                Ok(TokenRow { id: row.get(0)?, kind, name: row.get(2)?, hash: row.get(3)?, used_ms: row.get(4)? })
            })?
            .collect::<Result<_, _>>()?;
        let sessions = snapshot
            .prepare("SELECT hash, user_id, token_id, created_ms, used_ms FROM sessions")?
            .query_map([], |row| {
                let of = match row.get::<_, Option<i64>>(1)? {
                    Some(id) => Holder::User(id),
                    None => Holder::Kiosk(row.get(2)?),
                };
                Ok(SessionRow { hash: row.get(0)?, of, created_ms: row.get(3)?, used_ms: row.get(4)? })
            })?
            .collect::<Result<_, _>>()?;
        Ok(Contents { users, tokens, sessions })
    }

    /// Begins a session of an account, if its password is still the one that was checked.
    ///
    /// # Errors
    /// If it is not, or SQLite cannot.
    pub fn begin_for_user(&mut self, hash: &TokenHash, user: &UserRow, now_ms: i64) -> Result<()> {
        let transaction = self.write()?;
        let begun = transaction.execute(
            "INSERT INTO sessions (hash, user_id, created_ms, used_ms) \
             SELECT ?1, id, ?4, ?4 FROM users WHERE id = ?2 AND password = ?3",
            params![hash, user.id, user.password, now_ms],
        )?;
        if begun == 0 {
            return Err(StoreError::Changed);
        }
        transaction.execute(
            "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE user_id = ?1 \
             ORDER BY used_ms DESC, hash = ?2 DESC LIMIT -1 OFFSET ?3)",
            params![user.id, hash, SESSIONS_EACH_MAX],
        )?;
        Ok(transaction.commit()?)
    }

    /// Begins a session of a screen, if its token still holds.
    ///
    /// # Errors
    /// If it does not, or SQLite cannot.
    pub fn begin_for_kiosk(&mut self, hash: &TokenHash, token_id: i64, now_ms: i64) -> Result<()> {
        let transaction = self.write()?;
        let begun = transaction.execute(
            "INSERT INTO sessions (hash, token_id, created_ms, used_ms) \
             SELECT ?1, id, ?3, ?3 FROM tokens WHERE id = ?2",
            params![hash, token_id, now_ms],
        )?;
        if begun == 0 {
            return Err(StoreError::Changed);
        }
        transaction.execute(
            "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE token_id = ?1 \
             ORDER BY used_ms DESC, hash = ?2 DESC LIMIT -1 OFFSET ?3)",
            params![token_id, hash, SESSIONS_EACH_MAX],
        )?;
        Ok(transaction.commit()?)
    }

    /// # Errors
    /// If SQLite cannot.
    pub fn end_sessions(&mut self, hashes: &[TokenHash]) -> Result<()> {
        let transaction = self.write()?;
        for hash in hashes {
            transaction.execute("DELETE FROM sessions WHERE hash = ?1", [hash])?;
        }
        Ok(transaction.commit()?)
    }

    /// Keeps when tokens (by id) and sessions were last used.
    ///
    /// # Errors
    /// If SQLite cannot.
    pub fn note_use(&mut self, tokens: &[(i64, i64)], sessions: &[(TokenHash, i64)]) -> Result<()> {
        let transaction = self.write()?;
        {
            let mut token = transaction.prepare_cached("UPDATE tokens SET used_ms = ?2 WHERE id = ?1")?;
            for (id, used_ms) in tokens {
                token.execute(params![id, used_ms])?;
            }
            let mut session = transaction.prepare_cached("UPDATE sessions SET used_ms = ?2 WHERE hash = ?1")?;
            for (hash, used_ms) in sessions {
                session.execute(params![hash, used_ms])?;
            }
        }
        Ok(transaction.commit()?)
    }
}

/// Whether any camera has a token, in the file of an edge that runs or does not; it stays as it is. `None` if that cannot be seen.
pub fn cameras_there(dir: &Path) -> Option<bool> {
    let path = dir.join(FILE);
    if !path.try_exists().ok()? {
        return Some(false);
    }
    let connection = if dir.join("access.db-wal").exists() {
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    } else {
        sqlite::open_immutable(&path)
    };
    let statement = "SELECT EXISTS (SELECT 1 FROM tokens WHERE kind = ?)";
    connection.ok()?.query_row(statement, [TokenKind::Camera.as_str()], |row| row.get(0)).ok()
}

fn count(transaction: &Transaction<'_>, sql: &str) -> rusqlite::Result<u64> {
    transaction.query_row(sql, [], |row| row.get(0))
}

fn one_account(changed: usize, name: &str) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Unknown("account", name.to_owned())) }
}

fn audit(transaction: &Transaction<'_>, by: By<'_>, what: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO audit (at_ms, who, what) VALUES (?1, ?2, ?3)",
        params![by.now.timestamp_millis(), by.who, what],
    )?;
    let oldest = transaction.last_insert_rowid() - AUDIT_LINES_MAX;
    transaction.execute("DELETE FROM audit WHERE id <= ?1", [oldest]).map(drop)
}

/// The table's check lets nothing else in; what a later version may add must not be more than the least.
fn role(text: &str) -> Role {
    Role::parse(text).unwrap_or(Role::Viewer)
}

fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}
