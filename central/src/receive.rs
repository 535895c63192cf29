//! From an edge's POST to its receipt. A 200 says that the batch is committed in Postgres, and nothing else says so:
//! the edge forgets its events on it.
//!
//! The batch is checked from the outside, put into the consolidated stream unopened, and the request waits until a
//! persist worker, here or in another instance, reports it committed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use common::ids::BatchId;
use common::problem::Problem;
use common::protocol::{
    BATCH_RECORDS_MAX, FRAME_BYTES_MAX, HEADER_BATCH_ID, HEADER_CHECKSUM, HEADER_PROTOCOL, HEADER_RECORDS,
    PROTOCOL_VERSION, Receipt, frame_unpacked_bytes,
};
use tokio::time::Instant;

use crate::access::EdgeIdentity;
use crate::frame::Frame;
use crate::http::{ApiError, App};
use crate::inflight::{Appending, Joined, Waiter};
use crate::stream::{FrameState, Outcome};

/// A batch of 1 MiB over a slow link; one that takes longer is sent again by the edge anyway.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// `POST /api/v1/batches`: takes a batch of an edge's records and answers when all of them are in Postgres.
///
/// A 503 says that they are not known to be; the edge sends the same batch again.
///
/// # Errors
/// As a problem with a stable code: 400 and 413 for what can never be taken, 401, and 503 for all that can be sent
/// again.
#[utoipa::path(
    post,
    path = "/api/v1/batches",
    params(
        ("smartpick-protocol" = u16, Header, description = "The protocol that the edge speaks.", example = 2),
        ("smartpick-batch-id" = uuid::Uuid, Header, description = "The same in all tries of a batch."),
        ("smartpick-crc32c" = String, Header, description = "CRC32C of the body, 8 hexadecimal digits.",
            pattern = "^[0-9a-fA-F]{8}$"),
        ("smartpick-records" = u32, Header, description = "How many records the body holds.", minimum = 1, maximum = 500),
    ),
    request_body(
        content = common::openapi::Binary,
        content_type = "application/vnd.smartpick.batch+zstd",
        description = "One zstd frame of a MessagePack array of binary records."
    ),
    responses(
        (status = 200, description = "All of it is committed: as rows, as duplicates of rows, or as dead letters.",
            body = Receipt),
        (status = 400, description = "`header_missing`: the message says which. `header_invalid`: the message says which. \
                                      `protocol_unsupported`: this central speaks another protocol. \
                                      `checksum_mismatch`: the body changed on its way; send it again. \
                                      `body_unreadable`: the body broke off."),
        (status = 408, description = "`body_too_slow`: the body did not arrive in time; send it again."),
        (status = 413, description = "`too_large`: a batch is at most as large as the message says."),
        (status = 503, description = "`stream_unavailable`: Redis cannot be used now; send it again. \
                                      `batch_lost`: it was lost before it was stored; send it again. \
                                      `not_stored_in_time`: it is not stored yet; send it again. \
                                      `busy`: more batches wait than can be stored in time; send it later."),
    )
)]
pub async fn batch(
    State(app): State<Arc<App>>,
    Extension(edge): Extension<EdgeIdentity>,
    request: Request,
) -> Result<Json<Receipt>, ApiError> {
    let head = Head::read(request.headers())?;
    let body = body(request).await?;
    head.check(&body)?;
    app.metrics.batches_received.inc();
    let frame = Frame {
        batch_id: head.batch_id,
        edge_id: edge.edge_id,
        warehouse_id: edge.warehouse_id,
        reply_to: app.instance,
        records: head.records,
        crc32c: head.crc32c,
        body,
    };
    let started = Instant::now();
    let receipt = tokio::time::timeout(app.receive.timeout(), receipt(&app, &frame)).await;
    let receipt = receipt.map_err(|_| ApiError::Late(frame.batch_id)).and_then(std::convert::identity);
    match &receipt {
        Ok(_) => app.metrics.receipt_seconds.observe(started.elapsed().as_secs_f64()),
        Err(_) => drop(app.metrics.batches_refused.inc()),
    }
    receipt.map(Json)
}

/// What the headers say.
struct Head {
    batch_id: BatchId,
    crc32c: u32,
    records: u32,
}

impl Head {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let bad = |code, message: String| Problem::new(StatusCode::BAD_REQUEST, code, message);
        let text = |name: &str| {
            let value = headers.get(name).and_then(|v| v.to_str().ok());
            value.ok_or_else(|| bad("header_missing", format!("header {name} is missing or not text")))
        };
        let protocol = text(HEADER_PROTOCOL)?;
        if protocol.parse() != Ok(PROTOCOL_VERSION) {
            let message = format!("protocol {protocol} is not supported; this central speaks {PROTOCOL_VERSION}");
            return Err(bad("protocol_unsupported", message));
        }
        let invalid = |name: &str, wants: &str| bad("header_invalid", format!("header {name} is not {wants}"));
        let batch_id = text(HEADER_BATCH_ID)?.parse().map_err(|_| invalid(HEADER_BATCH_ID, "a UUID"))?;
        let crc32c = u32::from_str_radix(text(HEADER_CHECKSUM)?, 16)
            .map_err(|_| invalid(HEADER_CHECKSUM, "8 hexadecimal digits"))?;
        let records: u32 = text(HEADER_RECORDS)?.parse().map_err(|_| invalid(HEADER_RECORDS, "a number"))?;
        if records == 0 || records as usize > BATCH_RECORDS_MAX {
            return Err(invalid(HEADER_RECORDS, &format!("1 to {BATCH_RECORDS_MAX}")));
        }
        Ok(Self { batch_id, crc32c, records })
    }

    /// Checks the body without opening it.
    fn check(&self, body: &[u8]) -> Result<(), Problem> {
        let actual = crc32c::crc32c(body);
        if actual != self.crc32c {
            let message = format!("the body's CRC32C is {actual:08x}, not {:08x}; send it again", self.crc32c);
            return Err(Problem::new(StatusCode::BAD_REQUEST, "checksum_mismatch", message));
        }
        // A head that cannot be read at all is the persist worker's to judge: its bytes are to be kept.
        match frame_unpacked_bytes(body) {
            Err(error @ common::protocol::FrameError::Size(_)) => {
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", error.to_string()))
            }
            _ => Ok(()),
        }
    }
}

async fn body(request: Request) -> Result<Bytes, Problem> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &()));
    match body.await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(BytesRejection::FailedToBufferBody(e))) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("a batch has at most {FRAME_BYTES_MAX} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message))
        }
        Ok(Err(error)) => Err(Problem::new(StatusCode::BAD_REQUEST, "body_unreadable", error.body_text())),
        Err(_) => {
            let message = format!("the body did not arrive within {BODY_TIMEOUT:?}; send it again");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message))
        }
    }
}

/// Waits for the frame's receipt, sending it on its way if no copy of it is.
async fn receipt(app: &App, frame: &Frame) -> Result<Receipt, ApiError> {
    let key = (frame.edge_id, frame.batch_id);
    loop {
        let waiter = match app.inflight.join(key, frame.body.len() as u64, app.observed.queue(), Instant::now()) {
            Joined::First(appending) => append(app, frame, appending).await?,
            Joined::Waiting(waiter) => waiter,
            Joined::Stale(waiter, partition, id) => match app.stream.frame_state(partition, &id).await? {
                FrameState::Waiting => waiter,
                FrameState::Gone => {
                    app.inflight.forget(&key);
                    continue;
                }
            },
            Joined::Refused => return Err(ApiError::Busy),
        };
        return outcome(waiter, frame.batch_id).await;
    }
}

async fn append(app: &App, frame: &Frame, appending: Appending<'_>) -> Result<Waiter, ApiError> {
    let partition = app.stream.partition(frame.warehouse_id);
    // If it fails, or our client goes away meanwhile, `appending` frees the batch's place.
    let id = app.stream.append(partition, frame).await?;
    Ok(appending.sent(partition, id))
}

async fn outcome(mut waiter: Waiter, batch: BatchId) -> Result<Receipt, ApiError> {
    // The sender goes only after it has told.
    let outcome = waiter.wait_for(Option::is_some).await.map_err(|_| ApiError::Lost(batch))?.clone();
    match outcome {
        Some(Outcome::Committed(receipt)) => Ok(receipt),
        Some(Outcome::Lost) | None => Err(ApiError::Lost(batch)),
    }
}
