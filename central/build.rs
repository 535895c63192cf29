//! Embedded migrations are read at compile time; cargo has to be told that they are an input.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    writeln!(std::io::stdout(), "cargo::rerun-if-changed=../migrations")
}
