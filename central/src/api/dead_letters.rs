//! `/api/v1/dead-letters`: look at what could never be stored, and decide: try it again with this version, or discard
//! it with a reason. Both are in the audit log.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use common::credentials::hex;
use common::problem::Problem;
use common::protocol::unpack_frame;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{bad_query, limit, not_found, path, query};
use crate::access::Caller;
use crate::http::{ApiError, App};
use crate::persist::reopen;
use crate::store::batch::{self, Replayed};
use crate::store::dead_letters::{self, Shown};

const STATES: &[&str] = &["open", "replayed", "discarded"];
const WHAT: &str = "dead letter";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    state: Option<String>,
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<i64>,
}

/// `GET /api/v1/dead-letters`
///
/// # Errors
/// 400 for a question that cannot be read, 401, 503.
pub async fn list(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    if let Some(state) = ask.state.as_deref().filter(|state| !STATES.contains(state)) {
        return Err(bad_query(&format!("state = {state:?} is not one of {}", STATES.join(", "))).into());
    }
    let letters = dead_letters::page(&app.db, ask.state.as_deref(), ask.cursor, limit).await?;
    let full = i64::try_from(letters.len()) == Ok(limit);
    let next = letters.last().filter(|_| full).map(|last| last.id);
    Ok(Json(json!({ "dead_letters": letters.iter().map(page).collect::<Vec<_>>(), "next": next })))
}

/// `GET /api/v1/dead-letters/{id}`, with its raw bytes in hexadecimal.
///
/// # Errors
/// 401, 404, 503.
pub async fn show(State(app): State<Arc<App>>, id: Result<Path<i64>, PathRejection>) -> Result<Json<Value>, ApiError> {
    let letter = dead_letters::show(&app.db, path(id, WHAT)?).await?.ok_or_else(|| not_found(WHAT))?;
    let mut shown = page(&letter);
    shown["raw_hex"] = json!(hex(letter.raw.as_deref().unwrap_or_default()));
    Ok(Json(shown))
}

/// `POST /api/v1/dead-letters/{id}/replay`
///
/// # Errors
/// 401, 404, 409 if it is not open, 422 with the reason if it still cannot be stored, 503.
pub async fn replay(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let id = path(id, WHAT)?;
    let letter = dead_letters::show(&app.db, id).await?.ok_or_else(|| not_found(WHAT))?;
    // Only a whole frame has something to unpack; one that cannot be shows so when it is opened.
    let raw = letter.raw.as_deref().unwrap_or_default();
    let unpacked = unpack_frame(raw).unwrap_or_default();
    match batch::replay(&app.db, id, &caller.name, |origin| reopen(origin, raw, &unpacked)).await? {
        Replayed::Stored { stored, duplicates } => {
            Ok(Json(json!({ "id": id, "state": "replayed", "stored": stored, "duplicates": duplicates })))
        }
        Replayed::NotOpen => Err(not_open().into()),
        Replayed::Refused(reason) => {
            let message = format!("it still cannot be stored: {reason}");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "still_refused", message).into())
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discard {
    reason: String,
}

/// `POST /api/v1/dead-letters/{id}/discard` with `{"reason": "…"}`
///
/// # Errors
/// 400 without a reason, 401, 404, 409 if it is not open, 503.
pub async fn discard(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<i64>, PathRejection>,
    body: Result<Json<Discard>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let id = path(id, WHAT)?;
    let bad = |message: &str| Problem::new(StatusCode::BAD_REQUEST, "reason_missing", message);
    let Json(Discard { reason }) = body.map_err(|e| bad(&e.body_text()))?;
    if reason.trim().is_empty() || reason.contains('\0') {
        return Err(bad("say why, as {\"reason\": \"…\"}").into());
    }
    if batch::discard(&app.db, id, &caller.name, &reason).await? {
        return Ok(Json(json!({ "id": id, "state": "discarded" })));
    }
    Err(match dead_letters::show(&app.db, id).await? {
        Some(_) => not_open(),
        None => not_found(WHAT),
    }
    .into())
}

fn not_open() -> Problem {
    Problem::new(StatusCode::CONFLICT, "not_open", "it was replayed or discarded already")
}

fn page(letter: &Shown) -> Value {
    json!({
        "id": letter.id,
        "edge_id": letter.edge_id,
        "warehouse_id": letter.warehouse_id,
        "batch_id": letter.batch_id,
        "kind": letter.kind,
        "epoch": letter.epoch,
        "seq": letter.seq,
        "reason": letter.reason,
        "raw_bytes": letter.raw_bytes,
        "received_at": letter.received_at,
        "state": letter.state,
        "resolved_at": letter.resolved_at,
    })
}
