//! What counts as an alert: rules as people write them, in an edge's configuration or at headquarters, and the checked
//! form that an engine works with. Shared, so that what headquarters takes no edge refuses.
//!
//! A rule is met once the score has been at or above `threshold` for `for`, with no pause longer than `gap` between two
//! observations. The alert it raises lasts until the score falls below `clear_below`, or nothing comes for longer than
//! `gap`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::alert::{RULE_CHARS_MAX, Severity};
use crate::event::{Hundredths, Source};
use crate::ids::ZoneId;

/// Each observation is held against each rule; a site that needs more has not decided what matters.
pub const RULES_MAX: usize = 20;
/// Zones a rule can name; a rule for more is one for all. Twenty such rules are 160 KB, which fits into a heartbeat's
/// answer.
pub const RULE_ZONES_MAX: usize = 200;
/// The name under which the alerts of a flood are grouped.
pub const FLOOD: &str = "flood";
pub const CAMERA_SILENT: &str = "camera-silent";
pub const BUFFER_FILLING: &str = "buffer-filling";
pub const WAN_DOWN: &str = "wan-down";
pub const DISK_LOW: &str = "disk-low";
pub const CAMERA_CLOCK: &str = "camera-clock";
/// Alerts about SmartPick itself.
pub const SYSTEM: [&str; 5] = [CAMERA_SILENT, BUFFER_FILLING, WAN_DOWN, DISK_LOW, CAMERA_CLOCK];
/// Longer than anybody can hold a posture; it also bounds what a rule must remember.
const HOLD_MAX: Duration = Duration::from_secs(600);
/// A camera that has seen nobody for a minute has lost the person.
const GAP_MAX: Duration = Duration::from_secs(60);
const COOLDOWN_MAX: Duration = Duration::from_secs(24 * 3600);

/// A rule as people write it: one `[[alerts.rules]]` of an edge's configuration, one of a set at headquarters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Rule)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Names the rule on screens, in silences and in alert ids; renaming a rule makes a new one.
    pub name: String,
    /// `risk_score` from which it counts, 0 to 100.
    pub threshold: f64,
    /// A raised alert lasts while the score is not below this; `None` = `threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_below: Option<f64>,
    /// How long the score must stay there.
    #[serde(default = "hold", rename = "for", with = "humantime_serde")]
    #[schema(value_type = String, example = "3s")]
    pub hold: Duration,
    /// The longest pause between two observations that does not end an episode.
    #[serde(default = "gap", with = "humantime_serde")]
    #[schema(value_type = String, example = "500ms")]
    pub gap: Duration,
    /// After an alert, the same scope raises no other for this long.
    #[serde(default, with = "humantime_serde")]
    #[schema(value_type = String, example = "0s")]
    pub cooldown: Duration,
    #[serde(default = "severity")]
    pub severity: Severity,
    #[serde(default)]
    pub scope: ScopeKind,
    /// Only these zones; empty = all.
    #[serde(default)]
    pub zones: Vec<ZoneId>,
    /// Only events from these.
    #[serde(default = "sources")]
    pub sources: Vec<Source>,
    /// Only events at least this certain, 0 to 1.
    #[serde(default)]
    pub confidence_min: f64,
}

/// Whose observations are taken together as one person's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScopeKind {
    /// One worker in one zone; events without `worker_id` do not count.
    #[default]
    Worker,
    /// Only events without `worker_id`: whoever one camera sees in one zone.
    Unidentified,
    /// As `worker` where there is a `worker_id`, as `unidentified` where there is none.
    Person,
}

fn hold() -> Duration {
    Duration::from_secs(3)
}

fn gap() -> Duration {
    Duration::from_millis(500)
}

fn severity() -> Severity {
    Severity::Warning
}

/// What a person typed in later says nothing about how long a posture lasted.
fn sources() -> Vec<Source> {
    vec![Source::Camera, Source::Wearable]
}

impl RuleConfig {
    /// Design §6's default: REBA's "high" (70 of 100) for three seconds.
    pub fn sustained_risk() -> Self {
        Self {
            name: "sustained-risk".to_owned(),
            threshold: 70.0,
            clear_below: Some(70.0),
            hold: hold(),
            gap: gap(),
            cooldown: Duration::ZERO,
            severity: severity(),
            scope: ScopeKind::Worker,
            zones: Vec::new(),
            sources: sources(),
            confidence_min: 0.0,
        }
    }

    fn check(&self, index: usize) -> Result<Rule, RuleError> {
        let fail = |field, problem: String| Err(RuleError { index, name: self.name.clone(), field, problem });
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > RULE_CHARS_MAX || !self.name.chars().all(plain) {
            let problem = format!(
                "must be 1 to {RULE_CHARS_MAX} of the characters a-z, 0-9, - and _, for example \"sustained-risk\""
            );
            return fail("name", problem);
        }
        if self.name == FLOOD || SYSTEM.contains(&self.name.as_str()) {
            return fail("name", format!("{:?} is SmartPick's own; choose another name", self.name));
        }
        let Some(threshold) = Hundredths::round(self.threshold, 100).filter(|score| score.raw() > 0) else {
            return fail(
                "threshold",
                format!("{} is not a score above 0 and up to 100, for example 70", self.threshold),
            );
        };
        let clear_below = self.clear_below.unwrap_or(self.threshold);
        let Some(clear_below) = Hundredths::round(clear_below, 100).filter(|score| *score <= threshold) else {
            let problem =
                format!("{clear_below} is not a score from 0 to the threshold ({}), for example {0}", self.threshold);
            return fail("clear_below", problem);
        };
        for (field, value, least, most) in [
            ("for", self.hold, Duration::ZERO, HOLD_MAX),
            ("gap", self.gap, Duration::from_millis(1), GAP_MAX),
            ("cooldown", self.cooldown, Duration::ZERO, COOLDOWN_MAX),
        ] {
            if value < least || value > most {
                let [value, least, most] = [value, least, most].map(|d| humantime::format_duration(d).to_string());
                return fail(field, format!("{value} is outside {least} to {most}, for example \"3s\""));
            }
        }
        if self.zones.len() > RULE_ZONES_MAX {
            let problem = format!("{} are listed, at most {RULE_ZONES_MAX} can be; none means all", self.zones.len());
            return fail("zones", problem);
        }
        if self.sources.is_empty() {
            return fail("sources", format!("is empty, so nothing would count; list some of {}", Source::NAMES));
        }
        let Some(confidence_min) = Hundredths::round(self.confidence_min, 1) else {
            return fail("confidence_min", format!("{} is outside 0 to 1, for example 0.5", self.confidence_min));
        };
        let mut sources = self.sources.clone();
        sources.sort_unstable_by_key(|source| source.as_str());
        sources.dedup();
        let delta = |duration| TimeDelta::from_std(duration).expect("bounded above by hours");
        Ok(Rule {
            name: self.name.as_str().into(),
            threshold,
            clear_below,
            hold: delta(self.hold),
            gap: delta(self.gap),
            cooldown: delta(self.cooldown),
            severity: self.severity,
            scope: self.scope,
            zones: self.zones.iter().copied().collect(),
            sources,
            confidence_min,
        })
    }
}

/// A rule that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub name: Arc<str>,
    pub threshold: Hundredths,
    /// At most `threshold`.
    pub clear_below: Hundredths,
    pub hold: TimeDelta,
    pub gap: TimeDelta,
    pub cooldown: TimeDelta,
    pub severity: Severity,
    pub scope: ScopeKind,
    /// Empty = all.
    pub zones: BTreeSet<ZoneId>,
    /// Each once, sorted.
    pub sources: Vec<Source>,
    pub confidence_min: Hundredths,
}

impl Rule {
    /// Whether the rule looks at such an observation at all.
    pub fn wants(&self, source: Source, confidence: Hundredths, zone_id: ZoneId) -> bool {
        self.sources.contains(&source)
            && confidence >= self.confidence_min
            && (self.zones.is_empty() || self.zones.contains(&zone_id))
    }
}

/// A rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {} {name:?}: {field}: {problem}", .index + 1)]
pub struct RuleError {
    pub index: usize,
    pub name: String,
    pub field: &'static str,
    pub problem: String,
}

/// Checks all rules of a set.
///
/// # Errors
/// The first rule and field that cannot be used, with the fix.
pub fn check(configs: &[RuleConfig]) -> Result<Vec<Rule>, RuleError> {
    let mut rules: Vec<Rule> = Vec::with_capacity(configs.len());
    for (index, config) in configs.iter().enumerate() {
        let rule = config.check(index)?;
        let fail = |problem| RuleError { index, name: config.name.clone(), field: "name", problem };
        if let Some(first) = rules.iter().position(|other| other.name == rule.name) {
            return Err(fail(format!("rule {} has this name too; give each a name of its own", first + 1)));
        }
        if rules.len() >= RULES_MAX {
            return Err(fail(format!("at most {RULES_MAX} rules are taken; remove some")));
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// The zones that rules name and the site does not have, each with its rule and the rule's place. There such a rule is
/// silent, and from silence nobody would notice.
pub fn unknown_zones(
    configs: &[RuleConfig],
    known: impl Fn(ZoneId) -> bool,
) -> impl Iterator<Item = (usize, &RuleConfig, ZoneId)> {
    let named = configs.iter().enumerate().flat_map(|(n, rule)| rule.zones.iter().map(move |zone| (n, rule, *zone)));
    named.filter(move |(.., zone)| !known(*zone))
}

/// A set of rules that headquarters made for a site, on its way to an edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RuleSet {
    /// Rises with each set of a site. 0: headquarters has made none, or knows of none any more.
    pub version: u64,
    /// Names this very set; nil for version 0.
    pub set_id: Uuid,
    /// As [`RuleConfig`]s, not yet read: an edge that does not know a field of a later version must be able to say so.
    /// `None`: each edge goes by its own configuration.
    #[schema(value_type = Option<Vec<RuleConfig>>)]
    pub rules: Option<Vec<Value>>,
}

/// Rules as written, and as checked.
pub type Read = (Vec<RuleConfig>, Vec<Rule>);

impl RuleSet {
    /// What headquarters says when it has nothing to say.
    pub const fn none() -> Self {
        Self { version: 0, set_id: Uuid::nil(), rules: None }
    }

    /// The rules as written and as checked, `None` if each edge shall go by its own.
    ///
    /// # Errors
    /// In words, the first rule and field that cannot be used here.
    pub fn read(&self) -> Result<Option<Read>, String> {
        let Some(written) = &self.rules else { return Ok(None) };
        let read = |(index, rule): (usize, &Value)| {
            RuleConfig::deserialize(rule).map_err(|error| format!("rule {}: {error}", index + 1))
        };
        let configs: Vec<RuleConfig> = written.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        let rules = check(&configs).map_err(|error| error.to_string())?;
        Ok(Some((configs, rules)))
    }
}

#[cfg(test)]
mod tests;
