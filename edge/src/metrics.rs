//! What is counted, for Prometheus and for our own health. Counters start at zero and must balance:
//! received = accepted + duplicate + rejected + unstored. No label is personal; cameras and zones are not labels either,
//! for their number is not ours to bound.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use common::protocol::Receipt;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::buffer::Lane;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LaneLabel {
    lane: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Code {
    code: &'static str,
}

/// All metrics of the edge.
pub struct Metrics {
    pub received: Counter,
    events: Family<Outcome, Counter>,
    rejected_by: Family<Code, Counter>,
    pub unknown_fields: Counter,
    pub clock_suspect: Counter,
    pub append_seconds: Histogram,
    batches: Family<Outcome, Counter>,
    forwarded: Family<LaneLabel, Counter>,
    pub duplicates_at_central: Counter,
    pub dead_letters_at_central: Counter,
    resent: Family<Outcome, Counter>,
    dead_letters: Counter,
    frame_bytes: Counter,
    send_seconds: Histogram,
    buffered: Family<LaneLabel, Gauge>,
    /// Zero for an edge that comes in by a token.
    pub certificate_end_seconds: Gauge,
    recent: Mutex<Recent>,
}

impl Metrics {
    pub fn new(registry: &mut Registry) -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 14));
        let metrics = Self {
            received: Counter::default(),
            events: Family::default(),
            rejected_by: Family::default(),
            unknown_fields: Counter::default(),
            clock_suspect: Counter::default(),
            append_seconds: seconds(),
            batches: Family::default(),
            forwarded: Family::default(),
            duplicates_at_central: Counter::default(),
            dead_letters_at_central: Counter::default(),
            resent: Family::default(),
            dead_letters: Counter::default(),
            frame_bytes: Counter::default(),
            send_seconds: seconds(),
            buffered: Family::default(),
            certificate_end_seconds: Gauge::default(),
            recent: Mutex::new(Recent::new(Instant::now())),
        };
        for outcome in ["accepted", "duplicate", "rejected", "unstored"] {
            drop(metrics.events.get_or_create(&Outcome { outcome }));
        }
        for outcome in ["confirmed", "failed"] {
            drop(metrics.batches.get_or_create(&Outcome { outcome }));
        }
        for outcome in ["committed", "duplicate", "dead"] {
            drop(metrics.resent.get_or_create(&Outcome { outcome }));
        }
        for lane in ["live", "backlog"] {
            drop(metrics.forwarded.get_or_create(&LaneLabel { lane }));
            drop(metrics.buffered.get_or_create(&LaneLabel { lane }));
        }
        let r = registry.sub_registry_with_prefix("smartpick_edge");
        r.register("events_received", "Events that cameras sent", metrics.received.clone());
        r.register("events", "Events by what became of them at the intake", metrics.events.clone());
        r.register("events_rejected_by_code", "Refused events by error code", metrics.rejected_by.clone());
        r.register("event_fields_unknown", "Fields in events that are not known", metrics.unknown_fields.clone());
        r.register(
            "events_clock_suspect",
            "Accepted events whose time cannot be believed",
            metrics.clock_suspect.clone(),
        );
        r.register_with_unit(
            "append",
            "From a parsed request to its events on disk",
            Unit::Seconds,
            metrics.append_seconds.clone(),
        );
        r.register("batches", "Batches to central by outcome of each attempt", metrics.batches.clone());
        r.register("records_forwarded", "Records that central has confirmed", metrics.forwarded.clone());
        r.register(
            "records_duplicate_at_central",
            "Confirmed records that central already had",
            metrics.duplicates_at_central.clone(),
        );
        r.register(
            "records_dead_lettered_at_central",
            "Confirmed records that central could not store",
            metrics.dead_letters_at_central.clone(),
        );
        r.register("records_resent", "Records sent again from the archive, by what they were", metrics.resent.clone());
        r.register("dead_letters", "Records that were found damaged here", metrics.dead_letters.clone());
        r.register_with_unit("frames", "Sent and confirmed, compressed", Unit::Bytes, metrics.frame_bytes.clone());
        r.register_with_unit(
            "send",
            "From the first attempt of a batch to its receipt",
            Unit::Seconds,
            metrics.send_seconds.clone(),
        );
        r.register(
            "certificate_end_timestamp_seconds",
            "When the certificate for headquarters ends; 0 for an edge that comes in by a token",
            metrics.certificate_end_seconds.clone(),
        );
        r.register("records_buffered", "Records that wait for central", metrics.buffered.clone());
        metrics
    }

    /// What became of the events of one request.
    pub fn intake(&self, now: Instant, accepted: u64, duplicate: u64, rejected: u64) {
        self.outcome("accepted").inc_by(accepted);
        self.outcome("duplicate").inc_by(duplicate);
        self.outcome("rejected").inc_by(rejected);
        self.recent().add(now, accepted + duplicate, rejected);
    }

    /// Events that could not be stored; the camera keeps them.
    pub fn unstored(&self, now: Instant, events: u64) {
        self.outcome("unstored").inc_by(events);
        self.recent().add(now, 0, events);
    }

    pub fn rejected_with(&self, code: &'static str) {
        self.rejected_by.get_or_create(&Code { code }).inc();
    }

    pub fn forwarded(&self, lane: Lane, receipt: &Receipt, frame_bytes: usize, took: Duration) {
        let dead = receipt.dead_letters.len() as u64;
        let all = u64::from(receipt.committed) + u64::from(receipt.duplicates) + dead;
        self.forwarded.get_or_create(&LaneLabel { lane: lane.as_str() }).inc_by(all);
        self.duplicates_at_central.inc_by(u64::from(receipt.duplicates));
        self.dead_letters_at_central.inc_by(dead);
        self.batches.get_or_create(&Outcome { outcome: "confirmed" }).inc();
        self.frame_bytes.inc_by(frame_bytes as u64);
        self.send_seconds.observe(took.as_secs_f64());
    }

    /// A batch from the archive.
    pub fn resent(&self, receipt: &Receipt) {
        let count = |outcome, records| {
            self.resent.get_or_create(&Outcome { outcome }).inc_by(records);
        };
        count("committed", u64::from(receipt.committed));
        count("duplicate", u64::from(receipt.duplicates));
        count("dead", receipt.dead_letters.len() as u64);
    }

    pub fn send_failed(&self) {
        self.batches.get_or_create(&Outcome { outcome: "failed" }).inc();
    }

    pub fn dead_letter(&self) {
        self.dead_letters.inc();
    }

    pub fn buffered(&self, lane: Lane, records: u64) {
        self.buffered.get_or_create(&LaneLabel { lane: lane.as_str() }).set(records.cast_signed());
    }

    pub fn accepted_total(&self) -> u64 {
        self.outcome("accepted").get()
    }

    pub fn duplicate_total(&self) -> u64 {
        self.outcome("duplicate").get()
    }

    pub fn rejected_total(&self) -> u64 {
        self.outcome("rejected").get()
    }

    pub fn unstored_total(&self) -> u64 {
        self.outcome("unstored").get()
    }

    pub fn forwarded_total(&self, lane: Lane) -> u64 {
        self.forwarded.get_or_create(&LaneLabel { lane: lane.as_str() }).get()
    }

    pub fn dead_letter_total(&self) -> u64 {
        self.dead_letters.get()
    }

    /// Share of the last five minutes' events that were not taken, 0 to 1, and how many events there were.
    pub fn error_rate(&self, now: Instant) -> (f64, u64) {
        self.recent().error_rate(now)
    }

    fn outcome(&self, outcome: &'static str) -> Counter {
        self.events.get_or_create(&Outcome { outcome }).clone()
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Taken and not taken, per ten seconds over five minutes.
struct Recent {
    began: Instant,
    /// Which ten seconds each slot is about.
    slots: [(u64, u64, u64); Recent::SLOTS],
}

impl Recent {
    const SLOTS: usize = 30;
    const SLOT_SECS: u64 = 10;

    const fn new(began: Instant) -> Self {
        Self { began, slots: [(0, 0, 0); Self::SLOTS] }
    }

    fn turn(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / Self::SLOT_SECS
    }

    fn add(&mut self, now: Instant, good: u64, bad: u64) {
        let turn = self.turn(now);
        let slot = &mut self.slots[turn as usize % Self::SLOTS];
        if slot.0 != turn {
            *slot = (turn, 0, 0);
        }
        slot.1 += good;
        slot.2 += bad;
    }

    fn error_rate(&self, now: Instant) -> (f64, u64) {
        let turn = self.turn(now);
        let recent = self.slots.iter().filter(|(at, ..)| at + Self::SLOTS as u64 > turn);
        let (good, bad) = recent.fold((0, 0), |sum, (_, good, bad)| (sum.0 + good, sum.1 + bad));
        let all = good + bad;
        (if all == 0 { 0.0 } else { bad as f64 / all as f64 }, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_rate_forgets_after_five_minutes() {
        let began = Instant::now();
        let mut recent = Recent::new(began);
        recent.add(began, 98, 2);
        assert_eq!(recent.error_rate(began), (0.02, 100));
        recent.add(began + Duration::from_secs(100), 100, 0);
        assert_eq!(recent.error_rate(began + Duration::from_secs(100)), (0.01, 200));
        assert_eq!(recent.error_rate(began + Duration::from_secs(305)), (0.0, 100));
        assert_eq!(recent.error_rate(began + Duration::from_secs(900)), (0.0, 0));
    }
}
