//! `GET /api/v1/events`: stored events, newest first, page by page. The cursor is a key, not a number of rows to skip,
//! so pages neither overlap nor slow down while events come in. Without `from` it is
//! the last day: without any bound Postgres would look into every partition there is.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{cursor, limit, parse_cursor, query};
use crate::http::{ApiError, App};
use crate::store::events::{self, Filter, Shown};

/// What is shown if nobody says from when.
const SHOWN_BY_DEFAULT: TimeDelta = TimeDelta::days(1);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Option<Uuid>,
    zone_id: Option<Uuid>,
    camera_id: Option<String>,
    /// Inclusive; a day before `to` if not given.
    from: Option<DateTime<Utc>>,
    /// Exclusive; open if not given.
    to: Option<DateTime<Utc>>,
    /// Of one page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
pub struct Page {
    /// The range looked at, asked for or not.
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    events: Vec<Shown>,
    /// Ask for this next; null when there are no older ones.
    next: Option<String>,
}

/// `GET /api/v1/events`: stored events, newest first.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 503.
#[utoipa::path(get, path = "/api/v1/events", params(Ask), responses(
    (status = 200, description = "A page of events.", body = Page),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which."),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    let before = ask.cursor.as_deref().map(parse_cursor).transpose()?;
    let from = ask.from.unwrap_or_else(|| day_before(ask.to.unwrap_or_else(clock::now)));
    let filter = Filter {
        warehouse_id: ask.warehouse_id,
        zone_id: ask.zone_id,
        camera_id: ask.camera_id,
        from: Some(from),
        to: ask.to,
        before,
        limit,
    };
    let events = events::page(&app.db, &filter).await?;
    let full = i64::try_from(events.len()) == Ok(limit);
    let next = events.last().filter(|_| full).map(|last| cursor(last.event_time, last.event_id));
    Ok(Json(Page { from, to: ask.to, events, next }))
}

fn day_before(to: DateTime<Utc>) -> DateTime<Utc> {
    // A time so early has nothing before it.
    to.checked_sub_signed(SHOWN_BY_DEFAULT).unwrap_or(to)
}
