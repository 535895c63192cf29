//! `/api/v1/session`: signing in, out, and asking who one is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use common::clock;
use common::credentials::{TokenHash, token_hash};
use common::problem::Problem;
use common::web::request::{is_https, set_cookie};
use common::web::sign_in::{self, SESSION_AGE_MAX, session_token};
use serde::Deserialize;
use tracing::warn;
use utoipa::ToSchema;

use super::guard::sign_in_first;
use super::image;
use super::store::StoreError;
use super::{Access, COOKIE, Caller, CallerKind, session_cookie};
use crate::http::State;

const SHAPE: &str = r#"{"name":"…","password":"…"} or {"kiosk_token":"…"}"#;
/// A screen's cookie is kept for as long as browsers allow (400 days); its token decides.
const KIOSK_COOKIE_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// By an account, or by a screen's token.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, deny_unknown_fields)]
enum SignIn {
    Password { name: String, password: String },
    Kiosk { kiosk_token: String },
}

/// `GET /api/v1/session`: who is asking.
#[utoipa::path(get, path = "/api/v1/session", responses((status = 200, description = "The caller.", body = Caller)))]
pub async fn session(Extension(caller): Extension<Caller>) -> Json<Caller> {
    Json(caller)
}

/// `POST /api/v1/session`: signs in, with a cookie that scripts cannot read.
#[utoipa::path(post, path = "/api/v1/session", request_body = SignIn, responses(
    (status = 200, description = "Signed in; the cookie is set.", body = Caller,
        headers(("set-cookie" = String, description = "`smartpick_session`"))),
    (status = 400, description = "`unreadable`: the body is not what is taken here."),
    (status = 401, description = "`wrong_credentials`: the name, the password or the screen's token is not right. \
                                  `no_accounts`: there are none yet. `sign_in`: the account changed meanwhile."),
    (status = 429, description = "`too_many_attempts`: too many wrong passwords; the message and Retry-After say when to \
                                  try again."),
    (status = 503, description = "`busy`: many are signing in at once. `accounts_unavailable`: the accounts cannot be used \
                                  now."),
))]
pub async fn sign_in(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let access = &state.access;
    let _place = access.sign_ins.enter()?;
    let caller_and_session = match sign_in::read(body, SHAPE).await? {
        SignIn::Password { name, password } => by_password(access, name, password, peer, &headers).await?,
        SignIn::Kiosk { kiosk_token } => by_kiosk_token(access, &kiosk_token).await?,
    };
    let (caller, token) = caller_and_session;
    if let Some(old) = session_cookie(&headers) {
        // It ends by itself if this fails.
        end(access, old).await.ok();
    }
    let age = if caller.kind == CallerKind::Kiosk { KIOSK_COOKIE_AGE } else { SESSION_AGE_MAX };
    let cookie = set_cookie(COOKIE, &token, age, is_https(&headers));
    Ok(([(header::SET_COOKIE, cookie)], Json(caller)).into_response())
}

/// `DELETE /api/v1/session`: signs out, also if nobody was signed in.
#[utoipa::path(delete, path = "/api/v1/session", responses(
    (status = 204, description = "Nobody is signed in."),
    (status = 503, description = "`busy`: many are signing in at once. `accounts_unavailable`: the accounts cannot be used \
                                  now."),
))]
pub async fn sign_out(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Result<Response, Problem> {
    let access = &state.access;
    let _place = access.sign_ins.enter()?;
    if let Some(session) = session_cookie(&headers) {
        end(access, session).await?;
    }
    let gone = set_cookie(COOKIE, "", Duration::ZERO, is_https(&headers));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

async fn by_password(
    access: &Arc<Access>,
    name: String,
    password: String,
    peer: SocketAddr,
    headers: &HeaderMap,
) -> Result<(Caller, String), Problem> {
    // Somebody added a moment ago must be let in, and it takes the same time for everybody.
    on_store(access, |access| access.refresh()).await?;
    if !access.image().has_users() {
        return Err(sign_in_first(access));
    }
    let attempt = access.sign_ins.begin(&name, peer, headers).map_err(|slow| slow.problem("too_many_attempts"))?;
    let user = access.image().user(&name).cloned();
    let right = access.sign_ins.is_right(password, user.as_ref().map(|user| &*user.password)).await?;
    let Some(user) = user.filter(|_| right) else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong_credentials",
            "the name or the password is not right",
        ));
    };
    access.sign_ins.succeed(attempt);
    let (token, hash) = session_token();
    let (row, now) = (user.clone(), clock::now());
    on_store(access, move |access| {
        let mut store = access.store();
        store.begin_for_user(&hash, &row, now.timestamp_millis())?;
        access.reload(&mut store)
    })
    .await?;
    Ok((Caller { kind: CallerKind::User, name: user.name, role: user.role }, token))
}

async fn by_kiosk_token(access: &Arc<Access>, token: &str) -> Result<(Caller, String), Problem> {
    on_store(access, |access| access.refresh()).await?;
    let kiosk_hash = token_hash(token);
    let wrong = || {
        let text =
            "this screen's token is not valid any more; `smartpick-edge kiosk add NAME` on the box makes a new one";
        Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", text)
    };
    let (id, caller) = {
        let image = access.image();
        let kiosk = image.kiosk(&kiosk_hash).ok_or_else(wrong)?;
        (kiosk.id, image::kiosk_caller(kiosk))
    };
    let (token, hash) = session_token();
    let now = clock::now();
    on_store(access, move |access| {
        let mut store = access.store();
        store.begin_for_kiosk(&hash, id, now.timestamp_millis())?;
        access.reload(&mut store)
    })
    .await?;
    Ok((caller, token))
}

async fn end(access: &Arc<Access>, session: TokenHash) -> Result<(), Problem> {
    on_store(access, move |access| {
        let mut store = access.store();
        store.end_sessions(&[session])?;
        access.reload(&mut store)
    })
    .await
}

/// Works on the file, off the async threads.
async fn on_store<F>(access: &Arc<Access>, work: F) -> Result<(), Problem>
where
    F: FnOnce(&Access) -> Result<(), StoreError> + Send + 'static,
{
    let access = Arc::clone(access);
    let result = tokio::task::spawn_blocking(move || work(&access)).await;
    let error = match result {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error @ StoreError::Changed)) => {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", error.to_string()));
        }
        Ok(Err(error)) => anyhow::Error::from(error),
        Err(error) => error.into(),
    };
    warn!("Failed to note who is signed in: {error:#}");
    Err(Problem::unavailable("accounts_unavailable", "the accounts cannot be used now; is the disk full? try again", 5))
}
