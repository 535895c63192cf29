//! `/api/v1/audit`: who did what, for administrators; page by page, or all that is asked for as CSV.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::{csv, id_cursor, in_order, limit, query};
use crate::http::{ApiError, App};
use crate::store::audit::{self, Entry, Filter};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    actor: Option<String>,
    action: Option<String>,
    /// How the subject begins, such as `alert` or `user anna`.
    subject: Option<String>,
    /// Inclusive.
    from: Option<DateTime<Utc>>,
    /// Exclusive.
    to: Option<DateTime<Utc>>,
    /// `next` of the page before.
    cursor: Option<i64>,
    limit: Option<i64>,
}

impl Ask {
    fn filter(self, limit: i64) -> Filter {
        let Self { actor, action, subject, from, to, cursor, .. } = self;
        Filter { actor, action, subject, from, to, before: cursor, limit }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Audit {
    entries: Vec<Entry>,
    /// Ask for this next; null when there are no older ones.
    next: Option<i64>,
}

/// A page of the audit, newest first.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 403, 503.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Ask), responses(
    (status = 200, body = Audit),
    (status = 400, description = "`query_invalid`: a parameter cannot be read, or `from` is after `to`; the message says which."),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Audit>, ApiError> {
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    in_order(ask.from, ask.to)?;
    id_cursor(ask.cursor)?;
    let entries = audit::page(&app.db, &ask.filter(limit)).await?;
    let full = i64::try_from(entries.len()) == Ok(limit);
    let next = entries.last().filter(|_| full).map(|last| last.id);
    Ok(Json(Audit { entries, next }))
}

/// All of the audit that is asked for, newest first, as CSV: id, at, actor, action, subject, detail. `limit` is not
/// heeded.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 403, 503. A failure after the first page breaks the connection off.
#[utoipa::path(
    get, path = "/api/v1/audit.csv", tag = "audit", params(Ask),
    responses(
        (status = 200, body = String, content_type = "text/csv"),
        (status = 400, description = "`query_invalid`: a parameter cannot be read, or `from` is after `to`; the message says which."),
    )
)]
pub async fn csv(State(app): State<Arc<App>>, ask: Result<Query<Ask>, QueryRejection>) -> Result<Response, ApiError> {
    let ask = query(ask)?;
    in_order(ask.from, ask.to)?;
    let filter = ask.filter(csv::PAGE_ROWS);
    let pages = csv::pages(filter, move |mut filter: Filter| {
        let app = Arc::clone(&app);
        async move {
            let entries = audit::page(&app.db, &filter).await?;
            filter.before = entries.last().map(|last| last.id);
            Ok((entries.into_iter().map(row).collect(), filter))
        }
    });
    csv::answer("audit.csv", &["id", "at", "actor", "action", "subject", "detail"], pages).await
}

fn row(entry: Entry) -> Vec<String> {
    let Entry { id, at, actor, action, subject, detail } = entry;
    let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    vec![id.to_string(), at, actor, action, subject, detail.unwrap_or_default()]
}
