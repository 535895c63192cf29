//! Keeps what repeats from filling the journal: of each message, by its place in the code, so many a minute get through. How
//! many were left out is said at the end of the minute.
//!
//! Debugging is not limited: whoever asks for it wants all of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber, error, info, warn};
use tracing_subscriber::layer::{Context, Layer};

use super::fields::Fields;

/// Messages from one place in the code that get through in a minute. Several sites or stores that fail at once do.
const PASS_MAX: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// The layer. A clone is the same.
#[derive(Clone, Default)]
pub struct Limit(Arc<Mutex<HashMap<Identifier, Repeats>>>);

/// One place's messages in this minute.
#[derive(Default)]
struct Repeats {
    passed: u32,
    left_out: u64,
    /// The first that was left out, with its level.
    like: Option<(Level, String)>,
}

impl Limit {
    /// Tells every minute what was left out in it, for as long as the process runs.
    pub fn start_telling(&self) {
        let limit = self.clone();
        let telling = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(MINUTE);
                limit.tell();
            }
        });
        if let Err(error) = telling {
            warn!("It is not told how many messages are left out: {error}");
        }
    }

    /// The minute is over.
    fn tell(&self) {
        let minute = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for Repeats { left_out, like, .. } in minute.into_values() {
            let Some((level, like)) = like else { continue };
            match level {
                Level::ERROR => error!(left_out, "Left out {left_out} more of the last minute like: {like}"),
                Level::WARN => warn!(left_out, "Left out {left_out} more of the last minute like: {like}"),
                _ => info!(left_out, "Left out {left_out} more of the last minute like: {like}"),
            }
        }
    }

    fn passes(&self, event: &Event<'_>) -> bool {
        let meta = event.metadata();
        // What is told of what was left out is not itself left out.
        if *meta.level() > Level::INFO || meta.target() == module_path!() {
            return true;
        }
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let repeats = match places.entry(meta.callsite()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Repeats::default()),
        };
        if repeats.passed < PASS_MAX {
            repeats.passed += 1;
            return true;
        }
        repeats.left_out += 1;
        repeats.like.get_or_insert_with(|| (*meta.level(), Fields::of(event).message));
        false
    }
}

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.passes(event)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing::debug;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn count(&self, words: &str) -> usize {
            let text = String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text");
            text.lines().filter(|line| line.contains(words)).count()
        }
    }

    #[test]
    fn what_repeats_is_left_out_and_counted() {
        let (lines, limit) = (Lines::default(), Limit::default());
        let writer = lines.clone();
        let out = fmt::layer().with_writer(move || writer.clone());
        let all = tracing_subscriber::filter::LevelFilter::TRACE;
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(all).with(limit.clone()).with(out),
            || {
                for turn in 0..50 {
                    warn!(turn, "The store is slow, turn {turn}");
                    debug!("Looked at turn {turn}");
                }
                error!("Something else");
                assert_eq!(lines.count("The store is slow"), 20);
                assert_eq!(lines.count("Looked at"), 50);
                assert_eq!(lines.count("Something else"), 1);
                limit.tell();
                assert_eq!(lines.count("Left out 30 more of the last minute like: The store is slow, turn 20"), 1);
                limit.tell();
                assert_eq!(lines.count("Left out"), 1, "it is told once");
                warn!("The store is slow");
                assert_eq!(lines.count("The store is slow"), 22, "a new minute, another place");
            },
        );
    }
}
