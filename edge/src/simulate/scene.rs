//! A simulated warehouse: cameras, the zones they look at, the people in front of them, and the snapshots they give.
//! The system tests and the bench draw their events from here too.

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::person::Person;

/// Cameras that look at one zone.
const CAMERAS_PER_ZONE: usize = 4;
/// One camera in so many stands for a wearable's gateway.
const WEARABLE_EVERY: usize = 8;
/// One person in so many is never recognised, so has no worker id.
const UNKNOWN_EVERY: usize = 10;

/// An event as a camera writes it: the wire form, before anything is checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    pub event_id: Uuid,
    pub event_time: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest_time: Option<DateTime<Utc>>,
    pub warehouse_id: Uuid,
    pub zone_id: Uuid,
    pub camera_id: String,
    pub worker_id: Option<Uuid>,
    pub model_version: String,
    pub risk_score: f64,
    pub posture_keypoints: Box<RawValue>,
    pub confidence: f64,
    pub source: String,
}

impl Snapshot {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain fields written to memory cannot fail")
    }
}

struct Camera {
    name: String,
    zone_id: Uuid,
    worker_id: Option<Uuid>,
    source: &'static str,
    person: Person,
    last: Option<DateTime<Utc>>,
}

/// The cameras of one warehouse. The seed decides who stands where and how they move; event ids are new each time,
/// because a camera never gives one twice.
pub struct Scene {
    warehouse_id: Uuid,
    cameras: Vec<Camera>,
    next: usize,
    motion: StdRng,
    ids: StdRng,
}

impl Scene {
    /// # Panics
    /// If `cameras` is zero.
    pub fn new(warehouse_id: Uuid, cameras: usize, seed: u64) -> Self {
        assert!(cameras > 0, "a scene needs a camera");
        let mut motion = StdRng::seed_from_u64(seed);
        let name = |what: String| Uuid::new_v5(&warehouse_id, what.as_bytes());
        let cameras = (0..cameras)
            .map(|index| Camera {
                name: format!("cam-{:02}", index + 1),
                zone_id: name(format!("zone-{}", index / CAMERAS_PER_ZONE + 1)),
                worker_id: (index % UNKNOWN_EVERY != UNKNOWN_EVERY - 1).then(|| name(format!("worker-{}", index + 1))),
                source: if index % WEARABLE_EVERY == WEARABLE_EVERY - 1 { "wearable" } else { "camera" },
                person: Person::new(&mut motion),
                last: None,
            })
            .collect();
        Self { warehouse_id, cameras, next: 0, motion, ids: StdRng::from_os_rng() }
    }

    /// What the next camera in turn sees at `at`. The edge is left to set the ingest time.
    pub fn snapshot(&mut self, at: DateTime<Utc>) -> Snapshot {
        let index = self.next;
        self.next = (index + 1) % self.cameras.len();
        let (camera, rng) = (&mut self.cameras[index], &mut self.motion);
        let passed = camera.last.map_or(0.0, |last| (at - last).as_seconds_f64());
        camera.last = Some(at);
        camera.person.pass(passed, rng);
        let (keypoints, confidence) = camera.person.keypoints(rng);
        Snapshot {
            event_id: uuid::Builder::from_random_bytes(self.ids.random()).into_uuid(),
            event_time: at,
            ingest_time: None,
            warehouse_id: self.warehouse_id,
            zone_id: camera.zone_id,
            camera_id: camera.name.clone(),
            worker_id: camera.worker_id,
            model_version: "v1.2.4".to_owned(),
            risk_score: f64::from(camera.person.score_hundredths(rng)) / 100.0,
            posture_keypoints: RawValue::from_string(keypoints).expect("the joints are written as JSON"),
            confidence: f64::from(confidence) / 100.0,
            source: camera.source.to_owned(),
        }
    }
}
