//! `smartpick-central alerts`: the alerts of all sites with what people said of them, where the database is, so also without a
//! central that runs. Nobody's identity is in it.

use std::collections::HashMap;
use std::io::Write;

use clap::{Args, Subcommand};
use common::alert::Severity;
use common::cli::alerts::{Which, listed};
use serde_json::Value;

use super::sites;
use crate::api::alerts::page;
use crate::config::Config;
use crate::store::alerts::Filter;
use crate::store::{Db, enrolment};

#[derive(Subcommand)]
pub enum Alerts {
    /// Show alerts, latest first. Those that are going on, unless something else is asked for
    List(ListArgs),
}

#[derive(Args)]
pub struct ListArgs {
    /// Only of this site, by its name or id
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    #[command(flatten)]
    which: Which,
}

pub async fn run(config: &Config, command: Alerts, out: &mut impl Write) -> anyhow::Result<()> {
    let Alerts::List(ListArgs { site, which }) = command;
    let db = Db::open(&config.database)?;
    let warehouse_id = match site {
        Some(site) => Some(sites::find(&db, &site).await?.0.uuid()),
        None => None,
    };
    let filter = Filter {
        warehouse_id,
        camera_id: which.camera,
        severity: which.severity.map(Severity::as_str),
        from: which.from,
        limit: which.limit.into(),
        ..Filter::default()
    };
    let page = serde_json::to_value(page(&db, filter, which.state.0).await?)?;
    if which.json {
        writeln!(out, "{page:#}")?;
        return Ok(());
    }
    let named =
        enrolment::list_sites(&db).await?.into_iter().filter_map(|s| Some((s.warehouse_id.to_string(), s.name?)));
    let names: HashMap<String, String> = named.collect();
    write!(out, "{}", listed(&page, |alert| place(alert, &names)))?;
    Ok(())
}

/// The site, and what of it.
fn place(alert: &Value, names: &HashMap<String, String>) -> String {
    let id = alert["warehouse_id"].as_str().unwrap_or("–");
    let site = names.get(id).map_or(id, String::as_str);
    match alert["camera_id"].as_str().or(alert["zone_id"].as_str()) {
        Some(part) => format!("{site}, {part}"),
        None => site.to_owned(),
    }
}
