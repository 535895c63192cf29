//! Tells central every ten seconds how the edge is and how far its ledger got, and once more when it stops; hears what
//! people at headquarters said of this warehouse's alerts, and the rules they made for it. Also the pulse by which the
//! buffer looks after its stores, with or without a central.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::clock;
use common::ids::{EdgeId, WarehouseId};
use common::lifecycle::LifeSign;
use common::protocol::{
    FACTS_MAX, HEARTBEAT_INTERVAL_SECS, Heartbeat, HeartbeatAnswer, LACKING_MAX, LaneReport, RedisReport, SpillReport,
};
use common::site::SiteReport;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::alerts::rules::Follower;
use crate::archive::{Answered, Verdict};
use crate::buffer::{Lane, LiveState};
use crate::central_client::CentralClient;
use crate::http::State;
use crate::site::SiteConfig;

/// The rates of intake and drain are taken over this many beats: a minute.
const RATE_BEATS: usize = 6;

/// How long the last beat may take: others are to stop after us, and all within the lifecycle's deadline.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// Whom to tell, and as whom.
pub struct Headquarters {
    pub client: CentralClient,
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
    /// Who does what it says of the rules.
    pub follower: Arc<Follower>,
    pub site: Arc<Told>,
}

/// What headquarters is told of `[site]`: in full only when it asks, as it changes with the configuration at most.
pub struct Told {
    report: Mutex<(SiteReport, String)>,
    wanted: AtomicBool,
}

impl Told {
    pub fn new(site: &SiteConfig) -> Self {
        Self { report: Mutex::new(Self::report(site)), wanted: AtomicBool::new(false) }
    }

    /// It is called otherwise from now on; headquarters asks once it sees another digest.
    pub fn set(&self, site: &SiteConfig) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = Self::report(site);
    }

    /// With its digest.
    fn report(site: &SiteConfig) -> (SiteReport, String) {
        let mut report = site.report();
        let left_out = report.shorten();
        if left_out > 0 {
            warn!("[site] names more than headquarters takes; {left_out} names are not told there");
        }
        let digest = report.digest();
        (report, digest)
    }

    fn said(&self) -> (SiteReport, String) {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The report, if the last answer asked for it.
    fn due(&self) -> Option<SiteReport> {
        self.wanted.swap(false, Ordering::Relaxed).then(|| self.said().0)
    }
}

/// How much there was at a beat.
struct Sample {
    at: DateTime<Utc>,
    accepted: u64,
    buffered: u64,
}

/// The heartbeat. See the module.
pub struct Pulse {
    pub state: Arc<State>,
    /// `None`: no central is configured; the buffer is looked after all the same.
    pub headquarters: Option<Headquarters>,
}

impl Pulse {
    /// Beats until `stop`, and once more then.
    ///
    /// # Errors
    /// None; the type fits a lifecycle stage.
    pub async fn run(self, sign: LifeSign, stop: CancellationToken) -> anyhow::Result<()> {
        let mut samples = VecDeque::with_capacity(RATE_BEATS + 1);
        let mut beats = tokio::time::interval(Duration::from_secs(HEARTBEAT_INTERVAL_SECS));
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            sign.show();
            tokio::select! {
                // Time for the next.
                _ = beats.tick() => {
                    if self.beat(&mut samples, &stop, false).await {
                        beats.reset_immediately();
                    }
                }
                // The last one says that this is by plan.
                () = stop.cancelled() => {
                    let _more_next_time = self.beat(&mut samples, &stop, true).await;
                    return Ok(());
                }
            }
        }
    }

    /// Whether the next one should go at once: either side has more to say than fits into one beat, or headquarters wants to
    /// hear more.
    async fn beat(&self, samples: &mut VecDeque<Sample>, stop: &CancellationToken, stopping: bool) -> bool {
        let state = &self.state;
        state.buffer.probe().await;
        let contents = state.buffer.contents();
        state.metrics.buffered(Lane::Live, contents.live_records);
        state.metrics.buffered(Lane::Backlog, contents.backlog_records);
        if let Some(until) = state.certificate.not_after() {
            state.metrics.certificate_end_seconds.set(until.timestamp());
        }
        samples.push_back(Sample {
            at: clock::now(),
            accepted: state.metrics.accepted_total(),
            buffered: contents.backlog_records,
        });
        if samples.len() > RATE_BEATS + 1 {
            samples.pop_front();
        }
        *state.outlook.lock().unwrap_or_else(PoisonError::into_inner) = outlook(state, samples);
        let Some(headquarters) = &self.headquarters else { return false };
        let archive = &state.archive;
        let heads = archive.heads_to_tell().await;
        if let Some(heads) = &heads {
            state.buffer.recall(heads);
        }
        let (asked, receipts) = (archive.ask_database(), archive.receipts());
        let facts_after = if stopping { None } else { self.facts_until(headquarters).await };
        let heartbeat = self.compose(headquarters, facts_after, stopping);
        let told_site = heartbeat.site.is_some();
        let sent_at = clock::now();
        let enough = async {
            stop.cancelled().await;
            if stopping {
                tokio::time::sleep(LAST_TIMEOUT).await;
            }
        };
        let answer = tokio::select! {
            answer = headquarters.client.send_heartbeat(&heartbeat) => answer,
            // Told to stop: the last one is still to be said.
            () = enough => return false,
        };
        match answer {
            Ok(answer) => {
                let now = clock::now();
                state.link.succeeded(now, false);
                // Half the way there and back, as NTP does it.
                let middle = sent_at + (now - sent_at) / 2;
                state.set_clock_offset_ms((middle - answer.server_time).num_milliseconds());
                let more = state.buffer.told(&heartbeat.epochs);
                // Else there may be more that it lacks of them.
                if answer.lacking.len() < LACKING_MAX {
                    state.buffer.settle(&answer.settled).await;
                }
                debug!("Central has a heartbeat");
                let verdict = archive.hear(answer.database.as_ref(), &asked);
                let unchecked = verdict == Verdict::Unchecked && heads.is_none();
                if let Some(database) = answer.database.clone()
                    && verdict != Verdict::Alternating
                    && !unchecked
                {
                    let reported = heartbeat.epochs.iter().map(|report| (report.epoch, report.head)).collect();
                    archive
                        .take(
                            Answered { database, heads: reported, lacking: answer.lacking.clone(), receipts },
                            heads.is_some(),
                        )
                        .await;
                }
                let more = more | (unchecked && !stopping);
                headquarters.site.wanted.store(answer.site_wanted, Ordering::Relaxed);
                // Once is enough: what it did not take just now it will not take a moment later.
                let mut more = more | (answer.site_wanted && !told_site);
                if let Some(set) = answer.rules.clone().filter(|_| !stopping) {
                    more |= headquarters.follower.take(set).await;
                }
                more | self.take_facts(headquarters, answer).await
            }
            Err(error) => {
                state.link.failed(clock::now(), error);
                false
            }
        }
    }

    /// How far headquarters' facts are on our disk; `None` if the history cannot be asked, so none are sent in vain.
    async fn facts_until(&self, headquarters: &Headquarters) -> Option<u64> {
        let warehouse = headquarters.warehouse_id;
        self.state.history.ask(clock::now(), move |store| store.facts_until(warehouse)).await.ok()
    }

    /// Keeps what headquarters said, and only then how far we have it. What fails is sent again with the next answer.
    async fn take_facts(&self, headquarters: &Headquarters, answer: HeartbeatAnswer) -> bool {
        let HeartbeatAnswer { facts, facts_until, .. } = answer;
        let (count, warehouse) = (facts.len(), headquarters.warehouse_id);
        if count == 0 {
            return false;
        }
        for fact in facts {
            if let Err(error) = self.state.desk.apply_fact(fact).await {
                debug!("What headquarters said waits for the history: {error}");
                return false;
            }
        }
        let kept = self.state.history.ask(clock::now(), move |store| store.set_facts_until(warehouse, facts_until));
        kept.await.is_ok() && count >= FACTS_MAX
    }

    fn compose(&self, headquarters: &Headquarters, facts_after: Option<u64>, stopping: bool) -> Heartbeat {
        let state = &self.state;
        let now = clock::now();
        let (contents, probe) = (state.buffer.contents(), state.buffer.last_probe());
        let age = |ms: Option<i64>| ms.map(|ms| now.timestamp_millis().saturating_sub(ms).max(0).unsigned_abs());
        let outlook = state.outlook();
        Heartbeat {
            edge_id: headquarters.edge_id,
            warehouse_id: headquarters.warehouse_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: state.started_at,
            sent_at: now,
            stopping,
            health: state.health(now),
            epochs: state.buffer.epoch_reports(),
            accepted: state.metrics.accepted_total(),
            rejected: state.metrics.rejected_total(),
            live: LaneReport {
                records: contents.live_records,
                bytes: contents.live_bytes,
                oldest_age_ms: age(probe.live_oldest_ms.map(u64::cast_signed)).filter(|_| contents.live_records > 0),
            },
            backlog: LaneReport {
                records: contents.backlog_records,
                bytes: contents.backlog_bytes,
                oldest_age_ms: age(probe.spill.oldest_ms).filter(|_| contents.backlog_records > 0),
            },
            spill: SpillReport {
                bytes_free: probe.spill.bytes_free,
                hours_left: outlook.room_hours,
                full: probe.spill.full,
                disk_bytes_free: probe.spill.disk_bytes_free,
            },
            redis: match state.buffer.live_state() {
                LiveState::Absent => RedisReport::Absent,
                LiveState::Ready { weak: None } => RedisReport::Ready,
                LiveState::Ready { weak: Some(_) } | LiveState::Weak { .. } => RedisReport::Weak,
                LiveState::Down { .. } => RedisReport::Down,
            },
            drain_seconds: outlook.drain_seconds,
            dead_letters: probe.spill.dead_letters,
            cameras: state.cameras.reports(),
            facts_after,
            site_digest: Some(headquarters.site.said().1),
            site: headquarters.site.due(),
            rules: Some(state.rules.report()),
        }
    }
}

/// How long the buffer lasts and how soon it is empty, at the last minute's rates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outlook {
    /// Events.
    pub accepted_per_second: f64,
    /// `None` while nothing comes in.
    pub room_hours: Option<f64>,
    /// `None` if there is no backlog, or it does not shrink.
    pub drain_seconds: Option<f64>,
}

/// Events a second.
#[derive(Clone, Copy)]
struct Rates {
    accepted: f64,
    /// By how much the backlog shrinks; negative while it grows.
    drained: f64,
}

fn outlook(state: &State, samples: &VecDeque<Sample>) -> Outlook {
    let Some(rates) = rates(samples) else { return Outlook::default() };
    let (contents, spill) = (state.buffer.contents(), state.buffer.last_probe().spill);
    let bytes_per_record = 1_400.0_f64.max(mean_bytes(&contents));
    Outlook {
        accepted_per_second: rates.accepted,
        room_hours: (rates.accepted > 0.0)
            .then(|| spill.bytes_free as f64 / bytes_per_record / rates.accepted / 3_600.0),
        drain_seconds: (contents.backlog_records > 0 && rates.drained > 0.0)
            .then(|| contents.backlog_records as f64 / rates.drained),
    }
}

fn rates(samples: &VecDeque<Sample>) -> Option<Rates> {
    let (first, last) = (samples.front()?, samples.back()?);
    let secs = (last.at - first.at).as_seconds_f64();
    (secs > 0.0).then(|| Rates {
        accepted: (last.accepted - first.accepted) as f64 / secs,
        drained: (first.buffered as f64 - last.buffered as f64) / secs,
    })
}

fn mean_bytes(contents: &crate::buffer::Contents) -> f64 {
    if contents.backlog_records == 0 { 0.0 } else { contents.backlog_bytes as f64 / contents.backlog_records as f64 }
}
