//! Configuration from all its places, in this order, later ones winning:
//! built-in defaults < the main file < `*.toml` in the drop-in directory by name < environment < credentials of systemd <
//! command line.
//!
//! Every file is read strictly on its own first, so that an unknown key or a wrong type is reported with file, line
//! and caret, and with the name that was probably meant ([`explain`]). Where each key came from is remembered
//! ([`origin`]), so that what only the whole shows to be wrong is reported at its place too.

mod error;
mod explain;
mod origin;
mod reference;
mod shown;

pub use error::{ConfigError, within};
pub use origin::{Origin, Origins};
pub use shown::{changed, masked, shown};

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use origin::SourceFile;

/// A name outside, such as an environment variable's, and the key it sets, as `section.key`.
pub type Named = (&'static str, &'static str);

/// What a binary says of its configuration.
#[derive(Debug)]
pub struct Schema {
    /// Environment variables.
    pub env: &'static [Named],
    /// Keys that are never shown. Passwords in URLs never are.
    pub secrets: &'static [&'static str],
    /// Keys whose text may hold a password anywhere, so that no error quotes it.
    pub urls: &'static [&'static str],
    /// The shipped file, which shows every key: examples are taken from it.
    pub reference: &'static str,
}

impl Schema {
    /// Whether an error may not quote what is said for this key.
    fn is_secret(&self, key: &str) -> bool {
        self.secrets.contains(&key) || self.urls.contains(&key)
    }
}

/// Where to look, and what else was said.
pub struct Sources<'a> {
    pub schema: &'static Schema,
    /// The main file. A default place may be missing; a place the user named may not.
    pub file: &'a Path,
    pub file_required: bool,
    /// The drop-in directory; may be missing.
    pub dir: &'a Path,
    /// Reads an environment variable. `CREDENTIALS_DIRECTORY` is where systemd puts credentials (`LoadCredential=`): each file
    /// there is named as the key that its content sets.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Where systemd puts those of the running service: whoever may read them means the same by a command by hand.
    pub service_credentials: &'a Path,
    /// `section.key` and value, from the command line.
    pub overrides: &'a [(String, String)],
}

/// A configuration, and where each of its keys is from.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    pub config: T,
    pub origins: Origins,
}

/// Loads a configuration. `T`'s serialised default must show every key that is not optional. `check` says what only the
/// whole shows to be wrong.
///
/// # Errors
/// The first place that cannot be read, with the fix.
pub fn load<T: DeserializeOwned + Serialize + Default>(
    sources: &Sources<'_>,
    check: impl FnOnce(&T) -> Result<(), ConfigError>,
) -> Result<Loaded<T>, ConfigError> {
    let defaults = Table::try_from(T::default()).map_err(|e| ConfigError::new(format!("built-in defaults: {e}")))?;
    let mut merged = Table::new();
    let mut origins = Origins::new(sources.schema);
    for path in files(sources)? {
        let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
        let file = Arc::new(SourceFile { path, text });
        // Strictly and alone, so that the error is at the file's own line.
        if let Err(error) = toml::from_str::<T>(&file.text) {
            return Err(explain::in_file(&file, &error, sources.schema));
        }
        let table = toml::from_str(&file.text).map_err(|error| explain::in_file(&file, &error, sources.schema))?;
        merge(&mut merged, table);
        origins.file(&file);
    }
    let mut said = Vec::new();
    for (name, key) in sources.schema.env {
        // An empty variable is an unset one, as in a unit file's `Environment=X=`.
        if let Some(text) = (sources.env)(name).filter(|text| !text.is_empty()) {
            said.push((Origin::Environment(name), (*key).to_owned(), text));
        }
    }
    said.extend(credentials(sources)?.into_iter().map(|(key, text)| (Origin::Credential(key.clone()), key, text)));
    said.extend(sources.overrides.iter().map(|(key, text)| (Origin::CommandLine, key.clone(), text.clone())));
    for (origin, key, text) in said {
        // What is in a credential is a secret, whatever key it is named as.
        let secret = matches!(origin, Origin::Credential(_)) || sources.schema.is_secret(&key);
        let read = set(&mut merged, &defaults, &key, &text).and_then(|()| {
            let whole = Value::Table(merged.clone()).try_into::<T>().map(drop);
            whole.map_err(|error| explain::message(&key, &error, sources.schema, secret))
        });
        origins.say(&key, origin);
        read.map_err(|problem| origins.place(ConfigError::of(&key, problem)))?;
    }
    // Each place was read strictly, and so was what is said beside the files; only two files together could be wrong.
    let whole = Value::Table(merged).try_into();
    let config = whole.map_err(|e: toml::de::Error| ConfigError::new(e.message()))?;
    check(&config).map_err(|error| origins.place(error))?;
    Ok(Loaded { config, origins })
}

/// Key and value of each credential, by name.
fn credentials(sources: &Sources<'_>) -> Result<Vec<(String, String)>, ConfigError> {
    let ours = (sources.env)("CREDENTIALS_DIRECTORY").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = ours.as_deref().unwrap_or(sources.service_credentials);
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        // The service does not run, or is not this user's.
        Err(_) if ours.is_none() => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(dir, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(dir, &error))?.path();
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let key = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Whoever writes a secret into a file ends it with a newline.
        found.push((key, text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    found.sort();
    Ok(found)
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    let fix = if error.kind() == ErrorKind::PermissionDenied { "; by hand, try sudo" } else { "" };
    ConfigError::new(format!("{}: {error}{fix}", path.display()))
}

fn files(sources: &Sources<'_>) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = Vec::new();
    if sources.file.exists() {
        files.push(sources.file.to_owned());
    } else if sources.file_required {
        return Err(ConfigError::new(format!("{}: no such file", sources.file.display())));
    }
    if sources.dir.is_dir() {
        let entries = std::fs::read_dir(sources.dir).map_err(|e| unreadable(sources.dir, &e))?;
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

/// Sets `section.key` from text, in the type the default has; a key without a default takes text. Lists are written as in a
/// file.
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
        Some(Value::Integer(_)) => text.parse().map(Value::Integer).map_err(|_| "must be a whole number".to_owned()),
        Some(Value::Float(_)) => text.parse().map(Value::Float).map_err(|_| "must be a number".to_owned()),
        Some(Value::Boolean(_)) => match text {
            "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
            _ => Err("must be true or false".to_owned()),
        },
        // Whatever is wrong with it may be part of a secret.
        Some(Value::Array(_)) => match text.parse() {
            Ok(Value::Array(list)) => Ok(Value::Array(list)),
            _ => Err("must be a list in [ ], its texts in quotes".to_owned()),
        },
        _ => Ok(Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
