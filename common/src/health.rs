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

/// What made it so, for programs and for the runbook, which has a section for each. It never changes its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The file says something that cannot be used; what was in force before still is.
    ConfigRefused,
    StreamLong,

    // An edge's.
    SpillFull,
    SpillNearlyFull,
    SpillSalvaged,
    RedisNotDurable,
    RedisDown,
    RedisWiped,
    Damaged,
    EventsRefused,
    RulesTooSlow,
    RulesNotCurrent,
    HistoryNotKept,
    ArchiveNotKept,
    /// Headquarters' database is being asked what it lacks, or is sent it.
    HeadquartersRestored,
    /// Answers come from several databases in turn.
    HeadquartersAlternate,
    ClockSkew,
    /// The box's certificate for headquarters is in danger, or over.
    Certificate,
    NoCentral,
    CentralUnreachable,
    /// It answers, and takes no batch.
    CentralRefuses,
    CentralSilent,
    NotMoving,
    ReceiptsLate,

    // Central's.
    PostgresUnavailable,
    RedisUnavailable,
    FramesStuck,
    FramesHeld,
    NoWorker,
    TransactionsFail,
    /// Quarters, hours and days lack what is stored.
    RollupsBehind,
}

impl Code {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigRefused => "config_refused",
            Self::StreamLong => "stream_long",
            Self::SpillFull => "spill_full",
            Self::SpillNearlyFull => "spill_nearly_full",
            Self::SpillSalvaged => "spill_salvaged",
            Self::RedisNotDurable => "redis_not_durable",
            Self::RedisDown => "redis_down",
            Self::RedisWiped => "redis_wiped",
            Self::Damaged => "damaged",
            Self::EventsRefused => "events_refused",
            Self::RulesTooSlow => "rules_too_slow",
            Self::RulesNotCurrent => "rules_not_current",
            Self::HistoryNotKept => "history_not_kept",
            Self::ArchiveNotKept => "archive_not_kept",
            Self::HeadquartersRestored => "headquarters_restored",
            Self::HeadquartersAlternate => "headquarters_alternate",
            Self::ClockSkew => "clock_skew",
            Self::Certificate => "certificate_ends",
            Self::NoCentral => "no_central",
            Self::CentralUnreachable => "central_unreachable",
            Self::CentralRefuses => "central_refuses",
            Self::CentralSilent => "central_silent",
            Self::NotMoving => "not_moving",
            Self::ReceiptsLate => "receipts_late",
            Self::PostgresUnavailable => "postgres_unavailable",
            Self::RedisUnavailable => "redis_unavailable",
            Self::FramesStuck => "frames_stuck",
            Self::FramesHeld => "frames_held",
            Self::NoWorker => "no_worker",
            Self::TransactionsFail => "transactions_fail",
            Self::RollupsBehind => "rollups_behind",
        }
    }
}

/// A status with what made it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    pub status: Status,
    /// In words a site technician understands, most severe first.
    pub reasons: Vec<String>,
    /// The code of each reason. Texts, because another version may know others.
    #[serde(default)]
    pub codes: Vec<String>,
}

impl Health {
    pub const fn healthy() -> Self {
        Self { status: Status::Healthy, reasons: Vec::new(), codes: Vec::new() }
    }

    /// For one line: the status, the most severe reason, how many more there are, and what else there is to say.
    pub fn sentence(&self, figures: &str) -> String {
        let status = self.status.as_str();
        let said = match self.reasons.as_slice() {
            [] => format!("{status}: {figures}"),
            [reason] => format!("{status}: {reason}; {figures}"),
            [reason, others @ ..] => format!("{status}: {reason} (and {} more); {figures}", others.len()),
        };
        said.replace('\n', " ")
    }

    /// Adds a finding: its reason is listed, and the whole is at least as bad as it.
    pub fn add(&mut self, status: Status, code: Code, reason: impl Into<String>) {
        let at = if status > self.status { 0 } else { self.reasons.len() };
        self.status = self.status.max(status);
        self.reasons.insert(at, reason.into());
        self.codes.insert(at, code.as_str().to_owned());
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
