//! `GET /api/v1/ledger`: what became of every record that edges gave a seq, per edge and epoch, and in all; and
//! `/ledger/hours`, the same by the hour in which the edge accepted it. `stored` counts the events that became rows, `alerts`
//! the records that changed an alert or added a fact.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use common::ids::EdgeId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{hour_cursor, known, limit, not_found, parse_hour_cursor, query};
use crate::completeness::report;
use crate::http::{ApiError, App};
use crate::store::enrolment;
use crate::store::ledger::hours::{self, Hour};
use crate::store::ledger::{self, Account};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Option<Uuid>,
    edge_id: Option<Uuid>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Ledger {
    totals: Totals,
    epochs: Vec<Account>,
}

/// Sums over epochs. `head = received + buffered + missing` once an edge has reported, and
/// `received = stored + alerts + duplicates + dead` always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Totals {
    pub head: i64,
    pub received: i64,
    pub stored: i64,
    pub alerts: i64,
    pub duplicates: i64,
    pub dead: i64,
    pub buffered: i64,
    pub missing: i64,
}

impl Totals {
    pub fn of<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> Self {
        let mut totals = Self::default();
        for account in accounts {
            totals.add_account(account);
        }
        totals
    }

    pub fn add_account(&mut self, account: &Account) {
        let Account { head, received, stored, alerts, duplicates, dead, buffered, missing, .. } = *account;
        self.add(&Self { head, received, stored, alerts, duplicates, dead, buffered, missing });
    }

    pub fn add(&mut self, more: &Self) {
        for (sum, n) in [
            (&mut self.head, more.head),
            (&mut self.received, more.received),
            (&mut self.stored, more.stored),
            (&mut self.alerts, more.alerts),
            (&mut self.duplicates, more.duplicates),
            (&mut self.dead, more.dead),
            (&mut self.buffered, more.buffered),
            (&mut self.missing, more.missing),
        ] {
            // An edge may claim any head.
            *sum = sum.saturating_add(n);
        }
    }
}

/// What became of every record that edges gave a seq, per edge and epoch, and in all.
///
/// # Errors
/// 400 for a question that cannot be read, 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/ledger", params(Ask), responses(
    (status = 200, body = Ledger),
    (status = 400, description = "`query_invalid`: a parameter cannot be read; the message says which."),
    (status = 404, description = "`not_found`: there is no such site or edge."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Ledger>, ApiError> {
    let ask = query(ask)?;
    known(&app, ask.warehouse_id).await?;
    if let Some(edge) = ask.edge_id {
        enrolment::edge_of(&app.db, EdgeId::from_uuid(edge)).await?.ok_or_else(|| not_found("edge"))?;
    }
    let epochs = ledger::accounts(&app.db, ask.warehouse_id, ask.edge_id).await?;
    Ok(Json(Ledger { totals: Totals::of(&epochs), epochs }))
}

/// What is shown if nobody says from when.
const SHOWN_BY_DEFAULT: TimeDelta = TimeDelta::days(1);

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AskHours {
    warehouse_id: Uuid,
    /// A day before `to` if not given.
    from: Option<DateTime<Utc>>,
    /// Exclusive; now if not given. At most 93 days after `from`.
    to: Option<DateTime<Utc>>,
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Hours {
    /// The range looked at, asked for or not.
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Earliest first. Of the first and the last hour only the part inside the range.
    hours: Vec<Hour>,
    /// Ask for this next; null when there are no later ones.
    next: Option<String>,
}

/// `GET /api/v1/ledger/hours`: what became of what a site's edges accepted, by hour, edge and epoch.
///
/// # Errors
/// 400 for a question that cannot be read or a range that is too long, 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/ledger/hours", params(AskHours), responses(
    (status = 200, description = "A page of hours, earliest first.", body = Hours),
    (status = 400, description = "`query_invalid`: a parameter cannot be read, or the range is too long; the message says which."),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn hours(
    State(app): State<Arc<App>>,
    ask: Result<Query<AskHours>, QueryRejection>,
) -> Result<Json<Hours>, ApiError> {
    let ask = query(ask)?;
    let limit = limit(ask.limit)?;
    let after = ask.cursor.as_deref().map(parse_hour_cursor).transpose()?;
    let (from, to) = report::range(clock::now(), (ask.from, ask.to), SHOWN_BY_DEFAULT)?;
    known(&app, Some(ask.warehouse_id)).await?;
    let hours = hours::hours(&app.db, ask.warehouse_id, (from, to), after, limit).await?;
    let full = i64::try_from(hours.len()) == Ok(limit);
    let next = hours.last().filter(|_| full).map(|last| hour_cursor(last.hour, last.edge_id, last.epoch));
    Ok(Json(Hours { from, to, hours, next }))
}
