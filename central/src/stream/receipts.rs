//! Telling the instance that waits what became of a frame that another instance's worker has finished; and hearing all that
//! instances tell each other.

use common::ids::{BatchId, EdgeId};
use common::protocol::Receipt;
use futures_util::StreamExt as _;
use redis::{RedisResult, Value};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hints::ALERTS_CHANGED;
use super::{Stream, StreamError};

/// How a frame ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All of it is durable in Postgres.
    Committed(Receipt),
    /// It was lost or damaged on our side; the edge must send it again.
    Lost,
}

/// An outcome and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub edge_id: EdgeId,
    pub batch_id: BatchId,
    pub outcome: Outcome,
}

/// What an instance hears from the others.
#[derive(Debug)]
pub enum Heard {
    /// What became of a frame that this one waits for.
    Report(Report),
    /// Alerts may have changed: an instance said so, or might have while nobody listened here.
    AlertsChanged,
}

fn channel(instance: Uuid) -> String {
    format!("smartpick:receipts:{instance}")
}

impl Stream {
    /// Publishes a report to the instance that waits for it.
    ///
    /// # Errors
    /// If Redis cannot; the edge will ask again.
    pub async fn publish(&self, instance: Uuid, report: &Report) -> Result<(), StreamError> {
        let text = serde_json::to_vec(report).expect("plain fields in memory");
        let mut connection = self.shared().await?;
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel(instance)).arg(text);
        let published: RedisResult<Value> = command.query_async(&mut connection).await;
        self.checked(published).map(drop)
    }

    /// Passes on what other instances tell this one, until told to stop or the connection ends. Reports that are published
    /// while nobody listens are lost; the edges' re-sends make up for that.
    ///
    /// # Errors
    /// If Redis cannot be reached or the connection ends.
    pub async fn listen(
        &self,
        instance: Uuid,
        stop: &CancellationToken,
        mut on: impl FnMut(Heard),
    ) -> Result<(), StreamError> {
        let connecting = tokio::time::timeout(super::CONNECT_TIMEOUT, self.client.get_async_pubsub());
        let timed_out = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection to Redis in time");
        let mut pubsub = connecting.await.map_err(|_| redis::RedisError::from(timed_out()))??;
        pubsub.subscribe(channel(instance)).await?;
        pubsub.subscribe(ALERTS_CHANGED).await?;
        on(Heard::AlertsChanged);
        let mut messages = pubsub.on_message();
        loop {
            let message = tokio::select! {
                // We stop.
                () = stop.cancelled() => return Ok(()),
                // A report, or the end of the connection.
                message = messages.next() => message,
            };
            let Some(message) = message else {
                let ended = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the subscription ended");
                return Err(redis::RedisError::from(ended).into());
            };
            if message.get_channel_name() == ALERTS_CHANGED {
                on(Heard::AlertsChanged);
                continue;
            }
            match serde_json::from_slice(message.get_payload_bytes()) {
                Ok(report) => on(Heard::Report(report)),
                Err(error) => tracing::warn!("Ignored a report that cannot be read: {error}"),
            }
        }
    }
}
