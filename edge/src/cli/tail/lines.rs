//! A message of the live WebSocket as lines for people: what is wrong comes as icon, word and colour at once, so that
//! none of them alone has to be seen.

use std::collections::HashMap;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};
use serde_json::Value;

const PLAIN: Style = Style::new();
const DIM: Style = Style::new().dimmed();
const CRITICAL: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTICE: Style = AnsiColor::Cyan.on_default();
const ACKNOWLEDGED: Style = AnsiColor::Blue.on_default();
const CLEARED: Style = AnsiColor::Green.on_default();

/// Makes lines. Knows what it has shown, so that a snapshot repeats nothing.
pub struct Lines {
    /// `None` for UTC.
    time_zone: Option<chrono_tz::Tz>,
    headed: bool,
    /// The open alerts, as last shown.
    shown: HashMap<String, Value>,
}

impl Lines {
    pub fn new(time_zone: Option<chrono_tz::Tz>) -> Self {
        Self { time_zone, headed: false, shown: HashMap::new() }
    }

    pub fn of(&mut self, message: &Value) -> Vec<String> {
        match (text(&message["type"]), text(&message["topic"])) {
            ("snapshot", _) => self.snapshot(message),
            ("change", "alerts") => self.alert(&message["alert"]).into_iter().collect(),
            ("change", "snapshots") => vec![self.snapshots(&message["snapshots"])],
            ("change", "health") => vec![health(&message["health"])],
            _ => Vec::new(),
        }
    }

    fn snapshot(&mut self, message: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        if !std::mem::replace(&mut self.headed, true) {
            let zone = self.time_zone.map_or("UTC".to_owned(), |zone| format!("those of the site ({zone})"));
            lines.push(format!("{DIM}Times are {zone}.{DIM:#}"));
        }
        if let Some(alerts) = message["alerts"].as_array() {
            // Oldest first, as they would have come.
            for alert in alerts.iter().rev() {
                let id = text(&alert["alert_id"]);
                // What was over before we came is history.
                if text(&alert["state"]) != "cleared" || self.shown.contains_key(id) {
                    lines.extend(self.alert(alert));
                }
            }
            let present: Vec<&str> = alerts.iter().map(|alert| text(&alert["alert_id"])).collect();
            self.shown.retain(|id, _| present.contains(&id.as_str()));
            if self.shown.is_empty() {
                lines.push(format!("{CLEARED}✔ No open alerts.{CLEARED:#}"));
            }
        }
        if !message["health"].is_null() {
            lines.push(health(&message["health"]));
        }
        lines
    }

    /// `None` if it was shown like this before.
    fn alert(&mut self, alert: &Value) -> Option<String> {
        let id = text(&alert["alert_id"]).to_owned();
        let before = if text(&alert["state"]) == "cleared" {
            self.shown.remove(&id)
        } else {
            self.shown.insert(id, alert.clone())
        };
        if before.as_ref() == Some(alert) {
            return None;
        }
        let same_state = before.is_some_and(|before| {
            before["state"] == alert["state"] && before["silenced"].is_null() == alert["silenced"].is_null()
        });
        let (icon, word, mut style, at) = match (text(&alert["state"]), text(&alert["severity"])) {
            ("cleared", _) => ("○", "cleared", CLEARED, &alert["ended_at"]),
            ("acknowledged", _) => ("◆", "acknowledged", ACKNOWLEDGED, &alert["acknowledged"]["at"]),
            (_, "critical") => ("■", "CRITICAL", CRITICAL, &alert["raised_at"]),
            (_, "notice") => ("●", "NOTICE", NOTICE, &alert["raised_at"]),
            _ => ("▲", "WARNING", WARNING, &alert["raised_at"]),
        };
        if same_state || !alert["silenced"].is_null() {
            style = DIM;
        }
        let word = if same_state { "goes on" } else { word };
        Some(format!("{}  {style}{icon} {word:<12}{style:#}  {}", self.time(at), words(alert)))
    }

    fn snapshots(&self, snapshots: &Value) -> String {
        let snapshots = snapshots.as_array().map_or(&[][..], Vec::as_slice);
        let risk = |snapshot: &Value| snapshot["risk_score"].as_f64().unwrap_or(0.0);
        let Some(highest) = snapshots.iter().max_by(|a, b| risk(a).total_cmp(&risk(b))) else { return String::new() };
        let camera = clean(text(&highest["camera_id"]));
        let cameras = if snapshots.len() == 1 { "1 camera".to_owned() } else { format!("{} cameras", snapshots.len()) };
        let at = self.time(&highest["event_time"]);
        format!("{at}  {DIM}· {:<12}{DIM:#}  {cameras}, highest risk {:.1} at {camera}", "snapshots", risk(highest))
    }

    fn time(&self, at: &Value) -> String {
        const FORMAT: &str = "%Y-%m-%d %H:%M:%S";
        let Ok(at) = text(at).parse::<DateTime<Utc>>() else { return " ".repeat("2025-11-17 12:00:00".len()) };
        match self.time_zone {
            Some(zone) => at.with_timezone(&zone).format(FORMAT).to_string(),
            None => at.format(FORMAT).to_string(),
        }
    }
}

/// Where and what, and what people have said of it.
fn words(alert: &Value) -> String {
    let named = |name: &str, id: &str| clean(alert[name].as_str().or(alert[id].as_str()).unwrap_or_default());
    let (zone, camera) = (named("zone", "zone_id"), named("camera", "camera_id"));
    let mut parts: Vec<String> =
        [zone, camera, clean(text(&alert["rule"]))].into_iter().filter(|part| !part.is_empty()).collect();
    if let Some(peak) = alert["peak"].as_f64() {
        parts.push(format!("peak {peak:.1}"));
    }
    parts.push(clean(text(&alert["summary"])));
    let acknowledged = &alert["acknowledged"];
    if !acknowledged.is_null() {
        let note = acknowledged["note"].as_str().map_or_else(String::new, |note| format!(": {}", clean(note)));
        parts.push(format!("seen by {}{note}", clean(text(&acknowledged["by"]))));
    }
    let silenced = &alert["silenced"];
    if !silenced.is_null() {
        parts.push(format!("silenced: {}", clean(text(&silenced["reason"]))));
    }
    parts.join(" · ")
}

fn health(health: &Value) -> String {
    let status = text(&health["status"]);
    let (icon, style) = match status {
        "healthy" => ("✔", CLEARED),
        "unhealthy" => ("■", CRITICAL),
        "" => ("·", PLAIN),
        _ => ("▲", WARNING),
    };
    let reasons: Vec<String> =
        health["reasons"].as_array().into_iter().flatten().map(|reason| clean(text(reason))).collect();
    format!("{:19}  {style}{icon} {:<12}{style:#}  {}", "", clean(status), reasons.join("; "))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Names and notes are other people's: what would steer the terminal is shown as a dot.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alert(state: &str) -> Value {
        json!({
            "alert_id": "1", "state": state, "severity": "warning", "rule": "sustained-risk", "zone": "Picking",
            "camera_id": "cam-03", "raised_at": "2025-11-17T08:12:31Z", "ended_at": "2025-11-17T08:13:00Z",
            "peak": 84.5, "summary": "Risk was high.", "acknowledged": null, "silenced": null,
        })
    }

    fn bare(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_life_is_told_in_the_sites_time() {
        let mut lines = Lines::new(Some(chrono_tz::Europe::Berlin));
        let head = bare(&lines.of(&json!({"type": "snapshot", "alerts": []})));
        assert_eq!(head, ["Times are those of the site (Europe/Berlin).", "✔ No open alerts."]);
        let change = |alert: Value| json!({"type": "change", "topic": "alerts", "alert": alert});
        let raised = bare(&lines.of(&change(alert("raised"))));
        assert_eq!(
            raised,
            ["2025-11-17 09:12:31  ▲ WARNING       Picking · cam-03 · sustained-risk · peak 84.5 · Risk was high."]
        );
        let mut higher = alert("raised");
        higher["peak"] = json!(90);
        assert!(bare(&lines.of(&change(higher.clone())))[0].contains("▲ goes on       Picking"));
        let mut seen = higher;
        seen["state"] = json!("acknowledged");
        seen["acknowledged"] = json!({"by": "Ana", "at": "2025-11-17T08:12:40Z", "note": "\u{1b}[2Jgoing"});
        let said = bare(&lines.of(&change(seen.clone())));
        assert!(said[0].starts_with("2025-11-17 09:12:40  ◆ acknowledged  Picking"), "{said:?}");
        assert!(said[0].ends_with("· seen by Ana: ·[2Jgoing"), "{said:?}");
        // A new snapshot repeats nothing, and tells what ended meanwhile.
        assert_eq!(lines.of(&json!({"type": "snapshot", "alerts": [seen]})), [] as [String; 0]);
        let said = bare(&lines.of(&json!({"type": "snapshot", "alerts": [alert("cleared")]})));
        assert!(said[0].starts_with("2025-11-17 09:13:00  ○ cleared") && said[1].contains("No open"), "{said:?}");
    }

    #[test]
    fn health_and_snapshots_are_a_line_each() {
        let mut lines = Lines::new(None);
        let health =
            json!({"type": "change", "topic": "health", "health": {"status": "degraded", "reasons": ["a", "b"]}});
        assert_eq!(bare(&lines.of(&health)), [format!("{:19}  ▲ degraded      a; b", "")]);
        let one = |camera: &str, risk: f64| json!({"camera_id": camera, "risk_score": risk, "event_time": "2025-11-17T08:12:31Z"});
        let both = json!({"type": "change", "topic": "snapshots", "snapshots": [one("a", 3.0), one("b", 71.25)]});
        assert_eq!(bare(&lines.of(&both)), ["2025-11-17 08:12:31  · snapshots     2 cameras, highest risk 71.2 at b"]);
    }
}
