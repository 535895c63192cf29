//! The ledger proves completeness. Per edge and epoch central keeps the set of seqs that reached it, as a multirange,
//! written in the transaction that stores the rows; heartbeats tell the head and what is still buffered.
//!
//! ```text
//! missing    = {[1, head]} − received − buffered
//! duplicates = |received| − stored − alerts − dead
//! ```
//!
//! `stored` counts events that became rows, `alerts` the records that changed an alert or added a fact. So the rows of
//! `ergonomic_snapshots` can be held against `stored`, and nothing that was received goes unexplained.
//!
//! Sets do not change when something is added to them twice, so every retry leaves the ledger right. It is accounting
//! only: nothing is ever suppressed because of a seq.
//!
//! All of it is kept twice: per epoch, and per quarter of an hour of the epoch, by when the edge accepted it (`hours` reads
//! that). What edges tell of both is stored by `heartbeats`.

pub mod hours;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use common::ids::{EdgeId, Epoch, WarehouseId};
use common::quarter::Quarter;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Db, StoreError, within};
use crate::frame::{Content, Fate, Item};

/// By epoch and by quarter of an hour in one round trip. Both are always written in the order of the plan.
const ADD: &str = "\
WITH quarters AS (
    INSERT INTO epoch_quarters AS q (edge_id, epoch, quarter, warehouse_id, received, stored, alerts, dead)
    SELECT edge_id, epoch, quarter, warehouse_id, received::int8multirange, stored, alerts, dead
    FROM unnest($9::uuid[], $10::uuid[], $11::timestamptz[], $12::uuid[], $13::text[], $14::int8[], $15::int8[],
                $16::int8[])
         AS t (edge_id, epoch, quarter, warehouse_id, received, stored, alerts, dead)
    ON CONFLICT (edge_id, epoch, quarter) DO UPDATE SET
        received = q.received + excluded.received,
        stored = q.stored + excluded.stored,
        alerts = q.alerts + excluded.alerts,
        dead = q.dead + excluded.dead
)
INSERT INTO edge_epochs AS l (edge_id, epoch, warehouse_id, head, received, stored, alerts, dead, last_received_at)
SELECT edge_id, epoch, warehouse_id, head, received::int8multirange, stored, alerts, dead, now()
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int8[], $5::text[], $6::int8[], $7::int8[],
            $8::int8[])
     AS t (edge_id, epoch, warehouse_id, head, received, stored, alerts, dead)
ON CONFLICT (edge_id, epoch) DO UPDATE SET
    head = greatest(l.head, excluded.head),
    received = l.received + excluded.received,
    stored = l.stored + excluded.stored,
    alerts = l.alerts + excluded.alerts,
    dead = l.dead + excluded.dead,
    last_received_at = excluded.last_received_at";

/// While the edge reports, missing is judged by the head it last told together with what was buffered then: batches
/// overtake each other, and what came in since would show its neighbours on the way as lost for a moment. Once it has
/// been silent for longer than heartbeats may be late, everything below the highest seq we saw counts.
const SHOW: &str = "\
SELECT l.edge_id, l.epoch, l.warehouse_id, l.current, l.head, l.stored, l.alerts, l.dead, l.first_seen_at, l.reported_at,
       l.last_received_at, received.n AS received, buffered.n AS buffered, missing.n AS missing,
       greatest(received.n - l.stored - l.alerts - l.dead, 0) AS duplicates
FROM edge_epochs l
CROSS JOIN LATERAL (SELECT coalesce(sum(upper(r) - lower(r)), 0)::int8 AS n FROM unnest(l.received) r) received
CROSS JOIN LATERAL (SELECT coalesce(sum(upper(r) - lower(r)), 0)::int8 AS n
                    FROM unnest(l.buffered - l.received) r) buffered
CROSS JOIN LATERAL (
    SELECT coalesce(sum(upper(r) - lower(r)), 0)::int8 AS n
    FROM unnest(int8multirange(int8range(1, 1 + CASE
        WHEN coalesce(l.reported_at, l.first_seen_at) > now() - interval '30 seconds' THEN l.reported_head
        ELSE l.head END)) - l.received - l.buffered) r) missing
WHERE ($1::uuid IS NULL OR l.warehouse_id = $1) AND ($2::uuid IS NULL OR l.edge_id = $2)
  AND ($3::timestamptz IS NULL OR l.current OR l.reported_at > $3 OR l.last_received_at > $3 OR l.first_seen_at > $3)
ORDER BY l.edge_id, l.first_seen_at, l.epoch";

/// Epochs of which nothing has happened for so long, with their quarters: an epoch stays as long as any of its quarters,
/// so that the sums go on fitting. Open dead letters are still to be taken back from theirs.
const FORGET: &str = "\
WITH gone AS (
    DELETE FROM edge_epochs l
    WHERE l.ctid = ANY (ARRAY(
        SELECT o.ctid FROM edge_epochs o
        WHERE NOT o.current AND greatest(o.first_seen_at, o.reported_at, o.last_received_at) < $1
          AND NOT EXISTS (SELECT FROM epoch_quarters q
                          WHERE q.edge_id = o.edge_id AND q.epoch = o.epoch AND q.quarter >= $1)
          AND NOT EXISTS (SELECT FROM dead_letters d
                          WHERE d.edge_id = o.edge_id AND d.epoch = o.epoch AND d.state = 'open')
        LIMIT 100))
    RETURNING l.edge_id, l.epoch
), quarters AS (
    DELETE FROM epoch_quarters q USING gone WHERE q.edge_id = gone.edge_id AND q.epoch = gone.epoch
)
SELECT count(*) FROM gone";
/// Epochs of one statement; each may have thousands of quarters.
const FORGET_BATCH: i64 = 100;

pub const STATEMENTS: &[&str] = &[ADD, SHOW, FORGET];

/// What a transaction adds, in key order.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<(EdgeId, Epoch, Quarter), Change>);

#[derive(Debug, Clone)]
struct Change {
    warehouse_id: WarehouseId,
    seqs: Vec<i64>,
    stored: i64,
    alerts: i64,
    dead: i64,
}

impl Change {
    const fn nothing(warehouse_id: WarehouseId) -> Self {
        Self { warehouse_id, seqs: Vec::new(), stored: 0, alerts: 0, dead: 0 }
    }
}

impl Changes {
    /// Notes what became of an item. `new_dead`: it is a dead letter that was not known before.
    pub fn add(&mut self, item: &Item<'_>, fate: &Fate, new_dead: bool) {
        let Some((epoch, seq)) = item.place else { return };
        let key = (item.edge_id, epoch, item.quarter);
        let change = self.0.entry(key).or_insert(Change::nothing(item.warehouse_id));
        change.seqs.push(seq);
        if *fate == Fate::Stored {
            match item.content {
                Content::Event(_) => change.stored += 1,
                Content::Alert(_) | Content::Fact(_) => change.alerts += 1,
                Content::Dead { .. } => {}
            }
        }
        change.dead += i64::from(new_dead);
    }

    /// A dead letter that was counted as one in this quarter is no longer.
    pub fn take_back_dead(&mut self, edge_id: EdgeId, warehouse_id: WarehouseId, epoch: Epoch, quarter: Quarter) {
        self.0.entry((edge_id, epoch, quarter)).or_insert(Change::nothing(warehouse_id)).dead -= 1;
    }

    /// The same by epochs alone.
    fn by_epoch(&self) -> BTreeMap<(EdgeId, Epoch), Change> {
        let mut epochs: BTreeMap<(EdgeId, Epoch), Change> = BTreeMap::new();
        for ((edge, epoch, _), change) in &self.0 {
            let whole = epochs.entry((*edge, *epoch)).or_insert(Change::nothing(change.warehouse_id));
            whole.seqs.extend_from_slice(&change.seqs);
            whole.stored += change.stored;
            whole.alerts += change.alerts;
            whole.dead += change.dead;
        }
        epochs
    }

    pub async fn write(mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut epochs = self.by_epoch();
        let received: Vec<String> = epochs.values_mut().map(|c| multirange(&mut c.seqs)).collect();
        let received_then: Vec<String> = self.0.values_mut().map(|c| multirange(&mut c.seqs)).collect();
        sqlx::query(ADD)
            .bind(epochs.keys().map(|(edge, _)| edge.uuid()).collect::<Vec<_>>())
            .bind(epochs.keys().map(|(_, epoch)| epoch.uuid()).collect::<Vec<_>>())
            .bind(epochs.values().map(|c| c.warehouse_id.uuid()).collect::<Vec<_>>())
            // Sorted by now.
            .bind(epochs.values().map(|c| c.seqs.last().copied().unwrap_or(0)).collect::<Vec<_>>())
            .bind(received)
            .bind(epochs.values().map(|c| c.stored).collect::<Vec<_>>())
            .bind(epochs.values().map(|c| c.alerts).collect::<Vec<_>>())
            .bind(epochs.values().map(|c| c.dead).collect::<Vec<_>>())
            .bind(self.0.keys().map(|(edge, ..)| edge.uuid()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|(_, epoch, _)| epoch.uuid()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|(.., quarter)| quarter.start()).collect::<Vec<_>>())
            .bind(self.0.values().map(|c| c.warehouse_id.uuid()).collect::<Vec<_>>())
            .bind(received_then)
            .bind(self.0.values().map(|c| c.stored).collect::<Vec<_>>())
            .bind(self.0.values().map(|c| c.alerts).collect::<Vec<_>>())
            .bind(self.0.values().map(|c| c.dead).collect::<Vec<_>>())
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Forgets epochs that ended before a time, with all that is counted of them.
pub(super) async fn forget(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    loop {
        let gone: i64 = sqlx::query_scalar(FORGET).bind(before).fetch_one(&mut *connection).await?;
        if gone < FORGET_BATCH {
            return Ok(());
        }
    }
}

/// The set of `seqs` as a multirange literal. Sorts them.
fn multirange(seqs: &mut [i64]) -> String {
    seqs.sort_unstable();
    let mut text = String::from("{");
    let mut rest = &*seqs;
    while let Some((&first, _)) = rest.split_first() {
        let mut last = first;
        let mut run = 1;
        while let Some(&next) = rest.get(run).filter(|&&next| next - last <= 1) {
            last = next;
            run += 1;
        }
        push_range(&mut text, first, last);
        rest = &rest[run..];
    }
    text.push('}');
    text
}

pub(super) fn push_range(text: &mut String, first: i64, last: i64) {
    let comma = if text.len() > 1 { "," } else { "" };
    // A String takes everything.
    let _infallible = write!(text, "{comma}[{first},{last}]");
}

/// The account of one epoch of one edge.
#[derive(Debug, Clone, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct Account {
    pub edge_id: Uuid,
    pub epoch: Uuid,
    pub warehouse_id: Uuid,
    pub current: bool,
    pub head: i64,
    pub received: i64,
    pub stored: i64,
    pub alerts: i64,
    pub duplicates: i64,
    pub dead: i64,
    pub buffered: i64,
    pub missing: i64,
    pub first_seen_at: DateTime<Utc>,
    pub reported_at: Option<DateTime<Utc>>,
    pub last_received_at: Option<DateTime<Utc>>,
}

/// The accounts of a warehouse, an edge, or all.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn accounts(db: &Db, warehouse: Option<Uuid>, edge: Option<Uuid>) -> Result<Vec<Account>, StoreError> {
    show(db, warehouse, edge, None).await
}

/// The accounts that may have changed since then, and all current ones; without a time all.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn accounts_touched(db: &Db, since: Option<DateTime<Utc>>) -> Result<Vec<Account>, StoreError> {
    show(db, None, None, since).await
}

async fn show(
    db: &Db,
    warehouse: Option<Uuid>,
    edge: Option<Uuid>,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Account>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(SHOW).bind(warehouse).bind(edge).bind(since);
    let accounts = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(accounts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> BTreeSet<i64> {
        let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).expect("braces");
        let mut seqs = BTreeSet::new();
        for range in inner.split("],").filter(|r| !r.is_empty()) {
            let (first, last) = range.trim_matches(['[', ']']).split_once(',').expect("two bounds");
            seqs.extend(first.parse::<i64>().expect("a number")..=last.parse().expect("a number"));
        }
        seqs
    }

    proptest! {
        #[test]
        fn a_multirange_holds_exactly_the_seqs_in_as_few_ranges_as_possible(
            mut seqs in prop::collection::vec(1i64..200, 0..100)
        ) {
            let model: BTreeSet<i64> = seqs.iter().copied().collect();
            let text = multirange(&mut seqs);
            prop_assert_eq!(&parse(&text), &model, "{}", text);
            let runs = model.iter().filter(|seq| !model.contains(&(*seq - 1))).count();
            prop_assert_eq!(text.matches('[').count(), runs);
        }
    }
}
