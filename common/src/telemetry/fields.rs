//! The fields of an event as text, under names that the journal allows.

use std::fmt::Write as _;

use tracing::Event;
use tracing::field::{Field, Visit};

/// Where a message that came through `log` is from; the journal has fields of its own for that.
const OF_LOG: &str = "log.";

#[derive(Default)]
pub struct Fields {
    pub message: String,
    /// All others.
    pub rest: Vec<(String, String)>,
}

impl Fields {
    pub fn of(event: &Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }

    fn put(&mut self, field: &Field, write: impl FnOnce(&mut String) -> std::fmt::Result) {
        let mut value = String::new();
        // A String takes everything.
        let _infallible = write(&mut value);
        if field.name() == "message" {
            self.message = value;
        } else if !field.name().starts_with(OF_LOG) {
            self.rest.push((journal_name(field.name()), value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, |out| write!(out, "{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |out| out.write_str(value));
    }
}

/// A field name as the journal allows it: upper case, digits, underscores, no underscore first.
fn journal_name(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    name.trim_start_matches('_').to_owned()
}
