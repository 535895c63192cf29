//! Takes over what is whole in a damaged database: every record that can be found, how far ended epochs got, and the dead
//! letters. What cannot be found is missing in headquarters' ledger, because its seqs were given out.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use common::ids::Epoch;
use common::record::{self, Record, RecordError};
use rusqlite::{Connection, OpenFlags, params};
use tracing::warn;
use uuid::Uuid;

use super::carve::carve;
use super::schema;

/// Records in one transaction, so that the log stays small.
const RECORDS_PER_TRANSACTION: u64 = 5_000;
/// Places of damaged records that are looked for elsewhere; beyond it they are only counted.
const DAMAGED_MAX: usize = 100_000;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Records that were taken over.
    pub records: u64,
    /// Records of which something is left, but not all.
    pub damaged: u64,
    /// Why there may be more.
    pub stopped: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("failed to read the damaged file: {0}")]
    Read(#[from] io::Error),
    #[error("failed to write what was found: {0}")]
    Write(#[from] rusqlite::Error),
}

/// Copies from a database, if it is to be read too, and its `log` what is not yet in `into`. Nothing that is wrong with them is
/// an error.
pub fn salvage(database: Option<&Path>, log: &Path, into: &Connection) -> Salvaged {
    let mut taking = Taking { into, salvaged: Salvaged::default(), damaged: HashSet::new() };
    let result = taking.all(database, log);
    let mut salvaged = taking.salvaged;
    if let Err(error) = result {
        warn!("Salvaging stopped early: {error}");
        salvaged.stopped = Some(error.to_string());
    }
    if let Some(database) = database {
        copy_the_rest(database, into);
    }
    salvaged
}

struct Taking<'a> {
    into: &'a Connection,
    salvaged: Salvaged,
    damaged: HashSet<(Epoch, u64)>,
}

impl Taking<'_> {
    fn all(&mut self, database: Option<&Path>, log: &Path) -> Result<(), Stop> {
        self.into.execute_batch("BEGIN")?;
        let carved = carve(database, log, |bytes, opened| self.take(bytes, opened));
        // What was found before an error stays.
        self.into.execute_batch("COMMIT")?;
        // Another copy of it may be whole.
        for (epoch, seq) in std::mem::take(&mut self.damaged) {
            self.salvaged.damaged += u64::from(!has(self.into, epoch, seq)?);
        }
        carved
    }

    fn take(&mut self, bytes: &[u8], opened: Result<Record<'_>, RecordError>) -> Result<(), Stop> {
        let Ok(record) = opened else {
            match record::place(bytes) {
                Some(place) if self.damaged.len() < DAMAGED_MAX => {
                    self.damaged.insert(place);
                }
                _ => self.salvaged.damaged += 1,
            }
            return Ok(());
        };
        if has(self.into, record.epoch, record.seq)? {
            return Ok(());
        }
        let epoch_id = schema::epoch_id(self.into, record.epoch)?;
        self.into
            .prepare_cached("INSERT INTO records (epoch_id, seq, at_ms, record) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![epoch_id, record.seq.cast_signed(), record.accepted_ms, bytes])?;
        self.salvaged.records += 1;
        if self.salvaged.records.is_multiple_of(RECORDS_PER_TRANSACTION) {
            self.into.execute_batch("COMMIT; BEGIN")?;
        }
        Ok(())
    }
}

fn has(connection: &Connection, epoch: Epoch, seq: u64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM records JOIN epochs ON epochs.id = records.epoch_id \
             WHERE epochs.epoch = ?1 AND records.seq = ?2)",
        )?
        .query_row(params![epoch.uuid().as_bytes(), seq.cast_signed()], |row| row.get(0))
}

/// As far as SQLite itself can read the old file.
fn copy_the_rest(database: &Path, into: &Connection) {
    let Ok(old) = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE) else { return };
    let epochs = || -> rusqlite::Result<()> {
        let mut find = old.prepare("SELECT epoch, head FROM past_epochs")?;
        let rows = find.query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?)))?;
        for (epoch, head) in rows.flatten() {
            schema::note_epoch(into, Epoch::from_uuid(Uuid::from_bytes(epoch)), head.cast_unsigned())?;
        }
        Ok(())
    };
    let letters = || -> rusqlite::Result<()> {
        let mut find = old.prepare("SELECT id, at_ms, reason, raw FROM dead_letters")?;
        let rows = find.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, Vec<u8>>(3)?))
        })?;
        for (id, at_ms, reason, raw) in rows.flatten() {
            into.execute(
                "INSERT OR IGNORE INTO dead_letters (id, at_ms, reason, raw) VALUES (?1, ?2, ?3, ?4)",
                params![id, at_ms, reason, raw],
            )?;
        }
        Ok(())
    };
    for (what, copied) in [("how far earlier runs got", epochs()), ("the dead letters", letters())] {
        if let Err(error) = copied {
            warn!("Could not take over {what}: {error}");
        }
    }
}
