//! What the machine can do at all: the yardsticks beside which our figures stand.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tests::events::Snapshot;
use tests::redis::Redis;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

/// As many commands in a pipeline as our own appender puts into a group under load.
const PIPELINE: usize = 256;
/// As many rows in a statement as a batch has records.
const INSERT_ROWS: usize = 500;

/// The fields our intake reads, and nothing done with them: keypoints raw, texts borrowed where they can be.
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is all that is measured")]
struct Parsed<'a> {
    event_id: Uuid,
    event_time: &'a str,
    warehouse_id: Uuid,
    zone_id: Uuid,
    camera_id: &'a str,
    worker_id: Option<Uuid>,
    model_version: &'a str,
    risk_score: f64,
    #[serde(borrow)]
    posture_keypoints: &'a RawValue,
    confidence: f64,
    source: &'a str,
}

/// A bare axum server that parses and answers.
pub async fn parse_only(port: u16) -> anyhow::Result<()> {
    async fn parse(body: Bytes) -> (StatusCode, String) {
        let parsed = if body.first() == Some(&b'[') {
            serde_json::from_slice::<Vec<Parsed<'_>>>(&body).map(|events| events.len())
        } else {
            serde_json::from_slice::<Parsed<'_>>(&body).map(|_| 1)
        };
        match parsed {
            Ok(events) => (StatusCode::ACCEPTED, format!("{{\"accepted\":{events}}}")),
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
        }
    }
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.context("listen")?;
    let router = Router::new()
        .route("/ingestion/ergonomics", post(parse))
        .layer(axum::extract::DefaultBodyLimit::max(8 * 1024 * 1024));
    axum::serve(listener, router).await.context("serve")
}

/// Events a second that plain pipelined XADD puts into a durable Redis, over so many connections.
pub async fn raw_xadd(redis: &Redis, events: &[Snapshot], connections: usize) -> anyhow::Result<f64> {
    let bodies: Vec<Bytes> = events.iter().map(|event| Bytes::from(event.to_json())).collect();
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for part in bodies.chunks(bodies.len().div_ceil(connections)) {
        let (part, mut connection) = (part.to_vec(), redis.connect().await?);
        tasks.spawn(async move {
            for group in part.chunks(PIPELINE) {
                let mut pipeline = redis::pipe();
                for body in group {
                    pipeline.cmd("XADD").arg("raw").arg("*").arg("record").arg(&body[..]).ignore();
                }
                pipeline.query_async::<()>(&mut connection).await.context("XADD")?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let rate = events.len() as f64 / started.elapsed().as_secs_f64();
    redis.command::<()>(&["DEL", "raw"]).await?;
    Ok(rate)
}

const INSERT: &str = "
    INSERT INTO ergonomic_snapshots (event_id, event_time, ingest_time, warehouse_id, zone_id, camera_id, worker_id,
        model_version, risk_score, posture_keypoints, confidence, source, edge_id, edge_epoch, edge_seq, clock_suspect)
    SELECT event_id, event_time, event_time, $1, zone_id, camera_id, worker_id, model_version, risk_score,
        keypoints::json, confidence, source, $2, $3, seq, false
    FROM UNNEST($4::uuid[], $5::timestamptz[], $6::uuid[], $7::text[], $8::uuid[], $9::text[], $10::numeric[],
        $11::text[], $12::numeric[], $13::text[], $14::int8[])
        AS t(event_id, event_time, zone_id, camera_id, worker_id, model_version, risk_score, keypoints, confidence,
             source, seq)
    ON CONFLICT DO NOTHING";

/// Rows a second that one connection inserts into the same table, 500 at a time, and nothing else.
pub async fn raw_insert(database_url: &str, events: &[Snapshot]) -> anyhow::Result<f64> {
    let mut connection = PgConnection::connect(database_url).await.context("connect to Postgres")?;
    connection.execute("SET synchronous_commit = on").await.context("set synchronous_commit")?;
    let hundredths = |value: f64| rust_decimal::Decimal::new((value * 100.0).round() as i64, 2);
    let mut spent = Duration::ZERO;
    for (index, chunk) in events.chunks(INSERT_ROWS).enumerate() {
        fn column<T>(chunk: &[Snapshot], of: impl Fn(&Snapshot) -> T) -> Vec<T> {
            chunk.iter().map(of).collect()
        }
        let started = Instant::now();
        let seq = (index * INSERT_ROWS) as i64;
        sqlx::query(INSERT)
            .bind(chunk[0].warehouse_id)
            .bind(Uuid::nil())
            .bind(Uuid::nil())
            .bind(column(chunk, |e| e.event_id))
            .bind(column(chunk, |e| e.event_time))
            .bind(column(chunk, |e| e.zone_id))
            .bind(column(chunk, |e| e.camera_id.clone()))
            .bind(column(chunk, |e| e.worker_id))
            .bind(column(chunk, |e| e.model_version.clone()))
            .bind(column(chunk, |e| hundredths(e.risk_score)))
            .bind(column(chunk, |e| e.posture_keypoints.get().to_owned()))
            .bind(column(chunk, |e| hundredths(e.confidence)))
            .bind(column(chunk, |e| e.source.clone()))
            .bind((seq..seq + chunk.len() as i64).collect::<Vec<_>>())
            .execute(&mut connection)
            .await
            .context("insert")?;
        spent += started.elapsed();
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ergonomic_snapshots").fetch_one(&mut connection).await?;
    anyhow::ensure!(rows == events.len() as i64, "{rows} of {} rows were inserted", events.len());
    Ok(events.len() as f64 / spent.as_secs_f64())
}

/// Empties the table, so that no measurement pays for another's rows.
pub async fn truncate(database_url: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(database_url).await.context("connect to Postgres")?;
    let statement = "TRUNCATE ergonomic_snapshots, zone_minutes, zone_quarters, zone_hours, site_quarters, site_hours, \
                     site_days, rollups_due, edge_epochs";
    connection.execute(AssertSqlSafe(statement)).await.context("truncate")?;
    connection.execute("CHECKPOINT").await.context("checkpoint")?;
    Ok(())
}
