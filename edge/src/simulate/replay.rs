//! Recorded events from a file of JSON lines, plain or zstd, one after the other with their original pauses.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::client::Item;

/// What happens to the times of recorded events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Times {
    /// Moved as one, so that the first event is now; at a speed other than 1, so that the last is, and none lies in
    /// the future.
    Shift,
    /// Left as they are.
    Recorded,
}

#[derive(Deserialize)]
struct LineTimes {
    event_time: DateTime<Utc>,
    ingest_time: Option<DateTime<Utc>>,
}

impl LineTimes {
    fn sent(&self) -> DateTime<Utc> {
        self.ingest_time.unwrap_or(self.event_time)
    }
}

/// The file's span, found by a first pass.
pub struct Plan {
    first: DateTime<Utc>,
    move_by: TimeDelta,
    /// 0 = as fast as the edge takes them.
    speed: f64,
}

impl Plan {
    /// Reads the file once for its first and last time.
    ///
    /// # Errors
    /// If the file cannot be read or holds no event.
    pub fn read(path: &Path, times: Times, speed: f64, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let (mut first, mut last) = (None, None);
        for line in open(path)?.lines() {
            let line = line.with_context(|| format!("cannot read {}", path.display()))?;
            if let Ok(times) = serde_json::from_str::<LineTimes>(&line) {
                let sent = times.sent();
                first.get_or_insert(sent);
                last = last.max(Some(sent.max(times.event_time)));
            }
        }
        let (Some(first), Some(last)) = (first, last) else {
            anyhow::bail!("{} holds no event with an event_time; it must be JSON lines", path.display());
        };
        let move_by = match times {
            Times::Recorded => TimeDelta::zero(),
            Times::Shift => now - if speed == 1.0 { first } else { last },
        };
        Ok(Self { first, move_by, speed })
    }

    /// When, after the start, an event of this line is sent; and its text with moved times. A line that is no event is
    /// sent as it is, so that the edge can say what is wrong with it.
    pub fn place(&self, line: &str, warehouse: Option<Uuid>) -> Option<(Duration, Item)> {
        let Ok(times) = serde_json::from_str::<LineTimes>(line) else {
            return Some((Duration::ZERO, Item { id: None, json: line.to_owned() }));
        };
        let Ok(mut fields) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(line) else {
            return Some((Duration::ZERO, Item { id: None, json: line.to_owned() }));
        };
        let id_in = |name: &str| fields.get(name).and_then(|raw| serde_json::from_str::<Uuid>(raw.get()).ok());
        if warehouse.is_some() && id_in("warehouse_id") != warehouse {
            return None;
        }
        let id = id_in("event_id");
        for (name, time) in [("event_time", Some(times.event_time)), ("ingest_time", times.ingest_time)] {
            if let Some(time) = time.filter(|_| !self.move_by.is_zero()) {
                let raw = serde_json::value::to_raw_value(&(time + self.move_by)).expect("a time is a JSON string");
                fields.insert(name.to_owned(), raw);
            }
        }
        let json = serde_json::to_string(&fields).expect("raw JSON written to memory cannot fail");
        let after = (times.sent() - self.first).to_std().unwrap_or_default();
        let after = if self.speed == 0.0 { Duration::ZERO } else { after.div_f64(self.speed) };
        Some((after, Item { id, json }))
    }
}

/// The file's lines, unpacked if its name ends in `.zst`.
///
/// # Errors
/// If it cannot be opened.
pub fn open(path: &Path) -> anyhow::Result<BufReader<Box<dyn Read + Send>>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let packed = path.extension().is_some_and(|extension| extension == "zst");
    let reader: Box<dyn Read + Send> = if packed {
        Box::new(zstd::Decoder::new(file).with_context(|| format!("{} is not zstd", path.display()))?)
    } else {
        Box::new(file)
    };
    Ok(BufReader::with_capacity(256 * 1024, reader))
}
