//! `GET /api/v1/completeness` and `/completeness.csv`: how complete the data of a site is, by hour, shift or day of its
//! own clock, with what became of everything its edges accepted.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use common::clock;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{bad_query, not_found, query};
use crate::completeness::file;
use crate::completeness::periods::By;
use crate::completeness::report::{Question, Report, ReportError, report};
use crate::http::{ApiError, App};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Uuid,
    /// A week before `to` if not given, by hour a day.
    from: Option<DateTime<Utc>>,
    /// Exclusive; now if not given. At most 93 days after `from`.
    to: Option<DateTime<Utc>>,
    /// `shift` if not given.
    #[serde(default)]
    by: By,
}

impl From<Ask> for Question {
    fn from(Ask { warehouse_id, from, to, by }: Ask) -> Self {
        Self { warehouse_id, by, from, to }
    }
}

impl From<ReportError> for ApiError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::NoSite => not_found("site").into(),
            ReportError::Range(text) => bad_query(&text).into(),
            ReportError::Store(error) => error.into(),
        }
    }
}

/// `GET /api/v1/completeness`: how complete the data of a site is, by hour, shift or day of its own clock.
///
/// # Errors
/// 400 for a question that cannot be read or a range that is too long, 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/completeness", params(Ask), responses(
    (status = 200, description = "The periods that overlap the range, earliest first.", body = Report),
    (status = 400, description = "`query_invalid`: a parameter cannot be read, or the range is too long; the message says which."),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Report>, ApiError> {
    Ok(Json(report(&app.db, &query(ask)?.into(), clock::now()).await?))
}

/// `GET /api/v1/completeness.csv`: the same as a CSV file to put away. Its last line and the `Repr-Digest` header vouch for its bytes.
///
/// # Errors
/// As [`show`].
#[utoipa::path(get, path = "/api/v1/completeness.csv", params(Ask), responses(
    (status = 200, description = "A line a period, and a last one that vouches for them.", content_type = "text/csv", body = String),
    (status = 400, description = "`query_invalid`: a parameter cannot be read, or the range is too long; the message says which."),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn show_csv(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let report = report(&app.db, &query(ask)?.into(), clock::now()).await?;
    // The range bounds it: three months by hour are one megabyte. The digest comes before the first byte.
    let bytes = file::csv(&report);
    // RFC 9530.
    let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
    let name = format!(
        "completeness-{}-{}-{}.csv",
        report.warehouse_id,
        report.from.format("%Y%m%dT%H%M"),
        report.to.format("%Y%m%dT%H%M")
    );
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::HeaderName::from_static("repr-digest"), digest),
    ];
    Ok((headers, bytes))
}
