//! A configuration as it is in force, as TOML, without its secrets; and which keys two of them differ in.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use toml::{Table, Value};

use super::{Origins, Schema};

/// What stands for a secret.
const HIDDEN: &str = "(set)";
/// Origins start in this column, unless a value is longer.
const ORIGIN_COLUMN: usize = 44;

/// All keys in force with their values. With `origins`, each says where it is from.
pub fn shown(config: &impl Serialize, schema: &Schema, origins: Option<&Origins>) -> String {
    let mut out = String::new();
    section(&masked(config, schema), "", origins, &mut out);
    out
}

/// The configuration as a table in which secrets are hidden.
pub fn masked(config: &impl Serialize, schema: &Schema) -> Table {
    let mut table = Table::try_from(config).expect("a configuration of plain values can be written");
    mask(&mut table, "", schema.secrets);
    table
}

fn mask(table: &mut Table, section: &str, secrets: &[&str]) {
    for (key, value) in table.iter_mut() {
        let path = joined(section, key);
        match value {
            Value::Table(inner) => mask(inner, &path, secrets),
            Value::String(text) if secrets.contains(&path.as_str()) => HIDDEN.clone_into(text),
            Value::String(text) => *text = without_password(text),
            _ => {}
        }
    }
}

/// A URL without who signs in; any other text as it is.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let rest = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, host)| format!("{HIDDEN}@{host}"));
    let mut parts = rest.split_inclusive(['?', '&']);
    let mut out = format!("{scheme}://{}", parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once('=') {
            Some((name, _)) if name.contains("password") => {
                let end = if part.ends_with('&') { "&" } else { "" };
                // A String takes everything.
                let _infallible = write!(out, "{name}={HIDDEN}{end}");
            }
            _ => out.push_str(part),
        }
    }
    out
}

fn section(table: &Table, path: &str, origins: Option<&Origins>, out: &mut String) {
    let is_nested = |value: &Value| match value {
        Value::Table(_) => true,
        Value::Array(items) => items.first().is_some_and(Value::is_table),
        _ => false,
    };
    let origin = |key: &str| origins.map(|origins| origins.of(&joined(path, key)).to_string());
    for (key, value) in table.iter().filter(|(_, value)| !is_nested(value)) {
        let line = format!("{key} = {value}");
        let _infallible = match origin(key) {
            Some(origin) => writeln!(out, "{line:<ORIGIN_COLUMN$} # {origin}"),
            None => writeln!(out, "{line}"),
        };
    }
    for (key, value) in table.iter().filter(|(_, value)| is_nested(value)) {
        let name = joined(path, key);
        match value {
            Value::Table(inner) => {
                let _infallible = write!(out, "\n[{name}]\n");
                section(inner, &name, origins, out);
            }
            Value::Array(items) => {
                let origin = origin(key).map(|origin| format!(" # {origin}")).unwrap_or_default();
                for item in items.iter().filter_map(Value::as_table) {
                    let _infallible = write!(out, "\n[[{name}]]{origin}\n");
                    section(item, &name, None, out);
                }
            }
            _ => {}
        }
    }
}

fn joined(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The keys, as `section.key`, in which two configurations differ.
pub fn changed<T: Serialize>(old: &T, new: &T) -> BTreeSet<String> {
    let table = |config: &T| Table::try_from(config).expect("a configuration of plain values can be written");
    let mut keys = BTreeSet::new();
    differ(&table(old), &table(new), "", &mut keys);
    keys
}

fn differ(old: &Table, new: &Table, section: &str, keys: &mut BTreeSet<String>) {
    let none = Table::new();
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (old.get(key), new.get(key));
        let path = joined(section, key);
        if old.or(new).is_some_and(Value::is_table) {
            let inner = |value: Option<&Value>| value.and_then(Value::as_table).unwrap_or(&none).clone();
            differ(&inner(old), &inner(new), &path, keys);
        } else if old != new {
            keys.insert(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_everything_but_who_signs_in() {
        for (url, shown) in [
            ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
            ("redis://:hunter2@h:1", "redis://(set)@h:1"),
            ("postgres://u:hun@ter/2@h:1/db?a=b", "postgres://(set)@h:1/db?a=b"),
            ("postgres:///db?host=/run&password=hunter2&user=u", "postgres:///db?host=/run&password=(set)&user=u"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
