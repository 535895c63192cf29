//! `smartpick-edge replay`: has the edge send again what headquarters has confirmed. The request is a row in the archive, which
//! the running edge takes up within two seconds, or the next one when it starts; this command only watches it.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use common::cli::exit::Exit;
use common::cli::{table, time};
use common::clock;
use indicatif::{ProgressBar, ProgressStyle};

use super::ConfigArgs;
use super::accounts::Accounts;
use super::running::is_used;
use crate::archive::{Replay, Store, Why, path};
use crate::config::Config;

/// How often the archive is asked how far it is.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Replays shown by `--list`.
const LISTED: u32 = 20;

#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What was accepted from this time on, as 2026-03-29T06:00:00Z [default: all that is kept].
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// What was accepted up to this time [default: now].
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime<Utc>>,
    /// Only say how much that is.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for its end.
    #[arg(long, conflicts_with = "dry_run")]
    detach: bool,
    /// Show the latest replays instead.
    #[arg(long, conflicts_with_all = ["from", "to", "dry_run", "detach"])]
    list: bool,
}

/// Does it, and returns what to say.
pub fn run(config: &Config, args: &ReplayArgs) -> anyhow::Result<String> {
    let mut accounts = Accounts::open(config)?;
    let dir = accounts.dir().to_owned();
    if !path(&dir).exists() {
        bail!(Exit::NoInput.because(format!(
            "nothing is kept in {}: no headquarters has confirmed anything yet, or archive.keep is \"0s\"",
            dir.display()
        )));
    }
    let mut store = Store::open(&dir, config.archive.clone())?;
    if args.list {
        return listed(&store);
    }
    let now = clock::now();
    let (from, to) = (args.from.unwrap_or(DateTime::UNIX_EPOCH), args.to.unwrap_or(now));
    if from > to {
        bail!(Exit::Usage.because("--from is after --to"));
    }
    let (batches, records) = store.would_send(from, to)?;
    if args.dry_run || records == 0 {
        return Ok(format!("{records} records in {batches} batches are kept of that time.\n"));
    }
    let (audit, by) = accounts.change();
    let window = |at: Option<DateTime<Utc>>, none: &str| at.map_or_else(|| none.to_owned(), time);
    let what = format!(
        "asked to send {records} records to headquarters again, accepted from {} to {}",
        window(args.from, "the first"),
        time(to)
    );
    audit.note(by, &what)?;
    let replay = store.ask(by.who, from, to, now)?;
    if !is_used(&dir)? {
        return Ok(format!("{records} records will be sent again when the edge runs; it does not now.\n"));
    }
    if args.detach {
        return Ok(format!("{records} records are sent again. `smartpick-edge replay --list` shows how far it is.\n"));
    }
    summary(&watch(&store, replay)?)
}

/// Waits for its end. Whoever stops waiting stops nothing.
fn watch(store: &Store, mut replay: Replay) -> anyhow::Result<Replay> {
    // Draws nothing where stderr is no terminal.
    let bar = ProgressBar::new(replay.total).with_style(
        ProgressStyle::with_template(
            "{bar:40} {percent:>3} %  {human_pos} of {human_len} records, {eta} left (Ctrl-C leaves it going on)",
        )
        .context("the bar")?,
    );
    while replay.ended_at.is_none() {
        thread::sleep(LOOK_INTERVAL);
        replay = store.replay(replay.id)?;
        bar.set_position(replay.sent + replay.gone);
    }
    bar.finish_and_clear();
    Ok(replay)
}

fn summary(replay: &Replay) -> anyhow::Result<String> {
    let Replay { sent, committed, duplicates, dead_letters, gone, .. } = replay;
    let mut text = format!(
        "{sent} records were sent again: {committed} were new to headquarters, {duplicates} were there already.\n"
    );
    if *dead_letters > 0 {
        writeln!(
            text,
            "{dead_letters} cannot be stored there: `smartpick-central dead-letters list --state all` says why."
        )?;
    }
    if *gone > 0 {
        writeln!(text, "{gone} were not in the archive any more when their turn came, or not whole.")?;
    }
    Ok(text)
}

fn listed(store: &Store) -> anyhow::Result<String> {
    let replays = store.replays(LISTED)?;
    if replays.is_empty() {
        return Ok("Nothing was ever sent again.\n".to_owned());
    }
    let rows = replays.iter().map(|replay| {
        let why = match replay.why {
            Why::Operator => "asked for",
            Why::Database => "headquarters lacked it",
        };
        [
            time(replay.asked_at),
            why.to_owned(),
            replay.total.to_string(),
            replay.sent.to_string(),
            replay.committed.to_string(),
            replay.duplicates.to_string(),
            replay.ended_at.map_or_else(|| format!("{} %", replay.percent()), time),
        ]
    });
    Ok(table(["ASKED AT", "WHY", "RECORDS", "SENT", "NEW", "KNOWN", "ENDED AT"], rows))
}
