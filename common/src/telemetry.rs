//! Log lines: to the journal with their structured fields when systemd runs us, else to stderr; and the text form
//! of the metrics. Nothing personal goes into either.

mod fields;
mod limit;

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use prometheus_client::registry::Registry;
use systemd_journal_logger::{JournalLog, connected_to_journal};
use tracing::{Event, Level, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry as Subscribers, fmt, reload};

/// How the filter in force is changed; set by [`init`].
static FILTER: OnceLock<reload::Handle<EnvFilter, Subscribers>> = OnceLock::new();

use fields::Fields;
use limit::Limit;

/// Sets up logging for the process. `filter` is a `tracing` filter such as `info` or `edge=debug,info`.
///
/// # Errors
/// If the filter cannot be read.
pub fn init(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(filter)?);
    // Only if our stderr is the journal: what is started in a service with a pipe of its own writes to that.
    let journal = connected_to_journal().then(|| JournalLog::new().ok()).flatten().map(Journal);
    let stderr =
        journal.is_none().then(|| fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()));
    let limit = Limit::default();
    tracing_subscriber::registry().with(filter).with(limit.clone()).with(journal).with(stderr).init();
    limit.start_telling();
    // A second logger would have panicked just now.
    drop(FILTER.set(handle));
    Ok(())
}

/// Another filter from now on.
///
/// # Errors
/// If it cannot be read; the old one stays.
pub fn change(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    if let Some(handle) = FILTER.get() {
        // It fails only once the subscriber is gone, with the process.
        drop(handle.reload(filter));
    }
    Ok(())
}

/// Whether [`init`] could read this filter.
///
/// # Errors
/// What is wrong with it.
pub fn check(filter: &str) -> Result<(), String> {
    // `EnvFilter` takes any word for a part of the program, and then shows nothing of all the others.
    let bare = filter.split(',').map(str::trim).find(|part| !part.contains(['=', '[']) && !is_level(part));
    if let Some(word) = bare {
        return Err(format!("{word:?} is no level; there are {}", LEVELS.join(", ")));
    }
    EnvFilter::try_new(filter).map(drop).map_err(|error| error.to_string())
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// Sends events to the journal, each field as a journal field of its own (`journalctl EDGE_ID=…`). The usual bridge
/// from tracing to log would flatten them into the message.
struct Journal(JournalLog);

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // What a crate says through `log` has its place in the code among its fields.
        let logged = event.normalized_metadata();
        let meta = logged.as_ref().unwrap_or_else(|| event.metadata());
        let fields = Fields::of(event);
        // The crate makes notices (5) of `Info` and infos (6) of `Debug`. What we call info is info.
        let level = match *meta.level() {
            Level::ERROR => log::Level::Error,
            Level::WARN => log::Level::Warn,
            Level::INFO => log::Level::Debug,
            Level::DEBUG | Level::TRACE => log::Level::Trace,
        };
        let sent = self.0.journal_send(
            &log::Record::builder()
                .level(level)
                .target(meta.target())
                .module_path(meta.module_path())
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

/// The registry in the text format that Prometheus scrapes, with its content type.
pub fn render(registry: &Registry) -> (&'static str, String) {
    let mut text = String::new();
    // A String takes everything.
    let _infallible = prometheus_client::encoding::text::encode(&mut text, registry);
    ("application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}
