//! Alerts and silences over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use clap::ValueEnum as _;
use common::alert::{Fact, Origin, Scope, Severity, StateFilter, Subject};
use common::clock;
use common::ids::{AlertId, FactId, ZoneId};
use common::problem::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::facts::{Acknowledge, EndSilence, MakeSilence, Refusal, says_the_same};
use super::history::{self, Filter, Found, HistoryError, Said, SilenceCount, Silences};
use super::{AlertView, view};
use crate::access::Caller;
use crate::http::State;
use crate::site::Site;

/// Alerts in one answer.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 500;
/// Bytes of a request: a note of 500 characters fits many times.
const BODY_BYTES_MAX: usize = 16 * 1024;

#[derive(Serialize, ToSchema)]
#[schema(as = AlertPage)]
pub struct Page {
    alerts: Vec<AlertView>,
    /// Ask for this next, as `cursor`; null when there are no earlier ones.
    next: Option<String>,
}

/// `GET /api/v1/alerts`: the alerts that are kept, latest first.
#[utoipa::path(
    get,
    path = "/api/v1/alerts",
    params(
        ("state" = Option<StateFilter>, Query),
        ("zone" = Option<ZoneId>, Query),
        ("camera" = Option<String>, Query),
        ("severity" = Option<Severity>, Query),
        ("subject" = Option<Subject>, Query),
        ("from" = Option<DateTime<Utc>>, Query, description = "Raised then or later."),
        ("to" = Option<DateTime<Utc>>, Query, description = "Raised before."),
        ("limit" = Option<u64>, Query, description = "Of one page; 100 if not given.", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses(
        (status = 200, description = "A page of alerts.", body = Page),
        (status = 400, description = "`query_invalid`: the message says which."),
        (status = 503, description = "`history_unavailable`: the history cannot be used now; the message says why. \
                                      `busy`: too many ask for it at once."),
    )
)]
pub async fn list(
    Shared(state): Shared<Arc<State>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let asked = parameters(query)?;
    let (filter, now) = (filter(asked)?, clock::now());
    let page = state.history.ask(now, move |store| store.list(&filter, now)).await.map_err(unavailable)?;
    Ok(Json(Page::of(&page, &state.site(), now)))
}

impl Page {
    /// As the floor sees it at `now`.
    pub fn of(page: &history::Page, site: &Site, now: DateTime<Utc>) -> Self {
        let view = |found: &Found| view::alert(&found.kept, &found.facts, &page.silences, site, now);
        let next = page.next.map(|(raised, id)| format!("{raised}.{id}"));
        Self { alerts: page.found.iter().map(view).collect(), next }
    }
}

/// An alert with all that is known of it.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertDetail)]
pub struct Detail {
    alert: AlertView,
    curve: Vec<Point>,
    /// Of the rule that raised it; null for an alert about the box itself.
    threshold: Option<f64>,
    clear_below: Option<f64>,
    /// `posture_keypoints` at the peak, as the camera wrote them.
    #[schema(value_type = Option<Object>)]
    posture: Option<Box<RawValue>>,
    /// What people said of it, earliest first; null in the place of what is none of an alert's.
    facts: Vec<Option<FactView>>,
}

/// The score at a moment of the episode.
#[derive(Serialize, ToSchema)]
pub struct Point {
    t: DateTime<Utc>,
    /// 0 to 100.
    risk: f64,
}

/// What somebody said of an alert.
#[derive(Serialize, ToSchema)]
#[schema(as = Said)]
pub struct FactView {
    fact_id: FactId,
    kind: FactKind,
    /// The account's name.
    by: String,
    at: DateTime<Utc>,
    note: Option<String>,
    origin: Origin,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SaidKind)]
enum FactKind {
    Acknowledge,
}

/// `GET /api/v1/alerts/{id}`: one alert, with its curve, the posture at its peak, and all that was said of it.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", params(("id" = AlertId, Path)), responses(
    (status = 200, description = "The alert.", body = Detail),
    (status = 404, description = "`alert_not_found`: there is none of this id here; it may be too old."),
    (status = 503, description = "`history_unavailable`: the history cannot be used now; the message says why. \
                                      `busy`: too many ask for it at once."),
))]
pub async fn detail(
    Shared(state): Shared<Arc<State>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Detail>, Problem> {
    let (alert_id, now) = (alert_id(id)?, clock::now());
    let asked = state.history.ask(now, move |store| Ok((store.find(alert_id)?, store.silences())));
    let (found, silences) = asked.await.map_err(unavailable)?;
    let found = found.ok_or_else(|| no_such_alert(alert_id))?;
    let kept = &found.kept;
    let curve = kept.times().map(|(t, risk)| Point { t, risk: risk.as_f64() }).collect();
    // It was checked to be JSON when it came in.
    let posture = kept.posture.clone().and_then(|text| RawValue::from_string(text).ok());
    Ok(Json(Detail {
        alert: view::alert(kept, &found.facts, &silences, &state.site(), now),
        curve,
        threshold: kept.threshold.map(|level| level.as_f64()),
        clear_below: kept.clear_below.map(|level| level.as_f64()),
        posture,
        facts: found.facts.iter().map(fact_view).collect(),
    }))
}

/// `POST /api/v1/alerts/{id}/acknowledge`: says that the caller has seen the alert and sees to it.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/{id}/acknowledge",
    params(("id" = AlertId, Path)),
    request_body = Acknowledge,
    responses(
        (status = 200, description = "The alert as it stands now.", body = AlertView),
        (status = 400, description = "`invalid_body`: the message says where."),
        (status = 404, description = "`alert_not_found`: there is none of this id here; it may be too old."),
        (status = 409, description = "`fact_conflict`: something else was said under this `fact_id`; make a new one."),
        (status = 413, description = "`body_too_large`: the message says how much is taken."),
        (status = 422, description = "`invalid_field`: the message says which, and its bound."),
        (status = 503, description = "`history_unavailable`: the history cannot be used now; the message says why. \
                                      `busy`: too many ask for it at once."),
    )
)]
pub async fn acknowledge(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<AlertView>, Problem> {
    let (alert_id, now) = (alert_id(id)?, clock::now());
    let fact = read::<Acknowledge>(body)?.fact(alert_id, &caller.name, now).map_err(refused)?;
    let said = say(&state, fact).await?.ok_or_else(|| no_such_alert(alert_id))?;
    let found = said.found().ok_or_else(|| no_such_alert(alert_id))?;
    let silences = state.history.ask(now, |store| Ok(store.silences())).await.map_err(unavailable)?;
    Ok(Json(view::alert(&found.kept, &found.facts, &silences, &state.site(), now)))
}

/// A silence: which alerts make no sound, why, and until when.
#[derive(Serialize, ToSchema)]
#[schema(as = Silence)]
pub struct SilenceView {
    silence_id: FactId,
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
    /// How many alerts it covered.
    alerts: u64,
}

/// Who ended a silence, and when.
#[derive(Serialize, ToSchema)]
pub struct Ended {
    by: String,
    at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SilenceList)]
pub struct SilenceList {
    silences: Vec<SilenceView>,
}

/// `GET /api/v1/silences`: those that hold, and those of the past, the latest first.
#[utoipa::path(get, path = "/api/v1/silences", responses(
    (status = 200, description = "The silences.", body = SilenceList),
    (status = 503, description = "`history_unavailable`: the history cannot be used now; the message says why. \
                                      `busy`: too many ask for it at once."),
))]
pub async fn silences(Shared(state): Shared<Arc<State>>) -> Result<Json<SilenceList>, Problem> {
    let now = clock::now();
    let counted = state.history.ask(now, move |store| store.count_silences(None, now)).await.map_err(unavailable)?;
    Ok(Json(SilenceList { silences: counted.iter().map(|one| silence_view(one, now)).collect() }))
}

/// `POST /api/v1/silences`: begins a silence. What it covers is still listed and counted.
#[utoipa::path(post, path = "/api/v1/silences", request_body = MakeSilence, responses(
    (status = 200, description = "The silence, which was there already.", body = SilenceView),
    (status = 201, description = "The silence.", body = SilenceView),
    (status = 400, description = "`invalid_body`: the message says where."),
    (status = 404, description = "`silence_not_found`: it was forgotten at once; its time is over."),
    (status = 409, description = "`fact_conflict`: something else was said under this id; make a new one."),
    (status = 413, description = "`body_too_large`: the message says how much is taken."),
    (status = 422, description = "`invalid_field`: the message says which, and its bound."),
    (status = 503, description = "`history_unavailable`: the history cannot be used now; the message says why. \
                                      `busy`: too many ask for it at once."),
))]
pub async fn silence(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<SilenceView>), Problem> {
    let fact = read::<MakeSilence>(body)?.fact(&caller.name, clock::now()).map_err(refused)?;
    let silence_id = fact.fact_id;
    let said = say(&state, fact).await?;
    let status = if matches!(said, Some(Said::New(_))) { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(one_silence(&state, silence_id).await?)))
}

/// `POST /api/v1/silences/{id}/end`: ends a silence before its time.
#[utoipa::path(
    post,
    path = "/api/v1/silences/{id}/end",
    params(("id" = FactId, Path)),
    request_body = EndSilence,
    responses(
        (status = 200, description = "The silence as it stands now.", body = SilenceView),
        (status = 400, description = "`invalid_body`: the message says where."),
        (status = 404, description = "`silence_not_found`: there is none of this id here."),
        (status = 409, description = "`fact_conflict`: something else was said under this `fact_id`; make a new one."),
        (status = 413, description = "`body_too_large`: the message says how much is taken."),
        (status = 503, description = "`history_unavailable`: the history cannot be used now; the message says why. \
                                      `busy`: too many ask for it at once."),
    )
)]
pub async fn end_silence(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SilenceView>, Problem> {
    let id = id.map(|id| id.0).unwrap_or_default();
    let silence_id: FactId = id.parse().map_err(|_| no_such_silence(&id))?;
    let known: Arc<Silences> =
        state.history.ask(clock::now(), |store| Ok(store.silences())).await.map_err(unavailable)?;
    if !known.contains_key(&silence_id) {
        return Err(no_such_silence(&id));
    }
    let fact = read::<EndSilence>(body)?.fact(silence_id, &caller.name, clock::now());
    say(&state, fact).await?.ok_or_else(|| no_such_silence(&id))?;
    Ok(Json(one_silence(&state, silence_id).await?))
}

async fn one_silence(state: &State, silence_id: FactId) -> Result<SilenceView, Problem> {
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

fn fact_view(fact: &Fact) -> Option<FactView> {
    let common::alert::Statement::Acknowledge { note, .. } = &fact.statement else { return None };
    Some(FactView {
        fact_id: fact.fact_id,
        kind: FactKind::Acknowledge,
        by: fact.by.clone(),
        at: fact.at,
        note: note.clone(),
        origin: fact.origin,
    })
}

fn silence_view(one: &SilenceCount, now: DateTime<Utc>) -> SilenceView {
    let silence = &one.silence;
    SilenceView {
        silence_id: silence.silence_id,
        scope: silence.scope.clone(),
        reason: silence.reason.clone(),
        by: silence.by.clone(),
        origin: silence.origin,
        from: silence.from,
        until: silence.until,
        ended: silence.ended.as_ref().map(|(by, at)| Ended { by: by.clone(), at: *at }),
        active: silence.active(now),
        alerts: one.alerts,
    }
}

/// The parameters of a query as they were sent.
///
/// # Errors
/// 400 if the query cannot be read at all.
pub fn parameters(
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Vec<(String, String)>, Problem> {
    query
        .map(|query| query.0)
        .map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, "query_invalid", rejection.body_text()))
}

fn filter(asked: Vec<(String, String)>) -> Result<Filter, Problem> {
    let mut filter = Filter { limit: LIMIT, ..Filter::default() };
    for (name, value) in asked {
        let bad = |what: &str| bad_parameter(&name, &value, what);
        match name.as_str() {
            "state" => {
                let state = StateFilter::from_str(&value, false);
                filter.state = Some(state.map_err(|_| bad(&format!("one of {}", StateFilter::NAMES)))?);
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
    Problem::new(StatusCode::BAD_REQUEST, "query_invalid", format!("{name}={shown}: {is} {what}"))
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let bad = |what: String| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_body", format!("the body is not what is taken here: {what}"))
    };
    let body = match body {
        Ok(body) if body.len() <= BODY_BYTES_MAX => body,
        Err(error) if error.status() != StatusCode::PAYLOAD_TOO_LARGE => return Err(bad(error.body_text())),
        _ => {
            let text = format!("at most {BODY_BYTES_MAX} bytes are taken here");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", text));
        }
    };
    serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))
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

fn alert_id(id: Result<Path<String>, PathRejection>) -> Result<AlertId, Problem> {
    let text = id.map(|id| id.0).unwrap_or_default();
    text.parse().map_err(|_| no_such_alert(text))
}

fn no_such_alert(id: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "alert_not_found", format!("no alert {id} is kept here; it may be too old"))
}

fn no_such_silence(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "silence_not_found", format!("no silence {id} is kept here"))
}
