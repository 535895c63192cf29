//! What can go wrong with Postgres, in words that say each thing once: the text of an error of sqlx has its causes' texts in
//! it already, so it is said here and is nobody's source.

use super::QUERY_TIMEOUT;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("Postgres did not answer within {QUERY_TIMEOUT:?}")]
    Timeout,
    #[error("more dashboards are asked for than can be worked out")]
    Busy,
    #[error("the database has no schema yet; run `smartpick-central migrate`")]
    NotMigrated,
    #[error(
        "Postgres does not let us in: {}; run it as the user that has the database, for example `sudo -u smartpick-central \
         smartpick-central status`, or set database.url",
        plain(.0)
    )]
    NotLetIn(sqlx::Error),
    #[error("Postgres refused or went away: {}", plain(.0))]
    Sql(sqlx::Error),
}

impl StoreError {
    /// Whether Postgres could not be reached, or not in time, rather than refused what was asked of it.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Timeout | Self::Busy => true,
            Self::NotMigrated | Self::NotLetIn(_) => false,
            Self::Sql(error) => is_unavailable(error),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        /// `undefined_table`
        const NO_TABLE: &str = "42P01";
        /// `invalid_authorization_specification`, which peer authentication says, and `invalid_password`.
        const NOT_LET_IN: [&str; 2] = ["28000", "28P01"];
        match error.as_database_error().and_then(|e| e.code()).as_deref() {
            Some(NO_TABLE) => Self::NotMigrated,
            Some(code) if NOT_LET_IN.contains(&code) => Self::NotLetIn(error),
            _ => Self::Sql(error),
        }
    }
}

/// As [`StoreError::is_unavailable`].
pub(super) fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) => true,
        // No connection, no resources, going down.
        error => error
            .as_database_error()
            .and_then(|e| e.code())
            .is_some_and(|code| ["08", "53", "57"].iter().any(|class| code.starts_with(class))),
    }
}

/// What Postgres said, or what sqlx says where Postgres said nothing.
pub(super) fn plain(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = anyhow::Error::new(StoreError::from(sqlx::Error::Io(refused())));
        assert_eq!(format!("{error:#}").matches(&refused().to_string()).count(), 1, "{error:#}");
        assert!(is_unavailable(&sqlx::Error::Io(refused())));
    }
}
