//! Log lines: to the journal with their structured fields when systemd runs us, else to stderr; and the text form
//! of the metrics. Nothing personal goes into either.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use prometheus_client::registry::Registry;
use systemd_journal_logger::JournalLog;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

/// Sets up logging for the process. `filter` is a `tracing` filter such as `info` or `edge=debug,info`.
///
/// # Errors
/// If the filter cannot be read.
pub fn init(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    // systemd sets JOURNAL_STREAM when our stderr is the journal; a container may have the variable but no journald.
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| JournalLog::new().ok()).map(Journal);
    let stderr =
        journal.is_none().then(|| fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()));
    tracing_subscriber::registry().with(filter).with(journal).with(stderr).init();
    Ok(())
}

/// Whether [`init`] could read this filter.
///
/// # Errors
/// What is wrong with it.
pub fn check(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(filter).map(drop)
}

/// Sends events to the journal, each field as a journal field of its own (`journalctl EDGE_ID=…`). The usual bridge
/// from tracing to log would flatten them into the message.
struct Journal(JournalLog);

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *meta.level() {
            Level::ERROR => log::Level::Error,
            Level::WARN => log::Level::Warn,
            Level::INFO => log::Level::Info,
            Level::DEBUG => log::Level::Debug,
            Level::TRACE => log::Level::Trace,
        };
        let sent = self.0.journal_send(
            &log::Record::builder()
                .level(level)
                .target(meta.target())
                .file(meta.file())
                .line(meta.line())
                .key_values(&fields.rest)
                .args(format_args!("{}", fields.message))
                .build(),
        );
        // Nowhere to report a journal that does not answer.
        drop(sent);
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(String, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, |out| write!(out, "{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |out| out.write_str(value));
    }
}

impl Fields {
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut String) -> std::fmt::Result) {
        let mut value = String::new();
        // A String takes everything.
        let _infallible = write(&mut value);
        if field.name() == "message" {
            self.message = value;
        } else {
            self.rest.push((journal_name(field.name()), value));
        }
    }
}

/// A field name as the journal allows it: upper case, digits, underscores, no underscore first.
fn journal_name(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    name.trim_start_matches('_').to_owned()
}

/// The registry in the text format that Prometheus scrapes, with its content type.
pub fn render(registry: &Registry) -> (&'static str, String) {
    let mut text = String::new();
    // A String takes everything.
    let _infallible = prometheus_client::encoding::text::encode(&mut text, registry);
    ("application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}
