//! Sends again what is to be sent again, one batch at a time and behind everything that headquarters does not have yet.

use std::sync::Arc;
use std::time::Duration;

use common::backoff::Backoff;
use common::clock;
use common::ids::BatchId;
use common::protocol::Receipt;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Archive, Due};
use crate::buffer::Buffer;
use crate::central_client::{CentralClient, SendError};
use crate::forward::LinkState;
use crate::metrics::Metrics;

/// How often the archive is looked after, and asked whether somebody wants something.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// With more in the buffer than the forwarder has on its way in normal flight, all of the link is the forwarder's.
const BUFFERED_MAX: u64 = 2_000;
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// See the module.
pub struct Resender {
    pub archive: Archive,
    pub buffer: Buffer,
    pub client: CentralClient,
    pub link: LinkState,
    pub metrics: Arc<Metrics>,
}

impl Resender {
    /// Runs until `stop`. What is on its way then is sent again by the next run.
    ///
    /// # Errors
    /// None; the type fits a lifecycle stage.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            // Nothing ends it by itself.
            () = self.work() => {}
            // The row in the archive says how far it got.
            () = stop.cancelled() => {}
        }
        self.archive.close().await;
        Ok(())
    }

    async fn work(&self) {
        let mut looked = None;
        loop {
            if looked.is_none_or(|at: Instant| at.elapsed() >= LOOK_INTERVAL) {
                self.archive.look_after().await;
                looked = Some(Instant::now());
            }
            match self.archive.ask(|store| store.due(clock::now())).await {
                Ok(Some(due)) if self.has_room() => self.send(due).await,
                Ok(_) | Err(_) => tokio::time::sleep(LOOK_INTERVAL).await,
            }
        }
    }

    fn has_room(&self) -> bool {
        let contents = self.buffer.contents();
        contents.live_records + contents.backlog_records <= BUFFERED_MAX
    }

    async fn send(&self, due: Due) {
        let started = Instant::now();
        let receipt = match &due.frame {
            Some(frame) => self.deliver(due.records, frame.clone()).await,
            None => None,
        };
        if let Some(receipt) = &receipt {
            self.metrics.resent(receipt);
        }
        let replay = due.replay;
        let noted = self.archive.ask(move |store| {
            store.resent(&due, receipt.as_ref(), clock::now())?;
            // Ends it, if that was the last.
            let next = store.due(clock::now())?;
            if next.is_none_or(|next| next.replay != replay) {
                let ended = store.replay(replay)?;
                info!(
                    sent = ended.sent,
                    committed = ended.committed,
                    duplicates = ended.duplicates,
                    gone = ended.gone,
                    "What was to be sent again is sent"
                );
            }
            Ok(())
        });
        if noted.await.is_err() {
            // The cursor stands where it was; at this pace the link is not flooded.
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        if self.buffer.contents().live_records > 0 {
            // Half of a slot, beside the forwarder's four.
            tokio::time::sleep(started.elapsed()).await;
        }
    }

    /// Sends until there is a receipt. `None`: central does not take a batch of this size.
    async fn deliver(&self, records: usize, frame: bytes::Bytes) -> Option<Receipt> {
        let id = BatchId::random();
        let mut rng = StdRng::from_os_rng();
        let mut attempt = 0;
        let asked = self.archive.ask_database();
        loop {
            match self.client.send_batch(id, records, frame.clone()).await {
                Ok(receipt) => {
                    self.link.succeeded(clock::now(), true);
                    self.archive.hear(receipt.database.as_ref(), &asked);
                    return Some(receipt);
                }
                Err(SendError::TooLarge) => return None,
                Err(error) => {
                    let retry_after = match &error {
                        SendError::Refused { retry_after, .. } => *retry_after,
                        SendError::Link(_) | SendError::TooLarge => None,
                    };
                    self.link.batch_failed(clock::now(), error);
                    tokio::time::sleep(RETRY.delay(attempt, retry_after, &mut rng)).await;
                    attempt = attempt.saturating_add(1);
                }
            }
        }
    }
}
