//! One word for how things are, and the reasons for it in words. Both binaries and all their surfaces use it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Worst last, so that `max` of several is the whole's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Proved by fresh progress, or by there being nothing to do.
    Healthy,
    /// Everything acknowledged is safe, but somebody should look.
    Degraded,
    /// The main job is not being done.
    Unhealthy,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// A status with what made it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    pub status: Status,
    /// In words a site technician understands, most severe first.
    pub reasons: Vec<String>,
}

impl Health {
    pub const fn healthy() -> Self {
        Self { status: Status::Healthy, reasons: Vec::new() }
    }

    /// Adds a finding: its reason is listed, and the whole is at least as bad as it.
    pub fn add(&mut self, status: Status, reason: impl Into<String>) {
        if status > self.status {
            self.status = status;
            self.reasons.insert(0, reason.into());
        } else {
            self.reasons.push(reason.into());
        }
    }
}

/// Health thresholds of the original system: above any of these it called itself degraded.
pub mod thresholds {
    /// Entries of the stream.
    pub const STREAM_LENGTH: u64 = 5_000;
    /// Messages read but not acknowledged.
    pub const PENDING: u64 = 100;
    /// Share of requests or records that failed.
    pub const ERROR_RATE: f64 = 0.01;
}
