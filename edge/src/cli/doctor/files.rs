//! The data directory: whose it is, and whether the spill in it is whole.

use std::io::ErrorKind;
use std::path::Path;

use common::cli::doctor::{Check, machine};

use crate::buffer::{Peek, PeekError, is_marked_damaged, sqlite_version};

const NAME: &str = "data_dir";
const SPILL: &str = "spill";

/// Whether only its owner can look into it.
pub fn permissions(dir: &Path) -> Check {
    match machine::is_private(dir) {
        Ok(true) => Check::ok(NAME, format!("{}, for its owner only", dir.display())),
        Ok(false) => Check::warning(
            NAME,
            format!("{} can be read by others, and what is buffered is personal data", dir.display()),
            format!("chmod 700 {}", dir.display()),
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Check::skipped(NAME, format!("{} is another user's; with sudo it can be looked at", dir.display()))
        }
        Err(error) => Check::failure(NAME, format!("{}: {error}", dir.display()), "see `dmesg` for errors of the disk"),
    }
}

/// What SQLite says of the spill. A running edge has it to itself, and has checked it at its start.
pub fn spill(dir: &Path, runs: bool) -> Vec<Check> {
    let sqlite = Check::ok("sqlite", format!("{}, built in", sqlite_version()));
    vec![sqlite, look(dir, runs)]
}

fn look(dir: &Path, runs: bool) -> Check {
    if is_marked_damaged(dir) {
        return Check::failure(
            SPILL,
            "SQLite found damage in the last run",
            "start the edge: it moves the file aside and takes over what is whole",
        );
    }
    let peek = match Peek::open(dir) {
        Ok(peek) => peek,
        Err(PeekError::InUse) if runs => return Check::ok(SPILL, "in use by the running edge"),
        Err(PeekError::InUse) => {
            return Check::warning(SPILL, "is locked, and no edge answers", "`fuser -v` on spill.db says who has it");
        }
        Err(PeekError::None) => return Check::ok(SPILL, "there is none yet"),
        Err(PeekError::Sqlite(error)) => return unreadable(dir, &error.to_string()),
    };
    let waiting = match peek.waiting() {
        Ok(waiting) => waiting,
        Err(error) => return unreadable(dir, &error.to_string()),
    };
    let says = format!("{} events wait in it, {}", waiting.records(), machine::bytes(waiting.bytes()));
    match peek.damage() {
        Ok(Some(found)) if found.is_empty() => Check::ok(SPILL, format!("{says}; whole")),
        Ok(Some(found)) => unreadable(dir, &found.join("; ")),
        Ok(None) => Check::ok(SPILL, format!("{says}; too large to be checked in five seconds")),
        Err(error) => unreadable(dir, &error.to_string()),
    }
}

fn unreadable(dir: &Path, why: &str) -> Check {
    if std::fs::File::open(dir.join("spill.db")).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        return Check::skipped(SPILL, "is another user's; with sudo it can be looked at");
    }
    Check::failure(
        SPILL,
        format!("SQLite finds it damaged: {why}"),
        "start the edge: it moves the file aside and takes over what is whole",
    )
}
