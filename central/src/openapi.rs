//! Central's OpenAPI document. To add a handler: `#[utoipa::path(…)]` above it, and its name into `paths(…)` below. What
//! else the document says is worked out from the route table and from what the handlers say; see [`common::openapi`].

use std::sync::LazyLock;

use axum::response::Response;
use common::openapi::{Guarded, complete};
use common::web::docs;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, ResponseBuilder};

use crate::access::{COOKIE, Need};
use crate::http::{ROUTES, Route};
use crate::{api, enrolment, health, heartbeats, http, live, receive};

const EDGE: &str = "edge";
const TOKEN: &str = "token";
const SESSION: &str = "session";

/// What handlers have said so far.
#[derive(OpenApi)]
#[openapi(
    // Those that only parameters have: nothing else brings them here.
    components(schemas(common::alert::StateFilter, crate::figures::cut::By)),
    info(
        title = "SmartPick central",
        description = "Headquarters: what edges send, what dashboards and machines ask.\n\nTimes are RFC 3339 in UTC. Lists \
                       come page by page: ask again with `cursor` set to the `next` of the page before, until it is null. \
                       Every error is a `Problem` with a stable `code`; of a 5xx, and of 429, a later try may succeed."
    ),
    paths(
        document,
        http::metrics,
        http::livez,
        health::pages::streams_health,
        health::pages::streams_stats,
        health::pages::ready,
        receive::batch,
        heartbeats::heartbeat,
        enrolment::identity,
        enrolment::renew,
        enrolment::enrol,
        enrolment::bring_back,
        api::alerts::list,
        api::alerts::show,
        api::people::of_alert,
        api::alerts::acknowledge,
        api::silences::list,
        api::silences::begin,
        api::silences::end,
        api::dead_letters::list,
        api::dead_letters::show,
        api::dead_letters::replay,
        api::dead_letters::discard,
        api::events::list,
        api::fleet::health,
        api::fleet::stats,
        api::fleet::site,
        api::history::show,
        api::settings::show,
        api::settings::set,
        api::rules::overview,
        api::rules::show,
        api::rules::make,
        api::rules::versions,
        api::rules::check,
        api::ledger::show,
        api::ledger::hours,
        api::completeness::show,
        api::completeness::show_csv,
        live::ws::fleet,
        api::session::show,
        api::session::sign_in,
        api::session::sign_out,
        api::session::change_password,
        api::users::list,
        api::users::add,
        api::users::change,
        api::users::remove,
        api::tokens::list,
        api::tokens::add,
        api::tokens::revoke,
        api::audit::list,
        api::audit::csv,
        api::queries::trend::show,
        api::queries::trend::csv,
        api::queries::heatmap::show,
        api::queries::heatmap::csv,
        api::queries::distribution::show,
        api::queries::compare::show,
        api::queries::ranking::show,
        api::queries::ranking::csv,
    )
)]
struct Said;

/// The document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut doc = Said::openapi();
    doc.info.version = env!("CARGO_PKG_VERSION").to_owned();
    doc.info.license = None;
    let components = doc.components.get_or_insert_default();
    let bearer = |text: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build())
    };
    components.add_security_scheme(
        EDGE,
        bearer(
            "An edge's token, of `smartpick-central edges add`. Edges that were enrolled show a certificate instead.",
        ),
    );
    components
        .add_security_scheme(TOKEN, bearer("A machine's token with its scopes, of `smartpick-central tokens add`."));
    let cookie = ApiKeyValue::with_description(COOKIE, "The session of a person who signed in at `/api/v1/session`.");
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    bodies(&mut doc);
    complete(&mut doc, ROUTES.iter().map(guarded));
    doc
}

/// Who says that a body cannot be read says of a long one that it is too long.
fn bodies(doc: &mut utoipa::openapi::OpenApi) {
    for item in doc.paths.paths.values_mut() {
        for operation in [&mut item.post, &mut item.put, &mut item.patch].into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            let reads =
                matches!(responses.get("400"), Some(RefOr::T(one)) if one.description.contains("`body_invalid`"));
            if reads {
                let text = "`too_large`: the body is larger than the message says.";
                responses.insert("413".to_owned(), ResponseBuilder::new().description(text).build().into());
            }
        }
    }
}

/// What [`crate::access::guard`] asks and answers before a route's handler runs.
fn guarded(route: &Route) -> Guarded<'_> {
    const DOWN: (u16, &str) = (503, "`database_unavailable`: the database cannot be used now; try again.");
    const FOREIGN: (u16, &str) = (403, "`foreign_origin`: the request does not come from a page that was served here.");
    const NO_EDGE: (u16, &str) = (
        401,
        "`unauthorized`: there is neither an edge's certificate nor a valid token of one; the message says how to get \
               one. `certificate_revoked`, `certificate_superseded`, `certificate_expired`, `certificate_unknown`: why an \
               edge's certificate is not taken, with what to do.",
    );
    const UNKNOWN: (u16, &str) = (
        401,
        "`unauthorized`: the token is not valid; the message says how to get one. `sign_in`: nobody is signed in. \
         `no_accounts`: nobody can be yet; the message says how to make an account.",
    );
    let scopes = match route.need {
        Need::Scope(scope) => vec![scope.to_string()],
        _ => Vec::new(),
    };
    let people = || vec![(TOKEN, scopes.clone()), (SESSION, scopes.clone())];
    // Any page may open a WebSocket, so it is asked where it comes from like a change.
    let changes = route.method != axum::http::Method::GET || route.path.starts_with("/ws/");
    let (schemes, refusals) = match route.need {
        Need::Public if changes => (Vec::new(), vec![FOREIGN]),
        Need::Public => (Vec::new(), Vec::new()),
        Need::Edge => (vec![(EDGE, Vec::new())], vec![NO_EDGE, DOWN]),
        Need::Known if !changes => (people(), vec![UNKNOWN, DOWN]),
        Need::Known => (people(), vec![UNKNOWN, DOWN, FOREIGN]),
        Need::Scope(_) => {
            let scope = (403, "`scope`: the caller does not have the scope that this needs.");
            (people(), if changes { vec![UNKNOWN, DOWN, scope, FOREIGN] } else { vec![UNKNOWN, DOWN, scope] })
        }
    };
    Guarded { method: &route.method, path: route.path, schemes, refusals }
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi().to_pretty_json().expect("plain data"));

/// This document.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub async fn document() -> Response {
    docs::document(&DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use common::openapi::{committed, gaps};

    use super::{ROUTES, openapi};

    /// Handlers that are still to be documented. Only ever gets shorter.
    const TO_COME: &[&str] = &[];

    #[test]
    fn every_route_is_documented_and_nothing_else_is() {
        let routes = ROUTES.iter().map(|route| (&route.method, route.path));
        let gaps = gaps(&openapi(), routes);
        let left = |gap: &&String| !TO_COME.iter().any(|route| gap.starts_with(&format!("{route}: ")));
        let told: Vec<&String> = gaps.iter().filter(left).collect();
        assert!(told.is_empty(), "{told:#?}");
        let done: Vec<&&str> =
            TO_COME.iter().filter(|route| !gaps.iter().any(|gap| gap.starts_with(&format!("{route}: ")))).collect();
        assert!(done.is_empty(), "documented; take them off the list: {done:#?}");
    }

    #[test]
    fn the_committed_document_is_this_one() {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/openapi-central.json"));
        if let Err(why) = committed(&openapi(), file) {
            panic!("{why}");
        }
    }
}
