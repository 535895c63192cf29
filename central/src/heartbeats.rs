//! What edges say of themselves every few seconds: stored for fleet health, and the other half of the ledger. The answer
//! brings what people at headquarters said of the warehouse's alerts, and the rules they made for it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use common::clock;
use common::ids::EdgeId;
use common::problem::Problem;
use common::protocol::{FACTS_MAX, Heartbeat, HeartbeatAnswer};

use crate::access::EdgeIdentity;
use crate::http::{ApiError, App};
use crate::store::heartbeats::{self, Noted};
use crate::store::site_reports::{self, Due};
use crate::store::{edges, facts};

/// `POST /api/v1/heartbeats`: takes what an edge says of itself; the answer brings what it is to know.
///
/// # Errors
/// 401, 403 if it speaks for another edge, 400 if it cannot be read, 503.
#[utoipa::path(post, path = "/api/v1/heartbeats", request_body = Heartbeat, responses(
    (status = 200, description = "It is noted.", body = HeartbeatAnswer),
    (status = 400, description = "`heartbeat_invalid`: the body cannot be read; the message says where."),
    (status = 403, description = "`wrong_edge`: the token is another edge's than the heartbeat."),
    (status = 413, description = "`too_large`: a heartbeat has at most 1 MiB."),
))]
pub async fn heartbeat(
    State(app): State<Arc<App>>,
    Extension(edge): Extension<EdgeIdentity>,
    request: Request,
) -> Result<Json<HeartbeatAnswer>, ApiError> {
    let mut heartbeat = match Json::<Heartbeat>::from_request(request, &()).await {
        Ok(Json(heartbeat)) => heartbeat,
        Err(rejection) => {
            let problem = unreadable(&rejection);
            // It is alive, and of another version; the fleet's page must not call it silent.
            edges::note_unreadable(&app.db, edge.edge_id, &problem.message).await?;
            app.hints.fleet();
            return Err(problem.into());
        }
    };
    if (heartbeat.edge_id, heartbeat.warehouse_id) != (edge.edge_id, edge.warehouse_id) {
        let message = format!(
            "this token is of edge {} in warehouse {}; the heartbeat is of edge {} in warehouse {}",
            edge.edge_id, edge.warehouse_id, heartbeat.edge_id, heartbeat.warehouse_id
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong_edge", message).into());
    }
    // Kept in its own place, not with each heartbeat.
    let site = heartbeat.site.take();
    let Noted { settled, lacking, database, facts_wait } = heartbeats::keep(&app.db, &heartbeat).await?;
    app.metrics.heartbeats_received.inc();
    app.hints.fleet();
    if let Some((mut site, digest)) = site.zip(heartbeat.site_digest.as_deref()) {
        site.clean();
        site_reports::take(&app.db, edge.edge_id, edge.warehouse_id, digest, &site).await?;
    }
    if let Some(news) = app.cameras.news(&heartbeat) {
        site_reports::seen(&app.db, edge.warehouse_id, &heartbeat.cameras).await?;
        app.cameras.remember(edge.edge_id, news);
    }
    let after = heartbeat.facts_after.unwrap_or(0);
    let (facts, facts_until) = if facts_wait {
        facts::deliver(&app.db, edge.warehouse_id, after, FACTS_MAX).await?
    } else {
        (Vec::new(), after)
    };
    let Due { site_wanted, rules } = site_reports::due(&app.db, &heartbeat).await?;
    Ok(Json(HeartbeatAnswer {
        settled,
        lacking,
        database: Some(database),
        server_time: clock::now(),
        facts,
        facts_until,
        site_wanted,
        rules,
    }))
}

/// Which cameras each edge last told of, as a hash: they are written when that changes, not with every heartbeat. An
/// edge that sends by way of several instances is written once by each.
#[derive(Debug, Default)]
pub struct KnownCameras(Mutex<HashMap<EdgeId, u64>>);

impl KnownCameras {
    /// The hash, if it is another than before.
    fn news(&self, heartbeat: &Heartbeat) -> Option<u64> {
        let mut places: Vec<_> = heartbeat.cameras.iter().map(|camera| (&camera.camera_id, camera.zone_id)).collect();
        places.sort_unstable();
        let mut hasher = DefaultHasher::new();
        places.hash(&mut hasher);
        let hash = hasher.finish();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (known.get(&heartbeat.edge_id) != Some(&hash)).then_some(hash)
    }

    fn remember(&self, edge: EdgeId, hash: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(edge, hash);
    }
}

fn unreadable(rejection: &JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "a heartbeat has at most 1 MiB")
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "heartbeat_invalid", rejection.body_text()),
    }
}
