//! `smartpick-edge simulate`: cameras for demos and load. Events come from a simulated [`scene`] or a recorded file
//! ([`replay`]), wait in a short queue, and are delivered by [`client`]s that behave as a good camera does: they never
//! give up and never lose an event themselves.

mod client;
mod person;
mod replay;
pub mod scene;
mod source;
mod tally;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use common::cli::Output;
use common::cli::exit::Exit;
use common::lifecycle::Signals;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use client::{Client, Item};
use tally::{Figures, Tally};

pub use replay::{Times, open};

/// Of an edge that is of none yet: what it takes is stored under the site that it joins.
const NO_WAREHOUSE: Uuid = Uuid::nil();
/// The edge takes no more in one request.
const BATCH_MAX: u16 = 1_000;
/// Batches that wait for a sender, per sender: enough to keep it busy, few enough to stop quickly.
const QUEUED_PER_SENDER: usize = 2;
/// How often the progress line is drawn.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// How often it is said at most that nothing arrives.
const TROUBLE_EVERY: Duration = Duration::from_secs(10);

/// Simulated cameras that post ergonomic events to an edge.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The edge's address
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The camera token, if the edge asks for one
    #[arg(long, env = "SMARTPICK_CAMERA_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The warehouse the events belong to [default: the edge's own]; when replaying, only its events are sent [default: all]
    #[arg(long)]
    pub warehouse: Option<Uuid>,
    /// How many cameras there are
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub cameras: u16,
    /// Events per second of all cameras together; 0 = as fast as the edge takes them
    #[arg(long, default_value_t = 100.0, value_parser = rate)]
    pub rate: f64,
    /// Decides who stands where and how they move; event ids are always new [default: random]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Share of events sent a second time, such as 5%
    #[arg(long, default_value = "0%", value_parser = share)]
    pub duplicates: f64,
    /// Share of events that are up to a minute late, such as 2%
    #[arg(long, default_value = "0%", value_parser = share)]
    pub late: f64,
    /// Send the events of this file (JSON lines, also .zst) instead of simulated ones
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cameras", "rate", "seed", "duplicates", "late"])]
    pub replay: Option<PathBuf>,
    /// What happens to the times of replayed events
    #[arg(long, value_enum, default_value_t = Times::Shift, requires = "replay")]
    pub times: Times,
    /// How much faster than recorded to replay; 0 = as fast as the edge takes them
    #[arg(long, default_value_t = 1.0, value_parser = rate, requires = "replay")]
    pub speed: f64,
    /// Events per request
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=i64::from(BATCH_MAX)))]
    pub batch: u16,
    /// Requests under way at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Make no new events after this long, such as 30s; those made are still delivered
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Make no more than this many events
    #[arg(long)]
    pub count: Option<u64>,
    /// Append the id of each acknowledged event to this file
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if rate.is_finite() && rate >= 0.0 { Ok(rate) } else { Err("it must be 0 or more".to_owned()) }
}

/// A share as `5%` or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    let number: f64 = number.trim().parse().map_err(|_| format!("{text:?} is not a share such as 5%"))?;
    let share = number * scale;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share lies between 0% and 100%".to_owned()) }
}

/// Sends events until the file ends, `--duration` or `--count` is reached and all have their verdict, or a signal.
///
/// # Errors
/// If a file cannot be read or written, the token is refused, all events are, or a signal came before all had their verdict; never
/// because the edge is away, however long.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let tally = Arc::new(Tally::new(args.ledger.as_deref())?);
    let client = Client::new(&args.url, args.token.clone(), Arc::clone(&tally))?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    let signals = tokio::spawn(async move {
        signals.stop().await;
        told.cancel();
    });
    let started = Instant::now();

    let senders = usize::from(args.concurrency);
    let (queue, waiting) = mpsc::channel(senders * QUEUED_PER_SENDER);
    let waiting = Arc::new(Mutex::new(waiting));
    let making = tokio::spawn(source::make(args.clone(), client.clone(), queue, stop.clone()));
    let progress = tokio::spawn(show_progress(args.clone(), Arc::clone(&tally), started));
    let senders: Vec<_> = (0..senders)
        .map(|_| tokio::spawn(send(client.clone(), Arc::clone(&waiting), Arc::clone(&tally), stop.clone())))
        .collect();

    let mut unacknowledged = Vec::new();
    for sender in senders {
        unacknowledged.extend(sender.await.context("a sender failed")?);
    }
    progress.abort();
    signals.abort();
    let seconds = started.elapsed().as_secs_f64();
    // Whoever waits for a place in the queue now hears that nobody will take it.
    waiting.lock().await.close();
    while let Some(batch) = waiting.lock().await.recv().await {
        unacknowledged.extend(batch);
    }
    making.await.context("the source of events failed")??;
    let left = unacknowledged.len();
    let unacknowledged = unacknowledged.into_iter().filter_map(|item| item.id).collect();

    let summary = tally.summary(seconds, unacknowledged)?;
    let mut out = Output::default();
    let written = if args.json {
        serde_json::to_writer(&mut out, &summary).map_err(std::io::Error::from).and_then(|()| writeln!(out))
    } else {
        summary.write(&mut out)
    };
    written.context("cannot print the summary")?;
    ending(&args, &tally.figures(), left)
}

/// What a run ends with that did not bring its events in.
fn ending(args: &Args, figures: &Figures, left: usize) -> anyhow::Result<()> {
    if figures.denied {
        let what = if args.token.is_some() { "does not take this --token" } else { "asks for a --token" };
        bail!(Exit::NoPermission.because(format!(
            "the edge at {} {what}; `smartpick-edge cameras add NAME` on its box makes one",
            args.url
        )));
    }
    if left > 0 || figures.trouble.is_some() {
        let why = figures.trouble.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        bail!(Exit::TempFail.because(format!("stopped with {left} events not acknowledged by {}{why}", args.url)));
    }
    match figures.rejected_mostly() {
        Some((field, code)) if figures.accepted + figures.duplicates == 0 => {
            let all = figures.rejected_total();
            bail!(Exit::Failure.because(format!("all {all} events were rejected, most of them for {field}: {code}")))
        }
        _ => Ok(()),
    }
}

/// One sender: a request after the other. Returns what it had in hand when stopped.
async fn send(
    client: Client,
    waiting: Arc<Mutex<mpsc::Receiver<Vec<Item>>>>,
    tally: Arc<Tally>,
    stop: CancellationToken,
) -> Vec<Item> {
    loop {
        let batch = tokio::select! {
            batch = async { waiting.lock().await.recv().await } => batch,
            () = stop.cancelled() => None,
        };
        let Some(batch) = batch else { return Vec::new() };
        tally.sent(batch.len() as u64);
        let left = client.deliver(batch, &stop).await;
        if stop.is_cancelled() {
            return left;
        }
    }
}

/// A line on the terminal, none where there is none; and wherever stderr goes, why nothing arrives.
async fn show_progress(args: Args, tally: Arc<Tally>, started: Instant) {
    let bar = match (args.count, args.duration) {
        _ if !std::io::stderr().is_terminal() => ProgressBar::hidden(),
        (Some(count), _) => ProgressBar::new(count),
        (None, Some(duration)) => ProgressBar::new(duration.as_secs()),
        (None, None) => ProgressBar::no_length(),
    };
    let template =
        if bar.length().is_some() { "{elapsed_precise} {wide_bar} {msg}" } else { "{elapsed_precise} {msg}" };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut turn = tokio::time::interval(PROGRESS_EVERY);
    let mut said: Option<Instant> = None;
    loop {
        turn.tick().await;
        let figures = tally.figures();
        if let Some(why) = &figures.trouble
            && said.is_none_or(|at| at.elapsed() >= TROUBLE_EVERY)
        {
            said = Some(Instant::now());
            let line = format!("nothing arrives at {}: {why}; {} events wait", args.url, figures.waiting());
            // Nowhere to report a closed stderr.
            bar.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
        }
        let seconds = started.elapsed().as_secs_f64();
        bar.set_position(if args.count.is_some() { figures.accepted } else { seconds as u64 });
        bar.set_message(format!(
            "{} accepted ({:.0}/s), {} duplicates, {} rejected, {} retries",
            figures.accepted,
            figures.accepted as f64 / seconds.max(0.1),
            figures.duplicates,
            figures.rejected_total(),
            figures.retries_total(),
        ));
    }
}

#[cfg(test)]
mod tests;
