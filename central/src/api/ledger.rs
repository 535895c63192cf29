//! `GET /api/v1/ledger`: what became of every record that edges gave a seq, per edge and epoch, and in all. `stored` counts
//! the events that became rows, `alerts` the records that changed an alert or added a fact.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::query;
use crate::http::{ApiError, App};
use crate::store::ledger::{self, Account};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    warehouse_id: Option<Uuid>,
    edge_id: Option<Uuid>,
}

#[derive(Serialize)]
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

/// # Errors
/// 400 for a question that cannot be read, 401, 503.
pub async fn show(
    State(app): State<Arc<App>>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Ledger>, ApiError> {
    let ask = query(ask)?;
    let epochs = ledger::accounts(&app.db, ask.warehouse_id, ask.edge_id).await?;
    Ok(Json(Ledger { totals: Totals::of(&epochs), epochs }))
}
