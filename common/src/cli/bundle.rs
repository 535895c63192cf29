//! `support-bundle`: what helps to find a fault, in one `.tar.gz`. Nothing secret and nobody's identity is in it: the
//! configuration is masked, pages that are asked for hold figures only, and every text is cleaned of what looks like an
//! id of somebody or a secret before it goes in, whoever wrote it.

use std::fmt::Write as _;
use std::io::Write;
use std::process::Command;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Lines of the journal that are taken.
const JOURNAL_LINES: &str = "2000";
/// A command that says nothing for so long is left out.
const COMMAND_MAX: &str = "10";

/// The files of a bundle.
#[derive(Debug, Default)]
pub struct Bundle {
    files: Vec<(String, String)>,
    /// Texts that must not be in it, such as the configured tokens.
    secrets: Vec<String>,
}

impl Bundle {
    /// What is said below the list of files.
    pub const PROMISE: &str =
        "No worker's id, no user's name, no picture and no secret is in it; look, before you send it.\n";

    /// `secrets`: whatever is configured as one.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        // A short text is in any file, and hides nothing.
        let secrets = secrets.into_iter().filter(|secret| secret.len() >= 6).collect();
        Self { files: Vec::new(), secrets }
    }

    /// Adds a file, cleaned.
    pub fn add(&mut self, name: &str, text: &str) {
        let mut text = clean(text);
        for secret in &self.secrets {
            text = text.replace(secret, "(secret)");
        }
        self.files.push((name.to_owned(), text));
    }

    /// What a program says, or that it could not be asked.
    pub fn command(&mut self, name: &str, program: &str, args: &[&str]) {
        let asked = Command::new("timeout").arg(COMMAND_MAX).arg(program).args(args).env("LC_ALL", "C.UTF-8").output();
        let text = match asked {
            Ok(output) => {
                let mut text = format!("$ {program} {}\n", args.join(" "));
                text += &String::from_utf8_lossy(&output.stdout);
                text += &String::from_utf8_lossy(&output.stderr);
                text
            }
            Err(error) => format!("{program}: {error}\n"),
        };
        self.add(name, &text);
    }

    /// The machine and the unit.
    pub fn system(&mut self, unit: &str) {
        for (name, program, args) in [
            ("system/kernel.txt", "uname", &["-a"][..]),
            ("system/os.txt", "cat", &["/etc/os-release"]),
            ("system/uptime.txt", "uptime", &[]),
            ("system/memory.txt", "free", &["-m"]),
            ("system/disk.txt", "df", &["-hT"]),
            ("system/inodes.txt", "df", &["-i"]),
            ("system/clock.txt", "timedatectl", &[]),
            ("system/unit.txt", "systemctl", &["status", "--no-pager", "--lines=0", unit]),
            ("system/unit-settings.txt", "systemctl", &["cat", "--no-pager", unit]),
            ("journal.txt", "journalctl", &["-u", unit, "-n", JOURNAL_LINES, "--no-pager", "-o", "short-iso"]),
        ] {
            self.command(name, program, args);
        }
    }

    /// Writes the archive, everything below `top/`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, top: &str, now_secs: u64, to: impl Write) -> anyhow::Result<()> {
        let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::default()));
        for (name, text) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o600);
            header.set_mtime(now_secs);
            archive.append_data(&mut header, format!("{top}/{name}"), text.as_bytes()).context("write the archive")?;
        }
        archive.into_inner().context("write the archive")?.finish().context("write the archive")?.flush()?;
        Ok(())
    }

    /// What is in it, for whoever is to send it.
    pub fn listed(&self) -> String {
        let mut out = String::new();
        for (name, text) in &self.files {
            // A String takes everything.
            let _infallible = writeln!(out, "  {name:<28}{:>9} bytes", text.len());
        }
        out
    }
}

/// Without what looks like somebody or like a secret: values of fields that hold workers, names or tokens, bearer tokens, our
/// own tokens, and who signs in within URLs.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        out += &clean_line(line);
    }
    out
}

/// Names of fields whose values stay out.
const FIELDS: [&str; 9] =
    ["worker_id", "WORKER_ID", "worker", "password", "token", "secret", "authorization", "posture_keypoints", "user"];
/// How our own tokens begin.
const TOKENS: [&str; 6] = ["spe_", "spt_", "spk_", "spc_", "spj_", "Bearer "];

fn clean_line(line: &str) -> String {
    let mut line = line.to_owned();
    for field in FIELDS {
        line = without_values(&line, field);
    }
    for start in TOKENS {
        line = without_runs(&line, start);
    }
    without_sign_in(&line)
}

/// `field=value`, `"field":"value"`, `field: value`: the value goes. Only where the field's name stands alone.
fn without_values(line: &str, field: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(field) {
        let (before, after) = rest.split_at(at);
        let after = &after[field.len()..];
        let part_of_a_name = before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let gap = after.len() - after.trim_start_matches(['"', ' ', '\\', ')', ']']).len();
        let separator = after[gap..].starts_with([':', '=']);
        out += before;
        out += field;
        rest = after;
        if part_of_a_name || !separator {
            continue;
        }
        let value = after[gap + 1..].trim_start_matches([' ', '"', '\\', '(']);
        let start = after.len() - value.len();
        let end = value.find(|c: char| !(c.is_alphanumeric() || "-_.+/@".contains(c))).unwrap_or(value.len());
        // null, true and numbers of a kind say nothing of anybody.
        let harmless = ["null", "true", "false", ""].contains(&&value[..end]);
        out += &after[..start];
        out += if harmless { &value[..end] } else { "(left out)" };
        rest = &value[end..];
    }
    out + rest
}

/// A run of letters and digits that begins with `start` goes.
fn without_runs(line: &str, start: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(start) {
        out += &rest[..at];
        out += start;
        let after = &rest[at + start.len()..];
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.~+/=".contains(c))).unwrap_or(after.len());
        if end > 0 {
            out += "(left out)";
        }
        rest = &after[end..];
    }
    out + rest
}

/// `scheme://who:password@host`: who and password go.
fn without_sign_in(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out += before;
        let end = after.find(|c: char| c.is_whitespace() || "/\"'<>,".contains(c)).unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(sign) => {
                out += "(left out)";
                rest = &after[sign..];
            }
            None => rest = after,
        }
    }
    out + rest
}

/// The password in a URL, before the host or among what follows the question mark.
pub fn url_passwords(url: &str) -> Vec<String> {
    let mut found = Vec::new();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    if let Some((user, _)) = rest.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
    {
        found.push(password.to_owned());
    }
    let query = url.split_once('?').map_or("", |(_, query)| query);
    found.extend(query.split('&').filter_map(|part| part.strip_prefix("password=")).map(str::to_owned));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_wrote_it_no_person_and_no_secret_is_left() {
        for (text, cleaned) in [
            (r#"{"worker_id":"9a1b-77","zone":"A"}"#, r#"{"worker_id":"(left out)","zone":"A"}"#),
            (r#"{"worker_id": null}"#, r#"{"worker_id": null}"#),
            ("WORKER_ID=9a1b x", "WORKER_ID=(left out) x"),
            ("key (worker_id)=(9a)", "key (worker_id)=((left out))"),
            ("smartpick_workers 4", "smartpick_workers 4"),
            ("Authorization: Bearer abc.def=", "Authorization: Bearer (left out)"),
            ("token spe_ab12 is", "token spe_(left out) is"),
            ("redis://:pw@h:1/0 and postgres://u:p@h/db", "redis://(left out)@h:1/0 and postgres://(left out)@h/db"),
            ("User=smartpick", "User=smartpick"),
        ] {
            assert_eq!(clean(text), cleaned);
        }
    }

    #[test]
    fn passwords_are_found_in_urls() {
        assert_eq!(url_passwords("postgres://u:p@ss@h/db?x=1&password=q"), ["p@ss", "q"]);
        assert!(url_passwords("redis://127.0.0.1:6379").is_empty());
    }

    #[test]
    fn configured_secrets_are_found_wherever_they_are() {
        let mut bundle = Bundle::new(["hunter2!x".to_owned(), "a".to_owned()]);
        bundle.add("a.txt", "a line with hunter2!x in it");
        assert_eq!(bundle.files[0].1, "a line with (secret) in it");
        let mut packed = Vec::new();
        bundle.write("top", 0, &mut packed).expect("memory");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&packed[..]));
        let names: Vec<String> = archive
            .entries()
            .expect("entries")
            .map(|entry| entry.expect("whole").path().expect("a path").display().to_string())
            .collect();
        assert_eq!(names, ["top/a.txt"]);
    }
}
