//! The head of the current epoch in a file of 32 bytes, so that a restart knows how many events the last run had
//! accepted even if the store that held them is gone.
//!
//! Written without fsync after each append: it survives a killed process, and after a power cut it is at most some
//! seconds behind. Central takes the higher of this and what it has received, so that being behind can only make a
//! loss show smaller, never a row be missing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use common::ids::Epoch;
use uuid::Uuid;

const BYTES: usize = 16 + 8 + 4;

/// The open file.
pub struct HeadFile(File);

impl HeadFile {
    /// Opens the file and reads what the last run left, if it is whole.
    ///
    /// # Errors
    /// If the file cannot be opened or read.
    pub fn open(path: &Path) -> io::Result<(Self, Option<(Epoch, u64)>)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = [0; BYTES];
        let left = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok((Self(file), left))
    }

    /// # Errors
    /// If the disk does not take 28 bytes in place.
    pub fn write(&self, epoch: Epoch, head: u64) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        bytes[..16].copy_from_slice(epoch.uuid().as_bytes());
        bytes[16..24].copy_from_slice(&head.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..24]);
        bytes[24..].copy_from_slice(&crc.to_le_bytes());
        self.0.write_all_at(&bytes, 0)
    }
}

fn parse(bytes: &[u8; BYTES]) -> Option<(Epoch, u64)> {
    let (body, crc) = bytes.split_at(24);
    if crc != crc32c::crc32c(body).to_le_bytes() {
        return None;
    }
    let epoch = Uuid::from_slice(&body[..16]).ok()?;
    let head = u64::from_le_bytes(body[16..].try_into().ok()?);
    Some((Epoch::from_uuid(epoch), head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_run_reads_what_the_last_one_wrote_and_nothing_torn() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let path = dir.path().join("head");
        let epoch = Epoch::random();
        let (file, left) = HeadFile::open(&path).expect("opens");
        assert_eq!(left, None);
        file.write(epoch, 41).expect("writes");
        file.write(epoch, 42).expect("writes");
        assert_eq!(HeadFile::open(&path).expect("opens").1, Some((epoch, 42)));
        file.0.write_all_at(&[0xFF], 17).expect("tears");
        assert_eq!(HeadFile::open(&path).expect("opens").1, None);
    }
}
