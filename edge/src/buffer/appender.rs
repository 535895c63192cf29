//! The one task that writes to the buffer.
//!
//! A turn takes what waits: first it forgets what central has confirmed, then it appends all waiting events as one
//! group, to Redis if that is ready and has room, else to SQLite. Seqs are given out here, and only here.
//!
//! What if Redis does not answer in time? The group may or may not be in its stream. The same records, seqs and all, go
//! to SQLite then; whatever arrives twice at central collapses there. Only if SQLite cannot take them either, and the
//! camera is told so, is it unknown whether those seqs will ever arrive: then a new epoch begins, and the old one's
//! head stays where it certainly was.
//!
//! Every record says when it was accepted, and in an epoch that never goes back, so that the seqs of an hour are one range. A
//! clock that is set back begins a new epoch.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::clock;
use common::ids::Epoch;
use common::lifecycle::LifeSign;
use common::quarter::Quarter;
use common::record::Record;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::account::{Account, Place};
use super::head::HeadFile;
use super::lanes::{Lane, Taken};
use super::quarters::QuartersFile;
use super::redis::{Appended, Live, LiveError};
use super::spill::{Spill, SpillError};
use super::{AppendError, Candidate, Key, Known, LiveState, Probe, Stored, Verdict, lock};

/// Events in a group, at most: what Redis takes in a few milliseconds, and Lua can unpack at once.
const GROUP_EVENTS_MAX: usize = 1_000;
/// Bytes of payloads in a group, at most: what Redis takes well within its time budget even on a slow disk.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Confirmed entries that could not be deleted because Redis was gone; the stream is no longer than this by default,
/// and what is dropped from the list is only sent once more.
const UNFORGOTTEN_MAX: usize = 20_000;
/// How often the appender turns though nobody wants anything.
const IDLE: Duration = Duration::from_secs(5);
/// A clock that steps back by less is waited for; time daemons slew, and step only by more.
const CLOCK_BACK_MS_MAX: i64 = 60_000;

type AppendReply = oneshot::Sender<Result<Vec<Verdict>, AppendError>>;

/// What can be asked of the appender.
pub enum Request {
    Append { candidates: Vec<Candidate>, reply: AppendReply },
    Forget { taken: Taken, reply: oneshot::Sender<()> },
    Probe { reply: oneshot::Sender<()> },
}

/// Everything that waited when a turn began.
#[derive(Default)]
struct Turn {
    appends: Vec<(Vec<Candidate>, AppendReply)>,
    events: usize,
    bytes: usize,
    forgets: Vec<(Taken, oneshot::Sender<()>)>,
    probes: Vec<oneshot::Sender<()>>,
}

impl Turn {
    /// Gives the request back if it would make the group too large.
    fn add(&mut self, request: Request) -> Option<Request> {
        match request {
            Request::Append { candidates, reply } => {
                let bytes: usize = candidates.iter().map(|candidate| candidate.payload.len()).sum();
                let too_large =
                    self.events + candidates.len() > GROUP_EVENTS_MAX || self.bytes + bytes > GROUP_BYTES_MAX;
                if self.events > 0 && too_large {
                    return Some(Request::Append { candidates, reply });
                }
                self.events += candidates.len();
                self.bytes += bytes;
                self.appends.push((candidates, reply));
            }
            Request::Forget { taken, reply } => self.forgets.push((taken, reply)),
            Request::Probe { reply } => self.probes.push(reply),
        }
        None
    }
}

/// The appender's state. See the module.
pub struct Appender {
    // What it works on.
    pub account: Arc<Mutex<Account>>,
    pub spill: Spill,
    pub head_file: HeadFile,
    pub quarters_file: QuartersFile,
    /// When what is appended now is accepted, in milliseconds since 1970.
    pub accepted_ms: i64,
    /// `None` while Redis is not to be used.
    pub live: Option<Live>,
    /// Entries that central has confirmed and Redis could not delete yet.
    pub unforgotten: Vec<(String, Place)>,
    /// Whether SQLite remembers any keys, so that it need not be asked in vain.
    pub spill_has_keys: bool,

    // Whom it tells.
    pub filled: Arc<Notify>,
    /// Wakes the connector.
    pub wanted: Arc<Notify>,
    pub live_state: Arc<watch::Sender<LiveState>>,
    pub probe: watch::Sender<Probe>,
    /// Shown at each turn; whoever waits for one of the stores does not turn.
    pub sign: LifeSign,

    // Configuration.
    pub stream_max_length: u64,
    pub accept_weak: bool,
}

impl Appender {
    /// Runs until all that was asked before `stop` is done.
    ///
    /// # Errors
    /// If the spill has failed: the process must restart.
    pub async fn run(
        mut self,
        last_run: Option<(Epoch, u64)>,
        mut requests: mpsc::Receiver<Request>,
        mut connected: mpsc::Receiver<Live>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        if let Some((epoch, head)) = last_run.filter(|(_, head)| *head > 0) {
            self.spill.note_epoch(epoch, head).await?;
        }
        let mut carried = None;
        loop {
            self.sign.show();
            let first = match carried.take() {
                Some(request) => request,
                None => tokio::select! {
                    // Work.
                    request = requests.recv() => match request {
                        Some(request) => request,
                        // All handles are gone, so all others have stopped: our turn comes.
                        None => {
                            stop.cancelled().await;
                            return Ok(());
                        }
                    },
                    // Nobody wants anything.
                    () = tokio::time::sleep(IDLE) => continue,
                    // A fresh connection to Redis.
                    Some(live) = connected.recv() => {
                        self.adopt(live).await;
                        continue;
                    }
                    // Take nothing new, but finish what waits.
                    () = stop.cancelled(), if !requests.is_closed() => {
                        requests.close();
                        continue;
                    }
                },
            };
            let mut turn = Turn::default();
            carried = turn.add(first);
            while carried.is_none() && turn.events < GROUP_EVENTS_MAX {
                let Ok(request) = requests.try_recv() else { break };
                carried = turn.add(request);
            }
            self.take_turn(turn).await?;
        }
    }

    async fn take_turn(&mut self, turn: Turn) -> anyhow::Result<()> {
        let mut forgotten = Vec::new();
        for (taken, reply) in turn.forgets {
            match taken.lane {
                Lane::Live => self.unforgotten.extend(taken.into_live_ids()),
                Lane::Backlog => self.forget_backlog(&taken).await?,
            }
            forgotten.push(reply);
        }
        self.forget_live().await;
        for reply in forgotten {
            reply.send(()).ok();
        }
        if !turn.appends.is_empty() {
            let (groups, replies): (Vec<_>, Vec<_>) = turn.appends.into_iter().unzip();
            let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
            let candidates: Vec<Candidate> = groups.into_iter().flatten().collect();
            let result = self.append(&candidates).await?;
            let mut from = 0;
            for (reply, size) in replies.into_iter().zip(sizes) {
                let verdicts = result.as_ref().map(|all| all[from..from + size].to_vec()).map_err(Clone::clone);
                from += size;
                // A camera that has hung up will ask again.
                drop(reply.send(verdicts));
            }
        }
        if !turn.probes.is_empty() {
            self.look().await?;
            for reply in turn.probes {
                reply.send(()).ok();
            }
        }
        Ok(())
    }

    /// The outer error ends the process; the inner one is the cameras' answer.
    async fn append(&mut self, candidates: &[Candidate]) -> Result<Result<Vec<Verdict>, AppendError>, SpillError> {
        self.stamp().await?;
        let mut group = Group::new(candidates);
        if self.spill_has_keys {
            let known = self.spill.known(group.fresh_keys()).await?;
            group.mark(&known);
        }
        let unsure = match self.append_live(&mut group).await {
            LiveTry::Done => return Ok(Ok(group.verdicts())),
            LiveTry::NotTaken => false,
            LiveTry::Unsure => true,
        };
        self.append_backlog(&group, unsure).await
    }

    /// Appends what is fresh to Redis if it is ready and has room, and takes out what Redis knows already.
    async fn append_live(&mut self, group: &mut Group<'_>) -> LiveTry {
        // Known ones go out after the first round; a second finds more only if somebody else writes keys into our
        // Redis, and then SQLite is the place where nobody does.
        for _ in 0..2 {
            let records = self.assign(group);
            if records.is_empty() {
                return LiveTry::Done;
            }
            let room = self.stream_max_length.saturating_sub(lock(&self.account).live.records);
            let Some(live) = &mut self.live else { return LiveTry::NotTaken };
            if room < records.len() as u64 {
                return self.ask_live(group).await;
            }
            match live.append(&records).await {
                Ok(Appended::Yes { stream_len }) => {
                    self.note_live(&records, stream_len).await;
                    return LiveTry::Done;
                }
                Ok(Appended::No { known }) => group.mark(&known),
                Err(error) => {
                    self.trip(&error);
                    return LiveTry::Unsure;
                }
            }
        }
        LiveTry::NotTaken
    }

    /// The stream is full: Redis is only asked what it knows.
    async fn ask_live(&mut self, group: &mut Group<'_>) -> LiveTry {
        let Some(live) = &mut self.live else { return LiveTry::NotTaken };
        match live.known(&group.fresh_keys()).await {
            Ok(known) => group.mark(&known),
            Err(error) => self.trip(&error),
        }
        LiveTry::NotTaken
    }

    async fn append_backlog(
        &mut self,
        group: &Group<'_>,
        unsure: bool,
    ) -> Result<Result<Vec<Verdict>, AppendError>, SpillError> {
        let records = self.assign(group);
        if records.is_empty() {
            return Ok(Ok(group.verdicts()));
        }
        // With Redis at hand the keys go there, after the records are safe: a record without its key is harmless.
        let with_keys = self.live.is_none();
        let run = records.first().zip(records.last()).map(|(a, b)| (a.place.epoch, a.place.seq..=b.place.seq));
        let bytes = records.iter().map(|r| r.place.bytes).sum();
        let keys = if with_keys { Vec::new() } else { keys_only(&records) };
        match self.spill.append(records, with_keys, clock::now()).await {
            Ok(()) => {
                self.spill_has_keys |= with_keys;
                if let Some((epoch, seqs)) = run {
                    let mut account = lock(&self.account);
                    account.advance(seqs.end() - seqs.start() + 1);
                    account.backlog.add_run(epoch, seqs, bytes);
                }
                self.note_head();
                self.filled.notify_one();
                if let Some(live) = &mut self.live
                    && let Err(error) = live.remember(&keys).await
                {
                    self.trip(&error);
                }
                Ok(Ok(group.verdicts()))
            }
            Err(SpillError::Full(reason)) => {
                if unsure {
                    self.begin_epoch("it is not known whether the last group was stored").await?;
                }
                Ok(Err(AppendError::Full(reason)))
            }
            Err(SpillError::Dead) => Err(SpillError::Dead),
        }
    }

    /// Writes the records of a group's fresh candidates, with the seqs that come next. Nothing is given out yet.
    fn assign(&self, group: &Group<'_>) -> Vec<Stored> {
        let (epoch, head) = {
            let account = lock(&self.account);
            (account.epoch(), account.head())
        };
        group
            .fresh()
            .zip(head + 1..)
            .map(|(candidate, seq)| {
                let bytes = Record {
                    kind: candidate.kind,
                    epoch,
                    seq,
                    accepted_ms: self.accepted_ms,
                    payload: &candidate.payload,
                }
                .write();
                let place = Place { epoch, seq, bytes: bytes.len() as u64 };
                Stored { key: candidate.key, hash: candidate.hash, place, bytes }
            })
            .collect()
    }

    async fn note_live(&mut self, records: &[Stored], stream_len: u64) {
        let counted = {
            let mut account = lock(&self.account);
            account.advance(records.len() as u64);
            if let (Some(first), Some(last)) = (records.first(), records.last()) {
                let bytes = records.iter().map(|r| r.place.bytes).sum();
                account.live.add_run(first.place.epoch, first.place.seq..=last.place.seq, bytes);
            }
            account.live.records
        };
        self.note_head();
        self.filled.notify_one();
        self.compare(counted, stream_len).await;
    }

    fn note_head(&self) {
        let (epoch, head) = {
            let account = lock(&self.account);
            (account.epoch(), account.head())
        };
        if let Err(error) = self.head_file.write(epoch, head) {
            // Only needed after a crash; the heartbeat says the same.
            warn!("Failed to write the head file: {error}");
        }
    }

    /// Sets the time at which what comes now is accepted, and notes the quarter if it is a new one.
    async fn stamp(&mut self) -> Result<(), SpillError> {
        let now = clock::now().timestamp_millis();
        if now < self.accepted_ms.saturating_sub(CLOCK_BACK_MS_MAX) {
            self.begin_epoch("the clock was set back").await?;
            self.accepted_ms = now;
        }
        self.accepted_ms = self.accepted_ms.max(now);
        let quarter = Quarter::of_ms(self.accepted_ms);
        let begun = {
            let mut account = lock(&self.account);
            let (epoch, next) = (account.epoch(), account.head() + 1);
            account.quarters.begin(epoch, quarter, next).then(|| account.quarters.clone())
        };
        if let Some(quarters) = begun
            && let Err(error) = self.quarters_file.write(&quarters)
        {
            // Only needed after a crash; the heartbeat says the same.
            warn!("Failed to write the file of quarters: {error}");
        }
        Ok(())
    }

    /// When the group may turn up in Redis yet though its cameras were told it was not taken, or when time would go back.
    async fn begin_epoch(&mut self, reason: &str) -> Result<(), SpillError> {
        let (old, head) = lock(&self.account).roll(Epoch::random());
        info!(epoch = %old, head, "Began a new epoch: {reason}");
        if head > 0 {
            self.spill.note_epoch(old, head).await?;
        }
        self.note_head();
        Ok(())
    }

    async fn forget_backlog(&mut self, taken: &Taken) -> Result<(), SpillError> {
        if let Some((first, last)) = taken.row_range() {
            self.spill.forget(first, last).await?;
        }
        let mut account = lock(&self.account);
        taken.places().for_each(|place| account.backlog.remove(place));
        Ok(())
    }

    async fn forget_live(&mut self) {
        if self.unforgotten.is_empty() {
            return;
        }
        let surplus = self.unforgotten.len().saturating_sub(UNFORGOTTEN_MAX);
        self.unforgotten.drain(..surplus);
        let Some(live) = &mut self.live else { return };
        let ids: Vec<String> = self.unforgotten.iter().map(|(id, _)| id.clone()).collect();
        match live.forget(&ids).await {
            Ok(stream_len) => {
                let counted = {
                    let mut account = lock(&self.account);
                    self.unforgotten.drain(..).for_each(|(_, place)| account.live.remove(place));
                    account.live.records
                };
                self.compare(counted, stream_len).await;
            }
            Err(error) => self.trip(&error),
        }
    }

    /// We alone write to the stream, so its length must be what we counted.
    async fn compare(&mut self, counted: u64, stream_len: u64) {
        if counted == stream_len {
            return;
        }
        warn!(counted, stream_len, "The stream is not as long as counted; looking at what is in it");
        self.recount().await;
    }

    async fn recount(&mut self) {
        let Some(live) = &mut self.live else { return };
        match live.scan().await {
            Ok(held) => {
                lock(&self.account).live_seen(held, self.unforgotten.len() as u64);
                self.filled.notify_one();
            }
            Err(error) => self.trip(&error),
        }
    }

    /// Takes a new connection into use.
    async fn adopt(&mut self, live: Live) {
        self.live = Some(live);
        self.recount().await;
        self.forget_live().await;
    }

    /// The circuit breaker: Redis is not used again until the connector has found it well.
    fn trip(&mut self, error: &LiveError) {
        warn!("Stopped using Redis: {error}");
        self.live = None;
        self.live_state.send_replace(LiveState::Down { reason: error.to_string(), since: clock::now() });
        self.wanted.notify_one();
    }

    /// Looks at both stores and publishes what it found.
    async fn look(&mut self) -> Result<(), SpillError> {
        // A quarter in which nothing comes in is one in which we ran.
        self.stamp().await?;
        let now = clock::now();
        let mut probe = Probe { spill: self.spill.stats(now).await?, ..Probe::default() };
        self.spill_has_keys = probe.spill.keys > 0;
        if let Some(live) = &mut self.live {
            let looked = async {
                let weakness = live.weakness().await?;
                probe.live_oldest_ms = live.oldest_ms().await?;
                probe.live_keys = live.rotate_keys(now.timestamp().unsigned_abs()).await?;
                Ok::<_, LiveError>((weakness, live.len().await?))
            };
            match looked.await {
                Ok((Some(reason), _)) if !self.accept_weak => {
                    error!("Redis is no longer durable ({reason}); everything goes to SQLite until it is");
                    self.live = None;
                    self.live_state.send_replace(LiveState::Weak { reason });
                    self.wanted.notify_one();
                }
                Ok((weak, stream_len)) => {
                    self.live_state.send_replace(LiveState::Ready { weak });
                    let counted = lock(&self.account).live.records;
                    self.compare(counted, stream_len).await;
                }
                Err(error) => self.trip(&error),
            }
        }
        self.probe.send_replace(probe);
        Ok(())
    }
}

/// How far an append to Redis got.
enum LiveTry {
    /// Nothing is left to append.
    Done,
    /// Redis has none of it.
    NotTaken,
    /// Redis did not answer: it may have all of it.
    Unsure,
}

/// For `remember`: the keys without the records' bytes.
fn keys_only(records: &[Stored]) -> Vec<Stored> {
    records.iter().map(|r| Stored { key: r.key, hash: r.hash, place: r.place, bytes: Vec::new() }).collect()
}

/// The candidates of a turn, and what is known about each.
struct Group<'c> {
    candidates: &'c [Candidate],
    /// Per key the position of its first candidate.
    first: HashMap<Key, usize>,
    /// Positions that are still to be appended, in order.
    fresh: Vec<usize>,
    /// What came under a key before this group.
    known: HashMap<usize, u64>,
}

impl<'c> Group<'c> {
    fn new(candidates: &'c [Candidate]) -> Self {
        let mut first = HashMap::with_capacity(candidates.len());
        let mut fresh = Vec::with_capacity(candidates.len());
        for (at, candidate) in candidates.iter().enumerate() {
            if let std::collections::hash_map::Entry::Vacant(place) = first.entry(candidate.key) {
                place.insert(at);
                fresh.push(at);
            }
        }
        Self { candidates, first, fresh, known: HashMap::new() }
    }

    fn fresh(&self) -> impl Iterator<Item = &'c Candidate> {
        let candidates = self.candidates;
        self.fresh.iter().map(move |at| &candidates[*at])
    }

    fn fresh_keys(&self) -> Vec<Key> {
        self.fresh().map(|candidate| candidate.key).collect()
    }

    /// A store knows these; the indices are into `fresh`.
    fn mark(&mut self, known: &[Known]) {
        let mut gone = HashSet::new();
        for Known { index, hash } in known {
            if let Some(at) = self.fresh.get(*index) {
                self.known.insert(*at, *hash);
                gone.insert(*at);
            }
        }
        self.fresh.retain(|at| !gone.contains(at));
    }

    /// Once the fresh ones are stored. A key's first candidate decides what its later ones are compared with.
    fn verdicts(&self) -> Vec<Verdict> {
        let verdict = |(at, candidate): (usize, &Candidate)| {
            let first = self.first[&candidate.key];
            let stored_hash = self.known.get(&first).copied().unwrap_or(self.candidates[first].hash);
            if at == first && !self.known.contains_key(&first) {
                Verdict::Accepted
            } else if candidate.hash == stored_hash {
                Verdict::Duplicate
            } else {
                Verdict::Conflict
            }
        };
        self.candidates.iter().enumerate().map(verdict).collect()
    }
}

#[cfg(test)]
mod tests {
    use common::record::Kind;

    use super::*;

    fn candidate(key: u8, hash: u64) -> Candidate {
        Candidate { kind: Kind::Event, key: [key; 17], hash, payload: Vec::new() }
    }

    #[test]
    fn a_key_is_taken_once_and_its_other_bodies_are_conflicts() {
        use Verdict::{Accepted, Conflict, Duplicate};
        let candidates = [candidate(1, 10), candidate(2, 20), candidate(1, 10), candidate(1, 11), candidate(2, 21)];
        let group = Group::new(&candidates);
        assert_eq!(group.fresh().count(), 2);
        assert_eq!(group.verdicts(), [Accepted, Accepted, Duplicate, Conflict, Conflict]);
    }

    #[test]
    fn what_a_store_knows_decides_before_the_group() {
        use Verdict::{Accepted, Conflict, Duplicate};
        let candidates = [candidate(1, 10), candidate(2, 20), candidate(3, 30), candidate(2, 25), candidate(2, 20)];
        let mut group = Group::new(&candidates);
        group.mark(&[Known { index: 1, hash: 25 }]);
        group.mark(&[Known { index: 1, hash: 30 }]);
        assert_eq!(group.fresh_keys(), [[1; 17]]);
        assert_eq!(group.verdicts(), [Accepted, Conflict, Duplicate, Duplicate, Conflict]);
    }
}
