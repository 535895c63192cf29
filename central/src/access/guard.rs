//! What every request passes before its handler: is the route in the table, who asks, may the caller do it, and is it a
//! page of ours that asks. A path that is not in the table is refused even if somebody gave the router a handler.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use common::credentials::{TokenHash, token_hash};
use common::problem::Problem;
use common::tls::{ClientCertificate, Fingerprint};
use common::web::request::{bearer, refuse_foreign_pages, secure, session_cookie};
use common::web::request_id;
use tokio::time::MissedTickBehavior;

use super::{Access, COOKIE, Caller, CallerKind, Credential, Need, REMEMBERED_FOR, Scope};
use crate::http::{self, ApiError, App};
use crate::page;
use crate::store::StoreError;
use crate::store::certificates::Standing;

/// Longer ones are not ours, and need no hashing.
const TOKEN_BYTES_MAX: usize = 256;

/// By what a request was let in, for those who serve it for long: an account may be removed meanwhile.
#[derive(Clone)]
pub struct Pass {
    access: Arc<Access>,
    credential: Credential,
    scope: Option<Scope>,
}

impl Pass {
    /// Ends when the caller would no longer be let in. While Postgres cannot say so, the caller stays.
    pub async fn revoked(&self) {
        let mut turn = tokio::time::interval(REMEMBERED_FOR);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            let caller = self.access.caller(self.credential).await;
            if caller.is_ok_and(|caller| caller.is_none_or(|c| self.scope.is_some_and(|scope| !c.may(scope)))) {
                return;
            }
        }
    }
}

/// The middleware around the whole router. What waits for Postgres in it is large, so it is boxed once instead of copied.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    request_id::named(Box::pin(guarded(&app, request, next)), Response::headers_mut).await
}

async fn guarded(app: &App, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let under_api = request.uri().path().starts_with("/api/");
    // Where somebody mistyped an address, the page says so.
    let mistyped = (path.is_none() && !under_api && wants_page(&request)).then(|| request.headers().clone());
    let need =
        without_nul(request.uri()).and_then(|()| http::need(request.method(), path.as_ref().map(MatchedPath::as_str)));
    let admitted = match need {
        Ok(need) => admit(&app.access, need, &mut request).await.map(|()| need),
        Err(problem) => Err(problem.into()),
    };
    let (mut response, private) = match admitted {
        Ok(need) => (next.run(request).await, need != Need::Public || under_api),
        Err(error) => (mistyped.map_or_else(|| error.into_response(), |headers| page::missing(&headers)), true),
    };
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(path) = path.filter(|_| status == StatusCode::METHOD_NOT_ALLOWED)
        && let Ok(methods) = HeaderValue::try_from(http::methods(path.as_str()))
    {
        headers.insert(header::ALLOW, methods);
    }
    secure(headers);
    if private {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// Whether it is a browser that goes somewhere; programs ask for JSON, or for anything.
fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    request.method() == Method::GET && accept.contains("text/html")
}

/// Postgres takes no NUL in a text. Nothing is called so, and nothing can be asked with it.
fn without_nul(uri: &Uri) -> Result<(), Problem> {
    if uri.path().contains("%00") {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"));
    }
    if uri.query().is_some_and(|query| query.contains("%00")) {
        let message = "a parameter has a NUL (%00) in it; leave it out";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "query_invalid", message));
    }
    Ok(())
}

async fn admit(access: &Arc<Access>, need: Need, request: &mut Request) -> Result<(), ApiError> {
    let shown = Shown::of(request.headers());
    let foreign = refuse_foreign_pages(request.method(), request.headers());
    let scope = match need {
        Need::Public => return Ok(foreign?),
        Need::Edge => {
            let certificate = request.extensions().get::<ClientCertificate>().map(|shown| Fingerprint::of(&shown.0));
            let edge = edge(access, shown, certificate).await?;
            request.extensions_mut().insert(edge);
            return Ok(());
        }
        Need::Known => None,
        Need::Scope(scope) => Some(scope),
    };
    let (credential, caller) = identify(access, shown).await?;
    foreign?;
    if let Some(scope) = scope {
        require(&caller, scope)?;
    }
    access.note_use(credential).await;
    let pass = Pass { access: Arc::clone(access), credential, scope };
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(pass);
    Ok(())
}

/// What a request shows for itself.
#[derive(Clone, Copy)]
enum Shown {
    Bearer(TokenHash),
    Cookie(TokenHash),
    Nothing,
    /// An `Authorization` header that is none of ours.
    Unreadable,
}

impl Shown {
    fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(header::AUTHORIZATION) {
            let token = bearer(headers).filter(|token| token.len() <= TOKEN_BYTES_MAX);
            return token.map_or(Self::Unreadable, |token| Self::Bearer(token_hash(token)));
        }
        session_cookie(headers, COOKIE).map_or(Self::Nothing, Self::Cookie)
    }
}

async fn edge(
    access: &Access,
    shown: Shown,
    certificate: Option<Fingerprint>,
) -> Result<super::EdgeIdentity, ApiError> {
    let problem = match shown {
        Shown::Bearer(hash) => match access.edge(&hash).await? {
            Some(edge) => return Ok(edge),
            None => unauthorized("this edge's token is not valid; make one with `edges add`"),
        },
        Shown::Unreadable => unreadable(),
        Shown::Cookie(_) | Shown::Nothing => match certificate {
            Some(certificate) => match access.certificate(certificate).await? {
                Standing::Valid(edge_id, warehouse_id) => return Ok(super::EdgeIdentity { edge_id, warehouse_id }),
                standing => not_taken(standing),
            },
            None => unauthorized("come with an edge's certificate, or send `Authorization: Bearer TOKEN`"),
        },
    };
    Err(problem.into())
}

/// Why a certificate lets nobody in, and what to do: the edge shows it to its people.
pub fn not_taken(standing: Standing) -> Problem {
    let (code, text) = match standing {
        Standing::Revoked(edge) | Standing::Valid(edge, _) => (
            "certificate_revoked",
            format!(
                "headquarters has shut this edge out; to let it in again, run `smartpick-central sites token SITE --edge \
                 {edge}` there and `smartpick-edge enroll TOKEN --replace` on the box"
            ),
        ),
        Standing::Superseded(edge) => (
            "certificate_superseded",
            format!(
                "another box came in as edge {edge} with a newer certificate: one of the two has a copy of the other's \
                 disk; run `smartpick-central sites token SITE` at headquarters and `smartpick-edge enroll TOKEN \
                 --replace` on the one that is the copy"
            ),
        ),
        Standing::Expired(_) => ("certificate_expired", "this edge's certificate has expired".to_owned()),
        Standing::Unknown => (
            "certificate_unknown",
            "this certificate is not in headquarters' database, which may be an older copy of it; run \
             `smartpick-central sites token SITE` there and `smartpick-edge enroll TOKEN --replace` on the box"
                .to_owned(),
        ),
    };
    Problem::new(StatusCode::UNAUTHORIZED, code, text)
}

/// Who asks for what not everybody may see.
async fn identify(access: &Access, shown: Shown) -> Result<(Credential, Caller), ApiError> {
    let credential = match shown {
        Shown::Bearer(hash) => Credential::Token(hash),
        Shown::Cookie(hash) => Credential::Session(hash),
        Shown::Unreadable => return Err(unreadable().into()),
        Shown::Nothing => return Err(sign_in_first(access).await?.into()),
    };
    if let Some(caller) = access.caller(credential).await? {
        return Ok((credential, caller));
    }
    if let Credential::Token(_) = credential {
        return Err(unauthorized("this token is not valid; `smartpick-central tokens add NAME` makes one").into());
    }
    Err(sign_in_first(access).await?.into())
}

fn unreadable() -> Problem {
    unauthorized("the Authorization header is not `Bearer TOKEN`")
}

fn unauthorized(message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

/// 401, with what to do about it.
///
/// # Errors
/// If Postgres cannot say whether there are accounts.
pub async fn sign_in_first(access: &Access) -> Result<Problem, StoreError> {
    let (code, text) = if access.has_users().await? {
        ("sign_in", "sign in on the page, or send `Authorization: Bearer TOKEN`")
    } else {
        let text = "there are no accounts yet; run `smartpick-central users add NAME --role administrator` where the \
                    database can be reached, or send `Authorization: Bearer TOKEN`";
        ("no_accounts", text)
    };
    Ok(Problem::new(StatusCode::UNAUTHORIZED, code, text))
}

/// Whether the caller may.
///
/// # Errors
/// 403 that says what is missing and who can change it.
pub fn require(caller: &Caller, scope: Scope) -> Result<(), Problem> {
    if caller.may(scope) {
        return Ok(());
    }
    let name = &caller.name;
    let text = match (caller.kind, caller.role) {
        (CallerKind::User, Some(role)) => format!(
            "this needs the scope {scope}, which the role {role} of {name} does not have; an administrator can change \
             the role"
        ),
        _ => format!(
            "this needs the scope {scope}, which the token {name} does not have; \
             `smartpick-central tokens add NAME --scope {scope}` makes one that has"
        ),
    };
    Err(Problem::new(StatusCode::FORBIDDEN, "scope", text))
}
