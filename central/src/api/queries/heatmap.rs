//! `GET /api/v1/heatmap`, `/heatmap.csv`: each zone by the hour of the local day, all days of the range together.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{Ask, FIGURES_HEADER, LONGEST, Site, ZoneName, figures_row, range};
use crate::api::{csv, query};
use crate::figures::cut::Cut;
use crate::figures::{Figures, Range};
use crate::http::{ApiError, App};

/// Of a day. One that is an hour longer has one of them twice, and both are in the same cell.
const HOURS: usize = 24;

#[derive(Serialize, utoipa::ToSchema)]
pub struct HeatMap {
    time_zone: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Some of the range's events may still be on their way.
    filling: bool,
    zones: Vec<ZoneName>,
    /// 24 for each zone, also those in which nothing was seen.
    cells: Vec<Cell>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Cell {
    zone_id: Uuid,
    /// 0 to 23: from this full hour of the local day to the next.
    hour: usize,
    #[serde(flatten)]
    figures: Figures,
}

/// Zones by hours of the local day.
///
/// # Errors
/// 400 (`query_invalid`, `range_too_long`), 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/heatmap", params(Ask), responses(
    (status = 200, description = "Zones by hours.", body = HeatMap),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which. `range_too_long`: the \
        message says how long a range may be."),
    (status = 503, description = "`dashboards_busy`: more dashboards are asked for than can be worked out now; try again."),
    (status = 404, description = "`not_found`: there is no such site, or it has no such zone."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<HeatMap>, ApiError> {
    let (site, range, cells) = heatmap(&app, query(ask)?).await?;
    let filling = site.filling(&app, range).await?;
    let zones = site.shown().map(|(_, zone)| zone.into()).collect();
    let time_zone = site.time_zone().to_string();
    Ok(Json(HeatMap { time_zone, from: range.from, to: range.to, filling, zones, cells }))
}

/// The same as CSV: zone, its name, hour, and the figures, empty where they are suppressed.
///
/// # Errors
/// 400 (`query_invalid`, `range_too_long`), 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/heatmap.csv", params(Ask), responses(
    (status = 200, description = "zone_id, zone, hour, and the figures.", body = String, content_type = "text/csv"),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which. `range_too_long`: the \
        message says how long a range may be."),
    (status = 503, description = "`dashboards_busy`: more dashboards are asked for than can be worked out now; try again."),
    (status = 404, description = "`not_found`: there is no such site, or it has no such zone."),
))]
pub async fn csv(State(app): State<Arc<App>>, ask: Result<Query<Ask>, QueryRejection>) -> Result<Response, ApiError> {
    let (site, _, cells) = heatmap(&app, query(ask)?).await?;
    let header = [&["zone_id", "zone", "hour"][..], &FIGURES_HEADER].concat();
    let row = move |cell: &Cell| {
        let name = site.zones.iter().find(|zone| zone.zone_id == cell.zone_id).and_then(|zone| zone.name.clone());
        let own = [cell.zone_id.to_string(), name.unwrap_or_default(), cell.hour.to_string()];
        own.into_iter().chain(figures_row(&cell.figures)).collect()
    };
    csv::answer("heatmap.csv", &header, csv::pages_of(cells, row)).await
}

async fn heatmap(app: &App, ask: Ask) -> Result<(Site, Range, Vec<Cell>), ApiError> {
    let range = range(ask.from, ask.to, LONGEST, "a heat map")?;
    let site = Site::find(app, ask.warehouse_id, ask.zone_id).await?;
    let table = site.table(app, &[Cut::hours(&site.clock, range)], HOURS).await?;
    let cells = site
        .shown()
        .flat_map(|(index, zone)| {
            let cell = |hour| Cell { zone_id: zone.zone_id, hour, figures: table.figures(index, hour) };
            (0..HOURS).map(cell).collect::<Vec<_>>()
        })
        .collect();
    Ok((site, range, cells))
}
