//! What edges tell of their quarters of an hour: which seqs they gave out in each. It is what lets a record that never
//! arrives be missing at the right time.

use chrono::{DateTime, Utc};
use common::ids::Epoch;
use common::protocol::{EpochReport, Heartbeat, QuarterMark};
use sqlx::PgConnection;
use uuid::Uuid;

/// A quarter that goes on only grows. Nothing is written where nothing is new.
const TELL: &str = "\
INSERT INTO epoch_quarters AS q (edge_id, epoch, quarter, warehouse_id, first_seq, last_seq)
SELECT $1, epoch, quarter, $2, first_seq, last_seq
FROM unnest($3::uuid[], $4::timestamptz[], $5::int8[], $6::int8[]) AS t (epoch, quarter, first_seq, last_seq)
ON CONFLICT (edge_id, epoch, quarter) DO UPDATE SET
    first_seq = least(q.first_seq, excluded.first_seq),
    last_seq = greatest(q.last_seq, excluded.last_seq)
WHERE q.first_seq IS NULL OR q.first_seq > excluded.first_seq OR q.last_seq < excluded.last_seq";

pub const STATEMENTS: &[&str] = &[TELL];

/// Stores the marks of a heartbeat's epochs, which are sorted and each once.
pub async fn tell(
    connection: &mut PgConnection,
    heartbeat: &Heartbeat,
    reports: &[&EpochReport],
) -> Result<(), sqlx::Error> {
    let marks = rows(reports);
    if marks.is_empty() {
        return Ok(());
    }
    sqlx::query(TELL)
        .bind(heartbeat.edge_id.uuid())
        .bind(heartbeat.warehouse_id.uuid())
        .bind(marks.iter().map(|mark| mark.epoch).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.quarter).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.first).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.last).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    epoch: Uuid,
    quarter: DateTime<Utc>,
    first: i64,
    last: i64,
}

/// In key order and each once, for the locks. What cannot be a range is left out.
fn rows(reports: &[&EpochReport]) -> Vec<Row> {
    let mut rows: Vec<Row> =
        reports.iter().flat_map(|r| r.quarters.iter().filter_map(|mark| row(r.epoch, *mark))).collect();
    rows.sort_unstable_by_key(|row| (row.epoch, row.quarter));
    rows.dedup_by_key(|row| (row.epoch, row.quarter));
    rows
}

fn row(epoch: Epoch, mark: QuarterMark) -> Option<Row> {
    let (first, last) = (i64::try_from(mark.first).ok()?, i64::try_from(mark.last).ok()?);
    // An inclusive range that ends at i64::MAX has no upper bound that fits.
    let good = first >= 1 && last >= first - 1 && last < i64::MAX;
    good.then(|| Row { epoch: epoch.uuid(), quarter: mark.quarter.start(), first, last })
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
            rows(&[&report]).iter().map(|row| (row.quarter.timestamp() / 900, row.first, row.last)).collect();
        assert_eq!(said, [(3, 1, 4), (5, 5, 4), (9, 5, 9)]);
    }
}
