//! Files of the data directory that root may make on the command line, for a service that runs as somebody else: they are
//! given to the owner of the directory.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::Path;

/// Makes a database's file before SQLite does, so that nobody else can ever read it and the service can.
///
/// # Errors
/// If the directory does not allow it.
pub fn make_for_the_owner(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    give_to_the_owner(path.parent().unwrap_or(Path::new("/")), path)
}

/// # Errors
/// If the owner cannot be changed. A file that is not there is no error.
pub fn give_to_the_owner(dir: &Path, path: &Path) -> io::Result<()> {
    let (owner, file) = match (fs::metadata(dir)?, fs::metadata(path)) {
        (owner, Ok(file)) => (owner, file),
        // A side file that SQLite has no need of now.
        (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        (_, Err(error)) => return Err(error),
    };
    if (file.uid(), file.gid()) == (owner.uid(), owner.gid()) || file.uid() == owner.uid() {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}
