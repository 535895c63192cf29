//! Accounts, sessions and tokens, as tests about them need them.

use central::access::{Role, Scope, Scopes};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::client::System;

pub const PASSWORD: &str = "correct horse battery";
pub const SESSION: &str = "/api/v1/session";

pub trait People {
    fn request(&self, method: Method, path: &str) -> RequestBuilder;

    /// With the token that may do everything.
    fn as_admin(&self, method: Method, path: &str) -> RequestBuilder;

    async fn add_user(&self, name: &str, role: Role);

    /// The cookie of a new session.
    async fn cookie_of(&self, name: &str) -> String;

    async fn token_with(&self, name: &str, scopes: &[Scope]) -> String;

    /// The lines of the audit about a subject, oldest first: actor, action, detail.
    async fn audit_of(&self, subject: &str) -> Vec<(String, String, Option<String>)>;
}

impl People for System {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    fn as_admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.token)
    }

    async fn add_user(&self, name: &str, role: Role) {
        let user = json!({ "name": name, "role": role, "password": PASSWORD });
        let (status, said) = self.post("/api/v1/users", &user).await;
        assert_eq!(status, 201, "{said}");
    }

    async fn cookie_of(&self, name: &str) -> String {
        let sign_in = self.request(Method::POST, SESSION).json(&json!({ "name": name, "password": PASSWORD }));
        let answer = sign_in.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        cookie.split_once(';').expect("attributes").0.to_owned()
    }

    async fn token_with(&self, name: &str, scopes: &[Scope]) -> String {
        let token = json!({ "name": name, "scopes": Scopes::of(scopes) });
        let (status, said) = self.post("/api/v1/tokens", &token).await;
        assert_eq!(status, 201, "{said}");
        said["token"].as_str().expect("a token").to_owned()
    }

    async fn audit_of(&self, subject: &str) -> Vec<(String, String, Option<String>)> {
        let path = format!("/api/v1/audit?limit=1000&subject={}", subject.replace(' ', "%20"));
        let (status, page) = self.get(&path).await;
        assert_eq!(status, 200, "{page}");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let line =
            |e: &Value| (text(&e["actor"]).expect("an actor"), text(&e["action"]).expect("one"), text(&e["detail"]));
        page["entries"].as_array().expect("entries").iter().rev().map(line).collect()
    }
}

/// The status and the problem's code and message.
pub async fn problem(request: RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.expect("a problem");
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("message"))
}

/// Only the status.
pub async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}
