//! People at headquarters: signing in and out, accounts and who manages them, across instances of central.

use std::time::Duration;

use central::access::Role;
use central::central::Central;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::System;
use crate::people::{PASSWORD, People as _, SESSION, problem, status};
use crate::servers::{eventually, execute};

/// What the issue of a session promises.
const SHUT_OUT_WITHIN: Duration = Duration::from_secs(5);

fn as_json(who: &str, password: &str) -> Value {
    json!({ "name": who, "password": password })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_cookie_that_scripts_and_other_sites_never_see() {
    let system = System::start().await;
    system.add_user("anna", Role::SafetyManager).await;
    let sign_in = || system.request(Method::POST, SESSION).json(&as_json("Anna", PASSWORD));
    let answer = sign_in().header("origin", &system.url).send().await.expect("an answer");
    let set = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
    let anna = json!({
        "kind": "user", "name": "anna", "role": "safety-manager", "scopes": ["read", "act", "people"]
    });
    assert_eq!(answer.json::<Value>().await.expect("JSON"), anna);
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=604800"] {
        assert!(set.split("; ").any(|part| part == attribute), "{set}");
    }
    assert!(!set.contains("Secure"), "plain http: {set}");
    let (cookie, _) = set.split_once(';').expect("attributes");
    let secret = cookie.strip_prefix("smartpick_hq_session=").expect("its name");
    assert!(secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit()), "32 random bytes");
    let stored = format!("SELECT count(*) FROM sessions WHERE token_sha256 = sha256('{secret}')");
    assert_eq!(system.count(&stored).await, 1, "only its hash is stored");
    let behind_tls = sign_in().header("sec-fetch-site", "same-origin").header("origin", "https://hq.example");
    let answer = behind_tls.send().await.expect("an answer");
    assert!(answer.headers()["set-cookie"].to_str().expect("text").contains("; Secure"));

    let who = || system.request(Method::GET, SESSION).header("cookie", cookie);
    assert_eq!(who().send().await.expect("an answer").json::<Value>().await.expect("JSON"), anna);
    let out = system.request(Method::DELETE, SESSION).header("cookie", cookie).header("origin", &system.url);
    let answer = out.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.headers()["set-cookie"].to_str().expect("text").contains("Max-Age=0"));
    let (status, code, _) = problem(who()).await;
    assert_eq!((status, code.as_str()), (401, "sign_in"), "at once");
    assert_eq!(self::status(system.request(Method::DELETE, SESSION)).await, 204, "nothing to end is no error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_a_restart_and_ends_by_itself() {
    let mut system = System::start().await;
    system.add_user("anna", Role::Viewer).await;
    let cookie = system.cookie_of("anna").await;
    for (change, expected) in [
        ("used_at = now() - interval '11 hours 59 minutes', created_at = now() - interval '6 days 23 hours'", 200),
        ("used_at = now() - interval '12 hours 1 minute'", 401),
        ("used_at = now(), created_at = now() - interval '7 days 1 minute'", 401),
    ] {
        execute(&system.pool, &format!("UPDATE sessions SET {change}")).await;
        // A new process has nothing in memory.
        system.central.take().expect("runs").stop().await.expect("stops");
        system.start_central().await;
        let who = system.request(Method::GET, SESSION).header("cookie", &cookie);
        assert_eq!(status(who).await, expected, "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn using_a_session_or_a_token_is_noted_and_keeps_the_session() {
    let system = System::start().await;
    system.add_user("anna", Role::Viewer).await;
    let cookie = system.cookie_of("anna").await;
    execute(&system.pool, "UPDATE sessions SET used_at = now() - interval '11 hours'").await;
    assert_eq!(status(system.request(Method::GET, SESSION).header("cookie", &cookie)).await, 200);
    let fresh = "SELECT count(*) FROM sessions WHERE used_at > now() - interval '1 minute'";
    assert_eq!(system.count(fresh).await, 1);
    let (_, users) = system.get("/api/v1/users").await;
    assert!(users["users"][0]["last_used_at"].is_string(), "{users}");
    let (_, tokens) = system.get("/api/v1/tokens").await;
    assert!(tokens["tokens"][0]["last_used_at"].is_string(), "{tokens}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_and_says_how_long() {
    let system = System::start().await;
    system.add_user("anna", Role::Viewer).await;
    let guess = || system.request(Method::POST, SESSION).json(&as_json("anna", "not her password"));
    let mut wrong = 0;
    let answer = loop {
        let answer = guess().send().await.expect("an answer");
        match answer.status().as_u16() {
            401 => wrong += 1,
            429 => break answer,
            other => panic!("{other}"),
        }
        assert!(wrong < 13, "the waits have long become longer than any hashing");
    };
    assert!(wrong >= 5, "people mistype: {wrong}");
    let wait: u64 = answer.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["code"], "wait");
    assert!(body["message"].as_str().expect("text").contains(&format!("{wait} s")), "{body}");
    for name in ["anna", "nobody", "no\0body"] {
        let other_device = system.request(Method::POST, SESSION).header("x-forwarded-for", "192.0.2.7");
        let (status, code, message) = problem(other_device.json(&as_json(name, "not the password"))).await;
        assert_eq!((status, code.as_str()), (401, "wrong_password"), "a wrong name looks like a wrong password");
        assert_eq!(message, "the name or the password is not right");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_is_out_of_another_instance_within_five_seconds() {
    let system = System::start().await;
    let other = Central::start(system.config.clone()).await.expect("a second instance");
    let there = |path: &str| system.http.get(format!("http://{}{path}", other.address));
    system.add_user("anna", Role::Administrator).await;
    system.add_user("ben", Role::Administrator).await;
    let (anna, ben) = (system.cookie_of("anna").await, system.cookie_of("ben").await);
    let users = |cookie: &str| there("/api/v1/users").header("cookie", cookie);
    assert_eq!((status(users(&anna)).await, status(users(&ben)).await), (200, 200), "one session for all instances");

    let change = async |method: Method, path: &str, body: Value| {
        assert_eq!(status(system.as_admin(method, path).json(&body)).await, 204, "{path}");
        std::time::Instant::now()
    };
    let until = async |cookie: &str, expected: u16, since: std::time::Instant| {
        eventually("the other instance follows", async || (status(users(cookie)).await == expected).then_some(()))
            .await;
        assert!(since.elapsed() < SHUT_OUT_WITHIN, "{:?}", since.elapsed());
    };
    let since = change(Method::PATCH, "/api/v1/users/Anna", json!({ "role": "viewer" })).await;
    until(&anna, 403, since).await;
    let since = change(Method::DELETE, "/api/v1/users/anna", Value::Null).await;
    until(&anna, 401, since).await;
    system.add_user("carl", Role::Administrator).await;
    let since = change(Method::PATCH, "/api/v1/users/ben", json!({ "password": "another password" })).await;
    until(&ben, 401, since).await;
    other.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_password_is_changed_by_who_knows_it_and_ends_the_other_sessions() {
    let system = System::start().await;
    system.add_user("anna", Role::Viewer).await;
    let (here, elsewhere) = (system.cookie_of("anna").await, system.cookie_of("anna").await);
    let change = |old: &str, new: &str| {
        let request = system.request(Method::POST, "/api/v1/session/password").header("origin", &system.url);
        request.header("cookie", &here).json(&json!({ "old": old, "new": new }))
    };
    let codes = |(status, code, _): (u16, String, String)| (status, code);
    assert_eq!(codes(problem(change("wrong", "a new password")).await), (401, "wrong_password".to_owned()));
    assert_eq!(codes(problem(change(PASSWORD, "short")).await), (422, "password_invalid".to_owned()));
    assert_eq!(status(change(PASSWORD, "a new password")).await, 204);
    let who = |cookie: &str| system.request(Method::GET, SESSION).header("cookie", cookie);
    assert_eq!((status(who(&here)).await, status(who(&elsewhere)).await), (200, 401));
    let sign_in = |password: &str| system.request(Method::POST, SESSION).json(&as_json("anna", password));
    assert_eq!((status(sign_in(PASSWORD)).await, status(sign_in("a new password")).await), (401, 200));
    let body = json!({ "old": PASSWORD, "new": "a new password" });
    let token = system.as_admin(Method::POST, "/api/v1/session/password").json(&body);
    assert_eq!(codes(problem(token).await), (403, "no_password".to_owned()));
    assert!(system.audit_of("user anna").await.contains(&("anna".to_owned(), "user_password".to_owned(), None)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays_also_when_two_remove_each_other_at_once() {
    let system = System::start().await;
    system.add_user("anna", Role::Administrator).await;
    system.add_user("vera", Role::Viewer).await;
    let remove = |name: &str| system.as_admin(Method::DELETE, &format!("/api/v1/users/{name}"));
    let demote = |name: &str| {
        system.as_admin(Method::PATCH, &format!("/api/v1/users/{name}")).json(&json!({ "role": "viewer" }))
    };
    for request in [remove("anna"), demote("anna")] {
        let (status, code, _) = problem(request).await;
        assert_eq!((status, code.as_str()), (409, "last_administrator"));
    }
    for _ in 0..10 {
        system.add_user("ben", Role::Administrator).await;
        let (anna, ben) = tokio::join!(status(demote("anna")), status(remove("ben")));
        let mut both = [anna, ben];
        both.sort_unstable();
        assert_eq!(both, [204, 409]);
        assert_eq!(system.count("SELECT count(*) FROM users WHERE role = 'administrator'").await, 1);
        // As it was: anna is the only one.
        let again = system.as_admin(Method::PATCH, "/api/v1/users/anna").json(&json!({ "role": "administrator" }));
        assert_eq!(status(again).await, 204);
        if ben == 409 {
            assert_eq!(status(remove("ben")).await, 204);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_tokens_are_checked_and_never_share_a_name() {
    let system = System::start().await;
    system.add_user("anna", Role::Viewer).await;
    system.token_with("grafana", &[central::access::Scope::Read]).await;
    let user = |name: &str, password: &str| json!({ "name": name, "role": "viewer", "password": password });
    let token = |name: &str, scopes: &[&str]| json!({ "name": name, "scopes": scopes });
    for (path, body, status, code) in [
        ("users", user("anna", PASSWORD), 409, "name_taken"),
        ("users", user("grafana", PASSWORD), 409, "name_taken"),
        ("users", user("GRAFANA", PASSWORD), 422, "name_invalid"),
        // It begins with a Cyrillic letter.
        ("users", user("\u{430}nna", PASSWORD), 422, "name_invalid"),
        ("users", user("a b", PASSWORD), 422, "name_invalid"),
        ("users", user("ben", "short"), 422, "password_invalid"),
        ("users", json!({ "name": "ben" }), 400, "body_invalid"),
        ("tokens", token("anna", &["read"]), 409, "name_taken"),
        ("tokens", token("grafana", &["read"]), 409, "name_taken"),
        ("tokens", token("graf\u{200b}ana", &["read"]), 422, "name_invalid"),
        ("tokens", token("", &["read"]), 422, "name_invalid"),
        ("tokens", token("x", &[]), 422, "scopes_invalid"),
        ("tokens", token("x", &["fly"]), 400, "body_invalid"),
    ] {
        let (got, problem) = system.post(&format!("/api/v1/{path}"), &body).await;
        assert_eq!((got.as_u16(), problem["code"].as_str()), (status, Some(code)), "{path} {body}");
    }
    for (method, path) in
        [(Method::DELETE, "users/nobody"), (Method::PATCH, "users/nobody"), (Method::DELETE, "tokens/nobody")]
    {
        let (status, code, _) = problem(system.as_admin(method, &format!("/api/v1/{path}")).json(&json!({}))).await;
        assert_eq!((status, code.as_str()), (404, "not_found"));
    }
}
