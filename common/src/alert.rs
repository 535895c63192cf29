//! What both binaries must agree on about alerts: the two schemas of the original system, the facts people add, and the
//! one rule by which facts from the floor and from headquarters merge.
//!
//! An alert is an episode: raised, then cleared. What people say of it (acknowledged, silenced) are facts of their own:
//! append-only, named by the client that made them, so that sending one twice changes nothing. Everything shown is
//! derived from the set of facts, and a set does not know in which order it was filled.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event::Source;
use crate::ids::{AlertId, EdgeId, FactId, WarehouseId, WorkerId, ZoneId};
use crate::record::RecordError;

/// Characters of a note or a reason.
pub const NOTE_CHARS_MAX: usize = 500;
/// Characters of the name of who did it.
pub const ACTOR_CHARS_MAX: usize = 100;
/// Moments of a curve: 24 s of a camera that sends ten a second, in full; wider apart beyond that.
pub const CURVE_MOMENTS_MAX: usize = 240;
/// Characters of a rule's name.
pub const RULE_CHARS_MAX: usize = 60;

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing at the end of the shift.
    Notice,
    /// Somebody should go and look.
    Warning,
    /// Somebody should go now.
    Critical,
}

impl Severity {
    pub const NAMES: &str = "notice, warning, critical";

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Which alerts somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, ToSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[schema(as = AlertStateFilter)]
pub enum StateFilter {
    /// Going on: raised or acknowledged.
    Open,
    /// Going on, and nobody sees to it.
    Raised,
    /// Going on, and somebody sees to it.
    Acknowledged,
    /// Over.
    Cleared,
    /// Under a silence now, or when it ended.
    Silenced,
}

impl StateFilter {
    pub const NAMES: &str = "open, raised, acknowledged, cleared, silenced";
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A person's posture.
    Risk,
    /// SmartPick itself: a silent camera, a full disk.
    System,
}

/// The original's `AlertEvent`: the whole state of an alert at one of its changes. Of two under one `alert_id` the one
/// with the greater `revision` holds, so that it does not matter how often or in which order they arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertEvent {
    /// UUIDv5 of rule, scope and start: evaluating the same events again names the same alert.
    pub alert_id: AlertId,
    /// 1 when raised, greater with each change that is kept.
    pub revision: u32,
    pub subject: Subject,
    pub warehouse_id: Option<WarehouseId>,
    pub edge_id: Option<EdgeId>,
    /// Name of the rule that raised it; for a system alert what is wrong, such as `wan-down`.
    pub rule: String,
    pub severity: Severity,
    pub zone_id: Option<ZoneId>,
    pub camera_id: Option<String>,
    /// Personal data: for headquarters' authorised roles, never shown on the floor.
    pub worker_id: Option<WorkerId>,
    /// Time of the first event of the episode.
    pub started_at: DateTime<Utc>,
    /// Time at which the rule's condition was fulfilled, by the events' own clock.
    pub raised_at: DateTime<Utc>,
    /// Time of the last event of the episode; `None` while it lasts.
    pub ended_at: Option<DateTime<Utc>>,
    /// Highest `risk_score` so far, 0 to 100; `None` for a system alert.
    pub peak: Option<f64>,
    pub peak_at: Option<DateTime<Utc>>,
    /// Events in the episode.
    pub events: u32,
    /// Episodes in this alert: more than 1 if a flood was grouped into one.
    pub episodes: u32,
    /// What happened, in English, without anything personal.
    pub summary: String,
    /// Only in what headquarters is told, and not for a system alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<Curve>,
}

/// The risk of an episode, moment by moment, with the marks of its rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Curve {
    /// From which it counts, 0 to 100.
    pub threshold: Option<f64>,
    pub clear_below: Option<f64>,
    /// Milliseconds since `started_at`, and the score in hundredths; at most [`CURVE_MOMENTS_MAX`].
    pub moments: Vec<(i64, u16)>,
}

impl Curve {
    /// When a moment was; `None` if no clock goes so far.
    pub fn time(started_at: DateTime<Utc>, ms: i64) -> Option<DateTime<Utc>> {
        started_at.checked_add_signed(TimeDelta::try_milliseconds(ms)?)
    }
}

/// The original's `ShiftSnapshotEvent`: an event in the compact form that is broadcast to screens. No keypoints, and
/// nobody's identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShiftSnapshotEvent {
    pub event_time: DateTime<Utc>,
    pub zone_id: ZoneId,
    pub camera_id: String,
    pub source: Source,
    /// 0 to 100.
    pub risk_score: f64,
    /// 0 to 1.
    pub confidence: f64,
}

/// Where a fact was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// On the box in the warehouse.
    Edge,
    Headquarters,
}

/// Which alerts a silence covers. What is `None` covers all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SilenceScope)]
pub struct Scope {
    #[serde(default)]
    pub rule: Option<String>,
    #[serde(default)]
    pub zone_id: Option<ZoneId>,
    #[serde(default)]
    pub camera_id: Option<String>,
}

impl Scope {
    pub fn covers(&self, rule: &str, zone_id: Option<ZoneId>, camera_id: Option<&str>) -> bool {
        self.rule.as_deref().is_none_or(|own| own == rule)
            && self.zone_id.is_none_or(|own| Some(own) == zone_id)
            && self.camera_id.as_deref().is_none_or(|own| Some(own) == camera_id)
    }
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Statement {
    /// Somebody has seen the alert and sees to it.
    Acknowledge { alert_id: AlertId, note: Option<String> },
    /// Matching alerts make no sound until then. The fact's id names the silence.
    Silence { scope: Scope, reason: String, until: DateTime<Utc> },
    /// A silence is over before its time.
    EndSilence { silence_id: FactId },
}

/// One statement with who made it, when and where. Never changed, never deleted before its alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Fact {
    /// Made by the client, so that a POST sent twice is one fact.
    pub fact_id: FactId,
    pub at: DateTime<Utc>,
    /// The account's name.
    pub by: String,
    pub origin: Origin,
    #[serde(flatten)]
    pub statement: Statement,
}

/// An acknowledgement as the merge sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Acknowledgement {
    pub fact_id: FactId,
    pub by: String,
    pub at: DateTime<Utc>,
    pub origin: Origin,
    pub note: Option<String>,
}

/// A silence as the merge sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    pub silence_id: FactId,
    pub scope: Scope,
    pub reason: String,
    pub by: String,
    pub origin: Origin,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Ended by hand, by whom and when; the earliest such fact counts.
    pub ended: Option<(String, DateTime<Utc>)>,
}

impl Silence {
    /// Whether it holds at `now`.
    pub fn active(&self, now: DateTime<Utc>) -> bool {
        now >= self.from && now < self.until && self.ended.as_ref().is_none_or(|(_, at)| now < *at)
    }
}

/// What a set of facts amounts to. The same at both sides, whatever the order and however often a fact came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// Per alert, earliest first: the first one counts, the later ones are kept.
    pub acknowledgements: BTreeMap<AlertId, Vec<Acknowledgement>>,
    pub silences: BTreeMap<FactId, Silence>,
}

/// The merge rule. Of several facts of a kind the earliest counts; where two clocks agree, the smaller id.
pub fn merge<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Merged {
    let facts: BTreeMap<(DateTime<Utc>, FactId), &Fact> =
        facts.into_iter().map(|fact| ((fact.at, fact.fact_id), fact)).collect();
    let mut merged = Merged::default();
    for fact in facts.values() {
        match &fact.statement {
            Statement::Acknowledge { alert_id, note } => {
                merged.acknowledgements.entry(*alert_id).or_default().push(Acknowledgement {
                    fact_id: fact.fact_id,
                    by: fact.by.clone(),
                    at: fact.at,
                    origin: fact.origin,
                    note: note.clone(),
                });
            }
            Statement::Silence { scope, reason, until } => {
                merged.silences.entry(fact.fact_id).or_insert_with(|| Silence {
                    silence_id: fact.fact_id,
                    scope: scope.clone(),
                    reason: reason.clone(),
                    by: fact.by.clone(),
                    origin: fact.origin,
                    from: fact.at,
                    until: *until,
                    ended: None,
                });
            }
            Statement::EndSilence { .. } => {}
        }
    }
    // In a second pass: with clocks apart, an end may seem to come before its beginning.
    for fact in facts.values() {
        if let Statement::EndSilence { silence_id } = &fact.statement
            && let Some(silence) = merged.silences.get_mut(silence_id)
        {
            silence.ended.get_or_insert_with(|| (fact.by.clone(), fact.at));
        }
    }
    merged
}

/// The payload of an alert's or a fact's record: MessagePack with field names, so that a newer edge may add some.
pub fn payload<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("plain fields written to memory cannot fail")
}

/// Reads the payload of a record of kind [`crate::record::Kind::Alert`].
///
/// # Errors
/// [`RecordError::Payload`] saying what did not fit.
pub fn read_alert(payload: &[u8]) -> Result<AlertEvent, RecordError> {
    rmp_serde::from_slice(payload).map_err(|error| RecordError::Payload("an alert", error.to_string()))
}

/// Reads the payload of a record of kind [`crate::record::Kind::Fact`].
///
/// # Errors
/// [`RecordError::Payload`] saying what did not fit.
pub fn read_fact(payload: &[u8]) -> Result<Fact, RecordError> {
    rmp_serde::from_slice(payload).map_err(|error| RecordError::Payload("a fact", error.to_string()))
}

/// An alert's id from what it is about. `scope` names worker or camera and zone, and goes in only as part of the hash.
pub fn alert_id(rule: &str, scope: &str, started_at: DateTime<Utc>) -> AlertId {
    /// UUIDv5 of `smartpick.alert` in the DNS namespace would do as well; what matters is that it never changes.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6b1a_7e0c_52f3_4d0e_9a71_0c5d_51a9_1c47);
    let name = format!("{rule}\n{scope}\n{}", started_at.timestamp_micros());
    AlertId::from_uuid(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
}

#[cfg(test)]
mod tests;
