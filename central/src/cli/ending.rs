//! With which exit code a command ends that failed: what of central's own errors means which, and the two kinds of failure
//! that only the command knows, because the error alone does not tell a file that was named from one that was to be made.

use common::cli::exit::Exit;

use crate::store::StoreError;
use crate::store::batch::WriteError;
use crate::stream::StreamError;

/// An error of which a command knows what kind it is. Its text is the whole chain's.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
struct Known {
    exit: Exit,
    error: anyhow::Error,
}

/// What was said on the command line cannot be taken.
pub fn usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    Known { exit: Exit::Usage, error: error.into() }.into()
}

/// What was to be written cannot be made.
pub fn cannot_create(error: impl Into<anyhow::Error>) -> anyhow::Error {
    Known { exit: Exit::CantCreate, error: error.into() }.into()
}

/// By the first cause in the chain that has a code.
pub fn of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(of_cause).unwrap_or_else(|| Exit::of(error))
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(known) = cause.downcast_ref::<Known>() {
        return Some(known.exit);
    }
    if let Some(StoreError::NotLetIn(_)) = cause.downcast_ref() {
        return Some(Exit::NoPermission);
    }
    let unavailable = cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_unavailable)
        || cause.downcast_ref::<WriteError>().is_some_and(WriteError::is_unavailable)
        || cause.downcast_ref::<StreamError>().is_some_and(StreamError::is_unavailable);
    unavailable.then_some(Exit::Unavailable)
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_cause_says_the_code_however_deep_it_is() {
        let missing = || Error::from(ErrorKind::NotFound);
        for (error, exit) in [
            (anyhow::Error::new(missing()), Exit::NoInput),
            (cannot_create(missing()).context("make it"), Exit::CantCreate),
            (usage(missing()), Exit::Usage),
            (anyhow::Error::new(StoreError::Timeout).context("look"), Exit::Unavailable),
            (anyhow::Error::new(WriteError::Unreachable(StoreError::Timeout)), Exit::Unavailable),
            (anyhow::Error::new(StoreError::NotMigrated), Exit::Failure),
        ] {
            assert_eq!(of(&error), exit, "{error:#}");
        }
        let said = Err::<(), _>(missing()).context("make x").map_err(cannot_create).expect_err("it failed");
        assert_eq!(said.to_string(), format!("make x: {}", missing()));
    }
}
