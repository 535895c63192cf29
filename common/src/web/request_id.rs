//! A name for each request, so that who got a problem and who reads the log speak of the same one. It is in the header
//! `X-Request-Id` of every answer, in the body of a problem, and beside what is logged of a failure.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: RequestId;
}

/// 64 random bits: two of a day's requests do not share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Of the request that this task is serving; `None` outside one.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(|id| *id).ok()
}

/// Serves a request under a name of its own. What the client calls it is not taken over: it would be in our log.
pub async fn named<T>(serve: impl Future<Output = T>, headers: impl FnOnce(&mut T) -> &mut HeaderMap) -> T {
    let id = RequestId(rand::random());
    let mut answer = CURRENT.scope(id, serve).await;
    let value = HeaderValue::try_from(id.to_string()).expect("hexadecimal digits");
    headers(&mut answer).insert(HEADER, value);
    answer
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::{IntoResponse as _, Response};

    use super::*;
    use crate::problem::Problem;

    #[tokio::test]
    async fn a_problem_names_the_request_as_its_header_does() {
        assert_eq!(current(), None);
        let serve = async { Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing").into_response() };
        let answer = named(serve, Response::headers_mut).await;
        let named = answer.headers()[HEADER].to_str().expect("text").to_owned();
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["request_id"], named);
        assert_eq!(body["type"], "urn:smartpick:problem:not_found");
        assert_eq!((&body["title"], &body["detail"]), (&"Not found".into(), &body["message"]));
    }
}
