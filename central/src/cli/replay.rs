//! `smartpick-central replay`: stores dead letters, or what is still in the consolidated stream, once more. Nothing is counted
//! twice by it, however often it is done.

use std::io::Write;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use common::cli::exit::Exit;
use common::cli::{progress, time};
use common::clock;
use common::ids::WarehouseId;
use uuid::Uuid;

use super::{actor, sites, some_text};
use crate::api::dead_letters::try_again;
use crate::config::Config;
use crate::persist::replay::{self, Counts};
use crate::store::batch::Replayed;
use crate::store::{Db, audit, dead_letters};
use crate::stream::Stream;

/// Frames in a transaction, as a persist worker does it.
const FRAMES: usize = 8;
/// Reasons that are named of those that still cannot be stored.
const REASONS_SHOWN: usize = 5;

#[derive(Subcommand)]
pub enum Replay {
    /// Try open dead letters again, with this version
    DeadLetters {
        /// Only those in whose reason this text is
        #[arg(long, value_name = "TEXT", value_parser = some_text)]
        reason_contains: Option<String>,
        /// Only those of one site, by its name or id
        #[arg(long, value_name = "SITE")]
        site: Option<String>,
        /// Only say how many there are
        #[arg(long)]
        dry_run: bool,
    },
    /// Store again what is still in the consolidated stream (see stream.retain_seconds)
    Stream {
        /// What came from this time on, as 2026-03-29T06:00:00Z; all that is there if not given
        #[arg(long, value_name = "TIME")]
        from: Option<DateTime<Utc>>,
        /// What came up to this time; now if not given
        #[arg(long, value_name = "TIME")]
        to: Option<DateTime<Utc>>,
        /// Only what came from one site, by its name or id
        #[arg(long, value_name = "SITE")]
        site: Option<String>,
        /// Only say how much there is
        #[arg(long)]
        dry_run: bool,
    },
}

pub async fn run(config: &Config, command: Replay, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        Replay::DeadLetters { reason_contains, site, dry_run } => {
            let site = sites::only(&db, site.as_deref()).await?;
            letters(&db, reason_contains.as_deref(), site, dry_run, out).await
        }
        Replay::Stream { from, to, site, dry_run } => {
            let stream = Stream::open(&config.redis, &config.stream)?;
            let window = (from.unwrap_or(DateTime::UNIX_EPOCH), to.unwrap_or_else(clock::now));
            if window.0 > window.1 {
                bail!(Exit::Usage.because("--from is after --to"));
            }
            let site = sites::only(&db, site.as_deref()).await?.map(WarehouseId::from_uuid);
            frames(&db, &stream, window, site, dry_run, out).await
        }
    }
}

async fn letters(
    db: &Db,
    reason: Option<&str>,
    site: Option<Uuid>,
    dry_run: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let ids = dead_letters::open_ids(db, reason, site).await?;
    if dry_run || ids.is_empty() {
        writeln!(out, "{} open dead letters would be tried again.", ids.len())?;
        return Ok(());
    }
    let (bar, who) = (progress::bar(ids.len() as u64), actor());
    let (mut replayed, mut stored, mut duplicates, mut refused) = (0, 0, 0, Vec::new());
    for id in ids {
        // Each with its line in the audit, in its own transaction.
        match try_again(db, id, &who).await? {
            Some(Replayed::Stored { stored: new, duplicates: known }) => {
                (replayed, stored, duplicates) = (replayed + 1, stored + new, duplicates + known);
            }
            Some(Replayed::Refused(reason)) => refused.push((id, reason.into_owned())),
            // Somebody else was faster.
            Some(Replayed::NotOpen) | None => {}
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    writeln!(out, "{replayed} were stored: {stored} records are new, {duplicates} were there already.")?;
    if !refused.is_empty() {
        writeln!(out, "{} still cannot be stored and stay open:", refused.len())?;
        for (id, reason) in refused.iter().take(REASONS_SHOWN) {
            writeln!(out, "  {id}: {reason}")?;
        }
        if refused.len() > REASONS_SHOWN {
            writeln!(out, "  and {} more", refused.len() - REASONS_SHOWN)?;
        }
        bail!("{} of {} could not be stored", refused.len(), replayed + refused.len());
    }
    Ok(())
}

async fn frames(
    db: &Db,
    stream: &Stream,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    site: Option<WarehouseId>,
    dry_run: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let partitions: Vec<u16> = match site {
        Some(site) => vec![stream.partition(site)],
        None => (0..stream.partitions()).collect(),
    };
    let mut entries = 0;
    for partition in &partitions {
        entries += stream.len(*partition).await?;
    }
    let subject = format!("stream {} to {}", time(from), time(to));
    let of_site = site.map(|site| format!(", site {site}")).unwrap_or_default();
    if !dry_run {
        // Before, so that nothing is done that is not in it.
        audit::add(
            db,
            &actor(),
            "replay_begun",
            &subject,
            (!of_site.is_empty()).then(|| of_site.trim_start_matches(", ")),
        )
        .await?;
    }
    // At most so many: the window may be shorter than what is there.
    let bar = progress::bar(entries);
    let mut counts = Counts::default();
    for partition in partitions {
        let mut after: Option<String> = None;
        loop {
            let delivered = stream.range(partition, from, to, after.as_deref(), FRAMES).await?;
            let Some(last) = delivered.last() else { break };
            after = Some(last.id.clone());
            bar.inc(delivered.len() as u64);
            // Others may write to the stream; what is no frame is nobody's.
            let frames: Vec<_> = delivered.into_iter().filter_map(|entry| entry.frame.ok()).collect();
            counts.add(Box::pin(replay::frames(db, &frames, site, !dry_run)).await?);
        }
    }
    bar.finish_and_clear();
    let Counts { frames, records, stored, duplicates, dead, damaged } = counts;
    if dry_run {
        writeln!(out, "{frames} batches of {records} records would be stored again.")?;
        return Ok(());
    }
    let result =
        format!("{frames} batches of {records} records: {stored} new, {duplicates} there already, {dead} dead letters");
    audit::add(db, &actor(), "replayed", &subject, Some(&format!("{result}{of_site}"))).await?;
    writeln!(out, "{result}.")?;
    if damaged > 0 {
        writeln!(out, "{damaged} batches were damaged in Redis and left out; their edges have them.")?;
    }
    Ok(())
}
