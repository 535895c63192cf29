//! What dashboards and tools may ask, with a token from `tokens add`. One file per subject.
//!
//! `worker_id` is personal data and in no answer until there are roles that may see it. One place may show it all the
//! same: the raw bytes of a single dead letter, because nobody could decide about it without them.

pub mod dead_letters;
pub mod events;
pub mod fleet;
pub mod ledger;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::StatusCode;
use common::problem::Problem;

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

fn query<T>(query: Result<axum::extract::Query<T>, QueryRejection>) -> Result<T, Problem> {
    query.map(|q| q.0).map_err(|rejection| bad_query(&rejection.body_text()))
}

/// A path that cannot be an id names nothing.
fn path<T>(path: Result<axum::extract::Path<T>, PathRejection>, what: &str) -> Result<T, Problem> {
    path.map(|p| p.0).map_err(|_| not_found(what))
}

fn not_found(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
}
