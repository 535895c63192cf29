//! What systemd is told: that we are ready, that we stop, how we are in a sentence, and that we are alive. Without systemd
//! all of it goes nowhere.

use sd_notify::NotifyState;
use tracing::error;

use super::signs::LifeSigns;

/// How we are, for `systemctl status`.
pub type Sentence = Box<dyn Fn() -> String + Send + Sync>;

/// How often the sentence is looked at. People ask by hand.
const SENTENCE_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

pub fn ready() {
    tell(NotifyState::Ready);
}

/// The configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    // systemd wants to know when it began.
    states.extend(NotifyState::monotonic_usec_now());
    // Nobody listens if systemd did not start us.
    drop(sd_notify::notify(&states));
}

pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// What `systemctl status` shows from now on.
pub fn say(sentence: &str) {
    tell(NotifyState::Status(sentence));
}

fn tell(state: NotifyState<'_>) {
    // Nobody listens if systemd did not start us.
    drop(sd_notify::notify(&[state]));
}

/// Says the sentence when it changes, and feeds the watchdog while every stage turns. A stage may take as long as
/// `WatchdogSec` for a turn, so one that is stuck ends the process within twice that.
pub async fn keep_telling(signs: &[LifeSigns], sentence: Option<&Sentence>) {
    let limit = sd_notify::watchdog_enabled();
    let mut turn = tokio::time::interval(limit.map_or(SENTENCE_EVERY, |limit| SENTENCE_EVERY.min(limit / 3)));
    let (mut said, mut blamed) = (String::new(), None);
    loop {
        turn.tick().await;
        if let Some(sentence) = sentence {
            let now = sentence();
            if now != said {
                say(&now);
                said = now;
            }
        }
        let Some(limit) = limit else { continue };
        let stuck = signs.iter().find_map(|signs| signs.stuck(limit));
        match stuck {
            None => tell(NotifyState::Watchdog),
            Some((stage, silence)) if blamed != Some(stage) => {
                let secs = silence.as_secs();
                error!(stage, "Stage {stage} has not turned for {secs} s; systemd's watchdog will start us anew");
            }
            Some(_) => {}
        }
        blamed = stuck.map(|(stage, _)| stage);
    }
}
