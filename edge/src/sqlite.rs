//! What the edge's SQLite files have in common: what an error means, and how a damaged one is moved aside. Nothing damaged is
//! ever deleted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi, params_from_iter};

/// Faults that are named; the rest is only counted as more.
const FAULTS_MAX: u32 = 10;

/// Extended codes of a file that cannot be read as it was written.
const UNREADABLE: [i32; 4] =
    [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS, ffi::SQLITE_IOERR_DATA];

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
            _ => false,
        }),
    }
}

/// The same of an error with causes, migrations included.
pub fn is_caused_by_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<rusqlite::Error>().is_some_and(is_damage)
            || matches!(
                cause.downcast_ref::<rusqlite_migration::Error>(),
                Some(rusqlite_migration::Error::RusqliteError { err, .. }) if is_damage(err)
            )
    })
}

/// What SQLite's own check finds wrong with a file; nothing is changed by it.
///
/// # Errors
/// If it cannot be opened or read at all, which may be damage too.
pub fn faults(path: &Path) -> rusqlite::Result<Vec<String>> {
    let connection = open_untouched(path)?;
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({FAULTS_MAX})"))?;
    let faults: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(faults.into_iter().filter(|fault| fault != "ok").collect())
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
