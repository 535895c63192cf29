//! `/api/v1/tokens`: the tokens of machines, for administrators. A token is shown once, when it is made. Each change is in
//! the audit.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use common::credentials::check_name;
use common::problem::Problem;
use serde::{Deserialize, Serialize};

use super::{Object, name_taken, not_found, path, unfit};
use crate::access::{Caller, Scopes};
use crate::http::{ApiError, App};
use crate::store::tokens::{self, ListedToken};

#[derive(Serialize, utoipa::ToSchema)]
pub struct Tokens {
    tokens: Vec<ListedToken>,
}

/// All tokens, revoked ones too, oldest first.
///
/// # Errors
/// 401, 403, 503.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", responses((status = 200, body = Tokens)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<Tokens>, ApiError> {
    Ok(Json(Tokens { tokens: tokens::list_tokens(&app.db).await? }))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// 1 to 64 lower-case Latin letters, digits, and `. _ - @`.
    name: String,
    /// What it may do; at least one.
    scopes: Scopes,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct AddedToken {
    name: String,
    /// It is not shown again.
    token: String,
}

/// Makes a token.
///
/// # Errors
/// 400, 401, 403, 409 `name_taken`, 422 `name_invalid` or `scopes_invalid`, 503.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", request_body = NewToken,
    responses(
        (status = 201, body = AddedToken),
        (status = 400, description = "`body_invalid`: the body cannot be read; the message says where."),
        (status = 409, description = "`name_taken`: by a token, revoked or not, or by an account."),
        (status = 422, description = "`name_invalid`: the message says what a name may be. \
                                      `scopes_invalid`: there is none."),
    )
)]
pub async fn add(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    asked: Result<Object<NewToken>, Problem>,
) -> Result<(StatusCode, Json<AddedToken>), ApiError> {
    let NewToken { name, scopes } = asked?.0;
    check_name(&name).map_err(|error| unfit("name_invalid", &error))?;
    if scopes.is_empty() {
        let text = "scopes is empty; give at least one of read, act, people, admin";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "scopes_invalid", text).into());
    }
    match tokens::add_token(&app.db, &caller.name, &name, scopes).await? {
        Some(token) => Ok((StatusCode::CREATED, Json(AddedToken { name, token }))),
        None => Err(name_taken(&name).into()),
    }
}

/// Makes a token worthless. It stays in the list, and its name taken.
///
/// # Errors
/// 401, 403, 404, 503.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{name}", tag = "tokens", params(("name" = String, Path)),
    responses((status = 204), (status = 404, description = "`not_found`: there is none, or it is revoked already."))
)]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    const WHAT: &str = "valid token";
    if !tokens::revoke_token(&app.db, &caller.name, &path(name, WHAT)?).await? {
        return Err(not_found(WHAT).into());
    }
    app.access.forget();
    Ok(StatusCode::NO_CONTENT)
}
