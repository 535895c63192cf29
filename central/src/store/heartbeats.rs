//! What edges say of themselves every few seconds. One statement keeps all of it, because a large fleet says a lot: one commit, and
//! nobody sees a head whose quarter of an hour is not known yet. Another asks what the ledger answers.

use chrono::{DateTime, Utc};
use common::ids::Epoch;
use common::protocol::{DatabaseMark, EpochReport, Heartbeat, LACKING_MAX, QuarterMark, SeqRange};
use sqlx::types::Json;
use uuid::Uuid;

use super::ledger::push_range;
use super::{Db, StoreError, within};
use crate::fleet::Digest;

/// The year 2200: later ones are no times of ours.
const STARTED_LATEST: DateTime<Utc> = DateTime::from_timestamp(7_258_118_400, 0).expect("in range");

/// - `reported`: the head never goes down, whatever an edge with a restored disk says.
/// - `retired`: an epoch that an edge no longer mentions is not its current one.
/// - `marked`: which seqs it gave out in which quarter, so that a record that never arrives is missing at the right time. A
///   quarter that goes on only grows, and nothing is written where nothing is new.
/// - `beat`: with what fleet health reads of it; and now and then one is kept for the history.
///
/// What follows from `beat` is written first and then the rest in this order, epochs before quarters as where batches are
/// stored, for the locks.
///
/// Where the edge says all of it again ten seconds later, the COMMIT waits for no disk: a fleet's heartbeats are as many fsyncs,
/// for which the storing transactions would wait too.
const KEEP: &str = "\
WITH reported AS (
    INSERT INTO edge_epochs AS l (edge_id, epoch, warehouse_id, head, reported_head, buffered, current, reported_at)
    SELECT $1, epoch, $2, head, head, buffered::int8multirange, current, now()
    FROM unnest($3::uuid[], $4::int8[], $5::text[], $6::bool[]) AS t (epoch, head, buffered, current)
    ON CONFLICT (edge_id, epoch) DO UPDATE SET
        head = greatest(l.head, excluded.head),
        reported_head = greatest(l.reported_head, excluded.reported_head),
        buffered = excluded.buffered,
        current = excluded.current,
        reported_at = excluded.reported_at
), retired AS (
    UPDATE edge_epochs SET current = false
    WHERE edge_id = $1 AND current AND reported_at IS NOT NULL AND NOT epoch = ANY ($3::uuid[])
), marked AS (
    INSERT INTO epoch_quarters AS q (edge_id, epoch, quarter, warehouse_id, first_seq, last_seq)
    SELECT $1, epoch, quarter, $2, first_seq, last_seq
    FROM unnest($7::uuid[], $8::timestamptz[], $9::int8[], $10::int8[]) AS t (epoch, quarter, first_seq, last_seq)
    ON CONFLICT (edge_id, epoch, quarter) DO UPDATE SET
        first_seq = least(q.first_seq, excluded.first_seq),
        last_seq = greatest(q.last_seq, excluded.last_seq)
    WHERE q.first_seq IS NULL OR q.first_seq > excluded.first_seq OR q.last_seq < excluded.last_seq
), beat AS (
    UPDATE edges SET
        heartbeat = $11, heartbeat_at = now(), digest = $12,
        waiting_since = CASE WHEN $13 THEN coalesce(waiting_since, now()) END,
        turned_back = CASE WHEN $14 < started_at THEN
            CASE WHEN turned_back_at > now() - interval '10 minutes' THEN turned_back + 1 ELSE 1 END
            ELSE turned_back END,
        turned_back_at = CASE WHEN $14 < started_at THEN now() ELSE turned_back_at END,
        started_at = $14,
        kept_at = CASE WHEN kept_at > now() - interval '5 minutes' THEN kept_at ELSE now() END
    WHERE edge_id = $1
    RETURNING edge_id, warehouse_id, kept_at = now() AS keep,
              CASE WHEN $22 THEN set_config('synchronous_commit', 'off', true) END AS unhurried
)
INSERT INTO edge_heartbeats
    (edge_id, at, warehouse_id, live, backlog, oldest_age_seconds, disk_bytes_free, accepted, rejected, redis)
SELECT edge_id, now(), warehouse_id, $15, $16, $17, $18, $19, $20, $21 FROM beat WHERE keep
ON CONFLICT DO NOTHING";

/// Right after one was kept, of the epochs that it told of:
/// - `settled`: those that are over and drained need not be repeated.
/// - `lacking`: what the edge gave out, has no more, and is not here; columns of one row, so that all is one question.
/// - which database says so.
/// - `facts_wait`: whether headquarters has facts that the edge was not told of. Nearly always there are none, and nobody need ask
///   for them.
///
/// Epochs are compared with `@>`: for `= ANY` Postgres expects ten of them if it does not know the array, and plans anew each time,
/// which takes it longer than to answer. An edge has few.
const ANSWER: &str = "\
SELECT
    ARRAY(SELECT epoch FROM edge_epochs
          WHERE edge_id = $1 AND $2::uuid[] @> ARRAY[epoch] AND NOT current AND reported_at IS NOT NULL
            AND isempty(buffered)) AS settled,
    lacking.epochs, lacking.firsts, lacking.lasts, mark.identity, mark.\"position\",
    EXISTS (SELECT FROM alert_facts WHERE warehouse_id = $4 AND position > $5) AS facts_wait
FROM database_mark() mark
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(epoch), '{}') AS epochs, coalesce(array_agg(first), '{}') AS firsts,
           coalesce(array_agg(last), '{}') AS lasts
    FROM (
        SELECT l.epoch, lower(r) AS first, upper(r) - 1 AS last
        FROM edge_epochs l
        CROSS JOIN LATERAL unnest(int8multirange(int8range(1, 1 + l.reported_head)) - l.received - l.buffered) r
        WHERE l.edge_id = $1 AND $2::uuid[] @> ARRAY[l.epoch]
        ORDER BY l.epoch, first LIMIT $3
    ) ranges
) lacking";

pub const STATEMENTS: &[&str] = &[KEEP, ANSWER];

/// What the ledger answers to a heartbeat.
#[derive(Debug)]
pub struct Noted {
    pub settled: Vec<Epoch>,
    pub lacking: Vec<SeqRange>,
    pub database: DatabaseMark,
    /// There are facts after those that the edge says it has.
    pub facts_wait: bool,
}

#[derive(sqlx::FromRow)]
struct Answer {
    settled: Vec<Uuid>,
    epochs: Vec<Uuid>,
    firsts: Vec<i64>,
    lasts: Vec<i64>,
    identity: String,
    position: i64,
    facts_wait: bool,
}

impl From<Answer> for Noted {
    fn from(answer: Answer) -> Self {
        let Answer { settled, epochs, firsts, lasts, identity, position, facts_wait } = answer;
        let range = |((epoch, first), last): ((Uuid, i64), i64)| SeqRange {
            epoch: Epoch::from_uuid(epoch),
            first: first.cast_unsigned(),
            last: last.cast_unsigned(),
        };
        Self {
            settled: settled.into_iter().map(Epoch::from_uuid).collect(),
            lacking: epochs.into_iter().zip(firsts).zip(lasts).map(range).collect(),
            database: DatabaseMark { identity, position: position.cast_unsigned() },
            facts_wait,
        }
    }
}

/// Keeps a heartbeat and what it says of the ledger; answers what the ledger says.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn keep(db: &Db, heartbeat: &Heartbeat) -> Result<Noted, StoreError> {
    let edge = heartbeat.edge_id.uuid();
    let reports = reports(heartbeat);
    let epochs: Vec<Uuid> = reports.iter().map(|report| report.epoch.uuid()).collect();
    let marks = marks(&reports);
    let digest = Digest::of(heartbeat);
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let keep = sqlx::query(KEEP)
        .bind(edge)
        .bind(heartbeat.warehouse_id.uuid())
        .bind(&epochs)
        .bind(reports.iter().map(|r| i64::try_from(r.head).unwrap_or(i64::MAX - 1)).collect::<Vec<_>>())
        .bind(reports.iter().map(|r| buffered(r)).collect::<Vec<_>>())
        .bind(reports.iter().map(|r| r.current).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.epoch).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.quarter).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.first).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.last).collect::<Vec<_>>())
        .bind(Json(heartbeat))
        .bind(Json(&digest))
        .bind(digest.waiting() > 0)
        // An edge may claim a time that Postgres cannot hold.
        .bind(heartbeat.started_at.clamp(DateTime::UNIX_EPOCH, STARTED_LATEST))
        .bind(count(digest.live.records))
        .bind(count(digest.backlog.records))
        .bind(digest.oldest_age().map(|age| age.num_milliseconds() as f64 / 1_000.0))
        .bind(count(digest.spill.disk_bytes_free))
        .bind(count(digest.accepted))
        .bind(count(digest.rejected))
        .bind(digest.redis_word())
        .bind(comes_again(&reports));
    let lacking_max = i64::try_from(LACKING_MAX).expect("a small number");
    // An edge may claim anything; beyond our numbers there is nothing.
    let facts_after = heartbeat.facts_after.map(|after| i64::try_from(after).unwrap_or(i64::MAX));
    let ask = sqlx::query_as(ANSWER)
        .bind(edge)
        .bind(&epochs)
        .bind(lacking_max)
        .bind(heartbeat.warehouse_id.uuid())
        .bind(facts_after);
    let mut lease = db.lease().await?;
    within(keep.execute(&mut *lease)).await?;
    let answer: Answer = within(ask.fetch_one(&mut *lease)).await?;
    lease.done();
    Ok(answer.into())
}

/// Each epoch once, in key order, for the locks.
fn reports(heartbeat: &Heartbeat) -> Vec<&EpochReport> {
    let mut reports: Vec<&EpochReport> = heartbeat.epochs.iter().collect();
    reports.sort_by_key(|report| report.epoch);
    reports.dedup_by_key(|report| report.epoch);
    reports
}

/// Whether the edge will say all of this once more: its current epoch, and of its quarters the one that goes on. Other epochs and
/// quarters it forgets when we answer.
fn comes_again(reports: &[&EpochReport]) -> bool {
    reports.iter().all(|report| report.current && report.quarters.len() <= 1)
}

/// The buffered ranges of a report, as a multirange literal; what cannot be a range is left out.
fn buffered(report: &EpochReport) -> String {
    let mut text = String::from("{");
    for &(first, last) in &report.buffered {
        // An inclusive range that ends at i64::MAX has no upper bound that fits.
        if let (Ok(first), Ok(last)) = (i64::try_from(first), i64::try_from(last))
            && first >= 1
            && first <= last
            && last < i64::MAX
        {
            push_range(&mut text, first, last);
        }
    }
    text.push('}');
    text
}

#[derive(Debug, PartialEq, Eq)]
struct Mark {
    epoch: Uuid,
    quarter: DateTime<Utc>,
    first: i64,
    last: i64,
}

/// In key order and each once, for the locks. What cannot be a range is left out.
fn marks(reports: &[&EpochReport]) -> Vec<Mark> {
    let mut marks: Vec<Mark> =
        reports.iter().flat_map(|r| r.quarters.iter().filter_map(|said| mark(r.epoch, *said))).collect();
    marks.sort_unstable_by_key(|mark| (mark.epoch, mark.quarter));
    marks.dedup_by_key(|mark| (mark.epoch, mark.quarter));
    marks
}

fn mark(epoch: Epoch, said: QuarterMark) -> Option<Mark> {
    let (first, last) = (i64::try_from(said.first).ok()?, i64::try_from(said.last).ok()?);
    // An inclusive range that ends at i64::MAX has no upper bound that fits.
    let good = first >= 1 && last >= first - 1 && last < i64::MAX;
    good.then(|| Mark { epoch: epoch.uuid(), quarter: said.quarter.start(), first, last })
}

#[cfg(test)]
mod tests {
    use common::quarter::Quarter;

    use super::*;

    #[test]
    fn nonsense_is_left_out_and_the_rest_is_in_order() {
        let mark = |quarter, first, last| QuarterMark { quarter: Quarter::from_number(quarter), first, last };
        let quarters = vec![
            mark(9, 5, 9),
            mark(3, 1, 4),
            mark(3, 7, 8),
            mark(5, 5, 4),
            mark(6, 5, 2),
            mark(7, 0, 1),
            mark(8, 1, u64::MAX),
        ];
        let epoch = Epoch::from_uuid(Uuid::from_u128(1));
        let report = EpochReport { epoch, head: 9, current: true, buffered: Vec::new(), quarters };
        let said: Vec<_> =
            marks(&[&report]).iter().map(|mark| (mark.quarter.timestamp() / 900, mark.first, mark.last)).collect();
        assert_eq!(said, [(3, 1, 4), (5, 5, 4), (9, 5, 9)]);
    }

    #[test]
    fn a_report_with_nonsense_ranges_keeps_the_good_ones() {
        let report = EpochReport {
            epoch: Epoch::from_uuid(Uuid::from_u128(1)),
            head: 9,
            current: true,
            buffered: vec![(0, 3), (4, 6), (9, 8), (1, u64::MAX), (8, 8)],
            quarters: Vec::new(),
        };
        assert_eq!(buffered(&report), "{[4,6],[8,8]}");
    }
}
