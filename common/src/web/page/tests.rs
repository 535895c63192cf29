use super::*;

/// A page with nothing in it.
struct Nothing;

impl RustEmbed for Nothing {
    fn get(_: &str) -> Option<EmbeddedFile> {
        None
    }

    fn iter() -> impl Iterator<Item = Cow<'static, str>> {
        std::iter::empty()
    }
}

fn asked(name: header::HeaderName, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
}

/// A file as it would be embedded.
fn file() -> EmbeddedFile {
    EmbeddedFile {
        data: Cow::Borrowed(b"<p>"),
        metadata: rust_embed::Metadata::__rust_embed_new([7; 32], None, None, "text/html"),
    }
}

#[test]
fn a_known_file_is_not_sent_again() {
    let first = serve::<Nothing>(INDEX, file(), "no-cache", &HeaderMap::new());
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
    assert_eq!(first.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let mut again = HeaderMap::new();
    again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
    assert_eq!(serve::<Nothing>(INDEX, file(), "no-cache", &again).status(), StatusCode::NOT_MODIFIED);
    let other = asked(header::IF_NONE_MATCH, "\"other\"");
    assert_eq!(serve::<Nothing>(INDEX, file(), "no-cache", &other).status(), StatusCode::OK);
}

#[test]
fn every_answer_holds_the_browser_to_our_origin() {
    for response in
        [serve::<Nothing>(INDEX, file(), "no-cache", &HeaderMap::new()), index::<Nothing>(&HeaderMap::new(), "<p>")]
    {
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}

#[test]
fn gzip_is_sent_to_those_who_take_it() {
    for (value, takes) in
        [("gzip, deflate", true), ("br;q=1.0, gzip;q=0.8", true), ("*", true), ("gzip;q=0", false), ("identity", false)]
    {
        assert_eq!(accepts_gzip(&asked(header::ACCEPT_ENCODING, value)), takes, "{value}");
    }
    assert!(!accepts_gzip(&HeaderMap::new()));
}
