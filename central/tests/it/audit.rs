//! The audit: every change has its line, and they can be found, paged and exported.

use central::access::{Role, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::System;
use crate::people::{People as _, status};
use crate::servers::execute;

#[tokio::test(flavor = "multi_thread")]
async fn every_change_says_who_made_it() {
    let system = System::start().await;
    system.add_user("anna", Role::Viewer).await;
    system.add_user("ada", Role::Administrator).await;
    let ada = system.cookie_of("ada").await;
    let as_ada = |method: Method, path: &str, body: Value| {
        system.request(method, path).header("cookie", &ada).header("origin", &system.url).json(&body)
    };
    let new_password = json!({ "role": "safety-manager", "password": "another password" });
    assert_eq!(status(as_ada(Method::PATCH, "/api/v1/users/anna", new_password)).await, 204);
    assert_eq!(status(as_ada(Method::DELETE, "/api/v1/users/ANNA", Value::Null)).await, 204);
    let line = |actor: &str, action: &str, detail: Option<&str>| {
        (actor.to_owned(), action.to_owned(), detail.map(str::to_owned))
    };
    assert_eq!(
        system.audit_of("user anna").await,
        [
            line("test", "user_added", Some("viewer")),
            line("ada", "user_role", Some("viewer to safety-manager")),
            line("ada", "user_password", None),
            line("ada", "user_removed", Some("safety-manager")),
        ]
    );
    assert_eq!(system.audit_of("user ada").await[1], line("ada", "signed_in", None));
    system.token_with("grafana", &[Scope::Read, Scope::People]).await;
    assert_eq!(status(system.as_admin(Method::DELETE, "/api/v1/tokens/grafana")).await, 204);
    assert_eq!(
        system.audit_of("token grafana").await,
        [line("test", "token_added", Some("read, people")), line("test", "token_revoked", None)]
    );
    let edge = system.edge().await;
    let detail = format!("for warehouse {}", edge.warehouse_id);
    assert_eq!(system.audit_of(&format!("edge {}", edge.edge_id)).await, [line("setup", "edge_added", Some(&detail))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_found_page_by_page_and_exported_whole() {
    let system = System::start().await;
    // More than one page of the export.
    execute(
        &system.pool,
        "INSERT INTO audit_log (at, actor, action, subject, detail)
         SELECT '2026-01-01Z'::timestamptz + n * interval '1 minute', 'a' || n % 3, 'did_' || n % 2, 'thing ' || n, '=1,\"' || n
         FROM generate_series(1, 2500) n",
    )
    .await;
    let mut seen: Vec<i64> = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/audit?actor=a1&limit=300{cursor}");
        let (status, page) = system.get(&path).await;
        assert_eq!(status, 200, "{page}");
        let entries = page["entries"].as_array().expect("entries");
        assert!(entries.iter().all(|entry| entry["actor"] == "a1"));
        seen.extend(entries.iter().map(|entry| entry["id"].as_i64().expect("an id")));
        match page["next"].as_i64() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 834);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, each once");

    for (query, expected) in [
        ("action=did_1", 1_250),
        ("subject=thing 24", 111),
        ("from=2026-01-01T01:00:00Z&to=2026-01-01T02:00:00Z", 60),
        ("actor=a0&action=did_0&subject=thing 6", 20),
        ("actor=nobody", 0),
    ] {
        let answer =
            system.as_admin(Method::GET, &format!("/api/v1/audit.csv?{query}")).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{query}");
        assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
        let text = answer.text().await.expect("whole");
        let mut lines = text.split("\r\n");
        assert_eq!(lines.next(), Some("id,at,actor,action,subject,detail"));
        let rows: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        assert_eq!(rows.len(), expected, "{query}");
        assert!(rows.iter().all(|row| row.contains(",\"'=1,\"\"")), "no formula, and quoted: {rows:?}");
    }
    let all = system.as_admin(Method::GET, "/api/v1/audit.csv").send().await.expect("an answer");
    let lines = i64::try_from(all.text().await.expect("whole").lines().count()).expect("few");
    assert_eq!(lines, 1 + system.count("SELECT count(*) FROM audit_log").await);
}
