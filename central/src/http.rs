//! All routes in one place, the state that handlers share, and how errors look to a client.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use common::ids::BatchId;
use common::problem::Problem;
use common::protocol::{BATCHES_PATH, FRAME_BYTES_MAX, HEARTBEATS_PATH};
use tracing::warn;
use uuid::Uuid;

use crate::api;
use crate::auth::Auth;
use crate::config::Receive;
use crate::fleet::Memory;
use crate::health::Observed;
use crate::inflight::Inflight;
use crate::metrics::Metrics;
use crate::store::{Db, StoreError};
use crate::stream::{Stream, StreamError};
use crate::{health, heartbeats, receive};

/// A heartbeat with a thousand ranges and hundreds of cameras is about 100 KiB.
const HEARTBEAT_BYTES_MAX: usize = 1024 * 1024;

/// What every handler may use.
pub struct App {
    pub db: Arc<Db>,
    pub stream: Arc<Stream>,
    pub auth: Auth,
    pub inflight: Arc<Inflight>,
    pub observed: Observed,
    pub metrics: Arc<Metrics>,
    pub receive: Receive,
    /// This process among its peers.
    pub instance: Uuid,
    pub fleet: Memory,
}

pub fn router(app: Arc<App>) -> Router {
    Router::new()
        // From edges.
        .route(BATCHES_PATH, post(receive::batch).layer(DefaultBodyLimit::max(FRAME_BYTES_MAX)))
        .route(HEARTBEATS_PATH, post(heartbeats::heartbeat).layer(DefaultBodyLimit::max(HEARTBEAT_BYTES_MAX)))
        // For dashboards and tools.
        .route("/api/v1/fleet/health", get(api::fleet::health))
        .route("/api/v1/fleet/stats", get(api::fleet::stats))
        .route("/api/v1/sites/{id}", get(api::fleet::site))
        .route("/api/v1/events", get(api::events::list))
        .route("/api/v1/alerts", get(api::alerts::list))
        .route("/api/v1/alerts/{id}", get(api::alerts::show))
        .route("/api/v1/alerts/{id}/acknowledge", post(api::alerts::acknowledge))
        .route("/api/v1/silences", get(api::silences::list).post(api::silences::begin))
        .route("/api/v1/silences/{id}/end", post(api::silences::end))
        .route("/api/v1/dead-letters", get(api::dead_letters::list))
        .route("/api/v1/dead-letters/{id}", get(api::dead_letters::show))
        .route("/api/v1/dead-letters/{id}/replay", post(api::dead_letters::replay))
        .route("/api/v1/dead-letters/{id}/discard", post(api::dead_letters::discard))
        .route("/api/v1/ledger", get(api::ledger::show))
        // For whoever runs it.
        .route("/streams/health", get(health::streams_health))
        .route("/streams/stats", get(health::streams_stats))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let (content_type, text) = app.metrics.render();
    ([(header::CONTENT_TYPE, content_type)], text)
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let message = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// Everything that can go wrong behind a request. The stages know no HTTP; here their errors get a status.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Already as the client shall see it.
    #[error("{}", .0.message)]
    Problem(Problem),
    #[error("use Postgres")]
    Store(#[from] StoreError),
    #[error("use Redis")]
    Stream(#[from] StreamError),
    #[error("batch {0} was lost on its way to Postgres")]
    Lost(BatchId),
    #[error("batch {0} was not stored in time")]
    Late(BatchId),
    #[error("more batches wait than can be stored in time")]
    Busy,
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = match self {
            Self::Problem(problem) => problem,
            Self::Store(cause) => {
                warn!("Request failed: {:#}", anyhow::Error::new(cause));
                Problem::unavailable("database_unavailable", "the database cannot be used now; try again", 2)
            }
            Self::Stream(cause) => {
                warn!("Request failed: {:#}", anyhow::Error::new(cause));
                Problem::unavailable("stream_unavailable", "batches cannot be taken now; send it again", 2)
            }
            Self::Lost(_) => {
                Problem::unavailable("batch_lost", "the batch was lost before it was stored; send it again", 1)
            }
            Self::Late(_) => {
                Problem::unavailable("not_stored_in_time", "the batch is not stored yet; send it again", 2)
            }
            Self::Busy => {
                Problem::unavailable("busy", "more batches wait than can be stored in time; send it later", 5)
            }
        };
        problem.into_response()
    }
}
