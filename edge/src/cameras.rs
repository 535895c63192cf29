//! When each camera was last heard of. A camera that has fallen silent sends no event that says so; this is how the
//! heartbeat can.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use common::ids::ZoneId;
use common::protocol::CameraReport;

/// Beyond it the one silent longest is dropped: a site has tens, and a client that makes up names must not fill memory.
const CAMERAS_MAX: usize = 1_000;

struct Seen {
    zone_id: ZoneId,
    last_seen: DateTime<Utc>,
    clock_suspect: bool,
}

/// All cameras of this run.
#[derive(Default)]
pub struct Cameras(Mutex<HashMap<String, Seen>>);

impl Cameras {
    /// Notes an accepted event of a camera.
    pub fn note(&self, camera_id: &str, zone_id: ZoneId, clock_suspect: bool, now: DateTime<Utc>) {
        let mut cameras = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = cameras.get_mut(camera_id) {
            *seen = Seen { zone_id, last_seen: now, clock_suspect };
            return;
        }
        if cameras.len() >= CAMERAS_MAX {
            let oldest = cameras.iter().min_by_key(|(_, seen)| seen.last_seen).map(|(id, _)| id.clone());
            oldest.and_then(|id| cameras.remove(&id));
        }
        cameras.insert(camera_id.to_owned(), Seen { zone_id, last_seen: now, clock_suspect });
    }

    /// All of them, by name.
    pub fn reports(&self) -> Vec<CameraReport> {
        let cameras = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reports: Vec<CameraReport> = cameras
            .iter()
            .map(|(id, seen)| CameraReport {
                camera_id: id.clone(),
                zone_id: seen.zone_id,
                last_seen: seen.last_seen,
                clock_suspect: seen.clock_suspect,
            })
            .collect();
        reports.sort_by(|a, b| a.camera_id.cmp(&b.camera_id));
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_names_push_out_the_silent_and_not_the_rest() {
        let cameras = Cameras::default();
        let zone = ZoneId::from_uuid(uuid::Uuid::nil());
        let at = |secs: i64| DateTime::from_timestamp(secs, 0).expect("in range");
        for n in 0..1_500 {
            cameras.note(&format!("cam-{n}"), zone, false, at(n));
            cameras.note("cam-real", zone, false, at(n));
        }
        let reports = cameras.reports();
        assert_eq!(reports.len(), CAMERAS_MAX);
        assert!(reports.iter().any(|camera| camera.camera_id == "cam-real"));
        assert!(reports.iter().any(|camera| camera.camera_id == "cam-1499"));
    }
}
