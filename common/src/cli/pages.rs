//! `completions` and `man`: made from the command line's own definition, so that they cannot say anything else.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;

use super::exit::Exit;

/// What a shell reads to complete the commands of `program`.
pub fn completions(mut program: Command, shell: Shell) -> Vec<u8> {
    let name = program.get_name().to_owned();
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut program, name, &mut out);
    out
}

/// Writes the manual pages: one of the program, and one of each of its commands, as `program-command.1`.
///
/// # Errors
/// If the directory cannot be made or written.
pub fn man(program: Command, dir: &Path) -> anyhow::Result<()> {
    let to = |doing: &str| Exit::CantCreate.because(format!("{doing} {}", dir.display()));
    fs::create_dir_all(dir).with_context(|| to("make the directory"))?;
    clap_mangen::generate_to(program, dir).with_context(|| to("write the manual pages to"))
}
