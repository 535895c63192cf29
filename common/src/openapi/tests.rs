use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{InfoBuilder, OpenApiBuilder, PathsBuilder};

use super::*;

fn response(description: &str) -> Response {
    ResponseBuilder::new().description(description).build()
}

fn document(path: &str) -> OpenApi {
    let operation = OperationBuilder::new()
        .summary(Some("`GET /api/v1/things/{id}`: one thing,\nwith all that is said of it."))
        .description(Some("More.\n\n# Errors\n401, 404."))
        .response("200", response("ok"))
        .response("404", response("`not_found`: there is none. `gone_away`: there was one; see `things`."))
        .response("503", response("`busy`: too many ask."))
        .build();
    let paths = PathsBuilder::new().path(path, PathItem::new(HttpMethod::Get, operation)).build();
    OpenApiBuilder::new().info(InfoBuilder::new().title("t").build()).paths(paths).build()
}

const PATH: &str = "/api/v1/things/{id}";

fn completed() -> serde_json::Value {
    let mut doc = document(PATH);
    let refusals = vec![(401, "`sign_in`: sign in."), (503, "`busy`: other words. `down`: it is down.")];
    let schemes = vec![("token", vec!["read".to_owned()])];
    complete(&mut doc, [Guarded { method: &Method::GET, path: PATH, schemes, refusals }]);
    serde_json::to_value(&doc).expect("JSON")
}

#[test]
fn an_operation_says_what_its_handler_and_the_guard_say() {
    let doc = completed();
    let operation = &doc["paths"][PATH]["get"];
    assert_eq!(operation["summary"], "One thing, with all that is said of it.");
    assert_eq!(operation["description"], "More.");
    assert_eq!((&operation["operationId"], &operation["tags"]), (&json!("get_things_id"), &json!(["things"])));
    assert_eq!(operation["security"], json!([{ "token": ["read"] }]));
    let codes = |status: &str| {
        let content = &operation["responses"][status]["content"]["application/problem+json"];
        content["schema"]["allOf"][1]["properties"]["code"]["enum"].clone()
    };
    assert_eq!(codes("404"), json!(["not_found", "gone_away"]));
    assert_eq!(codes("401"), json!(["sign_in"]));
    assert_eq!(codes("503"), json!(["busy", "down"]));
    assert_eq!(operation["responses"]["503"]["description"], "`busy`: too many ask. `down`: it is down.");
    let table = doc["info"]["description"].as_str().expect("a text");
    assert!(table.contains("| `gone_away` | 404 | there was one; see `things`. |"), "{table}");
}

#[test]
fn what_is_missing_on_either_side_is_told() {
    let told = |path: &str, table: &[(&Method, &str)]| gaps(&document(path), table.iter().copied());
    assert!(told(PATH, &[(&Method::GET, PATH), (&Method::GET, "/assets/{name}")]).is_empty());
    assert_eq!(told(PATH, &[(&Method::GET, PATH), (&Method::POST, PATH)]).len(), 1);
    assert_eq!(told(PATH, &[]).len(), 1);
    assert_eq!(told("/api/v1/other", &[(&Method::GET, PATH)]).len(), 2);
}

#[test]
fn an_error_without_a_code_and_an_operation_without_words_are_told() {
    let mut doc = document(PATH);
    let item = doc.paths.paths.get_mut(PATH).expect("the path");
    let operation = item.get.as_mut().expect("the operation");
    operation.summary = Some("`GET /api/v1/things/{id}`".to_owned());
    operation.responses.responses.insert("409".to_owned(), response("it is taken").into());
    complete(&mut doc, [Guarded { method: &Method::GET, path: PATH, schemes: Vec::new(), refusals: Vec::new() }]);
    let told = gaps(&doc, [(&Method::GET, PATH)]);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[1].contains("409 names no code"), "{told:#?}");
}
