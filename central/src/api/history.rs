//! `GET /api/v1/sites/{id}/history`: how a site and its edges were, and what the edges said of themselves. It stays when the
//! site is gone, so that its last picture and the way to it can be looked at.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{bad_query, not_found, path, query};
use crate::http::{ApiError, App};
use crate::store::fleet::{self, Began, Kept};

/// What is shown if nobody says from when.
const SHOWN_BY_DEFAULT: TimeDelta = TimeDelta::days(1);
/// Longer ones are of no use to a page, and too much for one answer.
const RANGE_MAX: TimeDelta = TimeDelta::days(31);
/// Heartbeats are kept this far apart.
const STEP_LEAST: TimeDelta = TimeDelta::minutes(5);
/// Heartbeats per edge in an answer, about.
const STEPS_MAX: i32 = 500;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    /// Inclusive; a day before `to` if not given.
    from: Option<DateTime<Utc>>,
    /// Exclusive; now if not given.
    to: Option<DateTime<Utc>>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct History {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// What held at `from` comes first.
    states: Vec<Began>,
    /// One per edge and five minutes; further apart in a range over two days.
    heartbeats: Vec<Kept>,
}

/// How a site was.
///
/// # Errors
/// 400 for a range that cannot be read or is too long, 401, 404, 503.
#[utoipa::path(
    get, path = "/api/v1/sites/{id}/history",
    params(("id" = Uuid, Path, description = "The warehouse."), Ask),
    responses(
        (status = 200, description = "How it was, and what its edges said.", body = History),
        (status = 400, description = "`query_invalid`: the message says what; a range has at most 31 days."),
        (status = 404, description = "`not_found`: there is no such site."),
        (status = 503, description = "`fleet_outdated`: headquarters has not been able to look at the fleet."),
    )
)]
pub async fn show(
    State(app): State<Arc<App>>,
    id: Result<Path<Uuid>, PathRejection>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<History>, ApiError> {
    let id = path(id, "site")?;
    let ask = query(ask)?;
    let to = ask.to.unwrap_or_else(clock::now);
    // A time so early has nothing before it.
    let from = ask.from.or_else(|| to.checked_sub_signed(SHOWN_BY_DEFAULT)).unwrap_or(to);
    if from > to {
        return Err(bad_query("from is after to").into());
    }
    if to - from > RANGE_MAX {
        return Err(bad_query(&format!("from and to are more than {} days apart", RANGE_MAX.num_days())).into());
    }
    app.fleet.current().await?.site(id).ok_or_else(|| not_found("site"))?;
    let step = STEP_LEAST.max((to - from) / STEPS_MAX);
    let (states, heartbeats) = fleet::history(&app.db, id, from, to, step).await?;
    Ok(Json(History { from, to, states, heartbeats }))
}
