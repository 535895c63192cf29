//! The history's file: opened whatever state it is in.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use common::ids::ZoneId;
use rusqlite::{Connection, OpenFlags};
use tracing::error;
use uuid::Uuid;

use super::schema;
use crate::sqlite::{is_caused_by_damage, move_aside, open_exclusively, open_immutable, open_untouched};

pub const NAME: &str = "history";
/// The history writes nothing more when the disk has less than this left: the last of it belongs to the buffer, which
/// keeps events that nobody else has.
const DISK_FREE_MIN: u64 = 32 * 1024 * 1024;

/// Opens the history in `dir`, making it if there is none, and moving it aside if it is damaged. With it, in words, what
/// was done about damage.
///
/// # Errors
/// If no working file can be had.
pub fn open(dir: &Path, now: DateTime<Utc>) -> anyhow::Result<(Connection, Option<String>)> {
    let path = dir.join(format!("{NAME}.db"));
    match open_exclusively(&path, schema::STEPS) {
        Ok(connection) => Ok((connection, None)),
        Err(error) if is_caused_by_damage(&error) => {
            let aside = move_aside(dir, NAME, now)?;
            error!("The history of alerts was damaged. Moved it to {}", aside.display());
            let connection =
                open_exclusively(&path, schema::STEPS).with_context(|| format!("make a new {}", path.display()))?;
            Ok((connection, Some(moved_words(&aside))))
        }
        Err(error) => Err(error).with_context(|| format!("open {}", path.display())),
    }
}

/// What health says of a damaged file.
pub fn moved_words(aside: &Path) -> String {
    format!("the history of alerts was damaged and begun anew; what was in it is in {}", aside.display())
}

/// The zones that a history which nobody has open remembers; changes nothing. For the command line.
///
/// # Errors
/// If there is none, or an edge runs on it.
pub fn zones_seen(dir: &Path) -> rusqlite::Result<BTreeSet<ZoneId>> {
    let connection = Connection::open_with_flags(dir.join(format!("{NAME}.db")), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut select = connection.prepare("SELECT DISTINCT zone FROM cameras")?;
    let zones = select.query_map([], |row| Ok(ZoneId::from_uuid(Uuid::from_bytes(row.get(0)?))))?;
    zones.collect()
}

/// Opens a history that nobody has open, so that nothing about it changes; `None` if there is none. For the command line.
///
/// # Errors
/// If it cannot be opened.
pub fn peek(dir: &Path) -> rusqlite::Result<Option<Connection>> {
    let path = dir.join(format!("{NAME}.db"));
    if !path.exists() {
        return Ok(None);
    }
    // A log is left only by an edge that did not end well; without one, opening the file in its usual way would make one.
    if dir.join(format!("{NAME}.db-wal")).exists() {
        return open_untouched(&path).map(Some);
    }
    open_immutable(&path).map(Some)
}

/// Why nothing should be written now.
pub fn no_room(dir: &Path) -> Option<String> {
    // A disk that cannot be asked is found out by writing.
    let free = fs4::available_space(dir).unwrap_or(u64::MAX);
    (free < DISK_FREE_MIN)
        .then(|| format!("only {} MiB are free on the disk, and they are left to the buffer", free / (1024 * 1024)))
}
