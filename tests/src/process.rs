//! Processes that cannot outlive us, and services made of them that can be killed, frozen and started again.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::wait;

/// What systemd waits before it starts a dead service again (`RestartSec` in our units).
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// Lines of a log in an error message.
const LOG_LINES: usize = 25;
/// A process that was sent its last signal is gone within this, or is stuck in the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Why we may not use `Child` directly: the kernel sends the death signal when the *thread* that forked ends, and
/// tokio's threads come and go. This one stays until the process ends.
static SPAWNER: LazyLock<SyncSender<Job>> = LazyLock::new(|| {
    let (jobs, queue) = sync_channel::<Job>(64);
    std::thread::spawn(move || {
        for mut job in queue {
            drop(job.reply.send(job.command.spawn()));
        }
    });
    jobs
});

struct Job {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// How to start a program.
#[derive(Debug, Clone)]
pub struct Spec {
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<String>,
    /// Run as this user; only root can.
    pub user: Option<&'static str>,
    /// stdout and stderr are appended to it.
    pub log: PathBuf,
    /// What ends it, sent when we die or let go of it. SIGKILL unless it would leave something behind.
    pub last_signal: Signal,
}

impl Spec {
    /// The command with the kernel's promise that it dies with us.
    pub fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        let signal = if self.last_signal == Signal::QUIT { "QUIT" } else { "KILL" };
        command.args(["--pdeathsig", signal]);
        if let Some(user) = self.user {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        command.arg("--").arg(&self.program).args(&self.args);
        // Nothing from the developer's shell may configure it (DATABASE_URL, REDIS_URL …).
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        command.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8").env("RUST_BACKTRACE", "1");
        // Ctrl-C at the terminal is for us, not for it.
        command.current_dir("/").process_group(0);
        command
    }
}

/// A running process. Clones are views of the same one.
#[derive(Clone)]
struct Process {
    pid: u32,
    exit: watch::Receiver<Option<ExitStatus>>,
}

async fn spawn(spec: &Spec) -> anyhow::Result<Process> {
    let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
    let log = open(&spec.log).with_context(|| format!("cannot write {}", spec.log.display()))?;
    let mut command = spec.command();
    command.stdin(Stdio::null()).stdout(log.try_clone().context("cannot share the log")?).stderr(log);
    let (reply, spawned) = oneshot::channel();
    SPAWNER.send(Job { command, reply }).map_err(|_| anyhow!("the spawning thread is gone"))?;
    let spawned = spawned.await.context("the spawning thread is gone")?;
    let mut child = spawned.with_context(|| format!("cannot start {} (is setpriv of util-linux there?)", spec.name))?;
    let pid = child.id();
    let (exited, exit) = watch::channel(None);
    std::thread::spawn(move || {
        // wait() fails only if somebody else has waited for it, which nobody does.
        exited.send_replace(child.wait().ok().or(Some(ExitStatus::from_raw(-1))));
    });
    Ok(Process { pid, exit })
}

impl Process {
    fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    fn signal(&self, signal: Signal) {
        if self.exit_status().is_none()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            // It may have died this moment.
            let _gone = kill_process(pid, signal);
        }
    }

    async fn exited(&mut self) -> Option<ExitStatus> {
        self.exit.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }
}

#[derive(Default)]
struct State {
    process: Option<Process>,
    /// It is meant to be down; the supervisor leaves it so.
    held_down: bool,
    restarts: u64,
}

struct Shared {
    spec: Spec,
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(&self) -> anyhow::Result<()> {
        let process = spawn(&self.spec).await?;
        let mut state = self.state();
        state.process = Some(process);
        state.held_down = false;
        Ok(())
    }
}

/// A program that can be started again with the same arguments, and so with the same port and data.
pub struct Service {
    shared: Arc<Shared>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

impl Service {
    /// Starts it. It is not ready yet: see [`Self::ready`].
    ///
    /// # Errors
    /// If the program cannot be run at all.
    pub async fn start(spec: Spec) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { spec, state: Mutex::default() });
        shared.start().await?;
        Ok(Self { shared, supervisor: Mutex::default() })
    }

    pub fn name(&self) -> &str {
        &self.shared.spec.name
    }

    /// The process now running, or the last one.
    pub fn pid(&self) -> Option<u32> {
        self.shared.state().process.as_ref().map(|process| process.pid)
    }

    /// How often the supervisor has started it again.
    pub fn restarts(&self) -> u64 {
        self.shared.state().restarts
    }

    fn process(&self) -> anyhow::Result<Process> {
        self.shared.state().process.clone().ok_or_else(|| anyhow!("{} was never started", self.name()))
    }

    /// Waits until `probe` says so. Fails at once if the process ends, with the end of its log.
    ///
    /// # Errors
    /// If it ends, or is not ready within [`wait::SOON`].
    pub async fn ready<F, Fut>(&self, probe: F) -> anyhow::Result<()>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = anyhow::Result<Option<()>>>,
    {
        let mut process = self.process()?;
        let what = format!("{} to be ready", self.name());
        let waited = tokio::select! {
            waited = wait::until(&what, wait::SOON, probe) => waited,
            status = process.exited() => Err(anyhow!("{} ended: {status:?}", self.name())),
        };
        waited.with_context(|| format!("{} did not start; its log ends:\n{}", self.name(), self.log_tail()))
    }

    /// Starts it again after [`Self::kill9`] or [`Self::stop`].
    ///
    /// # Errors
    /// If it still runs or cannot be started.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        if self.process()?.exit_status().is_none() {
            bail!("{} still runs", self.name());
        }
        self.shared.start().await
    }

    /// Kills it without a chance to tidy up, and waits until it is gone.
    ///
    /// # Errors
    /// If it is not running.
    pub async fn kill9(&self) -> anyhow::Result<()> {
        self.stop(Signal::KILL, GONE_WITHIN).await.map(drop)
    }

    /// Sends it `signal` and waits for its end.
    ///
    /// # Errors
    /// If it is not running, or still is after `within`.
    pub async fn stop(&self, signal: Signal, within: Duration) -> anyhow::Result<ExitStatus> {
        let mut process = self.process()?;
        if let Some(status) = process.exit_status() {
            bail!(
                "{} was to be stopped but had already ended: {status}; its log ends:\n{}",
                self.name(),
                self.log_tail()
            );
        }
        self.shared.state().held_down = true;
        process.signal(signal);
        let exited = tokio::time::timeout(within, process.exited()).await;
        exited
            .with_context(|| format!("{} still runs {within:?} after {signal:?}:\n{}", self.name(), self.log_tail()))?
            .ok_or_else(|| anyhow!("nobody saw {} end", self.name()))
    }

    /// Sends a signal that does not end it.
    ///
    /// # Errors
    /// If it was never started.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process()?.signal(signal);
        Ok(())
    }

    /// From now on starts it again whenever it ends by itself or by somebody else's hand, as systemd would.
    pub fn supervise(&self) {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            loop {
                let process = shared.state().process.clone();
                if let Some(mut process) = process {
                    process.exited().await;
                }
                tokio::time::sleep(RESTART_AFTER).await;
                let due = {
                    let state = shared.state();
                    !state.held_down && state.process.as_ref().is_none_or(|process| process.exit_status().is_some())
                };
                // A start that fails is tried again in a second.
                if due && shared.start().await.is_ok() {
                    shared.state().restarts += 1;
                }
            }
        });
        *self.supervisor.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// The last lines it logged, for an error message.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.shared.spec.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(task) = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        let mut state = self.shared.state();
        state.held_down = true;
        let Some(process) = state.process.take() else { return };
        drop(state);
        // A frozen process takes no signal but SIGKILL until it is thawed.
        process.signal(Signal::CONT);
        process.signal(self.shared.spec.last_signal);
        let step = Duration::from_millis(2);
        let mut left = GONE_WITHIN.as_millis() / step.as_millis();
        while process.exit_status().is_none() && left > 0 {
            std::thread::sleep(step);
            left -= 1;
        }
        process.signal(Signal::KILL);
    }
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// If it fails, with what it said on stderr.
pub async fn run(spec: Spec) -> anyhow::Result<String> {
    let mut command = spec.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output()).await.context("the waiting thread failed")?;
    let output = output.with_context(|| format!("cannot run {}", spec.name))?;
    if !output.status.success() {
        bail!("{} failed ({}): {}", spec.name, output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// One of our own binaries: beside the running one, or where `SMARTPICK_BIN_DIR` says.
///
/// # Errors
/// If it is not built.
pub fn our_binary(name: &str) -> anyhow::Result<PathBuf> {
    let dir = match std::env::var_os("SMARTPICK_BIN_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => {
            let exe = std::env::current_exe().context("cannot tell where this program is")?;
            // Tests run from target/<profile>/deps, our binaries lie one above.
            let dir = exe.parent().unwrap_or(Path::new("."));
            if dir.ends_with("deps") { dir.parent().unwrap_or(dir).to_owned() } else { dir.to_owned() }
        }
    };
    let path = dir.join(name);
    if !path.is_file() {
        bail!("{} is not built; run `make build` first", path.display());
    }
    Ok(path)
}

/// A program of the system.
///
/// # Errors
/// If it is not installed, naming the command that installs it.
pub fn system_binary(name: &str, dirs: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = dirs.iter().cloned().chain(std::env::split_paths(&path)).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.map(|dir| dir.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        anyhow!("{name} is not installed; run `make setup` (or: apt-get install redis-server postgresql)")
    })
}
