//! The composition root: reading it from top to bottom is reading the edge.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use common::ids::WarehouseId;
use common::lifecycle::Lifecycle;
use common::{clock, serve};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing::{info, warn};
use uuid::Uuid;

use crate::access::Access;
use crate::alerts::entrance::Entrance;
use crate::alerts::facts::Desk;
use crate::alerts::floor::{self, Floor, Inputs};
use crate::alerts::history::History;
use crate::alerts::metrics::AlertMetrics;
use crate::alerts::outbox::Outbox;
use crate::alerts::rules::{Current, Follower, InForce, kept};

use crate::buffer::Buffer;
use crate::cameras::Cameras;
use crate::central_client::CentralClient;
use crate::config::Config;
use crate::forward::{Forwarder, InFlight, LinkState};
use crate::heartbeat::{Headquarters, Outlook, Pulse, Told};
use crate::http::{self, State};
use crate::intake::Identity;
use crate::live::{Hub, hub};
use crate::metrics::Metrics;
use crate::site::Site;

/// A running edge.
pub struct Edge {
    /// Where it listens.
    pub addr: SocketAddr,
    pub life: Lifecycle,
    /// What its screens see.
    pub hub: Arc<Hub>,
}

/// Starts all stages.
///
/// # Errors
/// If the data directory or the address cannot be used. Neither Redis nor central need to be there.
pub async fn start(config: Config) -> anyhow::Result<Edge> {
    let now = clock::now();
    let dir = config.data_dir()?;
    // What is buffered is personal data.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(|| format!("make the data directory {}", dir.display()))?;
    let access = Access::open(&dir, config.camera_token.as_deref())
        .context("open the accounts; if access.db is damaged, move it aside and make the accounts and tokens anew")?;
    let identity = Identity::open(config.privacy.worker_identity, &dir)?;
    if let Some(warning) = config.unheard_rules() {
        warn!("{warning}");
    }
    if !config.listen.ip().is_loopback() && !access.has_cameras() {
        bail!(
            "listen is {}, beyond loopback, and no camera has a token, so anybody on the network could send events; \
             run `smartpick-edge cameras add NAME`, or listen on 127.0.0.1",
            config.listen
        );
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen on {}; is another edge running? `listen` sets the address", config.listen))?;
    let addr = listener.local_addr()?;

    // Stages are stopped in the order of starting, but the buffer must outlive those that use it: two rows.
    let (mut life, mut buffer_life) = (Lifecycle::new(), Lifecycle::new());
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    // One stable name per installed process, as Redis wants it.
    let consumer = config.edge_id.map_or_else(|| format!("edge-{host}"), |id| format!("edge-{id}"));
    let buffer = Buffer::start(&config, &dir, &consumer, now, &mut buffer_life)?;

    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry));
    let own = InForce::own(&config.alerts.rules)?;
    // Headquarters' rules count for as long as there is a headquarters.
    let (in_force, trouble) = match config.headquarters() {
        Some((_, warehouse_id)) => kept::start(&dir, warehouse_id, own.clone(), now),
        None => (own.clone(), None),
    };
    info!("The rules in force are {in_force}");
    let rules = Arc::new(Current::new(in_force, trouble));
    let (entrance, observations) = Entrance::new(rules.get().keypoints_from());
    let (desk, says) = Desk::new();
    let history = History::start(&dir, config.history.clone(), now)?;
    let alert_metrics =
        AlertMetrics::new(&mut registry, entrance.unevaluated.clone(), floor::labels(&rules.get().rules));
    let (link, in_flight) = (LinkState::default(), InFlight::default());
    let client = match (&config.central.url, &config.central.token) {
        (Some(url), Some(token)) => Some(CentralClient::new(url, token)?),
        _ => None,
    };
    let hub = Arc::new(hub(config.live.clients_max));
    let state = Arc::new(State {
        edge_id: config.edge_id,
        warehouse_id: config.warehouse_id,
        started_at: now,
        consumer,
        buffer: buffer.clone(),
        metrics: Arc::clone(&metrics),
        registry,
        access: Arc::clone(&access),
        cameras: Cameras::default(),
        link: link.clone(),
        in_flight: in_flight.clone(),
        entrance,
        desk,
        history: history.clone(),
        alert_metrics,
        outlook: Mutex::new(Outlook::default()),
        site: Arc::new(Site::new(&config.site)?),
        rules: Arc::clone(&rules),
        keep_days: config.history.keep_days,
        hub: Arc::clone(&hub),
        event_age_max: Duration::from_secs(config.intake.event_age_max_days.saturating_mul(86_400)),
        has_central: client.is_some(),
        stream_name: config.stream.name.clone(),
        stream_max_length: config.stream.max_length,
        consumer_group: config.stream.consumer_group.clone(),
        identity,
        room: State::room(config.intake.bytes_max),
        clock_offset_ms: State::no_clock_offset(),
    });

    let router = http::router(Arc::clone(&state));
    life.stage("intake", move |stop| serve::serve(listener, router, stop));
    life.stage("access", move |stop| access.run(stop));
    let filled = Arc::new(Notify::new());
    let site_id = config.warehouse_id.unwrap_or(WarehouseId::from_uuid(Uuid::nil()));
    let (follower, swaps) = Follower::new(dir.clone(), site_id, own, rules);
    let inputs = Inputs { observations, says, swaps };
    let floor = Floor::new(Arc::clone(&state), inputs, config.alerts.thresholds(), Arc::clone(&filled));
    life.stage("alerts", move |stop| floor.run(stop));
    let outbox = Outbox { history: history.clone(), buffer: buffer.clone(), filled };
    life.stage("outbox", move |stop| outbox.run(stop));
    life.stage("history", move |stop| async move {
        stop.cancelled().await;
        history.close().await;
        Ok(())
    });
    let screens = Arc::clone(&hub);
    life.stage("live", move |stop| screens.run(stop));
    if let Some(client) = client.clone() {
        let forwarder = Forwarder { buffer, client, link, in_flight, metrics };
        life.stage("forward", move |stop| forwarder.run(stop));
    }
    let headquarters = client.zip(config.headquarters()).map(|(client, (edge_id, warehouse_id))| Headquarters {
        client,
        edge_id,
        warehouse_id,
        follower,
        site: Told::new(&config.site),
    });
    let pulse = Pulse { state, headquarters };
    life.stage("heartbeat", move |stop| pulse.run(stop));
    life.then(buffer_life);
    info!(%addr, data_dir = %dir.display(), "SmartPick edge listens on http://{addr}");
    Ok(Edge { addr, life, hub })
}
