//! Where each key of a configuration was said, and how that is told: file, line and a caret where there is a file.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::error::Quoted;
use super::reference::Reference;
use super::{ConfigError, Schema};

/// A file that was read.
#[derive(Debug)]
pub struct SourceFile {
    pub path: PathBuf,
    pub text: String,
}

impl SourceFile {
    /// Line and column of a byte, both from 1.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Something wrong at these bytes: with as much of the line as may be seen, and a caret below what is meant.
    pub(super) fn error(&self, span: &Range<usize>, what: &str, fix: Option<String>, seen: Seen) -> ConfigError {
        let (line, column) = self.place(span.start);
        let text = self.text.lines().nth(line - 1).unwrap_or_default();
        // Who signs in with a URL is nobody's business either.
        let seen = if text.contains("://") && text.contains('@') { Seen::Nothing } else { seen };
        let text = match seen {
            Seen::Line => text.to_owned(),
            // A section's header has no value.
            Seen::Key if text.trim_start().starts_with('[') => text.to_owned(),
            Seen::Key => text.find(['=', ':']).map_or(String::new(), |at| format!("{} ...", &text[..=at])),
            Seen::Nothing => String::new(),
        };
        let mut quoted = Quoted { line, text: String::new(), caret: String::new() };
        if !text.is_empty() && column <= text.chars().count() {
            let rest = text.chars().count().saturating_sub(column - 1);
            let meant = self.text.get(span.clone()).and_then(|meant| meant.lines().next()).unwrap_or_default();
            quoted.text = text.replace('\t', " ");
            quoted.caret = " ".repeat(column - 1) + &"^".repeat(meant.chars().count().clamp(1, rest.max(1)));
        }
        let place = format!("{}:{line}:{column}", self.path.display());
        ConfigError::new(what).at(place).quoting(quoted).hinting(fix)
    }
}

/// How much of a line an error may quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Line,
    /// Up to the value: nobody knows whether it is a secret.
    Key,
    Nothing,
}

/// Where a key was said.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Nowhere.
    Default,
    File {
        file: Arc<SourceFile>,
        /// The key's and the value's bytes in it.
        key: Range<usize>,
        value: Range<usize>,
    },
    /// systemd's, by name, which is the key's.
    Credential(String),
    Environment(&'static str),
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, key, .. } => write!(f, "{}:{}", file.path.display(), file.place(key.start).0),
            Self::Credential(name) => write!(f, "credential {name}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// Where all keys that are not the default were said, as `section.key`.
#[derive(Debug, Clone)]
pub struct Origins {
    said: BTreeMap<String, Origin>,
    schema: &'static Schema,
}

impl Origins {
    pub(super) const fn new(schema: &'static Schema) -> Self {
        Self { said: BTreeMap::new(), schema }
    }

    pub(super) fn say(&mut self, key: &str, origin: Origin) {
        self.said.insert(key.to_owned(), origin);
    }

    /// All keys of a file that can be read.
    pub(super) fn file(&mut self, file: &Arc<SourceFile>) {
        if let Ok(table) = DeTable::parse(&file.text) {
            self.table(file, table.get_ref(), "");
        }
    }

    fn table(&mut self, file: &Arc<SourceFile>, table: &DeTable<'_>, section: &str) {
        for (key, value) in table {
            let path =
                if section.is_empty() { key.get_ref().to_string() } else { format!("{section}.{}", key.get_ref()) };
            match value.get_ref() {
                DeValue::Table(inner) => self.table(file, inner, &path),
                // A list may be written in many places; the first has its name.
                DeValue::Array(_) => {
                    self.say(&path, Origin::File { file: Arc::clone(file), key: key.span(), value: key.span() });
                }
                _ => self.say(&path, Origin::File { file: Arc::clone(file), key: key.span(), value: value.span() }),
            }
        }
    }

    /// Of one key.
    pub fn of(&self, key: &str) -> &Origin {
        self.said.get(key).unwrap_or(&Origin::Default)
    }

    /// Adds to an error about one key where it was said, and an example.
    #[must_use]
    pub fn place(&self, error: ConfigError) -> ConfigError {
        let Some((key, message)) = error.about() else { return error };
        let what = format!("{key}: {message}");
        let fix = Reference(self.schema.reference).example(key).map(|line| format!("for example: {line}"));
        let seen = if self.schema.is_secret(key) { Seen::Nothing } else { Seen::Line };
        let origin = self.of(key);
        match origin {
            Origin::File { file, value, .. } => file.error(value, &what, fix, seen),
            Origin::Default => ConfigError::new(what),
            Origin::CommandLine => ConfigError::new(format!("--set {what}")).hinting(fix),
            Origin::Credential(_) | Origin::Environment(_) => {
                ConfigError::new(what).at(origin.to_string()).hinting(fix)
            }
        }
    }
}

#[cfg(test)]
impl Origins {
    /// With other names of files.
    pub(super) fn renamed(mut self, rename: impl Fn(String) -> String) -> Self {
        for origin in self.said.values_mut() {
            if let Origin::File { file, .. } = origin {
                let path = rename(file.path.display().to_string()).into();
                *file = Arc::new(SourceFile { path, text: file.text.clone() });
            }
        }
        self
    }
}
