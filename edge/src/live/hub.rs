//! The hub of the floor: what is published, and under which topic.

use common::alert::ShiftSnapshotEvent;
use common::clock;
use common::live::{Words, to_json};
use serde::Serialize;

use super::present::Present;
use super::topics::Topic;
use crate::alerts::AlertView;

/// The present of the floor, and those who watch it.
pub type Hub = common::live::Hub<Present>;

/// A hub for so many clients.
pub fn hub(clients_max: usize) -> Hub {
    let words = Words {
        goodbye: "the edge stops; come back",
        stopping: "this edge is about to stop; try again",
        try_instead: "try it with `smartpick-edge tail`",
    };
    Hub::new(Present::default(), clients_max, words)
}

/// What the floor tells its screens.
pub trait Publish {
    /// An alert is new or has changed.
    fn alert(&self, alert: AlertView);

    /// Latest events, already thinned out to what a screen can use. Those older than what the screens know of a camera
    /// are no news and are left out.
    fn snapshots(&self, snapshots: Vec<ShiftSnapshotEvent>);

    /// How the edge is now.
    fn health<H: Serialize>(&self, health: &H);
}

impl Publish for Hub {
    fn alert(&self, alert: AlertView) {
        let now = clock::now();
        let Some(json) = to_json(&alert) else { return };
        self.publish(|changes| {
            if changes.present().alert(&alert, &json, now) {
                changes.push(Topic::Alerts, "alert", &json);
            }
        });
    }

    fn snapshots(&self, snapshots: Vec<ShiftSnapshotEvent>) {
        self.publish(|changes| {
            let mut list = String::from("[");
            for snapshot in &snapshots {
                let Some(json) = to_json(snapshot) else { continue };
                if changes.present().snapshot(snapshot, &json) {
                    if list.len() > 1 {
                        list.push(',');
                    }
                    list.push_str(&json);
                }
            }
            if list.len() > 1 {
                list.push(']');
                changes.push(Topic::Snapshots, "snapshots", &list);
            }
        });
    }

    fn health<H: Serialize>(&self, health: &H) {
        let Some(json) = to_json(health) else { return };
        self.publish(|changes| {
            changes.present().health(&json);
            changes.push(Topic::Health, "health", &json);
        });
    }
}

#[cfg(test)]
mod tests;
