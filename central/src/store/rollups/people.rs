//! Who was seen, as numbers: rollups count people without holding anybody's id. `worker_numbers` gives each worker a number
//! at the first sight; a connection remembers those it has met, so in normal running nothing is asked.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use common::ids::WorkerId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::retention::in_batches;

const NUMBERS: &str = "SELECT worker_id, number FROM worker_numbers WHERE worker_id = ANY ($1::uuid[])";

/// In key order, so that two transactions that meet the same new people wait for each other in the same order.
const ADD_WORKERS: &str = "\
INSERT INTO worker_numbers (worker_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";

/// Late events are of the last weeks, so whoever is in the rows of the last day or two is still about.
const SEEN: &str = "\
UPDATE worker_numbers SET seen_on = $1
WHERE seen_on < $1 AND number IN (SELECT unnest(people) FROM site_days WHERE day >= $1::timestamp AT TIME ZONE 'UTC' - interval '2 days')";

const DELETE_UNSEEN: &str = "\
DELETE FROM worker_numbers WHERE ctid = ANY (ARRAY(SELECT ctid FROM worker_numbers WHERE seen_on < $1 LIMIT 10000))";

pub const STATEMENTS: &[&str] = &[NUMBERS, ADD_WORKERS, SEEN, DELETE_UNSEEN];

/// Workers by their numbers.
pub type Numbers = HashMap<WorkerId, i32>;

/// The numbers of `workers` that are not in `known`, given out now where somebody is new. One whom somebody forgets at
/// this very moment may be missing.
pub(super) async fn numbers(
    connection: &mut PgConnection,
    workers: &BTreeSet<WorkerId>,
    known: &Numbers,
) -> Result<Vec<(WorkerId, i32)>, sqlx::Error> {
    let unknown: Vec<Uuid> = workers.iter().filter(|w| !known.contains_key(w)).map(|w| w.uuid()).collect();
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = look_up(connection, &unknown).await?;
    if found.len() < unknown.len() {
        let new: Vec<Uuid> =
            unknown.into_iter().filter(|w| !found.iter().any(|(known, _)| known.uuid() == *w)).collect();
        sqlx::query(ADD_WORKERS).bind(&new).execute(&mut *connection).await?;
        // Not RETURNING: a number may just have been given out by another transaction.
        found.append(&mut look_up(connection, &new).await?);
    }
    Ok(found)
}

async fn look_up(connection: &mut PgConnection, workers: &[Uuid]) -> Result<Vec<(WorkerId, i32)>, sqlx::Error> {
    let found: Vec<(Uuid, i32)> = sqlx::query_as(NUMBERS).bind(workers).fetch_all(connection).await?;
    Ok(found.into_iter().map(|(worker, number)| (WorkerId::from_uuid(worker), number)).collect())
}

/// Notes whose numbers are in use, and deletes those that no rollup can hold any more: not seen since `oldest`.
pub(in crate::store) async fn upkeep(
    connection: &mut PgConnection,
    today: NaiveDate,
    oldest: NaiveDate,
) -> Result<(), sqlx::Error> {
    sqlx::query(SEEN).bind(today).execute(&mut *connection).await?;
    in_batches(connection, DELETE_UNSEEN, oldest).await
}
