//! Headquarters' rules on this edge's disk, so that it goes by them after a restart without WAN.
//!
//! A file of two lines: the CRC32C of the second as 8 hexadecimal digits, and the set as JSON. It is replaced in one step
//! (written beside it, fsynced, renamed, the directory fsynced), and the one before stays beside it: if the newest turns
//! out damaged, that one is the last good. A damaged file is moved aside, never deleted.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use common::ids::WarehouseId;
use common::rules::RuleSet;
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use super::{InForce, Trouble};

const NEWEST: &str = "headquarters-rules";
const BEFORE: &str = "headquarters-rules.before";
const UNFINISHED: &str = "headquarters-rules.new";
/// Twenty rules with all the zones they may name are 160 KB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What is in a file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// An edge that moved to another site must not go by the rules of the one before.
    warehouse_id: WarehouseId,
    set: RuleSet,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    /// It is not what was written.
    #[error("damaged")]
    Damaged,
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// The rules to start with, where `own` is what the configuration has; what is damaged is moved aside.
pub fn start(dir: &Path, warehouse: WarehouseId, own: InForce, now: DateTime<Utc>) -> (InForce, Option<Trouble>) {
    let mut said: Option<Trouble> = None;
    for name in [NEWEST, BEFORE] {
        let path = dir.join(name);
        let trouble = match read(&path, warehouse) {
            Ok(None) => continue,
            Ok(Some(set)) => match InForce::of(&set, &own) {
                Ok(rules) => return (rules, said),
                // It was good when it came: this is another version of SmartPick.
                Err(words) => {
                    let words = format!("headquarters' rules, version {}, cannot be used here: {words}", set.version);
                    Trouble { refused: Some(set.set_id), words }
                }
            },
            Err(Unusable::Damaged) => {
                let aside = dir.join(format!("{name}.damaged-{}", now.timestamp_millis()));
                let words = match fs::rename(&path, &aside) {
                    Ok(()) => {
                        format!("headquarters' rules were damaged on disk; what is left is in {}", aside.display())
                    }
                    Err(error) => format!("headquarters' rules in {} are damaged: {error}", path.display()),
                };
                Trouble { refused: None, words }
            }
            Err(Unusable::Io(error)) => {
                Trouble { refused: None, words: format!("headquarters' rules in {}: {error}", path.display()) }
            }
        };
        error!("{}", trouble.words);
        // The newest file's is what people need to know.
        said.get_or_insert(trouble);
    }
    (own, said)
}

/// The rules that a start would begin with, for the command line; changes nothing.
pub fn peek(dir: &Path, warehouse: WarehouseId, own: InForce) -> (InForce, Option<String>) {
    let mut said = None;
    for name in [NEWEST, BEFORE] {
        let path = dir.join(name);
        let words = match read(&path, warehouse) {
            Ok(None) => continue,
            Ok(Some(set)) => match InForce::of(&set, &own) {
                Ok(rules) => return (rules, said),
                Err(words) => format!("headquarters' rules, version {}, cannot be used here: {words}", set.version),
            },
            Err(error) => format!("headquarters' rules in {}: {error}", path.display()),
        };
        said.get_or_insert(words);
    }
    (own, said)
}

/// Keeps a set; it is on disk when this returns. [`RuleSet::none`] leaves nothing that a start would find.
///
/// # Errors
/// If the disk does not take it. What was kept before is then still there.
pub fn save(dir: &Path, warehouse: WarehouseId, set: &RuleSet) -> io::Result<()> {
    let (newest, before) = (dir.join(NEWEST), dir.join(BEFORE));
    if set.set_id.is_nil() {
        for path in [&newest, &before] {
            remove(path)?;
        }
        return sync(dir);
    }
    let json = serde_json::to_string(&Kept { warehouse_id: warehouse, set: set.clone() })?;
    let unfinished = dir.join(UNFINISHED);
    // A file of its own each time: after a failed fsync the next one of the same file would say that all is well.
    remove(&unfinished)?;
    let mut file = File::create_new(&unfinished)?;
    write!(file, "{:08x}\n{json}", crc32c::crc32c(json.as_bytes()))?;
    file.sync_all()?;
    drop(file);
    // Between the two renames there is only the one before, which a start then takes; headquarters sends the newest again.
    match fs::rename(&newest, &before) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::rename(&unfinished, &newest)?,
    }
    sync(dir)
}

fn remove(path: &PathBuf) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A rename is durable once its directory is.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// `None`: there is no such file, or it is of another site.
fn read(path: &Path, warehouse: WarehouseId) -> Result<Option<RuleSet>, Unusable> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(meta) if meta.len() > FILE_BYTES_MAX => return Err(Unusable::Damaged),
        Ok(_) => {}
    }
    let bytes = fs::read(path)?;
    let (crc, json) = bytes.split_at_checked(9).ok_or(Unusable::Damaged)?;
    if crc != format!("{:08x}\n", crc32c::crc32c(json)).as_bytes() {
        return Err(Unusable::Damaged);
    }
    let kept: Kept = serde_json::from_slice(json).map_err(|_| Unusable::Damaged)?;
    if kept.warehouse_id != warehouse {
        warn!("{} has the rules of another site; they are not used", path.display());
        return Ok(None);
    }
    Ok(Some(kept.set))
}
