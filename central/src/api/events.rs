//! `GET /api/v1/events`: stored events, newest first, page by page. The cursor is a key, not a number of rows to skip,
//! so pages neither overlap nor slow down while events come in. Without `from` it is
//! the last day: without any bound Postgres would look into every partition there is.
//!
//! Single events tell of single people, also without ids, and so of groups whose figures are not shown. Who may only look
//! has the rollups.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use common::clock;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{REASON_ASKED, cursor, in_order, known, limit, parse_cursor, query, reason};
use crate::access::{Caller, Scope, require};
use crate::http::{ApiError, App};
use crate::store::audit;
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
    /// With `worker_id`: for those who may see people, and written down with the reason.
    #[serde(default)]
    people: bool,
    /// Why, if `people`.
    reason: Option<String>,
}

impl Ask {
    /// What was looked for, for the audit.
    fn said(&self, from: DateTime<Utc>, limit: i64) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut said = format!("from {}", time(from));
        let parts = [
            ("to", self.to.map(time)),
            ("warehouse", self.warehouse_id.map(|id| id.to_string())),
            ("zone", self.zone_id.map(|id| id.to_string())),
            ("camera", self.camera_id.clone()),
            ("after", self.cursor.clone()),
        ];
        for (what, value) in parts.into_iter().filter_map(|(what, value)| Some((what, value?))) {
            said = format!("{said}, {what} {value}");
        }
        format!("{said}, {limit} at most")
    }
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
/// 400 for a question that cannot be read or `people` without a reason, 401, 403 for `people` without that scope, 404,
/// 503.
#[utoipa::path(get, path = "/api/v1/events", params(Ask), responses(
    (status = 200, description = "A page of events.", body = Page),
    (status = 400, description = "`query_invalid`: a parameter cannot be read, or `from` is after `to`; the message says \
                                  which. `reason_missing`: `people` needs a reason."),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    in_order(ask.from, ask.to)?;
    let before = ask.cursor.as_deref().map(parse_cursor).transpose()?;
    let from = ask.from.unwrap_or_else(|| day_before(ask.to.unwrap_or_else(clock::now)));
    known(&app, ask.warehouse_id).await?;
    if ask.people {
        require(&caller, Scope::People)?;
        let detail = format!("{}: {}", ask.said(from, limit), reason(ask.reason.as_deref(), REASON_ASKED)?);
        audit::add(&app.db, &caller.name, "people_viewed", "events", Some(&detail)).await?;
    }
    let filter = Filter {
        people: ask.people,
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
