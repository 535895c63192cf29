//! `GET /api/v1/distribution`: how scores are spread over a range, in all and by zone.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Ask, LONGEST, Site, ZoneName, range};
use crate::api::query;
use crate::figures::Figures;
use crate::figures::cut::Cut;
use crate::http::{ApiError, App};

#[derive(Serialize, utoipa::ToSchema)]
pub struct Distribution {
    time_zone: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Some of the range's events may still be on their way.
    filling: bool,
    /// How many events scored 0 to 5, 5 to 10, and so on; the last includes 100. Null if suppressed or there are none.
    bins: Option<Vec<i64>>,
    #[serde(flatten)]
    figures: Figures,
    zones: Vec<ZoneFigures>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct ZoneFigures {
    #[serde(flatten)]
    zone: ZoneName,
    #[serde(flatten)]
    figures: Figures,
}

/// The distribution of scores in a site or one of its zones.
///
/// # Errors
/// 400 (`query_invalid`, `range_too_long`), 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/distribution", params(Ask), responses(
    (status = 200, description = "The distribution.", body = Distribution),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which. `range_too_long`: the \
        message says how long a range may be."),
    (status = 503, description = "`dashboards_busy`: more dashboards are asked for than can be worked out now; try again."),
    (status = 404, description = "`not_found`: there is no such site, or it has no such zone."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Distribution>, ApiError> {
    let ask = query(ask)?;
    let range = range(ask.from, ask.to, LONGEST, "a distribution")?;
    let site = Site::find(&app, ask.warehouse_id, ask.zone_id).await?;
    let table = site.table(&app, &[Cut::whole(&site.clock, range)], 1).await?;
    let (figures, sum) = table.subject(site.zone, 0);
    let zones =
        site.shown().map(|(index, zone)| ZoneFigures { zone: zone.into(), figures: table.figures(index, 0) }).collect();
    Ok(Json(Distribution {
        time_zone: site.time_zone().to_string(),
        from: range.from,
        to: range.to,
        filling: site.filling(&app, range).await?,
        bins: sum.map(|sum| sum.bins.to_vec()),
        figures,
        zones,
    }))
}
