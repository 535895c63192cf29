//! A page embedded in a binary, so that a machine with no network but its own serves it whole.
//!
//! Everything comes from our origin, and the policy below makes the browser hold us to that. Assets carry a hash in their
//! names and are kept for ever; the index is asked for each time, which is how a screen finds a new page after an upgrade.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::Problem;

const INDEX: &str = "index.html";

/// No script or style but our files', nothing from elsewhere, no frame around us.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Names of assets change with their content.
const KEPT_FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The page itself, or `not_built`, a small page that says how to build it.
pub fn index<Files: RustEmbed>(headers: &HeaderMap, not_built: &'static str) -> Response {
    match Files::get(INDEX) {
        Some(file) => serve::<Files>(INDEX, file, "no-cache", headers),
        None => plain(not_built),
    }
}

/// A file that the page names.
pub fn asset<Files: RustEmbed>(name: &str, headers: &HeaderMap) -> Response {
    let path = format!("assets/{name}");
    match Files::get(&path) {
        Some(file) => serve::<Files>(&path, file, KEPT_FOR_EVER, headers),
        None => Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "no such file of the page; it may be of another version: load the page again",
        )
        .into_response(),
    }
}

fn serve<Files: RustEmbed>(path: &str, file: EmbeddedFile, cache: &'static str, request: &HeaderMap) -> Response {
    let tag = etag(&file);
    let known = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().trim_start_matches("W/") == tag);
    let mime = file.metadata.mimetype().to_owned();
    let packed = accepts_gzip(request).then(|| Files::get(&format!("{path}.gz"))).flatten();
    let (body, encoding) = packed.map_or((file.data, None), |packed| (packed.data, Some("gzip")));

    let mut response = match (known, body) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, Cow::Borrowed(bytes)) => bytes.into_response(),
        (false, Cow::Owned(bytes)) => bytes.into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        headers.insert(name, HeaderValue::from_str(value).expect("made of printable ASCII"));
    };
    set(header::CONTENT_TYPE, &if mime.starts_with("text/") { format!("{mime}; charset=utf-8") } else { mime });
    set(header::CACHE_CONTROL, cache);
    set(header::ETAG, &tag);
    set(header::VARY, "accept-encoding");
    if let (false, Some(encoding)) = (known, encoding) {
        set(header::CONTENT_ENCODING, encoding);
    }
    guard(headers);
    response
}

/// Of the content, and for the index of our version too: a screen loads itself anew when this changes.
fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let short = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("\"{short}-{}\"", env!("CARGO_PKG_VERSION"))
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            matches!(name.trim(), "gzip" | "*") && !matches!(weight.trim(), "q=0" | "q=0.0")
        })
    })
}

fn guard(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

fn plain(html: &'static str) -> Response {
    let mut response = axum::response::Html(html).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    guard(response.headers_mut());
    response
}

#[cfg(test)]
mod tests;
