//! The way from a request to a screen.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use common::live::open;
use common::problem::Problem;

use crate::access::Pass;
use crate::http::App;

/// `GET /ws/fleet`: the fleet while it changes, as a WebSocket.
///
/// The first message is `{"type":"snapshot",…}` with `sites`, open `alerts` and `rates`, then one for each change of a topic,
/// with its `seq`: `site` or `gone` (an id), `alert` or `gone`, `rates`. A client that comes back says `run` and `after` of the
/// last message it has and gets what followed (`resumed`), or a new snapshot. One that cannot keep up is told how many
/// changes it `missed`.
///
/// # Errors
/// 400 for a parameter, 401, 426 for plain HTTP, 503 if there are too many clients.
#[utoipa::path(
    get,
    path = "/ws/fleet",
    params(
        ("topics" = Option<String>, Query, description = "Some of `sites`, `alerts`, `rates`, separated by commas; all if not \
            given.", example = "sites,alerts"),
        ("run" = Option<Uuid>, Query, description = "`run` of the last snapshot; only together with `after`."),
        ("after" = Option<u64>, Query, description = "`seq` of the last message; only together with `run`."),
    ),
    responses(
        (status = 101, description = "It is a WebSocket from here on."),
        (status = 400, description = "`query_invalid`: the message says which."),
        (status = 426, description = "`websocket_expected`: the request is no WebSocket handshake (version 13)."),
        (status = 503, description = "`too_many_clients`: all places for screens are taken. `stopping`: headquarters is about \
                                      to stop."),
    )
)]
pub async fn fleet(
    State(app): State<Arc<App>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let pass = parts.extensions.remove::<Pass>();
    let revoked = async move {
        match pass {
            Some(pass) => pass.revoked().await,
            None => std::future::pending().await,
        }
    };
    open(&app.hub, query, &mut parts, revoked)
}
