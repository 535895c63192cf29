//! `ledger`: how complete the data of the sites is, where the database is: as a table, as JSON for scripts, or as the CSV
//! file that is put away.

use std::io::{IsTerminal as _, Write};

use anyhow::bail;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::Args as ClapArgs;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use common::cli::exit::Exit;
use common::cli::progress;
use common::clock;
use indicatif::ProgressBar;

use super::sites;
use crate::completeness::file;
use crate::completeness::periods::{By, Figure};
use crate::completeness::report::{Question, Report, ReportError, report};
use crate::completeness::thousands;
use crate::config::Config;
use crate::store::Db;
use crate::store::ledger::hours;

#[derive(ClapArgs)]
pub struct Args {
    /// One site, by its name or id; all if not given
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// From this time on, as 2026-03-29T00:00:00Z; a week before --to if not given, by hour a day
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Up to this time; now if not given
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime<Utc>>,
    /// What to count by, on the site's own clock
    #[arg(long, value_enum, default_value_t = By::Shift)]
    by: By,
    /// A line of JSON for each site
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// The file that can be put away; of one site
    #[arg(long, requires = "site")]
    csv: bool,
}

pub async fn show(config: &Config, args: Args, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    let sites = match sites::only(&db, args.site.as_deref()).await? {
        Some(site) => vec![site],
        None => hours::sites(&db, None).await?.into_iter().map(|(site, _)| site).collect(),
    };
    if sites.is_empty() {
        writeln!(out, "There are no sites yet; `smartpick-central edges add --warehouse UUID` makes the first.")?;
    }
    // On a terminal the sites themselves show how far it is.
    let steps = if std::io::stdout().is_terminal() { 0 } else { sites.len() as u64 };
    let bar = if steps > 1 { progress::bar(steps) } else { ProgressBar::hidden() };
    for warehouse_id in sites {
        let question = Question { warehouse_id, by: args.by, from: args.from, to: args.to };
        let report = match report(&db, &question, clock::now()).await {
            Ok(report) => report,
            Err(ReportError::NoSite) => bail!("site {warehouse_id} is gone"),
            Err(ReportError::Range(text)) => bail!(Exit::Usage.because(text)),
            // As it is, so that whoever catches it can say which database it was.
            Err(ReportError::Store(error)) => return Err(error.into()),
        };
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&report)?)?;
        } else if args.csv {
            out.write_all(&file::csv(&report))?;
        } else {
            describe(&report, out)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn describe(report: &Report, out: &mut impl Write) -> anyhow::Result<()> {
    let name = report.site.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    writeln!(out, "site {}{name}, times of {}", report.warehouse_id, report.time_zone)?;
    let tz: Tz = report.time_zone.parse().unwrap_or(Tz::UTC);
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header([
        "from",
        "name",
        "accepted",
        "stored",
        "alerts",
        "duplicate",
        "dead",
        "buffered",
        "missing",
        "state",
    ]);
    for figure in &report.periods {
        table.add_row(row(figure, tz));
    }
    for column in table.column_iter_mut().skip(2).take(7) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    for figure in &report.periods {
        for epoch in &figure.epochs {
            let edge = epoch.edge.clone().unwrap_or_else(|| format!("edge {}", epoch.edge_id));
            let about = if epoch.approximate { ", or of the time before or after" } else { "" };
            writeln!(
                out,
                "{}: {} missing of epoch {} of {edge}{about}",
                local(figure.from, tz),
                thousands(epoch.missing),
                epoch.epoch
            )?;
        }
    }
    writeln!(out)?;
    Ok(())
}

fn row(figure: &Figure, tz: Tz) -> [String; 10] {
    let count = |n: i64| thousands(n);
    [
        local(figure.from, tz),
        figure.name.clone(),
        count(figure.accepted),
        count(figure.stored),
        count(figure.alerts),
        count(figure.duplicates),
        count(figure.dead),
        count(figure.buffered),
        count(figure.missing),
        figure.text.clone(),
    ]
}

fn local(time: DateTime<Utc>, tz: Tz) -> String {
    time.with_timezone(&tz).format("%Y-%m-%d %H:%M").to_string()
}
