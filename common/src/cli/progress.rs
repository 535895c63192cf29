//! A bar for work that takes a while: on a terminal only, and gone at the end.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// So that the time that is left is right also between two steps.
const DRAWN_EVERY: Duration = Duration::from_millis(200);

/// Of so many steps.
pub fn bar(steps: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left  {msg}").expect("a template of ours");
    let bar = ProgressBar::new(steps).with_style(style);
    bar.enable_steady_tick(DRAWN_EVERY);
    bar
}
