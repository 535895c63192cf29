//! Every route of central with what it needs of its caller, the state that handlers share, and how errors look to a
//! client.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Router, middleware};
use common::clock;
use common::ids::BatchId;
use common::join::{ENROLL_PATH, IDENTITY_PATH, RENEW_PATH, RETURN_PATH};
use common::problem::Problem;
use common::protocol::{BATCHES_PATH, FRAME_BYTES_MAX, HEARTBEATS_PATH};
use common::reload::Reloaded;
use common::web::{docs, request_id};
use tracing::{debug, warn};
use uuid::Uuid;

use crate::access::{self, Access, Need};
use crate::api;
use crate::config::Receive;
use crate::enrolment::{self, Enrolment};
use crate::fleet::{Fleet, Hints};
use crate::health::Observed;
use crate::heartbeats::KnownCameras;
use crate::inflight::Inflight;
use crate::live::{self, Hub};
use crate::metrics::Metrics;
use crate::store::{Db, StoreError};
use crate::stream::{Stream, StreamError};
use crate::{health, heartbeats, openapi, page, receive};

/// A heartbeat with a thousand ranges and hundreds of cameras is about 100 KiB.
const HEARTBEAT_BYTES_MAX: usize = 1024 * 1024;

/// A certificate and a request are about 1.5 KiB.
const ENROL_BYTES_MAX: usize = 16 * 1024;

/// What every handler may use.
pub struct App {
    pub db: Arc<Db>,
    pub stream: Arc<Stream>,
    pub access: Arc<Access>,
    /// `None` without TLS of our own: edges come in by tokens then.
    pub enrolment: Option<Enrolment>,
    pub inflight: Arc<Inflight>,
    pub observed: Observed,
    pub metrics: Arc<Metrics>,
    pub receive: Receive,
    /// This process among its peers.
    pub instance: Uuid,
    /// How the sites are.
    pub fleet: Fleet,
    pub hints: Hints,
    /// What heartbeats have told of cameras.
    pub cameras: KnownCameras,
    /// What came of reading the configuration again.
    pub reloaded: Arc<Reloaded>,
    /// Where screens hang.
    pub hub: Arc<Hub>,
}

impl App {
    /// Tells this instance and the others that an alert, or what is said of one, has changed. After COMMIT; waits for nobody.
    pub fn alerts_changed(&self) {
        self.hints.alerts();
        let (stream, instance) = (Arc::clone(&self.stream), self.instance);
        tokio::spawn(async move {
            if let Err(error) = stream.tell_alerts_changed(instance).await {
                debug!("Other instances look at the alerts a little later: {:#}", anyhow::Error::new(error));
            }
        });
    }
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;
const PUT: Method = Method::PUT;

/// One line of the table.
pub struct Route {
    pub method: Method,
    /// As axum reads it, so with `{parameters}`.
    pub path: &'static str,
    pub need: Need,
    handler: fn(MethodFilter) -> MethodRouter<Arc<App>>,
}

const fn route(
    method: Method,
    path: &'static str,
    need: Need,
    handler: fn(MethodFilter) -> MethodRouter<Arc<App>>,
) -> Route {
    Route { method, path, need, handler }
}

/// The route table. What is not in it is not served ([`access::guard`]), and a test sweeps it with every kind of caller.
/// A handler of a route that needs more than [`Need::PUBLIC`] may take `Extension<Caller>`, of [`Need::EDGE`]
/// `Extension<EdgeIdentity>`.
pub const ROUTES: &[Route] = &[
    // From edges.
    route(POST, BATCHES_PATH, Need::EDGE, |m| on(m, receive::batch).layer(DefaultBodyLimit::max(FRAME_BYTES_MAX))),
    route(POST, HEARTBEATS_PATH, Need::EDGE, |m| {
        on(m, heartbeats::heartbeat).layer(DefaultBodyLimit::max(HEARTBEAT_BYTES_MAX))
    }),
    route(GET, IDENTITY_PATH, Need::EDGE, |m| on(m, enrolment::identity)),
    route(POST, RENEW_PATH, Need::EDGE, |m| on(m, enrolment::renew).layer(DefaultBodyLimit::max(ENROL_BYTES_MAX))),
    // From boxes that have a join token or an expired certificate to show.
    route(POST, ENROLL_PATH, Need::PUBLIC, |m| on(m, enrolment::enrol).layer(DefaultBodyLimit::max(ENROL_BYTES_MAX))),
    route(POST, RETURN_PATH, Need::PUBLIC, |m| {
        on(m, enrolment::bring_back).layer(DefaultBodyLimit::max(ENROL_BYTES_MAX))
    }),
    // For dashboards and tools.
    route(GET, "/api/v1/fleet/health", Need::READ, |m| on(m, api::fleet::health)),
    route(GET, "/api/v1/fleet/stats", Need::READ, |m| on(m, api::fleet::stats)),
    route(GET, "/api/v1/sites/{id}", Need::READ, |m| on(m, api::fleet::site)),
    route(GET, "/api/v1/sites/{id}/history", Need::READ, |m| on(m, api::history::show)),
    route(GET, "/api/v1/sites/{id}/settings", Need::READ, |m| on(m, api::settings::show)),
    route(PUT, "/api/v1/sites/{id}/settings", Need::ACT, |m| on(m, api::settings::set)),
    route(GET, "/api/v1/rules", Need::READ, |m| on(m, api::rules::overview)),
    route(GET, "/api/v1/sites/{id}/rules", Need::READ, |m| on(m, api::rules::show)),
    route(POST, "/api/v1/sites/{id}/rules", Need::ACT, |m| on(m, api::rules::make)),
    route(GET, "/api/v1/sites/{id}/rules/versions", Need::READ, |m| on(m, api::rules::versions)),
    route(POST, "/api/v1/sites/{id}/rules/check", Need::READ, |m| on(m, api::rules::check)),
    route(GET, "/api/v1/events", Need::ACT, |m| on(m, api::events::list)),
    route(GET, "/api/v1/alerts", Need::READ, |m| on(m, api::alerts::list)),
    route(GET, "/api/v1/alerts/{id}", Need::READ, |m| on(m, api::alerts::show)),
    route(GET, "/api/v1/alerts/{id}/person", Need::PEOPLE, |m| on(m, api::people::of_alert)),
    route(POST, "/api/v1/alerts/{id}/acknowledge", Need::ACT, |m| on(m, api::alerts::acknowledge)),
    route(GET, "/api/v1/silences", Need::READ, |m| on(m, api::silences::list)),
    route(POST, "/api/v1/silences", Need::ACT, |m| on(m, api::silences::begin)),
    route(POST, "/api/v1/silences/{id}/end", Need::ACT, |m| on(m, api::silences::end)),
    route(GET, "/api/v1/dead-letters", Need::READ, |m| on(m, api::dead_letters::list)),
    route(GET, "/api/v1/dead-letters/{id}", Need::READ, |m| on(m, api::dead_letters::show)),
    route(POST, "/api/v1/dead-letters/{id}/replay", Need::ACT, |m| on(m, api::dead_letters::replay)),
    route(POST, "/api/v1/dead-letters/{id}/discard", Need::ACT, |m| on(m, api::dead_letters::discard)),
    route(GET, "/api/v1/ledger", Need::READ, |m| on(m, api::ledger::show)),
    route(GET, "/api/v1/ledger/hours", Need::READ, |m| on(m, api::ledger::hours)),
    route(GET, "/api/v1/completeness", Need::READ, |m| on(m, api::completeness::show)),
    route(GET, "/api/v1/completeness.csv", Need::READ, |m| on(m, api::completeness::show_csv)),
    // Who may come in, and what was done.
    route(GET, "/api/v1/session", Need::KNOWN, |m| on(m, api::session::show)),
    route(POST, "/api/v1/session", Need::PUBLIC, |m| on(m, api::session::sign_in)),
    route(DELETE, "/api/v1/session", Need::PUBLIC, |m| on(m, api::session::sign_out)),
    route(POST, "/api/v1/session/password", Need::KNOWN, |m| on(m, api::session::change_password)),
    route(GET, "/api/v1/users", Need::ADMIN, |m| on(m, api::users::list)),
    route(POST, "/api/v1/users", Need::ADMIN, |m| on(m, api::users::add)),
    route(PATCH, "/api/v1/users/{name}", Need::ADMIN, |m| on(m, api::users::change)),
    route(DELETE, "/api/v1/users/{name}", Need::ADMIN, |m| on(m, api::users::remove)),
    route(GET, "/api/v1/tokens", Need::ADMIN, |m| on(m, api::tokens::list)),
    route(POST, "/api/v1/tokens", Need::ADMIN, |m| on(m, api::tokens::add)),
    route(DELETE, "/api/v1/tokens/{name}", Need::ADMIN, |m| on(m, api::tokens::revoke)),
    route(GET, "/api/v1/audit", Need::ADMIN, |m| on(m, api::audit::list)),
    route(GET, "/api/v1/audit.csv", Need::ADMIN, |m| on(m, api::audit::csv)),
    // The page shows nothing before somebody has signed in. It reads the path itself.
    route(GET, "/", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/sites/{id}", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/sites/{id}/settings", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/sites/{id}/zones/{zone}", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/sites/{id}/cameras/{camera}", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/alerts", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/alerts/{id}", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/silences", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/trends", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/completeness", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/dead-letters", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/rules", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/rules/{id}", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/users", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/audit", Need::PUBLIC, |m| on(m, page::index)),
    route(GET, "/assets/{name}", Need::PUBLIC, |m| on(m, page::asset)),
    route(GET, "/api/v1/trend", Need::READ, |m| on(m, api::queries::trend::show)),
    route(GET, "/api/v1/trend.csv", Need::READ, |m| on(m, api::queries::trend::csv)),
    route(GET, "/api/v1/heatmap", Need::READ, |m| on(m, api::queries::heatmap::show)),
    route(GET, "/api/v1/heatmap.csv", Need::READ, |m| on(m, api::queries::heatmap::csv)),
    route(GET, "/api/v1/distribution", Need::READ, |m| on(m, api::queries::distribution::show)),
    route(GET, "/api/v1/compare", Need::READ, |m| on(m, api::queries::compare::show)),
    route(GET, "/api/v1/ranking", Need::READ, |m| on(m, api::queries::ranking::show)),
    route(GET, "/api/v1/ranking.csv", Need::READ, |m| on(m, api::queries::ranking::csv)),
    // While it happens.
    route(GET, "/ws/fleet", Need::READ, |m| on(m, live::fleet)),
    // For whoever runs it.
    route(GET, "/streams/health", Need::PUBLIC, |m| on(m, health::streams_health)),
    route(GET, "/streams/stats", Need::PUBLIC, |m| on(m, health::streams_stats)),
    route(GET, "/livez", Need::PUBLIC, |m| on(m, livez)),
    route(GET, "/readyz", Need::PUBLIC, |m| on(m, health::ready)),
    route(GET, "/metrics", Need::PUBLIC, |m| on(m, metrics)),
    route(GET, docs::DOCUMENT_PATH, Need::PUBLIC, |m| on(m, openapi::document)),
    route(GET, "/docs", Need::PUBLIC, |m| on(m, async || docs::page("SmartPick central: API"))),
    route(GET, "/docs/{name}", Need::PUBLIC, |m| on(m, async |Path(name): Path<String>| docs::asset(&name))),
];

/// What the table asks for a method of a path that the router knows, `None` if it knows none.
///
/// # Errors
/// 405 if the table has the path with other methods only; 404 if it does not have it.
pub fn need(method: &Method, path: Option<&str>) -> Result<Need, Problem> {
    let rows = ROUTES.iter().filter(|route| Some(route.path) == path);
    // As axum does it: a HEAD is a GET without the body.
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"));
    }
    rows.find(|route| route.method == *method).map(|route| route.need).ok_or_else(|| {
        let message = format!("this path does not take {method}");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    })
}

/// For the `Allow` header of a 405.
pub fn methods(path: &str) -> String {
    let methods: Vec<&str> =
        ROUTES.iter().filter(|route| route.path == path).map(|route| route.method.as_str()).collect();
    methods.join(", ")
}

/// The table as a router.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for Route { method, path, handler, .. } in ROUTES {
        let filter = MethodFilter::try_from(method.clone()).expect("the table's methods are known to axum");
        router = router.route(path, handler(filter));
    }
    router
        // The guard refuses what has no route before this is asked.
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), access::guard))
        .with_state(app)
}

/// The process turns.
#[utoipa::path(get, path = "/livez", responses((status = 200, description = "It does.", body = str, content_type = "text/plain")))]
pub async fn livez() -> &'static str {
    "ok\n"
}

/// What Prometheus scrapes.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((
        status = 200,
        description = "OpenMetrics text",
        body = str,
        content_type = "application/openmetrics-text"
    ))
)]
pub async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    // By fresh success, and as of now: whoever looks at the servers may hang with one of them.
    let samples = app.observed.samples();
    let now = clock::now();
    app.metrics.redis_up.set(health::fresh(&samples.redis, now).into());
    app.metrics.database_up.set(health::fresh(&samples.postgres, now).into());
    let (content_type, text) = app.metrics.render();
    ([(header::CONTENT_TYPE, content_type)], text)
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
            Self::Store(StoreError::Busy) => Problem::unavailable(
                "dashboards_busy",
                "more dashboards are asked for than can be worked out now; try again",
                5,
            ),
            Self::Store(cause) => {
                warn!(
                    request_id = request_id::current().map(tracing::field::display),
                    "Request failed: {:#}",
                    anyhow::Error::new(cause)
                );
                Problem::unavailable("database_unavailable", "the database cannot be used now; try again", 2)
            }
            Self::Stream(cause) => {
                warn!(
                    request_id = request_id::current().map(tracing::field::display),
                    "Request failed: {:#}",
                    anyhow::Error::new(cause)
                );
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
