//! Finds records in the bytes of SQLite files, whatever state these are in: without their head, cut short, with pages that say
//! nothing sensible any more, or in a write-ahead log that SQLite reads only up to its first flipped bit.
//!
//! A row is recognised by its own shape, not by what leads to it: its sizes must add up, and its last column must be a record
//! with a right checksum. So every row that is whole is found, also one that was deleted not long ago and never overwritten.
//! Sending such a one again changes nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use common::record::{RECORD_BYTES_MAX, Record, RecordError};

/// What `Connection::open` makes, unless the head says otherwise.
const PAGE_BYTES: usize = 4_096;
/// Id, epoch, seq, time, record.
const COLUMNS: usize = 5;
/// The four other columns and the head of a row, at most.
const ROW_EXTRA_BYTES: usize = 64;
pub(super) const WAL_HEAD_BYTES: usize = 32;
pub(super) const WAL_FRAME_HEAD_BYTES: usize = 24;

/// Where pages that a row goes on in are.
struct Pages<'a> {
    file: Option<&'a File>,
    /// In the log, the last of each.
    wal: HashMap<u32, &'a [u8]>,
    bytes: usize,
}

/// Looks through a database file and its log and calls `found` with the bytes of every row's last column that is a record or
/// was one: with a wrong checksum too. Files that are not there hold nothing.
///
/// # Errors
/// If a file cannot be read, or what `found` says.
pub fn carve<E: From<io::Error>>(
    database: Option<&Path>,
    log: &Path,
    mut found: impl FnMut(&[u8], Result<Record<'_>, RecordError>) -> Result<(), E>,
) -> Result<(), E> {
    let file = database.map(open).transpose()?.flatten();
    let wal = if log.exists() { std::fs::read(log)? } else { Vec::new() };
    let bytes = page_bytes(file.as_ref(), &wal);
    let frames = || wal.get(WAL_HEAD_BYTES..).unwrap_or_default().chunks_exact(WAL_FRAME_HEAD_BYTES + bytes);
    let number = |frame: &[u8]| u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    let pages = Pages {
        file: file.as_ref(),
        wal: frames().map(|frame| (number(frame), &frame[WAL_FRAME_HEAD_BYTES..])).collect(),
        bytes,
    };
    let mut page = vec![0; bytes];
    let mut at = 0;
    while let Some(file) = &file {
        let got = read_up_to(file, &mut page, at)?;
        rows(&page[..got], &pages, &mut found)?;
        if got < bytes {
            break;
        }
        at += bytes as u64;
    }
    for frame in frames() {
        rows(&frame[WAL_FRAME_HEAD_BYTES..], &pages, &mut found)?;
    }
    // A log that was cut in the middle of a frame.
    let whole = frames().len() * (WAL_FRAME_HEAD_BYTES + bytes) + WAL_HEAD_BYTES;
    rows(wal.get(whole + WAL_FRAME_HEAD_BYTES..).unwrap_or_default(), &pages, &mut found)
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn page_bytes(file: Option<&File>, wal: &[u8]) -> usize {
    let mut head = [0; 18];
    let in_file = file.and_then(|file| file.read_exact_at(&mut head, 0).ok()).map(|()| {
        match u16::from_be_bytes([head[16], head[17]]) {
            1 => 65_536,
            bytes => usize::from(bytes),
        }
    });
    let in_wal = wal.get(8..12).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize);
    let sensible = |bytes: &usize| bytes.is_power_of_two() && (512..=65_536).contains(bytes);
    in_file.filter(sensible).or(in_wal.filter(sensible)).unwrap_or(PAGE_BYTES)
}

fn read_up_to(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < into.len() {
        match file.read_at(&mut into[got..], at + got as u64) {
            Ok(0) => break,
            Ok(bytes) => got += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

fn rows<E>(
    page: &[u8],
    pages: &Pages<'_>,
    found: &mut impl FnMut(&[u8], Result<Record<'_>, RecordError>) -> Result<(), E>,
) -> Result<(), E> {
    let mut at = 0;
    while at < page.len() {
        match row(&page[at..], pages) {
            Some((record, bytes_here)) => {
                let opened = Record::open(&record);
                // Behind a whole one the next cannot begin earlier.
                let step = if opened.is_ok() { bytes_here } else { 1 };
                found(&record, opened)?;
                at += step;
            }
            None => at += 1,
        }
    }
    Ok(())
}

/// The last column of the row that begins here, if one does, and how many of the page's bytes the row takes.
fn row(bytes: &[u8], pages: &Pages<'_>) -> Option<(Vec<u8>, usize)> {
    let (payload_bytes, after_size) = varint(bytes)?;
    let payload_bytes = usize::try_from(payload_bytes).ok()?;
    if !(ROW_EXTRA_BYTES / 2..=RECORD_BYTES_MAX + ROW_EXTRA_BYTES).contains(&payload_bytes) {
        return None;
    }
    let (_id, after_id) = varint(bytes.get(after_size..)?)?;
    let start = after_size + after_id;
    let here = bytes.get(start..)?;
    let (head_bytes, mut at) = varint(here)?;
    let head_bytes = usize::try_from(head_bytes).ok()?;
    if head_bytes > ROW_EXTRA_BYTES {
        return None;
    }
    let (mut before, mut last) = (0, 0);
    for column in 0..COLUMNS {
        let (kind, bytes) = varint(here.get(at..)?)?;
        at += bytes;
        let size = column_bytes(kind)?;
        if column + 1 < COLUMNS {
            // All the others are numbers, the first of them the row's own.
            if kind > 9 || (column == 0) != (kind == 0) {
                return None;
            }
            before += size;
        } else if kind >= 12 && kind % 2 == 0 {
            last = size;
        } else {
            return None;
        }
    }
    if at != head_bytes || head_bytes + before + last != payload_bytes {
        return None;
    }
    let local = local_bytes(payload_bytes, pages.bytes);
    let mut payload = here.get(..local)?.to_vec();
    // Looks like a record, before more is read.
    if !matches!(payload.get(head_bytes + before..)?, [2, 1..=3, ..]) {
        return None;
    }
    let mut taken = start + local;
    if local < payload_bytes {
        let next = here.get(local..local + 4)?;
        taken += 4;
        follow(u32::from_be_bytes([next[0], next[1], next[2], next[3]]), payload_bytes, pages, &mut payload);
    }
    Some((payload.get(head_bytes + before..)?.to_vec(), taken))
}

/// Reads on in the pages that a row overflows into, as far as they are there.
fn follow(mut next: u32, payload_bytes: usize, pages: &Pages<'_>, payload: &mut Vec<u8>) {
    let mut page = vec![0; pages.bytes];
    while payload.len() < payload_bytes && next > 0 {
        match pages.wal.get(&next) {
            Some(in_wal) => page.copy_from_slice(in_wal),
            None => {
                let at = u64::from(next - 1) * pages.bytes as u64;
                let Some(file) = pages.file else { return };
                if file.read_exact_at(&mut page, at).is_err() {
                    return;
                }
            }
        }
        next = u32::from_be_bytes([page[0], page[1], page[2], page[3]]);
        let wanted = (payload_bytes - payload.len()).min(pages.bytes - 4);
        payload.extend_from_slice(&page[4..4 + wanted]);
    }
}

/// How much of a row's payload is on its own page: SQLite's file format, "B-tree Cell Format".
const fn local_bytes(payload: usize, page: usize) -> usize {
    let most = page - 35;
    if payload <= most {
        return payload;
    }
    let least = (page - 12) * 32 / 255 - 23;
    let rest = least + (payload - least) % (page - 4);
    if rest <= most { rest } else { least }
}

fn column_bytes(kind: u64) -> Option<usize> {
    match kind {
        0 | 8 | 9 => Some(0),
        1..=4 => usize::try_from(kind).ok(),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => usize::try_from((kind - 12) / 2).ok().filter(|bytes| *bytes <= RECORD_BYTES_MAX),
    }
}

/// A number as SQLite writes it, and how many bytes it takes.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some(((value << 8) | u64::from(*byte), 9));
        }
        value = (value << 7) | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}
