//! Examines and mends the spill of an edge that does not run, for `smartpick-edge fsck`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use common::record::Record;

use super::file::{self, DirLock, Opened};
use super::salvage::{Salvaged, salvage};
use super::wal::is_broken;
use crate::sqlite;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// What is wrong with the file, in words; such a file is moved aside when it is mended.
    pub faults: Vec<String>,
    /// Whole records in it, as far as it can be read.
    pub records: u64,
    /// Records whose checksum is wrong; the edge puts them to its dead letters by itself.
    pub damaged: u64,
}

/// Looks at everything in the spill and changes nothing. `_lock` says that no edge runs.
pub fn examine(dir: &Path, _lock: &DirLock) -> Examined {
    let path = file::database(dir);
    let mut examined = Examined::default();
    if file::is_beheaded(&path) {
        examined.faults.push("the database is empty or gone, but its log is not".to_owned());
        return examined;
    }
    match is_broken(&file::wal(&path)) {
        Ok(true) => examined.faults.push("the log goes on behind a place that SQLite cannot read".to_owned()),
        Ok(false) => {}
        Err(error) => examined.faults.push(format!("the log cannot be read: {error}")),
    }
    if !path.exists() {
        return examined;
    }
    match sqlite::faults(&path) {
        Ok(faults) => examined.faults.extend(faults),
        Err(error) => examined.faults.push(error.to_string()),
    }
    if let Err(error) = count(&path, &mut examined) {
        examined.faults.push(format!("records cannot be read: {error}"));
    }
    examined
}

fn count(path: &Path, examined: &mut Examined) -> rusqlite::Result<()> {
    let connection = sqlite::open_untouched(path)?;
    let mut find = connection.prepare("SELECT record FROM records ORDER BY id")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let whole = row.get_ref(0)?.as_blob().is_ok_and(|bytes| Record::open(bytes).is_ok());
        (examined.records, examined.damaged) =
            (examined.records + u64::from(whole), examined.damaged + u64::from(!whole));
    }
    Ok(())
}

/// Moves the spill aside and takes over what is whole, as the edge does by itself where it finds damage.
///
/// # Errors
/// If an edge runs, or no new spill can be made.
pub fn mend(dir: &Path, lock: DirLock, now: DateTime<Utc>) -> anyhow::Result<(PathBuf, Salvaged)> {
    file::mark_damaged(dir);
    drop(lock);
    let (_connection, _lock, Opened { salvaged, .. }) = file::open(dir, now)?;
    salvaged.context("the mark of damage could not be made; is the data directory writable?")
}

/// Takes over what is whole in a file that was moved aside earlier, as after its disk had no room for it.
///
/// # Errors
/// If there is no such file, an edge runs, or the spill cannot be opened.
pub fn take_over(dir: &Path, from: &Path, lock: DirLock, now: DateTime<Utc>) -> anyhow::Result<Salvaged> {
    std::fs::metadata(from).with_context(|| format!("read {}", from.display()))?;
    drop(lock);
    let (connection, _lock, _) = file::open(dir, now)?;
    let is_log = from.extension().is_some_and(|extension| extension == "db-wal");
    let log = if is_log { from.to_owned() } else { file::wal(from) };
    Ok(salvage((!is_log).then_some(from), &log, &connection))
}
