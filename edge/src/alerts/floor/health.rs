//! Tells screens how the edge is: when it changes, and now and then, so that they know it is fresh.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::view::{CameraHealth, FloorHealth, Uplink, UplinkState, Waiting};
use crate::http::State;
use crate::live::Publish as _;
use crate::site::NO_DATA_AFTER_SECS;

/// Health is told on after this long though nothing has changed.
const AGE_MAX: TimeDelta = TimeDelta::seconds(10);

/// What was told last.
#[derive(Debug, Default)]
pub struct Teller {
    told: Option<(DateTime<Utc>, FloorHealth)>,
    uplink: Option<Uplink>,
}

impl Teller {
    /// Tells if there is something to tell. To be called about once a second.
    pub fn tell(&mut self, state: &State, now: DateTime<Utc>) {
        let health = self.look(state, now);
        if self.told.as_ref().is_none_or(|(at, told)| now - *at >= AGE_MAX || *told != health) {
            state.hub.health(&health);
            self.told = Some((now, health));
        }
    }

    fn look(&mut self, state: &State, now: DateTime<Utc>) -> FloorHealth {
        let (contents, outlook, verdict) = (state.buffer.contents(), state.outlook(), state.health(now));
        let silent_after = TimeDelta::seconds(NO_DATA_AFTER_SECS.cast_signed());
        FloorHealth {
            status: verdict.status,
            reasons: verdict.reasons,
            uplink: self.uplink(state, now),
            waiting: Waiting { live: contents.live_records, backlog: contents.backlog_records },
            room_hours: outlook.room_hours,
            drain_seconds: outlook.drain_seconds,
            disk_bytes_free: state.buffer.last_probe().spill.disk_bytes_free,
            cameras: state
                .cameras
                .reports()
                .into_iter()
                .map(|camera| CameraHealth {
                    silent: now - camera.last_seen > silent_after,
                    camera_id: camera.camera_id,
                    zone_id: camera.zone_id,
                    last_seen: camera.last_seen,
                    clock_suspect: camera.clock_suspect,
                })
                .collect(),
            unevaluated: state.entrance.unevaluated.get(),
        }
    }

    fn uplink(&mut self, state: &State, now: DateTime<Utc>) -> Uplink {
        let link = state.link.get();
        let (is, since) = if !state.has_central {
            (UplinkState::None, None)
        } else if let Some((since, _)) = link.failing {
            (UplinkState::Down, Some(since))
        } else if link.confirmed_at.is_some() {
            (UplinkState::Up, Some(now))
        } else {
            // Nothing proves that it is up.
            (UplinkState::Down, Some(state.started_at))
        };
        let uplink = self.uplink.filter(|known| known.state == is).unwrap_or(Uplink { state: is, since });
        self.uplink = Some(uplink);
        uplink
    }
}
