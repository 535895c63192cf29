//! `/api/v1/sites/{id}/rules`: the rules that a site's edges shall go by, and how far they do. Each set is a version of its
//! own, checked here by the code that the edges check with, and sent with the answer to their next heartbeat.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use common::alert::NOTE_CHARS_MAX;
use common::ids::ZoneId;
use common::problem::Problem;
use common::protocol::RulesReport;
use common::rules::{RuleConfig, RuleError, check as check_rules, unknown_zones};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Object, bad_body, known, limit, not_found, path, query};
use crate::access::Caller;
use crate::http::{ApiError, App};
use crate::persist::check::visible;
use crate::store::rule_sets::{self, Added, Made, New, Reported};
use crate::store::sites::{self, ZoneName};

const WHAT: &str = "site";

/// The rules of a site.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SiteRules)]
pub struct Rules {
    /// The newest set; null: none was ever made here, each edge goes by its own configuration.
    pub current: Option<Version>,
    pub edges: Vec<EdgeRules>,
    /// What an edge goes by that nobody configured: a start for a first set.
    pub default_rules: Vec<RuleConfig>,
}

/// A set as it was made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RulesVersion)]
pub struct Version {
    pub version: i64,
    /// Null: each edge goes by its own configuration again.
    #[schema(value_type = Option<Vec<RuleConfig>>)]
    pub rules: Option<Value>,
    pub note: String,
    pub made_at: DateTime<Utc>,
    pub made_by: String,
}

impl From<Made> for Version {
    fn from(made: Made) -> Self {
        let Made { version, rules, note, made_at, made_by, .. } = made;
        Self { version, rules, note, made_at, made_by }
    }
}

/// How far an edge is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EdgeRules {
    pub edge_id: Uuid,
    pub name: Option<String>,
    /// The version that it went by when it last reported; null: headquarters never told it any.
    pub applied_version: Option<u64>,
    pub reported_at: Option<DateTime<Utc>>,
    /// Why the newest set is not in force there.
    pub error: Option<String>,
    pub state: EdgeState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EdgeRulesState)]
pub enum EdgeState {
    /// The newest set is in force.
    Applied,
    /// It has not reported the newest set yet.
    Waiting,
    /// It cannot use the newest set; `error` says why.
    Refused,
    /// It goes by its own configuration, as it should.
    Own,
}

impl EdgeRules {
    fn of(edge: Reported, newest: Option<&Made>) -> Self {
        let report: Option<RulesReport> = edge.report.and_then(|report| serde_json::from_value(report).ok());
        let state = state(report.as_ref(), newest.map(|made| (made.set_id, made.rules.is_some())));
        let report = report.unwrap_or_default();
        Self {
            edge_id: edge.edge_id,
            name: edge.name,
            applied_version: report.version,
            reported_at: edge.heartbeat_at,
            error: report.error,
            state,
        }
    }
}

/// `report`: none of an edge that never reported, or whose version knows only its own rules. `newest`: the site's newest
/// set, and whether it has rules.
fn state(report: Option<&RulesReport>, newest: Option<(Uuid, bool)>) -> EdgeState {
    let follows = report.and_then(|report| report.set_id);
    match newest {
        None if follows.is_none() => EdgeState::Own,
        None => EdgeState::Waiting,
        Some((set_id, true)) if follows == Some(set_id) => EdgeState::Applied,
        Some((set_id, false)) if follows == Some(set_id) => EdgeState::Own,
        Some((set_id, _)) if report.is_some_and(|report| report.refused == Some(set_id)) => EdgeState::Refused,
        Some(_) => EdgeState::Waiting,
    }
}

/// The rules of all sites, in short.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RulesOverview)]
pub struct Overview {
    /// By name.
    pub sites: Vec<SiteOverview>,
}

/// A site's newest set, and how many of its edges are how far.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SiteRulesOverview)]
pub struct SiteOverview {
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    /// Null: none was ever made here.
    pub version: Option<i64>,
    pub made_at: Option<DateTime<Utc>>,
    pub made_by: Option<String>,
    /// Whether that set has rules; else each edge goes by its own configuration.
    pub has_rules: bool,
    /// It has none at all: nothing at the site raises an alert about people.
    pub alerts_off: bool,
    /// Edges.
    pub applied: u32,
    pub waiting: u32,
    pub refused: u32,
    pub own: u32,
}

/// `GET /api/v1/rules`: of every site the newest set, and how many of its edges go by it.
///
/// # Errors
/// 401, 503.
#[utoipa::path(get, path = "/api/v1/rules", responses((status = 200, description = "All sites.", body = Overview)))]
pub async fn overview(State(app): State<Arc<App>>) -> Result<Json<Overview>, ApiError> {
    let (sites, edges) = rule_sets::overview(&app.db).await?;
    let mut reports: HashMap<Uuid, Vec<Option<RulesReport>>> = HashMap::new();
    for (site, report) in edges {
        let report = report.and_then(|report| serde_json::from_value(report).ok());
        reports.entry(site).or_default().push(report);
    }
    let sites = sites.into_iter().map(|site| {
        let newest = site.set_id.map(|set_id| (set_id, site.has_rules));
        let reports = reports.get(&site.warehouse_id).map_or(&[][..], Vec::as_slice);
        let states: Vec<EdgeState> = reports.iter().map(|report| state(report.as_ref(), newest)).collect();
        let count = |wanted| u32::try_from(states.iter().filter(|state| **state == wanted).count()).unwrap_or(u32::MAX);
        SiteOverview {
            warehouse_id: site.warehouse_id,
            name: site.name,
            version: site.version,
            made_at: site.made_at,
            made_by: site.made_by,
            has_rules: site.has_rules,
            alerts_off: site.alerts_off,
            applied: count(EdgeState::Applied),
            waiting: count(EdgeState::Waiting),
            refused: count(EdgeState::Refused),
            own: count(EdgeState::Own),
        }
    });
    Ok(Json(Overview { sites: sites.collect() }))
}

/// `GET /api/v1/sites/{id}/rules`: the rules that a site's edges shall go by, and how far they do.
///
/// # Errors
/// 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/sites/{id}/rules", params(("id" = Uuid, Path, description = "The site.")), responses(
    (status = 200, description = "The newest set, and how far each edge is.", body = Rules),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn show(State(app): State<Arc<App>>, id: Result<Path<Uuid>, PathRejection>) -> Result<Json<Rules>, ApiError> {
    let id = site(&app, id).await?;
    let (newest, edges) = rule_sets::current(&app.db, id).await?;
    let edges = edges.into_iter().map(|edge| EdgeRules::of(edge, newest.as_ref())).collect();
    Ok(Json(Rules { current: newest.map(Version::from), edges, default_rules: vec![RuleConfig::sustained_risk()] }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<i64>,
}

/// A page of a site's sets.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RulesVersions)]
pub struct Versions {
    pub versions: Vec<Version>,
    pub next: Option<i64>,
}

/// `GET /api/v1/sites/{id}/rules/versions`: all sets that were made for a site, newest first.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/sites/{id}/rules/versions", params(("id" = Uuid, Path, description = "The site."), Ask), responses(
    (status = 200, description = "A page of sets.", body = Versions),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which."),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn versions(
    State(app): State<Arc<App>>,
    id: Result<Path<Uuid>, PathRejection>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Versions>, ApiError> {
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    let id = site(&app, id).await?;
    let page = rule_sets::page(&app.db, id, ask.cursor, limit).await?;
    let full = i64::try_from(page.len()) == Ok(limit);
    let next = page.last().filter(|_| full).map(|last| last.version);
    Ok(Json(Versions { versions: page.into_iter().map(Version::from).collect(), next }))
}

/// The site of the path, if we know it.
async fn site(app: &App, id: Result<Path<Uuid>, PathRejection>) -> Result<Uuid, ApiError> {
    let id = path(id, WHAT)?;
    known(app, Some(id)).await.map(|()| id)
}

/// A set to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRules {
    /// Null gives each edge its own configuration back; it must be said.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<Vec<RuleConfig>>, required)]
    rules: Option<Vec<Value>>,
    /// Why.
    #[serde(default)]
    note: String,
    /// The newest version that whoever makes it has seen; null: there is none.
    #[serde(default)]
    base_version: Option<i64>,
}

/// Null must be said: a request that forgot the rules must not take them away.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Value>>, D::Error> {
    Option::deserialize(deserializer)
}

/// The version that was made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MadeRules)]
pub struct MadeVersion {
    pub version: i64,
}

/// `POST /api/v1/sites/{id}/rules`: makes the next set; the edges go by it from their next heartbeat on.
///
/// # Errors
/// 400 for a body that cannot be read, 401, 404, 409 `version_conflict`, 422 `rules_invalid` with rule and field, 503.
#[utoipa::path(post, path = "/api/v1/sites/{id}/rules", params(("id" = Uuid, Path, description = "The site.")), request_body = NewRules, responses(
    (status = 201, description = "It is made.", body = MadeVersion),
    (status = 400, description = "`body_invalid`: the body cannot be read; the message says where."),
    (status = 404, description = "`not_found`: there is no such site."),
    (status = 409, description = "`version_conflict`: somebody made another version meanwhile."),
    (status = 422, description = "`rules_invalid`: a rule cannot be used; the message names rule, field and fix."),
))]
pub async fn make(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<Uuid>, PathRejection>,
    asked: Result<Object<NewRules>, Problem>,
) -> Result<(StatusCode, Json<MadeVersion>), ApiError> {
    let (id, NewRules { rules, note, base_version }) = (site(&app, id).await?, asked?.0);
    let note = note.trim();
    if note.chars().count() > NOTE_CHARS_MAX {
        return Err(bad_body(&format!("note: at most {NOTE_CHARS_MAX} characters are taken")).into());
    }
    visible("note", note).map_err(|what| bad_body(&what))?;
    let rules = match rules {
        Some(rules) => Some(usable(&app, id, &rules).await?),
        None => None,
    };
    let new = New { rules: rules.as_deref(), note, by: &caller.name, base_version };
    match rule_sets::add(&app.db, id, new).await? {
        Added::Made(version) => Ok((StatusCode::CREATED, Json(MadeVersion { version }))),
        Added::NoSite => Err(not_found(WHAT).into()),
        Added::Conflict(newest) => {
            let newest = newest.map_or_else(|| "there is none".to_owned(), |version| format!("it is {version}"));
            let message =
                format!("base_version is not the newest version, {newest}; look at that one and decide again");
            Err(Problem::new(StatusCode::CONFLICT, "version_conflict", message).into())
        }
    }
}

/// Rules to be tried.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesToCheck {
    #[schema(value_type = Vec<RuleConfig>)]
    rules: Vec<Value>,
}

/// Nothing is wrong with them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = UsableRules)]
pub struct Usable {}

/// `POST /api/v1/sites/{id}/rules/check`: whether a set could be made of these; changes nothing.
///
/// # Errors
/// 400 for a body that cannot be read, 401, 404, 422 `rules_invalid` with rule and field, 503.
#[utoipa::path(post, path = "/api/v1/sites/{id}/rules/check", params(("id" = Uuid, Path, description = "The site.")), request_body = RulesToCheck, responses(
    (status = 200, description = "They can be used.", body = Usable),
    (status = 400, description = "`body_invalid`: the body cannot be read; the message says where."),
    (status = 404, description = "`not_found`: there is no such site."),
    (status = 422, description = "`rules_invalid`: a rule cannot be used; the message names rule, field and fix."),
))]
pub async fn check(
    State(app): State<Arc<App>>,
    id: Result<Path<Uuid>, PathRejection>,
    asked: Result<Object<RulesToCheck>, Problem>,
) -> Result<Json<Usable>, ApiError> {
    let (id, asked) = (site(&app, id).await?, asked?.0);
    usable(&app, id, &asked.rules).await?;
    Ok(Json(Usable {}))
}

/// Zones that a refusal lists.
const ZONES_LISTED_MAX: usize = 10;

/// The rules as an edge of this site will read them, if they can mean something there.
async fn usable(app: &App, site: Uuid, rules: &[Value]) -> Result<Vec<RuleConfig>, ApiError> {
    let rules = read(rules)?;
    if rules.iter().all(|rule| rule.zones.is_empty()) {
        return Ok(rules);
    }
    let zones = sites::zones(&app.db, site).await?;
    let stranger = unknown_zones(&rules, |id| zones.iter().any(|zone| zone.zone_id == id.uuid())).next();
    if let Some((index, rule, zone)) = stranger {
        let problem = no_such_zone(zone, &zones);
        return Err(invalid(&RuleError { index, name: rule.name.clone(), field: "zones", problem }).into());
    }
    Ok(rules)
}

fn no_such_zone(zone: ZoneId, zones: &[ZoneName]) -> String {
    if zones.is_empty() {
        return format!(
            "no zone of the site is known yet, so not {zone} either; leave zones empty for all, let cameras send from it \
             first, or name it in [[site.zones]] of the edge's configuration"
        );
    }
    let listed = zones.iter().take(ZONES_LISTED_MAX).map(|zone| match &zone.name {
        Some(name) => format!("{} ({name})", zone.zone_id),
        None => zone.zone_id.to_string(),
    });
    let mut listed = listed.collect::<Vec<_>>().join(", ");
    if let Some(more) = zones.len().checked_sub(ZONES_LISTED_MAX).filter(|more| *more > 0) {
        listed = format!("{listed} and {more} more");
    }
    format!("the site has no zone {zone}, the rule would raise nothing there; it has {listed}; empty means all of them")
}

fn invalid(error: &impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "rules_invalid", format!("rules: {error}"))
}

/// The rules as an edge will read them.
fn read(rules: &[Value]) -> Result<Vec<RuleConfig>, Problem> {
    let one = |(index, rule): (usize, &Value)| {
        RuleConfig::deserialize(rule).map_err(|error| invalid(&format!("rule {}: {error}", index + 1)))
    };
    let rules: Vec<RuleConfig> = rules.iter().enumerate().map(one).collect::<Result<_, _>>()?;
    check_rules(&rules).map_err(|error| invalid(&error))?;
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_edge_is_judged_by_the_very_set_it_follows() {
        let report = |set_id: Option<u128>, refused: Option<u128>| RulesReport {
            version: set_id.map(|_| 3),
            set_id: set_id.map(Uuid::from_u128),
            refused: refused.map(Uuid::from_u128),
            error: None,
        };
        let newest = (Uuid::from_u128(1), true);
        for (report, newest, wanted) in [
            (None, None, EdgeState::Own),
            (Some(report(None, None)), None, EdgeState::Own),
            (Some(report(Some(1), None)), None, EdgeState::Waiting),
            (None, Some(newest), EdgeState::Waiting),
            (Some(report(Some(1), None)), Some(newest), EdgeState::Applied),
            // The same number, given out twice.
            (Some(report(Some(2), None)), Some(newest), EdgeState::Waiting),
            (Some(report(Some(2), Some(1))), Some(newest), EdgeState::Refused),
            (Some(report(Some(1), None)), Some((Uuid::from_u128(1), false)), EdgeState::Own),
        ] {
            assert_eq!(state(report.as_ref(), newest), wanted, "{report:?}");
        }
    }

    #[test]
    fn rules_must_be_said_and_are_refused_with_rule_and_field() {
        assert!(serde_json::from_str::<NewRules>(r#"{"note": "less noise"}"#).is_err(), "forgotten");
        let null: NewRules = serde_json::from_str(r#"{"rules": null}"#).expect("said");
        assert_eq!(null.rules, None);
        for (rule, words) in [
            (json!({"name": "a", "threshold": 0}), "rules: rule 1 \"a\": threshold: "),
            (json!({"name": "a", "treshold": 70}), "rules: rule 1: unknown field `treshold`"),
            (json!({"name": "a", "threshold": 70, "for": 3}), "rules: rule 1: invalid type"),
        ] {
            let problem = read(&[rule]).expect_err(words);
            assert!(problem.message.starts_with(words), "{}", problem.message);
            assert_eq!(problem.code, "rules_invalid");
        }
    }
}
