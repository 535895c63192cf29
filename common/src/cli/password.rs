//! Asks for a password on the terminal without showing it, or reads one that a program hands over.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, Read, Write as _};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::exit::Exit;
use crate::credentials::{PASSWORD_BYTES_MAX, check_password, hash_password};

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_H: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// A new password for this account, from standard input or the terminal, hashed.
///
/// # Errors
/// If it cannot be read, or cannot be taken.
pub fn hashed(name: &str, stdin: bool) -> anyhow::Result<String> {
    let password = if stdin { from_stdin()? } else { from_terminal(name)? };
    check_password(&password).map_err(|unfit| Exit::Usage.because(unfit.to_string()))?;
    Ok(hash_password(&password))
}

/// The password that this account has, from standard input or the terminal.
///
/// # Errors
/// If it cannot be read.
pub fn existing(name: &str, stdin: bool) -> anyhow::Result<String> {
    if stdin { from_stdin() } else { ask(&terminal()?, &format!("Password of {name}: ")) }
}

/// The first line of standard input, without its end.
fn from_stdin() -> anyhow::Result<String> {
    let mut line = String::new();
    // A little more than may be, so that too long is found to be too long.
    let bytes_max = PASSWORD_BYTES_MAX as u64 + 2;
    io::stdin().lock().take(bytes_max).read_line(&mut line).context("read the password from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks twice.
fn from_terminal(name: &str) -> anyhow::Result<String> {
    let terminal = terminal()?;
    let first = ask(&terminal, &format!("Password for {name}: "))?;
    // Said at once, not after the second time.
    check_password(&first)?;
    if ask(&terminal, "And once more: ")? != first {
        bail!("the two are not the same; nothing was changed, try again");
    }
    Ok(first)
}

fn terminal() -> anyhow::Result<File> {
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        bail!(Exit::Usage.because("there is no terminal to ask for a password on; give it with --password-stdin"));
    };
    Ok(terminal)
}

fn ask(mut terminal: &File, prompt: &str) -> anyhow::Result<String> {
    let quiet = Quiet::begin(terminal).context("switch off the terminal's echo")?;
    write!(terminal, "{prompt}")?;
    let line = read_line(&mut terminal.try_clone()?);
    drop(quiet);
    writeln!(terminal)?;
    line
}

/// The terminal shows nothing and hands over each key, Ctrl-C too, so that it is never left quiet.
struct Quiet<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn begin(terminal: &'t File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // Nothing is left to be done if even this fails.
        tcsetattr(self.terminal, OptionalActions::Now, &self.before).ok();
    }
}

/// What a terminal's line discipline would do, for the keys that people use in a password they cannot see.
fn read_line(keys: &mut impl Read) -> anyhow::Result<String> {
    let mut line = Vec::new();
    let mut key = [0];
    loop {
        if keys.read(&mut key)? == 0 {
            bail!("the terminal is gone; nothing was changed");
        }
        match key[0] {
            b'\r' | b'\n' => break,
            CTRL_C | CTRL_D => bail!("stopped; nothing was changed"),
            CTRL_U => line.clear(),
            CTRL_H | DELETE => {
                // The bytes of a character that follow its first.
                while line.pop().is_some_and(|byte: u8| byte & 0b1100_0000 == 0b1000_0000) {}
            }
            byte if line.len() <= PASSWORD_BYTES_MAX => line.push(byte),
            _ => {}
        }
    }
    String::from_utf8(line).context("the password is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_what_they_do_on_a_terminal() {
        let typed = |keys: &str| read_line(&mut keys.as_bytes()).ok();
        assert_eq!(typed("secret word\nrest").as_deref(), Some("secret word"));
        assert_eq!(typed("sä\u{7f}a\u{8}e\r").as_deref(), Some("se"));
        assert_eq!(typed("\u{7f}wrong\u{15}right\n").as_deref(), Some("right"));
        assert_eq!(typed("abc\u{3}\n"), None);
        assert_eq!(typed("abc"), None);
        let long = typed(&format!("{}\n", "x".repeat(5_000))).expect("a line");
        assert!(long.len() > PASSWORD_BYTES_MAX, "found to be too long");
    }
}
