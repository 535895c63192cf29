//! The documentation page of either binary: Swagger UI, embedded, so that it can be read where there is no network but
//! the binary's own. `/docs` is the page, `/docs/{name}` one of its files, and it reads `/openapi.json`.

use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use utoipa_swagger_ui::Config;

use crate::problem::Problem;

/// Where the document is.
pub const DOCUMENT_PATH: &str = "/openapi.json";

const BUNDLE: &str = "swagger-ui-bundle.js";
const STYLE: &str = "swagger-ui.css";
const ICON: &str = "favicon-32x32.png";
const START: &str = "start.js";
/// Only what the page needs, and only from us: Swagger UI sets styles of its own and draws its icons from `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The page names its files with a hash of what is in them.
const KEPT_FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASKED_EACH_TIME: &str = "no-cache";

/// Starts Swagger UI. `validatorUrl` is off: by default the page would ask a server on the Internet about the document.
const SCRIPT: &str = r##"SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
"##;

/// Of Swagger UI's files, for their addresses: who has them may keep them until there are others.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let hash = |hash, name| crc32c::crc32c_append(hash, &file(name).map_or_else(Bytes::new, |(bytes, _)| bytes));
    format!("{:08x}", [BUNDLE, STYLE, START].into_iter().fold(0, hash))
});

/// `GET /docs`, the page, headed with `title`.
pub fn page(title: &str) -> Response {
    let version = &*VERSION;
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"/docs/{ICON}\">\n\
         <link rel=\"stylesheet\" href=\"/docs/{STYLE}?{version}\">\n\
         <div id=\"docs\"></div>\n<noscript>This page needs JavaScript; the document itself is at \
         <a href=\"{DOCUMENT_PATH}\">{DOCUMENT_PATH}</a>.</noscript>\n\
         <script src=\"/docs/{BUNDLE}?{version}\"></script>\n<script src=\"/docs/{START}?{version}\"></script>\n</html>\n"
    );
    answer(Bytes::from(html), "text/html; charset=utf-8", ASKED_EACH_TIME)
}

/// `GET /docs/{name}`, one of the page's files. They are kept packed and sent so: every browser unpacks them.
pub fn asset(name: &str) -> Response {
    let (Some((bytes, packed)), Some(content_type)) = (file(name), content_type(name)) else {
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "the documentation has no such file").into_response();
    };
    let mut response = answer(bytes, content_type, KEPT_FOR_EVER);
    if packed {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// `GET /openapi.json`, as it was built when it was first asked for.
pub fn document(json: &'static str) -> Response {
    // The bytes live as long as the process; nothing is copied.
    let mut response = answer(Bytes::from_static(json.as_bytes()), "application/json", ASKED_EACH_TIME);
    response.headers_mut().remove(header::CONTENT_SECURITY_POLICY);
    response
}

fn content_type(name: &str) -> Option<&'static str> {
    match name {
        BUNDLE | START => Some("text/javascript; charset=utf-8"),
        STYLE => Some("text/css; charset=utf-8"),
        ICON => Some("image/png"),
        // Swagger UI brings more files than its page needs.
        _ => None,
    }
}

/// A file's bytes, and whether they are packed.
fn file(name: &str) -> Option<(Bytes, bool)> {
    if name == START {
        return Some((Bytes::from_static(SCRIPT.as_bytes()), false));
    }
    let found = utoipa_swagger_ui::serve(name, Arc::new(Config::from(DOCUMENT_PATH))).ok().flatten()?;
    let bytes = match found.bytes {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Some((bytes, found.gzpipped))
}

fn answer(bytes: Bytes, content_type: &'static str, cache: &'static str) -> Response {
    let headers: [(HeaderName, &'static str); 3] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    let headers: HeaderMap = headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_files_that_there_are_and_nothing_elsewhere() {
        for name in [BUNDLE, STYLE, ICON, START] {
            assert_eq!(asset(name).status(), StatusCode::OK, "{name}");
        }
        for name in ["swagger-ui-es-bundle.js", "index.html", "../Cargo.toml", "none.js"] {
            assert_eq!(asset(name).status(), StatusCode::NOT_FOUND, "{name}");
        }
        let page = page("Title");
        assert_eq!(page.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(asset(BUNDLE).headers()[header::CONTENT_ENCODING], "gzip");
    }

    #[test]
    fn the_script_reads_the_document_from_where_it_is() {
        assert!(SCRIPT.contains(&format!("url: {DOCUMENT_PATH:?}")));
    }
}
