//! `dead-letters`: what could never be stored, where the database is: look, try again with this version, or give up with a
//! reason. Who did it is in the audit. The bytes may name a person, so they are not shown here.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use common::cli::exit::{Because, Exit};
use common::cli::{progress, table, time};
use serde_json::json;

use super::{actor, sites, some_text};
use crate::api::dead_letters::try_again;
use crate::config::Config;
use crate::persist::check::visible;
use crate::store::Db;
use crate::store::batch::{self, Replayed};
use crate::store::dead_letters::{self, Shown};

#[derive(Subcommand)]
pub enum DeadLetters {
    /// List them, newest first
    List {
        /// Only of this site, by its name or id
        #[arg(long, value_name = "SITE")]
        site: Option<String>,
        #[arg(long, value_enum, default_value_t = State::Open)]
        state: State,
        /// How many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        #[arg(long)]
        json: bool,
    },
    /// Show one
    Show { id: i64 },
    /// Try to store it again, with this version
    Replay { id: i64 },
    /// Give some up, by their ids, or all open ones that `--site` and `--reason-contains` choose; their bytes are kept
    Discard {
        #[arg(value_name = "ID", required_unless_present_any = ["site", "reason_contains"])]
        ids: Vec<i64>,
        /// Those of one site, by its name or id
        #[arg(long, value_name = "SITE", conflicts_with = "ids")]
        site: Option<String>,
        /// Those in whose reason this text is
        #[arg(long, value_name = "TEXT", conflicts_with = "ids", value_parser = some_text)]
        reason_contains: Option<String>,
        /// Only say how many there are
        #[arg(long, conflicts_with = "ids")]
        dry_run: bool,
        /// For the audit
        #[arg(long, value_name = "TEXT", value_parser = some_text, required_unless_present = "dry_run")]
        reason: Option<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    Open,
    Replayed,
    Discarded,
    All,
}

impl State {
    const fn stored(self) -> Option<&'static str> {
        match self {
            Self::Open => Some("open"),
            Self::Replayed => Some("replayed"),
            Self::Discarded => Some("discarded"),
            Self::All => None,
        }
    }
}

pub async fn run(config: &Config, command: DeadLetters, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        DeadLetters::List { site, state, limit, json } => {
            let site = sites::only(&db, site.as_deref()).await?;
            let letters = dead_letters::page(&db, site, state.stored(), None, limit).await?;
            if json {
                for letter in &letters {
                    writeln!(out, "{}", as_json(letter))?;
                }
            } else if letters.is_empty() {
                writeln!(out, "None.")?;
            } else {
                let rows = letters.iter().map(|letter| {
                    [
                        letter.id.to_string(),
                        time(letter.received_at),
                        letter.state.clone(),
                        letter.edge_id.to_string(),
                        letter.kind.clone(),
                        letter.reason.clone(),
                    ]
                });
                write!(out, "{}", table(["ID", "RECEIVED", "STATE", "EDGE", "KIND", "REASON"], rows))?;
            }
        }
        DeadLetters::Show { id } => {
            let letter = dead_letters::show(&db, id).await?.with_context(|| missing(id))?;
            writeln!(out, "{:#}", as_json(&letter))?;
        }
        DeadLetters::Replay { id } => {
            let replayed = try_again(&db, id, &actor()).await?;
            match replayed.with_context(|| missing(id))? {
                Replayed::Stored { stored, duplicates } => {
                    writeln!(out, "Stored: {stored} records became rows, {duplicates} were rows already.")?;
                }
                Replayed::NotOpen => bail!("dead letter {id} was replayed or discarded already"),
                Replayed::Refused(reason) => bail!("it still cannot be stored, and stays open: {reason}"),
            }
        }
        DeadLetters::Discard { ids, site, reason_contains, dry_run, reason } => {
            let site = sites::only(&db, site.as_deref()).await?;
            let named = !ids.is_empty();
            let ids: BTreeSet<i64> = if named {
                ids.into_iter().collect()
            } else {
                dead_letters::open_ids(&db, reason_contains.as_deref(), site).await?.into_iter().collect()
            };
            let Some(reason) = reason.filter(|_| !dry_run) else {
                writeln!(out, "{} open dead letters would be discarded.", ids.len())?;
                return Ok(());
            };
            visible("--reason", &reason).map_err(|what| Exit::Usage.because(what))?;
            let left = discard(&db, &ids, &reason, out).await?;
            // Who named one wants to know; of those chosen otherwise another person was faster with it.
            if let Some(id) = left.into_iter().next().filter(|_| named) {
                bail!(match dead_letters::show(&db, id).await? {
                    None => missing(id),
                    Some(_) => Exit::Failure.because(format!("dead letter {id} was replayed or discarded already")),
                });
            }
        }
    }
    Ok(())
}

/// Answers those that were not open.
async fn discard(db: &Db, ids: &BTreeSet<i64>, reason: &str, out: &mut impl Write) -> anyhow::Result<Vec<i64>> {
    let (bar, who, mut left) = (progress::bar(ids.len() as u64), actor(), Vec::new());
    for id in ids {
        // Each with its line in the audit, in its own transaction.
        if !batch::discard(db, *id, &who, reason).await? {
            left.push(*id);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let discarded = ids.len() - left.len();
    writeln!(out, "Discarded {discarded}; their bytes are kept until retention.dead_letters_days.")?;
    Ok(left)
}

fn missing(id: i64) -> Because {
    Exit::NoInput.because(format!("there is no dead letter {id}"))
}

fn as_json(letter: &Shown) -> serde_json::Value {
    json!({
        "id": letter.id, "state": letter.state, "receivedAt": letter.received_at, "resolvedAt": letter.resolved_at,
        "edgeId": letter.edge_id, "warehouseId": letter.warehouse_id, "batchId": letter.batch_id,
        "kind": letter.kind, "epoch": letter.epoch, "seq": letter.seq, "reason": letter.reason,
        "bytes": letter.raw_bytes,
    })
}
