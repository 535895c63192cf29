//! The spill's files: the database, opened whatever state it is in, and the ballast.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use common::cli::exit::Exit;
use common::ids::Epoch;
use fs4::FileExt;
use rusqlite::Connection;
use tracing::{error, warn};
use uuid::Uuid;

use super::super::account::Held;
use super::salvage::{Salvaged, salvage};
use super::schema;
use super::wal::is_broken;
use crate::sqlite::{is_caused_by_damage, move_aside, open_exclusively};

/// Without `.db`.
const NAME: &str = "spill";
/// Its presence says that SQLite found damage in the last run.
pub(super) const DAMAGE_MARK: &str = "spill.damaged";
const BALLAST: &str = "ballast";
/// SQLite before this has the WAL-reset bug that can lose committed rows.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// A predecessor that is just ending may have the directory a moment longer.
const LOCK_WAIT: Duration = Duration::from_secs(1);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// What was found.
#[derive(Debug, Default)]
pub struct Opened {
    pub held: Held,
    /// Heads of earlier epochs.
    pub past: HashMap<Epoch, u64>,
    /// A damaged database was moved aside: where to, and what could be taken over.
    pub salvaged: Option<(PathBuf, Salvaged)>,
    /// There was no database, or an empty one.
    pub made_anew: bool,
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
    let path = database(dir);
    let marked = dir.join(DAMAGE_MARK).exists();
    let made_anew = len(&path) == 0 && !is_beheaded(&path);
    let mut opened = Opened { made_anew, ..Opened::default() };
    let set_aside = set_log_aside(&path, dir, now)?;
    let found = if is_beheaded(&path) { Ok(None) } else { open_exclusively(&path, schema::STEPS).map(Some) };
    let connection = match found {
        Ok(Some(connection)) if !marked => {
            if let Some(log) = set_aside {
                take_from_log(&log, &connection, &mut opened)?;
            }
            connection
        }
        Err(error) if !is_caused_by_damage(&error) => {
            return Err(error).with_context(|| format!("open the spill {}", path.display()));
        }
        damaged => {
            drop(damaged);
            let aside = move_aside(dir, NAME, now)?;
            let connection = open_exclusively(&path, schema::STEPS)
                .with_context(|| format!("make a new spill {}", path.display()))?;
            // Opening it may have shortened the log.
            let log = set_aside.unwrap_or_else(|| wal(&aside));
            let salvaged = salvage(Some(aside.as_path()), &log, &connection);
            error!(
                salvaged = salvaged.records,
                damaged = salvaged.damaged,
                "The spill was damaged. Moved it to {} and took over what was whole",
                aside.display()
            );
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

pub fn database(dir: &Path) -> PathBuf {
    dir.join(format!("{NAME}.db"))
}

/// The log of a database.
pub fn wal(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", database.display()))
}

/// The database is empty and its log is not: SQLite would throw the log away.
pub fn is_beheaded(database: &Path) -> bool {
    len(database) == 0 && len(&wal(database)) > 0
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// Copies the log if SQLite will not read it to its end: opening the database is the end of the rest.
fn set_log_aside(database: &Path, dir: &Path, now: DateTime<Utc>) -> anyhow::Result<Option<PathBuf>> {
    let log = wal(database);
    if !is_broken(&log).context("read the spill's log")? {
        return Ok(None);
    }
    let aside = dir.join(format!("{NAME}-log-{}.db-wal", now.timestamp_millis()));
    fs::copy(&log, &aside).with_context(|| format!("copy the spill's log to {}", aside.display()))?;
    Ok(Some(aside))
}

/// Takes over from a log what SQLite did not read of it. After a power cut that is nothing, or what nobody was told is safe.
fn take_from_log(log: &Path, connection: &Connection, opened: &mut Opened) -> anyhow::Result<()> {
    let salvaged = salvage(None, log, connection);
    if salvaged == Salvaged::default() {
        fs::remove_file(log).context("remove the copy of the spill's log")?;
        return Ok(());
    }
    error!(salvaged = salvaged.records, "The spill's log was not whole. A copy is in {}", log.display());
    opened.salvaged = Some((log.to_owned(), salvaged));
    Ok(())
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
    /// # Errors
    /// If another process has it.
    pub fn take(dir: &Path) -> anyhow::Result<Self> {
        let file =
            File::create(dir.join("lock")).with_context(|| format!("write to the data directory {}", dir.display()))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_RETRY),
                Err(TryLockError::WouldBlock) => {
                    let words = format!("another smartpick-edge already uses the data directory {}", dir.display());
                    bail!(Exit::TempFail.because(words))
                }
                Err(TryLockError::Error(error)) => return Err(error).context("lock the data directory"),
            }
        }
    }
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
