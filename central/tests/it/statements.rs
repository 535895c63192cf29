//! Every statement that central will ever prepare is prepared here, against the migrated schema: a wrong column cannot
//! reach a running system.

use std::path::Path;

use sqlx::Executor as _;

use crate::servers;

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let (_, pool) = servers::database().await;
    let statements = central::store::statements();
    assert!(statements.len() > 30, "only {} are listed", statements.len());
    for statement in statements {
        if let Err(error) = pool.prepare(sqlx::SqlSafeStr::into_sql_str(statement)).await {
            panic!("{error}:\n{statement}");
        }
    }
}

#[tokio::test]
async fn a_statement_with_a_wrong_column_is_found() {
    let (_, pool) = servers::database().await;
    servers::execute(&pool, "ALTER TABLE edge_epochs RENAME COLUMN received TO got").await;
    let mut failed = 0;
    for statement in central::store::statements() {
        failed += usize::from(pool.prepare(sqlx::SqlSafeStr::into_sql_str(statement)).await.is_err());
    }
    assert!(failed >= 2);
}

fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("inside").display().to_string();
            found.push((name, std::fs::read_to_string(&path).expect("text")));
        }
    }
}

#[test]
fn each_foreign_system_has_one_place_and_statements_are_listed_constants() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 30);
    for (name, text) in files {
        assert!(name.starts_with("src/store") || !text.contains("sqlx::"), "{name} uses sqlx");
        assert!(name.starts_with("src/stream") || !text.contains("redis::"), "{name} uses redis");
        assert!(name == "src/cli/running.rs" || !text.contains("reqwest::"), "{name} uses reqwest");
        for call in ["sqlx::query(\"", "query_as(\"", "query_scalar(\"", "query_as::<_, _>(\""] {
            assert!(!text.contains(call), "{name} has a statement that is not a listed constant");
        }
        // Whatever is a constant and looks like SQL must be listed.
        let listed =
            text.split_once("pub const STATEMENTS").map_or("", |(_, rest)| rest.split_once("];").unwrap_or(("", "")).0);
        for line in text.lines().filter(|_| name.starts_with("src/store/")) {
            let Some((constant, value)) = line.strip_prefix("const ").and_then(|l| l.split_once(": &str = ")) else {
                continue;
            };
            let transaction = value.contains("BEGIN") || ["BEGIN", "COMMIT", "ROLLBACK"].contains(&constant);
            assert!(
                transaction || constant == "PREFIX" || listed.contains(constant),
                "{name}: {constant} is not listed"
            );
        }
    }
}
