//! From what a transaction has stored to the coarser rollups. The transaction leaves a row here, which costs it next to
//! nothing and locks nothing that others need; a pass takes what has come together and adds it up once, where every
//! transaction would have written to the same few rows and held them until its COMMIT. A row is taken and added in one
//! transaction, so it counts once whatever happens.

use chrono::{DateTime, Utc};
use common::credentials::hex;
use common::ids::{WarehouseId, ZoneId};

use super::coarse::{self, Added, Sums};
use super::{QUARTER, truncate};
use crate::store::{Db, StoreError, transaction, within};

/// One pass at a time in all instances: two would wait for each other's rows.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(x'736d617274707275'::bit(64)::int8)";
const TAKE: &str = "\
DELETE FROM rollups_due WHERE id = ANY (ARRAY(SELECT id FROM rollups_due ORDER BY id LIMIT $1)) RETURNING put_at, added";

const PUT_BACK: &str = "INSERT INTO rollups_due (put_at, added) SELECT * FROM unnest($1::timestamptz[], $2::bytea[])";

const OLDEST: &str = "SELECT min(put_at) FROM rollups_due";

pub const STATEMENTS: &[&str] = &[LOCK, TAKE, PUT_BACK, OLDEST];

/// Rows of one pass: some seconds of a busy fleet, a few MB.
const PASS_ROWS: i64 = 500;

/// A zone's quarter, the quarter in seconds since 1970.
type Entry = (WarehouseId, ZoneId, i64, Added);

/// What a transaction leaves.
pub(in crate::store) struct Due(Vec<u8>);

impl Due {
    /// Of what was added to minutes.
    pub(super) fn of(minutes: &Sums) -> Result<Self, sqlx::Error> {
        let quarters =
            coarse::coarser(minutes, |(warehouse, zone, minute)| (*warehouse, *zone, truncate(*minute, QUARTER)));
        let entries: Vec<Entry> = quarters
            .into_iter()
            .filter_map(|((warehouse, zone, quarter), added)| Some((warehouse, zone?, quarter.timestamp(), added)))
            .collect();
        rmp_serde::to_vec(&entries).map(Self).map_err(|error| sqlx::Error::Encode(error.into()))
    }

    /// The statement that leaves it.
    pub fn put(&self) -> String {
        format!("INSERT INTO rollups_due (added) VALUES (decode('{}', 'hex'))", hex(&self.0))
    }
}

/// What a pass did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// There may be more.
    pub more: bool,
    /// Rows that only another version of this program can read. They went back to the end of the queue.
    pub unreadable: usize,
}

/// Adds what is due to the coarser rollups.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub async fn pass(db: &Db) -> Result<Passed, StoreError> {
    transaction(db, async |connection| {
        let ours: bool = sqlx::query_scalar(LOCK).fetch_one(&mut *connection).await?;
        if !ours {
            return Ok(Passed::default());
        }
        let taken: Vec<(DateTime<Utc>, Vec<u8>)> =
            sqlx::query_as(TAKE).bind(PASS_ROWS).fetch_all(&mut *connection).await?;
        let full = i64::try_from(taken.len()) == Ok(PASS_ROWS);
        let mut quarters = Sums::new();
        let (mut times, mut unreadable) = (Vec::new(), Vec::new());
        for (put_at, bytes) in taken {
            let Ok(entries) = rmp_serde::from_slice::<Vec<Entry>>(&bytes) else {
                times.push(put_at);
                unreadable.push(bytes);
                continue;
            };
            for (warehouse, zone, seconds, added) in entries {
                // It was a time when it was put here.
                let quarter = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
                quarters.entry((warehouse, Some(zone), quarter)).or_default().add(&added);
            }
        }
        if !quarters.is_empty() {
            coarse::write(connection, &quarters).await?;
        }
        if !unreadable.is_empty() {
            sqlx::query(PUT_BACK).bind(&times).bind(&unreadable).execute(connection).await?;
        }
        // Once through the queue is enough for what cannot be read.
        Ok(Passed { more: full && unreadable.is_empty(), unreadable: unreadable.len() })
    })
    .await
}

/// Since when something has been due; `None` if nothing is.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn oldest(db: &Db) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut lease = db.lease().await?;
    let oldest = within(sqlx::query_scalar(OLDEST).fetch_one(&mut *lease)).await?;
    lease.done();
    Ok(oldest)
}
