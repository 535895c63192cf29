//! The OpenAPI document of either binary, completed from its route table.
//!
//! **To add a handler**, write above it
//! ``#[utoipa::path(post, path = "/api/v1/things", responses((status = 201, body = Thing), (status = 409, description =
//! "`thing_exists`: there is one of this name already.")))]``,
//! and its name into `paths(…)` of the binary's `openapi.rs`. A test compares that with the route table, so neither is
//! forgotten. 401, 403 and the guard's 503 are not written down: they come from the route table.
//!
//! The rest is worked out here, once for all, so that a document cannot say something else than the guard does:
//! - summary and description are the handler's doc comment, without a leading `` `GET /path`: `` and without `# Errors`;
//! - who may call, and what the guard answers to others (401, 403, 503), is the route table's;
//! - every answer from 400 up is a [`Problem`] whose `code` is one of those that its description
//!   begins with, as `` `code`: what happened. `` They all are in one table in the document's description. An answer
//!   that has a content type of its own keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};
use std::path::Path;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{AllOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::{self, Problem};

const PREFIX: &str = "/api/v1/";
const SCHEMAS: &str = "#/components/schemas/";

/// What the guard does before a route's handler runs.
pub struct Guarded<'r> {
    pub method: &'r Method,
    /// As axum reads it, which is as OpenAPI does.
    pub path: &'r str,
    /// Any of these security schemes, each with the scopes it needs; none for what is public.
    pub schemes: Vec<(&'static str, Vec<String>)>,
    /// What else the guard may answer: a status, and its codes as a description has them.
    pub refusals: Vec<(u16, &'static str)>,
}

/// Whether a path must be in the document: all but the pages and their files.
pub fn is_documented(path: &str) -> bool {
    ["/api/", "/ingestion/", "/streams/", "/ws/"].iter().any(|prefix| path.starts_with(prefix))
        || ["/metrics", "/livez", "/readyz", "/openapi.json", "/ca.crt"].contains(&path)
}

/// Completes what utoipa collected.
pub fn complete<'r>(doc: &mut OpenApi, routes: impl IntoIterator<Item = Guarded<'r>>) {
    let components = doc.components.get_or_insert_default();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let mut codes = BTreeMap::new();
    for route in routes {
        let item = doc.paths.paths.get_mut(route.path);
        let Some(operation) = item.and_then(|item| slot(item, route.method).as_mut()) else { continue };
        texts(operation);
        operation.operation_id = Some(operation_id(route.method, route.path));
        operation.tags = Some(vec![tag(route.path).to_owned()]);
        let requirements =
            route.schemes.iter().map(|(scheme, scopes)| SecurityRequirement::new(*scheme, scopes.clone()));
        operation.security = Some(requirements.collect());
        errors(operation, &route.refusals);
        described(operation);
        note_codes(operation, &mut codes);
    }
    let text = doc.info.description.get_or_insert_default();
    write!(text, "\n\n{}", table(&codes)).expect("a string takes everything");
}

/// What a document and a route table do not have in common, and what an operation lacks, in words.
pub fn gaps<'r>(doc: &OpenApi, routes: impl IntoIterator<Item = (&'r Method, &'r str)>) -> Vec<String> {
    let mut gaps = Vec::new();
    let mut known: Vec<(Method, &str)> = Vec::new();
    for (method, path) in routes.into_iter().filter(|(_, path)| is_documented(path)) {
        known.push((method.clone(), path));
        let operation = doc.paths.paths.get(path).and_then(|item| slot_of(item, method));
        let Some(operation) = operation else {
            gaps.push(format!(
                "{method} {path}: is not in paths(…) of openapi.rs, or its #[utoipa::path] says another path"
            ));
            continue;
        };
        if operation.summary.as_deref().is_none_or(str::is_empty) {
            gaps.push(format!("{method} {path}: the handler's doc comment does not begin with what it answers"));
        }
        for (status, response) in &operation.responses.responses {
            let RefOr::T(response) = response else { continue };
            if is_error(status)
                && response.content.contains_key(problem::CONTENT_TYPE)
                && codes_of(&response.description).is_empty()
            {
                gaps.push(format!(
                    "{method} {path}: {status} names no code; describe it as \"`code`: what happened.\""
                ));
            }
        }
    }
    for (path, item) in &doc.paths.paths {
        for method in METHODS.iter().filter(|method| slot_of(item, method).is_some()) {
            if !known.iter().any(|(m, p)| m == *method && p == path) {
                gaps.push(format!("{method} {path}: is documented, but not in the route table"));
            }
        }
    }
    gaps.extend(
        dangling(doc).into_iter().map(|name| format!("{name}: is referred to, but not in components(schemas(…))")),
    );
    gaps
}

/// Schemas that the document refers to and does not have.
fn dangling(doc: &OpenApi) -> BTreeSet<String> {
    fn collect(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                let name = fields.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix(SCHEMAS));
                into.extend(name.map(str::to_owned));
                fields.values().for_each(|value| collect(value, into));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    collect(&serde_json::to_value(doc).expect("plain data"), &mut names);
    let known = |name: &String| doc.components.as_ref().is_some_and(|all| all.schemas.contains_key(name));
    names.retain(|name| !known(name));
    names
}

/// A body that is no text.
pub struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Binary {}

/// Set to have [`committed`] write the file instead.
const WRITE: &str = "SMARTPICK_WRITE_OPENAPI";

/// Compares a document with the file that is kept of it, so that a change of the API is seen by whoever reads the change.
/// For tests.
///
/// # Errors
/// How the file is behind, and the command that mends it.
pub fn committed(doc: &OpenApi, file: &Path) -> Result<(), String> {
    let fail = |what: &str, error: &dyn Display| format!("cannot {what} {}: {error}", file.display());
    let text = doc.to_pretty_json().map_err(|error| fail("write", &error))? + "\n";
    if std::env::var_os(WRITE).is_some() {
        return std::fs::write(file, text).map_err(|error| fail("write", &error));
    }
    let kept = std::fs::read_to_string(file).map_err(|error| fail("read", &error))?;
    let Some((line, (kept, new))) = kept.lines().zip(text.lines()).enumerate().find(|(_, (kept, new))| kept != new)
    else {
        let same = kept.len() == text.len();
        return if same { Ok(()) } else { Err(format!("{} ends elsewhere; run `make openapi`", file.display())) };
    };
    Err(format!(
        "{}:{} is behind the code; run `make openapi` and commit what it writes\n  it says   {kept}\n  it is now {new}",
        file.display(),
        line + 1
    ))
}

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

fn slot<'i>(item: &'i mut PathItem, method: &Method) -> &'i mut Option<Operation> {
    match http_method(method) {
        HttpMethod::Post => &mut item.post,
        HttpMethod::Put => &mut item.put,
        HttpMethod::Patch => &mut item.patch,
        HttpMethod::Delete => &mut item.delete,
        _ => &mut item.get,
    }
}

fn slot_of<'i>(item: &'i PathItem, method: &Method) -> Option<&'i Operation> {
    match http_method(method) {
        HttpMethod::Post => item.post.as_ref(),
        HttpMethod::Put => item.put.as_ref(),
        HttpMethod::Patch => item.patch.as_ref(),
        HttpMethod::Delete => item.delete.as_ref(),
        _ => item.get.as_ref(),
    }
}

/// Route tables have no others.
fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// Unique, as method and path together are, and stable.
fn operation_id(method: &Method, path: &str) -> String {
    let mut id = method.as_str().to_ascii_lowercase();
    for part in
        path.strip_prefix(PREFIX).unwrap_or(path).split(['/', '-', '.', '{', '}']).filter(|part| !part.is_empty())
    {
        write!(id, "_{part}").expect("a string takes everything");
    }
    id
}

fn tag(path: &str) -> &str {
    let own = path.strip_prefix(PREFIX).map(|rest| rest.split(['/', '.']).next().unwrap_or(rest));
    own.unwrap_or_else(|| match path.split('/').nth(1) {
        Some(first @ ("ingestion" | "streams" | "ws")) => first,
        _ => "operations",
    })
}

/// What is said of a handler to those who read its code is said to those who call it, but for two things.
fn texts(operation: &mut Operation) {
    let summary = operation.summary.take().unwrap_or_default();
    let mut words = summary.trim();
    // "`GET /api/v1/alerts`: newest first."
    if let Some((route, rest)) = words.strip_prefix('`').and_then(|rest| rest.split_once('`'))
        && route.split_once(' ').is_some_and(|(_, path)| path.starts_with('/'))
    {
        words = rest.trim_start_matches([':', ',', '.']).trim();
    }
    let mut said = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(first) = said.get(..1).map(str::to_uppercase) {
        said.replace_range(..1, &first);
    }
    operation.summary = Some(said);
    let description = operation.description.take().unwrap_or_default();
    let kept = description.split("# Errors").next().unwrap_or_default().trim();
    operation.description = (!kept.is_empty()).then(|| kept.to_owned());
}

/// OpenAPI wants a description of each answer; the status is one.
fn described(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if response.description.is_empty() {
            let reason = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok()?.canonical_reason());
            response.description = reason.unwrap_or(status).to_owned();
        }
    }
}

fn is_error(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

/// Adds the guard's refusals and gives each error its content.
fn errors(operation: &mut Operation, refusals: &[(u16, &'static str)]) {
    let responses = &mut operation.responses.responses;
    for (status, said) in refusals {
        let response = responses.entry(status.to_string()).or_insert_with(|| Response::default().into());
        let RefOr::T(response) = response else { continue };
        let known: Vec<&str> = codes_of(&response.description).into_iter().map(|(code, _)| code).collect();
        let new: Vec<String> = codes_of(said)
            .into_iter()
            .filter(|(code, _)| !known.contains(code))
            .map(|(code, meaning)| format!("`{code}`: {meaning}"))
            .collect();
        let parts = [response.description.trim().to_owned()].into_iter().chain(new).filter(|part| !part.is_empty());
        response.description = parts.collect::<Vec<_>>().join(" ");
    }
    for (_, response) in responses.iter_mut().filter(|(status, _)| is_error(status)) {
        let RefOr::T(response) = response else { continue };
        if response.content.values().all(is_problem) {
            let content = problem_content(&response.description);
            response.content = [(problem::CONTENT_TYPE.to_owned(), RefOr::T(content))].into_iter().collect();
        }
    }
}

fn is_problem(content: &RefOr<Content>) -> bool {
    let RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) = content else { return false };
    *schema == Ref::from_schema_name(Problem::name())
}

/// A problem with one of the codes that are named.
fn problem_content(description: &str) -> Content {
    let codes: Vec<serde_json::Value> = codes_of(description).into_iter().map(|(code, _)| json!(code)).collect();
    let reference = Ref::from_schema_name(Problem::name());
    let schema = AllOfBuilder::new().item(reference).item(ObjectBuilder::new().schema_type(Type::Object).property(
        "code",
        ObjectBuilder::new().schema_type(Type::String).enum_values((!codes.is_empty()).then_some(codes)),
    ));
    ContentBuilder::new().schema(Some(schema)).build()
}

/// The codes that a description names, as `` `code`: meaning ``, with their meanings.
fn codes_of(description: &str) -> Vec<(&str, &str)> {
    let mut found: Vec<(&str, usize, usize)> = Vec::new();
    for (at, _) in description.match_indices("`: ").chain(description.match_indices("`:\n")) {
        let Some(open) = description[..at].rfind('`') else { continue };
        let code = &description[open + 1..at];
        if !code.is_empty() && code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
            found.push((code, open, at + 2));
        }
    }
    let ends = found.iter().skip(1).map(|(_, open, _)| *open).chain([description.len()]);
    found.iter().zip(ends).map(|((code, _, start), end)| (*code, description[*start..end].trim())).collect()
}

/// Of a code: its statuses, and what it means where it was said first.
type Codes = BTreeMap<String, (Vec<String>, String)>;

fn note_codes(operation: &Operation, codes: &mut Codes) {
    for (status, response) in &operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if !response.content.contains_key(problem::CONTENT_TYPE) {
            continue;
        }
        for (code, meaning) in codes_of(&response.description) {
            let (statuses, _) = codes.entry(code.to_owned()).or_insert_with(|| (Vec::new(), meaning.to_owned()));
            if !statuses.contains(status) {
                statuses.push(status.clone());
            }
        }
    }
}

fn table(codes: &Codes) -> String {
    let mut text = "## Codes of problems\n\n| code | status | meaning |\n|---|---|---|\n".to_owned();
    for (code, (statuses, meaning)) in codes {
        let meaning = meaning.replace('|', "\\|").replace('\n', " ");
        writeln!(text, "| `{code}` | {} | {meaning} |", statuses.join(", ")).expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests;
