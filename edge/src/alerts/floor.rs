//! The one task that turns accepted events into what the floor sees. It gives the engine and the system's watch their
//! input, shows what they say at once, and has it kept.
//!
//! Showing does not wait for keeping: with a full or broken disk alerts still appear, and health says that they are not
//! kept. What is to be kept is marked on the board; one write is on its way at a time, and takes whatever changed
//! meanwhile with the next. A fact that somebody states is shown and answered only once it is on disk.
//!
//! What dying loses: observations that were accepted but not yet judged (the events themselves are in the buffer), the
//! last seconds of an open alert's curve, and up to [`FIGURES_TICKS`] of a shift's figures.

mod health;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::alert::{Severity, ShiftSnapshotEvent, Subject};
use common::clock;
use common::ids::ZoneId;
use common::lifecycle::LifeSign;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::board::{Board, CLEARED_SHOWN, Identity};
use super::engine::Engine;
use super::facts::Say;
use super::history::{Batch, HistoryError, Written};
use super::rules::{Rule, Swap};
use super::system::{Findings, Thresholds, Watch};
use super::{Change, Observation};
use crate::http::State;
use crate::live::Publish as _;
use crate::reload::Settings;
use crate::shift::figures::Figures;
use health::Teller;

/// Observations taken in one turn, so that ticks and people get theirs.
const TURN: usize = 1_024;
/// The engine's tick, and how often screens get new snapshots.
const TICK: Duration = Duration::from_millis(250);
/// Ticks between two looks at the system: a second.
const LOOK_TICKS: u64 = 4;
/// Ticks between two writes of shift figures: five seconds. Each write is an fsync.
const FIGURES_TICKS: u64 = 20;
/// Ticks between two writes of alerts that have only grown.
const GROWN_TICKS: u64 = 40;
/// After a write that failed the next is tried this much later, unless somebody waits for it.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How long raising an alert waits for the history to say whether it is an old one.
const RECALL_TIMEOUT: Duration = Duration::from_millis(500);
/// After that it is not asked for a while: an old alert that comes once more is better than a new one that waits.
const RECALL_PAUSE: Duration = Duration::from_secs(30);
/// How long the last write may take once we stop.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(3);
/// Zones and cameras whose latest event is held for the next tick; beyond it further ones wait for theirs.
const SNAPSHOTS_MAX: usize = 2_000;

/// A write on its way.
struct Writing {
    task: JoinHandle<Result<Written, HistoryError>>,
    batch: Arc<Batch>,
    /// Who waits for it, in the order of the batch's facts.
    says: Vec<Say>,
}

/// The floor. See the module.
pub struct Floor {
    // What it works with.
    state: Arc<State>,
    observations: mpsc::Receiver<Observation>,
    says: mpsc::Receiver<Say>,
    swaps: mpsc::Receiver<Swap>,
    settings: mpsc::Receiver<Settings>,
    filled: Arc<tokio::sync::Notify>,

    // Who decides.
    engine: Engine,
    watch: Watch,

    // What it remembers.
    board: Board,
    figures: Figures,
    teller: Teller,
    latest: HashMap<(ZoneId, Arc<str>), ShiftSnapshotEvent>,
    changes: Vec<Change>,
    late: u64,
    ticks: u64,

    // What is to be kept.
    waiting: Vec<Say>,
    grown_due: bool,
    figures_due: bool,
    writing: Option<Writing>,
    retry_at: Option<Instant>,
    /// The history was too slow to be asked; not before then.
    recall_again_at: Option<Instant>,
    generation: u64,
}

/// What reaches the floor.
pub struct Inputs {
    pub observations: mpsc::Receiver<Observation>,
    pub says: mpsc::Receiver<Say>,
    /// Other rules.
    pub swaps: mpsc::Receiver<Swap>,
    /// The configuration was read again.
    pub settings: mpsc::Receiver<Settings>,
}

impl Floor {
    /// `filled` is told when there may be something for headquarters.
    pub fn new(state: Arc<State>, inputs: Inputs, thresholds: Thresholds, filled: Arc<tokio::sync::Notify>) -> Self {
        let rules = state.rules.get();
        let identity = Identity { warehouse_id: state.warehouse_id, edge_id: state.edge_id };
        Self {
            engine: Engine::new(&rules.rules),
            watch: Watch::new(thresholds),
            board: Board::new(state.site(), identity, &rules.rules),
            figures: Figures::new(rules.at_risk_from()),
            teller: Teller::default(),
            observations: inputs.observations,
            says: inputs.says,
            swaps: inputs.swaps,
            settings: inputs.settings,
            state,
            filled,
            latest: HashMap::new(),
            changes: Vec::new(),
            late: 0,
            ticks: 0,
            waiting: Vec::new(),
            grown_due: false,
            figures_due: false,
            writing: None,
            retry_at: None,
            recall_again_at: None,
            generation: 0,
        }
    }

    /// Runs until all that was accepted before `stop` is evaluated and kept.
    ///
    /// # Errors
    /// None; the type fits a lifecycle stage.
    pub async fn run(mut self, sign: LifeSign, stop: CancellationToken) -> anyhow::Result<()> {
        self.restore().await;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = Vec::with_capacity(TURN);
        loop {
            sign.show();
            tokio::select! {
                // Accepted events.
                _ = self.observations.recv_many(&mut turn, TURN) => self.observe(turn.drain(..)).await,
                // Somebody says something of an alert.
                Some(say) = self.says.recv() => self.waiting.push(say),
                // Headquarters or the configuration has other rules.
                Some(swap) = self.swaps.recv() => self.swap(swap).await,
                // The configuration has other names or thresholds.
                Some(settings) = self.settings.recv() => self.settle(settings),
                // What was to be kept is on disk, or is not.
                written = written(&mut self.writing) => self.written(written),
                // Time passes.
                _ = ticks.tick() => self.tick(clock::now()).await,
                // The intake has stopped; what it handed over is still here.
                () = stop.cancelled() => {
                    self.observations.close();
                    while self.observations.recv_many(&mut turn, TURN).await > 0 {
                        self.observe(turn.drain(..)).await;
                    }
                    self.finish().await;
                    return Ok(());
                }
            }
            self.keep();
        }
    }

    /// Goes on where the last run stopped: what was open is open.
    async fn restore(&mut self) {
        let now = clock::now();
        let asked =
            self.state.history.ask(now, move |store| Ok((store.recent(now - CLEARED_SHOWN)?, store.silences())));
        match asked.await {
            Ok((found, silences)) => {
                self.board.silences(silences);
                self.board.restore(found);
            }
            Err(error) => warn!("Alerts of the last run are not known: {error}"),
        }
        let open = self.board.open_episodes();
        if !open.is_empty() {
            info!("{} alerts were open when the last run ended, and go on", open.len());
        }
        for episode in open {
            match episode.subject {
                Subject::Risk => self.engine.resume(episode),
                Subject::System => self.watch.resume(episode),
            }
        }
        self.show(true, now);
    }

    async fn observe(&mut self, observations: impl Iterator<Item = Observation>) {
        for one in observations {
            self.engine.observe(&one, &mut self.changes);
            self.figures.add(&one);
            self.remember_latest(&one);
        }
        self.take_changes(clock::now()).await;
    }

    /// Goes by other rules from the next observation on.
    async fn swap(&mut self, Swap { rules, done }: Swap) {
        let now = clock::now();
        // What was late under the rules before is counted first.
        self.count(now);
        self.engine.replace(&rules.rules, now, &mut self.changes);
        self.late = self.late_total();
        self.take_changes(now).await;
        self.board.rules(&rules.rules);
        self.figures.at_risk_from(rules.at_risk_from());
        self.state.entrance.want_keypoints_from(rules.keypoints_from());
        let before = self.state.rules.get();
        self.state.alert_metrics.replace(labels(&before.rules), labels(&rules.rules));
        self.state.rules.set(rules);
        // Who asked may have gone away; they are in force all the same.
        let _told = done.send(());
    }

    /// Goes by other names and thresholds; what is open is shown with them.
    fn settle(&mut self, Settings { site, thresholds }: Settings) {
        self.watch.thresholds(thresholds);
        self.board.site(site);
        self.show(true, clock::now());
    }

    async fn tick(&mut self, now: DateTime<Utc>) {
        self.ticks += 1;
        let look = self.ticks.is_multiple_of(LOOK_TICKS);
        self.engine.tick(now, &mut self.changes);
        if look {
            let (cameras, probe) = (self.state.cameras.reports(), self.state.buffer.last_probe());
            let link = self.state.has_central.then(|| self.state.link.get());
            let findings = Findings::new(cameras, &probe, link);
            self.watch.look(now, &findings, &mut self.changes);
        }
        self.take_changes(now).await;
        // What has grown, and with each look also what a silence has covered or left.
        self.show(look, now);
        if !self.latest.is_empty() {
            self.state.hub.snapshots(self.latest.drain().map(|(_, snapshot)| snapshot).collect());
        }
        if look {
            self.count(now);
            self.teller.tell(&self.state, now);
        }
        self.grown_due |= self.ticks.is_multiple_of(GROWN_TICKS);
        self.figures_due |= self.ticks.is_multiple_of(FIGURES_TICKS);
    }

    fn count(&mut self, now: DateTime<Utc>) {
        let unkept = self.board.forget(now);
        if unkept > 0 {
            warn!("{unkept} cleared alerts were let go that the history never took");
        }
        let metrics = &self.state.alert_metrics;
        metrics.open.set(i64::try_from(self.board.open()).unwrap_or(i64::MAX));
        let late = self.late_total();
        metrics.late.inc_by(late.saturating_sub(self.late));
        self.late = late;
        let left_out = std::mem::take(&mut self.figures.left_out);
        if left_out > 0 {
            warn!("{left_out} events are not in the shift's figures: they wait for the disk, and there are too many");
        }
    }

    fn late_total(&self) -> u64 {
        self.engine.figures().iter().map(|(_, figures)| figures.late).sum()
    }

    /// Takes over what the engine and the watch said. What is raised or cleared is shown at once.
    async fn take_changes(&mut self, now: DateTime<Utc>) {
        let mut news = false;
        for change in std::mem::take(&mut self.changes) {
            news |= !matches!(change, Change::Updated(_));
            let Change::Raised(episode) = &change else {
                self.board.apply(change, now);
                continue;
            };
            if !self.board.has(episode.alert_id) {
                self.recall(episode.alert_id, now).await;
            }
            let (rule, severity) = (Arc::clone(&episode.rule), episode.severity);
            if self.board.apply(change, now) {
                self.state.alert_metrics.raised(&rule, severity);
            }
        }
        if news {
            self.show(false, now);
        }
    }

    /// Events that come once more, days later, name an alert that the history has: it is no second one.
    async fn recall(&mut self, alert_id: common::ids::AlertId, now: DateTime<Utc>) {
        if self.recall_again_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let found = self.state.history.ask(now, move |store| store.find(alert_id));
        // A disk that hangs must not hold up an alert, nor one after the other.
        match tokio::time::timeout(RECALL_TIMEOUT, found).await {
            Ok(Ok(Some(found))) => self.board.recall(found),
            Ok(Ok(None) | Err(_)) => {}
            Err(_) => self.recall_again_at = Some(Instant::now() + RECALL_PAUSE),
        }
    }

    fn show(&mut self, all: bool, now: DateTime<Utc>) {
        for view in self.board.changed(all, now) {
            self.state.hub.alert(view);
        }
    }

    /// Sends what is to be kept on its way, unless something is on it already: then it goes with the next.
    fn keep(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let pausing = self.retry_at.is_some_and(|at| Instant::now() < at);
        if pausing && self.waiting.is_empty() {
            return;
        }
        let says = std::mem::take(&mut self.waiting);
        let batch = Arc::new(Batch {
            alerts: self.board.to_save(std::mem::take(&mut self.grown_due)),
            facts: says.iter().map(|say| say.fact.clone()).collect(),
            minutes: if std::mem::take(&mut self.figures_due) { self.figures.take() } else { Vec::new() },
        });
        if batch.alerts.is_empty() && batch.facts.is_empty() && batch.minutes.is_empty() {
            return;
        }
        let (history, now) = (self.state.history.clone(), clock::now());
        let write = Arc::clone(&batch);
        let task = tokio::spawn(async move { history.write(write, now).await });
        self.writing = Some(Writing { task, batch, says });
    }

    fn written(&mut self, (writing, result): (Writing, Result<Written, HistoryError>)) {
        let now = clock::now();
        match result {
            Ok(written) => {
                self.retry_at = None;
                self.board.silences(written.silences);
                if written.generation != self.generation {
                    self.generation = written.generation;
                    self.board.all_unsaved();
                }
                for (say, said) in writing.says.into_iter().zip(written.said) {
                    if let Some(view) = self.board.said(said.found(), now) {
                        self.state.hub.alert(view);
                    }
                    // Who asked may have gone away; it is said all the same.
                    drop(say.reply.send(Ok(said)));
                }
                if !writing.batch.facts.is_empty() {
                    self.show(true, now);
                }
                self.filled.notify_one();
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                self.board.unsaved(&writing.batch.alerts);
                self.figures.give_back(writing.batch.minutes.clone());
                for say in writing.says {
                    drop(say.reply.send(Err(error.clone())));
                }
            }
        }
    }

    /// Writes all there is, once.
    async fn finish(&mut self) {
        let last = async {
            if let Some(written) = self.on_its_way().await {
                self.written(written);
            }
            self.retry_at = None;
            (self.grown_due, self.figures_due) = (true, true);
            self.keep();
            if let Some(written) = self.on_its_way().await {
                self.written(written);
            }
        };
        if tokio::time::timeout(LAST_WRITE_TIMEOUT, last).await.is_err() {
            warn!("The history did not take the last changes in time");
        }
    }

    async fn on_its_way(&mut self) -> Option<(Writing, Result<Written, HistoryError>)> {
        if self.writing.is_none() { None } else { Some(written(&mut self.writing).await) }
    }

    /// Screens get the latest of each zone and camera, four times a second at most.
    fn remember_latest(&mut self, one: &Observation) {
        let key = (one.zone_id, Arc::clone(&one.camera_id));
        if let Some(held) = self.latest.get(&key) {
            if held.event_time > one.event_time {
                return;
            }
        } else if self.latest.len() >= SNAPSHOTS_MAX {
            return;
        }
        let snapshot = ShiftSnapshotEvent {
            event_time: one.event_time,
            zone_id: one.zone_id,
            camera_id: one.camera_id.to_string(),
            source: one.source,
            risk_score: one.risk_score.as_f64(),
            confidence: one.confidence.as_f64(),
        };
        self.latest.insert(key, snapshot);
    }
}

/// By what the rules are counted.
pub fn labels(rules: &[Rule]) -> impl Iterator<Item = (&str, Severity)> {
    rules.iter().map(|rule| (&*rule.name, rule.severity))
}

/// The write on its way and what became of it; for ever if there is none.
async fn written(writing: &mut Option<Writing>) -> (Writing, Result<Written, HistoryError>) {
    let Some(on_its_way) = writing else { return std::future::pending().await };
    // A panic in there is as good as a history that is gone.
    let result = (&mut on_its_way.task).await.unwrap_or(Err(HistoryError::Busy));
    match writing.take() {
        Some(writing) => (writing, result),
        None => std::future::pending().await,
    }
}
