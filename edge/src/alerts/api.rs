//! Alerts and silences over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use common::alert::{Fact, Severity, Subject};
use common::clock;
use common::ids::{AlertId, FactId};
use common::problem::Problem;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::facts::{Acknowledge, EndSilence, MakeSilence, Refusal, says_the_same};
use super::history::{Filter, HistoryError, Said, SilenceCount, Silences, StateFilter};
use super::{AlertView, view};
use crate::access::Caller;
use crate::http::State;

/// Alerts in one answer.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 500;
/// Bytes of a request: a note of 500 characters fits many times.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// `GET /api/v1/alerts`: newest first.
pub async fn list(
    Shared(state): Shared<Arc<State>>,
    Query(asked): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let (filter, now) = (filter(asked)?, clock::now());
    let page = state.history.ask(now, move |store| store.list(&filter, now)).await.map_err(unavailable)?;
    let views: Vec<AlertView> = page
        .found
        .iter()
        .map(|found| view::alert(&found.kept, &found.facts, &page.silences, &state.site, now))
        .collect();
    Ok(Json(json!({ "alerts": views, "next": page.next.map(|(raised, id)| format!("{raised}.{id}")) })))
}

/// `GET /api/v1/alerts/{id}`: with its curve, the posture at its peak, and all that was said of it.
pub async fn detail(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let (alert_id, now) = (alert_id(&id)?, clock::now());
    let asked = state.history.ask(now, move |store| Ok((store.find(alert_id)?, store.silences())));
    let (found, silences) = asked.await.map_err(unavailable)?;
    let found = found.ok_or_else(|| no_such_alert(alert_id))?;
    let kept = &found.kept;
    let curve: Vec<Value> = kept.times().map(|(t, risk)| json!({ "t": t, "risk": risk.as_f64() })).collect();
    // It was checked to be JSON when it came in.
    let posture = kept.posture.clone().and_then(|text| RawValue::from_string(text).ok());
    Ok(Json(json!({
        "alert": view::alert(kept, &found.facts, &silences, &state.site, now),
        "curve": curve,
        "threshold": kept.threshold.map(|level| level.as_f64()),
        "clear_below": kept.clear_below.map(|level| level.as_f64()),
        "posture": posture,
        "facts": found.facts.iter().map(fact_view).collect::<Vec<_>>(),
    })))
}

/// `POST /api/v1/alerts/{id}/acknowledge`
pub async fn acknowledge(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<AlertView>, Problem> {
    let (alert_id, now) = (alert_id(&id)?, clock::now());
    let fact = read::<Acknowledge>(&body)?.fact(alert_id, &caller.name, now).map_err(refused)?;
    let said = say(&state, fact).await?.ok_or_else(|| no_such_alert(alert_id))?;
    let found = said.found().ok_or_else(|| no_such_alert(alert_id))?;
    let silences = state.history.ask(now, |store| Ok(store.silences())).await.map_err(unavailable)?;
    Ok(Json(view::alert(&found.kept, &found.facts, &silences, &state.site, now)))
}

/// `GET /api/v1/silences`: those that hold, and those of the past, the latest first.
pub async fn silences(Shared(state): Shared<Arc<State>>) -> Result<Json<Value>, Problem> {
    let now = clock::now();
    let counted = state.history.ask(now, move |store| store.count_silences(None, now)).await.map_err(unavailable)?;
    let views: Vec<Value> = counted.iter().map(|one| silence_view(one, now)).collect();
    Ok(Json(json!({ "silences": views })))
}

/// `POST /api/v1/silences`
pub async fn silence(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let fact = read::<MakeSilence>(&body)?.fact(&caller.name, clock::now()).map_err(refused)?;
    let silence_id = fact.fact_id;
    let said = say(&state, fact).await?;
    let status = if matches!(said, Some(Said::New(_))) { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(one_silence(&state, silence_id).await?)))
}

/// `POST /api/v1/silences/{id}/end`
pub async fn end_silence(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let silence_id: FactId = id.parse().map_err(|_| no_such_silence(&id))?;
    let known: Arc<Silences> =
        state.history.ask(clock::now(), |store| Ok(store.silences())).await.map_err(unavailable)?;
    if !known.contains_key(&silence_id) {
        return Err(no_such_silence(&id));
    }
    let fact = read::<EndSilence>(&body)?.fact(silence_id, &caller.name, clock::now());
    say(&state, fact).await?.ok_or_else(|| no_such_silence(&id))?;
    Ok(Json(one_silence(&state, silence_id).await?))
}

async fn one_silence(state: &State, silence_id: FactId) -> Result<Value, Problem> {
    let now = clock::now();
    let counted = state.history.ask(now, move |store| store.count_silences(Some(silence_id), now));
    let counted = counted.await.map_err(unavailable)?;
    counted.first().map(|one| silence_view(one, now)).ok_or_else(|| no_such_silence(&silence_id.to_string()))
}

/// Hands a fact in. `None`: what it is about is not known.
async fn say(state: &State, fact: Fact) -> Result<Option<Said>, Problem> {
    match state.desk.apply_fact(fact.clone()).await.map_err(unavailable)? {
        Said::Unknown => Ok(None),
        Said::Before(before, _) if !says_the_same(&before, &fact) => Err(Problem::new(
            StatusCode::CONFLICT,
            "fact_conflict",
            format!("another statement was made under the id {} before; give each an id of its own", fact.fact_id),
        )),
        said => Ok(Some(said)),
    }
}

fn fact_view(fact: &Fact) -> Value {
    let common::alert::Statement::Acknowledge { note, .. } = &fact.statement else { return Value::Null };
    json!({
        "fact_id": fact.fact_id,
        "kind": "acknowledge",
        "by": fact.by,
        "at": fact.at,
        "note": note,
        "origin": fact.origin,
    })
}

fn silence_view(one: &SilenceCount, now: DateTime<Utc>) -> Value {
    let silence = &one.silence;
    json!({
        "silence_id": silence.silence_id,
        "scope": silence.scope,
        "reason": silence.reason,
        "by": silence.by,
        "origin": silence.origin,
        "from": silence.from,
        "until": silence.until,
        "ended": silence.ended.as_ref().map(|(by, at)| json!({ "by": by, "at": at })),
        "active": silence.active(now),
        "alerts": one.alerts,
    })
}

fn filter(asked: Vec<(String, String)>) -> Result<Filter, Problem> {
    let mut filter = Filter { limit: LIMIT, ..Filter::default() };
    for (name, value) in asked {
        let bad = |what: &str| bad_parameter(&name, &value, what);
        match name.as_str() {
            "state" => {
                filter.state = Some(match value.as_str() {
                    "open" => StateFilter::Open,
                    "raised" => StateFilter::Raised,
                    "acknowledged" => StateFilter::Acknowledged,
                    "cleared" => StateFilter::Cleared,
                    "silenced" => StateFilter::Silenced,
                    _ => return Err(bad("one of open, raised, acknowledged, cleared, silenced")),
                });
            }
            "zone" => filter.zone_id = Some(value.parse().map_err(|_| bad("a zone's UUID"))?),
            "camera" => filter.camera_id = Some(value),
            "severity" => {
                filter.severity = Some(match value.as_str() {
                    "notice" => Severity::Notice,
                    "warning" => Severity::Warning,
                    "critical" => Severity::Critical,
                    _ => return Err(bad("one of notice, warning, critical")),
                });
            }
            "subject" => {
                filter.subject = Some(match value.as_str() {
                    "risk" => Subject::Risk,
                    "system" => Subject::System,
                    _ => return Err(bad("risk or system")),
                });
            }
            "from" => filter.from = Some(time(&name, &value)?),
            "to" => filter.to = Some(time(&name, &value)?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                filter.limit = limit.ok_or_else(|| bad(&format!("a number from 1 to {LIMIT_MAX}")))?;
            }
            "cursor" => {
                let place = value.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
                filter.after = Some(place.ok_or_else(|| bad("what an earlier answer had as `next`"))?);
            }
            _ => {
                return Err(bad("none of state, zone, camera, severity, subject, from, to, limit, cursor"));
            }
        }
    }
    Ok(filter)
}

/// A time of a query.
///
/// # Errors
/// 400 that names the parameter.
pub fn time(name: &str, value: &str) -> Result<DateTime<Utc>, Problem> {
    // A plus sign that was not encoded arrives as a space.
    let text = value.replace(' ', "+");
    let time = DateTime::parse_from_rfc3339(&text).map(|time| time.with_timezone(&Utc));
    time.map_err(|_| bad_parameter(name, value, "a time such as 2026-07-29T06:00:00Z"))
}

/// 400 that names a parameter of the query.
pub fn bad_parameter(name: &str, value: &str, what: &str) -> Problem {
    let shown: String = value.chars().take(60).collect();
    let is = if what.starts_with("none of") { "is" } else { "must be" };
    Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", format!("{name}={shown}: {is} {what}"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.len() > BODY_BYTES_MAX {
        let text = format!("at most {BODY_BYTES_MAX} bytes are taken here");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", text));
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_body", format!("the body is not what is taken here: {error}"))
    })
}

fn refused(refusal: Refusal) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", refusal.to_string())
}

/// 503: the history cannot be asked now.
pub fn unavailable(error: HistoryError) -> Problem {
    let code = match error {
        HistoryError::Unusable(_) => "history_unavailable",
        HistoryError::Busy => "busy",
    };
    Problem::unavailable(code, error.to_string(), 5)
}

fn alert_id(text: &str) -> Result<AlertId, Problem> {
    text.parse().map_err(|_| no_such_alert(text))
}

fn no_such_alert(id: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "alert_not_found", format!("no alert {id} is kept here; it may be too old"))
}

fn no_such_silence(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "silence_not_found", format!("no silence {id} is kept here"))
}
