//! Storing again frames that are still in the stream. The same code stores them as ever, so doing it twice changes nothing.

use anyhow::{Context as _, bail};
use common::ids::WarehouseId;

use super::open::{Unpacked, items, unpack};
use super::work::Work;
use crate::frame::{Fate, Frame};
use crate::store::Db;
use crate::store::batch::{self, Known, WriteError};

/// What became of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub frames: u64,
    pub records: u64,
    pub stored: u64,
    pub duplicates: u64,
    pub dead: u64,
    /// Frames whose bytes are not what they were.
    pub damaged: u64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.frames += other.frames;
        self.records += other.records;
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.dead += other.dead;
        self.damaged += other.damaged;
    }
}

/// Stores frames, those of `site` if one is given. Without `really` only counts what there is.
///
/// # Errors
/// If Postgres cannot take them now; what was stored before stays.
pub async fn frames(db: &Db, frames: &[Frame], site: Option<WarehouseId>, really: bool) -> anyhow::Result<Counts> {
    let frames: Vec<&Frame> =
        frames.iter().filter(|frame| site.is_none_or(|site| site == frame.warehouse_id)).collect();
    let unpacked: Vec<Unpacked> = frames.iter().map(|frame| unpack(frame)).collect();
    let all = frames.iter().zip(&unpacked).enumerate().flat_map(|(i, (frame, unpacked))| items(i, frame, unpacked));
    let mut work = Work::new(all.collect());
    let mut counts = Counts { frames: frames.len() as u64, ..Counts::default() };
    counts.damaged = unpacked.iter().filter(|unpacked| matches!(unpacked, Unpacked::Damaged)).count() as u64;
    if !really {
        counts.records = frames.iter().map(|frame| u64::from(frame.records)).sum();
        return Ok(counts);
    }
    let mut connection = db.connect().await?;
    let mut known = Known::default();
    while let Some(next) = work.next() {
        match batch::write(&mut connection, next, &mut known).await {
            Ok(written) => work.done(written.fates),
            Err(WriteError::Data(reason)) => {
                if work.refused(reason.clone()).is_err() {
                    bail!("Postgres refuses even a dead letter, which is a fault of ours: {reason}");
                }
            }
            Err(error) => return Err(error).context("store what is in the stream; run the same command again"),
        }
    }
    for (_, fate) in work.finish() {
        counts.records += 1;
        match fate {
            Fate::Stored => counts.stored += 1,
            Fate::Duplicate => counts.duplicates += 1,
            Fate::Dead(_) => counts.dead += 1,
        }
    }
    Ok(counts)
}
