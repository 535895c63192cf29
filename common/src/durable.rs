//! Small files that must be whole after a power cut: written beside their place, synced, and put there by one rename.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::Access;

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

/// What of a path is there already: itself, or the nearest that it would be made in.
pub fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().find(|part| part.as_os_str().is_empty() || part.symlink_metadata().is_ok());
    there.filter(|part| !part.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file could be written in a directory, which may still have to be made; nothing is.
///
/// # Errors
/// Which directory or file is in the way, and why.
pub fn writable(dir: &Path) -> io::Result<()> {
    let there = nearest(dir);
    let shown = there.display();
    let unfit = |error: io::Error| io::Error::new(error.kind(), format!("{shown}: {error}"));
    if !std::fs::metadata(there).map_err(unfit)?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{shown} is not a directory")));
    }
    rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| unfit(error.into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_of_writing_is_named_and_nothing_is_made() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, new) = (dir.path().join("file"), dir.path().join("a/b"));
        std::fs::write(&file, "").expect("written");
        for good in [dir.path(), &new, Path::new(""), Path::new("not/here")] {
            writable(good).unwrap_or_else(|error| panic!("{}: {error}", good.display()));
        }
        assert!(!dir.path().join("a").exists());
        for bad in [file.clone(), file.join("below/it")] {
            let error = writable(&bad).expect_err("a file is in the way");
            assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
            assert_eq!(error.to_string(), format!("{} is not a directory", file.display()));
        }
    }
}
