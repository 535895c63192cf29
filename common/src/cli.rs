//! What both command lines do alike: end with the right code, ask for a password, say who is at the keyboard, show a
//! table, print.

mod output;

pub mod alerts;
pub mod bundle;
pub mod doctor;
pub mod exit;
pub mod pages;
pub mod password;
pub mod progress;
pub mod style;
pub mod watch;

pub use output::{Output, is_unread};

use std::fs;

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use crate::words::duration;

/// The name of the OS user, for the audit.
pub fn who() -> String {
    let uid = rustix::process::getuid().as_raw();
    let name = fs::read_to_string("/etc/passwd").ok().and_then(|text| name_of(&text, uid));
    let name = name.unwrap_or_else(|| format!("uid {uid}"));
    // Only root could have put something else there.
    match std::env::var("SUDO_USER") {
        Ok(user) if uid == 0 && !user.is_empty() => format!("{name} (sudo by {user})"),
        _ => name,
    }
}

fn name_of(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// How long ago a time in a page was.
pub fn ago(time: Option<&str>, now: DateTime<Utc>) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(time?).ok()?;
    Some(format!("{} ago", duration((now - time.to_utc()).as_seconds_f64().max(0.0))))
}

/// To the second.
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Columns of equal width, two spaces apart, each row on a line of its own.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\nodd\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("anna"));
        assert_eq!(name_of(passwd, 1001), None);
    }

    #[test]
    fn how_long_ago_is_said_roughly() {
        let now = DateTime::from_timestamp(1_000, 0).expect("a time");
        assert_eq!(ago(Some("1970-01-01T00:16:30.000Z"), now).as_deref(), Some("10 s ago"));
        assert_eq!(ago(None, now), None);
    }

    #[test]
    fn columns_line_up_and_lines_end_where_their_text_does() {
        let rows = [["anna", "viewer"], ["Łukasz", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["NAME", "ROLE"], rows), "NAME    ROLE\nanna    viewer\nŁukasz  x\n");
    }
}
