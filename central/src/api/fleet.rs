//! `/api/v1/fleet/health`, `/api/v1/fleet/stats`, `/api/v1/sites/{id}`: how the sites are and what they have delivered.
//! From heartbeats, the ledger and the rollups; never from the events themselves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use common::clock;
use common::protocol::Heartbeat;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ledger::Totals;
use super::{not_found, path};
use crate::fleet::{Assessment, EdgeFacts, State as SiteState, assess_site};
use crate::http::{ApiError, App};
use crate::store::edges::{self, Edge, Rate, Site};
use crate::store::ledger::{self, Account};
use crate::store::{StoreError, dead_letters};

/// Everything that is known, of one warehouse or all.
struct Picture {
    now: DateTime<Utc>,
    sites: Vec<Site>,
    edges: Vec<EdgePicture>,
    accounts: Vec<Account>,
    dead_open: HashMap<Uuid, i64>,
}

struct EdgePicture {
    edge: Edge,
    heartbeat: Option<Heartbeat>,
    totals: Totals,
    progress_at: Option<DateTime<Utc>>,
    assessment: Assessment,
}

impl Picture {
    async fn take(app: &App, warehouse: Option<Uuid>) -> Result<Self, StoreError> {
        let (sites, edges) = edges::sites(&app.db, warehouse).await?;
        let accounts = ledger::accounts(&app.db, warehouse, None).await?;
        let dead_open: HashMap<Uuid, i64> = dead_letters::open_by_warehouse(&app.db).await?.into_iter().collect();
        let now = clock::now();
        // A revoked edge is history: its ledger counts, its silence does not.
        let edges = edges.into_iter().filter(|edge| edge.revoked_at.is_none());
        let edges = edges
            .map(|edge| {
                let own = || accounts.iter().filter(|a| a.edge_id == edge.edge_id);
                let totals = Totals::of(own());
                let progress_at = own().filter_map(|a| a.last_received_at).max();
                let heartbeat = edge.heartbeat();
                let facts = EdgeFacts {
                    heartbeat: heartbeat.as_ref().zip(edge.heartbeat_at),
                    progress_at,
                    missing: totals.missing,
                    dead_letters_open: dead_open.get(&edge.warehouse_id).copied().unwrap_or(0),
                };
                let assessment = app.fleet.assess(edge.edge_id, now, &facts);
                EdgePicture { edge, heartbeat, totals, progress_at, assessment }
            })
            .collect();
        Ok(Self { now, sites, edges, accounts, dead_open })
    }

    fn edges_of(&self, warehouse: Uuid) -> impl Iterator<Item = &EdgePicture> {
        self.edges.iter().filter(move |e| e.edge.warehouse_id == warehouse)
    }

    fn assess(&self, warehouse: Uuid) -> Assessment {
        let edges: Vec<(String, Assessment)> =
            self.edges_of(warehouse).map(|e| (e.edge.label(), e.assessment.clone())).collect();
        assess_site(&edges)
    }
}

/// `GET /api/v1/fleet/health`
///
/// # Errors
/// 401, 503.
pub async fn health(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let picture = Picture::take(&app, None).await?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for state in ["healthy", "degraded", "stale", "offline", "unknown"] {
        counts.insert(state, 0);
    }
    let mut sites = Vec::new();
    for site in &picture.sites {
        let assessment = picture.assess(site.warehouse_id);
        *counts.entry(name(assessment.state)).or_default() += 1;
        let edges: Vec<Value> = picture.edges_of(site.warehouse_id).map(edge_health).collect();
        sites.push(json!({
            "warehouse_id": site.warehouse_id,
            "name": site.name,
            "state": assessment.state,
            "reasons": assessment.reasons,
            "edges": edges,
        }));
    }
    Ok(Json(json!({ "generated_at": picture.now, "counts": counts, "sites": sites })))
}

const fn name(state: SiteState) -> &'static str {
    match state {
        SiteState::Healthy => "healthy",
        SiteState::Degraded => "degraded",
        SiteState::Stale => "stale",
        SiteState::Offline => "offline",
        SiteState::Unknown => "unknown",
    }
}

fn edge_health(picture: &EdgePicture) -> Value {
    json!({
        "edge_id": picture.edge.edge_id,
        "name": picture.edge.name,
        "state": picture.assessment.state,
        "reasons": picture.assessment.reasons,
        "last_heartbeat_at": picture.edge.heartbeat_at,
        "last_progress_at": picture.progress_at,
        "buffered": picture.totals.buffered,
        "missing": picture.totals.missing,
    })
}

/// `GET /api/v1/fleet/stats`
///
/// # Errors
/// 401, 503.
pub async fn stats(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let picture = Picture::take(&app, None).await?;
    let rates: HashMap<Uuid, Rate> =
        edges::rates(&app.db, picture.now).await?.into_iter().map(|r| (r.warehouse_id, r)).collect();
    let sites: Vec<Value> = picture
        .sites
        .iter()
        .map(|site| site_stats(&picture, site.warehouse_id, rates.get(&site.warehouse_id)))
        .collect();
    let events_5m: i64 = rates.values().map(|r| r.events_5m).sum();
    let mut totals = serde_json::to_value(Totals::of(&picture.accounts)).unwrap_or_default();
    totals["accepted"] = json!(accepted(&Totals::of(&picture.accounts)));
    totals["events_per_second"] = json!(per_second(events_5m));
    totals["dead_letters_open"] = json!(picture.dead_open.values().sum::<i64>());
    Ok(Json(json!({ "generated_at": picture.now, "totals": totals, "sites": sites })))
}

/// Every event accepted has a seq, so the heads say how many there were, but for the seqs of alerts and facts. Those still
/// on their way count as events until they are here.
const fn accepted(totals: &Totals) -> i64 {
    totals.head.saturating_sub(totals.alerts)
}

/// Over the last five full minutes, by event time.
fn per_second(events_5m: i64) -> f64 {
    events_5m as f64 / 300.0
}

fn site_stats(picture: &Picture, warehouse: Uuid, rate: Option<&Rate>) -> Value {
    let totals = Totals::of(picture.accounts.iter().filter(|a| a.warehouse_id == warehouse));
    json!({
        "warehouse_id": warehouse,
        "events_stored": totals.stored,
        "alert_records": totals.alerts,
        "last_event_time": rate.and_then(|r| r.last_event_time),
        "events_per_second": per_second(rate.map_or(0, |r| r.events_5m)),
        "accepted": accepted(&totals),
        "received": totals.received,
        "buffered": totals.buffered,
        "missing": totals.missing,
        "duplicates": totals.duplicates,
        "dead": totals.dead,
        "dead_letters_open": picture.dead_open.get(&warehouse).copied().unwrap_or(0),
    })
}

/// `GET /api/v1/sites/{id}`
///
/// # Errors
/// 401, 404, 503.
pub async fn site(State(app): State<Arc<App>>, id: Result<Path<Uuid>, PathRejection>) -> Result<Json<Value>, ApiError> {
    let id = path(id, "site")?;
    let picture = Picture::take(&app, Some(id)).await?;
    let site = picture.sites.first().ok_or_else(|| not_found("site"))?;
    let zones = edges::zones(&app.db, id).await?;
    let assessment = picture.assess(id);
    let rates = edges::rates(&app.db, picture.now).await?;
    let rate = rates.iter().find(|r| r.warehouse_id == id);
    let edges: Vec<Value> = picture
        .edges_of(id)
        .map(|e| {
            let mut edge = edge_health(e);
            edge["created_at"] = json!(e.edge.created_at);
            edge["ledger"] = json!(e.totals);
            edge["epochs"] = json!(picture.accounts.iter().filter(|a| a.edge_id == e.edge.edge_id).collect::<Vec<_>>());
            edge["heartbeat"] = json!(e.heartbeat);
            edge
        })
        .collect();
    Ok(Json(json!({
        "generated_at": picture.now,
        "warehouse_id": id,
        "name": site.name,
        "state": assessment.state,
        "reasons": assessment.reasons,
        "stats": site_stats(&picture, id, rate),
        "zones": zones,
        "edges": edges,
    })))
}
