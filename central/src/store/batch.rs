//! The transaction that makes items durable: rows, dead letters, rollups, ledger, all or nothing.
//!
//! Whatever happens to it, it can be run again: rows and dead letters collapse on their keys, rollups and the ledger's
//! counts take only what was really inserted, the ledger's set of seqs does not mind. So an unknown outcome of COMMIT,
//! a worker that was thought dead, or a frame that is read twice changes nothing.
//!
//! Before anything else those are taken out who were forgotten ([`forgotten`]).
//!
//! The rows come first and the shared rows of rollups and ledger last, because their locks are held until COMMIT.
//! Everything is written in key order, so two transactions never wait for each other in a circle.

use std::borrow::Cow;

use common::protocol::DatabaseMark;
use sqlx::{AssertSqlSafe, PgConnection};

use super::forgotten::{self, Stripped, Tombstones, begin_storing};
use super::rollups::due::Due;
use super::rollups::{self, Learned, Rollups};
use super::{Db, StoreError, alerts, dead_letters, error, events, facts, ledger};
use crate::frame::{Content, Fate, Item};

/// What else a transaction relies on holds for the whole session, see [`Db::open`].
pub(super) const BEGIN: &str = "BEGIN";
pub(super) const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

pub const STATEMENTS: &[&str] = &[];

/// Why nothing of the batch was written, as far as we know.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Some item can never be stored. The connection is good.
    #[error("Postgres refused the data: {0}")]
    Data(String),
    /// Not the data's fault. The connection must be dropped: its state, and that of the COMMIT, is unknown.
    #[error("Postgres could not store now: {}", error::plain(.0))]
    Transient(sqlx::Error),
    /// There is no connection, or it did not answer.
    #[error("Postgres cannot be reached")]
    Unreachable(#[source] StoreError),
}

impl WriteError {
    /// As [`StoreError::is_unavailable`].
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Data(_) => false,
            Self::Transient(cause) => error::is_unavailable(cause),
            Self::Unreachable(cause) => cause.is_unavailable(),
        }
    }
}

/// What a connection knows of the database, so that it is not asked or written again with every batch. Belongs to one
/// connection: another may be to a server that lost the last commits.
#[derive(Debug, Default)]
pub struct Known {
    tombstones: Tombstones,
    rollups: rollups::Known,
}

/// What a transaction did.
#[derive(Debug)]
pub struct Written {
    /// Of each item.
    pub fates: Vec<Fate>,
    /// Where.
    pub database: DatabaseMark,
}

/// Writes the items in one transaction; answers what became of each.
///
/// # Errors
/// Nothing was written, or the outcome is unknown; either way it may be called again with the same items.
pub async fn write(
    connection: &mut PgConnection,
    items: &[Item<'_>],
    known: &mut Known,
) -> Result<Written, WriteError> {
    match transaction(connection, items, known).await {
        Ok(written) => Ok(written),
        Err(error) => Err(refused(connection, error).await),
    }
}

/// After an error: tells data from the rest, and ends the transaction so that the connection can go on.
async fn refused(connection: &mut PgConnection, error: sqlx::Error) -> WriteError {
    match data_error(&error) {
        Some(reason) => match sqlx::raw_sql(ROLLBACK).execute(connection).await {
            Ok(_) => WriteError::Data(reason),
            Err(error) => WriteError::Transient(error),
        },
        None => WriteError::Transient(error),
    }
}

async fn transaction(
    connection: &mut PgConnection,
    items: &[Item<'_>],
    known: &mut Known,
) -> Result<Written, sqlx::Error> {
    let database = begin_storing(connection, &mut known.tombstones).await?;
    let (fates, learned, due) = body(connection, items, known, ledger::Changes::default()).await?;
    commit(connection, due).await?;
    known.rollups.remember(learned);
    Ok(Written { fates, database })
}

/// What is due for the coarser rollups goes with the COMMIT, in the same round trip.
async fn commit(connection: &mut PgConnection, due: Option<Due>) -> Result<(), sqlx::Error> {
    let put = due.map(|due| format!("{}; ", due.put())).unwrap_or_default();
    sqlx::raw_sql(AssertSqlSafe(format!("{put}{COMMIT}"))).execute(connection).await.map(drop)
}

async fn body(
    connection: &mut PgConnection,
    items: &[Item<'_>],
    known: &Known,
    mut changes: ledger::Changes,
) -> Result<(Vec<Fate>, Learned, Option<Due>), sqlx::Error> {
    let Stripped { items, letters } = forgotten::strip(items, &known.tombstones);
    let items = &*items;
    let mut fates = events::insert(connection, items).await?;
    alerts::insert(connection, items, &mut fates).await?;
    facts::insert(connection, items, &mut fates).await?;
    let new_dead = dead_letters::insert(connection, items).await?;
    for index in letters.into_iter().filter(|index| new_dead[*index]) {
        dead_letters::erase_inserted(connection, &items[index]).await?;
    }
    let mut rollups = Rollups::default();
    for ((item, fate), new_dead) in items.iter().zip(&fates).zip(new_dead) {
        if let (Content::Event(event), Fate::Stored) = (&item.content, fate) {
            rollups.add(event);
        }
        changes.add(item, fate, new_dead);
    }
    let (learned, due) = rollups.write(connection, &known.rollups).await?;
    changes.write(connection).await?;
    Ok((fates, learned, due))
}

/// The reason, if the error is the data's: SQLSTATE class 22 (data exception), 23 (constraint), or 54 (a limit of the
/// program, such as JSON nested deeper than its stack). Everything else is worth another try.
fn data_error(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let code = error.code()?;
    is_data_error(&code).then(|| format!("{} (SQLSTATE {code})", error.message()))
}

fn is_data_error(code: &str) -> bool {
    matches!(code.get(..2), Some("22" | "23" | "54"))
}

/// What came of an attempt to store a dead letter after all.
#[derive(Debug)]
pub enum Replayed {
    /// There is no open one with this id.
    NotOpen,
    /// It still cannot be stored; it stays open.
    Refused(Cow<'static, str>),
    /// As rows, or as duplicates of rows.
    Stored { stored: usize, duplicates: usize },
}

/// Stores an open dead letter by the same code that stores batches, and corrects the ledger in the same transaction.
/// `open` turns its bytes into items again.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub async fn replay<'a>(
    db: &Db,
    id: i64,
    actor: &str,
    open: impl FnOnce(&Origin) -> Vec<Item<'a>>,
) -> Result<Replayed, StoreError> {
    let mut connection = db.connect().await?;
    super::within(replay_on(&mut connection, id, actor, open)).await
}

/// Where a dead letter came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    pub edge_id: common::ids::EdgeId,
    pub warehouse_id: common::ids::WarehouseId,
    pub batch_id: common::ids::BatchId,
    pub whole_frame: bool,
}

async fn replay_on<'a>(
    connection: &mut PgConnection,
    id: i64,
    actor: &str,
    open: impl FnOnce(&Origin) -> Vec<Item<'a>>,
) -> Result<Replayed, sqlx::Error> {
    let mut known = Known::default();
    begin_storing(connection, &mut known.tombstones).await?;
    let Some(letter) = dead_letters::take(connection, id).await? else { return Ok(Replayed::NotOpen) };
    let origin = Origin {
        edge_id: letter.edge_id(),
        warehouse_id: letter.warehouse_id(),
        batch_id: letter.batch_id(),
        whole_frame: letter.kind == crate::frame::DeadKind::Frame.as_str(),
    };
    let items = open(&origin);
    let dead = items.iter().find_map(|item| match &item.content {
        Content::Dead { reason, .. } => Some(reason.clone()),
        Content::Event(_) | Content::Alert(_) | Content::Fact(_) => None,
    });
    if let Some(reason) = dead {
        return Ok(Replayed::Refused(reason));
    }
    let mut changes = ledger::Changes::default();
    if let Some((epoch, _)) = letter.place() {
        changes.take_back_dead(origin.edge_id, origin.warehouse_id, epoch, letter.quarter());
    }
    // The connection is not used again: closing it rolls back.
    let (fates, due) = match body(connection, &items, &known, changes).await {
        Ok((fates, _, due)) => (fates, due),
        Err(error) => return data_error(&error).map(|reason| Replayed::Refused(reason.into())).ok_or(error),
    };
    let stored = fates.iter().filter(|fate| **fate == Fate::Stored).count();
    let duplicates = fates.len() - stored;
    dead_letters::resolve(connection, id, "replayed", actor, None).await?;
    commit(connection, due).await?;
    Ok(Replayed::Stored { stored, duplicates })
}

/// Discards an open dead letter, with who and why in the audit log. False if it is not open.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub async fn discard(db: &Db, id: i64, actor: &str, reason: &str) -> Result<bool, StoreError> {
    let mut connection = db.connect().await?;
    super::within(async {
        sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
        let discarded = dead_letters::resolve(&mut connection, id, "discarded", actor, Some(reason)).await?;
        sqlx::raw_sql(COMMIT).execute(&mut connection).await?;
        Ok(discarded)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::is_data_error;

    #[test]
    fn only_the_datas_own_faults_are_dead_letters() {
        for code in ["22P05", "22003", "22001", "23514", "54001"] {
            assert!(is_data_error(code), "{code}");
        }
        for code in ["08006", "40001", "40P01", "42P01", "53100", "53300", "55P03", "57014", "57P01", "58030", "XX000"]
        {
            assert!(!is_data_error(code), "{code}");
        }
    }
}
