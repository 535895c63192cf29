//! `--watch`: a screen that is drawn again and again on a terminal; where there is none, a line for each change. Figures that
//! only go on counting are none.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::exit::say;

/// Between two looks.
pub const EVERY: Duration = Duration::from_secs(2);

/// One look: what the screen shows, and what of it is worth a line of its own when it changes.
pub struct Seen {
    pub screen: String,
    pub line: String,
    /// Of a command that looks once.
    pub code: ExitCode,
}

/// Looks once and says it.
pub fn once(seen: Seen) -> ExitCode {
    say(&seen.screen);
    seen.code
}

/// Looks until Ctrl-C, or until nobody reads it any more.
pub async fn watch(mut look: impl AsyncFnMut() -> Seen) -> ExitCode {
    let mut turns = tokio::time::interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let terminal = stdout().is_terminal();
    let mut said = None;
    let mut enough = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            // The person at the keyboard has seen enough.
            _ = &mut enough => return ExitCode::SUCCESS,
            _ = turns.tick() => {}
        }
        let seen = look().await;
        let text = if terminal {
            // Home, the screen, and nothing of what was there below it.
            let lines = seen.screen.replace('\n', "\x1b[K\n");
            format!("\x1b[H{lines}\x1b[J")
        } else {
            let state = without_figures(&seen.line);
            if said.as_ref() == Some(&state) {
                continue;
            }
            said = Some(state);
            format!("{}  {}\n", super::time(crate::clock::now()), seen.line)
        };
        let mut out = stdout();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return ExitCode::SUCCESS;
        }
    }
}

/// What a line says beside its figures: while central is away, the events that wait are more at every look.
fn without_figures(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut figure = false;
    for (c, next) in line.chars().zip(line.chars().skip(1).map(Some).chain([None])) {
        // Also the sign between two digits, as in 1,200, 99.5 and 10:30:05.
        let inside = figure && ",.:".contains(c) && next.is_some_and(|next| next.is_ascii_digit());
        if !(c.is_ascii_digit() || inside) {
            out.push(c);
        } else if !figure {
            out.push('0');
        }
        figure = c.is_ascii_digit() || inside;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_grows_is_no_change_and_another_reason_is() {
        let line = |since: &str, waiting: &str, why: &str| {
            format!("degraded: central not reached since {since} UTC, {waiting} events kept safe: {why}")
        };
        let first = without_figures(&line("10:30:05", "999", "connection refused"));
        assert_eq!(first, without_figures(&line("10:30:05", "1,000", "connection refused")));
        assert_eq!(first, without_figures(&line("9:01:00", "1200", "connection refused")));
        assert_ne!(first, without_figures(&line("10:30:05", "999", "timed out")));
        assert_ne!(first, without_figures("healthy"));
        assert_eq!(without_figures("redis1: 99.5 % of 7, 12."), "redis0: 0 % of 0, 0.");
    }
}
