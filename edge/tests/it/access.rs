//! Who gets in: every route with every role, over the network and through the real command line.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use edge::access::{Need, Role};
use edge::config::Config;
use edge::edge::Edge;
use edge::http::{ROUTES, Route};
use futures_util::StreamExt as _;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const PASSWORD: &str = "correct horse battery";
const SESSION: &str = "/api/v1/session";
/// What needs the role admin.
const SECRET: &str = "/api/v1/dead-letters";
/// What the command line promises is two seconds; more is for a busy machine.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(20);

struct Site {
    edge: Edge,
    url: String,
    http: Client,
    dir: tempfile::TempDir,
}

fn config(dir: &Path) -> Config {
    // Once per process; the other tests have done it already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    config.data_dir = dir.display().to_string();
    config
}

/// An edge for which these commands were run before.
async fn site(commands: &[&[&str]]) -> Site {
    let dir = tempfile::tempdir().expect("a temp dir");
    for command in commands {
        done(&cli(dir.path(), command));
    }
    let edge = edge::edge::start(config(dir.path())).await.expect("starts");
    let url = format!("http://{}", edge.addr);
    Site { edge, url, http: Client::new(), dir }
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-edge"));
    command.args(args).args(["--config", "/dev/null", "--set"]).arg(format!("data_dir={}", dir.display()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command; one that asks for a password is given ours.
fn cli(dir: &Path, args: &[&str]) -> Output {
    use std::io::Write as _;
    let mut child = command(dir, args).spawn().expect("starts");
    // Those that ask nothing may be gone already.
    writeln!(child.stdin.take().expect("piped"), "{PASSWORD}").ok();
    child.wait_with_output().expect("ends")
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// What it complains about.
fn refused_as(code: i32, output: &Output) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn add<'a>(name: &'a str, role: &'a str) -> [&'a str; 6] {
    ["users", "add", name, "--role", role, "--password-stdin"]
}

impl Site {
    fn cli(&self, args: &[&str]) -> String {
        done(&cli(self.dir.path(), args))
    }

    fn token(&self, kind: &str, name: &str) -> String {
        let made: Value = serde_json::from_str(&self.cli(&[kind, "add", name, "--json"])).expect("JSON");
        made["token"].as_str().expect("a token").to_owned()
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    fn sign_in(&self, name: &str, password: &str) -> RequestBuilder {
        self.ask(Method::POST, SESSION).json(&json!({ "name": name, "password": password }))
    }

    /// The cookie of a new session.
    async fn cookie(&self, sign_in: RequestBuilder) -> String {
        let answer = sign_in.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
        cookie.split_once(';').expect("attributes").0.to_owned()
    }

    async fn session_of(&self, name: &str) -> String {
        self.cookie(self.sign_in(name, PASSWORD)).await
    }

    async fn stop(self) {
        drop(self.http);
        self.edge.life.stop().await.expect("stops in time");
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

/// The status and the problem's code and message.
async fn problem(request: RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.expect("a problem");
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("message"))
}

/// Asks until the answer has this status.
async fn until(expected: u16, ask: impl Fn() -> RequestBuilder) {
    let began = Instant::now();
    loop {
        let now = status(ask()).await;
        if now == expected {
            return;
        }
        assert!(began.elapsed() < FOLLOWS_WITHIN, "still {now}, not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[derive(Debug, Clone)]
enum Shown {
    Nothing,
    Bearer(String),
    Cookie(String),
}

impl Shown {
    fn on(&self, request: RequestBuilder, url: &str) -> RequestBuilder {
        match self {
            Self::Nothing => request,
            Self::Bearer(token) => request.bearer_auth(token),
            Self::Cookie(cookie) => request.header("cookie", cookie).header("origin", url),
        }
    }
}

fn is_ended_by(route: &Route) -> bool {
    route.path == SESSION && route.method == "DELETE"
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_exactly_whom_the_table_says() {
    let roles = [("vera", Role::Viewer), ("sam", Role::Supervisor), ("ada", Role::Admin)];
    let site = site(&[&add("vera", "viewer"), &add("sam", "supervisor"), &add("ada", "admin")]).await;
    let (camera, kiosk) = (site.token("cameras", "cam-1"), site.token("kiosk", "dock"));
    let kiosk_sign_in = site.ask(Method::POST, SESSION).json(&json!({ "kiosk_token": kiosk }));
    // What each shows, whether it is a camera, and its role.
    let mut callers = vec![
        (Shown::Nothing, false, None),
        (Shown::Bearer("spk_wrong".to_owned()), false, None),
        (Shown::Cookie("smartpick_session=wrong".to_owned()), false, None),
        (Shown::Bearer(camera.clone()), true, None),
        (Shown::Bearer(kiosk.clone()), false, Some(Role::Viewer)),
        (Shown::Cookie(site.cookie(kiosk_sign_in).await), false, Some(Role::Viewer)),
    ];
    for (name, role) in roles {
        callers.push((Shown::Cookie(site.session_of(name).await), false, Some(role)));
    }
    until(400, || site.ask(Method::POST, "/ingestion/ergonomics").bearer_auth(&camera)).await;

    let mut routes: Vec<&Route> = ROUTES.iter().collect();
    // It would make the others' cookies worthless.
    routes.sort_by_key(|route| is_ended_by(route));
    for route in routes {
        let path = route.path.split('/').map(|part| if part.starts_with('{') { "0" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        for (shown, is_camera, role) in &callers {
            let may = match route.need {
                Need::Public => true,
                Need::Camera => *is_camera,
                Need::Role(needed) => role.is_some_and(|role| role >= needed),
            };
            let said = status(shown.on(site.ask(route.method.clone(), &path), &site.url)).await;
            let shut_out = said == 401 || said == 403;
            assert_eq!(!shut_out, may, "{} {} for {shown:?} of role {role:?}: {said}", route.method, route.path);
            // Who is nobody is asked to sign in; who is somebody is told that it is not enough.
            let somebody = role.is_some() || (*is_camera && route.need != Need::Camera);
            assert!(!shut_out || route.need == Need::Camera || (said == 403) == somebody, "{} {said}", route.path);
        }
    }
    assert!(ROUTES.iter().filter(|route| route.need != Need::Public).count() > 4, "there was something to sweep");
    site.stop().await;
}

/// The guard refuses what is not in the table; this keeps anybody from going around the guard.
#[test]
fn the_router_is_made_from_the_table_alone() {
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
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut serving = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        // Tests serve what they like, and others merge what has nothing to do with HTTP.
        if file.ends_with("tests.rs") || !text.contains("axum") {
            continue;
        }
        for call in ["route", "route_service", "nest", "nest_service", "merge", "fallback", "fallback_service"] {
            for _ in text.matches(&format!(".{call}(")) {
                serving.push(format!("{} {call}", file.strip_prefix(&src).expect("below it").display()));
            }
        }
    }
    assert_eq!(serving, ["http.rs route", "http.rs fallback"], "a line in ROUTES is how a path is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_cookie_that_scripts_and_other_sites_never_see() {
    let site = site(&[&add("anna", "supervisor")]).await;
    let answer = site.sign_in("Anna", PASSWORD).header("origin", &site.url).send().await.expect("an answer");
    let set = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(
        answer.json::<Value>().await.expect("JSON"),
        json!({"kind": "user", "name": "anna", "role": "supervisor"})
    );
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=604800"] {
        assert!(set.split("; ").any(|part| part == attribute), "{set}");
    }
    assert!(!set.contains("Secure"), "plain http: {set}");
    let (cookie, _) = set.split_once(';').expect("attributes");
    let secret = cookie.strip_prefix("smartpick_session=").expect("its name");
    assert!(secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit()), "32 random bytes");
    for name in ["access.db", "access.db-wal"] {
        let bytes = std::fs::read(site.dir.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(64).any(|part| part == secret.as_bytes()), "only its hash is stored, in {name}");
    }

    let behind_tls =
        site.sign_in("anna", PASSWORD).header("sec-fetch-site", "same-origin").header("origin", "https://box");
    let answer = behind_tls.send().await.expect("an answer");
    assert!(answer.headers()["set-cookie"].to_str().expect("text").contains("; Secure"));

    let who = || site.ask(Method::GET, SESSION).header("cookie", cookie);
    assert_eq!(who().send().await.expect("answers").json::<Value>().await.expect("JSON")["name"], "anna");
    let out = site.ask(Method::DELETE, SESSION).header("cookie", cookie).header("origin", &site.url);
    let answer = out.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.headers()["set-cookie"].to_str().expect("text").contains("Max-Age=0"));
    let (status, code, _) = problem(who()).await;
    assert_eq!((status, code.as_str()), (401, "sign_in"));
    assert_eq!(self::status(site.ask(Method::DELETE, SESSION)).await, 204, "nothing to end is no error");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_a_restart() {
    let site = site(&[&add("anna", "viewer")]).await;
    let cookie = site.session_of("anna").await;
    let Site { edge, http, dir, .. } = site;
    edge.life.stop().await.expect("stops in time");
    let edge = edge::edge::start(config(dir.path())).await.expect("starts again");
    let url = format!("http://{}{SESSION}", edge.addr);
    assert_eq!(status(http.get(url).header("cookie", cookie)).await, 200);
    drop(http);
    edge.life.stop().await.expect("stops in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_and_says_how_long() {
    let site = site(&[&add("anna", "viewer")]).await;
    let mut wrong = 0;
    let answer = loop {
        let answer = site.sign_in("anna", "not her password").send().await.expect("an answer");
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
    assert_eq!(body["code"], "too_many_attempts");
    assert!(body["message"].as_str().expect("text").contains(&format!("{wait} s")), "{body}");

    // Many at once get no more guesses than one after the other.
    let guess = || site.sign_in("anna", "not her password").header("x-forwarded-for", "192.0.2.7").send();
    let answers = futures_util::future::join_all((0..30).map(|_| guess())).await;
    let judged = answers.iter().filter(|answer| answer.as_ref().expect("an answer").status() == 401).count();
    assert!(judged <= 6, "{judged} of 30 were judged");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_name_looks_and_takes_like_a_wrong_password() {
    let site = site(&[&add("anna", "viewer")]).await;
    let mut fastest = Duration::MAX;
    for n in 0..6 {
        for (i, name) in ["anna", "nobody"].into_iter().enumerate() {
            // Each from a device of its own, or it would be slowed.
            let device = format!("192.0.2.{}", 2 * n + i);
            let guess = site.sign_in(name, "not the password").header("x-forwarded-for", device);
            let began = Instant::now();
            let (status, code, message) = problem(guess).await;
            if name == "nobody" {
                fastest = fastest.min(began.elapsed());
            }
            assert_eq!((status, code.as_str()), (401, "wrong_credentials"));
            assert_eq!(message, "the name or the password is not right");
        }
    }
    // Comparing the two would be exact only on a machine that does nothing else. Two passes over 19 MiB take three times
    // this on the fastest; an answer without them takes a fifth.
    assert!(fastest > Duration::from_millis(5), "{fastest:?}: nothing was hashed");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_cannot_make_a_browser_do_anything() {
    let site = site(&[&add("anna", "admin")]).await;
    let cookie = site.session_of("anna").await;
    let out = || site.ask(Method::DELETE, SESSION).header("cookie", &cookie);
    let host = site.url.strip_prefix("http://").expect("a URL");
    for request in [
        out(),
        out().header("origin", "http://evil.example"),
        out().header("origin", "null"),
        out().header("origin", format!("http://{host}.evil.example")),
        out().header("origin", &site.url).header("sec-fetch-site", "cross-site"),
        out().header("sec-fetch-site", "same-site"),
        site.sign_in("anna", PASSWORD).header("origin", "http://evil.example"),
        site.ask(Method::GET, "/ws/live").header("cookie", &cookie).header("upgrade", "websocket"),
        site.ask(Method::GET, "/ws/live")
            .header("cookie", &cookie)
            .header("upgrade", "websocket")
            .header("origin", "http://evil.example"),
    ] {
        let (status, code, _) = problem(request).await;
        assert_eq!((status, code.as_str()), (403, "foreign_origin"));
    }
    assert_eq!(status(site.ask(Method::GET, SESSION).header("cookie", &cookie)).await, 200, "nobody signed her out");
    assert_eq!(status(out().header("sec-fetch-site", "same-origin")).await, 204);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_only_the_box_itself_is_let_in() {
    let site = site(&[]).await;
    let answer = site.ask(Method::GET, SESSION).send().await.expect("an answer");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    assert!(answer.headers()["content-security-policy"].to_str().expect("text").contains("frame-ancestors 'none'"));
    assert_eq!(answer.json::<Value>().await.expect("JSON"), json!({"kind": "open", "name": "floor", "role": "admin"}));
    for (name, value) in [
        ("host", "192.168.0.7:8080"),
        ("host", "rebound.example"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-forwarded-host", "localhost"),
    ] {
        let (status, code, message) = problem(site.ask(Method::GET, SECRET).header(name, value)).await;
        assert_eq!((status, code.as_str()), (401, "no_accounts"), "{name}: {value}");
        assert!(message.contains("smartpick-edge users add NAME --role admin"), "{message}");
        let camera = site.ask(Method::POST, "/ingestion/ergonomics/test").header(name, value);
        let (status, _, message) = problem(camera).await;
        assert_eq!(status, 401, "{name}: {value}");
        assert!(message.contains("smartpick-edge cameras add NAME"), "{message}");
    }
    let foreign = site.ask(Method::POST, "/ingestion/ergonomics/test").header("origin", "http://evil.example");
    assert_eq!(status(foreign).await, 403, "a page in a browser on the box is not the box");
    assert_eq!(status(site.ask(Method::POST, "/ingestion/ergonomics/test")).await, 202);

    site.cli(&add("anna", "admin"));
    until(401, || site.ask(Method::GET, SECRET)).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_it_starts_only_with_a_cameras_token() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let beyond = || {
        let mut config = config(dir.path());
        config.listen = ([0, 0, 0, 0], 0).into();
        config
    };
    let error = edge::edge::start(beyond()).await.map(drop).expect_err("must not start").to_string();
    assert!(error.contains("smartpick-edge cameras add NAME"), "{error}");
    let mut with_one = beyond();
    with_one.camera_token = Some("the configuration's".to_owned());
    edge::edge::start(with_one).await.expect("starts").life.stop().await.expect("stops in time");
    done(&cli(dir.path(), &["cameras", "add", "cam-1"]));
    edge::edge::start(beyond()).await.expect("starts").life.stop().await.expect("stops in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_is_shut_out_of_the_running_edge() {
    let site = site(&[&add("anna", "admin"), &add("ben", "admin")]).await;
    let (camera, other) = (site.token("cameras", "cam-1"), site.token("cameras", "cam-2"));
    let kiosk = site.token("kiosk", "dock");
    let (anna, ben) = (site.session_of("anna").await, site.session_of("ben").await);
    let post = |token: &str| site.ask(Method::POST, "/ingestion/ergonomics/test").bearer_auth(token);
    let (screen, as_anna) = (
        || site.ask(Method::GET, SESSION).bearer_auth(&kiosk),
        || site.ask(Method::GET, SECRET).header("cookie", &anna),
    );
    let as_ben = || site.ask(Method::GET, SESSION).header("cookie", &ben);
    until(202, || post(&camera)).await;
    until(200, screen).await;
    let used = || {
        let list: Value = serde_json::from_str(&site.cli(&["cameras", "list", "--json"])).expect("JSON");
        (list[0]["used_at"].is_string(), list[1]["used_at"].is_string())
    };
    let began = Instant::now();
    while used() != (true, false) {
        assert!(began.elapsed() < FOLLOWS_WITHIN, "when a camera was last used is not shown: {:?}", used());
    }
    let mut request = format!("{}/ws/live", site.url.replace("http", "ws")).into_client_request().expect("a URL");
    request.headers_mut().insert("cookie", anna.parse().expect("a value"));
    request.headers_mut().insert("origin", site.url.parse().expect("a value"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("is let in");

    assert_eq!(status(as_anna()).await, 200);
    site.cli(&["users", "role", "anna", "supervisor"]);
    until(403, as_anna).await;
    site.cli(&["users", "password", "ben", "--password-stdin"]);
    until(401, as_ben).await;
    site.cli(&["users", "remove", "anna"]);
    until(401, as_anna).await;
    let cut_off = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(FOLLOWS_WITHIN, cut_off).await.expect("the WebSocket of a removed account is closed");
    site.cli(&["kiosk", "remove", "dock"]);
    until(401, screen).await;
    site.cli(&["cameras", "remove", "cam-1"]);
    until(401, || post(&camera)).await;
    assert_eq!(status(post(&other)).await, 202, "the others go on");

    let audit = site.cli(&["users", "audit"]);
    for what in [
        "added the account anna as admin",
        "made anna supervisor",
        "changed the password of ben",
        "removed the kiosk dock",
    ] {
        assert!(audit.contains(what), "{audit}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_once_wait_for_each_other() {
    let site = site(&[]).await;
    let dir = site.dir.path();
    let all = |names: &[String]| -> Vec<Output> {
        let start = |name: &String| command(dir, &["cameras", "add", name]).spawn().expect("starts");
        let children: Vec<_> = names.iter().map(start).collect();
        children.into_iter().map(|child| child.wait_with_output().expect("ends")).collect()
    };
    let different: Vec<String> = (0..8).map(|n| format!("cam-{n}")).collect();
    assert!(all(&different).iter().all(|output| output.status.success()), "each of them waits its turn");
    let same = all(&vec!["same".to_owned(); 8]);
    assert_eq!(same.iter().filter(|output| output.status.success()).count(), 1);
    let loser = same.iter().find(|output| !output.status.success()).expect("seven of them");
    assert!(refused_as(73, loser).contains("there is a camera called same already"), "{loser:?}");
    let list: Value = serde_json::from_str(&site.cli(&["cameras", "list", "--json"])).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(9));
    site.stop().await;
}

#[test]
fn a_command_that_is_killed_has_happened_or_not() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (mut ended, mut killed) = (0, 0);
    for n in 0..60 {
        let mut child = command(dir.path(), &["cameras", "add", &format!("cam-{n}")]).spawn().expect("starts");
        // From before it has opened the file to after it is done.
        std::thread::sleep(Duration::from_micros(500 * n));
        child.kill().expect("is ours");
        let whole = child.wait_with_output().expect("ends").status.success();
        ended += u32::from(whole);
        killed += u32::from(!whole);
    }
    let list: Value = serde_json::from_str(&done(&cli(dir.path(), &["cameras", "list", "--json"]))).expect("JSON");
    let names: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|c| c["name"].as_str()).collect();
    let audit = done(&cli(dir.path(), &["users", "audit"]));
    let mut told: Vec<&str> = audit.lines().filter_map(|line| line.split("added the camera ").nth(1)).collect();
    told.sort_unstable();
    assert_eq!(names, told, "each is in the audit, and nothing else is");
    assert!(names.len() >= usize::try_from(ended).expect("small"), "what said it was done is done");
    assert!(killed > 0, "none was killed in time, so this has shown nothing");
}

#[test]
fn commands_say_what_is_wrong_and_the_fix() {
    let dir = tempfile::tempdir().expect("a temp dir");
    done(&cli(dir.path(), &add("anna", "viewer")));
    for (args, code, fix) in [
        (&["users", "add", "a b", "--password-stdin"][..], 64, "letters, digits, and . _ - @"),
        (&["users", "add", "anna", "--password-stdin"], 73, "users password anna"),
        (&["users", "add", "Ben", "--password-stdin"], 64, "lower-case Latin letters"),
        (&["users", "add", "floor", "--password-stdin"], 64, "choose another name"),
        (&["users", "remove", "ben"], 66, "`list` shows those there are"),
        (&["users", "password", "ben", "--password-stdin"], 66, "`users list`"),
        (&["kiosk", "remove", "dock"], 66, "`list` shows those there are"),
        (&["cameras", "add", "../x"], 64, "letters, digits, and . _ - @"),
    ] {
        let said = refused_as(code, &cli(dir.path(), args));
        assert!(said.contains(fix), "{args:?}: {said}");
    }
    let mut short = command(dir.path(), &["users", "add", "ben", "--password-stdin"]).spawn().expect("starts");
    std::io::Write::write_all(&mut short.stdin.take().expect("piped"), b"ninechars\n").expect("is read");
    assert!(refused_as(64, &short.wait_with_output().expect("ends")).contains("10 characters are the least"));
    let list = done(&cli(dir.path(), &["users", "list"]));
    assert!(list.contains("anna  viewer") && !list.contains("ben"), "{list}");
}

/// `sudo smartpick-edge users add` for a service that runs as somebody else.
#[test]
fn what_root_makes_belongs_to_the_service() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().expect("a temp dir");
    let service = 65_534;
    if std::os::unix::fs::chown(dir.path(), Some(service), Some(service)).is_err() {
        writeln!(std::io::stderr(), "skipped: only root can try what root does").expect("stderr");
        return;
    }
    // While another connection is open, the side files stay.
    let open = edge::access::Access::open(dir.path(), None).expect("opens");
    done(&cli(dir.path(), &add("anna", "viewer")));
    for entry in std::fs::read_dir(dir.path()).expect("is there") {
        let entry = entry.expect("an entry");
        let owner = entry.metadata().expect("is there").uid();
        assert_eq!(owner, service, "{}", entry.path().display());
    }
    assert!(dir.path().join("access.db-wal").exists(), "there was something to look at");
    drop(open);
}
