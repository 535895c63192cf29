//! The proof: what was acknowledged to the cameras against what is in Postgres and what central's ledger says. Every
//! event, once, with the same fields, and nothing missing.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, FromRow};
use uuid::Uuid;

use crate::camera::Book;
use crate::central::Account;
use crate::events::Snapshot;
use crate::stack::Stack;
use crate::wait;

/// Differences shown before the rest is only counted.
const SHOWN_MAX: usize = 10;

#[derive(Debug, FromRow)]
struct Row {
    event_id: Uuid,
    event_time: DateTime<Utc>,
    ingest_time: DateTime<Utc>,
    warehouse_id: Uuid,
    zone_id: Uuid,
    camera_id: String,
    worker_id: Option<Uuid>,
    model_version: String,
    risk_score: String,
    posture_keypoints: String,
    confidence: String,
    source: String,
    edge_id: Uuid,
    edge_epoch: Uuid,
    edge_seq: i64,
    clock_suspect: bool,
}

const ROWS: &str = "SELECT event_id, event_time, ingest_time, warehouse_id, zone_id, camera_id, worker_id, model_version,
    risk_score::text AS risk_score, posture_keypoints::text AS posture_keypoints, confidence::text AS confidence, source,
    edge_id, edge_epoch, edge_seq, clock_suspect FROM ergonomic_snapshots";

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    pub acknowledged: usize,
    pub rows: usize,
    /// Acknowledged events without a row.
    pub lost: usize,
    /// As central's ledger has it.
    pub missing: i64,
    /// Records that reached central more than once and were stored once.
    pub duplicates: i64,
    pub dead: i64,
}

/// Waits until everything acknowledged has arrived and proves it.
///
/// # Errors
/// What is missing, double or different, and where to look.
pub async fn check(stack: &Stack) -> anyhow::Result<Report> {
    let report = check_but(stack, 0).await?;
    ensure!(report.acknowledged > 0, "nothing was acknowledged, so nothing was proved");
    Ok(report)
}

/// The same where exactly `lost` acknowledged events were destroyed: the ledger must miss exactly so many.
///
/// # Errors
/// What is missing, double or different, and where to look.
pub async fn check_but(stack: &Stack, lost: usize) -> anyhow::Result<Report> {
    let book = stack.ledger.book();
    drained(stack, &book, book.acknowledged.len() - lost).await?;
    let mut report = compare(stack, &book).await?;
    ensure!(report.lost == lost, "{} acknowledged events have no row, {lost} were expected to", report.lost);
    let accounts = settled(stack, i64::try_from(lost)?).await?;
    report.missing = accounts.iter().map(|account| account.missing).sum();
    report.duplicates = accounts.iter().map(|account| account.duplicates).sum();
    report.dead = accounts.iter().map(|account| account.dead).sum();
    ensure!(report.dead == 0, "{} healthy events became dead letters", report.dead);
    for account in &accounts {
        let explained = account.stored + account.alerts + account.duplicates + account.dead;
        ensure!(account.received == explained, "received, and nobody knows as what: {account:#?}");
    }
    let stored: i64 = accounts.iter().map(|account| account.stored).sum();
    ensure!(usize::try_from(stored)? == report.rows, "the ledger says {stored} stored, there are {} rows", report.rows);
    Ok(report)
}

/// Waits until enough acknowledged events have a row.
async fn drained(stack: &Stack, book: &Book, wanted: usize) -> anyhow::Result<()> {
    let ids: Vec<Uuid> = book.acknowledged.iter().copied().collect();
    wait::until("every acknowledged event to be in Postgres", wait::DRAIN, || async {
        let mut connection = PgConnection::connect(&stack.database_url).await?;
        let statement = "SELECT count(DISTINCT event_id) FROM ergonomic_snapshots WHERE event_id = ANY($1)";
        let there: i64 = sqlx::query_scalar(statement).bind(&ids).fetch_one(&mut connection).await?;
        connection.close().await?;
        ensure!(usize::try_from(there)? >= wanted, "{there} of {wanted} are there");
        Ok(Some(()))
    })
    .await
}

async fn compare(stack: &Stack, book: &Book) -> anyhow::Result<Report> {
    let mut connection = PgConnection::connect(&stack.database_url).await.context("connect to postgres")?;
    let mut rows = sqlx::query_as::<_, Row>(ROWS).fetch(&mut connection);
    let mut seen = HashSet::with_capacity(book.acknowledged.len());
    let mut places = HashSet::new();
    let edges: HashMap<Uuid, Uuid> = stack.edges.iter().map(|edge| (edge.edge_id, edge.warehouse_id)).collect();
    let mut wrong = Vec::new();
    while let Some(row) = rows.try_next().await.context("read the rows")? {
        let id = row.event_id;
        if !seen.insert(id) {
            wrong.push(format!("{id} is there twice"));
        }
        if !places.insert((row.edge_id, row.edge_epoch, row.edge_seq)) || row.edge_seq < 1 {
            wrong.push(format!("{id} has place {} in epoch {}, as another event", row.edge_seq, row.edge_epoch));
        }
        if !edges.contains_key(&row.edge_id) {
            wrong.push(format!("{id} is from edge {}, which there is not", row.edge_id));
        }
        match book.sent.get(&id) {
            Some(sent) => wrong.extend(differences(sent, &row)?.into_iter().map(|what| format!("{id}: {what}"))),
            None => wrong.push(format!("{id} is there, but was never sent")),
        }
    }
    if !wrong.is_empty() {
        let shown = wrong.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join("\n  ");
        bail!("{} rows are not as they were sent:\n  {shown}", wrong.len());
    }
    let lost = book.acknowledged.iter().filter(|id| !seen.contains(*id)).count();
    Ok(Report { acknowledged: book.acknowledged.len(), rows: seen.len(), lost, ..Report::default() })
}

fn differences(sent: &Snapshot, row: &Row) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut same = |what: &str, sent: String, stored: String| {
        if sent != stored {
            found.push(format!("{what} was sent as {sent} and stored as {stored}"));
        }
    };
    same("event_time", sent.event_time.to_string(), row.event_time.to_string());
    if let Some(ingest_time) = sent.ingest_time {
        same("ingest_time", ingest_time.to_string(), row.ingest_time.to_string());
    }
    same("warehouse_id", sent.warehouse_id.to_string(), row.warehouse_id.to_string());
    same("zone_id", sent.zone_id.to_string(), row.zone_id.to_string());
    same("camera_id", sent.camera_id.clone(), row.camera_id.clone());
    same("worker_id", format!("{:?}", sent.worker_id), format!("{:?}", row.worker_id));
    same("model_version", sent.model_version.clone(), row.model_version.clone());
    same("risk_score", format!("{:.2}", sent.risk_score), row.risk_score.clone());
    same("confidence", format!("{:.2}", sent.confidence), row.confidence.clone());
    same("source", sent.source.clone(), row.source.clone());
    same("clock_suspect", false.to_string(), row.clock_suspect.to_string());
    // As jsonb sees them: order and spelling of numbers do not count.
    let parse = |text: &str| serde_json::from_str::<Value>(text).context("keypoints are JSON");
    if parse(sent.posture_keypoints.get())? != parse(&row.posture_keypoints)? {
        same("posture_keypoints", sent.posture_keypoints.get().to_owned(), row.posture_keypoints.clone());
    }
    Ok(found)
}

/// Waits until central's ledger has heard of all that each edge accepted, and misses exactly `missing` of it.
async fn settled(stack: &Stack, missing: i64) -> anyhow::Result<Vec<Account>> {
    let central = stack.centrals.first().context("a stack has a central")?;
    wait::until("the ledger to be settled", wait::DRAIN, || async {
        let accounts = central.ledger().await?;
        for edge in &stack.edges {
            let stats = edge.stats().await?;
            if stats.ledger.head == 0 {
                continue;
            }
            let place = (edge.edge_id, stats.ledger.epoch);
            let account = accounts.iter().find(|account| (account.edge_id, account.epoch) == place);
            let account = account.with_context(|| format!("no account of epoch {}", stats.ledger.epoch))?;
            ensure!(account.reported_at.is_some(), "epoch {} had no heartbeat yet", account.epoch);
            ensure!(account.head == stats.ledger.head, "{account:?} should have the head {}", stats.ledger.head);
        }
        let sum = |part: fn(&Account) -> i64| accounts.iter().map(part).sum::<i64>();
        ensure!(sum(|account| account.buffered) == 0, "still buffered: {accounts:#?}");
        ensure!(sum(|account| account.missing) == missing, "not {missing} missing: {accounts:#?}");
        for account in &accounts {
            ensure!(account.received + account.missing == account.head, "does not add up: {account:#?}");
        }
        Ok(Some(accounts))
    })
    .await
}
