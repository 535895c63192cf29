//! `/api/v1/silences`: which alerts shall make no sound at a site for a while, why, and until when. A silenced alert stays
//! listed and counted.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use chrono::{DateTime, TimeDelta, Utc};
use common::alert::{Scope, Silence, Statement, merge};
use common::clock;
use common::ids::{FactId, WarehouseId};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::alerts::{Which, say};
use super::{bad_body, body, cursor, limit, not_found, parse_cursor, path, query, the_one};
use crate::access::Caller;
use crate::http::{ApiError, App};
use crate::store::facts;

const WHAT: &str = "silence";
/// A week: what shall be quiet for longer is a rule to be changed.
const MINUTES_MAX: i64 = 7 * 24 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    warehouse: Option<Uuid>,
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// `GET /api/v1/silences`, newest first, those that are over too.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 503.
pub async fn list(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let ask = query(ask)?;
    let before = ask.cursor.as_deref().map(parse_cursor).transpose()?;
    let (facts, next) = facts::silences(&app.db, ask.warehouse, before, limit(ask.limit)?).await?;
    let now = clock::now();
    let mut silences: Vec<(Uuid, Silence)> = facts
        .into_iter()
        .flat_map(|(warehouse, facts)| merge(&facts).silences.into_values().map(move |silence| (warehouse, silence)))
        .collect();
    silences.sort_unstable_by_key(|(_, silence)| std::cmp::Reverse((silence.from, silence.silence_id)));
    let shown: Vec<Value> = silences.iter().map(|(warehouse, silence)| shown(*warehouse, silence, now)).collect();
    Ok(Json(json!({ "silences": shown, "next": next.map(|(time, id)| cursor(time, id)) })))
}

fn shown(warehouse: Uuid, silence: &Silence, now: DateTime<Utc>) -> Value {
    json!({
        "silence_id": silence.silence_id,
        "warehouse_id": warehouse,
        "scope": silence.scope,
        "reason": silence.reason,
        "by": silence.by,
        "origin": silence.origin,
        "from": silence.from,
        "until": silence.until,
        "ended": silence.ended.as_ref().map(|(by, at)| json!({ "by": by, "at": at })),
        "active": silence.active(now),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Made by whoever asks, so that asking twice is one silence.
    silence_id: FactId,
    warehouse_id: WarehouseId,
    #[serde(default)]
    scope: Scope,
    reason: String,
    /// From now; either this or `until`.
    minutes: Option<i64>,
    until: Option<DateTime<Utc>>,
}

/// `POST /api/v1/silences`
///
/// # Errors
/// 400, 401, 404 for an unknown warehouse, 409 `fact_conflict` if the id is that of another fact, 503.
pub async fn begin(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<Begin>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Begin { silence_id, warehouse_id, scope, reason, minutes, until } = body(asked)?;
    let now = clock::now();
    let until = match (minutes, until) {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    fact_id: FactId,
}

/// `POST /api/v1/silences/{id}/end`
///
/// # Errors
/// 400, 401, 404, 409 `fact_conflict` if the id is that of another fact, 503.
pub async fn end(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<Uuid>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
    asked: Result<Json<End>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let silence_id = FactId::from_uuid(path(id, WHAT)?);
    let warehouse = the_one(facts::silence_of(&app.db, silence_id, query(which)?.warehouse()).await?, WHAT)?;
    let End { fact_id } = body(asked)?;
    let statement = Statement::EndSilence { silence_id };
    let warehouse_id = WarehouseId::from_uuid(warehouse);
    say(&app, warehouse_id, &caller.name, fact_id, statement, clock::now(), |known, new| {
        known.statement == new.statement
    })
    .await?;
    one(&app, warehouse, silence_id).await
}

/// A silence as it stands after what was just said of it.
async fn one(app: &App, warehouse: Uuid, silence_id: FactId) -> Result<Json<Value>, ApiError> {
    let facts: HashMap<Uuid, _> = facts::silence(&app.db, silence_id).await?;
    let merged = facts.get(&warehouse).map(merge).unwrap_or_default();
    let silence = merged.silences.get(&silence_id).ok_or_else(|| not_found(WHAT))?;
    Ok(Json(shown(warehouse, silence, clock::now())))
}
