//! `/api/v1/alerts/{id}/person`: whose alert it is, for those who may see people. Who asked, and why, is in the audit before
//! the answer goes out.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{REASON_ASKED, alerts, path, query, reason};
use crate::access::Caller;
use crate::http::{ApiError, App};
use crate::store;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    /// Why; it is written down. 1 to 500 characters.
    #[param(required = true)]
    reason: Option<String>,
    /// Only needed if sites share an id, which no edge of ours makes.
    warehouse_id: Option<Uuid>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Person {
    alert_id: Uuid,
    /// Null if nobody knows, or the worker was forgotten.
    #[schema(required = true)]
    worker_id: Option<Uuid>,
}

/// Whose alert it is. Each such view is in the audit, with its reason.
///
/// # Errors
/// 400 `reason_missing`, 401, 403 without the scope people, 404, 409 if several sites have such an alert, 503.
#[utoipa::path(
    get, path = "/api/v1/alerts/{id}/person", params(("id" = Uuid, Path), Ask),
    responses(
        (status = 200, description = "The person.", body = Person),
        (status = 400, description = "`reason_missing`: a reason is needed. `query_invalid`: a parameter cannot be read."),
        (status = 404, description = "`not_found`: there is no such alert."),
        (status = 409, description = "`ambiguous`: several sites have an alert of this id; say which."),
    )
)]
pub async fn of_alert(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<Uuid>, PathRejection>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<Person>, ApiError> {
    let Ask { reason: said, warehouse_id } = query(ask)?;
    let reason = reason(said.as_deref(), REASON_ASKED)?;
    let alert = alerts::find(&app, path(id, "alert")?, warehouse_id).await?;
    let (warehouse, alert_id) = (alert.warehouse_id, alert.alert_id);
    let worker_id = store::alerts::person(&app.db, &caller.name, warehouse, alert_id, &reason).await?;
    Ok(Json(Person { alert_id, worker_id }))
}
