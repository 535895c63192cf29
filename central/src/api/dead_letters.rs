//! `/api/v1/dead-letters`: look at what could never be stored, and decide: try it again with this version, or discard
//! it with a reason. Both are in the audit log.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use common::credentials::hex;
use common::problem::Problem;
use common::protocol::unpack_frame;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Object, REASON_ASKED, id_cursor, known, limit, not_found, path, query, reason};
use crate::access::{Caller, Scope};
use crate::http::{ApiError, App};
use crate::persist::reopen;
use crate::store::audit;
use crate::store::batch::{self, Replayed};
use crate::store::dead_letters::{self, Shown};
use crate::store::{Db, StoreError};

const WHAT: &str = "dead letter";

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Option<Uuid>,
    state: Option<LetterState>,
    /// Of one page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<i64>,
}

/// What became of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DeadLetterState)]
pub enum LetterState {
    /// It waits for somebody's decision.
    Open,
    Replayed,
    Discarded,
}

impl LetterState {
    /// As Postgres holds it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

/// What could never be stored.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct Letter {
    id: i64,
    edge_id: Uuid,
    warehouse_id: Uuid,
    batch_id: Uuid,
    /// `record`, or `frame` for a whole batch.
    #[schema(pattern = "^(record|frame)$")]
    kind: String,
    /// Its place in the ledger, where it has one.
    epoch: Option<Uuid>,
    seq: Option<i64>,
    reason: String,
    raw_bytes: i32,
    received_at: DateTime<Utc>,
    #[schema(value_type = LetterState)]
    state: String,
    resolved_at: Option<DateTime<Utc>>,
}

impl From<&Shown> for Letter {
    fn from(letter: &Shown) -> Self {
        Self {
            id: letter.id,
            edge_id: letter.edge_id,
            warehouse_id: letter.warehouse_id,
            batch_id: letter.batch_id,
            kind: letter.kind.clone(),
            epoch: letter.epoch,
            seq: letter.seq,
            reason: letter.reason.clone(),
            raw_bytes: letter.raw_bytes,
            received_at: letter.received_at,
            state: letter.state.clone(),
            resolved_at: letter.resolved_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterPage)]
pub struct Page {
    /// Newest first.
    dead_letters: Vec<Letter>,
    /// Ask for this next; null when there are no older ones.
    next: Option<i64>,
}

/// `GET /api/v1/dead-letters`: what could never be stored, newest first.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/dead-letters", params(Ask), responses(
    (status = 200, description = "A page of dead letters.", body = Page),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which."),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    let before = id_cursor(ask.cursor)?;
    known(&app, ask.warehouse_id).await?;
    let state = ask.state.map(LetterState::as_str);
    let letters = dead_letters::page(&app.db, ask.warehouse_id, state, before, limit).await?;
    let full = i64::try_from(letters.len()) == Ok(limit);
    let next = letters.last().filter(|_| full).map(|last| last.id);
    Ok(Json(Page { dead_letters: letters.iter().map(Letter::from).collect(), next }))
}

/// A dead letter with its bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterDetail)]
pub struct Detail {
    #[serde(flatten)]
    letter: Letter,
    /// The raw bytes in hexadecimal. A worker's id may be in them, so they are null unless the caller may see people and says
    /// why.
    #[schema(pattern = "^([0-9a-f]{2})*$")]
    raw_hex: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AskForBytes {
    /// Why the raw bytes are to be shown too; it is written down. 1 to 500 characters.
    reason: Option<String>,
}

/// `GET /api/v1/dead-letters/{id}`: one dead letter. For those who may see people and say why with its raw bytes in hexadecimal,
/// and that they were shown is in the audit.
///
/// # Errors
/// 400 `reason_missing` if it is empty, 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/dead-letters/{id}", params(("id" = i64, Path), AskForBytes), responses(
    (status = 200, description = "The dead letter.", body = Detail),
    (status = 400, description = "`reason_missing`: a reason is 1 to 500 characters. `query_invalid`: a parameter cannot be read."),
    (status = 404, description = "`not_found`: there is no such dead letter."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<i64>, PathRejection>,
    ask: Result<Query<AskForBytes>, QueryRejection>,
) -> Result<Json<Detail>, ApiError> {
    let why = query(ask)?.reason.map(|said| reason(Some(&said), REASON_ASKED)).transpose()?;
    let letter = dead_letters::show(&app.db, path(id, WHAT)?).await?.ok_or_else(|| not_found(WHAT))?;
    let mut raw_hex = None;
    if let Some(why) = why.filter(|_| caller.may(Scope::People)) {
        let subject = format!("dead_letter {}", letter.id);
        audit::add(&app.db, &caller.name, "bytes_viewed", &subject, Some(&why)).await?;
        raw_hex = Some(hex(letter.raw.as_deref().unwrap_or_default()));
    }
    Ok(Json(Detail { letter: Letter::from(&letter), raw_hex }))
}

/// A dead letter that is stored now.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterReplayed)]
pub struct Resolved {
    id: i64,
    state: LetterState,
    /// Records that became rows.
    stored: usize,
    /// Records that were rows already.
    duplicates: usize,
}

/// `POST /api/v1/dead-letters/{id}/replay`: tries to store it again, with this version. In the audit.
///
/// # Errors
/// 401, 404, 409 if it is not open, 422 with the reason if it still cannot be stored, 503.
#[utoipa::path(post, path = "/api/v1/dead-letters/{id}/replay", params(("id" = i64, Path)), responses(
    (status = 200, description = "It is stored.", body = Resolved),
    (status = 404, description = "`not_found`: there is no such dead letter."),
    (status = 409, description = "`not_open`: it was replayed or discarded already."),
    (status = 422, description = "`still_refused`: it still cannot be stored; the message says why, and it stays open."),
))]
pub async fn replay(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Resolved>, ApiError> {
    let id = path(id, WHAT)?;
    match try_again(&app.db, id, &caller.name).await?.ok_or_else(|| not_found(WHAT))? {
        Replayed::Stored { stored, duplicates } => {
            Ok(Json(Resolved { id, state: LetterState::Replayed, stored, duplicates }))
        }
        Replayed::NotOpen => Err(not_open().into()),
        Replayed::Refused(reason) => {
            let message = format!("it still cannot be stored: {reason}");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "still_refused", message).into())
        }
    }
}

/// Tries to store a dead letter again; `None` if there is none of this id.
///
/// # Errors
/// If Postgres cannot be asked.
pub async fn try_again(db: &Db, id: i64, actor: &str) -> Result<Option<Replayed>, StoreError> {
    let Some(letter) = dead_letters::show(db, id).await? else { return Ok(None) };
    // Only a whole frame has something to unpack; one that cannot be shows so when it is opened.
    let raw = letter.raw.as_deref().unwrap_or_default();
    let unpacked = unpack_frame(raw).unwrap_or_default();
    batch::replay(db, id, actor, |origin| reopen(origin, raw, &unpacked)).await.map(Some)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeadLetterDiscard)]
pub struct Discard {
    /// For the audit.
    #[schema(min_length = 1)]
    reason: String,
}

/// A dead letter that is discarded; its bytes are kept.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterDiscarded)]
pub struct Discarded {
    id: i64,
    state: LetterState,
}

/// `POST /api/v1/dead-letters/{id}/discard`: gives it up, with a reason. In the audit.
///
/// # Errors
/// 400 without a reason, 401, 404, 409 if it is not open, 503.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/{id}/discard",
    params(("id" = i64, Path)),
    request_body = Discard,
    responses(
        (status = 200, description = "It is discarded.", body = Discarded),
        (status = 400, description = "`reason_missing`: the body has no reason."),
        (status = 404, description = "`not_found`: there is no such dead letter."),
        (status = 409, description = "`not_open`: it was replayed or discarded already."),
    )
)]
pub async fn discard(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<i64>, PathRejection>,
    body: Result<Object<Discard>, Problem>,
) -> Result<Json<Discarded>, ApiError> {
    let id = path(id, WHAT)?;
    let bad = |problem: Problem| Problem::new(StatusCode::BAD_REQUEST, "reason_missing", problem.message);
    let Object(Discard { reason: said }) = body.map_err(bad)?;
    let reason = reason(Some(&said), "{\"reason\": \"…\"}")?;
    if batch::discard(&app.db, id, &caller.name, &reason).await? {
        return Ok(Json(Discarded { id, state: LetterState::Discarded }));
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
