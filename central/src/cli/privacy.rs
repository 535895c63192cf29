//! `smartpick-central privacy`: forget a worker for good, and say how many were forgotten.

use std::io::{IsTerminal as _, Write};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use common::cli::exit::Exit;
use common::cli::{progress, table};
use common::ids::{WarehouseId, WorkerId};
use indicatif::ProgressBar;

use super::actor;
use crate::config::Config;
use crate::privacy::{self, Found, Subject};
use crate::store::{Db, forgotten};

#[derive(Subcommand)]
pub enum Privacy {
    /// Erase a worker's id and postures for good, and keep late arrivals from bringing them back. Shows what there is, and asks
    ForgetWorker {
        #[arg(value_name = "UUID")]
        worker: WorkerId,
        /// Only at this site
        #[arg(long, value_name = "UUID")]
        site: Option<WarehouseId>,
        /// Do it without looking first and without asking
        #[arg(long)]
        yes: bool,
    },
    /// Show how many were forgotten, and when
    List {
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(config: &Config, command: Privacy, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        Privacy::ForgetWorker { worker, site, yes } => {
            let subject = Subject { worker, site };
            if !yes {
                let bar = progress::bar(0).with_message("looking");
                let found = privacy::look(&db, subject, |done, of| advance(&bar, done, of)).await?;
                bar.finish_and_clear();
                writeln!(out, "This worker is in {}.", said(&found))?;
                writeln!(
                    out,
                    "The id and the postures will be erased for good; the rows stay, without anybody's name. What still \
                     comes from a site is stored without them too."
                )?;
                if !confirmed(out)? {
                    bail!("nothing was changed");
                }
            }
            let (bar, who) = (progress::bar(0).with_message("erasing"), actor());
            let forget = privacy::forget(&db, &who, subject, |done, of| advance(&bar, done, of));
            let found = forget.await.context("erase all; run the same command again, it goes on with what is left")?;
            bar.finish_and_clear();
            writeln!(out, "Forgotten: erased from {}. In the audit it is {}.", said(&found), subject.name())?;
        }
        Privacy::List { json } => {
            let days = forgotten::list(&db).await?;
            if json {
                writeln!(out, "{}", serde_json::to_string(&days)?)?;
            } else if days.is_empty() {
                writeln!(out, "Nobody was forgotten.")?;
            } else {
                let rows = days.into_iter().map(|d| [d.day.format("%Y-%m-%d").to_string(), d.count.to_string()]);
                write!(out, "{}", table(["DAY", "FORGOTTEN"], rows))?;
            }
        }
    }
    Ok(())
}

fn said(found: &Found) -> String {
    let Found { events, alerts, dead_letters } = found;
    format!("{events} events, {alerts} alerts and {dead_letters} dead letters")
}

fn confirmed(out: &mut impl Write) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!(Exit::Usage.because("nothing was changed: there is no terminal to ask on; say --yes"));
    }
    write!(out, "Type yes to go on: ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn advance(bar: &ProgressBar, done: u64, of: u64) {
    bar.set_length(of);
    bar.set_position(done);
}
