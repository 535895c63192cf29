//! A shift's summary over HTTP, as JSON and as a table for spreadsheets.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use common::clock;
use common::problem::Problem;
use utoipa::ToSchema;

use super::summary::{Known, Summary, minute_of, summarize};
use super::{Occurrence, at, previous};
use crate::alerts::api::{bad_parameter, parameters, time, unavailable};
use crate::http::State;

/// What a spreadsheet would take for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
const HEADER: &str = "shift,from,to,of,id,name,events,coverage,seconds_observed,seconds_at_risk,peak,alerts,\
                      acknowledged,cleared,silenced,median_seconds_to_acknowledge";

/// Which shift.
#[derive(ToSchema)]
#[schema(as = WhichShift, rename_all = "lowercase")]
#[expect(
    dead_code,
    reason = "only its schema is used: the query is read by hand, so that the message can name the fix"
)]
pub(crate) enum Which {
    Current,
    Previous,
}

/// `GET /api/v1/shift`: what a shift amounts to.
#[utoipa::path(
    get,
    path = "/api/v1/shift",
    params(
        ("which" = Option<Which>, Query, description = "`current` if neither this nor `at` is given."),
        ("at" = Option<DateTime<Utc>>, Query, description = "The shift that is on then; not together with `which`."),
    ),
    responses(
        (status = 200, description = "The shift's figures.", body = Summary),
        (status = 400, description = "`query_invalid`: the message says which."),
        (status = 404, description = "`shift_too_old`: figures are not kept for so long."),
        (status = 503, description = "`history_unavailable`: the history cannot be used now; the message says why. \
                                  `busy`: too many ask for it at once."),
    )
)]
pub async fn show(
    Shared(state): Shared<Arc<State>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Summary>, Problem> {
    Ok(Json(summary(&state, parameters(query)?).await?))
}

/// `GET /api/v1/shift.csv`: a row for the shift, each zone and each of the top cameras. What is not known is empty.
#[utoipa::path(
    get,
    path = "/api/v1/shift.csv",
    params(
        ("which" = Option<Which>, Query, description = "`current` if neither this nor `at` is given."),
        ("at" = Option<DateTime<Utc>>, Query, description = "The shift that is on then; not together with `which`."),
    ),
    responses(
        (status = 200, description = "The shift's figures as a table.", body = str, content_type = "text/csv"),
        (status = 400, description = "`query_invalid`: the message says which."),
        (status = 404, description = "`shift_too_old`: figures are not kept for so long."),
        (status = 503, description = "`history_unavailable`: the history cannot be used now; the message says why. \
                                  `busy`: too many ask for it at once."),
    )
)]
pub async fn csv(
    Shared(state): Shared<Arc<State>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let summary = summary(&state, parameters(query)?).await?;
    let tz = state.site().time_zone;
    let day = summary.shift.occurrence.from.with_timezone(&tz).format("%Y-%m-%d-%H%M");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"shift-{day}.csv\"")),
    ];
    Ok((headers, table(&summary, tz)).into_response())
}

async fn summary(state: &State, asked: Vec<(String, String)>) -> Result<Summary, Problem> {
    let now = clock::now();
    let shift = which(state, asked, now)?;
    let kept_for = TimeDelta::try_days(i64::try_from(state.keep_days).unwrap_or(i64::MAX));
    if kept_for.is_some_and(|kept_for| shift.from < now - kept_for) {
        let text =
            format!("figures are kept for {} days (history.keep_days), and this shift is older", state.keep_days);
        return Err(Problem::new(StatusCode::NOT_FOUND, "shift_too_old", text));
    }
    let (from, to) = (shift.from, shift.to);
    let asked = state.history.ask(now, move |store| {
        let minutes = store.minutes(minute_of(from), minute_of(to))?;
        Ok((minutes, store.cameras()?, store.raised_between(from, to)?, store.silences()))
    });
    let (minutes, cameras, (alerts, system_alerts), silences) = asked.await.map_err(unavailable)?;
    let (silences, site) = (&*silences, state.site());
    Ok(summarize(&Known { shift, minutes, cameras, alerts, system_alerts, silences, site: &site }, now))
}

fn which(state: &State, asked: Vec<(String, String)>, now: DateTime<Utc>) -> Result<Occurrence, Problem> {
    let site = state.site();
    let (shifts, tz) = (&site.shifts, site.time_zone);
    let mut wanted = None;
    for (name, value) in asked {
        if wanted.is_some() {
            return Err(bad_parameter(&name, &value, "the only one: send either at or which"));
        }
        wanted = Some(match (name.as_str(), value.as_str()) {
            ("which", "current") => at(shifts, tz, now),
            ("which", "previous") => previous(shifts, tz, now),
            ("which", _) => return Err(bad_parameter(&name, &value, "current or previous")),
            ("at", text) => at(shifts, tz, time("at", text)?),
            _ => return Err(bad_parameter(&name, &value, "none of at, which")),
        });
    }
    Ok(wanted.unwrap_or_else(|| at(shifts, tz, now)))
}

/// RFC 4180.
fn table(summary: &Summary, tz: Tz) -> String {
    let local = |at: DateTime<Utc>| at.with_timezone(&tz).to_rfc3339_opts(SecondsFormat::Secs, false);
    let shift = &summary.shift.occurrence;
    let mut text = format!("{HEADER}\r\n");
    let mut row = |cells: [String; 13]| {
        let start = [shift.name.clone(), local(shift.from), local(shift.to)];
        let cells: Vec<String> = start.into_iter().chain(cells).map(cell).collect();
        // Writing to a string cannot fail.
        write!(text, "{}\r\n", cells.join(",")).ok();
    };
    let alerts = &summary.alerts;
    let none = String::new;
    row([
        "shift".to_owned(),
        none(),
        shift.name.clone(),
        summary.events.to_string(),
        number(summary.coverage),
        none(),
        none(),
        none(),
        alerts.raised.to_string(),
        alerts.acknowledged.to_string(),
        alerts.cleared.to_string(),
        alerts.silenced.to_string(),
        number(alerts.median_seconds_to_acknowledge),
    ]);
    for zone in &summary.zones {
        row([
            "zone".to_owned(),
            zone.zone_id.to_string(),
            zone.zone.clone().unwrap_or_default(),
            zone.events.to_string(),
            number(zone.coverage),
            zone.seconds_observed.to_string(),
            zone.seconds_at_risk.to_string(),
            number(zone.peak),
            zone.alerts.to_string(),
            none(),
            none(),
            none(),
            none(),
        ]);
    }
    for camera in &summary.cameras {
        row([
            "camera".to_owned(),
            camera.camera_id.clone(),
            camera.camera.clone().unwrap_or_default(),
            camera.events.to_string(),
            number(camera.coverage),
            camera.seconds_observed.to_string(),
            camera.seconds_at_risk.to_string(),
            number(camera.peak),
            camera.alerts.to_string(),
            none(),
            none(),
            none(),
            none(),
        ]);
    }
    text
}

fn number(value: Option<f64>) -> String {
    value.map(|value| format!("{}", (value * 10_000.0).round() / 10_000.0)).unwrap_or_default()
}

/// Names come from cameras and people: one that looks like a formula must not become one.
fn cell(text: String) -> String {
    let text = if text.starts_with(FORMULA) { format!("'{text}") } else { text };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_are_never_formulas() {
        for (text, shown) in [
            ("Aisle 1", "Aisle 1"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x\ny", "\"'@x\ny\""),
        ] {
            assert_eq!(cell(text.to_owned()), shown);
        }
        assert_eq!(
            (number(None), number(Some(1.0)), number(Some(0.123_456))),
            (String::new(), "1".into(), "0.1235".into())
        );
    }
}
