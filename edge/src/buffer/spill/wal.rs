//! Whether a write-ahead log is whole. SQLite does not say: it reads up to the first frame whose checksum is wrong and takes
//! that for the end, so one flipped bit silently drops all that was committed after it.

use std::io;
use std::path::Path;

use super::carve::{WAL_FRAME_HEAD_BYTES, WAL_HEAD_BYTES};

/// In the head; the last bit says in which order the checksums take the bytes.
const MAGIC: u32 = 0x377f_0682;

/// Whether there are frames of this log behind the place where SQLite stops reading. After a power cut that may be a
/// transaction that was never confirmed; it may also be ones that were. A log that is not there is whole.
///
/// # Errors
/// If it cannot be read.
pub fn is_broken(path: &Path) -> io::Result<bool> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(broken(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn broken(wal: &[u8]) -> bool {
    let Some((head, frames)) = wal.split_at_checked(WAL_HEAD_BYTES) else { return false };
    let magic = word(head, 0, true);
    let page_bytes = word(head, 8, true) as usize;
    let big_endian = magic == (MAGIC | 1);
    let sensible = (magic & !1) == MAGIC && page_bytes.is_power_of_two() && (512..=65_536).contains(&page_bytes);
    let mut sums = [0, 0];
    add(&mut sums, &head[..24], big_endian);
    if !sensible || sums != [word(head, 24, true), word(head, 28, true)] {
        // A file of zeros was made and never written.
        return frames.iter().any(|byte| *byte != 0);
    }
    let mut whole = true;
    for frame in frames.chunks_exact(WAL_FRAME_HEAD_BYTES + page_bytes) {
        // Others are left over from before the log was begun anew.
        let ours = frame[8..16] == head[16..24];
        if whole {
            add(&mut sums, &frame[..8], big_endian);
            add(&mut sums, &frame[WAL_FRAME_HEAD_BYTES..], big_endian);
            let follows = sums == [word(frame, 16, true), word(frame, 20, true)];
            if follows && !ours {
                return true;
            }
            whole = follows;
        }
        if !whole && ours {
            return true;
        }
    }
    false
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let four = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
}

/// SQLite's file format, "WAL Checksum Algorithm".
fn add(sums: &mut [u32; 2], bytes: &[u8], big_endian: bool) {
    for at in (0..bytes.len() / 8 * 8).step_by(8) {
        sums[0] = sums[0].wrapping_add(word(bytes, at, big_endian)).wrapping_add(sums[1]);
        sums[1] = sums[1].wrapping_add(word(bytes, at + 4, big_endian)).wrapping_add(sums[0]);
    }
}
