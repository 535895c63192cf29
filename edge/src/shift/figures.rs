//! Each camera's figures, minute by minute, from accepted events.
//!
//! Seconds are bits of their minute: a second counts as observed if an event came from it, as at risk if one of those
//! had a score at or above the first rule's threshold. So it does not matter in which order events come or whether
//! some come late, nothing counts twice, and several cameras of a zone add up to the time in which *any* saw something,
//! never to more than there was. What it does not know: two people in front of a camera count once, and a second
//! in which nobody was in view looks like one in which the camera was dead.

use std::collections::HashMap;
use std::sync::Arc;

use common::event::{Hundredths, Source};
use common::ids::ZoneId;

use crate::alerts::Observation;
use crate::alerts::history::Minute;

/// Minutes of cameras waiting to be written: a thousand cameras through twenty minutes of a stuck disk. Beyond it new
/// ones are left out, which is counted.
const CELLS_MAX: usize = 20_000;

type Cell = (i64, ZoneId, Arc<str>);

/// What has not been written yet.
pub struct Figures {
    at_risk_from: Hundredths,
    cells: HashMap<Cell, Minute>,
    /// Events left out.
    pub left_out: u64,
}

impl Figures {
    pub fn new(at_risk_from: Hundredths) -> Self {
        Self { at_risk_from, cells: HashMap::new(), left_out: 0 }
    }

    /// Other rules are in force. What was counted stays as it was.
    pub fn at_risk_from(&mut self, score: Hundredths) {
        self.at_risk_from = score;
    }

    /// Counts an event in its own minute. Entries made by hand say nothing of a stretch of time and are left out.
    pub fn add(&mut self, seen: &Observation) {
        if seen.source == Source::Manual {
            return;
        }
        let seconds = seen.event_time.timestamp();
        let (minute, second) = (seconds.div_euclid(60), seconds.rem_euclid(60));
        let bit = 1 << second;
        self.merge(Minute {
            minute,
            zone_id: seen.zone_id,
            camera_id: Arc::clone(&seen.camera_id),
            events: 1,
            observed: bit,
            at_risk: if seen.risk_score >= self.at_risk_from { bit } else { 0 },
            peak: seen.risk_score,
        });
    }

    /// All of it, to be written. What could not be comes back by [`Figures::give_back`].
    pub fn take(&mut self) -> Vec<Minute> {
        self.cells.drain().map(|(_, minute)| minute).collect()
    }

    pub fn give_back(&mut self, minutes: Vec<Minute>) {
        minutes.into_iter().for_each(|minute| self.merge(minute));
    }

    fn merge(&mut self, one: Minute) {
        let key = (one.minute, one.zone_id, Arc::clone(&one.camera_id));
        if let Some(cell) = self.cells.get_mut(&key) {
            cell.events += one.events;
            cell.observed |= one.observed;
            cell.at_risk |= one.at_risk;
            cell.peak = cell.peak.max(one.peak);
        } else if self.cells.len() < CELLS_MAX {
            self.cells.insert(key, one);
        } else {
            self.left_out += one.events;
        }
    }
}
