//! All persist workers of this process: as many as the lag asks for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{self, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::scaling::{Pressure, Scaler};
use super::worker::{Deps, Worker};
use crate::config::Workers;
use crate::health::Observed;

/// How often the number of workers is looked at; the lag is measured as often.
const LOOK: Duration = Duration::from_secs(1);

/// Names are not used twice in a process, so a worker that is gone is never mistaken for a new one.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Where the workers run: threads of their own. On those that answer requests a worker would wait for milliseconds, each time
/// that Postgres has answered it, until the rows of somebody's dashboard are worked through, with its transaction open.
struct Threads(Option<Runtime>);

impl Threads {
    fn new(workers_max: usize) -> std::io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(workers_max);
        let threads =
            runtime::Builder::new_multi_thread().worker_threads(threads).thread_name("persist").enable_all().build()?;
        Ok(Self(Some(threads)))
    }

    fn handle(&self) -> &runtime::Handle {
        self.0.as_ref().expect("taken only by drop").handle()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Whoever drops it may not wait for threads.
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

pub struct Crew {
    threads: Threads,
    deps: Deps,
    observed: Observed,
    scaler: Scaler,
    least: usize,
    running: Vec<(String, CancellationToken)>,
    /// At the last look: when, and how busy all workers had been until then.
    looked_at: Instant,
    busy_before: Duration,
    tasks: JoinSet<String>,
}

impl Crew {
    /// # Errors
    /// If the system gives no threads.
    pub fn new(deps: Deps, observed: Observed, config: &Workers) -> anyhow::Result<Self> {
        Ok(Self {
            threads: Threads::new(config.concurrency).context("start the persist workers' threads")?,
            deps,
            observed,
            scaler: Scaler::new(config.min, config.concurrency),
            least: config.min,
            running: Vec::new(),
            looked_at: Instant::now(),
            busy_before: Duration::ZERO,
            tasks: JoinSet::new(),
        })
    }

    /// Keeps the workers working until told to stop, then lets them finish.
    ///
    /// # Errors
    /// If a worker panicked: the process must be started anew.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.running.len() < self.least {
            self.add();
        }
        loop {
            tokio::select! {
                // We stop.
                () = stop.cancelled() => break,
                // Time to look at the lag.
                _ = look.tick() => self.scale(),
                // A worker is done, or has panicked.
                Some(ended) = self.tasks.join_next() => self.gone(&ended?),
            }
        }
        for (_, stop) in &self.running {
            stop.cancel();
        }
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }

    fn scale(&mut self) {
        let load = self.observed.load();
        let waiting = load.waiting;
        let current = self.running.len();
        let now = Instant::now();
        let busy = self.deps.progress.busy();
        let elapsed = (now - self.looked_at).as_secs_f64().max(0.001);
        let pressure = Pressure {
            waiting,
            oldest: load.oldest,
            hands: busy.saturating_sub(self.busy_before).as_secs_f64() / elapsed,
        };
        (self.looked_at, self.busy_before) = (now, busy);
        let wanted = self.scaler.decide(now, current, pressure);
        if wanted > current {
            self.add();
            info!(workers = wanted, waiting, "Added a persist worker, there are {wanted} now");
        } else if wanted < current
            && let Some((_, stop)) = self.running.pop()
        {
            stop.cancel();
            info!(workers = wanted, "Removed a persist worker, there are {wanted} now");
        }
        self.deps.metrics.workers.set(i64::try_from(self.running.len()).unwrap_or(i64::MAX));
    }

    fn add(&mut self) {
        let host = gethostname::gethostname();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{number}", host.to_string_lossy(), std::process::id());
        let stop = CancellationToken::new();
        let worker = Worker::new(self.deps.clone(), name.clone());
        self.deps.progress.worker_started(&name);
        self.running.push((name.clone(), stop.clone()));
        let work = async move {
            worker.run(stop).await;
            name
        };
        self.tasks.spawn_on(work, self.threads.handle());
    }

    fn gone(&mut self, name: &str) {
        self.deps.progress.worker_ended(name);
        self.running.retain(|(running, _)| running != name);
    }
}
