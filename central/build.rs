//! Embedded migrations and the embedded page are read at compile time; cargo has to be told that they are inputs. It
//! never builds the page: `make ui` does, and without it central serves a page that says so.

use std::io::Write as _;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "cargo::rerun-if-changed=build.rs")?;
    writeln!(out, "cargo::rerun-if-changed=../migrations")?;
    // A path that is not there would count as changed at every build.
    let watched = if Path::new("ui/dist").exists() { "ui/dist" } else { "ui" };
    writeln!(out, "cargo::rerun-if-changed={watched}")
}
