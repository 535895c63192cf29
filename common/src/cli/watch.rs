//! `--watch`: a screen that is drawn again and again on a terminal; where there is none, a line for each change.

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
    let mut said = String::new();
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
        } else if seen.line == said {
            continue;
        } else {
            said.clone_from(&seen.line);
            format!("{}  {}\n", super::time(crate::clock::now()), seen.line)
        };
        let mut out = stdout();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return ExitCode::SUCCESS;
        }
    }
}
