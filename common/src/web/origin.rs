//! Which page or program sent a request, as far as a browser tells. Pure.
//!
//! Browsers put our cookie, or their place on the box, behind requests of pages that are not ours. What such a page
//! cannot do is lie in `Origin`, `Sec-Fetch-Site` and `Host`: a browser fills them in by itself.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// A proxy puts at least one of these into what it passes on.
const FORWARDING: [HeaderName; 6] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// What a request says of the page it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Served by us.
    Ours,
    /// Somebody else's.
    Foreign,
    /// It says nothing: a program, or a browser's plain navigation.
    Unsaid,
}

/// Where a request comes from.
pub fn page(headers: &HeaderMap) -> Page {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // Behind a proxy that rewrites `Host` only this is right; on plain http in a LAN browsers do not send it.
    if let Some(site) = text(&SEC_FETCH_SITE) {
        // `none`: the person typed the address or opened a bookmark.
        return if site == "same-origin" || site == "none" { Page::Ours } else { Page::Foreign };
    }
    let Some(origin) = text(&header::ORIGIN) else { return Page::Unsaid };
    let authority = origin.split_once("://").map(|(scheme, authority)| (default_port(scheme), authority));
    match (authority, text(&header::HOST)) {
        (Some((port, authority)), Some(host)) if same_host(authority, host, port) => Page::Ours,
        _ => Page::Foreign,
    }
}

fn default_port(scheme: &str) -> &'static str {
    if scheme == "https" { ":443" } else { ":80" }
}

/// Browsers leave the scheme's own port out of both; a proxy may write it in one.
fn same_host(authority: &str, host: &str, port: &str) -> bool {
    let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

/// Whether `Host` is this machine by a name that no stranger's DNS can give itself.
pub fn host_is_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|value| value.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a proxy passed this on, so that its address says nothing about where it came from.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDING.iter().any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), v.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_page_is_ours_if_the_browser_says_so() {
        use Page::{Foreign, Ours, Unsaid};
        for (said, is) in [
            (&[("host", "box:8080")][..], Unsaid),
            (&[("host", "box:8080"), ("origin", "http://box:8080")], Ours),
            (&[("host", "BOX"), ("origin", "http://box:80")], Ours),
            (&[("host", "box:443"), ("origin", "https://box")], Ours),
            (&[("host", "[::1]:8080"), ("origin", "http://[::1]:8080")], Ours),
            (&[("host", "box:8080"), ("origin", "http://box:8081")], Foreign),
            (&[("host", "box:8080"), ("origin", "http://box.evil:8080")], Foreign),
            (&[("host", "box:8080"), ("origin", "http://evil@box:8080")], Foreign),
            (&[("host", "box:8080"), ("origin", "null")], Foreign),
            (&[("host", "box"), ("origin", "://")], Foreign),
            (&[("origin", "http://box:8080")], Foreign),
            (&[("host", "127.0.0.1:1"), ("origin", "https://box"), ("sec-fetch-site", "same-origin")], Ours),
            (&[("host", "box"), ("origin", "http://box"), ("sec-fetch-site", "cross-site")], Foreign),
            (&[("host", "a.box"), ("origin", "http://a.box"), ("sec-fetch-site", "same-site")], Foreign),
        ] {
            assert_eq!(page(&headers(said)), is, "{said:?}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1", "127.8.0.1:80", "[::1]:8080", "[::1]"] {
            let map = HeaderMap::from_iter([(header::HOST, host.parse().expect("a value"))]);
            assert!(host_is_loopback(&map), "{host}");
        }
        for host in
            ["", "box", "127.0.0.1.evil.com", "localhost.evil.com:80", "192.168.0.7", "[fe80::1]", "[", "::1:80"]
        {
            let map = HeaderMap::from_iter([(header::HOST, host.parse().expect("a value"))]);
            assert!(!host_is_loopback(&map), "{host}");
        }
        assert!(!host_is_loopback(&HeaderMap::new()));
    }
}
