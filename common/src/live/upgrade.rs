//! The step from an HTTP request to a WebSocket (RFC 6455, section 4.2). Who may take it, and from which page, was seen
//! to before.
//!
//! Not axum's extractor: that keeps the stream to itself, and a long message could then only be written as one frame,
//! which each connection would buffer whole.

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::problem::Problem;

/// A client has nothing to say but pings and a goodbye, at most 125 bytes each.
const CLIENT_MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Both are held per connection, and with hundreds of them add up.
const READ_BUFFER_BYTES: usize = 1024;
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What must become a WebSocket.
pub struct Upgrade {
    accept: HeaderValue,
    stream: OnUpgrade,
}

impl Upgrade {
    /// Checks the request. `try_instead` is for one that is none.
    ///
    /// # Errors
    /// 426 if it is no WebSocket handshake.
    pub fn of(parts: &mut Parts, try_instead: &str) -> Result<Self, Problem> {
        let is = |name, value: &str| {
            parts
                .headers
                .get_all(name)
                .iter()
                .filter_map(|found| found.to_str().ok())
                .any(|found| found.split(',').any(|part| part.trim().eq_ignore_ascii_case(value)))
        };
        let asked = is(header::CONNECTION, "upgrade")
            && is(header::UPGRADE, "websocket")
            && is(header::SEC_WEBSOCKET_VERSION, "13");
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
        let (true, Some(key), Some(stream)) = (asked, key, parts.extensions.remove::<OnUpgrade>()) else {
            let text = format!("this is a WebSocket (version 13); {try_instead}");
            return Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket_expected", text));
        };
        let accept = HeaderValue::from_str(&key).expect("base64 is plain ASCII");
        Ok(Self { accept, stream })
    }

    /// The answer that makes the client switch.
    pub fn answer(&self) -> Response {
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, self.accept.clone()),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
    }

    /// The WebSocket, once the answer is out.
    ///
    /// # Errors
    /// If the client went away before.
    pub async fn socket(self) -> Result<Socket, hyper::Error> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(CLIENT_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(CLIENT_MESSAGE_BYTES_MAX));
        let stream = TokioIo::new(self.stream.await?);
        Ok(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
    }
}
