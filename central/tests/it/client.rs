//! A whole small system and those who talk to it: edges and tools.

use central::access::{Scope, Scopes};
use central::central::Central;
use central::config::Config;
use central::store::{Db, tokens};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use common::event::{Event, Hundredths, Source};
use common::health::Health;
use common::ids::{BatchId, EdgeId, Epoch, EventId, WarehouseId, WorkerId, ZoneId};
use common::protocol::{
    BATCH_CONTENT_TYPE, BATCHES_PATH, EpochReport, HEADER_BATCH_ID, HEADER_CHECKSUM, HEADER_PROTOCOL, HEADER_RECORDS,
    HEARTBEATS_PATH, Heartbeat, LaneReport, PROTOCOL_VERSION, Receipt, RedisReport, SpillReport, pack_frame,
};
use common::quarter::Quarter;
use common::record::{Kind, Record, event_payload};
use common::tls::Mode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::rollups::added_up;
use crate::servers::{self, Redis};

pub struct System {
    pub url: String,
    pub pool: PgPool,
    pub config: Config,
    pub http: Client,
    /// Of the API.
    pub token: String,
    db: Db,
    pub central: Option<Central>,
    pub redis: Redis,
}

impl System {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let mut system = Self::without_central(change).await;
        system.start_central().await;
        system
    }

    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// The servers only; central is to be started later.
    pub async fn without_central(change: impl FnOnce(&mut Config)) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (database_url, pool) = servers::database().await;
        let redis = Redis::start().await;
        let mut config = servers::config(&database_url, &redis);
        change(&mut config);
        let db = Db::open(&config.database).expect("a URL");
        let token =
            tokens::add_token(&db, "setup", "test", Scopes::of(&Scope::ALL)).await.expect("stored").expect("new");
        Self { url: String::new(), pool, config, http: Client::new(), token, db, central: None, redis }
    }

    pub async fn start_central(&mut self) {
        let central = Central::start(self.config.clone()).await.expect("started");
        self.url = format!("http://{}", central.address);
        if self.config.tls.mode != Mode::Off {
            self.url = format!("https://localhost:{}", central.address.port());
            self.http = self.trusting().build().expect("a client");
        }
        self.central = Some(central);
        // Until the stream's groups are there.
        servers::eventually("central is ready", async || {
            let answer = self.http.get(format!("{}/readyz", self.url)).send().await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
    }

    /// A client that believes central's own authority.
    pub fn trusting(&self) -> reqwest::ClientBuilder {
        let pem = std::fs::read(format!("{}/ca.crt", self.config.tls.ca_dir)).expect("central made it");
        Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&pem).expect("PEM")])
    }

    pub async fn execute(&self, sql: &str) {
        servers::execute(&self.pool, sql).await;
    }

    pub async fn edge(&self) -> EdgeClient {
        self.edge_of(WarehouseId::from_uuid(Uuid::new_v4())).await
    }

    pub async fn edge_of(&self, warehouse_id: WarehouseId) -> EdgeClient {
        let edge_id = EdgeId::from_uuid(Uuid::new_v4());
        let token =
            tokens::add_edge(&self.db, "setup", edge_id, warehouse_id, None).await.expect("stored").expect("new");
        EdgeClient {
            edge_id,
            warehouse_id,
            zone_id: ZoneId::from_uuid(Uuid::new_v4()),
            epoch: Epoch::random(),
            token,
            url: self.url.clone(),
            http: self.http.clone(),
        }
    }

    pub async fn count(&self, sql: &str) -> i64 {
        servers::number(&self.pool, sql).await
    }

    pub async fn rows(&self) -> i64 {
        self.count("SELECT count(*) FROM ergonomic_snapshots").await
    }

    /// Asks the API.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(self.http.get(format!("{}{path}", self.url))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(self.http.put(format!("{}{path}", self.url)).json(body)).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.bearer_auth(&self.token).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// The ledger of one edge: one epoch.
    pub async fn account(&self, edge: &EdgeClient) -> Value {
        let (status, ledger) = self.get(&format!("/api/v1/ledger?edge_id={}", edge.edge_id)).await;
        assert_eq!(status, StatusCode::OK);
        let epochs = ledger["epochs"].as_array().expect("epochs");
        epochs.iter().find(|e| e["epoch"] == edge.epoch.to_string()).expect("the epoch is known").clone()
    }

    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.http.get(format!("{}/metrics", self.url)).send().await.expect("an answer");
        let text = text.text().await.expect("text");
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("{name} is not in {text}"))
            .split(' ')
            .nth(1)
            .expect("a value")
            .parse()
            .expect("a number")
    }

    /// Rollups count exactly the rows, and so does the ledger.
    pub async fn assert_consistent(&self) {
        added_up(&self.config.database.url, &self.pool).await;
        let rows = self.rows().await;
        for rollup in ["zone_minutes", "zone_quarters", "zone_hours", "site_quarters", "site_hours", "site_days"] {
            let events = format!("SELECT coalesce(sum(events), 0)::int8 FROM {rollup}");
            assert_eq!(self.count(&events).await, rows, "{rollup}");
        }
        assert_eq!(self.count("SELECT coalesce(sum(stored), 0)::int8 FROM edge_epochs").await, rows, "ledger");
        let binned = "SELECT coalesce(sum(b), 0)::int8 FROM zone_minutes, unnest(risk_histogram) b";
        assert_eq!(self.count(binned).await, rows, "histograms");
        let unlike = "SELECT count(*) FROM edge_epochs l LEFT JOIN LATERAL (
                SELECT range_agg(q.received) AS received, sum(q.stored) AS stored, sum(q.alerts) AS alerts, sum(q.dead) AS dead
                FROM epoch_quarters q WHERE q.edge_id = l.edge_id AND q.epoch = l.epoch
            ) q ON true
            WHERE (coalesce(q.received, '{}'), coalesce(q.stored, 0), coalesce(q.alerts, 0), coalesce(q.dead, 0))
                <> (l.received, l.stored, l.alerts, l.dead)";
        assert_eq!(self.count(unlike).await, 0, "quarters add up to their epochs");
        let dead = self.count("SELECT coalesce(sum(dead), 0)::int8 FROM edge_epochs").await;
        let letters = "SELECT count(*) FROM dead_letters WHERE seq IS NOT NULL AND state <> 'replayed'";
        assert_eq!(self.count(letters).await, dead, "dead letters");
    }
}

/// An edge as central sees it.
#[derive(Clone)]
pub struct EdgeClient {
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
    pub zone_id: ZoneId,
    pub epoch: Epoch,
    pub token: String,
    pub url: String,
    pub http: Client,
}

/// What central said to a batch.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn receipt(self) -> Receipt {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        serde_json::from_value(self.body).expect("a receipt")
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// A batch ready to be sent, with everything that a test may spoil.
#[derive(Clone)]
pub struct Batch {
    pub batch_id: BatchId,
    pub records: usize,
    pub body: Vec<u8>,
    pub checksum: Option<String>,
    pub protocol: String,
}

impl Batch {
    pub fn of(records: &[Vec<u8>]) -> Self {
        Self::raw(pack_frame(records).expect("memory"), records.len())
    }

    pub fn raw(body: Vec<u8>, records: usize) -> Self {
        Self { batch_id: BatchId::random(), records, body, checksum: None, protocol: PROTOCOL_VERSION.to_string() }
    }
}

impl EdgeClient {
    pub fn event(&self) -> Event<'static> {
        let now = clock::now();
        Event {
            event_id: EventId::from_uuid(Uuid::new_v4()),
            event_time: now - TimeDelta::seconds(2),
            ingest_time: now,
            warehouse_id: self.warehouse_id,
            zone_id: self.zone_id,
            camera_id: "cam-07".into(),
            worker_id: Some(WorkerId::from_uuid(Uuid::new_v4())),
            model_version: "v1.2.3".into(),
            risk_score: Hundredths::from_raw(4_508),
            confidence: Hundredths::from_raw(85),
            source: Source::Camera,
            clock_suspect: false,
            posture_keypoints: r#"{"head":{"x":0.5082,"y":0.44}}"#.into(),
        }
    }

    pub fn event_at(&self, time: DateTime<Utc>) -> Event<'static> {
        Event { event_time: time, ..self.event() }
    }

    pub fn record(&self, seq: u64, event: &Event<'_>) -> Vec<u8> {
        self.record_of(Quarter::of(clock::now()), seq, event)
    }

    /// Accepted in a quarter of an hour.
    pub fn record_of(&self, quarter: Quarter, seq: u64, event: &Event<'_>) -> Vec<u8> {
        let accepted_ms = quarter.start().timestamp_millis();
        Record { kind: Kind::Event, epoch: self.epoch, seq, accepted_ms, payload: &event_payload(event) }.write()
    }

    /// New events with these seqs.
    pub fn records(&self, seqs: impl IntoIterator<Item = u64>) -> Vec<Vec<u8>> {
        seqs.into_iter().map(|seq| self.record(seq, &self.event())).collect()
    }

    pub async fn send(&self, batch: &Batch) -> Answer {
        let checksum = batch.checksum.clone().unwrap_or_else(|| format!("{:08x}", crc32c::crc32c(&batch.body)));
        let request = self
            .http
            .post(format!("{}{BATCHES_PATH}", self.url))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, BATCH_CONTENT_TYPE)
            .header(HEADER_PROTOCOL, &batch.protocol)
            .header(HEADER_BATCH_ID, batch.batch_id.to_string())
            .header(HEADER_CHECKSUM, checksum)
            .header(HEADER_RECORDS, batch.records.to_string())
            .body(batch.body.clone());
        let answer = request.send().await.expect("an answer");
        Answer { status: answer.status(), headers: answer.headers().clone(), body: answer.json().await.expect("JSON") }
    }

    /// Sends until it gets a receipt, as a real edge would.
    pub async fn deliver(&self, batch: &Batch) -> Receipt {
        servers::eventually("the batch is taken", async || {
            let answer = self.send(batch).await;
            (answer.status == StatusCode::OK).then(|| answer.receipt())
        })
        .await
    }

    pub fn heartbeat(&self, head: u64, buffered: &[(u64, u64)]) -> Heartbeat {
        let now = clock::now();
        Heartbeat {
            edge_id: self.edge_id,
            warehouse_id: self.warehouse_id,
            version: "0.1.0".to_owned(),
            started_at: now,
            sent_at: now,
            stopping: false,
            health: Health::healthy(),
            epochs: vec![EpochReport {
                epoch: self.epoch,
                head,
                current: true,
                buffered: buffered.to_vec(),
                quarters: Vec::new(),
            }],
            accepted: head,
            rejected: 0,
            live: LaneReport::default(),
            backlog: LaneReport::default(),
            spill: SpillReport::default(),
            redis: RedisReport::Ready,
            drain_seconds: None,
            dead_letters: 0,
            cameras: Vec::new(),
            facts_after: None,
            site_digest: None,
            site: None,
            rules: None,
        }
    }

    pub async fn beat(&self, heartbeat: &Heartbeat) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{HEARTBEATS_PATH}", self.url)).bearer_auth(&self.token).json(heartbeat);
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }
}
