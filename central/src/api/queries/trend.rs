//! `GET /api/v1/trend`, `/trend.csv`: how risk went, quarter by quarter, hour by hour, by days, weeks or shifts.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{FIGURES_HEADER, LONGEST, Site, figures_row, local, range};
use crate::api::{csv, query};
use crate::figures::cut::{self, By, Cut};
use crate::figures::{Figures, Range};
use crate::http::{ApiError, App};

/// More points than a screen has.
const QUARTERS_LONGEST: TimeDelta = TimeDelta::days(7);
const HOURS_LONGEST: TimeDelta = TimeDelta::days(93);

#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Uuid,
    /// One of its zones; all together if not given.
    zone_id: Option<Uuid>,
    /// Rounded down to a quarter of an hour.
    from: DateTime<Utc>,
    /// Exclusive; rounded up to a quarter of an hour. At most 7 days after `from` by quarters, 93 by hours, else 400.
    to: DateTime<Utc>,
    /// Hours if not given.
    by: Option<By>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Trend {
    time_zone: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Some of the range's events may still be on their way.
    filling: bool,
    /// Earliest first, also those in which nothing was seen. By shifts the time between them is in none.
    buckets: Vec<Bucket>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Bucket {
    /// The shift's name, the day's date, the week's ISO name; null for hours and quarters.
    name: Option<String>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    #[serde(flatten)]
    figures: Figures,
}

/// The trend of a site or of one of its zones.
///
/// # Errors
/// 400 (`query_invalid`, `range_too_long`), 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/trend", params(Ask), responses(
    (status = 200, description = "The trend.", body = Trend),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which. `range_too_long`: the \
        message says how long a range may be."),
    (status = 503, description = "`dashboards_busy`: more dashboards are asked for than can be worked out now; try again."),
    (status = 404, description = "`not_found`: there is no such site, or it has no such zone."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Trend>, ApiError> {
    let (site, range, buckets) = trend(&app, query(ask)?).await?;
    let filling = site.filling(&app, range).await?;
    Ok(Json(Trend { time_zone: site.time_zone().to_string(), from: range.from, to: range.to, filling, buckets }))
}

/// The same as CSV: name, from and to by the site's clock, and the figures, empty where they are suppressed.
///
/// # Errors
/// 400 (`query_invalid`, `range_too_long`), 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/trend.csv", params(Ask), responses(
    (status = 200, description = "name, from and to by the site's clock, and the figures.", body = String, content_type = "text/csv"),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which. `range_too_long`: the \
        message says how long a range may be."),
    (status = 503, description = "`dashboards_busy`: more dashboards are asked for than can be worked out now; try again."),
    (status = 404, description = "`not_found`: there is no such site, or it has no such zone."),
))]
pub async fn csv(State(app): State<Arc<App>>, ask: Result<Query<Ask>, QueryRejection>) -> Result<Response, ApiError> {
    let (site, _, buckets) = trend(&app, query(ask)?).await?;
    let header = [&["name", "from", "to"][..], &FIGURES_HEADER].concat();
    let row = move |bucket: &Bucket| {
        let own = [
            bucket.name.clone().unwrap_or_default(),
            local(bucket.from, site.time_zone()),
            local(bucket.to, site.time_zone()),
        ];
        own.into_iter().chain(figures_row(&bucket.figures)).collect()
    };
    csv::answer("trend.csv", &header, csv::pages_of(buckets, row)).await
}

async fn trend(app: &App, ask: Ask) -> Result<(Site, Range, Vec<Bucket>), ApiError> {
    let by = ask.by.unwrap_or(By::Hour);
    let (longest, what) = match by {
        By::Quarter => (QUARTERS_LONGEST, "a trend by quarters of an hour"),
        By::Hour => (HOURS_LONGEST, "a trend by hours"),
        By::Day | By::Week | By::Shift => (LONGEST, "a trend"),
    };
    let range = range(ask.from, ask.to, longest, what)?;
    let site = Site::find(app, ask.warehouse_id, ask.zone_id).await?;
    let buckets = cut::buckets(by, &site.clock, range);
    let cuts = Cut::buckets(&site.clock, range, &buckets);
    let figures: Vec<Figures> = match site.zone {
        None => site.line(app, &cuts, buckets.len()).await?,
        Some(zone) => {
            let table = site.table(app, &cuts, buckets.len()).await?;
            (0..buckets.len()).map(|cell| table.figures(zone, cell)).collect()
        }
    };
    let buckets = buckets.into_iter().zip(figures);
    let buckets = buckets.map(|(b, figures)| Bucket { name: b.name, from: b.from, to: b.to, figures }).collect();
    Ok((site, range, buckets))
}
