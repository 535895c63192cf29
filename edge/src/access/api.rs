//! `/api/v1/session`: signing in, out, and asking who one is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use common::clock;
use common::credentials::{self, NAME_CHARS_MAX, TokenHash, name_key, token_hash};
use common::problem::Problem;
use common::web::request::{client, is_https, set_cookie};
use common::web::throttle::Address;
use serde::Deserialize;
use tracing::{info, warn};

use super::guard::sign_in_first;
use super::image::{self, SESSION_AGE_MAX};
use super::store::{StoreError, UserRow};
use super::{Access, COOKIE, Caller, CallerKind, session_cookie};
use crate::http::State;

/// Passwords checked at once: each takes 19 MiB and a core.
pub const HASHING_MAX: usize = 2;
/// Sign-ins and sign-outs taken in at once; the others are told to come again. At two of some 30 ms at a time, the last
/// one waits half a second.
pub const UNDER_WAY_MAX: usize = 32;
/// Twice what the longest name and password take.
const BODY_BYTES_MAX: usize = 4 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// A screen's cookie is kept for as long as browsers allow (400 days); its token decides.
const KIOSK_COOKIE_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum SignIn {
    Password { name: String, password: String },
    Kiosk { kiosk_token: String },
}

/// `GET /api/v1/session`
pub async fn session(Extension(caller): Extension<Caller>) -> Json<Caller> {
    Json(caller)
}

/// `POST /api/v1/session`
pub async fn sign_in(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let access = &state.access;
    let _place = access.under_way.try_acquire().map_err(|_| busy())?;
    let caller_and_session = match read(body).await? {
        SignIn::Password { name, password } => by_password(access, name, password, client(peer, &headers)).await?,
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

/// `DELETE /api/v1/session`: 204, also if there was none.
pub async fn sign_out(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Result<Response, Problem> {
    let access = &state.access;
    let _place = access.under_way.try_acquire().map_err(|_| busy())?;
    if let Some(session) = session_cookie(&headers) {
        end(access, session).await?;
    }
    let gone = set_cookie(COOKIE, "", Duration::ZERO, is_https(&headers));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

async fn read(body: Body) -> Result<SignIn, Problem> {
    let bad = |text: &str| Problem::new(StatusCode::BAD_REQUEST, "unreadable", text);
    let bytes = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_BYTES_MAX))
        .await
        .map_err(|_| bad("the body did not arrive in time"))?
        .map_err(|_| bad("the body broke off, or is far too long for a name and a password"))?;
    serde_json::from_slice(&bytes)
        .map_err(|_| bad(r#"send {"name":"…","password":"…"} or {"kiosk_token":"…"} as JSON, and nothing else"#))
}

async fn by_password(
    access: &Arc<Access>,
    name: String,
    password: String,
    address: Address,
) -> Result<(Caller, String), Problem> {
    // Somebody added a moment ago must be let in, and it takes the same time for everybody.
    on_store(access, |access| access.refresh()).await?;
    if !access.image().has_users() {
        return Err(sign_in_first(access));
    }
    // What is longer is nobody's name; it must not fill our memory.
    let key: String = name_key(&name).chars().take(NAME_CHARS_MAX).collect();
    let begun = access.throttle().begin(&key, address, Instant::now());
    begun.map_err(|wait| too_fast(&key, wait))?;

    let user = access.image().user(&name).cloned();
    let Some(user) = check(access, user, password).await? else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong_credentials",
            "the name or the password is not right",
        ));
    };
    access.throttle().succeed(&key, address, Instant::now());
    let (token, hash) = fresh();
    let (row, now) = (user.clone(), clock::now());
    on_store(access, move |access| {
        let mut store = access.store();
        store.begin_for_user(&hash, &row, now.timestamp_millis())?;
        access.reload(&mut store)
    })
    .await?;
    Ok((Caller { kind: CallerKind::User, name: user.name, role: user.role }, token))
}

/// Whether the password is the account's. Takes the same time if there is no such account.
async fn check(access: &Arc<Access>, user: Option<UserRow>, password: String) -> Result<Option<UserRow>, Problem> {
    let place = Arc::clone(&access.hashing).acquire_owned().await.map_err(|_| busy())?;
    let hash = user.as_ref().map_or(&access.nobodys_password, |user| &user.password).clone();
    let work = move || {
        // Held by the work itself: it goes on when the client hangs up.
        let _place = place;
        credentials::verify_password(&password, &hash)
    };
    let right = tokio::task::spawn_blocking(work).await;
    Ok(user.filter(|_| right.unwrap_or(false)))
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
    let (token, hash) = fresh();
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

fn fresh() -> (String, TokenHash) {
    let token = credentials::token("");
    let hash = token_hash(&token);
    (token, hash)
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

fn busy() -> Problem {
    Problem::unavailable("busy", "many are signing in at once; try again in a moment", 2)
}

fn too_fast(account: &str, wait: Duration) -> Problem {
    // Rounded up, or one would come back too early.
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    info!(wait_secs = secs, "Slowed down sign-ins after failures");
    let text = format!("too many wrong passwords from this device or for {account}; try again in {secs} s");
    Problem { retry_after_secs: Some(secs), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", text) }
}
