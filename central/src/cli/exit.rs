//! With which exit code a command ends that failed: what of central's own errors means which.

use common::cli::exit::{Cause, Exit};

use crate::store::StoreError;
use crate::store::batch::WriteError;
use crate::stream::StreamError;

pub fn of(error: &anyhow::Error) -> Exit {
    Exit::of_with(error, of_cause)
}

fn of_cause(cause: &Cause) -> Option<Exit> {
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
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn the_cause_says_the_code_however_deep_it_is() {
        let timeout = || anyhow::Error::new(StoreError::Timeout);
        for (error, exit) in [
            (timeout().context("look"), Exit::Unavailable),
            (anyhow::Error::new(WriteError::Unreachable(StoreError::Timeout)), Exit::Unavailable),
            (anyhow::Error::new(StoreError::NotMigrated), Exit::Failure),
            (timeout().context(Exit::Usage.because("say why")).context("do it"), Exit::Usage),
            (anyhow!("no such site"), Exit::Failure),
        ] {
            assert_eq!(of(&error), exit, "{error:#}");
        }
        let missing = std::fs::read("/does/not/exist").context("read").expect_err("it is not there");
        assert_eq!(of(&missing), Exit::NoInput, "what is no error of ours goes as in both programs");
    }
}
