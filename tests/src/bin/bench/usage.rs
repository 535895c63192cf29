//! What processes cost: processor time and memory, from `/proc`.

use std::time::Duration;

use anyhow::Context as _;

/// Linux says processor time in these; it has been 100 a second on every architecture for decades.
const TICKS_PER_SEC: f64 = 100.0;

/// A process and how much it had used when this was made. Postgres counts with all its children.
pub struct Meter {
    pub name: String,
    pid: u32,
    start: Duration,
}

impl Meter {
    pub fn start(name: &str, pid: Option<u32>) -> anyhow::Result<Self> {
        let pid = pid.with_context(|| format!("{name} does not run"))?;
        Ok(Self { name: name.to_owned(), pid, start: tree_time(pid)? })
    }

    /// Processor time since the start.
    pub fn spent(&self) -> anyhow::Result<Duration> {
        Ok(tree_time(self.pid)?.saturating_sub(self.start))
    }

    /// The most memory the process had at a time, in MiB.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        self.memory_mib("VmHWM:")
    }

    /// The memory the process has now, in MiB.
    pub fn resident_mib(&self) -> anyhow::Result<f64> {
        self.memory_mib("VmRSS:")
    }

    fn memory_mib(&self, name: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).context("read status")?;
        let kib =
            status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        Ok(kib.with_context(|| format!("no {name}"))? / 1024.0)
    }
}

fn tree_time(pid: u32) -> anyhow::Result<Duration> {
    let mut time = own_time(pid).with_context(|| format!("process {pid}"))?;
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        // A child may end between listing and looking; its time is then in its parent's.
        time += tree_time(child).unwrap_or_default();
    }
    Ok(time)
}

/// Of the process, and of its children that have ended.
fn own_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read stat")?;
    // The name in parentheses may hold anything; the numbers come after it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 =
        fields.get(11..15).context("stat is short")?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SEC))
}
