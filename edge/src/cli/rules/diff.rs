//! How two sets of rules differ, field by field, and what they raise differently.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::ids::{WorkerId, ZoneId};
use serde_json::{Map, Value, json};

use super::report;
use crate::alerts::Episode;
use crate::alerts::rules::RuleConfig;
use crate::site::Site;

/// A field, as it was and as it is.
struct Field {
    name: String,
    old: Value,
    new: Value,
}

/// How the rules differ, by name.
pub struct Rules {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<(String, Vec<Field>)>,
}

impl Rules {
    pub fn between(old: &[RuleConfig], new: &[RuleConfig]) -> Self {
        let by_name = |rules: &[RuleConfig]| -> BTreeMap<String, Map<String, Value>> {
            rules.iter().map(|rule| (rule.name.clone(), fields(rule))).collect()
        };
        let (old, new) = (by_name(old), by_name(new));
        let mut changed = Vec::new();
        for (name, now) in &new {
            let Some(before) = old.get(name) else { continue };
            let fields: Vec<Field> = now
                .iter()
                .filter_map(|(field, new)| {
                    let old = before.get(field).unwrap_or(&Value::Null);
                    (old != new).then(|| Field { name: field.clone(), old: old.clone(), new: new.clone() })
                })
                .collect();
            if !fields.is_empty() {
                changed.push((name.clone(), fields));
            }
        }
        Self {
            added: new.keys().filter(|name| !old.contains_key(*name)).cloned().collect(),
            removed: old.keys().filter(|name| !new.contains_key(*name)).cloned().collect(),
            changed,
        }
    }
}

/// All fields as the configuration writes them, with those left out at what they then mean.
fn fields(rule: &RuleConfig) -> Map<String, Value> {
    let rule = RuleConfig { clear_below: rule.clear_below.or(Some(rule.threshold)), ..rule.clone() };
    match serde_json::to_value(rule) {
        Ok(Value::Object(fields)) => fields,
        other => unreachable!("a struct of plain values is an object: {other:?}"),
    }
}

/// How the alerts differ. Two are the same if rule and person are, and their times overlap.
pub struct Alerts {
    appear: Vec<Episode>,
    disappear: Vec<Episode>,
    /// Longer, shorter, or raised at another time.
    changed: Vec<(Episode, Episode)>,
    same: usize,
}

impl Alerts {
    pub fn between(old: Vec<Episode>, new: Vec<Episode>) -> Self {
        let mut appear = new;
        let (mut disappear, mut changed, mut same) = (Vec::new(), Vec::new(), 0);
        for before in old {
            let twin = appear.iter().position(|after| who(after) == who(&before) && overlap(after, &before));
            match twin.map(|index| appear.remove(index)) {
                None => disappear.push(before),
                Some(after) if span(&after) == span(&before) => same += 1,
                Some(after) => changed.push((before, after)),
            }
        }
        Self { appear, disappear, changed, same }
    }
}

type Who<'a> = (&'a str, Option<WorkerId>, Option<&'a str>, Option<ZoneId>);

fn who(alert: &Episode) -> Who<'_> {
    // A known worker is the same before another camera.
    let camera = alert.camera_id.as_deref().filter(|_| alert.worker_id.is_none());
    (&alert.rule, alert.worker_id, camera, alert.zone_id)
}

fn span(alert: &Episode) -> [Option<chrono::DateTime<chrono::Utc>>; 3] {
    [Some(alert.started_at), Some(alert.raised_at), alert.ended_at]
}

fn overlap(a: &Episode, b: &Episode) -> bool {
    let end = |alert: &Episode| alert.ended_at.unwrap_or(alert.raised_at);
    a.started_at <= end(b) && b.started_at <= end(a)
}

pub fn as_text(rules: &Rules, alerts: Option<&Alerts>, site: &Site) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // A String takes everything.
        let _infallible = writeln!(out, "{text}");
    };
    if rules.added.is_empty() && rules.removed.is_empty() && rules.changed.is_empty() {
        line("The rules are the same.".to_owned());
    }
    rules.added.iter().for_each(|name| line(format!("+ {name}: added")));
    rules.removed.iter().for_each(|name| line(format!("- {name}: removed")));
    for (name, fields) in &rules.changed {
        line(format!("~ {name}: changed"));
        fields.iter().for_each(|field| line(format!("    {}: {} → {}", field.name, field.old, field.new)));
    }
    let Some(alerts) = alerts else { return out };
    line(String::new());
    line(format!(
        "{} alerts appear, {} disappear, {} begin or end at another time, {} stay as they are.",
        alerts.appear.len(),
        alerts.disappear.len(),
        alerts.changed.len(),
        alerts.same
    ));
    let after: Vec<Episode> = alerts.changed.iter().map(|(_, after)| after.clone()).collect();
    for (title, alerts) in
        [("Appear", &alerts.appear), ("Disappear", &alerts.disappear), ("Changed, as they would be", &after)]
    {
        if !alerts.is_empty() {
            line(format!("\n{title}:\n{}", report::table(alerts, site)));
        }
    }
    out
}

pub fn as_json(rules: &Rules, alerts: Option<&Alerts>, site: &Site) -> Value {
    let changed = rules.changed.iter().map(|(name, fields)| {
        let fields = fields.iter().map(|f| json!({ "field": f.name, "old": f.old, "new": f.new }));
        json!({ "name": name, "fields": fields.collect::<Vec<_>>() })
    });
    let list = |alerts: &[Episode]| alerts.iter().map(|alert| report::alert_json(alert, site)).collect::<Vec<_>>();
    let alerts = alerts.map(|alerts| {
        let changed = alerts
            .changed
            .iter()
            .map(|(old, new)| json!({ "old": report::alert_json(old, site), "new": report::alert_json(new, site) }));
        json!({
            "appear": list(&alerts.appear),
            "disappear": list(&alerts.disappear),
            "changed": changed.collect::<Vec<_>>(),
            "same": alerts.same,
        })
    });
    json!({
        "added": rules.added,
        "removed": rules.removed,
        "changed": changed.collect::<Vec<_>>(),
        "alerts": alerts,
    })
}
