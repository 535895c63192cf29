//! `doctor`: named checks, what each found, and how to mend it. Works whether or not the service runs, and changes
//! nothing. What both binaries look at alike is in [`machine`] and [`redis`].

pub mod machine;
pub mod redis;

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use super::exit::say;
use super::style::{Mark, Style};

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub mark: Mark,
    pub says: String,
    /// What to do about it, unless it is fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Check {
    pub fn ok(name: &'static str, says: impl Into<String>) -> Self {
        Self { name, mark: Mark::Ok, says: says.into(), mend: None }
    }

    pub fn skipped(name: &'static str, says: impl Into<String>) -> Self {
        Self { name, mark: Mark::Skipped, says: says.into(), mend: None }
    }

    pub fn warning(name: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, mark: Mark::Warning, says: says.into(), mend: Some(mend.into()) }
    }

    pub fn failure(name: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, mark: Mark::Failure, says: says.into(), mend: Some(mend.into()) }
    }
}

/// All checks, in the order in which they were made.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub program: &'static str,
    pub version: &'static str,
    pub checks: Vec<Check>,
}

impl Report {
    pub const fn new(program: &'static str, version: &'static str) -> Self {
        Self { program, version, checks: Vec::new() }
    }

    pub fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    pub fn worst(&self) -> Mark {
        self.checks.iter().map(|check| check.mark).max().unwrap_or(Mark::Ok)
    }

    /// As JSON, all of it.
    pub fn json(&self) -> serde_json::Value {
        let mut all = serde_json::to_value(self).expect("plain values");
        all["worst"] = serde_json::to_value(self.worst().max(Mark::Ok)).expect("a word");
        all
    }

    /// For people: a line for each check, what to do below it, and a summary.
    pub fn text(&self, style: Style) -> String {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
        let signs = if style.unicode { 1 } else { 2 };
        let mut out = String::new();
        for check in &self.checks {
            let sign = style.paint(check.mark, &format!("{:<signs$}", style.sign(check.mark)));
            let indent = " ".repeat(signs + 1 + width + 2);
            let says = style.plain(&check.says).replace('\n', &format!("\n{indent}"));
            // A String takes everything.
            let _infallible = writeln!(out, "{sign} {:<width$}  {says}", check.name);
            if let Some(mend) = &check.mend {
                let mend = style.plain(mend).replace('\n', &format!("\n{indent}"));
                let _infallible = writeln!(out, "{indent}{}", style.paint(Mark::Skipped, &format!("mend: {mend}")));
            }
        }
        let named = |mark| -> Vec<&str> { self.checks.iter().filter(|c| c.mark == mark).map(|c| c.name).collect() };
        let (bad, odd) = (named(Mark::Failure), named(Mark::Warning));
        let count = self.checks.len();
        let _infallible = match (bad.is_empty(), odd.is_empty()) {
            (true, true) => writeln!(out, "\nAll {count} checks are fine."),
            (true, false) => writeln!(out, "\nTo look at: {}.", odd.join(", ")),
            (false, true) => writeln!(out, "\nTo mend: {}.", bad.join(", ")),
            (false, false) => writeln!(out, "\nTo mend: {}. To look at: {}.", bad.join(", "), odd.join(", ")),
        };
        out
    }

    /// Prints it. Exits with 0 if all is fine, 1 if something is to be looked at, 2 if something is to be mended.
    pub fn print(&self, json: bool) -> ExitCode {
        say(&if json { format!("{:#}\n", self.json()) } else { self.text(Style::of_stdout()) });
        ExitCode::from(match self.worst() {
            Mark::Skipped | Mark::Ok => 0,
            Mark::Warning => 1,
            Mark::Failure => 2,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("smartpick-edge", "1.2.3");
        report.add(Check::ok("config", "good"));
        report.add(Check::warning("clock", "not synchronised – it may drift", "timedatectl set-ntp true"));
        report.add(Check::failure("redis", "refused\nthe connection", "start it"));
        report.add(Check::skipped("tls", "no TLS"));
        report
    }

    #[test]
    fn each_check_has_a_line_and_what_to_do() {
        let plain = Style { color: false, unicode: true };
        assert_eq!(
            report().text(plain),
            "√ config  good\n\
             ! clock   not synchronised – it may drift\n\
             \x20         mend: timedatectl set-ntp true\n\
             × redis   refused\n\
             \x20         the connection\n\
             \x20         mend: start it\n\
             - tls     no TLS\n\
             \nTo mend: redis. To look at: clock.\n"
        );
        let ascii = report().text(Style { color: false, unicode: false });
        assert!(ascii.is_ascii() && ascii.contains("\nx  redis   refused\n"), "{ascii}");
    }

    #[test]
    fn the_worst_decides() {
        assert_eq!(report().worst(), Mark::Failure);
        assert_eq!(report().json()["worst"], "failure");
        assert_eq!(Report::default().json()["worst"], "ok");
    }
}
