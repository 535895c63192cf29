//! How complete something is, in the words that every page and every export uses. Pure: counts in, judgement out.
//!
//! No news is not good news: what nobody has told us of is never `complete`.

pub mod file;
pub mod periods;
pub mod report;

use serde::Serialize;

/// What the judgement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CompletenessState)]
pub enum State {
    /// Everything that was accepted is here.
    Complete,
    /// Everything that was accepted is here, but some of it could not be stored.
    DeadLettered,
    /// Some of it still waits at an edge, or more is to come.
    Filling,
    /// Nobody can say, because nobody has told us.
    Unknown,
    /// Some of it is neither here nor waiting.
    Missing,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::DeadLettered => "dead_lettered",
            Self::Filling => "filling",
            Self::Unknown => "unknown",
            Self::Missing => "missing",
        }
    }
}

/// Whether those who would know have spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// They have, recently enough for what is asked.
    Fresh,
    /// They have once, but not since it mattered.
    Silent,
    /// Never.
    Never,
}

/// What is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// Records that were accepted and are neither here nor in a buffer.
    pub missing: i64,
    /// Records that wait at edges.
    pub backlog: i64,
    /// Until the backlog is gone; believed only with fresh news.
    pub drain_seconds: Option<f64>,
    pub news: News,
}

/// The judgement, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Completeness {
    pub state: State,
    /// "complete", "filling (backlog 12,400, about 3 min)", "17 missing", "unknown (nothing heard lately)".
    pub text: String,
    pub missing: i64,
    pub backlog: i64,
    pub drain_seconds: Option<f64>,
}

/// Judges. What is lost comes before what waits, and what waits before who is silent: a loss is a loss whatever else
/// comes in.
pub fn judge(known: &Known) -> Completeness {
    let Known { missing, backlog, news, .. } = *known;
    let drain_seconds = known.drain_seconds.filter(|secs| news == News::Fresh && backlog > 0 && secs.is_finite());
    let (state, text) = if missing > 0 {
        (State::Missing, format!("{} missing", thousands(missing)))
    } else if backlog > 0 {
        let soon = drain_seconds.map(|secs| format!(", about {}", rough(secs))).unwrap_or_default();
        (State::Filling, format!("filling (backlog {}{soon})", thousands(backlog)))
    } else {
        match news {
            News::Fresh => (State::Complete, "complete".to_owned()),
            News::Silent => (State::Unknown, "unknown (nothing heard lately)".to_owned()),
            News::Never => (State::Unknown, "unknown (never heard of)".to_owned()),
        }
    };
    Completeness { state, text, missing, backlog, drain_seconds }
}

/// A count as people read it: 12,400.
pub fn thousands(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        text.push('-');
    }
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration as people say it, in the one unit that fits.
pub fn rough(secs: f64) -> String {
    let (count, unit) = match secs.max(0.0) {
        s if s < 90.0 => (s, "s"),
        s if s < 90.0 * 60.0 => (s / 60.0, "min"),
        s if s < 48.0 * 3_600.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "days"),
    };
    format!("{} {unit}", thousands(count.round().max(1.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(missing: i64, backlog: i64, drain_seconds: Option<f64>, news: News) -> Known {
        Known { missing, backlog, drain_seconds, news }
    }

    #[test]
    fn the_words_are_the_agreed_ones() {
        let text = |known: Known| judge(&known).text;
        assert_eq!(text(known(0, 0, None, News::Fresh)), "complete");
        assert_eq!(text(known(0, 12_400, Some(182.0), News::Fresh)), "filling (backlog 12,400, about 3 min)");
        assert_eq!(text(known(0, 12_400, None, News::Fresh)), "filling (backlog 12,400)");
        assert_eq!(text(known(17, 12_400, Some(182.0), News::Fresh)), "17 missing");
        assert_eq!(text(known(0, 0, None, News::Never)), "unknown (never heard of)");
    }

    #[test]
    fn silence_is_never_complete_and_its_last_word_on_draining_is_not_believed() {
        assert_eq!(judge(&known(0, 0, None, News::Silent)).state, State::Unknown);
        let silent = judge(&known(0, 5, Some(10.0), News::Silent));
        assert_eq!((silent.state, silent.text.as_str()), (State::Filling, "filling (backlog 5)"));
        assert_eq!(silent.drain_seconds, None);
        assert_eq!(judge(&known(1, 0, None, News::Silent)).state, State::Missing);
    }

    #[test]
    fn numbers_have_their_separators_and_durations_one_unit() {
        let numbers = [0, 999, 1_000, 12_400, 1_234_567, -1_000, i64::MAX].map(thousands);
        assert_eq!(numbers, ["0", "999", "1,000", "12,400", "1,234,567", "-1,000", "9,223,372,036,854,775,807"]);
        let durations = [0.0, 89.0, 90.0, 3_600.0, 7_200.0, 172_800.0, 1e30, f64::NAN].map(rough);
        assert_eq!(durations[..6], ["1 s", "89 s", "2 min", "60 min", "2 h", "2 days"]);
        assert!(durations[6].ends_with(" days") && durations[7].ends_with(" s"), "{durations:?}");
    }
}
