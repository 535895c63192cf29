//! What is left to do of the frames read together. Normally one transaction takes all; if Postgres refuses some of the
//! data, halves are tried until the one record that cannot be stored stands alone and becomes a dead letter.
//!
//! What is done stays done across retries, so a receipt tells rows from duplicates rightly. No I/O.

use std::borrow::Cow;
use std::ops::Range;

use crate::frame::{Content, DeadKind, Fate, Item};

pub struct Work<'a> {
    items: Vec<Item<'a>>,
    fates: Vec<Option<Fate>>,
    /// Ranges of `items` that are still to be written; the next one is last.
    todo: Vec<Range<usize>>,
}

/// Postgres refused a single record even as a dead letter: not the data's fault then.
#[derive(Debug, PartialEq, Eq)]
pub struct Stuck;

impl<'a> Work<'a> {
    pub fn new(items: Vec<Item<'a>>) -> Self {
        let all = 0..items.len();
        Self { fates: vec![None; items.len()], todo: std::iter::once(all).filter(|r| !r.is_empty()).collect(), items }
    }

    /// The items to write next, in one transaction.
    pub fn next(&self) -> Option<&[Item<'a>]> {
        self.todo.last().map(|range| &self.items[range.clone()])
    }

    /// The next items are durable.
    ///
    /// # Panics
    /// If there is not one fate per item.
    pub fn done(&mut self, fates: Vec<Fate>) {
        let range = self.todo.pop().expect("something was to be written");
        assert_eq!(range.len(), fates.len(), "each item has its fate");
        for (slot, fate) in self.fates[range].iter_mut().zip(fates) {
            *slot = Some(fate);
        }
    }

    /// Postgres refused the next items' data.
    ///
    /// # Errors
    /// If there is nothing left to split.
    pub fn refused(&mut self, reason: String) -> Result<(), Stuck> {
        let range = self.todo.last().expect("something was to be written").clone();
        if range.len() > 1 {
            let middle = range.start + range.len() / 2;
            self.todo.pop();
            self.todo.push(middle..range.end);
            self.todo.push(range.start..middle);
            return Ok(());
        }
        match &mut self.items[range.start].content {
            Content::Dead { .. } => Err(Stuck),
            content => {
                *content = Content::Dead { kind: DeadKind::Record, reason: Cow::Owned(reason) };
                Ok(())
            }
        }
    }

    /// Each item with its fate, once all is done.
    pub fn finish(self) -> impl Iterator<Item = (Item<'a>, Fate)> {
        debug_assert!(self.todo.is_empty(), "all is done");
        self.items.into_iter().zip(self.fates.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use common::ids::{BatchId, EdgeId, WarehouseId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::frame::tests::event;

    fn items(n: usize) -> Vec<Item<'static>> {
        (0..n)
            .map(|i| Item {
                frame: 0,
                edge_id: EdgeId::from_uuid(Uuid::nil()),
                warehouse_id: WarehouseId::from_uuid(Uuid::nil()),
                batch_id: BatchId::from_uuid(Uuid::nil()),
                place: None,
                quarter: common::quarter::Quarter::UNKNOWN,
                raw: b"",
                content: Content::Event(event(i as u128)),
            })
            .collect()
    }

    fn number(item: &Item<'_>) -> Option<u128> {
        match &item.content {
            Content::Event(event) => Some(event.event_id.uuid().as_u128()),
            Content::Alert(_) | Content::Fact(_) | Content::Dead { .. } => None,
        }
    }

    proptest! {
        /// Against a store that refuses any transaction with a poison record in it.
        #[test]
        fn every_poison_record_is_found_and_no_neighbour_is_harmed(
            n in 0usize..300,
            poison in prop::collection::btree_set(0u128..300, 0..6),
        ) {
            let mut work = Work::new(items(n));
            let mut transactions = 0;
            while let Some(next) = work.next() {
                transactions += 1;
                let fate = |item: &Item<'_>| match &item.content {
                    Content::Event(_) | Content::Alert(_) | Content::Fact(_) => Fate::Stored,
                    Content::Dead { reason, .. } => Fate::Dead(reason.clone()),
                };
                if next.iter().filter_map(number).any(|i| poison.contains(&i)) {
                    work.refused("poison".to_owned()).expect("can be split or buried");
                } else {
                    let fates = next.iter().map(fate).collect();
                    work.done(fates);
                }
            }
            let fates: Vec<Fate> = work.finish().map(|(_, fate)| fate).collect();
            prop_assert_eq!(fates.len(), n);
            for (i, fate) in fates.iter().enumerate() {
                let expected = if poison.contains(&(i as u128)) { Fate::Dead("poison".into()) } else { Fate::Stored };
                prop_assert_eq!(fate, &expected, "record {}", i);
            }
            // A path of halves per poison record, both sides of each.
            prop_assert!(transactions <= 1 + poison.len() * 20, "{} transactions", transactions);
        }
    }

    #[test]
    fn a_dead_letter_that_is_refused_is_not_buried_again() {
        let mut work = Work::new(items(1));
        assert_eq!(work.refused("no".to_owned()), Ok(()));
        assert_eq!(work.refused("no".to_owned()), Err(Stuck));
        assert!(work.next().is_some());
    }
}
