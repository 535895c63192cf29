//! Every route of the edge with the role it needs, and what all handlers share.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router, middleware};
use chrono::{DateTime, Utc};
use common::health::Health;
use common::ids::{EdgeId, WarehouseId};
use common::problem::Problem;
use common::reload::Reloaded;
use common::tls::authority::Authority;
use common::web::docs;
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use crate::access::{self, Access, Need};
use crate::alerts::api;
use crate::alerts::entrance::Entrance;
use crate::alerts::facts::Desk;
use crate::alerts::history::History;
use crate::alerts::metrics::AlertMetrics;
use crate::alerts::rules::Current;
use crate::archive::Archive;
use crate::buffer::Buffer;
use crate::cameras::Cameras;
use crate::enrolment::keeper::CertificateState;
use crate::forward::{InFlight, LinkState};
use crate::health::{self, Findings};
use crate::heartbeat::Outlook;
use crate::intake::{self, BODY_BYTES_MAX, Identity, Rates};
use crate::live::{self, Hub};
use crate::metrics::Metrics;
use crate::openapi;
use crate::page;
use crate::shift;
use crate::site::{self, Site};
use crate::streams;
use crate::tls;

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
    /// What headquarters has confirmed.
    pub archive: Archive,
    pub metrics: Arc<Metrics>,
    pub registry: Registry,
    pub access: Arc<Access>,
    pub cameras: Cameras,
    pub link: LinkState,
    pub in_flight: InFlight,
    /// How the certificate is by which we come in at headquarters.
    pub certificate: CertificateState,
    /// The intake's way to the alerts.
    pub entrance: Entrance,
    /// Where people's facts are handed in.
    pub desk: Desk,
    /// What the floor remembers.
    pub history: History,
    pub alert_metrics: AlertMetrics,
    /// The rules in force.
    pub rules: Arc<Current>,
    /// What screens see.
    pub hub: Arc<Hub>,
    /// As of the last heartbeat.
    pub outlook: Mutex<Outlook>,

    // Configuration.
    /// What people call things here. Read again on SIGHUP.
    pub site: RwLock<Arc<Site>>,
    pub reloaded: Reloaded,
    /// How long shift figures are kept.
    pub keep_days: u64,
    pub event_age_max: Duration,
    /// What of a worker's identity is let in.
    pub identity: Identity,
    pub has_central: bool,
    pub stream_name: String,
    pub stream_max_length: u64,
    pub consumer_group: String,

    /// How fast cameras may send.
    pub rates: Rates,
    /// Behind our HTTPS, if it is our own.
    pub authority: Option<Arc<Authority>>,

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

    /// What people call things here.
    pub fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_site(&self, site: Arc<Site>) {
        *self.site.write().unwrap_or_else(PoisonError::into_inner) = site;
    }

    pub fn set_clock_offset_ms(&self, offset: i64) {
        self.clock_offset_ms.store(offset, Ordering::Relaxed);
    }

    fn clock_offset(&self) -> Option<i64> {
        Some(self.clock_offset_ms.load(Ordering::Relaxed)).filter(|offset| *offset != NO_OFFSET)
    }

    /// How long the buffer lasts, as of the last heartbeat.
    pub fn outlook(&self) -> Outlook {
        *self.outlook.lock().unwrap_or_else(PoisonError::into_inner)
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
            unevaluated: self.entrance.trouble(now),
            history: self.history.trouble(),
            rules: self.rules.health(),
            config: self.reloaded.trouble(),
            certificate: self.certificate.trouble(now),
            archive: self.archive.health(),
        })
    }
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

/// One line of the table.
pub struct Route {
    pub method: Method,
    /// As axum reads it, so with `{parameters}`.
    pub path: &'static str,
    pub need: Need,
    handler: fn(MethodFilter) -> MethodRouter<Arc<State>>,
}

const fn route(
    method: Method,
    path: &'static str,
    need: Need,
    handler: fn(MethodFilter) -> MethodRouter<Arc<State>>,
) -> Route {
    Route { method, path, need, handler }
}

/// The route table. What is not in it is not served ([`access::guard`]), and a test sweeps it with every role.
pub const ROUTES: &[Route] = &[
    route(POST, "/ingestion/ergonomics", Need::CAMERA, |m| on(m, intake::ingest)),
    route(POST, "/ingestion/ergonomics/test", Need::CAMERA, |m| on(m, intake::test)),
    route(GET, "/streams/health", Need::PUBLIC, |m| on(m, streams::health)),
    route(GET, "/streams/stats", Need::PUBLIC, |m| on(m, streams::stats)),
    route(GET, "/api/v1/dead-letters", Need::ADMIN, |m| on(m, streams::dead_letters)),
    route(GET, "/api/v1/alerts", Need::VIEWER, |m| on(m, api::list)),
    route(GET, "/api/v1/alerts/{id}", Need::VIEWER, |m| on(m, api::detail)),
    route(POST, "/api/v1/alerts/{id}/acknowledge", Need::SUPERVISOR, |m| on(m, api::acknowledge)),
    route(GET, "/api/v1/silences", Need::VIEWER, |m| on(m, api::silences)),
    route(POST, "/api/v1/silences", Need::SUPERVISOR, |m| on(m, api::silence)),
    route(POST, "/api/v1/silences/{id}/end", Need::SUPERVISOR, |m| on(m, api::end_silence)),
    route(GET, "/api/v1/shift", Need::VIEWER, |m| on(m, shift::api::show)),
    route(GET, "/api/v1/shift.csv", Need::VIEWER, |m| on(m, shift::api::csv)),
    route(GET, "/api/v1/site", Need::VIEWER, |m| on(m, site::show)),
    route(GET, "/ws/live", Need::VIEWER, |m| on(m, live::live)),
    route(GET, "/metrics", Need::PUBLIC, |m| on(m, streams::metrics)),
    route(GET, "/livez", Need::PUBLIC, |m| on(m, streams::livez)),
    route(GET, "/readyz", Need::PUBLIC, |m| on(m, streams::readyz)),
    route(GET, "/api/v1/session", Need::VIEWER, |m| on(m, access::session)),
    route(POST, "/api/v1/session", Need::PUBLIC, |m| on(m, access::sign_in)),
    route(DELETE, "/api/v1/session", Need::PUBLIC, |m| on(m, access::sign_out)),
    // The page shows nothing before somebody has signed in. It reads the path itself.
    route(GET, "/", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/alerts/{id}", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/shift", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/silences", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/assets/{name}", Need::PUBLIC, |m| on(m, page::asset)),
    route(GET, "/ca.crt", Need::PUBLIC, |m| on(m, tls::certificate)),
    route(GET, docs::DOCUMENT_PATH, Need::PUBLIC, |m| on(m, openapi::document)),
    route(GET, "/docs", Need::PUBLIC, |m| on(m, async || docs::page("SmartPick edge: API"))),
    route(GET, "/docs/{name}", Need::PUBLIC, |m| on(m, async |Path(name): Path<String>| docs::asset(&name))),
];

/// What the table asks for a method of a path that the router knows.
///
/// # Errors
/// 405 if the table has the path with other methods only; 404 if it does not have it.
pub fn need(method: &Method, path: &str) -> Result<Need, Problem> {
    // As axum does it: a HEAD is a GET without the body.
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let mut rows = ROUTES.iter().filter(|route| route.path == path).peekable();
    if rows.peek().is_none() {
        return Err(no_such_path());
    }
    rows.find(|route| route.method == *method).map(|route| route.need).ok_or_else(no_such_method)
}

/// For the `Allow` header of a 405.
pub fn methods(path: &str) -> String {
    let methods: Vec<&str> =
        ROUTES.iter().filter(|route| route.path == path).map(|route| route.method.as_str()).collect();
    methods.join(", ")
}

/// The table as a router.
pub fn router(state: Arc<State>) -> Router {
    let random: intake::Random = Uuid::new_v4;
    let mut router = Router::new();
    for Route { method, path, handler, .. } in ROUTES {
        let filter = MethodFilter::try_from(method.clone()).expect("the table's methods are known to axum");
        router = router.route(path, handler(filter));
    }
    router
        .fallback(async || no_such_path())
        .layer(Extension(random))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), access::guard))
        .with_state(state)
}

fn no_such_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "no such path; cameras POST to /ingestion/ergonomics, the state is at /streams/health",
    )
}

fn no_such_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path exists, but not with this method")
}
