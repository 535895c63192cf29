//! The composition root: reading it from top to bottom is reading the edge.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use common::clock;
use common::config::ConfigError;
use common::ids::WarehouseId;
use common::lifecycle::Lifecycle;
use common::reload::Reloaded;
use common::serve::{self, Limits, Listener};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
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

use crate::archive::{Archive, Resender};
use crate::buffer::Buffer;
use crate::cameras::Cameras;
use crate::central_client::CentralClient;
use crate::config::Config;
use crate::enrolment::keeper::{CertificateState, Keeper};
use crate::forward::{Forwarder, InFlight, LinkState};
use crate::heartbeat::{Headquarters, Outlook, Pulse, Told};
use crate::http::{self, State};
use crate::intake::{Identity, Rates};
use crate::live::{Hub, hub};
use crate::metrics::Metrics;
use crate::reload::Reloader;
use crate::sentence::sentence;
use crate::site::Site;
use crate::tls::{self, Https};
use crate::usable::{Usable, beyond_loopback};

/// A running edge.
pub struct Edge {
    /// Where it listens.
    pub addr: SocketAddr,
    pub life: Lifecycle,
    /// What its screens see.
    pub hub: Arc<Hub>,
    /// Who takes its configuration once it was read again.
    pub reloader: Reloader,
}

/// Starts all stages.
///
/// # Errors
/// If the data directory or the address cannot be used. Neither Redis nor central need to be there.
pub async fn start(mut config: Config) -> anyhow::Result<Edge> {
    let now = clock::now();
    // Without what joining has added, so that it can be held beside what is read again.
    let as_read = config.clone();
    let Usable { dir, config: completed, enrolled } = Usable::new(&config)?;
    config = completed;
    // What is buffered is personal data.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(|error| ConfigError::of("data_dir", format!("{} cannot be made: {error}", dir.display())))?;
    let enrolled = enrolled?;
    let access = Access::open(&dir, config.camera_token.as_deref()).context(
        "open the accounts; if access.db is damaged, `smartpick-edge fsck --repair` takes over what is whole",
    )?;
    let identity = Identity::open(config.privacy.worker_identity, &dir)?;
    for warning in config.warnings() {
        warn!("{warning}");
    }
    // Only now it is certain.
    beyond_loopback(&config, access.has_cameras())?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen on {}; is another edge running? `listen` sets the address", config.listen))?;
    let addr = listener.local_addr()?;
    let Https { server: tls, authority } = tls::server(&config, &dir, now)?;
    let scheme = if tls.is_some() { "https" } else { "http" };

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
    let certificate = CertificateState::default();
    let (client, keeper) = match (&config.central.url, &config.central.token, enrolled) {
        (Some(url), token, Some(enrolled)) => {
            if token.is_some() {
                warn!("central.token has no effect: this box comes in by its certificate; leave it out");
            }
            let client = CentralClient::enrolled(url, &enrolled)?;
            let (link, told) = (link.clone(), certificate.clone());
            let keeper = Keeper { client: client.clone(), link, told, dir: dir.clone(), url: url.clone(), enrolled };
            (Some(client), Some(keeper))
        }
        (Some(url), Some(token), None) => (Some(CentralClient::new(url, token)?), None),
        _ => (None, None),
    };
    let archive = match client {
        Some(_) => Archive::start(&dir, config.archive.clone(), config.spill.disk_free_min, now)?,
        None => Archive::none(),
    };
    let hub = Arc::new(hub(config.live.clients_max));
    let state = Arc::new(State {
        edge_id: config.edge_id,
        warehouse_id: config.warehouse_id,
        started_at: now,
        consumer,
        buffer: buffer.clone(),
        archive: archive.clone(),
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
        site: RwLock::new(Arc::new(Site::new(&config.site)?)),
        reloaded: Reloaded::new(now),
        rules: Arc::clone(&rules),
        keep_days: config.history.keep_days,
        hub: Arc::clone(&hub),
        event_age_max: Duration::from_secs(config.intake.event_age_max_days.saturating_mul(86_400)),
        has_central: client.is_some(),
        certificate,
        stream_name: config.stream.name.clone(),
        stream_max_length: config.stream.max_length,
        consumer_group: config.stream.consumer_group.clone(),
        identity,
        rates: Rates::new(config.intake.camera_events_per_second_max),
        authority,
        room: State::room(config.intake.bytes_max),
        clock_offset_ms: State::no_clock_offset(),
    });

    let router = http::router(Arc::clone(&state));
    let listener = Listener { tcp: listener, tls: tls.clone(), limits: Limits::default() };
    life.stage("intake", move |stop| serve::serve(listener, router, stop));
    if let Some(tls) = tls {
        life.stage("tls", move |stop| tls.run(stop));
    }
    life.stage("access", move |stop| access.run(stop));
    let filled = Arc::new(Notify::new());
    let site_id = config.warehouse_id.unwrap_or(WarehouseId::from_uuid(Uuid::nil()));
    let (follower, swaps) = Follower::new(dir.clone(), site_id, own, rules);
    let (follower, told) = (Arc::new(follower), Arc::new(Told::new(&config.site)));
    let (settings, read_again) = mpsc::channel(1);
    let inputs = Inputs { observations, says, swaps, settings: read_again };
    let floor = Floor::new(Arc::clone(&state), inputs, config.alerts.thresholds(), Arc::clone(&filled));
    let sign = life.signs().add("alerts");
    life.stage("alerts", move |stop| floor.run(sign, stop));
    let outbox = Outbox { history: history.clone(), buffer: buffer.clone(), filled };
    life.stage("outbox", move |stop| outbox.run(stop));
    life.stage("history", move |stop| async move {
        stop.cancelled().await;
        history.close().await;
        Ok(())
    });
    let screens = Arc::clone(&hub);
    life.stage("live", move |stop| screens.run(stop));
    let mut resender = None;
    if let Some(client) = client.clone() {
        resender = Some(Resender {
            archive: archive.clone(),
            buffer: buffer.clone(),
            client: client.clone(),
            link: link.clone(),
            metrics: Arc::clone(&metrics),
        });
        let forwarder = Forwarder { buffer, client, archive, link, in_flight, metrics };
        let sign = life.signs().add("forward");
        life.stage("forward", move |stop| forwarder.run(sign, stop));
    }
    if let Some(keeper) = keeper {
        life.stage("certificate", move |stop| keeper.run(stop));
    }
    let headquarters = client.zip(config.headquarters()).map(|(client, (edge_id, warehouse_id))| Headquarters {
        client,
        edge_id,
        warehouse_id,
        follower: Arc::clone(&follower),
        site: Arc::clone(&told),
    });
    let reloader = Reloader { running: as_read, state: Arc::clone(&state), follower, told, floor: settings };
    let pulse = Pulse { state: Arc::clone(&state), headquarters };
    let sign = life.signs().add("heartbeat");
    life.stage("heartbeat", move |stop| pulse.run(sign, stop));
    // The last, as it closes what the others keep in.
    if let Some(resender) = resender {
        life.stage("resend", move |stop| resender.run(stop));
    }
    life.says(move || sentence(&state));
    life.then(buffer_life);
    info!(%addr, data_dir = %dir.display(), "SmartPick edge listens on {scheme}://{addr}");
    Ok(Edge { addr, life, hub, reloader })
}
