//! Why a state is what it is: a code for programs and for the hysteresis, and a sentence for people.

use serde::{Deserialize, Serialize};

use crate::completeness::thousands;

/// What is wrong. Its name is stored and in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReasonCode)]
pub enum Code {
    /// Headquarters itself cannot look.
    HeadquartersBlind,
    /// No edge of the site has a credential.
    NoEdge,
    /// It has a credential and never used it.
    NeverHeard,
    /// It delivers, or did once, and never said how it is.
    NeverHeartbeat,
    /// Nothing was heard of it for too long.
    Silent,
    /// It delivers, but its heartbeats do not come.
    HeartbeatsLate,
    /// It said goodbye.
    Stopped,
    /// How much it still had when it fell silent.
    WaitingThere,
    /// Its heartbeats are of a version that we cannot read.
    Unreadable,
    /// Two boxes speak under one id.
    Clone,
    /// Events it accepted are neither here nor there.
    Missing,
    /// Something waits there, and nothing of it arrives.
    NotMoving,
    /// What is new arrives, but the backlog does not shrink.
    NotDraining,
    SpillFull,
    SpillNearlyFull,
    RedisNotDurable,
    /// It keeps damaged records aside.
    Damaged,
    /// It calls itself less than healthy, for a reason of its own.
    Own,
    DeadLetters,
    ClockSkew,
    CamerasSilent,
    CamerasSuspect,
    /// It refused the rules that headquarters sent, or cannot keep them.
    RulesRefused,
    /// Its certificate nears its end, and it has not renewed it.
    CertificateEnds,
}

impl Code {
    pub const ALL: [Self; 24] = [
        Self::HeadquartersBlind,
        Self::NoEdge,
        Self::NeverHeard,
        Self::NeverHeartbeat,
        Self::Silent,
        Self::HeartbeatsLate,
        Self::Stopped,
        Self::WaitingThere,
        Self::Unreadable,
        Self::Clone,
        Self::Missing,
        Self::NotMoving,
        Self::NotDraining,
        Self::SpillFull,
        Self::SpillNearlyFull,
        Self::RedisNotDurable,
        Self::Damaged,
        Self::Own,
        Self::DeadLetters,
        Self::ClockSkew,
        Self::CamerasSilent,
        Self::CamerasSuspect,
        Self::RulesRefused,
        Self::CertificateEnds,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeadquartersBlind => "headquarters_blind",
            Self::NoEdge => "no_edge",
            Self::NeverHeard => "never_heard",
            Self::NeverHeartbeat => "never_heartbeat",
            Self::Silent => "silent",
            Self::HeartbeatsLate => "heartbeats_late",
            Self::Stopped => "stopped",
            Self::WaitingThere => "waiting_there",
            Self::Unreadable => "unreadable",
            Self::Clone => "clone",
            Self::Missing => "missing",
            Self::NotMoving => "not_moving",
            Self::NotDraining => "not_draining",
            Self::SpillFull => "spill_full",
            Self::SpillNearlyFull => "spill_nearly_full",
            Self::RedisNotDurable => "redis_not_durable",
            Self::Damaged => "damaged",
            Self::Own => "own",
            Self::DeadLetters => "dead_letters",
            Self::ClockSkew => "clock_skew",
            Self::CamerasSilent => "cameras_silent",
            Self::CamerasSuspect => "cameras_suspect",
            Self::RulesRefused => "rules_refused",
            Self::CertificateEnds => "certificate_ends",
        }
    }

    /// Of what was stored. What another version stored and this one does not know is nothing.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// A code with its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub code: Code,
    pub text: String,
}

impl Reason {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// `1 event`, `12,400 events`.
pub fn counted(n: impl TryInto<i64>, one: &str) -> String {
    let n = n.try_into().unwrap_or(i64::MAX);
    let many = if n == 1 { "" } else { "s" };
    format!("{} {one}{many}", thousands(n))
}

/// How long, roughly: `45 s`, `12 min`, `3 h`, `5 days`.
pub fn length(time: chrono::TimeDelta) -> String {
    match time.num_seconds().max(0) {
        secs @ ..=119 => format!("{secs} s"),
        secs @ 120..=7_199 => format!("{} min", secs / 60),
        secs @ 7_200..=172_799 => format!("{} h", secs / 3_600),
        secs => format!("{} days", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_in_json_and_in_postgres() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
            assert_eq!(serde_json::to_value(code).expect("JSON"), code.as_str());
        }
        assert_eq!(Code::parse("of_the_future"), None);
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(counted(1, "event"), "1 event");
        assert_eq!(counted(12_400_u64, "event"), "12,400 events");
    }
}
