//! Configuration from all its places, in this order, later ones winning:
//! built-in defaults < the main file < `*.toml` in the drop-in directory by name < environment < command line.
//!
//! Every file is read strictly on its own first, so that an unknown key or a wrong type is reported with file, line
//! and caret, and with the name that was probably meant.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// An environment variable and the key it sets, as `section.key`.
pub type EnvKey = (&'static str, &'static str);

/// Where to look, and what else was said.
pub struct Sources<'a> {
    /// The main file. A default place may be missing; a place the user named may not.
    pub file: &'a Path,
    pub file_required: bool,
    /// The drop-in directory; may be missing.
    pub dir: &'a Path,
    pub env_keys: &'a [EnvKey],
    /// Reads an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// `section.key` and value, from the command line.
    pub overrides: &'a [(String, String)],
}

/// A configuration that cannot be used. Its text says where, what, and how to mend it.
#[derive(Debug)]
pub struct ConfigError(String);

impl ConfigError {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

impl std::error::Error for ConfigError {}

/// Loads a configuration. `T`'s serialised default must show every key that is not optional.
///
/// # Errors
/// The first place that cannot be read, with the fix.
pub fn load<T: DeserializeOwned + Serialize + Default>(sources: &Sources<'_>) -> Result<T, ConfigError> {
    let defaults = Table::try_from(T::default()).map_err(|e| ConfigError(format!("built-in defaults: {e}")))?;
    let mut merged = Table::new();
    for file in files(sources)? {
        let text = std::fs::read_to_string(&file).map_err(|e| ConfigError(format!("{}: {e}", file.display())))?;
        // Read strictly for the sake of the error message, with the file's own lines.
        if let Err(e) = toml::from_str::<T>(&text) {
            return Err(ConfigError(format!("{}: {}", file.display(), with_suggestion(&e.to_string()))));
        }
        let table: Table = toml::from_str(&text).map_err(|e| ConfigError(format!("{}: {e}", file.display())))?;
        merge(&mut merged, table);
    }
    for (name, key) in sources.env_keys {
        // An empty variable is an unset one, as in a unit file's `Environment=X=`.
        if let Some(text) = (sources.env)(name).filter(|text| !text.is_empty()) {
            set(&mut merged, &defaults, key, &text)
                .map_err(|e| ConfigError(format!("environment variable {name}: {e}")))?;
            check::<T>(&merged).map_err(|e| ConfigError(format!("environment variable {name}={text:?}: {e}")))?;
        }
    }
    for (key, text) in sources.overrides {
        set(&mut merged, &defaults, key, text).map_err(|e| ConfigError(format!("--set {key}: {e}")))?;
        check::<T>(&merged).map_err(|e| ConfigError(format!("--set {key}={text}: {e}")))?;
    }
    Value::Table(merged).try_into().map_err(|e: toml::de::Error| ConfigError(with_suggestion(e.message())))
}

fn check<T: DeserializeOwned>(merged: &Table) -> Result<(), String> {
    let checked: Result<T, toml::de::Error> = Value::Table(merged.clone()).try_into();
    checked.map(|_| ()).map_err(|e| with_suggestion(e.message()))
}

fn files(sources: &Sources<'_>) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = Vec::new();
    if sources.file.exists() {
        files.push(sources.file.to_owned());
    } else if sources.file_required {
        return Err(ConfigError(format!("{}: no such file", sources.file.display())));
    }
    if sources.dir.is_dir() {
        let entries =
            std::fs::read_dir(sources.dir).map_err(|e| ConfigError(format!("{}: {e}", sources.dir.display())))?;
        let mut dropins: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|p| p.extension().is_some_and(|x| x == "toml"))
            .collect();
        dropins.sort();
        files.extend(dropins);
    }
    Ok(files)
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Sets `section.key` from text, in the type the default has; a key without a default takes text.
fn set(into: &mut Table, defaults: &Table, key: &str, text: &str) -> Result<(), String> {
    let mut default = Some(defaults);
    let mut target = into;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            let value = typed(default.and_then(|d| d.get(part)), text)?;
            target.insert(part.to_owned(), value);
            return Ok(());
        }
        default = default.and_then(|d| d.get(part)).and_then(Value::as_table);
        let section = target.entry(part).or_insert_with(|| Value::Table(Table::new()));
        target = section.as_table_mut().ok_or_else(|| format!("`{part}` is not a section"))?;
    }
    Ok(())
}

fn typed(default: Option<&Value>, text: &str) -> Result<Value, String> {
    match default {
        Some(Value::Integer(_)) => {
            text.parse().map(Value::Integer).map_err(|_| format!("{text:?} is not a whole number"))
        }
        Some(Value::Float(_)) => text.parse().map(Value::Float).map_err(|_| format!("{text:?} is not a number")),
        Some(Value::Boolean(_)) => match text {
            "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
            _ => Err(format!("{text:?} is neither true nor false")),
        },
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Adds "did you mean" to an unknown field's error.
fn with_suggestion(message: &str) -> String {
    let message = message.trim_end();
    let Some(rest) = message.split("unknown field `").nth(1) else { return message.to_owned() };
    let names: Vec<&str> = rest.split('`').step_by(2).collect();
    let Some((unknown, known)) = names.split_first() else { return message.to_owned() };
    let best = known.iter().map(|name| (strsim::jaro_winkler(unknown, name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, name)) if likeness > 0.8 => format!("{message}\ndid you mean `{name}`?"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        listen: String,
        token: Option<String>,
        spill: Spill,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Spill {
        bytes_max: u64,
        enabled: bool,
    }

    impl Default for Config {
        fn default() -> Self {
            Self { listen: "127.0.0.1:1".to_owned(), token: None, spill: Spill::default() }
        }
    }

    impl Default for Spill {
        fn default() -> Self {
            Self { bytes_max: 7, enabled: false }
        }
    }

    fn load_from(
        main: &str,
        dropins: &[(&str, &str)],
        env: &[(&str, &str)],
        overrides: &[(&str, &str)],
    ) -> Result<Config, ConfigError> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("smartpick-config-{}-{n}", std::process::id()));
        std::fs::create_dir_all(dir.join("edge.d")).expect("temp dir");
        std::fs::write(dir.join("edge.toml"), main).expect("write");
        for (name, text) in dropins {
            std::fs::write(dir.join("edge.d").join(name), text).expect("write");
        }
        let overrides: Vec<_> = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let loaded = load(&Sources {
            file: &dir.join("edge.toml"),
            file_required: true,
            dir: &dir.join("edge.d"),
            env_keys: &[
                ("LISTEN", "listen"),
                ("TOKEN", "token"),
                ("SPILL_MAX", "spill.bytes_max"),
                ("SPILL", "spill.enabled"),
            ],
            env: &|name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
            overrides: &overrides,
        });
        std::fs::remove_dir_all(&dir).expect("clean up");
        loaded
    }

    #[test]
    fn later_places_win() {
        let config = load_from(
            "listen = 'a'\ntoken = 'main'\n[spill]\nbytes_max = 1",
            &[("20.toml", "listen = 'c'"), ("10.toml", "listen = 'b'\n[spill]\nenabled = true")],
            &[("SPILL_MAX", "2"), ("TOKEN", "123")],
            &[("spill.bytes_max", "3")],
        )
        .expect("valid");
        let expected = Config {
            listen: "c".to_owned(),
            token: Some("123".to_owned()),
            spill: Spill { bytes_max: 3, enabled: true },
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn nothing_configured_is_the_default() {
        assert_eq!(load_from("", &[], &[("LISTEN", "")], &[]).expect("valid"), Config::default());
    }

    #[test]
    fn an_unknown_key_is_shown_with_file_line_caret_and_the_fix() {
        let error = load_from("listen = 'a'\n[spill]\nbyte_max = 1", &[], &[], &[]).expect_err("invalid").to_string();
        for part in ["edge.toml", "line 3", "byte_max = 1", "^^^^^^^^", "did you mean `bytes_max`?"] {
            assert!(error.contains(part), "{part:?} is missing in:\n{error}");
        }
    }

    #[test]
    fn a_bad_variable_is_named() {
        let error = load_from("", &[], &[("SPILL_MAX", "many")], &[]).expect_err("invalid").to_string();
        assert!(error.contains("SPILL_MAX") && error.contains("whole number"), "{error}");
        let error = load_from("", &[], &[("SPILL_MAX", "-1")], &[]).expect_err("invalid").to_string();
        assert!(error.contains("SPILL_MAX"), "{error}");
    }

    #[test]
    fn an_unknown_override_is_an_error() {
        let error = load_from("", &[], &[], &[("spil.bytes_max", "1")]).expect_err("invalid").to_string();
        assert!(error.contains("did you mean `spill`?"), "{error}");
    }
}
