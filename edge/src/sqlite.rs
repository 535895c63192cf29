//! What the edge's SQLite files have in common: what an error means, and how a damaged one is moved aside. Nothing damaged is
//! ever deleted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, ffi, params_from_iter};
use rusqlite_migration::{M, MigrationDefinitionError, Migrations};

use crate::owner::make_for_the_owner;

/// Faults that are named; the rest is only counted as more.
const FAULTS_MAX: u32 = 10;

/// Where the checksum of version and tables is kept.
const CHECKSUM: &str = "application_id";
/// Of a file that was not yet migrated to its end.
const UNSAID: i32 = 0;

/// Extended codes of a file that cannot be read as it was written.
const UNREADABLE: [i32; 4] =
    [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS, ffi::SQLITE_IOERR_DATA];

/// Why a file could not be brought to this version's schema.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "it was written by a newer smartpick-edge and is left as it is; install that version again, or a newer one"
    )]
    Newer,
    #[error("{0}")]
    Damaged(&'static str),
    #[error(transparent)]
    Failed(#[from] rusqlite_migration::Error),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Opens a file that only the running edge uses, for its owner alone, and makes it if there is none. What is committed is on
/// the disk.
///
/// # Errors
/// If it cannot be made, opened or migrated, see [`migrate`].
pub fn open_exclusively(path: &Path, steps: &[M<'_>]) -> anyhow::Result<Connection> {
    make_for_the_owner(path)?;
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // Pages of the indexes and the tables' ends; the rest is read once.
    connection.pragma_update(None, "cache_size", -8_192)?;
    migrate(&mut connection, steps)?;
    Ok(connection)
}

/// Bytes in use in a file, and bytes in it that are free for reuse.
///
/// # Errors
/// If that cannot be read, or is not of a whole file.
pub fn bytes_used(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let pragma = |name: &str| -> rusqlite::Result<u64> {
        connection.prepare_cached(&format!("PRAGMA {name}"))?.query_row([], |row| row.get(0))
    };
    let (pages, free, size) = (pragma("page_count")?, pragma("freelist_count")?, pragma("page_size")?);
    let used = pages.checked_sub(free).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, free.cast_signed()))?;
    Ok((used * size, free * size))
}

/// Brings a file that was opened for writing to the schema of `steps`.
///
/// SQLite protects neither the version in a file's head nor the list of its tables: one flipped bit makes it a newer version's
/// file, or hides all but a few rows of a table. So a checksum of both is in the head too, where SQLite has room for a number
/// of the application.
///
/// # Errors
/// If the head is damaged, a step fails, or the file is from a newer version than this.
pub fn migrate(connection: &mut Connection, steps: &[M<'_>]) -> Result<(), MigrateError> {
    if let Some(fault) = head_fault(connection)? {
        return Err(MigrateError::Damaged(fault));
    }
    let migrations = Migrations::from_slice(steps);
    // Less than none of a newer file.
    let pending = migrations.pending_migrations(connection)?;
    if pending == 0 && checksum_there(connection)? != UNSAID {
        return Ok(());
    }
    if pending > 0 {
        // Whoever is stopped before the new one is written leaves none instead of a wrong one.
        connection.pragma_update(None, CHECKSUM, UNSAID)?;
    }
    migrations.to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => {
            MigrateError::Newer
        }
        error => error.into(),
    })?;
    let checksum = checksum(connection)?;
    Ok(connection.pragma_update(None, CHECKSUM, checksum)?)
}

/// What is wrong with the head of a file that can be opened.
fn head_fault(connection: &mut Connection) -> rusqlite::Result<Option<&'static str>> {
    // SQLite falls back to it without a word.
    if connection.is_readonly(MAIN_DB)? {
        return Ok(Some("its head says that it may only be read"));
    }
    match bytes_used(connection) {
        Err(rusqlite::Error::IntegralValueOutOfRange(..)) => {
            return Ok(Some("its head counts more free pages than it has"));
        }
        used => drop(used?),
    }
    // Another process may be migrating it.
    let connection = connection.transaction()?;
    let there = checksum_there(&connection)?;
    let fits = there == UNSAID || there == checksum(&connection)?;
    Ok((!fits).then_some("the checksum of its version and its tables is wrong"))
}

fn checksum_there(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, CHECKSUM, |row| row.get(0))
}

/// Of the version and the tables as they are.
fn checksum(connection: &Connection) -> rusqlite::Result<i32> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut find = connection
        .prepare("SELECT concat_ws('|', type, name, tbl_name, rootpage, sql) FROM sqlite_schema ORDER BY rowid")?;
    let mut rows = find.query([])?;
    let mut checksum = crc32c::crc32c(&version.to_le_bytes());
    while let Some(row) = rows.next()? {
        checksum = crc32c::crc32c_append(checksum, row.get_ref(0)?.as_str()?.as_bytes());
    }
    Ok(if checksum.cast_signed() == UNSAID { 1 } else { checksum.cast_signed() })
}

/// The disk took no more.
pub fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// The file is not what was written: SQLite says so, it cannot be read, or what is in it is not of the kind that we put there.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::QueryReturnedNoRows => true,
        // Of a table or column that was there when it was migrated.
        rusqlite::Error::SqlInputError { .. } => true,
        error => error.sqlite_error().is_some_and(|error| match error.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => true,
            ErrorCode::SystemIoFailure => UNREADABLE.contains(&error.extended_code),
            // It does not know the file's format, or cannot make sense of a statement that it could before.
            _ => error.extended_code == ffi::SQLITE_ERROR,
        }),
    }
}

/// The same of an error with causes, migrations included.
pub fn is_caused_by_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<rusqlite::Error>().is_some_and(is_damage)
            || cause.downcast_ref::<MigrateError>().is_some_and(|error| match error {
                MigrateError::Newer => false,
                MigrateError::Damaged(_) => true,
                MigrateError::Failed(rusqlite_migration::Error::RusqliteError { err, .. }) => is_damage(err),
                MigrateError::Failed(_) => false,
                MigrateError::Sqlite(error) => is_damage(error),
            })
    })
}

/// What is wrong with a file by SQLite's own check and ours of its head; nothing is changed by it.
///
/// # Errors
/// If it cannot be opened or read at all, which may be damage too.
pub fn faults(path: &Path) -> rusqlite::Result<Vec<String>> {
    let mut connection = open_untouched(path)?;
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({FAULTS_MAX})"))?;
    let faults: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(check);
    let mut faults: Vec<String> = faults.into_iter().filter(|fault| fault != "ok").collect();
    faults.extend(head_fault(&mut connection)?.map(str::to_owned));
    Ok(faults)
}

/// Opens a file that nobody else has open, so that it and its log stay as they are.
///
/// # Errors
/// If there is none, or it cannot be opened.
pub fn open_untouched(path: &Path) -> rusqlite::Result<Connection> {
    // For reading alone SQLite would not look into a log whose index has to be made first.
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(connection)
}

/// Opens a file for reading that nobody writes: without a log beside it none is made.
///
/// # Errors
/// If there is none, or it cannot be opened.
pub fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}

/// Copies the rows of some tables, each up to the first that cannot be read; answers how many, and what went wrong.
///
/// # Errors
/// If `into` does not take them.
pub fn copy_rows(from: &Path, into: &Connection, tables: &[&str]) -> rusqlite::Result<(u64, Vec<String>)> {
    let (mut copied, mut faults) = (0, Vec::new());
    let old = match open_untouched(from) {
        Ok(old) => old,
        Err(error) => return Ok((0, vec![error.to_string()])),
    };
    for table in tables {
        let mut find = match old.prepare(&format!("SELECT * FROM {table}")) {
            Ok(find) => find,
            Err(error) => {
                faults.push(format!("{table}: {error}"));
                continue;
            }
        };
        let columns = find.column_count();
        let places = vec!["?"; columns].join(", ");
        let mut insert = into.prepare(&format!("INSERT OR IGNORE INTO {table} VALUES ({places})"))?;
        let mut rows = find.query([])?;
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    let values: Vec<Value> = (0..columns).map(|at| row.get(at)).collect::<Result<_, _>>()?;
                    copied += insert.execute(params_from_iter(values))? as u64;
                }
                Ok(None) => break,
                Err(error) => {
                    faults.push(format!("{table}: {error}"));
                    break;
                }
            }
        }
    }
    Ok((copied, faults))
}

/// Renames `NAME.db` and its side files to `NAME-damaged-TIME.db`, and answers where to.
///
/// # Errors
/// If the directory does not allow it.
pub fn move_aside(dir: &Path, name: &str, now: DateTime<Utc>) -> anyhow::Result<PathBuf> {
    let aside = dir.join(format!("{name}-damaged-{}.db", now.timestamp_millis()));
    for suffix in ["", "-wal", "-shm"] {
        let from = dir.join(format!("{name}.db{suffix}"));
        if from.exists() {
            let to = format!("{}{suffix}", aside.display());
            fs::rename(&from, &to).with_context(|| format!("move the damaged {} aside", from.display()))?;
        }
    }
    Ok(aside)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Makes it a file of a later version.
    pub fn make_newer(path: &Path) {
        let newer = Connection::open(path).expect("opens");
        newer.pragma_update(None, "user_version", 99).expect("taken");
        newer.pragma_update(None, CHECKSUM, checksum(&newer).expect("whole")).expect("taken");
    }
}
