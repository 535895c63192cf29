//! Headquarters' database goes back in time or is emptied: what it had confirmed comes back from the edges' archives, by
//! itself, and the ledger says so.

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tests::process::{self, Spec, our_binary};
use tests::stack::{Options, Stack};
use tests::{checker, wait};

use crate::{BATCH, RATE, flow, options};

async fn connect(stack: &Stack) -> anyhow::Result<PgConnection> {
    PgConnection::connect(&stack.database_url).await.context("connect to postgres")
}

async fn rows(stack: &Stack) -> anyhow::Result<i64> {
    let mut connection = connect(stack).await?;
    let rows = sqlx::query_scalar("SELECT count(*) FROM ergonomic_snapshots").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(rows)
}

/// What the edge says of its archive.
async fn archive(stack: &Stack) -> anyhow::Result<Value> {
    Ok(stack.edges[0].get::<Value>("/streams/stats").await?["archive"].clone())
}

/// Lets some events flow, waits until all of them are confirmed and stops the load.
async fn some_events(stack: &Stack) -> anyhow::Result<()> {
    let load = stack.camera(0)?.load(RATE, BATCH);
    flow(stack).await?;
    load.stop().await?;
    wait::until("the buffer to be empty", wait::DRAIN, || async {
        let stats = stack.edges[0].stats().await?;
        Ok((stats.buffered.live + stats.buffered.backlog + stats.lanes.in_flight == 0).then_some(()))
    })
    .await
}

fn edge(stack: &Stack, args: &[&str]) -> anyhow::Result<Spec> {
    let config = stack.dir.path().join("edge-0.toml").display().to_string();
    Ok(Spec {
        name: format!("smartpick-edge {}", args[0]),
        program: our_binary("smartpick-edge")?,
        args: args.iter().map(|arg| (*arg).to_owned()).chain(["--config".to_owned(), config]).collect(),
        user: None,
        log: stack.dir.path().join("tool.log"),
        last_signal: Signal::KILL,
    })
}

/// Takes a snapshot, goes on, and puts the snapshot back, under load.
async fn roll_back(promoted: bool) -> anyhow::Result<()> {
    let options = Options { shared_postgres: false, ..options() };
    let stack = Stack::start(options).await?;
    stack
        .explain(async {
            let postgres = stack.postgres.as_ref().context("asked for")?;
            some_events(&stack).await?;
            let snapshot = postgres.snapshot().await?;
            let kept = rows(&stack).await?;
            some_events(&stack).await?;
            // An epoch that is over, and settled, and that the snapshot knows nothing of.
            stack.edges[0].terminate().await?;
            stack.edges[0].start_again().await?;
            some_events(&stack).await?;
            stack.edges[0].terminate().await?;
            stack.edges[0].start_again().await?;
            let load = stack.camera(0)?.load(RATE, BATCH);
            flow(&stack).await?;
            let before = rows(&stack).await?;
            postgres.roll_back(&snapshot, promoted).await?;
            flow(&stack).await?;
            load.stop().await?;
            ensure!(before > kept, "nothing was lost: {before} rows before, {kept} in the snapshot");
            let report = checker::check(&stack).await?;
            ensure!(report.missing == 0, "{report:?}");
            // All rows may be there while its last receipts are still on their way.
            let archive = wait::until("the sending again to end", wait::DRAIN, || async {
                let archive = archive(&stack).await?;
                Ok(archive["replay"]["endedAt"].is_string().then_some(archive))
            })
            .await?;
            let replay = &archive["replay"];
            ensure!(replay["why"] == "database", "{archive}");
            let lost = before - kept;
            let committed = replay["committed"].as_i64().unwrap_or_default();
            // What was on its way when it went back came again from the buffer.
            ensure!(committed > 0 && committed <= lost + 4_000, "{lost} were lost: {archive}");
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_rolled_back_in_place_is_filled_again() -> anyhow::Result<()> {
    roll_back(false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_filled_again() -> anyhow::Result<()> {
    roll_back(true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_database_is_filled_again() -> anyhow::Result<()> {
    let stack = Stack::start(Options { shared_postgres: false, ..options() }).await?;
    stack
        .explain(async {
            let postgres = stack.postgres.as_ref().context("asked for")?;
            some_events(&stack).await?;
            stack.edges[0].terminate().await?;
            stack.edges[0].start_again().await?;
            some_events(&stack).await?;
            // Whoever sets up a new database makes the credentials anew; these are the same ones, so that no edge has to be told.
            const KEPT: [&str; 3] = ["warehouses", "edges", "api_tokens"];
            let mut connection = connect(&stack).await?;
            let mut kept = Vec::new();
            for table in KEPT {
                // Generated ones make themselves.
                let sql = "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns \
                           WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'";
                let columns: String = sqlx::query_scalar(sql).bind(table).fetch_one(&mut connection).await?;
                let sql = sqlx::AssertSqlSafe(format!("SELECT coalesce(json_agg(t), '[]')::text FROM {table} t"));
                kept.push((columns, sqlx::query_scalar::<_, String>(sql).fetch_one(&mut connection).await?));
            }
            connection.close().await?;
            stack.centrals[0].kill9().await?;
            let mut admin = PgConnection::connect(&postgres.url("postgres")).await?;
            sqlx::raw_sql("DROP DATABASE smartpick WITH (FORCE)").execute(&mut admin).await?;
            admin.close().await?;
            postgres.database_named("smartpick").await?;
            stack.centrals[0].start_again().await?;
            let mut connection = connect(&stack).await?;
            for (table, (columns, rows)) in KEPT.iter().zip(kept) {
                let sql = format!(
                    "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE \
                     SELECT {columns} FROM json_populate_recordset(NULL::{table}, $1::json)"
                );
                sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).execute(&mut connection).await?;
            }
            connection.close().await?;
            let report = checker::check(&stack).await?;
            ensure!(report.missing == 0, "{report:?}");
            let archive = archive(&stack).await?;
            ensure!(archive["replay"]["why"] == "database", "{archive}");
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_sent_again_and_changes_nothing() -> anyhow::Result<()> {
    let stack = Stack::start(options()).await?;
    stack
        .explain(async {
            some_events(&stack).await?;
            let before = rows(&stack).await?;
            let dry = process::run(edge(&stack, &["replay", "--dry-run"])?).await?;
            let records: i64 = dry.split(' ').next().context("a number")?.parse().context(dry.clone())?;
            ensure!(records >= before, "{dry} of {before} rows");
            let said = process::run(edge(&stack, &["replay"])?).await?;
            ensure!(said.starts_with(&format!("{records} records were sent again: 0 were new")), "{said}");
            let none = process::run(edge(&stack, &["replay", "--to", "2020-01-01T00:00:00Z"])?).await?;
            ensure!(none.starts_with("0 records"), "{none}");
            let audit = process::run(edge(&stack, &["users", "audit"])?).await?;
            ensure!(audit.contains(&format!("asked to send {records} records to headquarters again")), "{audit}");
            let listed = process::run(edge(&stack, &["replay", "--list"])?).await?;
            ensure!(listed.contains("asked for"), "{listed}");
            ensure!(rows(&stack).await? == before, "rows were added");
            checker::check(&stack).await?;
            Ok(())
        })
        .await
}
