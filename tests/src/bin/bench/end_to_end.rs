//! (b) End to end: from the first POST until the last row is committed. (e) What each process costs on the way.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tests::central::Setup;
use tests::stack::{Options, Stack};

use crate::client::{bodies, fresh, post_all};
use crate::limits::{raw_insert, truncate};
use crate::report::Report;
use crate::usage::Meter;

const PART: &str = "(b) end to end, POST to committed row";
const COST: &str = "(e) cost, while (b) ran";
const CONNECTIONS: usize = 8;
/// How long the last rows may take before the bench calls itself broken.
const TIMEOUT: Duration = Duration::from_secs(300);

pub async fn measure(report: &mut Report, events: usize) -> anyhow::Result<()> {
    let stack = Stack::start(Options::default()).await?;
    // The yardstick has its own database in the same server, made by the same migrations.
    let postgres = stack.postgres.as_ref().context("the stack has its own Postgres")?;
    let raw_url = postgres.create_database().await?;
    Setup::new(&stack.dir, &raw_url, &stack.central_redis.url, None).await?;

    raw_insert(&raw_url, &fresh(events / 5)).await?;
    truncate(&raw_url).await?;
    let before = raw_insert(&raw_url, &fresh(events)).await?;
    truncate(&raw_url).await?;

    let ready = bodies(&fresh(events), 100);
    let meters = [
        Meter::start("edge", stack.edges[0].service().pid())?,
        Meter::start("edge's Redis", stack.edge_redis[0].service().pid())?,
        Meter::start("central", stack.centrals[0].service().pid())?,
        Meter::start("central's Redis", stack.central_redis.service().pid())?,
        Meter::start("Postgres", postgres.service().pid())?,
        Meter::start("camera client (this bench)", Some(std::process::id()))?,
    ];
    let edge = &stack.edges[0];
    let started = Instant::now();
    let posted = post_all(&edge.url, &edge.camera_token, ready, CONNECTIONS).await?;
    let took = committed(&stack.database_url, events, started).await?;
    let rate = events as f64 / took.as_secs_f64();
    for meter in meters {
        let (spent, peak) = (meter.spent()?, meter.peak_mib()?);
        report.add_noted(
            COST,
            meter.name.clone(),
            spent.as_secs_f64() * 1e6 / events as f64,
            "µs/event",
            format!("{:.0} % of a core, peak {peak:.0} MiB", spent.as_secs_f64() / took.as_secs_f64() * 100.0),
        );
    }

    truncate(&stack.database_url).await?;
    let after = raw_insert(&raw_url, &fresh(events)).await?;
    let raw = f64::midpoint(before, after);
    report.add_noted(
        PART,
        "raw INSERT, 1 connection, 500 rows",
        raw,
        "rows/s",
        format!("before {before:.0}, after {after:.0}"),
    );
    report.add(PART, "accepted by the edge meanwhile", events as f64 / posted.as_secs_f64(), "events/s");
    report.add_noted(
        PART,
        "POST to committed row",
        rate,
        "events/s",
        format!("{:.0} % of raw INSERT (aim 65 %, and 20,000/s)", rate / raw * 100.0),
    );
    Ok(())
}

/// Waits until so many rows are committed; how long after `started` that was.
async fn committed(database_url: &str, events: usize, started: Instant) -> anyhow::Result<Duration> {
    let mut connection = PgConnection::connect(database_url).await.context("connect to Postgres")?;
    loop {
        // What the ledger says costs nothing to ask; the rows are counted once, at the end.
        let stored: i64 = sqlx::query_scalar("SELECT coalesce(sum(stored), 0)::int8 FROM edge_epochs")
            .fetch_one(&mut connection)
            .await?;
        if stored >= events as i64 {
            break;
        }
        anyhow::ensure!(started.elapsed() < TIMEOUT, "{stored} of {events} rows after {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = started.elapsed();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ergonomic_snapshots").fetch_one(&mut connection).await?;
    anyhow::ensure!(rows == events as i64, "{rows} rows for {events} events");
    Ok(took)
}
