//! What can be stored of a record. Edges check what cameras say and people type, but a record is foreign bytes: what
//! Postgres or a reader of ours cannot hold, and what belongs to another site than the edge that brought it, must not get
//! further than a dead letter.

use chrono::{DateTime, Datelike as _, Utc};
use common::alert::{
    ACTOR_CHARS_MAX, AlertEvent, CURVE_MOMENTS_MAX, Curve, Fact, NOTE_CHARS_MAX, Origin, RULE_CHARS_MAX, Scope,
    Statement,
};
use common::event::{Event, keypoints};
use common::ids::WarehouseId;
use common::record::RecordError;
use common::text::{has_hidden, hidden_in_lines};

/// As an event's.
const CAMERA_CHARS_MAX: usize = 255;
/// Longer than anything our rules say, and short enough for a list.
const SUMMARY_CHARS_MAX: usize = 1_000;

/// In hundredths.
const SCORE_MAX: u16 = 10_000;
const CONFIDENCE_MAX: u16 = 100;

type Checked = Result<(), String>;

/// The event as it is stored. One that was taken before the edge was of any site, the test event for one, is of the site
/// that the edge has joined since.
///
/// # Errors
/// If it is of another site: an edge speaks for its own only, whoever has got hold of it. If a reader of its keypoints could not
/// take them for `jsonb`. Naming the field, if a number or a time is none that an edge's intake takes.
pub fn event(event: Event<'_>, warehouse: WarehouseId) -> Result<Event<'_>, RecordError> {
    sound(&event).map_err(|what| RecordError::Payload("an event that can be stored", what))?;
    match event.warehouse_id {
        own if own == warehouse => Ok(event),
        none if none.uuid().is_nil() => Ok(Event { warehouse_id: warehouse, ..event }),
        other => Err(RecordError::Payload("an event of its edge's site", of_another(other, warehouse))),
    }
}

fn sound(event: &Event<'_>) -> Checked {
    keypoints::check(&event.posture_keypoints).map_err(|unfit| format!("posture_keypoints: {}", unfit.message))?;
    let hundredths = [("risk_score", event.risk_score, SCORE_MAX), ("confidence", event.confidence, CONFIDENCE_MAX)];
    if let Some((name, value, max)) = hundredths.into_iter().find(|(_, value, max)| value.raw() > *max) {
        return Err(format!("{name} {} is outside 0 to {}", f64::from(value.raw()) / 100.0, max / 100));
    }
    // What a camera claims whose clock cannot be believed is kept beside, whatever it is.
    time("event_time", event.stored_time())?;
    time("ingest_time", event.ingest_time)
}

fn of_another(claimed: WarehouseId, own: WarehouseId) -> String {
    format!("it is of warehouse {claimed}, its edge is of warehouse {own}")
}

/// # Errors
/// Naming the field, what is wrong with it, and its bound.
pub fn alert(alert: &AlertEvent, warehouse: WarehouseId) -> Result<(), RecordError> {
    let check = || -> Checked {
        if let Some(claimed) = alert.warehouse_id.filter(|claimed| *claimed != warehouse) {
            return Err(of_another(claimed, warehouse));
        }
        if alert.revision == 0 {
            return Err("revision 0 is none, the first is 1".to_owned());
        }
        filled("rule", &alert.rule, RULE_CHARS_MAX)?;
        text("summary", &alert.summary, SUMMARY_CHARS_MAX)?;
        optional("camera_id", alert.camera_id.as_deref(), CAMERA_CHARS_MAX)?;
        if let Some(peak) = alert.peak.filter(|peak| !(0.0..=100.0).contains(peak)) {
            return Err(format!("peak {peak} is outside 0 to 100"));
        }
        let times = [("started_at", Some(alert.started_at)), ("raised_at", Some(alert.raised_at))];
        for (name, at) in times.into_iter().chain([("ended_at", alert.ended_at), ("peak_at", alert.peak_at)]) {
            at.map_or(Ok(()), |at| time(name, at))?;
        }
        alert.curve.as_ref().map_or(Ok(()), |own| curve(own, alert.started_at))
    };
    check().map_err(|what| RecordError::Payload("a sound alert", what))
}

fn curve(curve: &Curve, started_at: DateTime<Utc>) -> Checked {
    let Curve { threshold, clear_below, moments } = curve;
    for (name, level) in [("curve.threshold", threshold), ("curve.clear_below", clear_below)] {
        if let Some(level) = level.filter(|level| !(0.0..=100.0).contains(level)) {
            return Err(format!("{name} {level} is outside 0 to 100"));
        }
    }
    if moments.len() > CURVE_MOMENTS_MAX {
        return Err(format!("curve has {} moments, at most {CURVE_MOMENTS_MAX} are taken", moments.len()));
    }
    for (ms, score) in moments {
        if *score > SCORE_MAX {
            return Err(format!("curve has a score of {}, outside 0 to 100", f64::from(*score) / 100.0));
        }
        let at = Curve::time(started_at, *ms).ok_or_else(|| format!("curve has a time {ms} ms after its start"))?;
        time("curve", at)?;
    }
    Ok(())
}

/// # Errors
/// Naming the field, what is wrong with it, and its bound.
pub fn fact(fact: &Fact) -> Result<(), RecordError> {
    let check = || -> Checked {
        // What was said here is here; nobody may put words into headquarters' mouth.
        if fact.origin != Origin::Edge {
            return Err("it says it was made at headquarters, but an edge brought it".to_owned());
        }
        filled("by", &fact.by, ACTOR_CHARS_MAX)?;
        time("at", fact.at)?;
        statement(&fact.statement)
    };
    check().map_err(|what| RecordError::Payload("a sound fact", what))
}

/// The same for what is said at headquarters, and that people can see all of it: an edge may have taken more, long ago.
///
/// # Errors
/// Naming the field, what is wrong with it, and its bound.
pub fn said_here(said: &Statement) -> Result<(), String> {
    statement(said)?;
    match said {
        Statement::Acknowledge { note: Some(text), .. } => visible("note", text),
        Statement::Silence { reason, .. } => visible("reason", reason),
        Statement::Acknowledge { note: None, .. } | Statement::EndSilence { .. } => Ok(()),
    }
}

/// Whether people see all of a text that somebody writes here, on several lines if need be.
///
/// # Errors
/// Naming the field and the character.
pub fn visible(name: &str, value: &str) -> Result<(), String> {
    hidden_in_lines(value).map_or(Ok(()), |c| Err(format!("{name} {}", has_hidden(c))))
}

fn statement(statement: &Statement) -> Result<(), String> {
    match statement {
        Statement::Acknowledge { note, .. } => optional("note", note.as_deref(), NOTE_CHARS_MAX),
        Statement::Silence { scope, reason, until } => {
            let Scope { rule, zone_id: _, camera_id } = scope;
            optional("scope.rule", rule.as_deref(), RULE_CHARS_MAX)?;
            optional("scope.camera_id", camera_id.as_deref(), CAMERA_CHARS_MAX)?;
            filled("reason", reason, NOTE_CHARS_MAX)?;
            time("until", *until)
        }
        Statement::EndSilence { .. } => Ok(()),
    }
}

fn text(name: &str, value: &str, chars_max: usize) -> Checked {
    let chars = value.chars().count();
    if chars > chars_max {
        return Err(format!("{name} has {chars} characters, at most {chars_max} are taken"));
    }
    if value.contains('\0') {
        return Err(format!("{name} contains a NUL character"));
    }
    Ok(())
}

fn filled(name: &str, value: &str, chars_max: usize) -> Checked {
    if value.trim().is_empty() {
        return Err(format!("{name} is empty"));
    }
    text(name, value, chars_max)
}

fn optional(name: &str, value: Option<&str>, chars_max: usize) -> Checked {
    value.map_or(Ok(()), |value| text(name, value, chars_max))
}

/// Years of four digits: what every reader of RFC 3339 can read, and Postgres hold.
fn time(name: &str, at: DateTime<Utc>) -> Checked {
    if (1..=9_999).contains(&at.year()) { Ok(()) } else { Err(format!("{name} is outside the years 1 to 9999")) }
}
