//! One ergonomic snapshot in the form every stage behind the intake relies on: already valid.
//!
//! The edge's intake is the only place that turns foreign input into an [`Event`] and checks the bounds below. Postgres stays
//! the last judge of what it can store; headquarters checks again only what Postgres would let pass: [`keypoints`].

pub mod keypoints;

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{EventId, WarehouseId, WorkerId, ZoneId};

/// Characters of `camera_id` (varchar(255) in Postgres).
pub const CAMERA_ID_CHARS_MAX: usize = 255;
/// Characters of `model_version` (varchar(50) in Postgres).
pub const MODEL_VERSION_CHARS_MAX: usize = 50;
/// Bytes of `posture_keypoints` as JSON text. 14 joints take about 900; 32 KiB leaves room for richer models
/// while a record still fits 30 times into a batch.
pub const KEYPOINTS_BYTES_MAX: usize = 32 * 1024;
/// Levels of nesting of `posture_keypoints`, itself the first.
pub const KEYPOINTS_DEPTH_MAX: usize = 8;

/// A number from 0.00 up with exactly two decimals, as `numeric(5,2)` holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hundredths(u16);

impl Hundredths {
    /// Rounds half to even, as design §8 asks. `None` if `value` is not finite or outside `0..=max`.
    pub fn round(value: f64, max: u16) -> Option<Self> {
        if !value.is_finite() || value < 0.0 || value > f64::from(max) {
            return None;
        }
        let scaled = (value * 100.0).round_ties_even();
        // In range by the check above: at most max * 100, and max is 1 or 100.
        Some(Self(scaled as u16))
    }

    pub const fn from_raw(hundredths: u16) -> Self {
        Self(hundredths)
    }

    pub const fn raw(self) -> u16 {
        self.0
    }

    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// What kind of device or person produced the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Camera,
    Wearable,
    Manual,
}

impl Source {
    pub const NAMES: &str = "camera, wearable, manual";

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Wearable => "wearable",
            Self::Manual => "manual",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "camera" => Some(Self::Camera),
            "wearable" => Some(Self::Wearable),
            "manual" => Some(Self::Manual),
            _ => None,
        }
    }
}

/// One `ErgonomicSnapshotEvent`, valid. Borrows its texts from the bytes it was read from where it can.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    pub event_id: EventId,
    /// As the camera said it, to the microsecond. See [`Event::stored_time`].
    pub event_time: DateTime<Utc>,
    pub ingest_time: DateTime<Utc>,
    pub warehouse_id: WarehouseId,
    pub zone_id: ZoneId,
    pub camera_id: Cow<'a, str>,
    pub worker_id: Option<WorkerId>,
    pub model_version: Cow<'a, str>,
    /// 0.00 to 100.00.
    pub risk_score: Hundredths,
    /// 0.00 to 1.00.
    pub confidence: Hundredths,
    pub source: Source,
    /// The camera's clock was so far off that `event_time` cannot be believed.
    pub clock_suspect: bool,
    /// A JSON object as the camera wrote it, checked but not parsed into a tree.
    pub posture_keypoints: Cow<'a, str>,
}

impl Event<'_> {
    /// The `event_time` under which the event is stored: the camera's, or the ingest time if that cannot be believed.
    pub fn stored_time(&self) -> DateTime<Utc> {
        if self.clock_suspect { self.ingest_time } else { self.event_time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_round_half_to_even_and_refuse_what_is_out_of_range() {
        let round = |value| Hundredths::round(value, 100).map(Hundredths::raw);
        assert_eq!(round(45.08), Some(4508));
        assert_eq!(round(0.125), Some(12));
        assert_eq!(round(0.375), Some(38));
        assert_eq!(round(100.0), Some(10_000));
        assert_eq!(round(-0.0), Some(0));
        for bad in [100.01, -0.01, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(round(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_two_decimal_number_survives_the_way_through_f64() {
        for raw in 0..=10_000u16 {
            let text = Hundredths::from_raw(raw).to_string();
            let parsed: f64 = text.parse().expect("a number");
            assert_eq!(Hundredths::round(parsed, 100), Some(Hundredths::from_raw(raw)), "{text}");
        }
    }
}
