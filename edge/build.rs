//! Says when the embedded page must be embedded anew. It never builds the page: `make ui` does, and without it the edge
//! serves a page that says so.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A path that is not there would count as changed at every build.
    let watched = if Path::new("ui/dist").exists() { "ui/dist" } else { "ui" };
    println!("cargo::rerun-if-changed={watched}");
}
