//! The composition root: builds the stages, binds the listener, wires them and hands back a running central. Reading it
//! top to bottom is reading the system.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use common::backoff::Backoff;
use common::clock;
use common::config::{ConfigError, Loaded};
use common::lifecycle::{Lifecycle, Signals};
use common::reload::Reloaded;
use common::serve::{self, Limits, Listener};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::access::Access;
use crate::config::{Config, Retention};
use crate::enrolment;
use crate::fleet::{FleetMetrics, Hints, Looker};
use crate::health::{Observed, Progress, Sampler, Samples, sentence};
use crate::heartbeats::KnownCameras;
use crate::http::{App, router};
use crate::inflight::Inflight;
use crate::live::{self, Teller};
use crate::metrics::Metrics;
use crate::persist::{Crew, Deps};
use crate::reload::Reloader;
use crate::rollup_pass;
use crate::store::{Db, partitions};
use crate::stream::{Heard, Stream};
use crate::usable::Usable;

/// Redis is asked again this soon for our receipts; a restart of it takes about a second.
const LISTEN_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
/// Partitions are made days ahead, so an hour more or less is nothing.
const PARTITIONS_EVERY: Duration = Duration::from_secs(3_600);
/// A pass that could not get its locks comes again.
const PARTITIONS_RETRY: Duration = Duration::from_secs(30);
const PARTITIONS_TIMEOUT: Duration = Duration::from_secs(300);

/// Connections that wait to be accepted; those beyond are tried again by their TCP.
const BACKLOG: u32 = 1_024;

/// A running central.
pub struct Central {
    /// Where it listens; the port is known here also if the configuration said 0.
    pub address: SocketAddr,
    lifecycle: Lifecycle,
    reloader: Reloader,
}

impl Central {
    /// Starts all stages. Waits for Postgres; Redis may come later.
    ///
    /// # Errors
    /// If the database cannot be made ready or the address is taken.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        // All that can be refused without it, before Postgres is touched.
        let usable = Usable::new(&config)?;
        for words in usable.warnings(&config) {
            warn!("{words}");
        }
        let socket = take_port(usable.listen)?;
        let (db, stream) = (Arc::new(usable.db), Arc::new(usable.stream));
        db.prepare().await.context("make the database ready")?;
        let first_pass = partitions_pass(&db, &config.retention).await;
        let listener = socket.listen(BACKLOG).with_context(|| format!("listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let (tls, enrolment) = enrolment::start(&config, &db, clock::now()).await?;
        let scheme = if tls.is_some() { "https" } else { "http" };

        let instance = Uuid::new_v4();
        let reloaded = Arc::new(Reloaded::new(clock::now()));
        let hints = Hints::default();
        let (looker, fleet) = Looker::new(Arc::clone(&db), hints.clone());
        let hub = Arc::new(live::hub(config.live.clients_max));
        let metrics = Arc::new(Metrics::new(FleetMetrics::new(fleet.clone(), config.metrics.site_labels_max)));
        let progress = Arc::new(Progress::default());
        let inflight = Arc::new(Inflight::new(config.receive.timeout(), config.receive.in_flight_bytes_max));
        let (seen, samples) = watch::channel(Samples::default());
        let observed = Observed::new(samples, Arc::clone(&progress));
        // In the data's order, which is the order of stopping: what was taken in is still stored.
        let mut lifecycle = Lifecycle::new();
        let signs = lifecycle.signs();
        let deps = Deps {
            db: Arc::clone(&db),
            stream: Arc::clone(&stream),
            inflight: Arc::clone(&inflight),
            metrics: Arc::clone(&metrics),
            progress,
            hints: hints.clone(),
            instance,
            retry_delay: Duration::from_millis(config.workers.retry_delay_ms),
            signs: signs.clone(),
        };
        let crew = Crew::new(deps, observed.clone(), &config.workers)?;
        let sampler = Sampler {
            db: Arc::clone(&db),
            stream: Arc::clone(&stream),
            inflight: Arc::clone(&inflight),
            retain: Duration::from_secs(config.stream.retain_seconds),
            retain_bytes_max: config.stream.retain_bytes_max,
            metrics: Arc::clone(&metrics),
            sign: signs.add("health"),
        };
        let (watched, sites) = (observed.clone(), fleet.clone());
        let told = Arc::clone(&reloaded);
        lifecycle.says(move || sentence(&watched, &sites, &told));
        let app = App {
            access: Arc::new(Access::new(Arc::clone(&db))),
            enrolment,
            db: Arc::clone(&db),
            stream: Arc::clone(&stream),
            inflight: Arc::clone(&inflight),
            observed,
            metrics,
            receive: config.receive.clone(),
            instance,
            fleet: fleet.clone(),
            hints: hints.clone(),
            hub: Arc::clone(&hub),
            cameras: KnownCameras::default(),
            reloaded: Arc::clone(&reloaded),
        };
        let teller =
            Teller { db: Arc::clone(&db), hub: Arc::clone(&hub), fleet, hints: hints.clone(), gone: Vec::new() };

        if let Some(tls) = tls.clone() {
            lifecycle.stage("tls", |stop| tls.run(stop));
        }
        let listener = Listener { tcp: listener, tls, limits: Limits::default() };
        lifecycle.stage("http", |stop| serve::serve(listener, router(Arc::new(app)), stop));
        lifecycle.stage("screens", |stop| hub.run(stop));
        lifecycle.stage("persist", |stop| crew.run(stop));
        lifecycle.stage("receipts", |stop| receipts(stream, inflight, hints, instance, stop));
        lifecycle.stage("health", |stop| async move {
            sampler.run(seen, stop).await;
            Ok(())
        });
        lifecycle.stage("live", |stop| teller.run(stop));
        let sign = signs.add("fleet");
        lifecycle.stage("fleet", |stop| looker.run(sign, stop));
        let (sign, stored) = (signs.add("rollups"), Arc::clone(&db));
        lifecycle.stage("rollups", |stop| rollup_pass::keep(stored, sign, stop));
        let (retention, kept) = watch::channel(config.retention.clone());
        lifecycle.stage("partitions", |stop| keep_partitions(db, kept, first_pass, stop));
        let reloader = Reloader { running: config, reloaded, retention };
        info!(%address, %instance, "Central listens on {scheme}://{address}");
        Ok(Self { address, lifecycle, reloader })
    }

    /// Runs until a signal or until a stage dies. On SIGHUP the configuration is read again by `read`.
    ///
    /// # Errors
    /// What ended it, if it was not a signal.
    pub async fn run(
        self,
        signals: Signals,
        read: &dyn Fn() -> Result<Loaded<Config>, ConfigError>,
    ) -> anyhow::Result<()> {
        let Self { lifecycle, mut reloader, .. } = self;
        let usable = |loaded: Loaded<Config>| match Usable::new(&loaded.config) {
            Ok(_) => Ok(loaded),
            Err(error) => Err(loaded.origins.place(error)),
        };
        lifecycle.run(signals, async || reloader.take(read().and_then(usable))).await
    }

    /// Stops all stages in order.
    ///
    /// # Errors
    /// If a stage did not stop in time.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.lifecycle.stop().await
    }
}

/// Makes the port ours, so that a second central by mistake ends before it has done anything. Nobody can connect yet.
fn take_port(address: SocketAddr) -> anyhow::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let take = |socket: TcpSocket| -> std::io::Result<TcpSocket> {
        // What is left of connections of the central before us does not count.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    socket.and_then(take).with_context(|| format!("listen on {address}"))
}

/// Listens for what other instances tell this one: receipts of their workers, and that alerts have changed.
async fn receipts(
    stream: Arc<Stream>,
    inflight: Arc<Inflight>,
    hints: Hints,
    instance: Uuid,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut failures = 0;
    while !stop.is_cancelled() {
        let mut heard = false;
        let listened = stream.listen(instance, &stop, |told| {
            heard = true;
            match told {
                Heard::Report(report) => inflight.report(report, Instant::now()),
                Heard::AlertsChanged => hints.alerts(),
            }
        });
        if let Err(error) = listened.await {
            warn!("Cannot listen for receipts: {:#}", anyhow::Error::new(error));
            failures = if heard { 0 } else { failures + 1 };
            tokio::select! {
                // We stop.
                () = stop.cancelled() => {}
                // Redis had its pause.
                () = tokio::time::sleep(LISTEN_BACKOFF.delay(failures, None, &mut rand::rng())) => {}
            }
        }
    }
    Ok(())
}

/// Keeps partitions made ahead and dropped by retention.
async fn keep_partitions(
    db: Arc<Db>,
    retention: watch::Receiver<Retention>,
    mut wait: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            // We stop.
            () = stop.cancelled() => return Ok(()),
            // Time for a pass.
            () = tokio::time::sleep(wait) => {
                let keep = retention.borrow().clone();
                wait = partitions_pass(&db, &keep).await;
            }
        }
    }
}

/// One pass; answers when the next is due. Without its partition a row goes to the default one, and is moved later, so
/// a pass that fails stops nobody.
async fn partitions_pass(db: &Db, retention: &Retention) -> Duration {
    let pass = tokio::time::timeout(PARTITIONS_TIMEOUT, partitions::upkeep(db, retention, clock::now())).await;
    match pass {
        Ok(Ok(done)) => {
            info!(made = done.made, dropped = done.dropped, moved = done.moved, "The daily partitions are ready");
            return PARTITIONS_EVERY;
        }
        Ok(Err(error)) => {
            warn!("The partitions could not be kept, the next pass will: {:#}", anyhow::Error::new(error));
        }
        Err(_) => warn!("The partitions could not be kept within {PARTITIONS_TIMEOUT:?}, the next pass will"),
    }
    PARTITIONS_RETRY
}
