//! `make stack`: the whole system for people and for tests in other languages. When all is ready it prints one JSON
//! line on stdout and stays until Ctrl-C, SIGTERM, SIGHUP or the end of its stdin; then it leaves nothing behind.
//!
//! Whoever starts it with a pipe as stdin need only close it, or die. A terminal's stdin is not read, so that it can
//! run in the background; nor is /dev/null, which says that there is no stdin rather than that it ended.
//!
//! A process of it that is killed from outside is started again after a second on the same port with the same data,
//! as systemd would.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use serde::Serialize;
use tests::central::Tls;
use tests::stack::{Options, Stack};
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

/// The whole system on private servers, until Ctrl-C, SIGTERM or the end of stdin.
#[derive(Parser)]
struct Args {
    /// How many edges, each of a warehouse of its own
    #[arg(long, env = "EDGES", default_value_t = 1)]
    edges: usize,
    /// How many central processes; the edges are spread over them
    #[arg(long, env = "CENTRALS", default_value_t = 1, value_parser = at_least_one)]
    centrals: usize,
    /// Edges join by certificates, over TLS, and not by tokens
    #[arg(long)]
    certificates: bool,
}

/// For as long as such a stack is used.
const CERTIFICATE_SECONDS: u64 = 24 * 3_600;

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "it must be a whole number from 1 up".to_owned())
}

#[derive(Serialize)]
struct Ready<'a> {
    central: Vec<ReadyCentral<'a>>,
    database_url: &'a str,
    central_redis_url: &'a str,
    /// With it central's command line speaks to the same database: `smartpick-central users add … --config FILE`.
    central_config: &'a Path,
    /// What signed central's certificate, with `--certificates`.
    central_authority: Option<PathBuf>,
    edges: Vec<ReadyEdge<'a>>,
}

#[derive(Serialize)]
struct ReadyCentral<'a> {
    url: &'a str,
    /// For the query API, with all scopes.
    token: &'a str,
    pid: Option<u32>,
}

#[derive(Serialize)]
struct ReadyEdge<'a> {
    url: &'a str,
    camera_token: &'a str,
    /// What the edge shows to central.
    central_token: Option<&'a str>,
    warehouse_id: Uuid,
    edge_id: Uuid,
    redis_url: Option<&'a str>,
    data_dir: &'a Path,
    pid: Option<u32>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "stack: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    let live = async {
        let options = Options {
            edges: args.edges,
            centrals: args.centrals,
            supervised: true,
            certificate_seconds: args.certificates.then_some(CERTIFICATE_SECONDS),
            ..Options::default()
        };
        let stack = Stack::start(options).await?;
        announce(&stack)?;
        stdin_ended().await;
        // Held until here: dropping it ends everything.
        drop(stack);
        Ok(())
    };
    tokio::select! {
        ended = live => ended,
        // Ctrl-C; whatever is already running is dropped with `live`.
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        // The terminal was closed.
        _ = hangup.recv() => Ok(()),
    }
}

fn announce(stack: &Stack) -> anyhow::Result<()> {
    let ready = Ready {
        central: stack
            .centrals
            .iter()
            .map(|c| ReadyCentral { url: &c.url, token: &c.token, pid: c.service().pid() })
            .collect(),
        database_url: &stack.database_url,
        central_redis_url: &stack.central_redis.url,
        central_config: stack.setup.config(),
        central_authority: stack.setup.tls().map(Tls::authority),
        edges: stack
            .edges
            .iter()
            .map(|edge| ReadyEdge {
                url: &edge.url,
                camera_token: &edge.camera_token,
                central_token: edge.central_token.as_deref(),
                warehouse_id: edge.warehouse_id,
                edge_id: edge.edge_id,
                redis_url: edge.redis_url.as_deref(),
                data_dir: &edge.data_dir,
                pid: edge.service().pid(),
            })
            .collect(),
    };
    let line = serde_json::to_string(&ready).context("cannot write the JSON line")?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot print the JSON line")
}

/// Returns when stdin ends; never if it is a terminal or /dev/null.
async fn stdin_ended() {
    let nowhere = std::fs::read_link("/proc/self/fd/0").is_ok_and(|target| target == Path::new("/dev/null"));
    if nowhere || std::io::stdin().is_terminal() {
        return std::future::pending().await;
    }
    // A thread of our own: one of tokio's that waits for stdin would hold up the end of the process.
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An error ends it as well.
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        let _nobody_waits = ended.send(());
    });
    drop(end.await);
}
