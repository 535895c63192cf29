//! How lines look: colour on a terminal only and never with `NO_COLOR`; signs that the locale can show.

use std::io::{IsTerminal as _, stdout};

use anstyle::{AnsiColor, Style as Ansi};

/// The three findings, and what was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Could not be looked at: there is nothing to look at, or it takes another user.
    Skipped,
    Ok,
    Warning,
    Failure,
}

/// What this terminal, file or pipe can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
    pub unicode: bool,
}

impl Style {
    /// Of our standard output.
    pub fn of_stdout() -> Self {
        let env = |name: &str| std::env::var(name).ok();
        Self { color: stdout().is_terminal() && may_color(&env), unicode: is_unicode(&env) }
    }

    pub const fn sign(self, mark: Mark) -> &'static str {
        match (mark, self.unicode) {
            (Mark::Ok, true) => "√",
            (Mark::Ok, false) => "ok",
            (Mark::Warning, _) => "!",
            (Mark::Failure, true) => "×",
            (Mark::Failure, false) => "x",
            (Mark::Skipped, _) => "-",
        }
    }

    /// The text in the mark's colour.
    pub fn paint(self, mark: Mark, text: &str) -> String {
        let ansi = match mark {
            Mark::Ok => AnsiColor::Green.on_default(),
            Mark::Warning => AnsiColor::Yellow.on_default().bold(),
            Mark::Failure => AnsiColor::Red.on_default().bold(),
            Mark::Skipped => Ansi::new().dimmed(),
        };
        if self.color { format!("{ansi}{text}{ansi:#}") } else { text.to_owned() }
    }

    /// The text as this locale can show it.
    pub fn plain(self, text: &str) -> String {
        if self.unicode {
            return text.to_owned();
        }
        text.chars().map(|c| if c.is_ascii() { c.to_string() } else { ascii(c).to_owned() }).collect()
    }
}

const fn ascii(c: char) -> &'static str {
    match c {
        '–' | '—' => "-",
        '…' => "...",
        '·' => "|",
        '×' => "x",
        '√' => "ok",
        '“' | '”' => "\"",
        '≥' => ">=",
        'µ' => "u",
        _ => "?",
    }
}

fn may_color(env: &dyn Fn(&str) -> Option<String>) -> bool {
    // As no-color.org has it: set and not empty.
    env("NO_COLOR").is_none_or(|value| value.is_empty()) && env("TERM").is_none_or(|term| term != "dumb")
}

/// The first of these that is set decides, as setlocale(3) has it.
fn is_unicode(env: &dyn Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env(name).filter(|value| !value.is_empty()));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_uppercase();
        locale.contains("UTF-8") || locale.contains("UTF8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_locale_and_the_terminal_decide() {
        assert!(is_unicode(&env(&[("LANG", "de_DE.UTF-8")])));
        assert!(!is_unicode(&env(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")])));
        assert!(is_unicode(&env(&[("LC_CTYPE", "C.utf8"), ("LC_ALL", "")])));
        assert!(!is_unicode(&env(&[])));
        assert!(may_color(&env(&[("NO_COLOR", "")])) && !may_color(&env(&[("NO_COLOR", "1")])));
        assert!(!may_color(&env(&[("TERM", "dumb")])));
    }

    #[test]
    fn nothing_but_ascii_where_the_locale_has_no_more() {
        let style = Style { color: false, unicode: false };
        assert_eq!(style.sign(Mark::Failure), "x");
        assert_eq!(style.plain("reached – 3 µs … ≥ 2"), "reached - 3 us ... >= 2");
        assert_eq!(Style { color: true, unicode: true }.paint(Mark::Ok, "fine"), "\u{1b}[32mfine\u{1b}[0m");
    }
}
