//! A request body as a list of events, each read on its own, so that a bad one never harms its neighbours.
//!
//! JSON object, JSON array and NDJSON are told apart by looking; MessagePack by its content type. It is turned into
//! JSON text first: one reader and one set of checks for all forms.

use serde_json::value::RawValue;

use super::check::Refusal;
use super::wire::{self, WireEvent};

/// Events in a request, at most: as many as fit one group commit.
pub const EVENTS_MAX: usize = 1_000;

/// What the `Content-Type` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Object, array or NDJSON.
    Json,
    MessagePack,
}

impl Format {
    /// `None` for a type we do not read. A missing header means JSON; but the types that a form on a foreign web page
    /// can send without asking (`text/plain` among them) are refused.
    pub fn from_content_type(content_type: Option<&str>) -> Option<Self> {
        let Some(content_type) = content_type else { return Some(Self::Json) };
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "application/json" | "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                Some(Self::Json)
            }
            "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => Some(Self::MessagePack),
            _ => None,
        }
    }
}

/// Why a body cannot be taken at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body is empty; send an event, an array of events, or one event a line")]
    Empty,
    #[error("the body cannot be read: {0}")]
    Unreadable(String),
    #[error("{0} events in one request, at most {EVENTS_MAX} are taken; send them in several")]
    TooMany(usize),
}

/// One place in the list: an event, or why there is none.
pub type Item<'a> = Result<WireEvent<'a>, Refusal>;

/// MessagePack as JSON text, to be read like any other.
///
/// # Errors
/// If it is not whole, well-formed MessagePack of what JSON can say.
pub fn json_from_messagepack(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let mut json = Vec::with_capacity(body.len() * 2);
    let mut rest = body;
    let mut reader = rmp_serde::Deserializer::new(&mut rest);
    let mut writer = serde_json::Serializer::new(&mut json);
    serde_transcode::transcode(&mut reader, &mut writer).map_err(|e| BodyError::Unreadable(e.to_string()))?;
    if rest.is_empty() {
        Ok(json)
    } else {
        Err(BodyError::Unreadable("there is more behind the first value".to_owned()))
    }
}

/// Reads a JSON body.
///
/// # Errors
/// If there is nothing in it that could be an event, or too much.
pub fn read(body: &[u8]) -> Result<Vec<Item<'_>>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|e| BodyError::Unreadable(format!("it is not UTF-8: {e}")))?;
    let text = text.trim_ascii();
    let items = match text.as_bytes().first() {
        None => return Err(BodyError::Empty),
        Some(b'[') => read_array(text)?,
        Some(_) => read_object_or_lines(text)?,
    };
    match items.len() {
        0 => Err(BodyError::Empty),
        len if len > EVENTS_MAX => Err(BodyError::TooMany(len)),
        _ => Ok(items),
    }
}

fn read_array(text: &str) -> Result<Vec<Item<'_>>, BodyError> {
    if let Some(events) = wire::read_events(text) {
        return Ok(events.into_iter().map(Ok).collect());
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| BodyError::Unreadable(e.to_string()))?;
    Ok(items.into_iter().map(|item| wire::read_event(item.get())).collect())
}

fn read_object_or_lines(text: &str) -> Result<Vec<Item<'_>>, BodyError> {
    let first = wire::read_event(text);
    if first.is_ok() {
        return Ok(vec![first]);
    }
    // One whole JSON value: its own error is the right one, however many lines it is printed on.
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Ok(vec![first]),
        Err(error) => read_lines(text).ok_or_else(|| BodyError::Unreadable(error.to_string())),
    }
}

/// `None` unless there are several lines and at least one of them is JSON.
fn read_lines(text: &str) -> Option<Vec<Item<'_>>> {
    let lines: Vec<&str> = text.lines().map(str::trim_ascii).filter(|line| !line.is_empty()).collect();
    let any_json = lines.iter().any(|line| line.starts_with('{') && serde_json::from_str::<&RawValue>(line).is_ok());
    (lines.len() > 1 && any_json).then(|| lines.into_iter().map(read_line).collect())
}

fn read_line(line: &str) -> Item<'_> {
    match serde_json::from_str::<&RawValue>(line) {
        Ok(_) => wire::read_event(line),
        Err(error) => Err(Refusal::new("event", "unreadable", format!("this line is not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests;
