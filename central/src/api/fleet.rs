//! `/api/v1/fleet/health`, `/api/v1/fleet/stats`, `/api/v1/sites/{id}`: how the sites are and what they have delivered. All
//! of it is read from the one snapshot of the fleet; only what a single site's page shows beside its state is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use common::protocol::Heartbeat;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::ledger::Totals;
use super::{not_found, path};
use crate::fleet::{Digest, EdgeRow, FleetHealth, Outdated, Site, SiteRow};
use crate::http::{ApiError, App};
use crate::store::edges::{self, Zone};
use crate::store::ledger::{self, Account};
use crate::store::tokens::{self, ShutOut};
use crate::store::{rule_sets, sites};

/// All sites, what should be seen to first before the rest.
///
/// # Errors
/// 401, 503 `fleet_outdated`.
#[utoipa::path(
    get, path = "/api/v1/fleet/health",
    responses(
        (status = 200, description = "All sites, what should be seen to first before the rest.", body = FleetHealth<'_>),
        (status = 503, description = "`fleet_outdated`: headquarters has not been able to look at the fleet."),
    )
)]
pub async fn health(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let fleet = app.fleet.current().await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], fleet.health()).into_response())
}

/// What a site has delivered.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SiteStats {
    warehouse_id: Uuid,
    events_stored: i64,
    alert_records: i64,
    last_event_time: Option<DateTime<Utc>>,
    events_per_second: f64,
    accepted: i64,
    received: i64,
    buffered: i64,
    missing: i64,
    duplicates: i64,
    dead: i64,
    dead_letters_open: i64,
}

impl SiteStats {
    fn of(site: &Site) -> Self {
        let Site { row, totals, .. } = site;
        Self {
            warehouse_id: row.warehouse_id,
            events_stored: totals.stored,
            alert_records: totals.alerts,
            last_event_time: row.last_event_time,
            events_per_second: row.events_per_second,
            accepted: accepted(totals),
            received: totals.received,
            buffered: totals.buffered,
            missing: totals.missing,
            duplicates: totals.duplicates,
            dead: totals.dead,
            dead_letters_open: row.dead_letters_open,
        }
    }
}

/// Every event accepted has a seq, so the heads say how many there were, but for the seqs of alerts and facts. Those still
/// on their way count as events until they are here.
const fn accepted(totals: &Totals) -> i64 {
    totals.head.saturating_sub(totals.alerts)
}

/// Sums over all sites.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FleetTotals {
    #[serde(flatten)]
    ledger: Totals,
    accepted: i64,
    events_per_second: f64,
    dead_letters_open: i64,
}

/// What all sites have delivered.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FleetStats {
    generated_at: DateTime<Utc>,
    outdated: Option<Outdated>,
    totals: FleetTotals,
    sites: Vec<SiteStats>,
}

/// What each site has delivered, and all together.
///
/// # Errors
/// 401, 503 `fleet_outdated`.
#[utoipa::path(
    get, path = "/api/v1/fleet/stats",
    responses(
        (status = 200, description = "What each site has delivered, and all together.", body = FleetStats),
        (status = 503, description = "`fleet_outdated`: headquarters has not been able to look at the fleet."),
    )
)]
pub async fn stats(State(app): State<Arc<App>>) -> Result<Json<FleetStats>, ApiError> {
    let fleet = app.fleet.current().await?;
    Ok(Json(FleetStats {
        generated_at: fleet.generated_at,
        outdated: fleet.outdated.clone(),
        totals: FleetTotals {
            ledger: fleet.totals.clone(),
            accepted: accepted(&fleet.totals),
            events_per_second: fleet.events_per_second,
            dead_letters_open: fleet.dead_letters_open,
        },
        sites: fleet.sites.iter().map(SiteStats::of).collect(),
    }))
}

/// A camera as its edge last told of it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Camera {
    camera_id: String,
    name: Option<String>,
    zone_id: Uuid,
    edge_id: Uuid,
    /// By the edge's clock.
    last_seen_at: DateTime<Utc>,
    clock_suspect: bool,
    silent: bool,
}

/// An edge with everything known of it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EdgeDetail {
    #[serde(flatten)]
    row: EdgeRow,
    /// Of the rules it applies; null if it has not said.
    rules_version: Option<u64>,
    /// Its last heartbeat as it came.
    #[schema(value_type = Option<Object>)]
    heartbeat: Option<Value>,
    epochs: Vec<Account>,
}

/// The page of a site.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SitePage {
    generated_at: DateTime<Utc>,
    outdated: Option<Outdated>,
    #[serde(flatten)]
    row: SiteRow,
    time_zone: String,
    /// Its rule set is empty: nothing there raises an alert about people.
    alerts_off: bool,
    stats: SiteStats,
    zones: Vec<Zone>,
    cameras: Vec<Camera>,
    edge_list: Vec<EdgeDetail>,
    /// Edges that may not come in any more, the latest first; in none of the figures but the ledger's.
    shut_out: Vec<ShutOut>,
}

/// One site with its zones, cameras and edges.
///
/// # Errors
/// 401, 404, 503.
#[utoipa::path(
    get, path = "/api/v1/sites/{id}",
    params(("id" = Uuid, Path, description = "The warehouse.")),
    responses(
        (status = 200, description = "The site with its zones, cameras and edges.", body = SitePage),
        (status = 404, description = "`not_found`: there is no such site."),
        (status = 503, description = "`fleet_outdated`: headquarters has not been able to look at the fleet."),
    )
)]
pub async fn site(
    State(app): State<Arc<App>>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<SitePage>, ApiError> {
    let id = path(id, "site")?;
    let fleet = app.fleet.current().await?;
    let site = fleet.site(id).ok_or_else(|| not_found("site"))?;
    let zones = edges::zones(&app.db, id).await?;
    let mut accounts = ledger::accounts(&app.db, Some(id), None).await?;
    let heartbeats = edges::heartbeats(&app.db, id).await?;
    let names = edges::camera_names(&app.db, id).await?;
    let seen = heartbeats.iter().flat_map(|(edge, value)| cameras(*edge, value, &names));
    let mut cameras: Vec<Camera> = seen.collect();
    cameras.sort_by(|a, b| (&a.camera_id, a.zone_id, a.edge_id).cmp(&(&b.camera_id, b.zone_id, b.edge_id)));
    let edge_list = site.edges.iter().map(|row| {
        let heartbeat = heartbeats.iter().find(|(edge, _)| *edge == row.edge_id).map(|(_, value)| value.clone());
        let rules_version = heartbeat.as_ref().and_then(|value| value.pointer("/rules/version")?.as_u64());
        let epochs = accounts.extract_if(.., |account| account.edge_id == row.edge_id).collect();
        EdgeDetail { row: row.clone(), rules_version, heartbeat, epochs }
    });
    Ok(Json(SitePage {
        generated_at: fleet.generated_at,
        outdated: fleet.outdated.clone(),
        row: site.row.clone(),
        alerts_off: rule_sets::alerts_off(&app.db, id).await?,
        time_zone: sites::clock(&app.db, id).await?.time_zone.name().to_owned(),
        stats: SiteStats::of(site),
        zones,
        cameras,
        edge_list: edge_list.collect(),
        shut_out: tokens::shut_out(&app.db, id).await?,
    }))
}

/// Of a heartbeat; none if it is of a version that this one cannot read.
fn cameras(edge_id: Uuid, heartbeat: &Value, names: &HashMap<String, String>) -> Vec<Camera> {
    let Ok(Heartbeat { sent_at, cameras, .. }) = serde_json::from_value(heartbeat.clone()) else { return Vec::new() };
    let shown = cameras.into_iter().map(|camera| Camera {
        name: names.get(&camera.camera_id).cloned(),
        zone_id: camera.zone_id.uuid(),
        edge_id,
        last_seen_at: camera.last_seen,
        clock_suspect: camera.clock_suspect,
        silent: Digest::is_silent(sent_at, camera.last_seen),
        camera_id: camera.camera_id,
    });
    shown.collect()
}
