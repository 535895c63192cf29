//! `make bench`: how fast the system is, beside what the same machine can do at all.
//!
//! Everything is measured in one run, with release builds and all durable settings on, and all of it — client, edge,
//! both Redis, central, Postgres, and the limits — shares the machine's cores. Absolute figures say as much about the
//! machine as about us; the ratios are what to compare. Nothing here fails for being slow.

mod client;
mod drain;
mod end_to_end;
mod heartbeats;
mod intake;
mod latency;
mod limits;
mod live;
mod queries;
mod report;
mod rollups;
mod rules;
mod usage;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use report::Report;

/// Measures speed beside the limits of this machine.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where the figures go as JSON
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
    /// Only these parts: intake, end-to-end, latency, drain, live, rules, queries, heartbeats
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How large each measurement is; 0.1 is a quick look
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Where `queries` keeps its Postgres between runs: making 500 sites takes minutes and 9 GB
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// (for the bench itself) A handler that parses events and does nothing with them
    #[command(hide = true)]
    ParseOnly { port: u16 },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new().expect("the machine can run threads");
    let result = match args.command {
        Some(Command::ParseOnly { port }) => runtime.block_on(limits::parse_only(port)),
        None => runtime.block_on(run(&args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "bench: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let wanted = |part: &str| args.only.is_empty() || args.only.iter().any(|only| only == part);
    let size = |events: usize| ((events as f64 * args.scale) as usize).max(2_000);
    let mut report = Report::default();
    if wanted("intake") {
        intake::measure(&mut report, size(200_000)).await.context("intake")?;
    }
    if wanted("end-to-end") {
        end_to_end::measure(&mut report, size(300_000)).await.context("end to end")?;
    }
    if wanted("latency") {
        latency::measure(&mut report, args.scale).await.context("latency")?;
    }
    if wanted("drain") {
        drain::measure(&mut report, size(200_000)).await.context("drain")?;
    }
    if wanted("live") {
        live::measure(&mut report, args.scale).await.context("live")?;
    }
    if wanted("rules") {
        rules::measure(&mut report, size(2_000_000)).context("rules")?;
    }
    if wanted("queries") {
        queries::measure(&mut report, args.scale, args.data.as_deref()).await.context("queries")?;
    }
    if wanted("heartbeats") {
        heartbeats::measure(&mut report, args.scale).await.context("heartbeats")?;
    }
    report.print()?;
    report.write(&args.json)
}
