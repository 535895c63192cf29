//! What is wrong with a configuration, in parts: people who mend it see all of them, and health, which is for everybody, only
//! those that repeat nothing of what was written.

use std::fmt;
use std::ops::RangeInclusive;

/// A configuration that cannot be used. Its text says where, what, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Box<Parts>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Parts {
    /// What it is about, if it is one key and its place was not found yet.
    key: Option<String>,
    /// Where it was said, such as `edge.toml:3:1`.
    place: Option<String>,
    /// What is wrong. It never repeats what may be a secret.
    message: String,
    /// As much as may be shown of the line that says it, with a caret.
    quoted: Option<Quoted>,
    /// How to mend it, if the message does not say so.
    hint: Option<String>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quoted {
    pub line: usize,
    pub text: String,
    /// What is below it.
    pub caret: String,
}

impl ConfigError {
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Parts { message: message.into().trim_end().to_owned(), ..Parts::default() }))
    }

    /// About one key. [`Origins::place`](super::Origins::place) adds where it was said.
    pub fn of(key: impl Into<String>, problem: impl Into<String>) -> Self {
        let mut error = Self::new(problem);
        error.0.key = Some(key.into());
        error
    }

    /// Key and problem of one whose place was not found yet.
    pub(super) fn about(&self) -> Option<(&str, &str)> {
        self.0.key.as_deref().map(|key| (key, self.0.message.as_str()))
    }

    #[must_use]
    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.0.place = Some(place.into());
        self
    }

    #[must_use]
    pub(super) fn quoting(mut self, quoted: Quoted) -> Self {
        self.0.quoted = Some(quoted);
        self
    }

    #[must_use]
    pub(super) fn hinting(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint;
        self
    }

    /// On one line, without the line of the file: for those who are not to see what it says.
    pub fn unquoted(&self) -> String {
        let said = match &self.0.hint {
            Some(hint) => format!("{}; {hint}", self.head()),
            None => self.head(),
        };
        said.lines().collect::<Vec<_>>().join(", ")
    }

    /// Where, and what is wrong.
    fn head(&self) -> String {
        let parts = self.0.place.iter().chain(&self.0.key).chain([&self.0.message]);
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    }
}

#[cfg(test)]
impl ConfigError {
    /// With another name of the file.
    pub(super) fn renamed(self, rename: impl Fn(String) -> String) -> Self {
        let parts = *self.0;
        Self(Box::new(Parts { place: parts.place.map(&rename), message: rename(parts.message), ..parts }))
    }
}

/// # Errors
/// If the value of a key is not in its range; with the range.
pub fn within(key: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let fix = match (*range.start(), *range.end()) {
        (least, u64::MAX) => format!("choose at least {least}"),
        (least, most) => format!("choose {least} to {most}"),
    };
    Err(ConfigError::of(key, format!("{value} is out of range; {fix}")))
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head())?;
        let mut gutter = " ".to_owned();
        if let Some(Quoted { line, text, caret }) = &self.0.quoted {
            gutter = " ".repeat(line.to_string().len());
            if !text.is_empty() {
                write!(f, "\n{gutter} |\n{line} | {text}\n{gutter} | {caret}")?;
            }
        }
        match &self.0.hint {
            Some(hint) => write!(f, "\n{gutter} = {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
