//! Every route of the edge, and what all handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Extension, Router};
use chrono::{DateTime, Utc};
use common::health::Health;
use common::ids::{EdgeId, WarehouseId};
use common::problem::Problem;
use prometheus_client::registry::Registry;
use subtle::ConstantTimeEq as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use crate::buffer::Buffer;
use crate::cameras::Cameras;
use crate::forward::{InFlight, LinkState};
use crate::health::{self, Findings};
use crate::intake::{self, BODY_BYTES_MAX};
use crate::metrics::Metrics;
use crate::page;
use crate::streams;

/// Room for bodies is given out in pieces of this.
const ROOM_UNIT: usize = 1024;
/// No clock offset is known yet.
const NO_OFFSET: i64 = i64::MIN;

/// What handlers and stages share.
pub struct State {
    // Who we are.
    pub edge_id: Option<EdgeId>,
    pub warehouse_id: Option<WarehouseId>,
    pub started_at: DateTime<Utc>,
    /// Our name towards Redis.
    pub consumer: String,

    // What we work with.
    pub buffer: Buffer,
    pub metrics: Arc<Metrics>,
    pub registry: Registry,
    pub cameras: Cameras,
    pub link: LinkState,
    pub in_flight: InFlight,

    // Configuration.
    pub camera_token: Option<String>,
    pub event_age_max: Duration,
    pub has_central: bool,
    pub stream_name: String,
    pub stream_max_length: u64,
    pub consumer_group: String,

    /// Memory for bodies, in units of [`ROOM_UNIT`].
    pub room: Semaphore,
    pub clock_offset_ms: AtomicI64,
}

impl State {
    /// Room for `bytes_max` of bodies, at least one.
    pub fn room(bytes_max: u64) -> Semaphore {
        Semaphore::new(
            (usize::try_from(bytes_max).unwrap_or(usize::MAX).max(BODY_BYTES_MAX) / ROOM_UNIT)
                .min(Semaphore::MAX_PERMITS),
        )
    }

    pub const fn no_clock_offset() -> AtomicI64 {
        AtomicI64::new(NO_OFFSET)
    }

    pub fn set_clock_offset_ms(&self, offset: i64) {
        self.clock_offset_ms.store(offset, Ordering::Relaxed);
    }

    fn clock_offset(&self) -> Option<i64> {
        Some(self.clock_offset_ms.load(Ordering::Relaxed)).filter(|offset| *offset != NO_OFFSET)
    }

    /// Whether a camera may send.
    ///
    /// # Errors
    /// 401 if a token is configured and this is not it.
    pub fn authorize_camera(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.camera_token else { return Ok(()) };
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .unwrap_or_default();
        if bool::from(sent.as_bytes().ct_eq(token.as_bytes())) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "send `Authorization: Bearer TOKEN` with this edge's camera_token",
        ))
    }

    /// Reserves memory for a body of this many bytes, or of the most if that is not said.
    ///
    /// # Errors
    /// 503 if others have it all.
    pub fn room_for_body(&self, bytes: Option<usize>) -> Result<SemaphorePermit<'_>, Problem> {
        let units = bytes.unwrap_or(BODY_BYTES_MAX).div_ceil(ROOM_UNIT);
        self.room
            .try_acquire_many(u32::try_from(units).unwrap_or(u32::MAX))
            .map_err(|_| Problem::unavailable("busy", "too many large requests at once; try again in a moment", 1))
    }

    /// How the edge is.
    pub fn health(&self, now: DateTime<Utc>) -> Health {
        health::judge(&Findings {
            now,
            started_at: self.started_at,
            live: self.buffer.live_state(),
            contents: self.buffer.contents(),
            probe: self.buffer.last_probe(),
            salvaged: self.buffer.salvaged().map(str::to_owned),
            vanished: self.buffer.vanished(),
            link: self.has_central.then(|| self.link.get()),
            pending: self.in_flight.counts().1,
            error_rate: self.metrics.error_rate(Instant::now()),
            clock_offset_ms: self.clock_offset(),
            dead_letters: self.buffer.last_probe().spill.dead_letters,
        })
    }
}

/// The route table.
pub fn router(state: Arc<State>) -> Router {
    let random: fn() -> Uuid = Uuid::new_v4;
    Router::new()
        .route("/ingestion/ergonomics", post(intake::ingest))
        .route("/ingestion/ergonomics/test", post(intake::test))
        .route("/streams/health", get(streams::health))
        .route("/streams/stats", get(streams::stats))
        .route("/api/v1/dead-letters", get(streams::dead_letters))
        .route("/metrics", get(streams::metrics))
        .route("/livez", get(streams::livez))
        .route("/readyz", get(streams::readyz))
        .merge(page::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(random))
        .with_state(state)
}

async fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "no such path; cameras POST to /ingestion/ergonomics, the state is at /streams/health",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path exists, but not with this method")
}
