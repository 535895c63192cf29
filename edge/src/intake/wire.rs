//! One event as a camera writes it in JSON, read without judging it: texts borrowed, keypoints left raw, everything
//! optional. What is missing or out of bounds is for `check` to say; here only the JSON types must fit.
//!
//! Written by hand rather than derived because a derived reader can neither count unknown fields for free nor say
//! which field had the wrong type.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::check::Refusal;

/// An event before any check.
#[derive(Default)]
pub struct WireEvent<'a> {
    pub event_id: Option<Cow<'a, str>>,
    pub event_time: Option<Cow<'a, str>>,
    pub ingest_time: Option<Cow<'a, str>>,
    pub warehouse_id: Option<Cow<'a, str>>,
    pub zone_id: Option<Cow<'a, str>>,
    pub camera_id: Option<Cow<'a, str>>,
    pub worker_id: Option<Cow<'a, str>>,
    pub model_version: Option<Cow<'a, str>>,
    pub risk_score: Option<f64>,
    pub confidence: Option<f64>,
    pub source: Option<Cow<'a, str>>,
    pub posture_keypoints: Option<&'a RawValue>,
    /// How many fields we do not know; they are ignored, and counted so that a misspelt name does not stay unseen.
    pub unknown_fields: u64,
}

/// Reads one event.
///
/// # Errors
/// The field whose JSON type does not fit, or `event` if the text is not a JSON object at all.
pub fn read_event(json: &str) -> Result<WireEvent<'_>, Refusal> {
    let mut field = "event";
    let mut reader = serde_json::Deserializer::from_str(json);
    EventSeed { field: &mut field }
        .deserialize(&mut reader)
        .and_then(|event| reader.end().map(|()| event))
        .map_err(|error| refusal(field, &error))
}

/// Reads a JSON array of events in one pass. `None` if any of them does not fit: the caller then takes them one by one.
pub fn read_events(json: &str) -> Option<Vec<WireEvent<'_>>> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let events = reader.deserialize_seq(EventsVisitor).ok()?;
    reader.end().ok()?;
    Some(events)
}

fn refusal(field: &'static str, error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    // Without the position, which would be one inside our cut-out piece.
    let text = text.split(" at line ").next().unwrap_or(&text).replace("expected f64", "expected a number");
    // JSON can write 1e400, a double cannot hold it.
    let code = if text == "number out of range" { "out_of_range" } else { "invalid_type" };
    Refusal::new(field, code, text)
}

struct EventsVisitor;

impl<'de> Visitor<'de> for EventsVisitor {
    type Value = Vec<WireEvent<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut events = Vec::new();
        let mut field = "event";
        while let Some(event) = seq.next_element_seed(EventSeed { field: &mut field })? {
            events.push(event);
        }
        Ok(events)
    }
}

/// Notes the field it is at, so that an error can be told to belong to it.
struct EventSeed<'f> {
    field: &'f mut &'static str,
}

impl<'de> DeserializeSeed<'de> for EventSeed<'_> {
    type Value = WireEvent<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// A text borrowed from the input unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Option<CowText<'a>>);

#[derive(Deserialize)]
#[serde(transparent)]
struct CowText<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for EventSeed<'_> {
    type Value = WireEvent<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event as a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut event = WireEvent::default();
        // A field given twice: the last one counts, as in JSON.parse and in jsonb.
        while let Some(CowText(name)) = map.next_key::<CowText<'de>>()? {
            let text = match &*name {
                "event_id" => at(self.field, "event_id", &mut event.event_id),
                "event_time" => at(self.field, "event_time", &mut event.event_time),
                "ingest_time" => at(self.field, "ingest_time", &mut event.ingest_time),
                "warehouse_id" => at(self.field, "warehouse_id", &mut event.warehouse_id),
                "zone_id" => at(self.field, "zone_id", &mut event.zone_id),
                "camera_id" => at(self.field, "camera_id", &mut event.camera_id),
                "worker_id" => at(self.field, "worker_id", &mut event.worker_id),
                "model_version" => at(self.field, "model_version", &mut event.model_version),
                "source" => at(self.field, "source", &mut event.source),
                "risk_score" => {
                    *self.field = "risk_score";
                    event.risk_score = map.next_value()?;
                    continue;
                }
                "confidence" => {
                    *self.field = "confidence";
                    event.confidence = map.next_value()?;
                    continue;
                }
                "posture_keypoints" => {
                    *self.field = "posture_keypoints";
                    event.posture_keypoints = map.next_value()?;
                    continue;
                }
                _ => {
                    *self.field = "event";
                    map.next_value::<IgnoredAny>()?;
                    event.unknown_fields += 1;
                    continue;
                }
            };
            let Text(value) = map.next_value()?;
            *text = value.map(|CowText(value)| value);
        }
        *self.field = "event";
        Ok(event)
    }
}

fn at<'t, T>(field: &mut &'static str, name: &'static str, target: &'t mut T) -> &'t mut T {
    *field = name;
    target
}
