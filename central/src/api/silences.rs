//! `/api/v1/silences`: which alerts shall make no sound at a site for a while, why, and until when. A silenced alert stays
//! listed and counted.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use chrono::{DateTime, TimeDelta, Utc};
use common::alert::{Origin, Scope, Silence, Statement, merge};
use common::clock;
use common::ids::{FactId, WarehouseId};
use common::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::alerts::{Which, say};
use super::{Object, bad_body, cursor, known, limit, not_found, parse_cursor, path, query, the_one};
use crate::access::Caller;
use crate::http::{ApiError, App};
use crate::store::facts;

const WHAT: &str = "silence";
/// A week: what shall be quiet for longer is a rule to be changed.
const MINUTES_MAX: i64 = 7 * 24 * 60;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Option<Uuid>,
    /// Of one page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A silence: which alerts make no sound, why, and until when.
#[derive(Serialize, ToSchema)]
#[schema(as = Silence)]
pub struct View {
    silence_id: FactId,
    warehouse_id: Uuid,
    scope: Scope,
    reason: String,
    /// The account's name.
    by: String,
    origin: Origin,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    /// If somebody ended it by hand.
    ended: Option<Ended>,
    active: bool,
}

/// Who ended a silence, and when.
#[derive(Serialize, ToSchema)]
pub struct Ended {
    by: String,
    at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SilencePage)]
pub struct Page {
    silences: Vec<View>,
    /// Ask for this next; null when there are no earlier ones.
    next: Option<String>,
}

/// `GET /api/v1/silences`: newest first, those that are over too.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/silences", params(Ask), responses(
    (status = 200, description = "A page of silences.", body = Page),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which."),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let ask = query(ask)?;
    let before = ask.cursor.as_deref().map(parse_cursor).transpose()?;
    let limit = limit(ask.limit)?;
    known(&app, ask.warehouse_id).await?;
    let (facts, next) = facts::silences(&app.db, ask.warehouse_id, before, limit).await?;
    let now = clock::now();
    let mut silences: Vec<(Uuid, Silence)> = facts
        .into_iter()
        .flat_map(|(warehouse, facts)| merge(&facts).silences.into_values().map(move |silence| (warehouse, silence)))
        .collect();
    silences.sort_unstable_by_key(|(_, silence)| std::cmp::Reverse((silence.from, silence.silence_id)));
    let silences = silences.into_iter().map(|(warehouse, silence)| shown(warehouse, silence, now)).collect();
    Ok(Json(Page { silences, next: next.map(|(time, id)| cursor(time, id)) }))
}

fn shown(warehouse: Uuid, silence: Silence, now: DateTime<Utc>) -> View {
    View {
        silence_id: silence.silence_id,
        warehouse_id: warehouse,
        active: silence.active(now),
        scope: silence.scope,
        reason: silence.reason,
        by: silence.by,
        origin: silence.origin,
        from: silence.from,
        until: silence.until,
        ended: silence.ended.map(|(by, at)| Ended { by, at }),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SilenceBegin)]
pub struct Begin {
    /// Made by whoever asks, so that asking twice is one silence.
    silence_id: FactId,
    warehouse_id: WarehouseId,
    #[serde(default)]
    scope: Scope,
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// From now; either this or `until`.
    #[schema(minimum = 1, maximum = 10080)]
    minutes: Option<i64>,
    /// At most a week away.
    until: Option<DateTime<Utc>>,
}

/// `POST /api/v1/silences`: begins a silence at a site. What it covers is still listed and counted.
///
/// # Errors
/// 400, 401, 404 for an unknown warehouse, 409 `fact_conflict` if the id is that of another fact, 503.
#[utoipa::path(post, path = "/api/v1/silences", request_body = Begin, responses(
    (status = 200, description = "The silence.", body = View),
    (status = 400, description = "`body_invalid`: the body cannot be read, or breaks a bound; the message says where."),
    (status = 404, description = "`not_found`: there is no such warehouse."),
    (status = 409, description = "`fact_conflict`: something else was said under this id; make a new one."),
))]
pub async fn begin(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    asked: Result<Object<Begin>, Problem>,
) -> Result<Json<View>, ApiError> {
    let Begin { silence_id, warehouse_id, scope, reason, minutes, until } = asked?.0;
    let now = clock::now();
    let until = match (minutes, until) {
        (None, Some(until)) if until <= now => {
            return Err(bad_body("until is over already; choose a later time").into());
        }
        (Some(minutes @ 1..=MINUTES_MAX), None) => now + TimeDelta::minutes(minutes),
        (None, Some(until)) if until <= now + TimeDelta::minutes(MINUTES_MAX) => until,
        (None, Some(_)) => return Err(bad_body("until is more than a week away; change the rule instead").into()),
        (Some(minutes), None) => {
            let message = format!("minutes = {minutes} is out of range; choose 1 to {MINUTES_MAX}, a week");
            return Err(bad_body(&message).into());
        }
        _ => return Err(bad_body("say how long: either \"minutes\" or \"until\"").into()),
    };
    let statement = Statement::Silence { scope, reason, until };
    let fact = say(&app, warehouse_id, &caller.name, silence_id, statement, now, |known, new| {
        match (&known.statement, &new.statement) {
            // Said again a little later, "30 minutes" means the same silence.
            (
                Statement::Silence { scope, reason, until },
                Statement::Silence { scope: new_scope, reason: new_reason, until: new_until },
            ) => {
                let same_end = match minutes {
                    Some(minutes) => *until - known.at == TimeDelta::minutes(minutes),
                    None => until == new_until,
                };
                scope == new_scope && reason == new_reason && same_end
            }
            _ => false,
        }
    });
    let fact = fact.await?;
    one(&app, warehouse_id.uuid(), fact.fact_id).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SilenceEnd)]
pub struct End {
    /// Made by whoever asks, so that asking twice ends it once.
    fact_id: FactId,
}

/// `POST /api/v1/silences/{id}/end`: ends a silence before its time.
///
/// # Errors
/// 400, 401, 404, 409 `fact_conflict` if the id is that of another fact, 503.
#[utoipa::path(
    post,
    path = "/api/v1/silences/{id}/end",
    params(("id" = Uuid, Path), Which),
    request_body = End,
    responses(
        (status = 200, description = "The silence as it stands now.", body = View),
        (status = 400, description = "`query_invalid`: a parameter cannot be read. `body_invalid`: the body cannot be read."),
        (status = 404, description = "`not_found`: there is no such silence."),
        (status = 409, description = "`ambiguous`: several sites have one of this id; say which with `warehouse_id`. \
                                      `fact_conflict`: something else was said under this id; make a new one."),
    )
)]
pub async fn end(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<Uuid>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
    asked: Result<Object<End>, Problem>,
) -> Result<Json<View>, ApiError> {
    let silence_id = FactId::from_uuid(path(id, WHAT)?);
    let warehouse = the_one(facts::silence_of(&app.db, silence_id, query(which)?.warehouse_id()).await?, WHAT)?;
    let End { fact_id } = asked?.0;
    let statement = Statement::EndSilence { silence_id };
    let warehouse_id = WarehouseId::from_uuid(warehouse);
    say(&app, warehouse_id, &caller.name, fact_id, statement, clock::now(), |known, new| {
        known.statement == new.statement
    })
    .await?;
    one(&app, warehouse, silence_id).await
}

/// A silence as it stands after what was just said of it.
async fn one(app: &App, warehouse: Uuid, silence_id: FactId) -> Result<Json<View>, ApiError> {
    let facts: HashMap<Uuid, _> = facts::silence(&app.db, silence_id).await?;
    let mut merged = facts.get(&warehouse).map(merge).unwrap_or_default();
    let silence = merged.silences.remove(&silence_id).ok_or_else(|| not_found(WHAT))?;
    Ok(Json(shown(warehouse, silence, clock::now())))
}
