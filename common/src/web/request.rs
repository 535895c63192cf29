//! What a request shows for itself, and what every answer has around it. Pure.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::origin::{self, Page};
use super::throttle::Address;
use crate::credentials::{TokenHash, token_hash};
use crate::problem::Problem;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Set by our own server on each request that came in by TLS, and taken off all others. Not one of a proxy's, for then
/// whoever works on the box itself would look like a stranger behind one.
pub(crate) const BY_TLS: HeaderName = HeaderName::from_static("smartpick-by-tls");

/// Set on every answer that has none of its own.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    // A page says more in its own.
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The token of an `Authorization: Bearer …` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session that the request's cookie of this name is of, whether there is such a one or not.
pub fn session_cookie(headers: &HeaderMap, name: &str) -> Option<TokenHash> {
    CookieJar::from_headers(headers).get(name).map(|cookie| token_hash(cookie.value()))
}

/// A `Set-Cookie` that no script can read and that is never sent along with other sites' requests.
pub fn set_cookie(name: &'static str, value: &str, age: Duration, secure: bool) -> String {
    let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    Cookie::build((name, value.to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .build()
        .to_string()
        + &format!("; Max-Age={age}")
}

/// Refuses what a browser sends for a page that is not ours, with our cookie or because of where the browser is.
///
/// # Errors
/// 403 with what to do instead.
pub fn refuse_foreign_pages(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    // A token in a header comes from a program that knows it, never from a browser by itself.
    if bearer(headers).is_some() {
        return Ok(());
    }
    // A WebSocket begins with a GET, and browsers let any page open one.
    let harmless = matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(header::UPGRADE);
    let page = origin::page(headers);
    if harmless || page == Page::Ours || (page == Page::Unsaid && !headers.contains_key(header::COOKIE)) {
        return Ok(());
    }
    let text = "this request does not come from a page that was served here; open this address's own page, \
                or send `Authorization: Bearer TOKEN` from a program";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", text))
}

/// Adds what is missing of the headers that keep browsers to our rules.
pub fn secure(headers: &mut HeaderMap) {
    for (name, value) in &SECURITY_HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
}

/// Who is counted for a guess. A proxy on this machine is believed about the last address it wrote down; if it passes on
/// what it was told, only the count of the account is left.
pub fn client(peer: SocketAddr, headers: &HeaderMap) -> Address {
    let forwarded = || -> Option<IpAddr> {
        headers.get_all(X_FORWARDED_FOR).iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let ip = peer.ip().to_canonical();
    let proxied = if ip.is_loopback() { forwarded() } else { None };
    proxied.unwrap_or(ip).into()
}

/// Whether the browser speaks https, to us or to a proxy before us. Believing a liar is harmless: his own browser then keeps
/// the cookie from plain http, and he cannot set these headers on anybody else's request.
pub fn is_https(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    headers.contains_key(BY_TLS)
        || text(header::ORIGIN.as_str()).starts_with("https://")
        || text(X_FORWARDED_PROTO).eq_ignore_ascii_case("https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_this_machine_is_believed_about_its_client_and_nobody_else() {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(X_FORWARDED_FOR),
            HeaderValue::from_static("198.51.100.1, 192.0.2.7"),
        )]);
        let address = |text: &str| Address::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(client(([127, 0, 0, 1], 9).into(), &headers), address("192.0.2.7"));
        assert_eq!(client(([203, 0, 113, 5], 9).into(), &headers), address("203.0.113.5"));
        assert_eq!(client(([127, 0, 0, 1], 9).into(), &HeaderMap::new()), address("127.0.0.1"));
    }

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_and_of_other_sites() {
        let cookie = set_cookie("name", "secret", Duration::from_secs(60), true);
        for part in ["name=secret", "HttpOnly", "SameSite=Strict", "Secure", "Path=/", "Max-Age=60"] {
            assert!(cookie.contains(part), "{part} is not in {cookie}");
        }
        assert!(!set_cookie("name", "secret", Duration::from_secs(60), false).contains("Secure"));
    }
}
