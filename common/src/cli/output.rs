//! Where commands print. Who reads it may go away early, as `head` does, and has then seen enough: the command ends
//! there, quietly and well. Everything else that can be wrong with the standard output is an error.

use std::io::{self, Write};

/// Told by [`is_unread`]; a broken pipe alone could be any connection's.
#[derive(Debug, thiserror::Error)]
#[error("whoever read the output has gone away")]
struct Unread;

/// The standard output.
#[derive(Debug)]
pub struct Output(io::Stdout);

impl Default for Output {
    fn default() -> Self {
        Self(io::stdout())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(unread)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(unread)
    }
}

fn unread(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, Unread),
        _ => error,
    }
}

/// Whether a command failed only because nobody reads what it prints.
pub fn is_unread(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(|inner| inner.is::<Unread>())
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn only_our_own_readers_going_away_is_no_failure() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let ours: anyhow::Result<()> = Err(unread(broken())).context("print the summary");
        assert!(is_unread(&ours.expect_err("failed")));
        let theirs: anyhow::Result<()> = Err(broken()).context("ask Redis");
        assert!(!is_unread(&theirs.expect_err("failed")));
        assert!(!is_unread(&unread(io::Error::from(io::ErrorKind::StorageFull)).into()));
    }
}
