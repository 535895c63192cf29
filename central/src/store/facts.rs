//! Rows of `alert_facts`: what people said of alerts, brought by edges or said here. Append-only. What the facts amount to
//! is for [`common::alert::merge`] alone to say.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use common::alert::{Fact, Origin, Statement};
use common::ids::{AlertId, EdgeId, FactId, WarehouseId};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::batch::{BEGIN, COMMIT};
use super::{Db, StoreError, audit, within};
use crate::frame::{Content, Fate, Item};

const INSERT: &str = "\
INSERT INTO alert_facts
    (fact_id, warehouse_id, kind, origin, made_at, made_by, statement, alert_id, silence_id, until, edge_id,
     position)
SELECT fact_id, warehouse_id, kind, origin, made_at, made_by, statement::jsonb, alert_id, silence_id, until, edge_id,
       position
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::uuid[],
            $9::uuid[], $10::timestamptz[], $11::uuid[], $12::int8[])
     AS t (fact_id, warehouse_id, kind, origin, made_at, made_by, statement, alert_id, silence_id, until, edge_id,
           position)
ON CONFLICT (fact_id, warehouse_id) DO NOTHING
RETURNING fact_id, warehouse_id";

/// Held until COMMIT by whoever adds a fact of headquarters, so that positions become visible in their order: an edge
/// that has the last one it was told of then has all before it.
const LOCK_WAREHOUSE: &str = "SELECT warehouse_id FROM warehouses WHERE warehouse_id = $1 FOR NO KEY UPDATE";

const LAST_POSITION: &str = "SELECT max(position) FROM alert_facts WHERE warehouse_id = $1 AND position IS NOT NULL";

const KNOWN: &str = "\
SELECT fact_id, warehouse_id, position, origin, made_at, made_by, statement FROM alert_facts WHERE fact_id = $1
ORDER BY warehouse_id";

const SILENCE: &str = "\
SELECT warehouse_id FROM alert_facts
WHERE fact_id = $1 AND kind = 'silence' AND ($2::uuid IS NULL OR warehouse_id = $2) ORDER BY warehouse_id";

const DELIVER: &str = "\
SELECT fact_id, warehouse_id, position, origin, made_at, made_by, statement FROM alert_facts
WHERE warehouse_id = $1 AND position > $2 ORDER BY position LIMIT $3";

/// All that bears on some alerts: what was said of them, the silences that had not run out by some time, and their ends.
const ABOUT: &str = "\
SELECT fact_id, warehouse_id, position, origin, made_at, made_by, statement FROM alert_facts
WHERE kind = 'acknowledge' AND warehouse_id = ANY ($1::uuid[]) AND alert_id = ANY ($2::uuid[])
UNION ALL
SELECT fact_id, warehouse_id, position, origin, made_at, made_by, statement FROM alert_facts
WHERE kind = 'silence' AND warehouse_id = ANY ($1::uuid[]) AND until > $3
UNION ALL
SELECT e.fact_id, e.warehouse_id, e.position, e.origin, e.made_at, e.made_by, e.statement
FROM alert_facts s JOIN alert_facts e ON e.silence_id = s.fact_id AND e.warehouse_id = s.warehouse_id
WHERE s.kind = 'silence' AND s.warehouse_id = ANY ($1::uuid[]) AND s.until > $3 AND e.kind = 'end_silence'";

/// Newest first.
const SILENCES: &str = "\
SELECT fact_id, warehouse_id, position, origin, made_at, made_by, statement FROM alert_facts
WHERE kind = 'silence' AND ($1::uuid IS NULL OR warehouse_id = $1)
  AND ($2::timestamptz IS NULL OR (made_at, fact_id) < ($2, $3::uuid))
ORDER BY made_at DESC, fact_id DESC LIMIT $4";

const ENDS: &str = "\
SELECT fact_id, warehouse_id, position, origin, made_at, made_by, statement FROM alert_facts
WHERE kind = 'end_silence' AND silence_id = ANY ($1::uuid[])";

pub const STATEMENTS: &[&str] =
    &[INSERT, LOCK_WAREHOUSE, LAST_POSITION, KNOWN, SILENCE, DELIVER, ABOUT, SILENCES, ENDS];

#[derive(FromRow)]
struct Row {
    fact_id: Uuid,
    warehouse_id: Uuid,
    position: Option<i64>,
    origin: String,
    made_at: DateTime<Utc>,
    made_by: String,
    statement: Json<Statement>,
}

impl Row {
    fn fact(self) -> Fact {
        Fact {
            fact_id: FactId::from_uuid(self.fact_id),
            at: self.made_at,
            by: self.made_by,
            origin: if self.origin == origin(Origin::Edge) { Origin::Edge } else { Origin::Headquarters },
            statement: self.statement.0,
        }
    }
}

/// Who brought a fact.
#[derive(Clone, Copy)]
enum Via {
    Edge(EdgeId),
    /// It is said here, and gets this position.
    Here(i64),
}

/// A fact, whose it is, and who brought it.
type New<'a> = (WarehouseId, &'a Fact, Via);

impl Via {
    const fn edge(self) -> Option<Uuid> {
        match self {
            Self::Edge(edge) => Some(edge.uuid()),
            Self::Here(_) => None,
        }
    }

    const fn position(self) -> Option<i64> {
        match self {
            Self::Edge(_) => None,
            Self::Here(position) => Some(position),
        }
    }
}

/// Writes the facts among `items`, in key order and each once, for the same reasons as events. `Stored` are the new ones.
pub(super) async fn insert(
    connection: &mut PgConnection,
    items: &[Item<'_>],
    fates: &mut [Fate],
) -> Result<(), sqlx::Error> {
    let mut rows: BTreeMap<(Uuid, Uuid), (usize, New<'_>)> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Content::Fact(fact) = &item.content {
            let new = (index, (item.warehouse_id, fact, Via::Edge(item.edge_id)));
            rows.entry((fact.fact_id.uuid(), item.warehouse_id.uuid())).or_insert(new);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let all: Vec<New<'_>> = rows.values().map(|(_, new)| *new).collect();
    let stored = insert_rows(connection, &all).await?;
    for (key, (index, _)) in &rows {
        if stored.contains(key) {
            fates[*index] = Fate::Stored;
        }
    }
    Ok(())
}

async fn insert_rows(connection: &mut PgConnection, facts: &[New<'_>]) -> Result<HashSet<(Uuid, Uuid)>, sqlx::Error> {
    fn column<'a, T>(facts: &[New<'a>], field: impl Fn(&'a Fact) -> T) -> Vec<T> {
        facts.iter().map(|(_, fact, _)| field(fact)).collect()
    }
    let stored: Vec<(Uuid, Uuid)> = sqlx::query_as(INSERT)
        .bind(column(facts, |f| f.fact_id.uuid()))
        .bind(facts.iter().map(|(warehouse, ..)| warehouse.uuid()).collect::<Vec<_>>())
        .bind(column(facts, |f| kind(&f.statement)))
        .bind(column(facts, |f| origin(f.origin)))
        .bind(column(facts, |f| f.at))
        .bind(column(facts, |f| &*f.by))
        .bind(column(facts, |f| serde_json::to_string(&f.statement).expect("plain fields in memory")))
        .bind(column(facts, |f| match &f.statement {
            Statement::Acknowledge { alert_id, .. } => Some(alert_id.uuid()),
            _ => None,
        }))
        .bind(column(facts, |f| match &f.statement {
            Statement::EndSilence { silence_id } => Some(silence_id.uuid()),
            _ => None,
        }))
        .bind(column(facts, |f| match &f.statement {
            Statement::Silence { until, .. } => Some(*until),
            _ => None,
        }))
        .bind(facts.iter().map(|(_, _, via)| via.edge()).collect::<Vec<_>>())
        .bind(facts.iter().map(|(_, _, via)| via.position()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    Ok(stored.into_iter().collect())
}

/// As it is stored.
const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Edge => "edge",
        Origin::Headquarters => "headquarters",
    }
}

const fn kind(statement: &Statement) -> &'static str {
    match statement {
        Statement::Acknowledge { .. } => "acknowledge",
        Statement::Silence { .. } => "silence",
        Statement::EndSilence { .. } => "end_silence",
    }
}

/// What came of something said at headquarters.
#[derive(Debug)]
pub enum Added {
    /// It is stored, now or since before, as this.
    Stored(Fact),
    /// The id is that of another fact.
    Conflict,
    NoWarehouse,
}

/// Stores a fact made at headquarters, with a line in the audit log. `same` says whether a fact that has this id already
/// is this one.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub async fn add(
    db: &Db,
    warehouse: WarehouseId,
    fact: Fact,
    same: impl FnOnce(&Fact) -> bool,
) -> Result<Added, StoreError> {
    let mut lease = db.lease().await?;
    let connection = &mut *lease;
    let (added, committed) = within(async {
        sqlx::raw_sql(BEGIN).execute(&mut *connection).await?;
        let locked: Option<Uuid> =
            sqlx::query_scalar(LOCK_WAREHOUSE).bind(warehouse.uuid()).fetch_optional(&mut *connection).await?;
        if locked.is_none() {
            return Ok((Added::NoWarehouse, false));
        }
        let known: Vec<Row> = sqlx::query_as(KNOWN).bind(fact.fact_id.uuid()).fetch_all(&mut *connection).await?;
        if !known.is_empty() {
            let own = known.into_iter().find(|row| row.warehouse_id == warehouse.uuid()).map(Row::fact);
            return Ok((own.filter(same).map_or(Added::Conflict, Added::Stored), false));
        }
        let last: Option<i64> =
            sqlx::query_scalar(LAST_POSITION).bind(warehouse.uuid()).fetch_one(&mut *connection).await?;
        let position = fact.at.timestamp_micros().max(last.map_or(0, |last| last + 1));
        insert_rows(&mut *connection, &[(warehouse, &fact, Via::Here(position))]).await?;
        let subject = format!("fact {} in warehouse {warehouse}", fact.fact_id);
        let what = serde_json::to_string(&fact.statement).expect("plain fields in memory");
        audit::note(&mut *connection, &fact.by, kind(&fact.statement), &subject, Some(&what)).await?;
        sqlx::raw_sql(COMMIT).execute(connection).await?;
        Ok((Added::Stored(fact), true))
    })
    .await?;
    if committed {
        // Otherwise its transaction ends with the connection.
        lease.done();
    }
    Ok(added)
}

/// The warehouses that have a silence of this id: one, but for ill will.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn silence_of(db: &Db, silence: FactId, warehouse: Option<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    let mut lease = db.lease().await?;
    let found = within(sqlx::query_scalar(SILENCE).bind(silence.uuid()).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(found)
}

/// Headquarters' facts of a warehouse after a position, oldest first, and the position of the last.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn deliver(db: &Db, warehouse: WarehouseId, after: u64, max: usize) -> Result<(Vec<Fact>, u64), StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(DELIVER)
        .bind(warehouse.uuid())
        // An edge may claim anything; beyond our numbers there is nothing.
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::try_from(max).unwrap_or(i64::MAX));
    let rows: Vec<Row> = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    let until = rows.last().and_then(|row| row.position).map_or(after, i64::unsigned_abs);
    Ok((rows.into_iter().map(Row::fact).collect(), until))
}

/// Facts by the warehouse they are of.
pub type ByWarehouse = HashMap<Uuid, Vec<Fact>>;

fn by_warehouse(rows: Vec<Row>) -> ByWarehouse {
    let mut facts = ByWarehouse::new();
    for row in rows {
        facts.entry(row.warehouse_id).or_default().push(row.fact());
    }
    facts
}

/// All that was said of these alerts, and all silences of their warehouses that may hold at `since` or later.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn about(
    db: &Db,
    warehouses: &[Uuid],
    alerts: &[AlertId],
    since: DateTime<Utc>,
) -> Result<ByWarehouse, StoreError> {
    let mut lease = db.lease().await?;
    let alerts: Vec<Uuid> = alerts.iter().map(|alert| alert.uuid()).collect();
    let rows = within(sqlx::query_as(ABOUT).bind(warehouses).bind(alerts).bind(since).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(by_warehouse(rows))
}

/// All that was said of one silence, by warehouse.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn silence(db: &Db, silence: FactId) -> Result<ByWarehouse, StoreError> {
    let mut lease = db.lease().await?;
    let mut rows: Vec<Row> = within(sqlx::query_as(KNOWN).bind(silence.uuid()).fetch_all(&mut *lease)).await?;
    let ends: Vec<Row> = within(sqlx::query_as(ENDS).bind(vec![silence.uuid()]).fetch_all(&mut *lease)).await?;
    lease.done();
    rows.extend(ends);
    Ok(by_warehouse(rows))
}

/// A page of silences, newest first, with all that was said of their ends. The second is the key of the last one if
/// the page is full.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn silences(
    db: &Db,
    warehouse: Option<Uuid>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<(ByWarehouse, Option<(DateTime<Utc>, Uuid)>), StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(SILENCES)
        .bind(warehouse)
        .bind(before.map(|(time, _)| time))
        .bind(before.map(|(_, id)| id))
        .bind(limit);
    let mut rows: Vec<Row> = within(query.fetch_all(&mut *lease)).await?;
    let full = i64::try_from(rows.len()) == Ok(limit);
    let last = rows.last().filter(|_| full).map(|row| (row.made_at, row.fact_id));
    let ids: Vec<Uuid> = rows.iter().map(|row| row.fact_id).collect();
    let ends: Vec<Row> = within(sqlx::query_as(ENDS).bind(ids).fetch_all(&mut *lease)).await?;
    lease.done();
    rows.extend(ends);
    Ok((by_warehouse(rows), last))
}
