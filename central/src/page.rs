//! Headquarters' page, embedded in the binary: it needs nothing from anywhere else.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use common::web::page;
use rust_embed::RustEmbed;

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><title>SmartPick: the page is not built</title>\
    <h1>Headquarters works, but it was built without its page</h1>\
    <p>Build it with Node 18 or later, then build central again:</p>\
    <pre>make ui\ncargo build --release -p central</pre>\
    <p>Or <code>make build</code>, which does both. How central is: <a href=\"/streams/health\">/streams/health</a>.</p>";

#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Files;

/// The page itself, or how to build it.
pub async fn index(headers: HeaderMap) -> Response {
    page::index::<Files>(&headers, NOT_BUILT)
}

/// The page for an address that it does not have: it has a view that says so, and leads on.
pub fn missing(headers: &HeaderMap) -> Response {
    let mut headers = headers.clone();
    // The answer is not that of the address under which the browser may know these bytes.
    headers.remove(header::IF_NONE_MATCH);
    let mut response = page::index::<Files>(&headers, NOT_BUILT);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// A file that the page names.
pub async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    page::asset::<Files>(&name, &headers)
}
