//! What dashboards and tools may ask, with a token from `tokens add`. One file per subject.
//!
//! `worker_id` is personal data: only callers with the scope `people` get it, who say why where they ask for it, and
//! each such view is in the audit. The raw bytes of a dead letter hold it too, and are shown likewise.

pub mod alerts;
pub mod audit;
pub mod completeness;
pub mod csv;
pub mod dead_letters;
pub mod events;
pub mod fleet;
pub mod history;
pub mod ledger;
pub mod people;
pub mod queries;
pub mod rules;
pub mod session;
pub mod settings;
pub mod silences;
pub mod tokens;
pub mod users;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use common::credentials::Unfit;
use common::problem::Problem;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::http::{ApiError, App};
use crate::persist::check::visible;
use crate::store::sites;

/// The most that one page holds.
const LIMIT_MAX: i64 = 1_000;
const LIMIT_DEFAULT: i64 = 100;

fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        other => Err(bad_query(&format!("limit = {other} is out of range; choose 1 to {LIMIT_MAX}"))),
    }
}

fn bad_query(message: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "query_invalid", message)
}

/// What chrono says of a time that it cannot read, such as one with a blank in it.
const NO_TIME: &str = "input contains invalid characters";

fn query<T>(query: Result<axum::extract::Query<T>, QueryRejection>) -> Result<T, Problem> {
    query.map(|q| q.0).map_err(|rejection| {
        let mut text = rejection.body_text();
        if text.contains(NO_TIME) {
            text += "; write a time as 2026-05-01T06:00:00Z, and the + of an offset as %2B: a bare + means a blank";
        }
        bad_query(&text)
    })
}

/// A path that cannot be an id names nothing.
fn path<T>(path: Result<axum::extract::Path<T>, PathRejection>, what: &str) -> Result<T, Problem> {
    path.map(|p| p.0).map_err(|_| not_found(what))
}

fn bad_body(message: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "body_invalid", message)
}

/// A body that is a JSON object. axum's own extractor takes an array too, whose items serde gives to the fields by their
/// order.
///
/// Refused with 400, or 413 if it is longer than axum takes where a route says nothing else.
pub struct Object<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Object<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let text = "the body is larger than 2 MiB; send less at once";
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
            }
            _ => bad_body(&rejection.body_text()),
        })?;
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(bad_body("the body is an array, and has to be an object: {…}"));
        }
        let mut whole = Request::new(Body::from(bytes));
        *whole.headers_mut() = headers;
        let read = Json::from_request(whole, state).await;
        read.map(|Json(object)| Self(object)).map_err(|rejection| bad_body(&rejection.body_text()))
    }
}

/// The most that somebody says of why.
const REASON_CHARS_MAX: usize = 500;
/// How a question gives its reason.
const REASON_ASKED: &str = "?reason=TEXT";

/// Why somebody wants to see whose data it is, or gives something up. `how` it is said.
fn reason(said: Option<&str>, how: &str) -> Result<String, Problem> {
    let bad = |message: &str| Problem::new(StatusCode::BAD_REQUEST, "reason_missing", message);
    match said.map(str::trim) {
        None | Some("") => Err(bad(&format!("say why, as {how}; it is written down"))),
        Some(reason) if reason.chars().count() > REASON_CHARS_MAX => Err(bad("reason: 1 to 500 characters are taken")),
        Some(reason) => visible("reason", reason).map(|()| reason.to_owned()).map_err(|what| bad(&what)),
    }
}

/// 422: a name or a password that cannot be taken.
fn unfit(code: &'static str, error: &Unfit) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, error.to_string())
}

fn name_taken(name: &str) -> Problem {
    let message = format!("there is an account or a token called {name} already; choose another name");
    Problem::new(StatusCode::CONFLICT, "name_taken", message)
}

/// A place in a list that is ordered by a time and an id.
fn cursor(time: DateTime<Utc>, id: Uuid) -> String {
    format!("{}_{id}", time.timestamp_micros())
}

fn parse_cursor(text: &str) -> Result<(DateTime<Utc>, Uuid), Problem> {
    let parts = text
        .split_once('_')
        .and_then(|(micros, id)| Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?)));
    parts.ok_or_else(|| bad_query("cursor is not one of ours"))
}

/// The id of a page's last row, as the page after it is asked for.
fn id_cursor(cursor: Option<i64>) -> Result<Option<i64>, Problem> {
    if cursor.is_some_and(|id| id < 1) { Err(bad_query("cursor is not one of ours")) } else { Ok(cursor) }
}

/// A place in the hours of the ledger.
fn hour_cursor(hour: DateTime<Utc>, edge: Uuid, epoch: Uuid) -> String {
    format!("{}_{epoch}", cursor(hour, edge))
}

fn parse_hour_cursor(text: &str) -> Result<(DateTime<Utc>, Uuid, Uuid), Problem> {
    let parts = text.rsplit_once('_').and_then(|(place, epoch)| {
        let (hour, edge) = parse_cursor(place).ok()?;
        Some((hour, edge, epoch.parse().ok()?))
    });
    parts.ok_or_else(|| bad_query("cursor is not one of ours"))
}

/// The only one found.
fn the_one<T>(mut found: Vec<T>, what: &str) -> Result<T, Problem> {
    if found.len() > 1 {
        let message = format!("{} warehouses have a {what} of this id; say which with ?warehouse_id=UUID", found.len());
        return Err(Problem::new(StatusCode::CONFLICT, "ambiguous", message));
    }
    found.pop().ok_or_else(|| not_found(what))
}

/// Of a site that we do not know: an empty answer would say that nothing happened there.
///
/// # Errors
/// 404 if there is no such site, 503.
async fn known(app: &App, site: Option<Uuid>) -> Result<(), ApiError> {
    match site {
        Some(site) if !sites::exists(&app.db, site).await? => Err(not_found("site").into()),
        _ => Ok(()),
    }
}

/// # Errors
/// 400 if the range would end before it begins.
fn in_order(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Result<(), Problem> {
    match from.zip(to) {
        Some((from, to)) if from > to => Err(bad_query("from is after to; exchange them")),
        _ => Ok(()),
    }
}

fn not_found(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let time = DateTime::from_timestamp_micros(-5).expect("a time");
        let id = Uuid::from_u128(9);
        assert_eq!(parse_cursor(&cursor(time, id)).ok(), Some((time, id)));
        assert!(parse_cursor("yesterday").is_err());
        let epoch = Uuid::from_u128(11);
        assert_eq!(parse_hour_cursor(&hour_cursor(time, id, epoch)).ok(), Some((time, id, epoch)));
        assert!(parse_hour_cursor(&cursor(time, id)).is_err());
    }
}
