//! The forwarder's side of the buffer: two lanes to take batches from, each remembering what it has handed out so that
//! nothing is on its way twice.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use common::protocol::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX};
use common::record;
use tokio::sync::watch;
use tracing::warn;

use super::account::{Account, Place};
use super::redis::{Connected, Live, LiveConfig, LiveError};
use super::spill::{Spill, SpillError};
use super::{LiveState, lock};

/// Where a batch came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    Live,
    Backlog,
}

impl Lane {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Backlog => "backlog",
        }
    }
}

/// Where one record is in its store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Id {
    Entry(String),
    Row(i64),
}

/// Records taken for sending. They stay in the store until they are forgotten.
#[derive(Debug)]
pub struct Taken {
    pub lane: Lane,
    ids: Vec<Id>,
    /// The records' bytes, in the order of the ids.
    pub records: Vec<Vec<u8>>,
    places: Vec<Place>,
}

impl Taken {
    fn new(lane: Lane) -> Self {
        Self { lane, ids: Vec::new(), records: Vec::new(), places: Vec::new() }
    }

    fn push(&mut self, id: Id, record: Vec<u8>) {
        // Bytes that are no record have no place; nil with seq 0 is in no account.
        let (epoch, seq) = record::place(&record).unwrap_or((common::ids::Epoch::from_uuid(uuid::Uuid::nil()), 0));
        self.places.push(Place { epoch, seq, bytes: record.len() as u64 });
        self.ids.push(id);
        self.records.push(record);
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Splits off the second half, for a batch that was too large.
    pub fn split_half(&mut self) -> Self {
        let at = self.len() / 2;
        Self {
            lane: self.lane,
            ids: self.ids.split_off(at),
            records: self.records.split_off(at),
            places: self.places.split_off(at),
        }
    }

    /// Takes out, one by one, the records that `damage` finds something wrong with.
    pub fn split_off_damaged<E>(&mut self, damage: impl Fn(&[u8]) -> Option<E>) -> Vec<(Self, E)> {
        let found: Vec<(usize, E)> =
            self.records.iter().enumerate().filter_map(|(at, bytes)| damage(bytes).map(|error| (at, error))).collect();
        let mut damaged = Vec::new();
        for (at, error) in found.into_iter().rev() {
            let one = Self {
                lane: self.lane,
                ids: vec![self.ids.remove(at)],
                records: vec![self.records.remove(at)],
                places: vec![self.places.remove(at)],
            };
            damaged.push((one, error));
        }
        damaged
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.places.iter().copied()
    }

    pub(super) fn into_live_ids(self) -> impl Iterator<Item = (String, Place)> {
        self.ids.into_iter().zip(self.places).filter_map(|(id, place)| match id {
            Id::Entry(id) => Some((id, place)),
            Id::Row(_) => None,
        })
    }

    /// Rows are taken in a row and added only at the end, so first and last enclose just these.
    pub(super) fn row_range(&self) -> Option<(i64, i64)> {
        match (self.ids.first(), self.ids.last()) {
            (Some(Id::Row(first)), Some(Id::Row(last))) => Some((*first, *last)),
            _ => None,
        }
    }
}

/// Both lanes. Owned by the forwarder alone.
pub struct Lanes {
    spill: Spill,
    live_config: Option<LiveConfig>,
    live_state: watch::Receiver<LiveState>,
    account: Arc<Mutex<Account>>,
    /// A connection of its own: what it reads must not wait for what the appender writes.
    live: Option<Live>,
    /// Live entries handed out and not given back.
    live_out: HashSet<String>,
    /// Read from Redis but over the size of a batch; first in the next one.
    live_left: Vec<super::redis::Entry>,
    /// The last row handed out.
    backlog_after: i64,
    backlog_out: u64,
}

impl Lanes {
    pub(super) fn new(
        spill: Spill,
        live_config: Option<LiveConfig>,
        live_state: watch::Receiver<LiveState>,
        account: Arc<Mutex<Account>>,
    ) -> Self {
        Self {
            spill,
            live_config,
            live_state,
            account,
            live: None,
            live_out: HashSet::new(),
            live_left: Vec::new(),
            backlog_after: 0,
            backlog_out: 0,
        }
    }

    /// Whether a lane has records that nobody is sending, as far as is counted.
    pub fn has(&self, lane: Lane) -> bool {
        let account = lock(&self.account);
        match lane {
            Lane::Live => account.live.records > self.live_out.len() as u64,
            Lane::Backlog => account.backlog.records > self.backlog_out,
        }
    }

    /// The next batch of a lane, empty if there is nothing to be had from it now.
    ///
    /// # Errors
    /// If the spill is gone.
    pub async fn take(&mut self, lane: Lane) -> Result<Taken, SpillError> {
        match lane {
            Lane::Live => Ok(self.take_live().await),
            Lane::Backlog => self.take_backlog().await,
        }
    }

    /// The batch is done with: central has it and the store has been told.
    pub fn give_back(&mut self, done: &Done) {
        match done.lane {
            Lane::Live => {
                for id in &done.entries {
                    self.live_out.remove(id);
                }
            }
            Lane::Backlog => self.backlog_out = self.backlog_out.saturating_sub(done.rows),
        }
    }

    async fn take_backlog(&mut self) -> Result<Taken, SpillError> {
        let mut taken = Taken::new(Lane::Backlog);
        for row in self.spill.read(self.backlog_after, BATCH_RECORDS_MAX, BATCH_BYTES_MAX).await? {
            self.backlog_after = row.id;
            self.backlog_out += 1;
            taken.push(Id::Row(row.id), row.record);
        }
        Ok(taken)
    }

    async fn take_live(&mut self) -> Taken {
        match self.try_take_live().await {
            Ok(taken) => taken,
            Err(error) => {
                warn!("Failed to read the stream: {error}");
                // What the group had already given us is asked for again after the next rewind.
                self.live = None;
                self.live_left.clear();
                Taken::new(Lane::Live)
            }
        }
    }

    async fn try_take_live(&mut self) -> Result<Taken, LiveError> {
        let mut taken = Taken::new(Lane::Live);
        let Some(config) = &self.live_config else { return Ok(taken) };
        if !matches!(*self.live_state.borrow(), LiveState::Ready { .. }) {
            // The breaker is open; begin again from the first entry when it closes.
            self.live = None;
            self.live_left.clear();
            return Ok(taken);
        }
        if self.live.is_none() {
            let (Connected::Durable(mut live) | Connected::Weak(mut live, _)) = Live::connect(config).await?;
            live.rewind().await?;
            self.live = Some(live);
        }
        let Some(live) = &mut self.live else { return Ok(taken) };
        let mut bytes = 0;
        let mut entries = std::mem::take(&mut self.live_left);
        if entries.is_empty() {
            entries = live.read(BATCH_RECORDS_MAX).await?;
        }
        if entries.is_empty() && lock(&self.account).live.records > self.live_out.len() as u64 {
            // The group has gone past entries that nobody is sending: an answer was lost, or a delete.
            live.rewind().await?;
            entries = live.read(BATCH_RECORDS_MAX + self.live_out.len()).await?;
        }
        for entry in entries {
            if bytes >= BATCH_BYTES_MAX || taken.len() >= BATCH_RECORDS_MAX {
                self.live_left.push(entry);
            } else if self.live_out.insert(entry.id.clone()) {
                bytes += entry.record.len();
                taken.push(Id::Entry(entry.id), entry.record);
            }
        }
        Ok(taken)
    }
}

/// What a batch had out, once its records are gone from the store.
#[derive(Debug)]
pub struct Done {
    lane: Lane,
    entries: Vec<String>,
    rows: u64,
}

impl Done {
    pub const fn lane(&self) -> Lane {
        self.lane
    }
}

impl Taken {
    /// For [`Lanes::give_back`] once this batch is finished.
    pub fn done(&self) -> Done {
        let entries = self.ids.iter().filter_map(|id| match id {
            Id::Entry(id) => Some(id.clone()),
            Id::Row(_) => None,
        });
        Done { lane: self.lane, entries: entries.collect(), rows: self.len() as u64 }
    }
}
