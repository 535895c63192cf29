//! `GET /ws/live`: checks what a screen asks for, and gives it a task of its own.

use std::sync::Arc;

use axum::extract::{Query, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use common::problem::Problem;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use uuid::Uuid;

use super::client::{Client, PACE};
use super::topics::Topics;
use super::upgrade::Upgrade;
use crate::access::Pass;
use crate::http::State;

/// When to try again if all places are taken: screens are not closed often.
const FULL_RETRY_SECS: u64 = 10;
/// A restart takes about as long.
const CLOSING_RETRY_SECS: u64 = 2;

/// What a client asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Wish {
    pub topics: Topics,
    /// Run and seq of the last message it has.
    pub resume: Option<(Uuid, u64)>,
}

impl Wish {
    /// Reads the query.
    ///
    /// # Errors
    /// 400 naming the parameter and what it may be.
    fn of(query: &[(String, String)]) -> Result<Self, Problem> {
        let fail = |text: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", text);
        let (mut topics, mut run, mut after) = (Topics::ALL, None, None);
        for (name, value) in query {
            match name.as_str() {
                "topics" => topics = Topics::parse(value).map_err(fail)?,
                "run" => {
                    let parsed = Uuid::parse_str(value);
                    run = Some(
                        parsed.map_err(|_| fail("run: must be the UUID that the last snapshot named".to_owned()))?,
                    );
                }
                "after" => {
                    let parsed = value.parse::<u64>();
                    after =
                        Some(parsed.map_err(|_| fail("after: must be the number of the last seq seen".to_owned()))?);
                }
                _ => return Err(fail(format!("{name}: unknown; there are topics, run and after"))),
            }
        }
        if run.is_some() != after.is_some() {
            return Err(fail("run and after: give both, or neither for a new snapshot".to_owned()));
        }
        Ok(Self { topics, resume: run.zip(after) })
    }
}

/// `GET /ws/live`: what happens on the floor, while it does, as a WebSocket.
///
/// The first message is `{"type":"snapshot",…}` with the present, then one for each change of a topic: `alert`,
/// `snapshots`, `health`, each with its `seq`. A client that comes back says `run` and `after` of the last message it has
/// and gets what followed (`resumed`), or a new snapshot. One that cannot keep up is told how many changes it `missed`.
///
/// # Errors
/// 400 for a parameter, 426 for plain HTTP, 503 if there are too many clients.
#[utoipa::path(
    get,
    path = "/ws/live",
    params(
        ("topics" = Option<String>, Query, description = "Some of `alerts`, `snapshots`, `health`, separated by commas; all \
            if not given.", example = "alerts,health"),
        ("run" = Option<Uuid>, Query, description = "`run` of the last snapshot; only together with `after`."),
        ("after" = Option<u64>, Query, description = "`seq` of the last message; only together with `run`."),
    ),
    responses(
        (status = 101, description = "It is a WebSocket from here on."),
        (status = 400, description = "`invalid_parameter`: the message says which."),
        (status = 426, description = "`websocket_expected`: the request is no WebSocket handshake (version 13)."),
        (status = 503, description = "`too_many_clients`: all places for screens are taken. `stopping`: the edge is about to \
                                      stop."),
    )
)]
pub async fn live(
    Shared(state): Shared<Arc<State>>,
    query: Result<Query<Vec<(String, String)>>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Query(query) =
        query.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", error.to_string()))?;
    let wish = Wish::of(&query)?;
    let (mut parts, _) = request.into_parts();
    let pass = parts.extensions.remove::<Pass>();
    let upgrade = Upgrade::of(&mut parts)?;
    let hub = Arc::clone(&state.hub);
    if hub.closing().is_cancelled() {
        return Err(Problem::unavailable("stopping", "this edge is about to stop; try again", CLOSING_RETRY_SECS));
    }
    let Some(place) = hub.place() else {
        let text = format!(
            "all {} places for live clients are taken; close a screen or raise live.clients_max",
            hub.clients_max()
        );
        return Err(Problem::unavailable("too_many_clients", text, FULL_RETRY_SECS));
    };
    let answer = upgrade.answer();
    tokio::spawn(async move {
        match upgrade.socket().await {
            Ok(socket) => {
                let over = hub.closing().child_token();
                let client = Client::new(socket, hub, over.clone(), PACE);
                tokio::select! {
                    // One side has ended it.
                    () = client.talk(wish) => {}
                    // Never: has the client told that its account, token or session is gone.
                    () = end_when_revoked(pass, over) => {}
                }
            }
            Err(error) => debug!("A live client went away before it began: {error}"),
        }
        drop(place);
    });
    Ok(answer)
}

async fn end_when_revoked(pass: Option<Pass>, over: CancellationToken) {
    if let Some(pass) = pass {
        pass.revoked().await;
        over.cancel();
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_or_the_parameter_named() {
        let wish = |query: &[(&str, &str)]| {
            let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Wish::of(&query).map_err(|problem| (problem.status.as_u16(), problem.message))
        };
        let run = Uuid::from_u128(7);
        assert_eq!(wish(&[]), Ok(Wish { topics: Topics::ALL, resume: None }));
        assert_eq!(
            wish(&[("run", &run.to_string()), ("after", "12")]),
            Ok(Wish { topics: Topics::ALL, resume: Some((run, 12)) })
        );
        for (query, said) in [
            (&[("topics", "alarms")][..], "topics"),
            (&[("run", "x"), ("after", "1")], "run"),
            (&[("run", "00000000-0000-0000-0000-000000000007"), ("after", "-1")], "after"),
            (&[("after", "1")], "give both"),
            (&[("since", "1")], "since"),
        ] {
            let (status, message) = wish(query).expect_err(said);
            assert_eq!(status, 400);
            assert!(message.contains(said), "{message}");
        }
    }
}
