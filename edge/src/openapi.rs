//! The edge's OpenAPI document. To add a handler: `#[utoipa::path(…)]` above it, and its name into `paths(…)` below. What
//! else the document says is worked out from the route table and from what the handlers say; see [`common::openapi`].

use std::sync::LazyLock;

use axum::http::Method;
use axum::response::Response;
use common::openapi::{Guarded, complete};
use common::web::docs;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::access::{COOKIE, Need};
use crate::http::{ROUTES, Route};
use crate::{access, alerts, intake, live, shift, site, streams, tls};

const CAMERA: &str = "camera";
const KIOSK: &str = "kiosk";
const SESSION: &str = "session";

/// What handlers say.
#[derive(OpenApi)]
#[openapi(
    // Those that only parameters have: nothing else brings them here.
    components(schemas(common::alert::StateFilter, shift::api::Which)),
    info(
        title = "SmartPick edge",
        description = "The box in the warehouse: where cameras send their events, and what screens on the floor ask.\n\n\
                       Where there are no accounts and no cameras' tokens, requests from the box itself need none.\n\n\
                       Times are RFC 3339 in UTC. Every error is a `Problem` with a stable `code`; of a 5xx, and of 429, a \
                       later try may succeed."
    ),
    paths(
        document,
        intake::ingest,
        intake::test,
        streams::health,
        streams::stats,
        streams::dead_letters,
        streams::metrics,
        streams::livez,
        streams::readyz,
        alerts::api::list,
        alerts::api::detail,
        alerts::api::acknowledge,
        alerts::api::silences,
        alerts::api::silence,
        alerts::api::end_silence,
        shift::api::show,
        shift::api::csv,
        site::show,
        live::ws::live,
        access::api::session,
        access::api::sign_in,
        access::api::sign_out,
        tls::certificate,
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
    components.add_security_scheme(CAMERA, bearer("A camera's token, of `smartpick-edge cameras add`."));
    components.add_security_scheme(KIOSK, bearer("A screen's token, of `smartpick-edge kiosk add`; it may only look."));
    let cookie = ApiKeyValue::with_description(COOKIE, "The session of a person who signed in at `/api/v1/session`.");
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    complete(&mut doc, ROUTES.iter().map(guarded));
    doc
}

/// What [`crate::access::guard`] asks and answers before a route's handler runs.
fn guarded(route: &Route) -> Guarded<'_> {
    const FOREIGN: (u16, &str) = (403, "`foreign_origin`: the request does not come from a page that was served here.");
    const UNKNOWN: (u16, &str) = (
        401,
        "`unauthorized`: the token is not valid, or there is none; the message says how to get one. `sign_in`: nobody is \
         signed in. `no_accounts`: there are no accounts yet, and the request does not come from the box itself.",
    );
    const NO_CAMERA: (u16, &str) =
        (401, "`unauthorized`: the token is not valid, or there is none; the message says how to get one.");
    const ROLE: (u16, &str) =
        (403, "`role`: the caller's role may not do this. `camera_token`: a camera's token only sends events.");
    let changes = route.method != Method::GET;
    let (schemes, mut refusals) = match route.need {
        Need::Public => (Vec::new(), Vec::new()),
        Need::Camera => (vec![(CAMERA, Vec::new())], vec![NO_CAMERA]),
        Need::Role(role) => {
            let role = || vec![role.as_str().to_owned()];
            (vec![(KIOSK, role()), (SESSION, role())], vec![UNKNOWN, ROLE])
        }
    };
    if changes || route.path.starts_with("/ws/") {
        refusals.push(FOREIGN);
    }
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

    #[test]
    fn every_route_is_documented_and_nothing_else_is() {
        let gaps = gaps(&openapi(), ROUTES.iter().map(|route| (&route.method, route.path)));
        assert!(gaps.is_empty(), "{gaps:#?}");
    }

    #[test]
    fn the_committed_document_is_this_one() {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/openapi-edge.json"));
        if let Err(why) = committed(&openapi(), file) {
            panic!("{why}");
        }
    }
}
