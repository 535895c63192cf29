//! `GET /api/v1/ranking`, `/ranking.csv`: all sites over one range, those at risk for the greatest part of the time first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{FIGURES_HEADER, LONGEST, figures_row, range, size};
use crate::api::{csv, query};
use crate::figures::{Figures, Group, Range};
use crate::http::{ApiError, App};
use crate::store::queries;

#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    /// Rounded down to a quarter of an hour.
    from: DateTime<Utc>,
    /// Exclusive; rounded up to a quarter of an hour. At most 400 days after `from`.
    to: DateTime<Utc>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Ranking {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// By the share of the observed seconds that were at risk, greatest first; then those of which nothing can be said.
    sites: Vec<SiteFigures>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct SiteFigures {
    warehouse_id: Uuid,
    name: Option<String>,
    /// `coverage` is null here: it goes by each site's shifts.
    #[serde(flatten)]
    figures: Figures,
}

impl SiteFigures {
    fn share_at_risk(&self) -> Option<f64> {
        let observed = self.figures.seconds_observed.filter(|seconds| *seconds > 0)?;
        Some(self.figures.seconds_at_risk? as f64 / observed as f64)
    }
}

/// All sites, those at risk for the greatest part of the time first.
///
/// # Errors
/// 400 (`query_invalid`, `range_too_long`), 401, 503.
#[utoipa::path(get, path = "/api/v1/ranking", params(Ask), responses(
    (status = 200, description = "The sites.", body = Ranking),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which. `range_too_long`: the \
        message says how long a range may be."),
    (status = 503, description = "`dashboards_busy`: more dashboards are asked for than can be worked out now; try again."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Ranking>, ApiError> {
    let (range, sites) = ranking(&app, query(ask)?).await?;
    Ok(Json(Ranking { from: range.from, to: range.to, sites }))
}

/// The same as CSV: site, its name, and the figures, empty where they are suppressed.
///
/// # Errors
/// 400 (`query_invalid`, `range_too_long`), 401, 503.
#[utoipa::path(get, path = "/api/v1/ranking.csv", params(Ask), responses(
    (status = 200, description = "warehouse_id, site, and the figures.", body = String, content_type = "text/csv"),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which. `range_too_long`: the \
        message says how long a range may be."),
    (status = 503, description = "`dashboards_busy`: more dashboards are asked for than can be worked out now; try again."),
))]
pub async fn csv(State(app): State<Arc<App>>, ask: Result<Query<Ask>, QueryRejection>) -> Result<Response, ApiError> {
    let (_, sites) = ranking(&app, query(ask)?).await?;
    let header = [&["warehouse_id", "site"][..], &FIGURES_HEADER].concat();
    let row = |site: &SiteFigures| {
        let own = [site.warehouse_id.to_string(), site.name.clone().unwrap_or_default()];
        own.into_iter().chain(figures_row(&site.figures)).collect()
    };
    csv::answer("ranking.csv", &header, csv::pages_of(sites, row)).await
}

async fn ranking(app: &App, ask: Ask) -> Result<(Range, Vec<SiteFigures>), ApiError> {
    let range = range(ask.from, ask.to, LONGEST, "a ranking")?;
    let known = queries::names(&app.db).await?;
    let mut sums = queries::sites(&app.db, range).await?;
    let mut sites: Vec<SiteFigures> = known
        .into_iter()
        .map(|(warehouse_id, name)| {
            let (sum, people) = sums.remove(&warehouse_id).unwrap_or_default();
            let group = Group { sum, people, minutes_expected: 0 };
            let figures = group.figures(size(&group).too_small());
            SiteFigures { warehouse_id, name, figures }
        })
        .collect();
    // Those of which nothing can be said come last; equal ones stay in the order of their ids.
    sites.sort_by(|a, b| match (a.share_at_risk(), b.share_at_risk()) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    Ok((range, sites))
}
