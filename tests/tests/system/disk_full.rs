//! A full disk: the edge must say so, keep what it has, drain while the disk is still full, and go on without a restart.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use tests::checker;
use tests::dir::Dir;
use tests::events::simulated;
use tests::link::Wire;
use tests::stack::{Options, Stack};
use tests::wait;

use crate::{options, skip};

/// A disk of some ten thousand events.
const DISK: &str = "size=40m";
/// What fits it: a floor, and room to delete, which is half the default.
const SPILL: &str = "disk_free_min = 4194304\nballast_bytes = 8388608";
/// More than fit the disk.
const EVENTS: usize = 40_000;

/// A tmpfs, unmounted at the end.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// `None` where we may not mount.
    fn mount(dir: &Dir) -> anyhow::Result<Option<Self>> {
        let path = dir.sub("disk")?;
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(&path).output();
        Ok(mount.is_ok_and(|output| output.status.success()).then_some(Self { path }))
    }

    /// Fills it to the last byte.
    fn fill(&self) -> PathBuf {
        let path = self.path.join("somebody-elses-file");
        // It fails when there is no room left, which is what is wanted.
        drop(Command::new("dd").args(["if=/dev/zero", "bs=4096"]).arg(format!("of={}", path.display())).output());
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.path).output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_drained_and_forgotten() -> anyhow::Result<()> {
    let dir = Dir::new()?;
    let Some(disk) = Disk::mount(&dir)? else {
        return skip("a full disk: only root may mount a small tmpfs");
    };
    let options = Options {
        linked: true,
        edge_redis: false,
        data_dir: Some(disk.path.join("data")),
        spill: Some(SPILL.to_owned()),
        ..options()
    };
    let stack = Stack::start(options).await?;
    stack.explain(fill_and_drain(&stack, &disk)).await
}

async fn fill_and_drain(stack: &Stack, disk: &Disk) -> anyhow::Result<()> {
    let (edge, camera) = (&stack.edges[0], stack.camera(0)?);
    let pid = edge.service().pid();
    stack.links[0].set(Wire::Cut);
    let mut refused = None;
    for batch in simulated(edge.warehouse_id, EVENTS, 1).chunks(100) {
        let body = serde_json::to_string(batch)?;
        let answer = camera.post("application/json", None, body).await?;
        if answer.status == 507 {
            refused = Some(answer);
            break;
        }
        ensure!(answer.status == 202, "{answer:?}");
        camera.note(batch, &answer.verdicts()?);
    }
    let refused = refused.context("the disk never filled")?;
    ensure!(refused.retry_after.is_some() && refused.field("code").is_some(), "{refused:?}");
    let health = edge.health().await?;
    ensure!(health["status"] != "healthy", "the disk is full and health says {health}");
    ensure!(stack.ledger.acknowledged() > 1_000, "{} fitted the disk", stack.ledger.acknowledged());

    // Now not a byte is left, and still it must drain.
    let foreign = disk.fill();
    ensure!(free_bytes(&disk.path)? < 64 * 1024, "the disk was not filled");
    stack.links[0].heal();
    drained(stack).await?;
    std::fs::remove_file(foreign).context("remove the foreign file")?;

    let more = simulated(edge.warehouse_id, 500, 2);
    tokio::time::timeout(wait::SOON, camera.deliver_all(&more, 100))
        .await
        .context("takes nothing after the drain")??;
    ensure!(edge.service().pid() == pid, "the edge was restarted");
    checker::check(stack).await.map(drop)
}

async fn drained(stack: &Stack) -> anyhow::Result<()> {
    wait::until("the backlog to drain from a full disk", wait::DRAIN, || async {
        let buffered = stack.edges[0].stats().await?.buffered;
        ensure!(buffered.live + buffered.backlog == 0, "{buffered:?}");
        Ok(Some(()))
    })
    .await
}

fn free_bytes(path: &Path) -> anyhow::Result<u64> {
    let stat = rustix::fs::statvfs(path).context("statvfs")?;
    Ok(stat.f_bavail * stat.f_frsize)
}
