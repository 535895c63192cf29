//! `/api/v1/users`: the accounts of people, for administrators. Each change is in the audit.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use common::credentials::{check_name, check_password};
use common::problem::Problem;
use serde::{Deserialize, Serialize};

use super::{Object, name_taken, not_found, path, unfit};
use crate::access::{Caller, Role};
use crate::http::{ApiError, App};
use crate::store::users::{self, Change, Changed, ListedUser};

const WHAT: &str = "account";

#[derive(Serialize, utoipa::ToSchema)]
pub struct Users {
    users: Vec<ListedUser>,
}

/// All accounts, by name.
///
/// # Errors
/// 401, 403, 503.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", responses((status = 200, body = Users)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<Users>, ApiError> {
    Ok(Json(Users { users: users::list(&app.db).await? }))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// 1 to 64 lower-case Latin letters, digits, and `. _ - @`.
    name: String,
    role: Role,
    /// 10 characters are the least.
    password: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct AddedUser {
    name: String,
    role: Role,
}

/// Makes an account.
///
/// # Errors
/// 400, 401, 403, 409 `name_taken`, 422 `name_invalid` or `password_invalid`, 503.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    responses(
        (status = 201, body = AddedUser),
        (status = 400, description = "`body_invalid`: the body cannot be read; the message says where."),
        (status = 409, description = "`name_taken`: by an account or a machine's token."),
        (status = 422, description = "`name_invalid`: the message says what a name may be. `password_invalid`: it is too short or too long; the message says the bound."),
        (status = 503, description = "`busy`: many are signing in at once."),
    )
)]
pub async fn add(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    asked: Result<Object<NewUser>, Problem>,
) -> Result<(StatusCode, Json<AddedUser>), ApiError> {
    let NewUser { name, role, password } = asked?.0;
    check_name(&name).map_err(|error| unfit("name_invalid", &error))?;
    let hash = hashed(&app, password).await?;
    if !users::add(&app.db, &caller.name, &name, role, &hash).await? {
        return Err(name_taken(&name).into());
    }
    Ok((StatusCode::CREATED, Json(AddedUser { name, role })))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedUser {
    role: Option<Role>,
    /// Whoever is signed in with the account is signed out.
    password: Option<String>,
}

/// Changes an account's role, its password, or both.
///
/// # Errors
/// 400, 401, 403, 404, 409 `last_administrator`, 422 `password_invalid`, 503.
#[utoipa::path(
    patch, path = "/api/v1/users/{name}", tag = "users", params(("name" = String, Path)), request_body = ChangedUser,
    responses(
        (status = 204),
        (status = 400, description = "`body_invalid`: the body cannot be read; the message says where."),
        (status = 404, description = "`not_found`: there is no such account."),
        (status = 409, description = "`last_administrator`: nobody could manage accounts any more."),
        (status = 422, description = "`password_invalid`: it is too short or too long; the message says the bound."),
        (status = 503, description = "`busy`: many are signing in at once."),
    )
)]
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    asked: Result<Object<ChangedUser>, Problem>,
) -> Result<StatusCode, ApiError> {
    let ChangedUser { role, password } = asked?.0;
    let password = match password {
        Some(password) => Some(hashed(&app, password).await?),
        None => None,
    };
    let changed = users::change(&app.db, &caller.name, &path(name, WHAT)?, &Change { role, password }).await?;
    done(&app, changed)
}

/// Removes an account; whoever is signed in with it is signed out.
///
/// # Errors
/// 401, 403, 404, 409 `last_administrator`, 503.
#[utoipa::path(
    delete, path = "/api/v1/users/{name}", tag = "users", params(("name" = String, Path)),
    responses(
        (status = 204),
        (status = 404, description = "`not_found`: there is no such account."),
        (status = 409, description = "`last_administrator`: nobody could manage accounts any more."),
    )
)]
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let changed = users::remove(&app.db, &caller.name, &path(name, WHAT)?).await?;
    done(&app, changed)
}

async fn hashed(app: &App, password: String) -> Result<String, ApiError> {
    check_password(&password).map_err(|error| unfit("password_invalid", &error))?;
    Ok(app.access.sign_ins.hash(password).await?)
}

fn done(app: &App, changed: Changed) -> Result<StatusCode, ApiError> {
    match changed {
        Changed::Done => {
            app.access.forget();
            Ok(StatusCode::NO_CONTENT)
        }
        Changed::Unknown => Err(not_found(WHAT).into()),
        Changed::LastAdministrator => {
            let text =
                "this is the last administrator, and nobody could manage accounts any more; make another one first";
            Err(Problem::new(StatusCode::CONFLICT, "last_administrator", text).into())
        }
    }
}
