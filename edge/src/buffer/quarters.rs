//! In which quarter of an hour each seq was accepted, until central has been told. Records say so themselves; this is
//! for the ones that never arrive.
//!
//! A mark says at which seq a quarter began, so that between two marks lies a range. There is one for every quarter in
//! which the process ran, also if nothing came in. The file beside it is written anew when a quarter begins, without fsync,
//! as the head file is: it survives a killed process, and after a power cut the last quarter may not be told from the one
//! before.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use common::ids::Epoch;
use common::protocol::{EpochReport, QUARTERS_MAX, QuarterMark};
use common::quarter::Quarter;
use tracing::warn;
use uuid::Uuid;

/// Marks kept: forty days without central, longer than an event may be old. Beyond it the oldest are dropped, and
/// central counts their seqs to a neighbour.
const MARKS_MAX: usize = 4_000;
const ENTRY_BYTES: usize = 16 + 4 + 8;
const CRC_BYTES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    quarter: Quarter,
    /// The first seq that was given out in it, if any was.
    first: u64,
}

/// The marks of all epochs that central has not been told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarters(BTreeMap<Epoch, VecDeque<Mark>>);

impl Quarters {
    /// Notes that `quarter` has begun, where `next` is the seq that comes next. False if it had before.
    pub fn begin(&mut self, epoch: Epoch, quarter: Quarter, next: u64) -> bool {
        let marks = self.0.entry(epoch).or_default();
        if marks.back().is_some_and(|mark| mark.quarter >= quarter) {
            return false;
        }
        marks.push_back(Mark { quarter, first: next });
        if self.0.values().map(VecDeque::len).sum::<usize>() > MARKS_MAX {
            let oldest = self.0.values_mut().filter(|marks| marks.len() > 1).min_by_key(|marks| marks[0].quarter);
            oldest.and_then(VecDeque::pop_front);
        }
        true
    }

    /// Forgets epochs that nobody will be told of.
    pub fn keep_only(&mut self, wanted: impl Fn(Epoch) -> bool) {
        self.0.retain(|epoch, _| wanted(*epoch));
    }

    /// Puts into the reports what central has not been told, as much as fits.
    pub fn report(&self, reports: &mut [EpochReport]) {
        let mut room = QUARTERS_MAX;
        for report in reports {
            report.quarters = self.ranges(report.epoch, report.head).take(room).collect();
            room -= report.quarters.len();
        }
    }

    fn ranges(&self, epoch: Epoch, head: u64) -> impl Iterator<Item = QuarterMark> {
        let marks = self.0.get(&epoch);
        marks.into_iter().flat_map(move |marks| {
            let ends = marks.iter().skip(1).map(|next| next.first - 1).chain([head]);
            // What was marked but not stored is not the epoch's.
            let range = move |(mark, end): (&Mark, u64)| QuarterMark {
                quarter: mark.quarter,
                first: mark.first.min(head.saturating_add(1)),
                last: end.min(head),
            };
            marks.iter().zip(ends).map(range)
        })
    }

    /// Central has noted these reports. True if there is more to tell.
    pub fn told(&mut self, reports: &[EpochReport]) -> bool {
        for report in reports {
            let Some(last) = report.quarters.last() else { continue };
            let Some(marks) = self.0.get_mut(&report.epoch) else { continue };
            // The current epoch's last one goes on.
            marks.retain(|mark| mark.quarter > last.quarter || (report.current && mark.quarter == last.quarter));
            if marks.is_empty() {
                self.0.remove(&report.epoch);
            }
        }
        reports.iter().any(|report| {
            let left = self.0.get(&report.epoch).map_or(0, VecDeque::len);
            left > usize::from(report.current)
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (epoch, marks) in &self.0 {
            for mark in marks {
                bytes.extend_from_slice(epoch.uuid().as_bytes());
                bytes.extend_from_slice(&mark.quarter.number().to_le_bytes());
                bytes.extend_from_slice(&mark.first.to_le_bytes());
            }
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not whole.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
        if crc != crc32c::crc32c(body).to_le_bytes() {
            return None;
        }
        let mut quarters = Self::default();
        for entry in body.chunks(ENTRY_BYTES) {
            let epoch = Epoch::from_uuid(Uuid::from_slice(entry.get(..16)?).ok()?);
            let quarter = Quarter::from_number(u32::from_le_bytes(entry.get(16..20)?.try_into().ok()?));
            let first = u64::from_le_bytes(entry.get(20..28)?.try_into().ok()?);
            let marks = quarters.0.entry(epoch).or_default();
            // Only what `begin` could have written.
            if first == 0 || marks.back().is_some_and(|b| b.quarter >= quarter || b.first > first) {
                return None;
            }
            marks.push_back(Mark { quarter, first });
        }
        Some(quarters)
    }
}

/// Where the marks are kept.
pub struct QuartersFile(PathBuf);

impl QuartersFile {
    /// What the last run left of the epochs in `past`; nothing if the file is not whole.
    ///
    /// # Errors
    /// If there is a file that cannot be read.
    pub fn open(path: &Path, past: &HashMap<Epoch, u64>) -> io::Result<(Self, Quarters)> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Quarters::default().to_bytes(),
            Err(error) => return Err(error),
        };
        let mut quarters = Quarters::from_bytes(&bytes).unwrap_or_else(|| {
            warn!("The file of quarters was not whole; what is missing of earlier runs is counted to a time nearby");
            Quarters::default()
        });
        quarters.keep_only(|epoch| past.contains_key(&epoch));
        Ok((Self(path.to_owned()), quarters))
    }

    /// Writes all marks, in one piece or not at all.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn write(&self, quarters: &Quarters) -> io::Result<()> {
        let new = self.0.with_extension("new");
        fs::write(&new, quarters.to_bytes())?;
        fs::rename(new, &self.0)
    }
}

#[cfg(test)]
mod tests;
