//! `/api/v1/alerts`: the alerts of all sites with what people said of them, and saying something of one from here.
//!
//! What an alert amounts to (acknowledged, silenced) is worked out by [`merge`] alone, the rule that the floor uses too,
//! so both show the same whatever order facts took. `worker_id` is in none of these answers.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use common::alert::{
    Acknowledgement, Curve, Fact, Merged, Origin, Severity, Silence, StateFilter, Statement, Subject, merge,
};
use common::clock;
use common::ids::{AlertId, FactId, WarehouseId, ZoneId};
use common::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Object, bad_body, cursor, in_order, known, limit, not_found, parse_cursor, path, query, the_one};
use crate::access::{Caller, Scope};
use crate::http::{ApiError, App};
use crate::persist::check;
use crate::store::alerts::{self, Filter, Stored};
use crate::store::facts::{self, Added};
use crate::store::{Db, StoreError};

const WHAT: &str = "alert";
/// Rows that one answer may look at: a filter by what people said cannot be left to the database. If fewer match than
/// were asked for, `next` goes on from there.
const LOOKED_AT_MAX: usize = 5_000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Option<Uuid>,
    state: Option<StateFilter>,
    zone_id: Option<Uuid>,
    camera_id: Option<String>,
    severity: Option<Severity>,
    /// Raised then or later.
    from: Option<DateTime<Utc>>,
    /// Raised before.
    to: Option<DateTime<Utc>>,
    /// Of one page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

fn admits(state: StateFilter, view: &View) -> bool {
    match state {
        StateFilter::Open => view.ended_at.is_none(),
        StateFilter::Raised => view.state == Life::Raised,
        StateFilter::Acknowledged => view.state == Life::Acknowledged,
        StateFilter::Cleared => view.state == Life::Cleared,
        StateFilter::Silenced => view.silenced.is_some(),
    }
}

/// An alert as headquarters sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct View {
    pub(crate) alert_id: Uuid,
    pub(crate) warehouse_id: Uuid,
    edge_id: Uuid,
    /// Greater with each change; of two the greater holds.
    revision: i64,
    pub(crate) state: Life,
    #[schema(value_type = Subject)]
    subject: String,
    /// Name of the rule that raised it; for a system alert what is wrong, such as `wan-down`.
    rule: String,
    #[schema(value_type = Severity)]
    severity: String,
    zone_id: Option<Uuid>,
    camera_id: Option<String>,
    /// Time of the first event of the episode.
    started_at: DateTime<Utc>,
    pub(crate) raised_at: DateTime<Utc>,
    /// Null while it lasts.
    pub(crate) ended_at: Option<DateTime<Utc>>,
    /// Highest `risk_score` so far, 0 to 100; null for a system alert.
    peak: Option<f64>,
    peak_at: Option<DateTime<Utc>>,
    events: i64,
    /// More than 1 if a flood was grouped into one alert.
    episodes: i64,
    /// What happened, in English, without anything personal.
    summary: String,
    stored_at: DateTime<Utc>,
    /// The one that counts: the first.
    acknowledged: Option<Acknowledgement>,
    silenced: Option<Silenced>,
}

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AlertState)]
pub(crate) enum Life {
    /// Going on, and nobody sees to it.
    Raised,
    /// Going on, and somebody sees to it.
    Acknowledged,
    Cleared,
}

/// The silence that an alert is under.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Silenced {
    silence_id: FactId,
    reason: String,
    until: DateTime<Utc>,
}

impl View {
    fn new(alert: Stored, merged: Option<&Merged>, now: DateTime<Utc>) -> Self {
        let acknowledged = merged.and_then(|m| m.acknowledgements.get(&AlertId::from_uuid(alert.alert_id))?.first());
        let state = match (alert.ended_at, acknowledged) {
            (Some(_), _) => Life::Cleared,
            (None, Some(_)) => Life::Acknowledged,
            (None, None) => Life::Raised,
        };
        let silenced = merged.and_then(|m| silencing(m, &alert, now));
        Self {
            alert_id: alert.alert_id,
            warehouse_id: alert.warehouse_id,
            edge_id: alert.edge_id,
            revision: alert.revision,
            state,
            subject: alert.subject,
            rule: alert.rule,
            severity: alert.severity,
            zone_id: alert.zone_id,
            camera_id: alert.camera_id,
            started_at: alert.started_at,
            raised_at: alert.raised_at,
            ended_at: alert.ended_at,
            peak: alert.peak,
            peak_at: alert.peak_at,
            events: alert.events,
            episodes: alert.episodes,
            summary: alert.summary,
            stored_at: alert.stored_at,
            acknowledged: acknowledged.cloned(),
            silenced: silenced.map(|silence| Silenced {
                silence_id: silence.silence_id,
                reason: silence.reason.clone(),
                until: silence.until,
            }),
        }
    }
}

#[cfg(test)]
impl View {
    /// Any.
    pub(crate) fn example() -> Self {
        let at = DateTime::UNIX_EPOCH;
        Self {
            alert_id: Uuid::nil(),
            warehouse_id: Uuid::nil(),
            edge_id: Uuid::nil(),
            revision: 1,
            state: Life::Raised,
            subject: "risk".to_owned(),
            rule: "sustained-risk".to_owned(),
            severity: "warning".to_owned(),
            zone_id: None,
            camera_id: None,
            started_at: at,
            raised_at: at,
            ended_at: None,
            peak: None,
            peak_at: None,
            events: 1,
            episodes: 1,
            summary: String::new(),
            stored_at: at,
            acknowledged: None,
            silenced: None,
        }
    }
}

/// The silence under which an alert is now, or was when it ended; of several the one that lasts longest.
fn silencing<'m>(merged: &'m Merged, alert: &Stored, now: DateTime<Utc>) -> Option<&'m Silence> {
    let (zone, at) = (alert.zone_id.map(ZoneId::from_uuid), alert.ended_at.unwrap_or(now));
    let covering = merged
        .silences
        .values()
        .filter(|silence| silence.active(at) && silence.scope.covers(&alert.rule, zone, alert.camera_id.as_deref()));
    covering.max_by_key(|silence| (silence.until, silence.silence_id))
}

#[derive(Serialize, ToSchema)]
#[schema(as = AlertPage)]
pub struct Page {
    /// Latest first, by `raised_at`.
    alerts: Vec<View>,
    /// Ask for this next; null when there are no earlier ones.
    next: Option<String>,
}

/// `GET /api/v1/alerts`: the alerts of all sites, latest first.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/alerts", params(Ask), responses(
    (status = 200, description = "A page of alerts; it may be shorter than asked for and still have a `next`.", body = Page),
    (status = 400, description = "`query_invalid`: a parameter cannot be read, or `from` is after `to`; the message says which."),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    in_order(ask.from, ask.to)?;
    known(&app, ask.warehouse_id).await?;
    let filter = Filter {
        warehouse_id: ask.warehouse_id,
        zone_id: ask.zone_id,
        camera_id: ask.camera_id,
        severity: ask.severity.map(Severity::as_str),
        open: None,
        from: ask.from,
        to: ask.to,
        before: ask.cursor.as_deref().map(parse_cursor).transpose()?,
        limit,
    };
    Ok(Json(page(&app.db, filter, ask.state).await?))
}

/// A page of the alerts that `filter` and `state` admit; `state` decides what of them is open.
pub(crate) async fn page(db: &Db, mut filter: Filter, state: Option<StateFilter>) -> Result<Page, StoreError> {
    filter.open = match state {
        None | Some(StateFilter::Silenced) => None,
        Some(StateFilter::Cleared) => Some(false),
        Some(StateFilter::Open | StateFilter::Raised | StateFilter::Acknowledged) => Some(true),
    };
    let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let (mut admitted, mut looked_at) = (Vec::new(), 0);
    let next = loop {
        let page = alerts::page(db, &filter).await?;
        let full = page.len() == wanted;
        looked_at += page.len();
        for view in views(db, page, clock::now()).await? {
            filter.before = Some((view.raised_at, view.alert_id));
            if state.is_none_or(|state| admits(state, &view)) {
                admitted.push(view);
                if admitted.len() == wanted {
                    break;
                }
            }
        }
        if admitted.len() == wanted || (full && looked_at >= LOOKED_AT_MAX) {
            break filter.before;
        }
        if !full {
            break None;
        }
    };
    Ok(Page { alerts: admitted, next: next.map(|(time, id)| cursor(time, id)) })
}

/// As they are seen at `now`.
pub(crate) async fn views(db: &Db, page: Vec<Stored>, now: DateTime<Utc>) -> Result<Vec<View>, StoreError> {
    let merged = merged(db, &page, now).await?;
    Ok(page
        .into_iter()
        .map(|alert| {
            let merged = merged.get(&alert.warehouse_id);
            View::new(alert, merged, now)
        })
        .collect())
}

/// What the facts about these alerts amount to, by warehouse.
async fn merged(db: &Db, page: &[Stored], now: DateTime<Utc>) -> Result<HashMap<Uuid, Merged>, StoreError> {
    let mut warehouses: Vec<Uuid> = page.iter().map(|alert| alert.warehouse_id).collect();
    warehouses.sort_unstable();
    warehouses.dedup();
    let ids: Vec<AlertId> = page.iter().map(|alert| AlertId::from_uuid(alert.alert_id)).collect();
    // What was over by then bears on none of them.
    let since = page.iter().filter_map(|alert| alert.ended_at).min().unwrap_or(now).min(now);
    let facts = facts::about(db, &warehouses, &ids, since).await?;
    Ok(facts.into_iter().map(|(warehouse, facts)| (warehouse, merge(&facts))).collect())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only needed if sites share an id, which no edge of ours makes.
    warehouse_id: Option<Uuid>,
}

impl Which {
    pub(super) const fn warehouse_id(&self) -> Option<Uuid> {
        self.warehouse_id
    }
}

/// An alert with what was said of it.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertDetail)]
pub struct Detail {
    alert: View,
    /// All acknowledgements, the one that counts first.
    facts: Vec<Said>,
    /// The risk moment by moment, up to the last thing that its edge told of it. Single events tell of single people, so it
    /// is empty for who has not the scope `act`; and for a system alert.
    curve: Vec<Moment>,
    /// Of the rule that raised it.
    threshold: Option<f64>,
    clear_below: Option<f64>,
}

/// The score at a moment of the episode.
#[derive(Serialize, ToSchema)]
pub struct Moment {
    t: DateTime<Utc>,
    /// 0 to 100.
    risk: f64,
}

/// What somebody said of an alert.
#[derive(Serialize, ToSchema)]
pub struct Said {
    fact_id: FactId,
    kind: SaidKind,
    /// The account's name.
    by: String,
    at: DateTime<Utc>,
    origin: Origin,
    note: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SaidKind {
    Acknowledge,
}

/// `GET /api/v1/alerts/{id}`: one alert, with all acknowledgements, the one that counts first.
///
/// # Errors
/// 401, 404, 409 if several sites have one, 503.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", params(("id" = Uuid, Path), Which), responses(
    (status = 200, description = "The alert.", body = Detail),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which."),
    (status = 404, description = "`not_found`: there is no such alert."),
    (status = 409, description = "`ambiguous`: several sites have one of this id; say which with `warehouse_id`."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<Uuid>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Detail>, ApiError> {
    let alert = find(&app, path(id, WHAT)?, query(which)?.warehouse_id).await?;
    Ok(Json(shown(&app, &caller, alert).await?))
}

pub(super) async fn find(app: &App, id: Uuid, warehouse: Option<Uuid>) -> Result<Stored, ApiError> {
    Ok(the_one(alerts::by_id(&app.db, id, warehouse).await?, WHAT)?)
}

async fn shown(app: &App, caller: &Caller, alert: Stored) -> Result<Detail, ApiError> {
    let now = clock::now();
    let all = merged(&app.db, std::slice::from_ref(&alert), now).await?;
    let merged = all.get(&alert.warehouse_id);
    let said = merged.and_then(|m| m.acknowledgements.get(&AlertId::from_uuid(alert.alert_id)));
    let facts = said
        .into_iter()
        .flatten()
        .cloned()
        .map(|Acknowledgement { fact_id, by, at, origin, note }| Said {
            fact_id,
            kind: SaidKind::Acknowledge,
            by,
            at,
            origin,
            note,
        })
        .collect();
    let curve =
        if caller.may(Scope::Act) { alerts::curve(&app.db, alert.warehouse_id, alert.alert_id).await? } else { None };
    let (threshold, clear_below) = curve.as_ref().map_or((None, None), |curve| (curve.threshold, curve.clear_below));
    let moments = curve.into_iter().flat_map(|curve| curve.moments);
    let curve = moments.filter_map(|(ms, score)| {
        Some(Moment { t: Curve::time(alert.started_at, ms)?, risk: f64::from(score) / 100.0 })
    });
    let curve = curve.collect();
    Ok(Detail { alert: View::new(alert, merged, now), facts, curve, threshold, clear_below })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Made by whoever asks, so that asking twice is one acknowledgement.
    fact_id: FactId,
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// `POST /api/v1/alerts/{id}/acknowledge`: says that the caller has seen the alert and sees to it. The site hears of it.
///
/// # Errors
/// 400, 401, 404, 409 `fact_conflict` if the id is that of another fact, 503.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/{id}/acknowledge",
    params(("id" = Uuid, Path), Which),
    request_body = Acknowledge,
    responses(
        (status = 200, description = "The alert as it stands now.", body = Detail),
        (status = 400, description = "`query_invalid`: a parameter cannot be read. `body_invalid`: the body cannot be read, \
                                      or breaks a bound; the message says where."),
        (status = 404, description = "`not_found`: there is no such alert."),
        (status = 409, description = "`ambiguous`: several sites have one of this id; say which with `warehouse_id`. \
                                      `fact_conflict`: something else was said under this `fact_id`; make a new one."),
    )
)]
pub async fn acknowledge(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<Uuid>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
    body: Result<Object<Acknowledge>, Problem>,
) -> Result<Json<Detail>, ApiError> {
    let alert = find(&app, path(id, WHAT)?, query(which)?.warehouse_id).await?;
    let Acknowledge { fact_id, note } = body?.0;
    let statement = Statement::Acknowledge { alert_id: AlertId::from_uuid(alert.alert_id), note };
    let warehouse = WarehouseId::from_uuid(alert.warehouse_id);
    say(&app, warehouse, &caller.name, fact_id, statement, clock::now(), |known, new| known.statement == new.statement)
        .await?;
    Ok(Json(shown(&app, &caller, alert).await?))
}

/// Stores what somebody here says, once, and tells the screens. `same` is [`store_said`]'s.
pub(super) async fn say(
    app: &App,
    warehouse: WarehouseId,
    who: &str,
    fact_id: FactId,
    statement: Statement,
    at: DateTime<Utc>,
    same: impl FnOnce(&Fact, &Fact) -> bool,
) -> Result<Fact, ApiError> {
    check::said_here(&statement).map_err(|what| bad_body(&what))?;
    let fact = Fact { fact_id, at, by: who.to_owned(), origin: Origin::Headquarters, statement };
    match store_said(&app.db, warehouse, fact, same).await? {
        Added::Stored(fact) => {
            app.alerts_changed();
            Ok(fact)
        }
        Added::Conflict => {
            let message = format!("{fact_id} is the id of something else that was said; make a new one");
            Err(Problem::new(StatusCode::CONFLICT, "fact_conflict", message).into())
        }
        Added::NoWarehouse => Err(not_found("warehouse").into()),
    }
}

/// Stores what somebody says at headquarters, once; the site hears of it with its next heartbeat. `same` compares what has this
/// id already with what is said now; who said it is compared in any case.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub(crate) async fn store_said(
    db: &Db,
    warehouse: WarehouseId,
    fact: Fact,
    same: impl FnOnce(&Fact, &Fact) -> bool,
) -> Result<Added, StoreError> {
    let new = fact.clone();
    facts::add(db, warehouse, fact, |known| known.by == new.by && known.origin == new.origin && same(known, &new)).await
}
