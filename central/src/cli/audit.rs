//! `smartpick-central audit`: who did what.

use std::io::Write;

use chrono::{DateTime, Utc};
use clap::Args;
use common::cli::time;
use common::text::is_hidden;

use crate::config::Config;
use crate::store::Db;
use crate::store::audit::{self, Filter};

/// Lines read at once.
const PAGE: i64 = 1_000;

#[derive(Args)]
pub struct AuditArgs {
    /// How many lines, from the latest backwards
    #[arg(long, default_value_t = 100)]
    lines: usize,
    /// Only what this account or token did, or whoever was at a command line
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// How the subject begins, such as "alert" or "user anna"
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Only since this time, as 2026-11-02T06:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// One line of JSON each
    #[arg(long)]
    json: bool,
}

/// Oldest first, so that the latest is where people look.
pub async fn show(config: &Config, args: AuditArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    let AuditArgs { lines, actor, action, subject, from, json } = args;
    let mut filter = Filter { actor, action, subject, from, ..Filter::default() };
    let mut entries = Vec::new();
    loop {
        filter.limit = i64::try_from(lines - entries.len()).unwrap_or(PAGE).min(PAGE);
        let page = audit::page(&db, &filter).await?;
        let full = i64::try_from(page.len()) == Ok(filter.limit);
        filter.before = page.last().map(|last| last.id);
        entries.extend(page);
        if !full || entries.len() >= lines {
            break;
        }
    }
    if entries.is_empty() && !json {
        writeln!(out, "None.")?;
    }
    for entry in entries.iter().rev() {
        if json {
            writeln!(out, "{}", serde_json::to_string(entry)?)?;
        } else {
            let detail = entry.detail.as_deref().unwrap_or_default();
            let line = format!("{}  {}  {}  {}  {detail}", time(entry.at), entry.actor, entry.action, entry.subject);
            writeln!(out, "{}", in_one_line(line.trim_end()))?;
        }
    }
    Ok(())
}

/// What somebody gave as a reason may have several lines, and must not look like an entry of its own.
fn in_one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if is_hidden(c) {
            line.extend(c.escape_default())
        } else {
            line.push(c)
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_makes_an_entry_of_its_own() {
        assert_eq!(in_one_line("ok\n2026-11-26  anna  person_viewed"), r"ok\n2026-11-26  anna  person_viewed");
        assert_eq!(in_one_line("schön ⚠, \u{202e}x"), r"schön ⚠, \u{202e}x");
    }
}
