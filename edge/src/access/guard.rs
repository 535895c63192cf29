//! What every request passes before its handler: is the route in the table, who asks, has it the role, and is it a
//! page of ours that asks. A path that is not in the table is refused even if somebody gave the router a handler.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::clock;
use common::credentials::token_hash;
use common::problem::Problem;
use common::web::request::{self, bearer, refuse_foreign_pages};
use common::web::request_id;
use tokio::time::MissedTickBehavior;

use super::{Access, Caller, CallerKind, Credential, Need, POLL, Role, is_local, session_cookie};
use crate::http::{self, State};
use crate::intake::Sender;

/// By what a request was let in, for those who serve it for long: an account may be removed meanwhile.
#[derive(Clone)]
pub struct Pass {
    access: Arc<Access>,
    credential: Credential,
}

impl Pass {
    /// Who it is now; `None` when it would no longer be let in. Asking is no use of a session: it may end meanwhile.
    pub fn caller(&self, now: DateTime<Utc>) -> Option<Caller> {
        self.access.caller(self.credential, now)
    }

    /// Ends when it would no longer be let in.
    pub async fn revoked(&self) {
        let mut turn = tokio::time::interval(POLL);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.caller(clock::now()).is_some() {
            turn.tick().await;
        }
    }
}

/// The middleware around the whole router.
pub async fn guard(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    request_id::named(guarded(&state, request, next), Response::headers_mut).await
}

async fn guarded(state: &State, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let under_api = request.uri().path().starts_with("/api/");
    let (mut response, private) = match admit(&state.access, &mut request, clock::now()) {
        Ok(need) => (next.run(request).await, need != Need::Public || under_api),
        Err(problem) => (problem.into_response(), true),
    };
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(path) = path.filter(|_| status == StatusCode::METHOD_NOT_ALLOWED)
        && let Ok(methods) = HeaderValue::try_from(http::methods(path.as_str()))
    {
        headers.insert(header::ALLOW, methods);
    }
    request::secure(headers);
    if private {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

fn admit(access: &Arc<Access>, request: &mut Request, now: DateTime<Utc>) -> Result<Need, Problem> {
    // Without a matched path it is the fallback's, which has nothing to protect.
    let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(Need::Public) };
    let need = http::need(request.method(), path.as_str())?;
    let headers = request.headers();
    let peer = peer(request);
    match need {
        Need::Public => refuse_foreign_pages(request.method(), request.headers())?,
        Need::Camera => {
            let sender = camera(access, peer, headers, now)?;
            refuse_foreign_pages(request.method(), request.headers())?;
            request.extensions_mut().insert(sender);
        }
        Need::Role(role) => {
            let (credential, caller) = identify(access, peer, headers, now)?;
            refuse_foreign_pages(request.method(), request.headers())?;
            if caller.role < role {
                return Err(too_little(&caller, role));
            }
            access.note_use(credential, now);
            let pass = Pass { access: Arc::clone(access), credential };
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(pass);
        }
    }
    Ok(need)
}

/// Where the connection came from. Our server always says; if it did not, it would be nowhere near.
fn peer(request: &Request) -> SocketAddr {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(nowhere, |ConnectInfo(peer)| *peer)
}

fn camera(access: &Access, peer: SocketAddr, headers: &HeaderMap, now: DateTime<Utc>) -> Result<Sender, Problem> {
    let text = match bearer(headers) {
        Some(token) if access.is_camera(token, now) => return Ok(Sender(token_hash(token))),
        // A camera that was given a token says it whether it must or not.
        _ if !access.has_cameras() && is_local(peer, headers) => return Ok(Sender::default()),
        Some(_) => "this is no valid camera token; `smartpick-edge cameras add NAME` on the box makes one",
        None => {
            "send `Authorization: Bearer TOKEN` with a camera's token; `smartpick-edge cameras add NAME` on the box \
             makes one"
        }
    };
    Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text))
}

/// Who asks for what not everybody may see.
fn identify(
    access: &Access,
    peer: SocketAddr,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<(Credential, Caller), Problem> {
    let who = |credential| access.caller(credential, now).map(|caller| (credential, caller));
    if let Some(token) = bearer(headers) {
        return who(Credential::Kiosk(token_hash(token))).ok_or_else(|| {
            if access.is_camera(token, now) {
                let text =
                    "a camera's token only sends events; sign in, or use a token of `smartpick-edge kiosk add NAME`";
                return Problem::new(StatusCode::FORBIDDEN, "camera_token", text);
            }
            let text = "this is no valid token; `smartpick-edge kiosk add NAME` on the box makes one that may look";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
        });
    }
    if let Some(found) = session_cookie(headers).and_then(|hash| who(Credential::Session(hash))) {
        return Ok(found);
    }
    if is_local(peer, headers)
        && let Some(found) = who(Credential::Local)
    {
        return Ok(found);
    }
    Err(sign_in_first(access))
}

/// 401, with what to do about it.
pub fn sign_in_first(access: &Access) -> Problem {
    if access.image().has_users() {
        let text = "sign in on the page, or send `Authorization: Bearer TOKEN` with a kiosk's token";
        return Problem::new(StatusCode::UNAUTHORIZED, "sign_in", text);
    }
    let text = "this box has no accounts yet, so only who works on the box itself is let in; \
                run `smartpick-edge users add NAME --role admin` on it";
    Problem::new(StatusCode::UNAUTHORIZED, "no_accounts", text)
}

fn too_little(caller: &Caller, role: Role) -> Problem {
    let (name, has, needs) = (&caller.name, caller.role.as_str(), role.as_str());
    let text = match caller.kind {
        CallerKind::Kiosk => format!("this screen may only look; sign in with an account of role {needs}"),
        _ => format!(
            "this needs the role {needs}, and {name} is {has}; `smartpick-edge users role {name} {needs}` on the box changes it"
        ),
    };
    Problem::new(StatusCode::FORBIDDEN, "role", text)
}
