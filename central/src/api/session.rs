//! `/api/v1/session`: signing in, out, asking who one is, and changing one's own password.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use common::credentials::{TokenHash, check_password};
use common::problem::Problem;
use common::web::request::{is_https, session_cookie, set_cookie};
use common::web::sign_in::{self, Attempt, SESSION_AGE_MAX, session_token};
use serde::Deserialize;

use super::{Object, unfit};
use crate::access::{COOKIE, Caller, CallerKind, sign_in_first};
use crate::http::{ApiError, App};
use crate::store::{sessions, users};

const SHAPE: &str = r#"{"name":"…","password":"…"}"#;

/// The code of a 429.
const WAIT: &str = "wait";

/// Who asks.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "session",
    responses((status = 200, body = Caller))
)]
pub async fn show(Extension(caller): Extension<Caller>) -> Json<Caller> {
    Json(caller)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    name: String,
    password: String,
}

/// Signs in: sets the cookie of a new session, which ends when it is not used for 12 hours, and after 7 days.
///
/// # Errors
/// 400, 401 `wrong_password` or `no_accounts`, 403 for a foreign page, 429 `wait`, 503.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", request_body = SignIn,
    responses(
        (status = 200, body = Caller),
        (status = 400, description = "`unreadable`: the body is not what is taken here."),
        (status = 401, description = "`wrong_password`: the name or the password is not right. \
                                      `no_accounts`: there are none yet; the message says how to make one. \
                                      `sign_in`: the last account was just removed."),
        (status = 429, description = "`wait`: too many wrong passwords; Retry-After says how long."),
        (status = 503, description = "`busy`: many are signing in at once. \
                                      `database_unavailable`: the database cannot be used now; try again."),
    )
)]
pub async fn sign_in(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let access = &app.access;
    let _place = access.sign_ins.enter()?;
    let SignIn { name, password } = sign_in::read(body, SHAPE).await?;
    if !access.has_users().await? {
        return Err(sign_in_first(access).await?.into());
    }
    let attempt = begin(&app, &name, peer, &headers)?;
    // Postgres takes no NUL, so nobody is called so.
    let user = if name.contains('\0') { None } else { checked(&app, &name, password, attempt).await? };
    let user = user.ok_or_else(wrong_password)?;
    let (token, hash) = session_token();
    if !sessions::begin(&app.db, &hash, &user).await? {
        return Err(wrong_password().into());
    }
    if let Some(old) = session_cookie(&headers, COOKIE) {
        // It ends by itself if this fails.
        end(&app, &old).await.ok();
    }
    let cookie = set_cookie(COOKIE, &token, SESSION_AGE_MAX, is_https(&headers));
    Ok(([(header::SET_COOKIE, cookie)], Json(Caller::user(user.name, user.role))).into_response())
}

/// Ends the session of the cookie; 204, also if there is none.
///
/// # Errors
/// 403 for a foreign page, 503.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses(
    (status = 204),
    (status = 503, description = "`busy`: many are signing in at once. \
                                  `database_unavailable`: the database cannot be used now; try again."),
))]
pub async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let _place = app.access.sign_ins.enter()?;
    if let Some(session) = session_cookie(&headers, COOKIE) {
        end(&app, &session).await?;
    }
    let gone = set_cookie(COOKIE, "", Duration::ZERO, is_https(&headers));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    old: String,
    /// 10 characters are the least.
    new: String,
}

/// Changes one's own password; the account's other sessions end.
///
/// # Errors
/// 400, 401 `wrong_password`, 403 for a machine's token, 422 `password_invalid`, 429 `wait`, 503.
#[utoipa::path(
    post, path = "/api/v1/session/password", tag = "session", request_body = ChangePassword,
    responses(
        (status = 204),
        (status = 400, description = "`body_invalid`: the body cannot be read; the message says where."),
        (status = 401, description = "`wrong_password`: `old` is not right."),
        (status = 403, description = "`no_password`: a machine's token has none."),
        (status = 422, description = "`password_invalid`: it is too short or too long; the message says the bound."),
        (status = 429, description = "`wait`: too many wrong passwords; Retry-After says how long."),
        (status = 503, description = "`busy`: many are signing in at once."),
    )
)]
pub async fn change_password(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    asked: Result<Object<ChangePassword>, Problem>,
) -> Result<StatusCode, ApiError> {
    let (CallerKind::User, Some(session)) = (caller.kind, session_cookie(&headers, COOKIE)) else {
        let text = "a machine's token has no password; sign in with an account";
        return Err(Problem::new(StatusCode::FORBIDDEN, "no_password", text).into());
    };
    let _place = app.access.sign_ins.enter()?;
    let ChangePassword { old, new } = asked?.0;
    check_password(&new).map_err(|error| unfit("password_invalid", &error))?;
    // Counted like signing in: somebody may have found a screen that was left alone.
    let attempt = begin(&app, &caller.name, peer, &headers)?;
    let user = checked(&app, &caller.name, old, attempt).await?.ok_or_else(wrong_password)?;
    let hash = app.access.sign_ins.hash(new).await?;
    if !users::change_own_password(&app.db, &user, &hash, &session).await? {
        return Err(wrong_password().into());
    }
    app.access.forget();
    Ok(StatusCode::NO_CONTENT)
}

fn begin(app: &App, name: &str, peer: SocketAddr, headers: &HeaderMap) -> Result<Attempt, Problem> {
    app.access.sign_ins.begin(name, peer, headers).map_err(|slow| slow.problem(WAIT))
}

/// The account, if this is its password.
async fn checked(app: &App, name: &str, password: String, attempt: Attempt) -> Result<Option<users::User>, ApiError> {
    let user = users::find(&app.db, name).await?;
    let right = app.access.sign_ins.is_right(password, user.as_ref().map(|user| &*user.password)).await?;
    if right {
        app.access.sign_ins.succeed(attempt);
    }
    Ok(user.filter(|_| right))
}

fn wrong_password() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "wrong_password", "the name or the password is not right")
}

async fn end(app: &App, session: &TokenHash) -> Result<(), ApiError> {
    sessions::end(&app.db, session).await?;
    app.access.forget();
    Ok(())
}
