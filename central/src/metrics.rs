//! What Prometheus scrapes. Counters start at zero and are counted when a frame is committed, so that at any moment
//! received = stored + duplicate + dead. No labels that name a person, a camera or an edge.

use std::sync::atomic::AtomicU64;

use common::telemetry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::fleet::FleetMetrics;

pub struct Metrics {
    registry: Registry,

    pub batches_received: Counter,
    pub batches_refused: Counter,
    pub receipt_seconds: Histogram,
    pub heartbeats_received: Counter,

    pub frames_committed: Counter,
    pub frames_lost: Counter,
    pub records_received: Counter,
    pub records_stored: Counter,
    pub records_duplicate: Counter,
    pub records_dead: Counter,
    pub transaction_seconds: Histogram,
    pub transactions_failed: Counter,
    pub bisections: Counter,

    pub frames_waiting: Gauge,
    pub frames_oldest_age_seconds: Gauge<f64, AtomicU64>,
    pub frames_pending: Gauge,
    pub stream_bytes: Gauge,
    pub rollups_due_age_seconds: Gauge<f64, AtomicU64>,
    pub batches_in_flight: Gauge,
    pub bytes_in_flight: Gauge,
    pub workers: Gauge,
    pub database_up: Gauge,
    pub redis_up: Gauge,
}

impl Metrics {
    /// With what `fleet` says of the sites at each scrape.
    pub fn new(fleet: FleetMetrics) -> Self {
        let mut registry = Registry::with_prefix("smartpick_central");
        registry.register_collector(Box::new(fleet));
        let r = &mut registry;
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            r.register(name, help, counter.clone());
            counter
        };
        let batches_received = counter("batches_received", "Batches taken in from edges, re-sends too");
        let batches_refused = counter("batches_refused", "Batches not answered with a receipt; edges send them again");
        let heartbeats_received = counter("heartbeats_received", "Heartbeats from edges");
        let frames_committed = counter("frames_committed", "Frames whose records are all durable");
        let frames_lost = counter("frames_lost", "Frames lost or damaged in Redis; edges send them again");
        let records_received = counter("records_received", "Records of committed frames: stored + duplicate + dead");
        let records_stored = counter("records_stored", "Records that became rows");
        let records_duplicate = counter("records_duplicate", "Records that were rows already");
        let records_dead = counter("records_dead", "Records that became dead letters");
        let transactions_failed =
            counter("transactions_failed", "Transactions that failed by no fault of the data and were tried again");
        let bisections =
            counter("bisections", "Transactions that were split because Postgres refused some of the data");
        // 1 ms to 16 s.
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let (receipt_seconds, transaction_seconds) = (seconds(), seconds());
        registry.register_with_unit(
            "receipt_duration",
            "From a batch's arrival to its receipt",
            Unit::Seconds,
            receipt_seconds.clone(),
        );
        registry.register_with_unit(
            "transaction_duration",
            "One transaction of a persist worker",
            Unit::Seconds,
            transaction_seconds.clone(),
        );
        let frames_oldest_age_seconds = Gauge::<f64, AtomicU64>::default();
        registry.register_with_unit(
            "frames_oldest_age",
            "Age of the oldest frame not acknowledged",
            Unit::Seconds,
            frames_oldest_age_seconds.clone(),
        );
        let rollups_due_age_seconds = Gauge::<f64, AtomicU64>::default();
        registry.register_with_unit(
            "rollups_due_age",
            "For how long something stored has not been in quarters, hours and days",
            Unit::Seconds,
            rollups_due_age_seconds.clone(),
        );
        let r = &mut registry;
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            r.register(name, help, gauge.clone());
            gauge
        };
        Self {
            frames_waiting: gauge("frames_waiting", "Frames in the stream that are not acknowledged"),
            frames_oldest_age_seconds,
            rollups_due_age_seconds,
            frames_pending: gauge("frames_pending", "Frames that workers hold"),
            stream_bytes: gauge("stream_bytes", "Bytes of the streams in Redis"),
            batches_in_flight: gauge("batches_in_flight", "Batches of this instance that wait for their receipts"),
            bytes_in_flight: gauge("bytes_in_flight", "Bytes of these batches"),
            workers: gauge("workers", "Persist workers of this instance"),
            database_up: gauge("database_up", "1 if Postgres answered just now"),
            redis_up: gauge("redis_up", "1 if Redis answered just now"),
            batches_received,
            batches_refused,
            receipt_seconds,
            heartbeats_received,
            frames_committed,
            frames_lost,
            records_received,
            records_stored,
            records_duplicate,
            records_dead,
            transaction_seconds,
            transactions_failed,
            bisections,
            registry,
        }
    }

    pub fn render(&self) -> (&'static str, String) {
        telemetry::render(&self.registry)
    }
}
