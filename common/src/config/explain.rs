//! What the TOML reader says of a file, in words that help: the key, what it must be, how that is written, and which name
//! was probably meant.

use toml::de::{DeTable, DeValue, Error};

use super::origin::{Seen, SourceFile};
use super::reference::Reference;
use super::{ConfigError, Schema};

/// Less alike is not the same name misspelt.
const LIKENESS_MIN: f64 = 0.8;

/// An error of reading `file`.
pub fn in_file(file: &SourceFile, error: &Error, schema: &'static Schema) -> ConfigError {
    let span = error.span().unwrap_or(0..0);
    let parsed = DeTable::parse(&file.text);
    let (path, syntax) = match &parsed {
        Ok(table) => (path_at(table.get_ref(), span.start).unwrap_or_default(), false),
        // It is no TOML, so only the line itself says which key was to be set.
        Err(_) => (path_in_text(&file.text, span.start), true),
    };
    let reference = Reference(schema.reference);
    let secret = schema.is_secret(&path);
    let seen = match reference.example(&path) {
        _ if secret => Seen::Nothing,
        Some(_) => Seen::Line,
        // It may be a secret's, mistyped.
        None => Seen::Key,
    };
    let (what, fix) = if syntax {
        let example = reference.example(&path).map(|line| format!("for example: {line}"));
        (format!("this is no TOML: {}", error.message()), example)
    } else {
        explained(&path, error.message(), &reference, secret)
    };
    file.error(&span, &what, fix, seen)
}

/// An error in a value for `key` that was said outside of files, without the key.
pub fn message(key: &str, error: &Error, schema: &'static Schema, secret: bool) -> String {
    let unknown = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    // Which part of the key it is that nobody knows.
    let upto = unknown.and_then(|name| key.find(name).map(|at| at + name.len())).unwrap_or(key.len());
    let path = key.get(..upto).unwrap_or(key);
    let (what, fix) = explained(path, error.message(), &Reference(schema.reference), secret);
    let what = what.strip_prefix(&format!("{key}: ")).map_or(what.clone(), str::to_owned);
    match fix {
        // The example is added where the place is.
        Some(fix) if !fix.starts_with("for example") => format!("{what}; {fix}"),
        _ => what,
    }
}

/// What is wrong with `path`, and the fix.
fn explained(path: &str, message: &str, reference: &Reference, secret: bool) -> (String, Option<String>) {
    let message = message.trim_end();
    let example = reference.example(path).map(|line| format!("for example: {line}"));
    let (section, _) = path.rsplit_once('.').unwrap_or(("", path));
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let names: Vec<&str> = rest.split('`').step_by(2).filter(|name| !name.is_empty()).collect();
        let (unknown, known) = names.split_first().map_or(("", &[][..]), |(unknown, known)| (*unknown, known));
        return (no_such_key(section, unknown), Some(meant(section, unknown, known, reference)));
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let names: Vec<&str> = rest.split('`').step_by(2).filter(|name| !name.is_empty()).collect();
        let (unknown, known) = names.split_first().map_or(("", &[][..]), |(unknown, known)| (*unknown, known));
        let fix = match nearest(unknown, known) {
            Some(name) => format!("did you mean \"{name}\"? There are: {}", known.join(", ")),
            None => format!("there are: {}", known.join(", ")),
        };
        let unknown = if secret { "what is said".to_owned() } else { format!("{unknown:?}") };
        let fix = if secret { format!("there are: {}", known.join(", ")) } else { fix };
        return (format!("{path}: {unknown} is not one of the words it can be"), Some(fix));
    }
    if let Some(rest) = message.strip_prefix("missing field `") {
        let name = rest.trim_end_matches('`');
        let example = reference.example(&format!("{path}.{name}")).map(|line| format!("for example: {line}"));
        return (format!("each [[{path}]] needs `{name}`"), example);
    }
    for kind in ["invalid type: ", "invalid value: "] {
        let parts = message.strip_prefix(kind).and_then(|rest| rest.rsplit_once(", expected "));
        if let Some((found, expected)) = parts {
            let found = if secret { String::new() } else { format!(", not {}", in_words(found)) };
            return (format!("{path}: must be {}{found}", wanted(expected)), example);
        }
    }
    let message = if secret { "cannot be used" } else { message };
    (if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") }, example)
}

fn no_such_key(section: &str, unknown: &str) -> String {
    match section {
        "" => format!("there is no key or section `{unknown}`"),
        section => format!("there is no key `{unknown}` in [{section}]"),
    }
}

fn meant(section: &str, unknown: &str, known: &[&str], reference: &Reference) -> String {
    if let Some(name) = nearest(unknown, known) {
        return format!("did you mean `{name}`?");
    }
    let elsewhere = reference.sections_with(unknown);
    match elsewhere.first() {
        Some(&"") => format!("`{unknown}` belongs to the top of the file, before the first [section]"),
        Some(other) if *other != section => format!("`{unknown}` belongs to [{other}]"),
        _ => format!("there are: {}", known.join(", ")),
    }
}

fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = known.iter().map(|name| (strsim::jaro_winkler(unknown, name), *name));
    let best = likeness.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > LIKENESS_MIN).map(|(_, name)| name)
}

/// What serde expected, for people.
fn wanted(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not below 0",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" => "text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list in [ ]",
        "a duration" => "a time with its unit, in quotes",
        other if other.starts_with("struct ") => "a section",
        other => other,
    }
}

/// What serde found, for people.
fn in_words(found: &str) -> String {
    let inner = |kind: &str| found.strip_prefix(kind).map(|rest| rest.trim_matches('`').to_owned());
    inner("integer ")
        .or_else(|| inner("floating point "))
        .or_else(|| inner("boolean "))
        .or_else(|| inner("string ").filter(|text| !text.contains('@')).map(|text| format!("the text {text}")))
        .or_else(|| found.starts_with("string ").then(|| "this text".to_owned()))
        .unwrap_or_else(|| match found {
            "sequence" => "a list".to_owned(),
            "map" => "a section".to_owned(),
            other => other.to_owned(),
        })
}

/// The key whose name or value is at this byte.
fn path_at(table: &DeTable<'_>, at: usize) -> Option<String> {
    let joined = |key: &str, inner: String| if inner.is_empty() { key.to_owned() } else { format!("{key}.{inner}") };
    // Deepest first: a section's own place is only its header.
    table.iter().find_map(|(key, value)| {
        let name = key.get_ref();
        let inside = match value.get_ref() {
            DeValue::Table(inner) => path_at(inner, at),
            DeValue::Array(list) => list.iter().find_map(|item| match item.get_ref() {
                DeValue::Table(inner) => path_at(inner, at),
                _ => None,
            }),
            _ => None,
        };
        let own = key.span().contains(&at) || value.span().contains(&at);
        let own = own || value.get_ref().as_array().is_some_and(|list| list.iter().any(|i| i.span().contains(&at)));
        inside.map(|inner| joined(name, inner)).or_else(|| own.then(|| name.to_string()))
    })
}

/// The same for a text that cannot be parsed, by its line and the header above it.
fn path_in_text(text: &str, at: usize) -> String {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().trim();
    let above = text.get(..start).unwrap_or_default();
    let header = above.lines().rev().find_map(|line| line.trim().strip_prefix('['));
    match header.map(|header| header.trim_start_matches('[').split(']').next().unwrap_or_default()) {
        Some(section) => format!("{section}.{key}"),
        None => key.to_owned(),
    }
}
