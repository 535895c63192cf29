//! `GET /api/v1/compare`: two periods of a site side by side, in all and by zone.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LONGEST, Site, Table, ZoneName, range};
use crate::api::{bad_query, query};
use crate::figures::cut::Cut;
use crate::figures::{Figures, Range};
use crate::http::{ApiError, App};

#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Uuid,
    /// One of its zones; all if not given.
    zone_id: Option<Uuid>,
    /// Period a; rounded to quarters of an hour, as the other times. At most 400 days.
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Period b, with which a is compared. It may be of another length and may overlap a.
    with_from: DateTime<Utc>,
    with_to: DateTime<Utc>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Comparison {
    time_zone: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    with_from: DateTime<Utc>,
    with_to: DateTime<Utc>,
    /// Some events of either period may still be on their way.
    filling: bool,
    a: Figures,
    b: Figures,
    zones: Vec<ZoneComparison>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct ZoneComparison {
    #[serde(flatten)]
    zone: ZoneName,
    a: Figures,
    b: Figures,
}

/// Two periods of a site or one of its zones.
///
/// # Errors
/// 400 (`query_invalid`, `range_too_long`), 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/compare", params(Ask), responses(
    (status = 200, description = "The two periods.", body = Comparison),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which. `range_too_long`: the \
        message says how long a range may be."),
    (status = 503, description = "`dashboards_busy`: more dashboards are asked for than can be worked out now; try again."),
    (status = 404, description = "`not_found`: there is no such site, or it has no such zone."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Comparison>, ApiError> {
    let ask = query(ask)?;
    let a = range(ask.from, ask.to, LONGEST, "a comparison")?;
    let b = range(ask.with_from, ask.with_to, LONGEST, "a comparison")?;
    // What is in one and not in the other could be worked out, and that may be a group too small to be shown.
    if a.from < b.to && b.from < a.to {
        return Err(bad_query("the two periods overlap; choose two of which one ends before the other begins").into());
    }
    let site = Site::find(&app, ask.warehouse_id, ask.zone_id).await?;
    let (of_a, of_b) = (period(&app, &site, a).await?, period(&app, &site, b).await?);
    let zones = site
        .shown()
        .map(|(index, zone)| ZoneComparison { zone: zone.into(), a: of_a.figures(index, 0), b: of_b.figures(index, 0) })
        .collect();
    Ok(Json(Comparison {
        time_zone: site.time_zone().to_string(),
        from: a.from,
        to: a.to,
        with_from: b.from,
        with_to: b.to,
        filling: site.filling(&app, a).await? || site.filling(&app, b).await?,
        a: of_a.subject(site.zone, 0).0,
        b: of_b.subject(site.zone, 0).0,
        zones,
    }))
}

async fn period(app: &App, site: &Site, range: Range) -> Result<Table, ApiError> {
    site.table(app, &[Cut::whole(&site.clock, range)], 1).await
}
