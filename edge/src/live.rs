//! What screens see while it happens: one place that knows the present and numbers its changes.

use common::alert::ShiftSnapshotEvent;
use serde::Serialize;

use crate::alerts::AlertView;

/// The present, and those who watch it.
#[derive(Default)]
pub struct Hub;

impl Hub {
    /// An alert is new or has changed.
    pub fn alert(&self, _alert: AlertView) {}

    /// Latest events, already thinned out to what a screen can use.
    pub fn snapshots(&self, _snapshots: Vec<ShiftSnapshotEvent>) {}

    /// How the edge is now.
    pub fn health<H: Serialize>(&self, _health: &H) {}
}
