//! Events to send: simulated ones, or the recorded set where it is there.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use common::clock;
use uuid::Uuid;

pub use edge::simulate::scene::{Scene, Snapshot};

/// The two warehouses of the recorded set.
pub const NORTH: Uuid = Uuid::from_u128(0x366ed0a5_3794_5421_a05c_cd4828bbf97c);
pub const SOUTH: Uuid = Uuid::from_u128(0x7c6f5b73_d1d5_5365_8db0_2f0a6d78a858);

/// Cameras of a simulated warehouse.
const CAMERAS: usize = 8;

/// `count` simulated events of a warehouse, a tenth of a second apart, the last of them now.
pub fn simulated(warehouse_id: Uuid, count: usize, seed: u64) -> Vec<Snapshot> {
    let mut scene = Scene::new(warehouse_id, CAMERAS, seed);
    let now = clock::now();
    let step = TimeDelta::milliseconds(100);
    (1..=count)
        .map(|n| scene.snapshot(now - step * i32::try_from(count - n).expect("tests send fewer than 2^31 events")))
        .collect()
}

/// The recorded set: `SMARTPICK_DATA`, else beside the repository.
pub fn recorded_file() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/events-real.jsonl.zst");
    let path = std::env::var_os("SMARTPICK_DATA").map_or(beside, PathBuf::from);
    path.is_file().then_some(path)
}

/// The events of a recorded file, their times moved as one so that the last is now.
///
/// # Errors
/// If the file cannot be read or a line is no event.
pub fn recorded(path: &Path) -> anyhow::Result<Vec<Snapshot>> {
    let file = edge::simulate::open(path)?;
    let mut events = Vec::new();
    for (number, line) in file.lines().enumerate() {
        let line = line.context("cannot read the recorded events")?;
        let event: Snapshot =
            serde_json::from_str(&line).with_context(|| format!("{} line {}", path.display(), number + 1))?;
        events.push(event);
    }
    let sent = |event: &Snapshot| event.ingest_time.map_or(event.event_time, |time| time.max(event.event_time));
    let last: Option<DateTime<Utc>> = events.iter().map(sent).max();
    if let Some(last) = last {
        let move_by = (clock::now() - last).num_milliseconds();
        let move_by = TimeDelta::milliseconds(move_by);
        for event in &mut events {
            event.event_time = (event.event_time + move_by).trunc_subsecs(6);
            event.ingest_time = event.ingest_time.map(|time| (time + move_by).trunc_subsecs(6));
        }
    }
    Ok(events)
}
