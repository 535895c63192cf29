//! (h) Heartbeats: a large fleet tells headquarters every ten seconds how it is. What does that cost there?
//!
//! The edges are simulated, what they send is what real ones send: each over a connection of its own, with its own
//! credential, spread evenly over the ten seconds, 12 cameras each and a ledger that grows by 100 events with each beat.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::credentials::{token, token_hash};
use common::health::Health;
use common::ids::{EdgeId, Epoch, WarehouseId, ZoneId};
use common::protocol::{
    CameraReport, EpochReport, HEARTBEAT_INTERVAL_SECS, HEARTBEATS_PATH, Heartbeat, LaneReport, QuarterMark,
    RedisReport, RulesReport, SpillReport,
};
use common::quarter::Quarter;
use common::site::SiteReport;
use serde::Deserialize;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tests::stack::{Options, Stack};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::client::{Connection, raise_file_limit};
use crate::report::{Report, percentile};
use crate::usage::Meter;

const PART: &str = "(h) heartbeats, every 10 s";
const EDGES: f64 = 1_000.0;
const EDGES_PER_SITE: usize = 2;
const CAMERAS: u128 = 12;
const EVENTS_PER_BEAT: u64 = 100;
/// More than the edges will say they accepted. Central has all of it already, so that nothing is missing.
const RECEIVED: i64 = 1_000_000_000;
const INTERVAL: Duration = Duration::from_secs(HEARTBEAT_INTERVAL_SECS);

const WAREHOUSES: &str = "INSERT INTO warehouses (warehouse_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";
const REGISTER: &str = "\
INSERT INTO edges (edge_id, warehouse_id, name, credential_sha256)
SELECT edge_id, warehouse_id, 'edge ' || n, credential
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) WITH ORDINALITY AS t (edge_id, warehouse_id, credential, n)";
const LEDGER: &str = "\
INSERT INTO edge_epochs (edge_id, epoch, warehouse_id, received, stored, last_received_at)
SELECT edge_id, epoch, warehouse_id, int8multirange(int8range(1, $4)), $4 - 1, now()
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (edge_id, epoch, warehouse_id)";

/// One simulated edge.
struct Edge {
    heartbeat: Heartbeat,
    token: String,
    /// When its epoch began this quarter of an hour.
    quarter: Quarter,
    first: u64,
}

/// Many simulated edges, known to central.
pub struct Fleet {
    edges: Vec<Edge>,
}

pub async fn measure(report: &mut Report, scale: f64) -> anyhow::Result<()> {
    raise_file_limit()?;
    let stack = Stack::start(Options { edges: 0, ..Options::default() }).await?;
    let sites: Vec<Uuid> = (0..((EDGES * scale) as usize / EDGES_PER_SITE).max(20)).map(|_| Uuid::new_v4()).collect();
    let mut fleet = Fleet::register(&stack.database_url, &sites, EDGES_PER_SITE).await?;
    let central = &stack.centrals[0];
    let postgres = stack.postgres.as_ref().context("the stack has its own Postgres")?;
    // Each edge's cameras, and what its configuration says, are written once.
    fleet.beat(&central.url, 1).await?;
    let meters =
        [Meter::start("central", central.service().pid())?, Meter::start("Postgres", postgres.service().pid())?];
    let started = Instant::now();
    let beats = fleet.beat(&central.url, ((60.0 * scale) as usize / INTERVAL.as_secs() as usize).max(2)).await?;
    let took = started.elapsed();
    let rate = beats.len() as f64 / took.as_secs_f64();
    report.add(PART, format!("{} edges at {} sites", fleet.edges.len(), sites.len()), rate, "beats/s");
    for meter in meters {
        let spent = meter.spent()?.as_secs_f64();
        report.add_noted(
            PART,
            format!("processor time of {}", meter.name),
            spent / took.as_secs_f64() * 100.0,
            "% of a core",
            format!("{:.2} ms a heartbeat, peak {:.0} MiB", spent * 1e3 / beats.len() as f64, meter.peak_mib()?),
        );
    }
    report.add_noted(
        PART,
        "heartbeat answered",
        percentile(&beats, 0.5),
        "ms p50",
        format!("p99 {:.1} ms, max {:.1} ms", percentile(&beats, 0.99), percentile(&beats, 1.0)),
    );
    let healthy = healthy(&stack).await?;
    anyhow::ensure!(healthy == sites.len(), "only {healthy} of {} sites are healthy", sites.len());
    Ok(())
}

async fn healthy(stack: &Stack) -> anyhow::Result<usize> {
    #[derive(Deserialize)]
    struct Counts {
        healthy: usize,
    }
    #[derive(Deserialize)]
    struct Fleet {
        counts: Counts,
    }
    Ok(stack.centrals[0].get::<Fleet>("/api/v1/fleet/health").await?.counts.healthy)
}

impl Fleet {
    /// Makes edges for `sites`, so many for each, with credentials, where the database is.
    pub async fn register(database_url: &str, sites: &[Uuid], per_site: usize) -> anyhow::Result<Self> {
        let mut edges = Vec::new();
        for _ in 0..per_site {
            edges.extend(sites.iter().map(|site| Edge::new(*site)));
        }
        let mut connection = PgConnection::connect(database_url).await.context("connect to Postgres")?;
        let column = |of: fn(&Edge) -> Uuid| edges.iter().map(of).collect::<Vec<_>>();
        let (ids, warehouses) = (column(|e| e.heartbeat.edge_id.uuid()), column(|e| e.heartbeat.warehouse_id.uuid()));
        sqlx::query(WAREHOUSES).bind(&warehouses).execute(&mut connection).await.context("make sites")?;
        let hashes: Vec<Vec<u8>> = edges.iter().map(|edge| token_hash(&edge.token).to_vec()).collect();
        let register = sqlx::query(REGISTER).bind(&ids).bind(&warehouses).bind(hashes);
        register.execute(&mut connection).await.context("register the edges")?;
        let epochs = column(|e| e.heartbeat.epochs[0].epoch.uuid());
        let ledger = sqlx::query(LEDGER).bind(&ids).bind(epochs).bind(&warehouses).bind(RECEIVED);
        ledger.execute(&mut connection).await.context("make the ledger")?;
        Ok(Self { edges })
    }

    /// Has each edge beat so many times, ten seconds apart; how many milliseconds each beat waited for its answer, sorted.
    pub async fn beat(&mut self, central_url: &str, times: usize) -> anyhow::Result<Vec<f64>> {
        let began = Instant::now();
        let count = self.edges.len();
        let mut tasks = JoinSet::new();
        for (index, edge) in std::mem::take(&mut self.edges).into_iter().enumerate() {
            let (url, offset) = (central_url.to_owned(), INTERVAL.mul_f64(index as f64 / count as f64));
            tasks.spawn(async move { edge.beat(&url, began + offset, times).await });
        }
        let mut took = Vec::new();
        while let Some(done) = tasks.join_next().await {
            let (edge, waited) = done.context("an edge panicked")??;
            self.edges.push(edge);
            took.extend(waited);
        }
        took.sort_by(f64::total_cmp);
        Ok(took)
    }
}

impl Edge {
    fn new(warehouse: Uuid) -> Self {
        let now = common::clock::now();
        let edge = Uuid::new_v4();
        let camera = |n| CameraReport {
            camera_id: format!("cam-{:02}", n + 1),
            zone_id: ZoneId::from_uuid(Uuid::from_u128(warehouse.as_u128() ^ (n / 3 + 1))),
            last_seen: now,
            clock_suspect: false,
        };
        let epoch = EpochReport {
            epoch: Epoch::from_uuid(Uuid::new_v4()),
            head: 0,
            current: true,
            buffered: Vec::new(),
            quarters: Vec::new(),
        };
        let heartbeat = Heartbeat {
            edge_id: EdgeId::from_uuid(edge),
            warehouse_id: WarehouseId::from_uuid(warehouse),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            sent_at: now,
            stopping: false,
            health: Health::healthy(),
            epochs: vec![epoch],
            accepted: 0,
            rejected: 0,
            live: LaneReport::default(),
            backlog: LaneReport::default(),
            spill: SpillReport { bytes_free: 8 << 30, hours_left: Some(200.0), full: false, disk_bytes_free: 40 << 30 },
            redis: RedisReport::Ready,
            drain_seconds: None,
            dead_letters: 0,
            cameras: (0..CAMERAS).map(camera).collect(),
            facts_after: Some(0),
            site_digest: Some(SiteReport::default().digest()),
            site: Some(SiteReport::default()),
            rules: Some(RulesReport::default()),
        };
        Self { heartbeat, token: token("spe_"), quarter: Quarter::of(now), first: 1 }
    }

    /// Beats so many times from a moment on, after a connection was made in good time.
    async fn beat(mut self, url: &str, from: Instant, times: usize) -> anyhow::Result<(Self, Vec<f64>)> {
        let mut connection = Connection::open(url, &self.token).await?;
        let mut waited = Vec::with_capacity(times);
        for turn in 0..times {
            tokio::time::sleep_until((from + INTERVAL * turn as u32).into()).await;
            let body = self.say(common::clock::now())?;
            let sent = Instant::now();
            let status = connection.post_to(HEARTBEATS_PATH, body).await?;
            anyhow::ensure!(status.is_success(), "central answered {status} to a heartbeat");
            waited.push(sent.elapsed().as_secs_f64() * 1_000.0);
            // Told once.
            self.heartbeat.site = None;
        }
        Ok((self, waited))
    }

    fn say(&mut self, now: DateTime<Utc>) -> anyhow::Result<Bytes> {
        let heartbeat = &mut self.heartbeat;
        heartbeat.sent_at = now;
        heartbeat.accepted += EVENTS_PER_BEAT;
        for camera in &mut heartbeat.cameras {
            camera.last_seen = now;
        }
        let (quarter, epoch) = (Quarter::of(now), &mut heartbeat.epochs[0]);
        if quarter != self.quarter {
            (self.quarter, self.first) = (quarter, epoch.head + 1);
        }
        epoch.head += EVENTS_PER_BEAT;
        epoch.quarters = vec![QuarterMark { quarter, first: self.first, last: epoch.head }];
        Ok(Bytes::from(serde_json::to_vec(heartbeat).context("write a heartbeat")?))
    }
}
