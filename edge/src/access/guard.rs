//! What every request passes before its handler: is the route in the table, who asks, has it the role, and is it a
//! page of ours that asks. A path that is not in the table is refused even if somebody gave the router a handler.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State as Shared};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use common::problem::Problem;

use super::origin::{self, Page};
use super::{Access, Caller, Need, bearer};
use crate::http::{self, State};

/// Set on every answer that has none of its own.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    // The page says more in its own.
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The middleware around the whole router.
pub async fn guard(Shared(state): Shared<Arc<State>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let (mut response, private) = match admit(&state, &mut request) {
        Ok(need) => (next.run(request).await, need != Need::Public),
        Err(problem) => (problem.into_response(), true),
    };
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(path) = path.filter(|_| status == StatusCode::METHOD_NOT_ALLOWED)
        && let Ok(methods) = HeaderValue::try_from(http::methods(path.as_str()))
    {
        headers.insert(header::ALLOW, methods);
    }
    for (name, value) in &SECURITY_HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if private {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

fn admit(state: &State, request: &mut Request) -> Result<Need, Problem> {
    // Without a matched path it is the fallback's, which has nothing to protect.
    let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(Need::Public) };
    let need = http::need(request.method(), path.as_str())?;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let access = &state.access;
    let headers = request.headers();
    let caller = match need {
        Need::Public => None,
        Need::Camera => {
            camera(access, peer, headers)?;
            None
        }
        Need::Role(role) => {
            let caller = open(peer, headers)?;
            if caller.role < role {
                return Err(Problem::new(StatusCode::FORBIDDEN, "role", "this account may not do that"));
            }
            Some(caller)
        }
    };
    refuse_foreign_pages(request)?;
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    Ok(need)
}

/// A request that a browser sends for a page that is not ours, with our cookie or because the browser is on the box.
fn refuse_foreign_pages(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    // A token in a header comes from a program that knows it, never from a browser by itself.
    if bearer(headers).is_some() {
        return Ok(());
    }
    // A WebSocket begins with a GET, and browsers let any page open one.
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD) && !headers.contains_key(header::UPGRADE);
    let page = origin::page(headers);
    if harmless || page == Page::Ours || (page == Page::Unsaid && !headers.contains_key(header::COOKIE)) {
        return Ok(());
    }
    let text = "this request does not come from a page of this box; open the box's own page, \
                or send `Authorization: Bearer TOKEN` from a program";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", text))
}

fn camera(access: &Access, peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<(), Problem> {
    if bearer(headers).is_some_and(|token| access.is_camera(token))
        || (!access.has_cameras() && is_local(peer, headers))
    {
        return Ok(());
    }
    let text = "send `Authorization: Bearer TOKEN` with a camera's token; `smartpick-edge cameras add NAME` on the box makes one";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text))
}

fn open(peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<Caller, Problem> {
    if is_local(peer, headers) {
        return Ok(Caller::open());
    }
    let text = "this box has no accounts yet, so only who works on the box itself is let in; \
                run `smartpick-edge users add NAME --role admin` on it";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "no_accounts", text))
}

/// Whether it certainly came from this machine: not through a proxy, and not from a browser that was told that a
/// stranger's name is 127.0.0.1.
fn is_local(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && origin::host_is_loopback(headers)
        && !origin::is_forwarded(headers)
}
