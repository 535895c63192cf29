//! The edge's side of the ledger: which seqs were given out, and where those still are that central has not confirmed.
//!
//! Kept in memory only, and rebuilt from the stores whenever they are (re)opened. It is accounting: nothing is ever
//! sent, suppressed or deleted because of it.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use common::ids::Epoch;
use common::protocol::{BUFFERED_RANGES_MAX, EpochReport};
use rangemap::RangeInclusiveSet;

use super::quarters::Quarters;

/// A record's place in the ledger, and its size in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub epoch: Epoch,
    pub seq: u64,
    pub bytes: u64,
}

/// What one store holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Held {
    pub records: u64,
    pub bytes: u64,
    seqs: HashMap<Epoch, RangeInclusiveSet<u64>>,
}

impl Held {
    pub fn add(&mut self, place: Place) {
        self.records += 1;
        self.bytes += place.bytes;
        self.seqs.entry(place.epoch).or_default().insert(place.seq..=place.seq);
    }

    /// Seqs that follow each other, as one append gives them out.
    pub fn add_run(&mut self, epoch: Epoch, seqs: RangeInclusive<u64>, bytes: u64) {
        if seqs.is_empty() {
            return;
        }
        self.records += seqs.end() - seqs.start() + 1;
        self.bytes += bytes;
        self.seqs.entry(epoch).or_default().insert(seqs);
    }

    pub fn remove(&mut self, place: Place) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(place.bytes);
        if let Some(seqs) = self.seqs.get_mut(&place.epoch) {
            seqs.remove(place.seq..=place.seq);
            if seqs.is_empty() {
                self.seqs.remove(&place.epoch);
            }
        }
    }

    fn holds_any_of(&self, epoch: Epoch) -> bool {
        self.seqs.contains_key(&epoch)
    }
}

/// The whole buffer's account.
#[derive(Debug, Clone)]
pub struct Account {
    epoch: Epoch,
    /// The highest seq given out in `epoch`.
    head: u64,
    /// Heads of earlier epochs that central has not settled.
    past: HashMap<Epoch, u64>,
    /// Redis has not been looked into since the start: earlier epochs may have any of their records there.
    live_unseen: bool,
    /// Records that Redis held in this run and that were gone at a look, though nobody here had deleted them.
    pub vanished: u64,
    /// What is in Redis.
    pub live: Held,
    /// What is in SQLite.
    pub backlog: Held,
    /// When the seqs were accepted.
    pub quarters: Quarters,
}

impl Account {
    /// `live_unseen`: there is a Redis, and what an earlier run left in it is not known yet.
    pub fn new(epoch: Epoch, past: HashMap<Epoch, u64>, live_unseen: bool) -> Self {
        Self {
            epoch,
            head: 0,
            past,
            live_unseen,
            vanished: 0,
            live: Held::default(),
            backlog: Held::default(),
            quarters: Quarters::default(),
        }
    }

    /// What Redis really holds, after a look. `forgotten`: how many of what we counted we may have deleted ourselves
    /// without seeing the answer.
    pub fn live_seen(&mut self, held: Held, forgotten: u64) {
        self.vanished += self.live.records.saturating_sub(held.records + forgotten);
        self.live = held;
        self.live_unseen = false;
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn head(&self) -> u64 {
        self.head
    }

    /// Gives out the next `count` seqs.
    pub fn advance(&mut self, count: u64) {
        self.head += count;
    }

    /// Starts a new epoch. `head` says how far the old one certainly got.
    pub fn roll(&mut self, epoch: Epoch) -> (Epoch, u64) {
        let old = (std::mem::replace(&mut self.epoch, epoch), std::mem::take(&mut self.head));
        self.past.insert(old.0, old.1);
        old
    }

    /// Central has noted these epochs. Those the buffer still holds something of stay on the list.
    pub fn settle(&mut self, settled: &[Epoch]) -> Vec<Epoch> {
        let gone: Vec<Epoch> = settled
            .iter()
            .copied()
            .filter(|epoch| {
                !self.live_unseen
                    && self.past.contains_key(epoch)
                    && !self.live.holds_any_of(*epoch)
                    && !self.backlog.holds_any_of(*epoch)
            })
            .collect();
        for epoch in &gone {
            self.past.remove(epoch);
        }
        gone
    }

    /// Epochs that central is to be told of though they are settled.
    pub fn recall(&mut self, heads: &[(Epoch, u64)]) {
        for (epoch, head) in heads.iter().filter(|(epoch, _)| *epoch != self.epoch) {
            let known = self.past.entry(*epoch).or_insert(0);
            *known = (*known).max(*head);
        }
    }

    /// What a heartbeat says of the ledger.
    pub fn reports(&self) -> Vec<EpochReport> {
        let mut heads: HashMap<Epoch, u64> = self.past.clone();
        for held in [&self.live, &self.backlog] {
            for (epoch, seqs) in &held.seqs {
                // An epoch whose head file was lost: it had at least what is still here.
                let highest = seqs.last().map_or(0, |range| *range.end());
                let head = heads.entry(*epoch).or_insert(0);
                *head = (*head).max(highest);
            }
        }
        heads.insert(self.epoch, self.head);
        let mut reports: Vec<EpochReport> = heads
            .into_iter()
            .map(|(epoch, head)| {
                let current = epoch == self.epoch;
                // Rather a loss that shows late than one that is none.
                let all = !current && self.live_unseen && head > 0;
                let buffered = if all { vec![(1, head)] } else { self.buffered(epoch) };
                EpochReport { epoch, head, current, buffered, quarters: Vec::new() }
            })
            .collect();
        reports.sort_by_key(|report| (report.current, report.epoch));
        self.quarters.report(&mut reports);
        reports
    }

    fn buffered(&self, epoch: Epoch) -> Vec<(u64, u64)> {
        let mut all = RangeInclusiveSet::new();
        for held in [&self.live, &self.backlog] {
            for range in held.seqs.get(&epoch).into_iter().flat_map(RangeInclusiveSet::iter) {
                all.insert(range.clone());
            }
        }
        let mut ranges: Vec<(u64, u64)> = all.iter().map(|range| (*range.start(), *range.end())).collect();
        join_nearest(&mut ranges, BUFFERED_RANGES_MAX);
        ranges
    }
}

/// Joins the ranges with the smallest gaps between them until at most `max` are left.
fn join_nearest(ranges: &mut Vec<(u64, u64)>, max: usize) {
    if ranges.len() <= max {
        return;
    }
    let mut gaps: Vec<(u64, usize)> =
        ranges.windows(2).enumerate().map(|(at, pair)| (pair[1].0 - pair[0].1, at)).collect();
    gaps.sort_unstable();
    let mut closed: Vec<usize> = gaps.iter().take(ranges.len() - max).map(|(_, at)| *at).collect();
    closed.sort_unstable_by(|a, b| b.cmp(a));
    for at in closed {
        ranges[at].1 = ranges[at + 1].1;
        ranges.remove(at + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn epoch(n: u128) -> Epoch {
        Epoch::from_uuid(Uuid::from_u128(n))
    }

    proptest! {
        /// Whatever comes and goes, the ranges say exactly which seqs are there.
        #[test]
        fn held_agrees_with_a_plain_set(steps in prop::collection::vec((any::<bool>(), 1u64..60), 0..200)) {
            let mut account = Account::new(epoch(1), HashMap::new(), false);
            let mut model = BTreeSet::new();
            for (add, seq) in steps {
                let place = Place { epoch: epoch(1), seq, bytes: 10 };
                if add && model.insert(seq) {
                    account.live.add(place);
                } else if !add && model.remove(&seq) {
                    account.live.remove(place);
                }
            }
            let ranges = account.buffered(epoch(1));
            let said: BTreeSet<u64> = ranges.iter().flat_map(|(from, to)| *from..=*to).collect();
            prop_assert_eq!(account.live.records, model.len() as u64);
            prop_assert_eq!(account.live.bytes, model.len() as u64 * 10);
            prop_assert_eq!(said, model);
        }

        #[test]
        fn joined_ranges_cover_all_and_stay_within_the_bound(
            seqs in prop::collection::btree_set(1u64..10_000, 1..200), max in 1usize..20,
        ) {
            let mut ranges: Vec<(u64, u64)> = seqs.iter().map(|seq| (*seq, *seq)).collect();
            join_nearest(&mut ranges, max);
            prop_assert!(ranges.len() <= max);
            prop_assert!(seqs.iter().all(|seq| ranges.iter().any(|(from, to)| (from..=to).contains(&seq))));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }

    #[test]
    fn a_record_in_both_stores_is_buffered_once() {
        let mut account = Account::new(epoch(1), HashMap::new(), false);
        account.advance(5);
        account.live.add_run(epoch(1), 1..=3, 30);
        account.backlog.add_run(epoch(1), 2..=5, 40);
        assert_eq!(
            account.reports(),
            [EpochReport { epoch: epoch(1), head: 5, current: true, buffered: vec![(1, 5)], quarters: Vec::new() }]
        );
    }

    #[test]
    fn an_epoch_is_settled_only_when_nothing_of_it_is_left() {
        let mut account = Account::new(epoch(1), HashMap::from([(epoch(9), 4)]), false);
        account.backlog.add_run(epoch(9), 4..=4, 10);
        assert_eq!(account.settle(&[epoch(9), epoch(8)]), []);
        account.backlog.remove(Place { epoch: epoch(9), seq: 4, bytes: 10 });
        assert_eq!(account.settle(&[epoch(9)]), [epoch(9)]);
        assert_eq!(account.reports().len(), 1);
    }

    #[test]
    fn a_settled_epoch_is_told_again_until_it_is_settled_again() {
        let mut account = Account::new(epoch(1), HashMap::new(), false);
        account.advance(5);
        account.recall(&[(epoch(9), 4), (epoch(1), 3)]);
        let heads: Vec<_> = account.reports().iter().map(|report| (report.epoch, report.head)).collect();
        assert_eq!(heads, [(epoch(9), 4), (epoch(1), 5)]);
        account.settle(&[epoch(9)]);
        assert_eq!(account.reports().len(), 1);
    }

    #[test]
    fn an_earlier_epoch_is_not_called_missing_before_redis_was_looked_into() {
        let mut account = Account::new(epoch(1), HashMap::from([(epoch(9), 4)]), true);
        assert_eq!(account.reports()[0].buffered, [(1, 4)]);
        assert_eq!(account.settle(&[epoch(9)]), []);
        let mut held = Held::default();
        held.add_run(epoch(9), 3..=4, 20);
        account.live_seen(held, 0);
        assert_eq!(account.reports()[0].buffered, [(3, 4)]);
    }
}
