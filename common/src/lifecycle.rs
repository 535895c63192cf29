//! Starting, dying and stopping. A binary is a row of stages in the data's order; each is one task with its own
//! stop token. They are stopped in that order, so that what the first has taken in, the later ones still carry on.
//!
//! A stage that ends before it was told to takes the whole process with it, so that systemd starts it again: a
//! half-dead process is worse than a dead one. The same goes for one that hangs: see [`LifeSign`].

mod signs;
mod systemd;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use signs::{LifeSign, LifeSigns};
pub use systemd::say;

/// From the first signal to the end of the process (design: 10 s, less what the process needs to go).
const STOP_DEADLINE: Duration = Duration::from_secs(9);

/// The signals that a process goes by, heard from when this is made: before anything is opened, so that none that comes while
/// we start ends us without last words.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// # Errors
    /// If the system does not let us hear them.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listen for SIGINT")?,
            hangup: signal(SignalKind::hangup()).context("listen for SIGHUP")?,
        })
    }

    /// Somebody wants us to stop.
    pub async fn stop(&mut self) {
        tokio::select! {
            // systemd or a script.
            _ = self.terminate.recv() => {}
            // Ctrl-C.
            _ = self.interrupt.recv() => {}
        }
    }
}

struct Stage {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The stages of a running binary.
pub struct Lifecycle {
    stages: Vec<Stage>,
    died: mpsc::Sender<anyhow::Error>,
    deaths: mpsc::Receiver<anyhow::Error>,
    /// Our own first, then those of the rows that were appended.
    signs: Vec<LifeSigns>,
    sentence: Option<systemd::Sentence>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    pub fn new() -> Self {
        // One place is enough: the first death ends the process, later ones are only logged.
        let (died, deaths) = mpsc::channel(1);
        Self { stages: Vec::new(), died, deaths, signs: vec![LifeSigns::default()], sentence: None }
    }

    /// Where the signs of life of this row's stages are.
    pub fn signs(&self) -> LifeSigns {
        self.signs[0].clone()
    }

    /// What `systemctl status` shows while we run; asked every few seconds.
    pub fn says(&mut self, sentence: impl Fn() -> String + Send + Sync + 'static) {
        self.sentence = Some(Box::new(sentence));
    }

    /// Starts the next stage. `run` gets the token that tells it to finish what it has and return.
    pub fn stage<F, Fut>(&mut self, name: &'static str, run: F)
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let work = tokio::spawn(run(stop.clone()));
        let (died, stopping) = (self.died.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let error = match work.await {
                Ok(Ok(())) if stopping.is_cancelled() => return,
                Ok(Ok(())) => anyhow!("stage {name} ended by itself"),
                Ok(Err(error)) => error.context(format!("stage {name} failed")),
                Err(panic) => anyhow!("stage {name} panicked: {panic}"),
            };
            error!(stage = name, "{error:#}");
            // Full means that another stage died first; that one is the cause to report.
            drop(died.try_send(error));
        });
        self.stages.push(Stage { name, stop, task });
    }

    /// Appends another row of stages: they are stopped after those that are here already.
    pub fn then(&mut self, mut later: Self) {
        self.stages.append(&mut later.stages);
        self.signs.append(&mut later.signs);
        let died = self.died.clone();
        tokio::spawn(async move {
            while let Some(death) = later.deaths.recv().await {
                // Full means that another stage died first.
                drop(died.try_send(death));
            }
        });
    }

    /// Runs until a signal or a death, then stops all stages in order. On SIGHUP the configuration is read again by
    /// `reload`, which systemd waits for.
    ///
    /// # Errors
    /// The death that ended the process, or a stop that took too long.
    pub async fn run(mut self, mut signals: Signals, mut reload: impl AsyncFnMut()) -> anyhow::Result<()> {
        systemd::ready();
        let cause = {
            let mut telling = std::pin::pin!(systemd::keep_telling(&self.signs, self.sentence.as_ref()));
            loop {
                tokio::select! {
                    // A stage is gone.
                    death = self.deaths.recv() => break death,
                    // systemd or a person wants us to stop.
                    _ = signals.terminate.recv() => break None,
                    _ = signals.interrupt.recv() => break None,
                    // Never returns.
                    () = &mut telling => break None,
                    // The configuration may be another one.
                    _ = signals.hangup.recv() => {
                        systemd::reloading();
                        reload().await;
                        systemd::ready();
                    }
                }
            }
        };
        systemd::stopping();
        systemd::say("stopping: what was taken in is being put away");
        info!("Stopping");
        let stopped = tokio::select! {
            stopped = self.stop() => stopped,
            // A second signal: the person at the keyboard has lost patience.
            () = signals.stop() => Err(anyhow!("stopped by a second signal")),
        };
        match cause {
            Some(death) => Err(death),
            None => stopped,
        }
    }

    /// Stops all stages in the data's order, all within one deadline.
    ///
    /// # Errors
    /// Names the stage that did not stop in time; it and those after it were aborted.
    pub async fn stop(self) -> anyhow::Result<()> {
        let deadline = Instant::now() + STOP_DEADLINE;
        let mut late = None;
        for mut stage in self.stages {
            stage.stop.cancel();
            if tokio::time::timeout_at(deadline, &mut stage.task).await.is_err() {
                warn!(stage = stage.name, "Stage did not stop in time");
                stage.task.abort();
                late.get_or_insert(stage.name);
            }
        }
        late.map_or(Ok(()), |name| Err(anyhow!("stage {name} did not stop within {STOP_DEADLINE:?}")))
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn a_signal_that_comes_while_we_start_stops_what_was_started() {
        let signals = Signals::new().expect("signals");
        kill_process(getpid(), Signal::TERM).expect("sent");
        let mut life = Lifecycle::new();
        let (put_away, mut away) = mpsc::channel(1);
        life.stage("work", move |stop| async move {
            stop.cancelled().await;
            put_away.send(()).await.context("nobody waits")
        });
        let ran = tokio::time::timeout(STOP_DEADLINE, life.run(signals, async || {})).await;
        ran.expect("it was told to stop").expect("it stops well");
        assert_eq!(away.recv().await, Some(()), "what was taken in is put away");
    }
}
