//! The history's file: opened whatever state it is in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode};
use tracing::error;

use super::schema;

const DATABASE: &str = "history.db";
/// The history writes nothing more when the disk has less than this left: the last of it belongs to the buffer, which
/// keeps events that nobody else has.
const DISK_FREE_MIN: u64 = 32 * 1024 * 1024;

/// Opens the history in `dir`, making it if there is none, and moving it aside if it is damaged. With it, in words, what
/// was done about damage.
///
/// # Errors
/// If no working file can be had.
pub fn open(dir: &Path, now: DateTime<Utc>) -> anyhow::Result<(Connection, Option<String>)> {
    let path = dir.join(DATABASE);
    match open_whole(&path) {
        Ok(connection) => Ok((connection, None)),
        Err(error) if damaged(&error) => {
            let aside = move_aside(dir, now)?;
            error!("The history of alerts was damaged. Moved it to {}", aside.display());
            let connection = open_whole(&path).with_context(|| format!("make a new {}", path.display()))?;
            Ok((connection, Some(moved_words(&aside))))
        }
        Err(error) => Err(error).with_context(|| format!("open {}", path.display())),
    }
}

/// What health says of a damaged file.
pub fn moved_words(aside: &Path) -> String {
    format!("the history of alerts was damaged and begun anew; what was in it is in {}", aside.display())
}

fn open_whole(path: &Path) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -8_192)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

fn damaged(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<rusqlite::Error>().is_some_and(is_damage)
            || matches!(
                cause.downcast_ref::<rusqlite_migration::Error>(),
                Some(rusqlite_migration::Error::RusqliteError { err, .. }) if is_damage(err)
            )
    })
}

/// Renames the file and its log; nothing is deleted.
///
/// # Errors
/// If the directory does not allow it.
pub fn move_aside(dir: &Path, now: DateTime<Utc>) -> anyhow::Result<PathBuf> {
    let aside = dir.join(format!("history-damaged-{}.db", now.timestamp_millis()));
    for suffix in ["", "-wal"] {
        let from = dir.join(format!("{DATABASE}{suffix}"));
        if from.exists() {
            let to = format!("{}{suffix}", aside.display());
            fs::rename(&from, &to).with_context(|| format!("move the damaged {} aside", from.display()))?;
        }
    }
    Ok(aside)
}

/// Why nothing should be written now.
pub fn no_room(dir: &Path) -> Option<String> {
    // A disk that cannot be asked is found out by writing.
    let free = fs4::available_space(dir).unwrap_or(u64::MAX);
    (free < DISK_FREE_MIN)
        .then(|| format!("only {} MiB are free on the disk, and they are left to the buffer", free / (1024 * 1024)))
}

pub fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
