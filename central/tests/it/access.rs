//! Who gets in: every route with every kind of caller.

use std::path::{Path, PathBuf};

use central::access::{Need, Role, Scope, Scopes};
use central::http::{ROUTES, Route};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::client::System;
use crate::people::{PASSWORD, People as _, SESSION, problem};

/// What the guard says to those it does not let in.
const SHUT_OUT: &[&str] = &["unauthorized", "sign_in", "no_accounts", "scope", "foreign_origin"];

#[derive(Debug, Clone)]
enum Shown {
    Nothing,
    /// A whole `Authorization` header.
    Header(String),
    Cookie(String),
    /// The same from a page of somebody else's.
    Foreign(String),
}

impl Shown {
    fn bearer(token: &str) -> Self {
        Self::Header(format!("Bearer {token}"))
    }

    fn on(&self, request: RequestBuilder, url: &str) -> RequestBuilder {
        match self {
            Self::Nothing => request,
            Self::Header(header) => request.header("authorization", header),
            Self::Cookie(cookie) => request.header("cookie", cookie).header("origin", url),
            Self::Foreign(cookie) => request.header("cookie", cookie).header("origin", "http://evil.example"),
        }
    }
}

/// Who asks, and what the guard is to know of it.
struct Asking {
    who: String,
    shown: Shown,
    is_edge: bool,
    /// `None`: nobody whom we know.
    scopes: Option<Scopes>,
}

impl Asking {
    fn new(who: &str, shown: Shown, scopes: Option<Scopes>) -> Self {
        Self { who: who.to_owned(), shown, is_edge: false, scopes }
    }

    fn may(&self, need: Need) -> bool {
        match need {
            Need::Public => true,
            Need::Edge => self.is_edge,
            Need::Known => self.scopes.is_some(),
            Need::Scope(scope) => self.scopes.is_some_and(|scopes| scopes.has(scope)),
        }
    }
}

async fn everybody(system: &System) -> Vec<Asking> {
    let revoked = system.token_with("revoked", &Scope::ALL).await;
    let path = "/api/v1/tokens/revoked";
    assert_eq!(system.as_admin(Method::DELETE, path).send().await.expect("an answer").status(), 204);
    let mut all = vec![
        Asking::new("nobody", Shown::Nothing, None),
        Asking::new("a wrong token", Shown::bearer("spt_wrong"), None),
        Asking::new("a revoked token", Shown::bearer(&revoked), None),
        Asking::new("another scheme", Shown::Header("Basic dGVzdDp0ZXN0".to_owned()), None),
        Asking::new("a wrong cookie", Shown::Cookie("smartpick_hq_session=wrong".to_owned()), None),
    ];
    let edge = system.edge().await;
    all.push(Asking { is_edge: true, ..Asking::new("an edge", Shown::bearer(&edge.token), None) });
    for scope in Scope::ALL {
        let token = system.token_with(&format!("only-{scope}"), &[scope]).await;
        let only = Some(Scopes::of(&[scope]));
        all.push(Asking::new(&format!("a token that may only {scope}"), Shown::bearer(&token), only));
    }
    for role in Role::ALL {
        let name = format!("a-{role}");
        system.add_user(&name, role).await;
        let cookie = system.cookie_of(&name).await;
        let scopes = Some(role.scopes());
        all.push(Asking::new(&format!("a {role}"), Shown::Cookie(cookie.clone()), scopes));
        all.push(Asking::new(&format!("a {role} on a foreign page"), Shown::Foreign(cookie), scopes));
    }
    system.add_user("gone", Role::Administrator).await;
    let gone = Shown::Cookie(system.cookie_of("gone").await);
    assert_eq!(system.as_admin(Method::DELETE, "/api/v1/users/gone").send().await.expect("an answer").status(), 204);
    all.push(Asking::new("a removed account", gone, None));
    all
}

fn is_ended_by(route: &Route) -> bool {
    route.path == SESSION && route.method == Method::DELETE
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_exactly_whom_the_table_says() {
    let system = System::start().await;
    let everybody = everybody(&system).await;
    let mut routes: Vec<&Route> = ROUTES.iter().collect();
    // It makes the others' cookies worthless.
    routes.sort_by_key(|route| is_ended_by(route));
    for route in routes {
        let path = route.path.split('/').map(|part| if part.starts_with('{') { "0" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        for asking in &everybody {
            let request = system.http.request(route.method.clone(), format!("{}{path}", system.url));
            let answer = asking.shown.on(request, &system.url).send().await.expect("an answer");
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let said: Value = answer.json().await.unwrap_or_default();
            let code = said["code"].as_str().unwrap_or_default();
            let shut_out = matches!(status, 401 | 403) && SHUT_OUT.contains(&code);
            let foreign = matches!(asking.shown, Shown::Foreign(_)) && route.method != Method::GET;
            let what = format!("{} {} for {}: {status} {said}", route.method, route.path, asking.who);
            // An edge's route takes no cookie at all.
            assert_eq!(!shut_out, asking.may(route.need) && !foreign, "{what}");
            assert!(status < 500, "{what}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{what}");
            if shut_out && route.need != Need::EDGE {
                // Who is nobody is asked to sign in; who is somebody is told that it is not enough.
                assert_eq!(status == 403, asking.scopes.is_some() || foreign, "{what}");
            }
            if route.path.starts_with("/api/") {
                assert_eq!(headers["cache-control"], "no-store", "{what}");
            }
        }
    }
    let needs = [Need::READ, Need::ACT, Need::PEOPLE, Need::ADMIN, Need::KNOWN, Need::EDGE, Need::PUBLIC];
    for need in needs {
        assert!(ROUTES.iter().any(|route| route.need == need), "there was no {need:?} to sweep");
    }
}

/// The guard refuses what is not in the table; this keeps anybody from going around the guard.
#[test]
fn the_router_is_made_from_the_table_alone() {
    fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).expect("a directory of ours") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut serving = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        if file.ends_with("tests.rs") || !text.contains("axum") {
            continue;
        }
        for call in ["route", "route_service", "nest", "nest_service", "merge", "fallback", "fallback_service"] {
            for _ in text.matches(&format!(".{call}(")) {
                serving.push(format!("{} {call}", file.strip_prefix(&src).expect("below it").display()));
            }
        }
    }
    assert_eq!(serving, ["http.rs route", "http.rs fallback"], "a line in ROUTES is how a path is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_cannot_make_a_browser_do_anything() {
    let system = System::start().await;
    system.add_user("anna", Role::Administrator).await;
    let cookie = system.cookie_of("anna").await;
    let out = || system.request(Method::DELETE, SESSION).header("cookie", &cookie);
    let host = system.url.strip_prefix("http://").expect("a URL");
    let sign_in = system.request(Method::POST, SESSION).json(&json!({ "name": "anna", "password": PASSWORD }));
    for request in [
        out(),
        out().header("origin", "http://evil.example"),
        out().header("origin", "null"),
        out().header("origin", format!("http://{host}.evil.example")),
        out().header("origin", &system.url).header("sec-fetch-site", "cross-site"),
        out().header("sec-fetch-site", "same-site"),
        sign_in.header("origin", "http://evil.example"),
    ] {
        let (status, code, _) = problem(request).await;
        assert_eq!((status, code.as_str()), (403, "foreign_origin"));
    }
    let who = system.request(Method::GET, SESSION).header("cookie", &cookie);
    assert_eq!(who.send().await.expect("an answer").status(), 200, "nobody signed her out");
    assert_eq!(out().header("sec-fetch-site", "same-origin").send().await.expect("an answer").status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_it_says_how_to_make_one() {
    let system = System::start().await;
    let sign_in = system.request(Method::POST, SESSION).json(&json!({ "name": "anna", "password": PASSWORD }));
    for request in [system.request(Method::GET, SESSION), sign_in] {
        let (status, code, message) = problem(request).await;
        assert_eq!((status, code.as_str()), (401, "no_accounts"));
        assert!(message.contains("smartpick-central users add NAME --role administrator"), "{message}");
    }
    system.add_user("anna", Role::Viewer).await;
    let (status, code, _) = problem(system.request(Method::GET, SESSION)).await;
    assert_eq!((status, code.as_str()), (401, "sign_in"));
}
