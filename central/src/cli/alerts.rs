//! `smartpick-central alerts`: the alerts of all sites with what people said of them, and saying that somebody sees to one,
//! where the database is, so also without a central that runs. Nobody's identity is in it.

use std::collections::HashMap;
use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use common::alert::{Fact, Origin, Severity, Statement};
use common::cli::alerts::{Which, listed};
use common::cli::exit::Exit;
use common::cli::time;
use common::clock;
use common::ids::{AlertId, FactId, WarehouseId};
use serde_json::Value;
use uuid::Uuid;

use super::{actor, sites};
use crate::api::alerts::{page, store_said};
use crate::config::Config;
use crate::persist::check;
use crate::store::alerts::{Filter, by_id};
use crate::store::facts::Added;
use crate::store::{Db, enrolment};

/// Of the ids of what is said at a command line.
const SAID: Uuid = Uuid::from_u128(0x0f6e_2c55_9d1b_4b7a_8a35_6e0c_47d2_91be);

#[derive(Subcommand)]
pub enum Alerts {
    /// Show alerts, latest first. Those that are going on, unless something else is asked for
    List(ListArgs),
    /// Say that somebody sees to an alert; its site hears of it. Said again by the same user with the same note, it changes nothing
    Ack {
        #[arg(value_name = "ALERT")]
        id: Uuid,
        /// For whoever looks at it later
        // The box's own command calls it a reason.
        #[arg(long, value_name = "TEXT", alias = "reason")]
        note: Option<String>,
        /// Of which site, by its name or id; only needed if several have an alert of this id
        #[arg(long, value_name = "SITE")]
        site: Option<String>,
    },
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
    let db = Db::open(&config.database)?;
    match command {
        Alerts::List(ListArgs { site, which }) => list(&db, site.as_deref(), which, out).await,
        Alerts::Ack { id, note, site } => acknowledge(&db, id, note, site.as_deref(), out).await,
    }
}

async fn list(db: &Db, site: Option<&str>, which: Which, out: &mut impl Write) -> anyhow::Result<()> {
    let filter = Filter {
        warehouse_id: sites::only(db, site).await?,
        camera_id: which.camera,
        severity: which.severity.map(Severity::as_str),
        from: which.from,
        limit: which.limit.into(),
        ..Filter::default()
    };
    let page = serde_json::to_value(page(db, filter, which.state.0).await?)?;
    if which.json {
        writeln!(out, "{page:#}")?;
        return Ok(());
    }
    let named =
        enrolment::list_sites(db).await?.into_iter().filter_map(|s| Some((s.warehouse_id.to_string(), s.name?)));
    let names: HashMap<String, String> = named.collect();
    write!(out, "{}", listed(&page, |alert| place(alert, &names)))?;
    Ok(())
}

async fn acknowledge(
    db: &Db,
    id: Uuid,
    note: Option<String>,
    site: Option<&str>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let found = by_id(db, id, sites::only(db, site).await?).await?;
    let warehouse = match found.as_slice() {
        [one] => WarehouseId::from_uuid(one.warehouse_id),
        [] => {
            let words = format!("there is no alert {id}; `smartpick-central alerts list --state all` lists them");
            bail!(Exit::NoInput.because(words));
        }
        _ => bail!("{} sites have an alert {id}; say which with --site", found.len()),
    };
    let who = actor();
    let note = note.filter(|note| !note.trim().is_empty());
    // By what is said and who says it, so that saying it again is no other fact.
    let name = format!("{warehouse}\n{id}\n{who}\n{}", note.as_deref().unwrap_or_default());
    let fact_id = FactId::from_uuid(Uuid::new_v5(&SAID, name.as_bytes()));
    let statement = Statement::Acknowledge { alert_id: AlertId::from_uuid(id), note };
    check::said_here(&statement).map_err(|what| Exit::Usage.because(what))?;
    let same = |known: &Fact, new: &Fact| known.statement == new.statement;
    let fact = Fact { fact_id, at: clock::now(), by: who, origin: Origin::Headquarters, statement };
    match store_said(db, warehouse, fact, same).await? {
        Added::Stored(fact) => writeln!(out, "Acknowledged by {} at {}.", fact.by, time(fact.at))?,
        Added::Conflict => bail!("{fact_id} is the id of something else that was said; give another --note"),
        Added::NoWarehouse => bail!("the site of alert {id} is gone"),
    }
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
