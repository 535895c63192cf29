//! What both command lines do alike: ask for a password, say who is at the keyboard, show a table.

pub mod password;

use std::fs;

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::Table;
use comfy_table::presets::NOTHING;

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
    fn columns_line_up_and_lines_end_where_their_text_does() {
        let rows = [["anna", "viewer"], ["Łukasz", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["NAME", "ROLE"], rows), "NAME    ROLE\nanna    viewer\nŁukasz  x\n");
    }
}
