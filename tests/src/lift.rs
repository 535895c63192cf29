//! A worker who lifts badly without a pause: what every rule must see, and what must come home like any other event.
//!
//! A camera makes an event each tenth of a second, whatever the edge does; what could not be sent is sent later, in
//! order. So an edge that was away for a moment finds no gap in the lift.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use common::clock;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::camera::Camera;
use crate::events::{Scene, Snapshot};
use crate::wait;

/// Far above the default rule's threshold of 70.
const RISK: f64 = 88.0;
/// As real cameras; well below the 0.5 s that end an episode.
const EVERY: Duration = Duration::from_millis(100);

/// A lift that goes on until [`Lift::stop`].
pub struct Lift {
    pub zone_id: Uuid,
    pub camera_id: String,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<DateTime<Utc>>>,
}

impl Lift {
    /// Begins one in a zone of its own.
    pub fn begin(camera: &Camera, warehouse_id: Uuid) -> Self {
        let mut scene = Scene::new(warehouse_id, 1, 7);
        let (zone_id, worker_id, camera_id) = (Uuid::new_v4(), Uuid::new_v4(), "cam-lift".to_owned());
        let (stop, camera, name) = (CancellationToken::new(), camera.clone(), camera_id.clone());
        let until = stop.clone();
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            // Events that were held up have their own times all the same.
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            let mut last = clock::now();
            while !until.is_cancelled() {
                ticks.tick().await;
                let now = clock::now();
                let mut events: Vec<Snapshot> = Vec::new();
                while last + EVERY <= now {
                    last += EVERY;
                    events.push(Snapshot {
                        zone_id,
                        worker_id: Some(worker_id),
                        camera_id: name.clone(),
                        risk_score: RISK,
                        source: "camera".to_owned(),
                        ..scene.snapshot(last)
                    });
                }
                if !events.is_empty() {
                    camera.deliver(&events).await;
                }
            }
            Ok(last)
        });
        Self { zone_id, camera_id, stop, task }
    }

    /// Ends it; says when its last event was.
    ///
    /// # Errors
    /// If the edge does not take its events.
    pub async fn stop(self) -> anyhow::Result<DateTime<Utc>> {
        self.stop.cancel();
        let ended = tokio::time::timeout(wait::DRAIN, self.task).await;
        ended.context("the edge has not answered all requests of the lift")?.context("the lift panicked")?
    }
}
