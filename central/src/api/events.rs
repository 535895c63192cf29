//! `GET /api/v1/events`: stored events, newest first, page by page. The cursor is a key, not a number of rows to skip,
//! so pages neither overlap nor slow down while events come in.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{bad_query, limit, query};
use crate::http::{ApiError, App};
use crate::store::events::{self, Filter, Shown};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    warehouse_id: Option<Uuid>,
    zone_id: Option<Uuid>,
    camera_id: Option<String>,
    /// Inclusive.
    from: Option<DateTime<Utc>>,
    /// Exclusive.
    to: Option<DateTime<Utc>>,
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize)]
pub struct Page {
    events: Vec<Shown>,
    /// Ask for this next; null when there are no older ones.
    next: Option<String>,
}

/// # Errors
/// 400 for a question that cannot be read, 401, 503.
pub async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    app.auth.tool(&headers).await?;
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    let before = match &ask.cursor {
        Some(cursor) => Some(parse_cursor(cursor).ok_or_else(|| bad_query("cursor is not one of ours"))?),
        None => None,
    };
    let filter = Filter {
        warehouse_id: ask.warehouse_id,
        zone_id: ask.zone_id,
        camera_id: ask.camera_id,
        from: ask.from,
        to: ask.to,
        before,
        limit,
    };
    let events = events::page(&app.db, &filter).await?;
    let full = i64::try_from(events.len()) == Ok(limit);
    let next = events.last().filter(|_| full).map(|last| cursor(last.event_time, last.event_id));
    Ok(Json(Page { events, next }))
}

fn cursor(time: DateTime<Utc>, id: Uuid) -> String {
    format!("{}_{id}", time.timestamp_micros())
}

fn parse_cursor(text: &str) -> Option<(DateTime<Utc>, Uuid)> {
    let (micros, id) = text.split_once('_')?;
    Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let time = DateTime::from_timestamp_micros(-5).expect("a time");
        let id = Uuid::from_u128(9);
        assert_eq!(parse_cursor(&cursor(time, id)), Some((time, id)));
        assert_eq!(parse_cursor("yesterday"), None);
    }
}
