//! Lets a screen in: checks what it asks for, and gives it a task of its own.

use std::sync::Arc;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use tracing::debug;
use uuid::Uuid;

use super::client::{Client, PACE};
use super::hub::{Hub, Present};
use super::topics::{Topic, Topics};
use super::upgrade::Upgrade;
use crate::problem::Problem;

/// When to try again if all places are taken: screens are not closed often.
const FULL_RETRY_SECS: u64 = 10;
/// A restart takes about as long.
const CLOSING_RETRY_SECS: u64 = 2;

/// What a client asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Wish<T> {
    pub topics: Topics<T>,
    /// Run and seq of the last message it has.
    pub resume: Option<(Uuid, u64)>,
}

impl<T: Topic> Wish<T> {
    /// Reads the query.
    ///
    /// # Errors
    /// 400 naming the parameter and what it may be.
    fn of(query: &[(String, String)]) -> Result<Self, Problem> {
        let fail = |text: String| Problem::new(StatusCode::BAD_REQUEST, "query_invalid", text);
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

/// Makes a WebSocket of a request that was let in. It is closed when `revoked` ends.
///
/// # Errors
/// 400 for a parameter, 426 for plain HTTP, 503 if there are too many clients.
pub fn open<P: Present>(
    hub: &Arc<Hub<P>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    parts: &mut Parts,
    revoked: impl Future<Output = ()> + Send + 'static,
) -> Result<Response, Problem> {
    let Query(query) =
        query.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "query_invalid", error.to_string()))?;
    let wish = Wish::of(&query)?;
    let upgrade = Upgrade::of(parts, hub.words().try_instead)?;
    if hub.closing().is_cancelled() {
        return Err(Problem::unavailable("stopping", hub.words().stopping, CLOSING_RETRY_SECS));
    }
    let Some(place) = hub.place() else {
        let text = format!(
            "all {} places for live clients are taken; close a screen or raise live.clients_max",
            hub.clients_max()
        );
        return Err(Problem::unavailable("too_many_clients", text, FULL_RETRY_SECS));
    };
    let answer = upgrade.answer();
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        match upgrade.socket().await {
            Ok(socket) => {
                let over = hub.closing().child_token();
                let client = Client::new(socket, hub, over.clone(), PACE);
                let end_when_revoked = async {
                    revoked.await;
                    over.cancel();
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    // One side has ended it.
                    () = client.talk(wish) => {}
                    // Never: has the client told that its account, token or session is gone.
                    () = end_when_revoked => {}
                }
            }
            Err(error) => debug!("A live client went away before it began: {error}"),
        }
        drop(place);
    });
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::super::hub::tests::Subject;
    use super::*;

    #[test]
    fn a_wish_is_read_or_the_parameter_named() {
        let wish = |query: &[(&str, &str)]| {
            let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Wish::<Subject>::of(&query).map_err(|problem| (problem.status.as_u16(), problem.message))
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
