//! Errors as an HTTP client sees them: a status, a stable code, a sentence that names the fix.
//!
//! Each binary maps its own errors to a [`Problem`] in one place. The text of a 5xx goes to the log, not to the client.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::web::request_id;

/// RFC 9457.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// With the code behind it, a problem's `type`: a name that never changes, not an address to fetch.
const TYPE_PREFIX: &str = "urn:smartpick:problem:";

/// An error answer, `application/problem+json` (RFC 9457) with a stable `code` added.
#[derive(Debug, Clone)]
pub struct Problem {
    pub status: StatusCode,
    /// Stable, for programs: `snake_case`.
    pub code: &'static str,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// When to try again, for 429 and 503.
    pub retry_after_secs: Option<u64>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_secs: None }
    }

    /// 503: cannot do it now, try again.
    pub fn unavailable(code: &'static str, message: impl Into<String>, retry_after_secs: u64) -> Self {
        Self { retry_after_secs: Some(retry_after_secs), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }
}

/// What went wrong, after RFC 9457.
#[derive(Serialize, ToSchema)]
struct Body<'a> {
    /// `urn:smartpick:problem:` and the code. A name, not an address.
    #[serde(rename = "type")]
    #[schema(example = "urn:smartpick:problem:not_found")]
    kind: String,
    /// The code in words; the same for every problem of this type.
    #[schema(example = "Not found")]
    title: String,
    /// The answer's status again.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// For people: what is wrong this time, and what to do.
    #[schema(example = "there is no such alert")]
    detail: &'a str,
    /// Stable, for programs.
    #[schema(pattern = "^[a-z][a-z0-9_]*$", example = "not_found")]
    code: &'a str,
    /// `detail` again, under the name that it had before.
    #[schema(example = "there is no such alert")]
    message: &'a str,
    /// Of this request, as in the header `X-Request-Id` and in our log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Body::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }
}

/// `wrong_edge` is "Wrong edge".
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get(..1).map(str::to_ascii_uppercase) {
        title.replace_range(..1, &first);
    }
    title
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            kind: format!("{TYPE_PREFIX}{}", self.code),
            title: title(self.code),
            status: self.status.as_u16(),
            detail: &self.message,
            code: self.code,
            message: &self.message,
            request_id: request_id::current().map(|id| id.to_string()),
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}
