//! The spill's files: the database, opened whatever state it is in, and the ballast.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use common::ids::Epoch;
use common::record::Record;
use fs4::FileExt;
use rusqlite::{Connection, OpenFlags, params};
use tracing::{error, warn};
use uuid::Uuid;

use super::super::account::Held;
use super::schema;

const DATABASE: &str = "spill.db";
/// Its presence says that SQLite found damage in the last run.
const DAMAGE_MARK: &str = "spill.damaged";
const BALLAST: &str = "ballast";
/// SQLite before this has the WAL-reset bug that can lose committed rows.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// Gaps of damage that salvaging steps over before it gives up.
const SALVAGE_SKIPS_MAX: u32 = 100_000;

/// A predecessor that is just ending may have the directory a moment longer.
const LOCK_WAIT: Duration = Duration::from_secs(1);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// What was found.
#[derive(Debug, Default)]
pub struct Opened {
    pub held: Held,
    /// Heads of earlier epochs.
    pub past: HashMap<Epoch, u64>,
    /// A damaged database was moved aside: where to, and how many records could be taken over.
    pub salvaged: Option<(PathBuf, u64)>,
}

/// Opens the database in `dir`, making it if there is none, and moving it aside if it is damaged.
///
/// # Errors
/// If another process has it, or no working database can be had in `dir`.
pub fn open(dir: &Path, now: DateTime<Utc>) -> anyhow::Result<(Connection, DirLock, Opened)> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        bail!("SQLite {} can lose committed rows; build with the bundled one", rusqlite::version());
    }
    let lock = DirLock::take(dir)?;
    let path = dir.join(DATABASE);
    let marked = dir.join(DAMAGE_MARK).exists();
    let mut opened = Opened::default();
    let connection = match open_whole(&path) {
        Ok(connection) if !marked => connection,
        Err(error) if !is_damaged(&error) => {
            return Err(error).with_context(|| format!("open the spill {}", path.display()));
        }
        damaged => {
            drop(damaged);
            let aside = move_aside(dir, now)?;
            let mut connection = open_whole(&path).with_context(|| format!("make a new spill {}", path.display()))?;
            let salvaged = salvage(&aside, &mut connection, now);
            error!(salvaged, "The spill was damaged. Moved it to {} and took over what was whole", aside.display());
            opened.salvaged = Some((aside, salvaged));
            if marked {
                fs::remove_file(dir.join(DAMAGE_MARK)).context("remove the mark of damage")?;
            }
            connection
        }
    };
    let mut find = connection.prepare("SELECT epoch, head FROM past_epochs")?;
    let rows = find.query_map([], |row| {
        Ok((Epoch::from_uuid(Uuid::from_bytes(row.get(0)?)), row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    opened.past = rows.collect::<Result<_, _>>()?;
    drop(find);
    Ok((connection, lock, opened))
}

/// Leaves a mark so that the next start does not trust the file.
pub fn mark_damaged(dir: &Path) {
    if let Err(error) = File::create(dir.join(DAMAGE_MARK)) {
        error!("Failed to mark the spill as damaged: {error}");
    }
}

/// One process per data directory; the lock goes with the file's handle, so with the process at the latest.
pub struct DirLock {
    _file: File,
}

impl DirLock {
    fn take(dir: &Path) -> anyhow::Result<Self> {
        let file =
            File::create(dir.join("lock")).with_context(|| format!("write to the data directory {}", dir.display()))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_RETRY),
                Err(TryLockError::WouldBlock) => {
                    bail!("another smartpick-edge already uses the data directory {}", dir.display())
                }
                Err(TryLockError::Error(error)) => return Err(error).context("lock the data directory"),
            }
        }
    }
}

fn open_whole(path: &Path) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // Pages of the index and the table's end; the rest is read once.
    connection.pragma_update(None, "cache_size", -8_192)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

fn is_damaged(error: &anyhow::Error) -> bool {
    let sqlite = |e: &rusqlite::Error| super::is_damage(e);
    error.chain().any(|cause| {
        cause.downcast_ref::<rusqlite::Error>().is_some_and(sqlite)
            || matches!(
                cause.downcast_ref::<rusqlite_migration::Error>(),
                Some(rusqlite_migration::Error::RusqliteError { err, .. }) if sqlite(err)
            )
    })
}

fn move_aside(dir: &Path, now: DateTime<Utc>) -> anyhow::Result<PathBuf> {
    let aside = dir.join(format!("spill-damaged-{}.db", now.timestamp_millis()));
    for suffix in ["", "-wal"] {
        let from = dir.join(format!("{DATABASE}{suffix}"));
        if from.exists() {
            let to = format!("{}{suffix}", aside.display());
            fs::rename(&from, &to).with_context(|| format!("move the damaged {} aside", from.display()))?;
        }
    }
    Ok(aside)
}

/// Copies every record that is still whole. What SQLite cannot read is stepped over.
fn salvage(from: &Path, into: &mut Connection, now: DateTime<Utc>) -> u64 {
    let Ok(old) = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE) else { return 0 };
    let copy = |into: &mut Connection| -> rusqlite::Result<u64> {
        let transaction = into.transaction()?;
        let (mut after, mut skips, mut salvaged) = (0i64, 0, 0);
        loop {
            let row =
                old.query_row("SELECT id, record FROM records WHERE id > ?1 ORDER BY id LIMIT 1", [after], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
                });
            match row {
                Ok((id, bytes)) => {
                    after = id;
                    // The checksum says whether it is one of ours and whole.
                    let Ok(record) = Record::open(&bytes) else { continue };
                    let epoch_id = schema::epoch_id(&transaction, record.epoch)?;
                    salvaged += transaction.execute(
                        "INSERT INTO records (epoch_id, seq, at_ms, record) VALUES (?1, ?2, ?3, ?4)",
                        params![epoch_id, record.seq.cast_signed(), now.timestamp_millis(), bytes],
                    )? as u64;
                }
                Err(rusqlite::Error::QueryReturnedNoRows) => break,
                Err(error) if super::is_damage(&error) && skips < SALVAGE_SKIPS_MAX => {
                    skips += 1;
                    after += 1;
                }
                Err(error) => {
                    warn!("Salvaging stopped early: {error}");
                    break;
                }
            }
        }
        if let Ok(mut find) = old.prepare("SELECT epoch, head FROM past_epochs")
            && let Ok(rows) = find.query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?)))
        {
            for (epoch, head) in rows.flatten() {
                schema::note_epoch(&transaction, Epoch::from_uuid(Uuid::from_bytes(epoch)), head.cast_unsigned())?;
            }
        }
        transaction.commit()?;
        Ok(salvaged)
    };
    copy(into).unwrap_or_else(|error| {
        error!("Failed to take over what was whole: {error}");
        0
    })
}

/// Free bytes on the disk of `dir`; none if that cannot be read.
pub fn disk_bytes_free(dir: &Path) -> u64 {
    fs4::available_space(dir).unwrap_or(0)
}

/// A file of useless bytes: giving it up makes the room that draining a full disk needs.
pub struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    pub fn new(dir: &Path, bytes: u64) -> Self {
        Self { path: dir.join(BALLAST), bytes }
    }

    /// Makes the file if it is not there and the disk has room for it above the floor.
    pub fn fill(&self, disk_free_min: u64) {
        let dir = self.path.parent().unwrap_or(&self.path);
        if self.path.exists() || disk_bytes_free(dir) < disk_free_min + self.bytes {
            return;
        }
        // Real blocks, not a hole.
        let filled = File::create(&self.path).and_then(|file| FileExt::allocate(&file, self.bytes));
        if let Err(error) = filled {
            warn!("Failed to make the ballast file: {error}");
            drop(fs::remove_file(&self.path));
        }
    }

    /// Whether there was one to give up.
    pub fn give_up(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}
