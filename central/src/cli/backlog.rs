//! `smartpick-central backlog`: what waits at each site for headquarters, as its edges said with their last heartbeats. It is read from
//! the database, so it shows without a central that runs, which is when it grows.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args as ClapArgs;
use common::cli::table;
use common::words::{duration, grouped};
use serde_json::{Value, json};
use uuid::Uuid;

use super::sites;
use crate::config::Config;
use crate::fleet::{Digest, STALE_AFTER};
use crate::store::Db;
use crate::store::fleet::{self, Edge, Picture};

#[derive(ClapArgs)]
pub struct Args {
    /// Only of this site, by its name or id
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// What one edge said.
struct Row {
    edge: Edge,
    site: Option<String>,
    /// `None`: it was never heard, or a later version heard it.
    digest: Option<Digest>,
    /// How long ago that was.
    heard: Option<TimeDelta>,
}

impl Row {
    fn new(now: DateTime<Utc>, edge: Edge, site: Option<String>) -> Self {
        let digest = edge.digest().and_then(Result::ok);
        let heard = edge.heartbeat_at.map(|at| (now - at).max(TimeDelta::zero()));
        Self { edge, site, digest, heard }
    }

    fn waiting(&self) -> u64 {
        self.digest.as_ref().map_or(0, Digest::waiting)
    }

    /// How old what waits there longest is by now, if it still waits.
    fn oldest(&self) -> Option<TimeDelta> {
        Some(self.digest.as_ref()?.oldest_age()? + self.heard?)
    }

    fn is_silent(&self) -> bool {
        self.heard.is_none_or(|heard| heard > STALE_AFTER)
    }

    /// When its backlog is gone, as far as that can be said.
    fn outlook(&self) -> String {
        match &self.digest {
            Some(digest) if digest.backlog.records > 0 && self.is_silent() => "not known, it is silent".to_owned(),
            Some(digest) if digest.backlog.records > 0 => {
                digest.drain_seconds.map_or_else(|| "does not shrink".to_owned(), duration)
            }
            _ => "–".to_owned(),
        }
    }
}

pub async fn show(config: &Config, args: Args, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    let only = sites::only(&db, args.site.as_deref()).await?;
    let picture = fleet::picture(&db).await?;
    let rows = rows(picture, only);
    if args.json {
        let edges: Vec<Value> = rows.iter().map(as_json).collect();
        writeln!(out, "{:#}", json!({"from": "the last heartbeat of each edge", "edges": edges}))?;
        return Ok(());
    }
    if rows.is_empty() {
        writeln!(
            out,
            "There is no edge yet; `smartpick-central sites add NAME` makes a token by which the first one joins."
        )?;
        return Ok(());
    }
    writeln!(out, "As each edge last said:")?;
    let lines = rows.iter().map(|row| {
        let lane = |records: fn(&Digest) -> u64| row.digest.as_ref().map_or("–".to_owned(), |d| grouped(records(d)));
        let length = |length: Option<TimeDelta>| length.map(|length| duration(length.as_seconds_f64()));
        [
            row.site.clone().unwrap_or_else(|| row.edge.warehouse_id.to_string()),
            row.edge.label(),
            lane(|digest| digest.live.records),
            lane(|digest| digest.backlog.records),
            length(row.oldest()).unwrap_or_else(|| "–".to_owned()),
            row.outlook(),
            length(row.heard).map_or_else(|| "never".to_owned(), |heard| format!("{heard} ago")),
        ]
    });
    write!(out, "{}", table(["SITE", "EDGE", "LIVE", "BACKLOG", "OLDEST", "GONE IN", "HEARD"], lines))?;
    let waiting: Vec<&Row> = rows.iter().filter(|row| row.waiting() > 0).collect();
    let sites: HashSet<Uuid> = waiting.iter().map(|row| row.edge.warehouse_id).collect();
    let events = grouped(waiting.iter().map(|row| row.waiting()).sum());
    writeln!(out, "\n{events} events wait, at {} of {} edges, of {} sites.", waiting.len(), rows.len(), sites.len())?;
    Ok(())
}

/// What has waited longest comes first.
fn rows(picture: Picture, only: Option<Uuid>) -> Vec<Row> {
    let Picture { now, sites, edges, .. } = picture;
    let names: HashMap<Uuid, Option<String>> = sites.into_iter().map(|site| (site.warehouse_id, site.name)).collect();
    let edges = edges.into_iter().filter(|edge| only.is_none_or(|only| edge.warehouse_id == only));
    let mut rows: Vec<Row> = edges
        .map(|edge| {
            let site = names.get(&edge.warehouse_id).cloned().flatten();
            Row::new(now, edge, site)
        })
        .collect();
    rows.sort_by_cached_key(|row| (Reverse(row.oldest()), row.site.clone(), row.edge.label()));
    rows
}

fn as_json(row: &Row) -> Value {
    let Row { edge, site, digest, heard } = row;
    let millis = |length: TimeDelta| length.num_milliseconds();
    let lane = |lane: &common::protocol::LaneReport| {
        let age = lane.oldest_age_ms.map(|ms| ms.saturating_add(heard.map_or(0, millis).unsigned_abs()));
        json!({"records": lane.records, "bytes": lane.bytes, "oldestAgeMs": age})
    };
    json!({
        "warehouseId": edge.warehouse_id, "site": site, "edgeId": edge.edge_id, "name": edge.name,
        "heartbeatAt": edge.heartbeat_at,
        "live": digest.as_ref().map(|digest| lane(&digest.live)),
        "backlog": digest.as_ref().map(|digest| lane(&digest.backlog)),
        "drainSeconds": digest.as_ref().filter(|_| !row.is_silent()).and_then(|digest| digest.drain_seconds),
    })
}
