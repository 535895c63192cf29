//! Habits that the compiler does not check: one file for each foreign system, no clock but ours, a purpose on top of
//! every module.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member of the workspace").to_owned()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory of ours") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Sources of the products, by their path from the root.
fn product_sources() -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    for member in ["common/src", "edge/src", "central/src"] {
        sources(&root.join(member), &mut found);
    }
    let name = |path: &Path| path.strip_prefix(&root).expect("below the root").display().to_string();
    found.iter().map(|path| (name(path), std::fs::read_to_string(path).expect("text"))).collect()
}

#[test]
fn foreign_systems_are_spoken_to_in_one_place_each() {
    let homes = [
        ("redis::", &["edge/src/buffer/redis.rs", "central/src/stream"][..]),
        (
            "rusqlite::",
            &[
                "edge/src/buffer/spill",
                "edge/src/buffer.rs",
                "edge/src/alerts/history",
                "edge/src/access/store.rs",
                "edge/src/archive",
                "edge/src/sqlite.rs",
            ],
        ),
        ("argon2::", &["common/src/credentials.rs"]),
        ("sqlx::", &["central/src/store"]),
        ("tokio_tungstenite::", &["common/src/live", "edge/src/cli/tail.rs"]),
        ("rust_embed::", &["common/src/web/page", "edge/src/page.rs", "central/src/page.rs"]),
        ("rcgen::", &["common/src/tls", "common/src/serve/tests.rs"]),
        ("reqwest::", &["edge/src/central_client", "edge/src/cli", "edge/src/simulate", "central/src/cli"]),
    ];
    let mut strays = Vec::new();
    for (path, text) in product_sources() {
        for (prefix, allowed) in homes {
            if allowed.iter().any(|home| path.starts_with(home)) {
                continue;
            }
            let crate_path = |line: &str| {
                line.match_indices(prefix).any(|(at, _)| {
                    let before = line[..at].trim_end_matches("::");
                    // `crate::redis::` and `super::redis::` are our own modules.
                    !before.ends_with("super")
                        && !before.ends_with("crate")
                        && !before.ends_with("buffer")
                        && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                        && !line.trim_start().starts_with("//")
                })
            };
            let declared = text.contains("mod redis;") && prefix == "redis::";
            strays.extend(
                text.lines()
                    .filter(|line| crate_path(line) && !declared)
                    .map(|line| format!("{path}: {}", line.trim())),
            );
        }
    }
    // Asking the crate whether a URL can be used at all is no conversation.
    strays.retain(|stray| !stray.contains("redis::Client::open(url"));
    assert!(strays.is_empty(), "{strays:#?}");
}

#[test]
fn every_module_says_why_it_is_there() {
    let silent: Vec<String> = product_sources()
        .into_iter()
        .filter(|(path, text)| !text.starts_with("//!") && !path.ends_with("tests.rs"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// The names in lines like `Self::SpillFull => "spill_full",`.
fn codes(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(path)).expect("text");
    let lines = text.lines().filter(|line| line.trim_start().starts_with("Self::"));
    lines.filter_map(|line| Some(line.split_once("=> \"")?.1.split('"').next()?.to_owned())).collect()
}

#[test]
fn the_runbook_has_a_section_for_each_reason_and_for_nothing_else() {
    let mut known = codes("common/src/health.rs");
    // A status is no reason for itself.
    known.retain(|code| !["healthy", "degraded", "unhealthy"].contains(&code.as_str()));
    known.extend(codes("central/src/fleet/reason.rs"));
    known.sort();
    known.dedup();
    assert!(known.len() > 40 && known.iter().any(|code| code == "clock_skew"), "{known:?}");
    let runbook = std::fs::read_to_string(root().join("packaging/RUNBOOK.md")).expect("text");
    let sections = runbook.split("\n### `").skip(1);
    let mut said = Vec::new();
    for section in sections {
        let (code, body) = section.split_once('`').expect("a code in backticks");
        let body = body.replace('\n', " ");
        for part in ["Means: ", "Check", "end: "] {
            assert!(body.contains(part), "{code}: the section has no {part:?}");
        }
        said.push(code.to_owned());
    }
    said.sort();
    assert_eq!(said, known, "packaging/RUNBOOK.md beside the codes");
}

/// Names under which types are in an OpenAPI document: the type's own, or what `#[schema(as = …)]` says.
fn schema_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !(line.starts_with("#[derive(") || line.trim_start().starts_with("Debug,")) || !line.contains("ToSchema") {
            continue;
        }
        let mut renamed = None;
        for line in lines.by_ref() {
            if let Some((_, name)) = line.split_once("schema(as = ") {
                renamed = name.split([',', ')']).next().map(str::to_owned);
            }
            let words: Vec<&str> = line.split([' ', '(', '<', ';', '{']).collect();
            if let Some(at) = words.iter().position(|word| ["struct", "enum"].contains(word)) {
                names.extend(renamed.or_else(|| words.get(at + 1).map(|name| (*name).to_owned())));
                break;
            }
        }
    }
    names
}

#[test]
fn no_two_types_of_a_binary_share_a_name_in_its_openapi_document() {
    // utoipa keeps only one of them, and answers would be checked against the other's schema.
    let sources = product_sources();
    for binary in ["central/", "edge/"] {
        let mut homes: std::collections::BTreeMap<String, Vec<&str>> = std::collections::BTreeMap::new();
        for (path, text) in sources.iter().filter(|(path, _)| path.starts_with("common/") || path.starts_with(binary)) {
            for name in schema_names(text) {
                homes.entry(name).or_default().push(path);
            }
        }
        assert!(homes.contains_key("AlertState") && homes.contains_key("SilenceScope"), "no types were found");
        let shared: Vec<_> = homes.iter().filter(|(_, homes)| homes.len() > 1).collect();
        assert!(shared.is_empty(), "name one of them otherwise, with #[schema(as = …)]: {shared:#?}");
    }
}
