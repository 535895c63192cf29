//! Small files that must be whole after a power cut: written beside their place, synced, and put there by one rename.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Puts a file with these contents and permissions in place of whatever is there. It belongs to whom its directory belongs to:
/// `sudo` on a service's box must not leave files that the service cannot read.
///
/// # Errors
/// What the disk or the permissions say; the old file is there then.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = dir.join(name);
    let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    // One that was left here by a crash keeps its own otherwise.
    new.set_permissions(std::fs::Permissions::from_mode(mode))?;
    let owner = std::fs::metadata(dir)?;
    let own = new.metadata()?;
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) && rustix::process::geteuid().is_root() {
        std::os::unix::fs::fchown(&new, Some(owner.uid()), Some(owner.gid()))?;
    }
    new.write_all(bytes)?;
    new.sync_all()?;
    std::fs::rename(&beside, path)?;
    File::open(dir)?.sync_all()
}

/// Removes a file for good; one that is not there is removed already.
///
/// # Errors
/// What the disk or the permissions say.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}
