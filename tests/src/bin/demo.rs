//! `make demo`: two warehouses with lively cameras, a central, and a line of figures that shows that nothing is
//! missing. With `--wan-outage 30s` the links are cut for a while, and the backlog grows and drains.
//!
//! Ctrl-C stops the cameras, waits until everything accepted is in Postgres, and says so, or says what is not.

use std::collections::HashSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use common::cli::exit::Exit;
use rustix::process::Signal;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tests::link::Wire;
use tests::process::{Service, Spec, our_binary};
use tests::stack::{Options, Stack};
use tests::wait;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use uuid::Uuid;

const SITES: [&str; 2] = ["north", "south"];
/// The viewer first sees normal life.
const OUTAGE_AFTER: Duration = Duration::from_secs(8);
/// Events in Redis beyond which an edge spills to disk: small enough that an outage of half a minute shows it.
const STREAM_LENGTH_MAX: u64 = 1_000;
const DRAW_EVERY: Duration = Duration::from_millis(500);
/// Without a terminal: lines for a log.
const LOG_EVERY: Duration = Duration::from_secs(5);
/// A simulated camera waits for an answer under way, no longer.
const CAMERAS_STOP_WITHIN: Duration = Duration::from_secs(20);

/// The whole system with simulated cameras, until Ctrl-C.
#[derive(Parser)]
struct Args {
    /// Events per second and site
    #[arg(long, env = "RATE", default_value_t = 100)]
    rate: u32,
    /// Cameras per site
    #[arg(long, default_value_t = 12)]
    cameras: u16,
    /// Cut the links to central for so long, a few seconds after the start, such as 30s
    #[arg(long, env = "WAN_OUTAGE", value_parser = humantime::parse_duration)]
    wan_outage: Option<Duration>,
    /// Stop by itself after so long
    #[arg(long, env = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "demo: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    say("Starting Postgres, three Redis, central and two edges …")?;
    let options = Options {
        edges: SITES.len(),
        linked: true,
        supervised: true,
        stream_max_length: Some(STREAM_LENGTH_MAX),
        ..Options::default()
    };
    let stack = tokio::select! {
        stack = Stack::start(options) => stack?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let cameras = start_cameras(&stack, &args).await?;
    introduce(&stack)?;
    let ended = tokio::select! {
        shown = show(&stack, &args) => shown,
        // Ctrl-C.
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    say("")?;
    ended?;
    tokio::select! {
        finished = finish(&stack, &cameras) => finished,
        // The person at the keyboard has lost patience.
        _ = interrupt.recv() => anyhow::bail!("stopped by a second Ctrl-C; nothing was verified"),
        _ = terminate.recv() => anyhow::bail!("stopped by a second signal; nothing was verified"),
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("cannot print")
}

/// One `smartpick-edge simulate` a site, and where it notes what was acknowledged.
struct Cameras {
    service: Service,
    ledger: PathBuf,
}

async fn start_cameras(stack: &Stack, args: &Args) -> anyhow::Result<Vec<Cameras>> {
    let mut all = Vec::new();
    for (site, edge) in SITES.iter().zip(&stack.edges) {
        let ledger = stack.dir.path().join(format!("cameras-{site}.ledger"));
        let words = [
            ("--url", edge.url.clone()),
            ("--token", edge.camera_token.clone()),
            ("--warehouse", edge.warehouse_id.to_string()),
            ("--cameras", args.cameras.to_string()),
            ("--rate", args.rate.to_string()),
            ("--duplicates", "1%".to_owned()),
            ("--late", "1%".to_owned()),
            ("--ledger", ledger.display().to_string()),
        ];
        let mut command = vec!["simulate".to_owned()];
        command.extend(words.into_iter().flat_map(|(key, value)| [key.to_owned(), value]));
        let service = Service::start(Spec {
            name: format!("cameras-{site}"),
            program: our_binary("smartpick-edge")?,
            args: command,
            user: None,
            log: stack.dir.path().join(format!("cameras-{site}.log")),
            last_signal: Signal::KILL,
        })
        .await?;
        all.push(Cameras { service, ledger });
    }
    Ok(all)
}

fn introduce(stack: &Stack) -> anyhow::Result<()> {
    let central = &stack.centrals[0];
    say(&format!("\n  headquarters  {}   (API token {})", central.url, central.token))?;
    for (site, edge) in SITES.iter().zip(&stack.edges) {
        say(&format!("  {site}         {}   (camera token {})", edge.url, edge.camera_token))?;
    }
    say(&format!("  Postgres      psql {}", stack.database_url))?;
    say(&format!("  logs          {}", stack.dir.path().display()))?;
    say("\n  Look around:")?;
    say(&format!(
        "    curl -s -H 'Authorization: Bearer {}' {}/streams/stats",
        stack.edges[0].camera_token, stack.edges[0].url
    ))?;
    say(&format!("    curl -s -H 'Authorization: Bearer {}' {}/api/v1/ledger", central.token, central.url))?;
    say("\n  Ctrl-C stops everything and checks that nothing was lost.\n")
}

struct Figures {
    accepted: u64,
    live: u64,
    backlog: u64,
    committed: i64,
    missing: i64,
}

async fn figures(stack: &Stack) -> anyhow::Result<Figures> {
    let mut figures = Figures { accepted: 0, live: 0, backlog: 0, committed: 0, missing: 0 };
    for edge in &stack.edges {
        let stats = edge.stats().await?;
        figures.accepted += stats.accepted;
        figures.live += stats.buffered.live;
        figures.backlog += stats.buffered.backlog;
    }
    for account in stack.centrals[0].ledger().await? {
        figures.committed += account.stored;
        figures.missing += account.missing;
    }
    Ok(figures)
}

/// Draws figures, and cuts and heals the links, until `--duration` is over.
async fn show(stack: &Stack, args: &Args) -> anyhow::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    let started = Instant::now();
    let outage = args.wan_outage.map(|length| OUTAGE_AFTER..OUTAGE_AFTER + length);
    let mut cut = false;
    let mut turn = tokio::time::interval(if terminal { DRAW_EVERY } else { LOG_EVERY });
    loop {
        let next = [outage.as_ref().map(|o| o.start), outage.as_ref().map(|o| o.end), args.duration];
        let next = next.into_iter().flatten().find(|at| *at > started.elapsed());
        tokio::select! {
            _ = turn.tick() => {}
            // The links change, or it is over.
            () = tokio::time::sleep_until(started + next.unwrap_or_default()), if next.is_some() => {}
        }
        let now = started.elapsed();
        if args.duration.is_some_and(|duration| now >= duration) {
            return Ok(());
        }
        let cut_now = outage.as_ref().is_some_and(|outage| outage.contains(&now));
        if cut_now != cut {
            cut = cut_now;
            let wire = if cut { Wire::Cut } else { Wire::Open };
            stack.links.iter().for_each(|link| link.set(wire));
        }
        let line = match figures(stack).await {
            Ok(Figures { accepted, live, backlog, committed, missing }) => format!(
                "accepted {accepted:>8}   buffered {:>7} ({live} live, {backlog} backlog)   committed {committed:>8}   missing {missing}{}",
                live + backlog,
                if cut { "   WAN down" } else { "" },
            ),
            // Somebody killed a process to see what happens; it is back in a second.
            Err(error) => format!("no figures just now: {:.80}", format!("{error:#}")),
        };
        let mut out = std::io::stdout().lock();
        let printed = if terminal { write!(out, "\r\x1b[2K  {line}") } else { writeln!(out, "{line}") };
        printed.and_then(|()| out.flush()).context("cannot print")?;
    }
}

/// Stops the cameras, lets everything drain, and compares what was acknowledged with what is in Postgres.
async fn finish(stack: &Stack, cameras: &[Cameras]) -> anyhow::Result<()> {
    say("Stopping the cameras; what is still on its way arrives …")?;
    stack.links.iter().for_each(|link| link.heal());
    let mut acknowledged = HashSet::new();
    for Cameras { service, ledger } in cameras {
        let status: ExitStatus = service.stop(Signal::TERM, CAMERAS_STOP_WITHIN).await?;
        // What is on its way when they are stopped is nobody's failure: no camera was told that it is safe.
        let well = [0, Exit::TempFail as i32].map(Some).contains(&status.code());
        ensure!(well, "{} failed ({status}):\n{}", service.name(), service.log_tail());
        let text = std::fs::read_to_string(ledger).with_context(|| format!("cannot read {}", ledger.display()))?;
        for line in text.lines() {
            acknowledged.insert(Uuid::parse_str(line).context("a line of the cameras' ledger")?);
        }
    }
    let verified = wait::until("everything accepted to be in Postgres", wait::DRAIN, || async {
        let figures = figures(stack).await?;
        let left = figures.live + figures.backlog;
        ensure!(left == 0 && figures.missing == 0, "{left} still buffered, {} missing", figures.missing);
        Ok(Some(figures))
    });
    let figures = verified.await?;
    let ids: Vec<Uuid> = acknowledged.iter().copied().collect();
    let mut connection = PgConnection::connect(&stack.database_url).await.context("connect to postgres")?;
    let statement = "SELECT count(*), count(DISTINCT event_id) FROM ergonomic_snapshots WHERE event_id = ANY($1)";
    let (rows, events): (i64, i64) =
        sqlx::query_as(statement).bind(&ids).fetch_one(&mut connection).await.context("count the rows")?;
    connection.close().await.context("close the connection")?;
    let (rows, events) = (usize::try_from(rows)?, usize::try_from(events)?);
    ensure!(events == ids.len(), "{} of {} accepted events are NOT in Postgres", ids.len() - events, ids.len());
    ensure!(rows == events, "{} accepted events are in Postgres more than once", rows - events);
    say(&format!(
        "Verified: all {events} events accepted from cameras are in Postgres, each exactly once; missing {}.",
        figures.missing
    ))
}
