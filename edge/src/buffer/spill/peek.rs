//! A look into the spill of an edge that does not run: what waits in it, and whether SQLite finds it whole. Nothing is
//! written, and nothing is moved aside.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::Epoch;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use uuid::Uuid;

use super::file::{DAMAGE_MARK, database};
use super::{DeadLetter, letters};

/// A whole check reads the whole file; a doctor has so much patience.
const CHECK_MAX: Duration = Duration::from_secs(5);

/// Why there was nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum PeekError {
    #[error("there is no spill yet")]
    None,
    #[error("an edge is running on it")]
    InUse,
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// What waits.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Records and bytes of each epoch.
    pub epochs: BTreeMap<Epoch, (u64, u64)>,
    /// When the oldest was accepted.
    pub oldest: Option<DateTime<Utc>>,
    pub dead_letters: u64,
}

impl Waiting {
    pub fn records(&self) -> u64 {
        self.epochs.values().map(|(records, _)| records).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.epochs.values().map(|(_, bytes)| bytes).sum()
    }
}

/// The spill in `dir`, open for reading.
pub struct Peek(Connection);

impl Peek {
    /// # Errors
    /// If there is none, an edge has it, or SQLite cannot read it.
    pub fn open(dir: &Path) -> Result<Self, PeekError> {
        let path = database(dir);
        if !path.exists() {
            return Err(PeekError::None);
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // The first reading finds out whether a running edge has locked it.
        match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)) {
            Ok(_) => Ok(Self(connection)),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Err(PeekError::InUse),
            Err(error) => Err(error.into()),
        }
    }

    /// # Errors
    /// If SQLite cannot read it.
    pub fn waiting(&self) -> Result<Waiting, PeekError> {
        let mut waiting = Waiting::default();
        let mut find = self.0.prepare(
            "SELECT epoch, count(*), sum(length(record)) FROM records JOIN epochs ON epochs.id = epoch_id GROUP BY epoch",
        )?;
        let rows = find.query_map([], |row| {
            let epoch = Epoch::from_uuid(Uuid::from_bytes(row.get(0)?));
            Ok((epoch, (row.get::<_, i64>(1)?.cast_unsigned(), row.get::<_, i64>(2)?.cast_unsigned())))
        })?;
        waiting.epochs = rows.collect::<Result<_, _>>()?;
        let oldest: Option<i64> = self.0.query_row("SELECT min(at_ms) FROM records", [], |row| row.get(0))?;
        waiting.oldest = oldest.and_then(DateTime::from_timestamp_millis);
        let dead: i64 = self.0.query_row("SELECT count(*) FROM dead_letters", [], |row| row.get(0))?;
        waiting.dead_letters = dead.cast_unsigned();
        Ok(waiting)
    }

    /// What SQLite finds wrong, if it gets through the file in a few seconds; `None` in the inner place if it does not.
    ///
    /// # Errors
    /// If SQLite cannot read it.
    pub fn damage(&self) -> Result<Option<Vec<String>>, PeekError> {
        let stop = self.0.get_interrupt_handle();
        let (done, waits) = std::sync::mpsc::sync_channel::<()>(1);
        std::thread::spawn(move || {
            if waits.recv_timeout(CHECK_MAX) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                stop.interrupt();
            }
        });
        let mut check = self.0.prepare("PRAGMA quick_check(5)")?;
        let found: Result<Vec<String>, _> = check.query_map([], |row| row.get(0))?.collect();
        // The thread may have given up already.
        let _told = done.send(());
        match found {
            Ok(found) => Ok(Some(found.into_iter().filter(|line| line != "ok").collect())),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Latest first.
    ///
    /// # Errors
    /// If SQLite cannot read it.
    pub fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, PeekError> {
        Ok(letters(&self.0, limit)?)
    }
}

/// Whether SQLite found damage in the last run; the next start moves the file aside and takes over what is whole.
pub fn is_marked_damaged(dir: &Path) -> bool {
    dir.join(DAMAGE_MARK).exists()
}

/// The version of SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
