//! How both programs end: the exit codes of sysexits.h, so that scripts and systemd can tell what kind of failure it was
//! without reading the words. The units do not start again after [`Exit::Usage`] and [`Exit::Config`].
//!
//! 0 is success. Where a command answers a question, such as `status`, `doctor`, its own codes are in its help.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;

use super::{Output, is_unread};
use crate::config::ConfigError;
use crate::credentials::Unfit;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It was refused, or failed in a way that has no code of its own.
    Failure = 1,
    /// The command line cannot be understood.
    Usage = 64,
    /// Something that was named does not exist.
    NoInput = 66,
    /// A server that is needed cannot be reached.
    Unavailable = 69,
    /// Something could not be made, because it is there already or its directory is not.
    CantCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// A server is there, but not now; trying again later can help.
    TempFail = 75,
    /// The user may not do it.
    NoPermission = 77,
    /// The configuration cannot be used.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Words that decide the code by themselves: an error, or what was being done when one came, whatever that one is. A file that
/// cannot be written because its directory is not there is no input that is missing.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Because {
    exit: Exit,
    words: String,
}

/// One error of a chain.
pub type Cause = dyn std::error::Error + 'static;

impl Exit {
    /// Ends with this code, and says why.
    pub fn because(self, words: impl Into<String>) -> Because {
        Because { exit: self, words: words.into() }
    }

    /// By what was said to decide it, or else by the first cause in the chain that has a code.
    pub fn of(error: &anyhow::Error) -> Self {
        Self::of_with(error, |_| None)
    }

    /// The same, where `own` knows the codes of causes that only one of the programs has.
    pub fn of_with(error: &anyhow::Error, own: impl Fn(&Cause) -> Option<Self>) -> Self {
        match error.downcast_ref::<Because>() {
            Some(because) => because.exit,
            None => {
                error.chain().find_map(|cause| own(cause).or_else(|| Self::of_cause(cause))).unwrap_or(Self::Failure)
            }
        }
    }

    fn of_cause(cause: &Cause) -> Option<Self> {
        if cause.is::<ConfigError>() {
            return Some(Self::Config);
        }
        if let Some(Unfit::NameEmpty | Unfit::NameLong | Unfit::NameCharacter(_)) = cause.downcast_ref::<Unfit>() {
            return Some(Self::Usage);
        }
        cause.downcast_ref::<io::Error>().map(|error| Self::of_io(error.kind()))
    }

    const fn of_io(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NoInput,
            ErrorKind::PermissionDenied => Self::NoPermission,
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => Self::CantCreate,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::TempFail,
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::NotConnected
            | ErrorKind::AddrInUse
            | ErrorKind::AddrNotAvailable => Self::Unavailable,
            _ => Self::Io,
        }
    }
}

/// Says on stdout. A reader that has gone away, such as `head`, has seen enough.
pub fn say(text: &str) -> ExitCode {
    let mut out = Output::default();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("print") {
        Err(error) if !is_unread(&error) => {
            // Nowhere to report a closed stderr.
            drop(writeln!(io::stderr(), "{error:#}"));
            Exit::of(&error).into()
        }
        _ => ExitCode::SUCCESS,
    }
}

/// The last words on stderr, where people look for them, after the program's name.
pub fn complain(program: &str, text: &str, exit: Exit) -> ExitCode {
    // Nowhere to report a closed stderr.
    drop(writeln!(io::stderr(), "{program}: {text}"));
    exit.into()
}

/// Says what clap says. Help and version are "errors" of its too, and no failure.
pub fn usage(error: &clap::Error) -> ExitCode {
    // Nowhere to report a closed stderr.
    drop(error.print());
    if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_cause_says_the_code_however_deep_it_is() {
        let io = |kind| anyhow::Error::new(io::Error::from(kind)).context("open it").context("do it");
        for (error, exit) in [
            (anyhow!("no account called anna"), Exit::Failure),
            (anyhow::Error::new(ConfigError::new("listen: what?")).context("check"), Exit::Config),
            (io(ErrorKind::PermissionDenied), Exit::NoPermission),
            (io(ErrorKind::ConnectionRefused), Exit::Unavailable),
            (io(ErrorKind::StorageFull), Exit::Io),
            (io(ErrorKind::TimedOut), Exit::TempFail),
            (io(ErrorKind::AddrInUse), Exit::Unavailable),
            (anyhow::Error::new(Unfit::NameLong).context("add it"), Exit::Usage),
            (anyhow::Error::new(Unfit::PasswordShort), Exit::Failure),
            (std::fs::read("/does/not/exist").context("read").expect_err("it is not there"), Exit::NoInput),
        ] {
            assert_eq!(Exit::of(&error), exit, "{error:#}");
        }
    }

    #[test]
    fn what_was_being_done_decides_before_its_cause() {
        let making = || Exit::CantCreate.because("make a.txt");
        let error = std::fs::write("/does/not/exist/a.txt", "").with_context(making).context("do it");
        let error = error.expect_err("there is no directory");
        assert_eq!(Exit::of(&error), Exit::CantCreate);
        assert!(format!("{error:#}").starts_with("do it: make a.txt: No such file"), "{error:#}");
        assert_eq!(Exit::of(&making().into()), Exit::CantCreate, "also without a cause");
    }
}
