//! What a replay raised, as tables for people and as JSON for programs. Nobody's identity is in either.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use common::event::Hundredths;
use serde_json::{Value, json};

use crate::alerts::Episode;
use crate::alerts::replay::Outcome;
use crate::alerts::rules::ScopeKind;
use crate::site::Site;

/// Refused lines that are listed in the text; the JSON has more.
const REFUSED_LISTED_MAX: usize = 10;

/// Per rule and zone: alerts, seconds, highest peak.
type Totals = BTreeMap<(String, String), (u64, f64, Option<Hundredths>)>;

pub fn as_text(outcome: &Outcome, site: &Site) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // A String takes everything.
        let _infallible = writeln!(out, "{text}");
    };
    if outcome.alerts.is_empty() {
        line("These rules would have raised no alert.".to_owned());
    } else {
        line(table(&outcome.alerts, site));
        line(String::new());
        let mut sums = new_table(&["Rule", "Zone", "Alerts", "Seconds", "Peak"]);
        for ((rule, zone), (alerts, seconds, peak)) in totals(outcome, site) {
            let peak = peak.map_or_else(String::new, |peak| peak.to_string());
            sums.add_row([rule, zone, alerts.to_string(), format!("{seconds:.1}"), peak]);
        }
        align_right(&mut sums, &[2, 3, 4]);
        line(sums.trim_fmt());
    }
    line(String::new());
    line(format!("{} alerts from {} events in {} lines.", outcome.alerts.len(), outcome.events, outcome.lines));
    for (rule, figures) in &outcome.figures {
        let not_in_scope = match rule.scope {
            ScopeKind::Worker => format!("{} without worker_id, ", figures.unscoped),
            ScopeKind::Unidentified => format!("{} with a worker_id, ", figures.unscoped),
            ScopeKind::Person => String::new(),
        };
        line(format!(
            "{}: {} events counted; {not_in_scope}{} of another zone, source or confidence, {} too late",
            rule.name, figures.taken, figures.filtered, figures.late
        ));
    }
    if outcome.refused > 0 {
        line(format!("{} lines hold no valid event:", outcome.refused));
        for told in outcome.told.iter().take(REFUSED_LISTED_MAX) {
            line(format!("  line {}: {}: {}", told.line, told.refusal.field, told.refusal.message));
        }
        if outcome.refused > REFUSED_LISTED_MAX as u64 {
            line("  …".to_owned());
        }
    }
    out
}

pub fn as_json(outcome: &Outcome, site: &Site) -> Value {
    let rules = outcome.figures.iter().map(|(rule, figures)| {
        json!({
            "name": rule.name,
            "alerts": outcome.alerts.iter().filter(|alert| alert.rule == rule.name).count(),
            "counted": figures.taken,
            "not_in_scope": figures.unscoped,
            "filtered": figures.filtered,
            "too_late": figures.late,
        })
    });
    let totals = totals(outcome, site).into_iter().map(|((rule, zone), (alerts, seconds, peak))| {
        json!({ "rule": rule, "zone": zone, "alerts": alerts, "seconds": round(seconds), "peak": peak.map(Hundredths::as_f64) })
    });
    json!({
        "lines": outcome.lines,
        "events": outcome.events,
        "refused": outcome.refused,
        "refused_lines": outcome.told,
        "rules": rules.collect::<Vec<_>>(),
        "totals": totals.collect::<Vec<_>>(),
        "alerts": outcome.alerts.iter().map(|alert| alert_json(alert, site)).collect::<Vec<_>>(),
    })
}

pub fn alert_json(alert: &Episode, site: &Site) -> Value {
    json!({
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "severity": alert.severity,
        "zone_id": alert.zone_id,
        "zone": alert.zone_id.and_then(|zone| site.zone(zone)),
        "camera_id": alert.camera_id,
        "started_at": alert.started_at,
        "raised_at": alert.raised_at,
        "ended_at": alert.ended_at,
        "seconds": round(seconds(alert)),
        "peak": alert.peak.map(Hundredths::as_f64),
        "peak_at": alert.peak_at,
        "events": alert.events,
        "episodes": alert.episodes,
    })
}

/// One row for each alert.
pub fn table(alerts: &[Episode], site: &Site) -> String {
    let start = format!("Start ({})", site.time_zone.name());
    let mut table = new_table(&["Rule", "Zone", "Camera", &start, "Seconds", "Peak"]);
    for alert in alerts {
        let rule = match alert.episodes {
            1 => alert.rule.to_string(),
            episodes => format!("{} ({episodes} alerts)", alert.rule),
        };
        let camera = alert.camera_id.as_deref().unwrap_or_default();
        table.add_row([
            rule,
            zone(alert, site),
            site.camera(camera).unwrap_or(camera).to_owned(),
            alert.started_at.with_timezone(&site.time_zone).format("%F %T%.3f").to_string(),
            format!("{:.1}", seconds(alert)),
            alert.peak.map_or_else(String::new, |peak| peak.to_string()),
        ]);
    }
    align_right(&mut table, &[4, 5]);
    table.trim_fmt()
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    table
}

fn align_right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn totals(outcome: &Outcome, site: &Site) -> Totals {
    let mut totals = Totals::new();
    for alert in &outcome.alerts {
        let total = totals.entry((alert.rule.to_string(), zone(alert, site))).or_default();
        total.0 += 1;
        total.1 += seconds(alert);
        total.2 = total.2.max(alert.peak);
    }
    totals
}

/// The zone's name, or its id.
fn zone(alert: &Episode, site: &Site) -> String {
    let Some(zone_id) = alert.zone_id else { return String::new() };
    site.zone(zone_id).map_or_else(|| zone_id.to_string(), str::to_owned)
}

fn seconds(alert: &Episode) -> f64 {
    (alert.ended_at.unwrap_or(alert.raised_at) - alert.started_at).as_seconds_f64()
}

/// To the millisecond, so that sums do not end in rounding errors.
fn round(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}
