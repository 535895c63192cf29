//! The programs that people start: `smartpick-edge simulate`, `make stack`, `make demo`.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tests::process::{self, Spec, our_binary};
use tests::stack::Stack;
use tests::wait;
use uuid::Uuid;

use crate::options;

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_delivers_what_its_ledger_says() -> anyhow::Result<()> {
    let stack = Stack::start(options()).await?;
    stack.explain(simulate(&stack)).await
}

async fn simulate(stack: &Stack) -> anyhow::Result<()> {
    let edge = &stack.edges[0];
    let ledger = stack.dir.path().join("ledger");
    let warehouse = edge.warehouse_id.to_string();
    let words = [
        "simulate",
        "--url",
        &edge.url,
        "--token",
        &edge.camera_token,
        "--warehouse",
        &warehouse,
        "--count",
        "3000",
        "--rate",
        "0",
        "--batch",
        "50",
        "--duplicates",
        "10%",
        "--late",
        "5%",
        "--json",
        "--ledger",
    ];
    let spec = Spec {
        name: "smartpick-edge simulate".to_owned(),
        program: our_binary("smartpick-edge")?,
        args: words.iter().map(|word| (*word).to_owned()).chain([ledger.display().to_string()]).collect(),
        user: None,
        log: stack.dir.path().join("simulate.log"),
        last_signal: Signal::KILL,
    };
    let summary: Value = serde_json::from_str(&process::run(spec).await?)?;
    ensure!(summary["accepted"] == 3000 && summary["rejected"] == 0, "{summary}");
    let ids: HashSet<Uuid> =
        std::fs::read_to_string(&ledger)?.lines().map(Uuid::parse_str).collect::<Result<_, _>>()?;
    ensure!(ids.len() == 3000, "{} ids in the ledger", ids.len());
    let ids: Vec<Uuid> = ids.into_iter().collect();
    wait::until("the simulated events to be in Postgres", wait::DRAIN, || async {
        let mut connection = PgConnection::connect(&stack.database_url).await?;
        let statement = "SELECT count(*), count(DISTINCT event_id) FROM ergonomic_snapshots WHERE event_id = ANY($1)";
        let counts: (i64, i64) = sqlx::query_as(statement).bind(&ids).fetch_one(&mut connection).await?;
        connection.close().await?;
        ensure!(counts == (3000, 3000), "{counts:?}");
        Ok(Some(()))
    })
    .await
}

/// A program of the harness, started as make does, with a pipe for its stdin.
fn start(name: &str, args: &[&str]) -> anyhow::Result<Child> {
    let mut command = Command::new(our_binary(name)?);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().with_context(|| format!("start {name}"))
}

/// The one line that `stack` prints.
fn announced(child: &mut Child) -> anyhow::Result<Value> {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().context("piped")?).read_line(&mut line)?;
    serde_json::from_str(&line).with_context(|| format!("not JSON: {line:?}"))
}

fn pid(value: &Value) -> anyhow::Result<Pid> {
    let pid = value["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    pid.with_context(|| format!("no pid in {value}"))
}

async fn ready(url: &str) -> anyhow::Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    wait::until(&format!("{url} to be ready"), wait::SOON, || async {
        let status = http.get(format!("{url}/readyz")).send().await?.status();
        Ok(status.is_success().then_some(()))
    })
    .await
}

/// The processes that have `dir` in their command line, and the janitor.
fn processes_of(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(&dir)).collect()
}

async fn all_gone(dir: &Path) -> anyhow::Result<()> {
    wait::until("nothing to be left behind", wait::SOON, || async {
        let left = processes_of(dir);
        ensure!(left.is_empty(), "still running: {left:#?}");
        ensure!(!dir.exists(), "{} is still there", dir.display());
        Ok(Some(()))
    })
    .await
}

fn dir_of(line: &Value) -> anyhow::Result<PathBuf> {
    let data_dir = line["edges"][0]["data_dir"].as_str().context("data_dir")?;
    Ok(Path::new(data_dir).parent().context("a parent")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_restarts_what_is_killed_and_leaves_nothing_when_stdin_closes() -> anyhow::Result<()> {
    let mut child = start("stack", &["--edges", "2", "--centrals", "2"])?;
    let line = announced(&mut child)?;
    let checked = async {
        ensure!(
            line["edges"].as_array().map(Vec::len) == Some(2) && line["central"].as_array().map(Vec::len) == Some(2)
        );
        let url = |value: &Value| value["url"].as_str().map(str::to_owned).context("url");
        for part in [&line["edges"][1], &line["central"][0]] {
            ready(&url(part)?).await?;
            kill_process(pid(part)?, Signal::KILL)?;
            let gone = format!("/proc/{}/fd", pid(part)?.as_raw_nonzero());
            wait::until("the killed process to be gone", wait::SOON, || async {
                Ok(std::fs::read_dir(&gone).is_err().then_some(()))
            })
            .await?;
            ready(&url(part)?).await?;
        }
        let database_url = line["database_url"].as_str().context("database_url")?;
        PgConnection::connect(database_url).await.context("the printed database_url works")?.close().await?;
        ensure!(!processes_of(&dir_of(&line)?).is_empty());
        Ok(())
    }
    .await;
    drop(child.stdin.take());
    let status = tokio::task::spawn_blocking(move || child.wait()).await??;
    checked?;
    ensure!(status.success(), "{status}");
    all_gone(&dir_of(&line)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_stack_leaves_nothing_behind() -> anyhow::Result<()> {
    let mut child = start("stack", &[])?;
    let line = announced(&mut child)?;
    child.kill()?;
    child.wait()?;
    all_gone(&dir_of(&line)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_survives_its_own_outage_and_verifies_itself() -> anyhow::Result<()> {
    let child = start("demo", &["--duration", "14s", "--wan-outage", "4s", "--rate", "150"])?;
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{}:\n{text}", output.status);
    ensure!(text.contains("WAN down"), "{text}");
    ensure!(text.contains("Verified: all") && text.contains("missing 0"), "{text}");
    Ok(())
}
