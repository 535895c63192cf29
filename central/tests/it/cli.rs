//! The program from outside.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::clock;
use common::tls::authority::Authority;
use serde_json::Value;
use uuid::Uuid;

use crate::servers::{self, Redis};

fn central(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-central"));
    command.args(args).env_clear().envs(env.iter().copied());
    command.output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_code_64() {
    for args in [&["sing"][..], &["users", "add"], &["check-config", "--set", "listen"], &[]] {
        let output = central(args, &[]);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("help"), "{}", text(&output.stderr));
    }
}

#[test]
fn completions_and_manual_pages_are_made_without_a_configuration() {
    let env = [("STREAM_BLOCK_MS", "soon")];
    for shell in ["bash", "zsh", "fish"] {
        let output = central(&["completions", shell], &env);
        assert!(output.status.success() && text(&output.stdout).contains("forget-worker"), "{shell}: {output:?}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let man = dir.path().join("man1");
    assert!(central(&["man", man.to_str().expect("UTF-8")], &env).status.success());
    for page in ["smartpick-central.1", "smartpick-central-users-add.1", "smartpick-central-ledger.1"] {
        let text = std::fs::read_to_string(man.join(page)).expect(page);
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    for args in [&["man", "/proc/none"][..], &["support-bundle", "--output", "/proc/none/bundle.tar.gz"]] {
        let nowhere = central(args, &env);
        assert_eq!(nowhere.status.code(), Some(73), "EX_CANTCREAT: {nowhere:?}");
    }
}

#[test]
fn a_bad_configuration_is_one_message_and_exit_code_78() {
    for (args, env, says) in [
        (vec!["check-config", "--set", "stream.partitons=3"], vec![], "did you mean `partitions`?"),
        (vec!["run", "--set", "workers.concurrency=0"], vec![], "1 to 256"),
        (vec!["check-config"], vec![("DATABASE_URL", "mysql://x")], "database.url"),
        (vec!["check-config"], vec![("STREAM_BLOCK_MS", "soon")], "STREAM_BLOCK_MS"),
        (vec!["check-config", "--set", "redis.url=nowhere"], vec![], "redis.url"),
        (vec!["check-config", "--set", "log=a=b=c"], vec![], "log"),
        (vec!["run", "--config", "/does/not/exist.toml"], vec![], "no such file"),
    ] {
        let output = central(&args, &env);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{args:?}: {error}");
        assert!(error.contains(says), "{args:?}: {error}");
    }
    let good = central(&["check-config"], &[("WORKER_CONCURRENCY", "8"), ("STREAM_BATCH_SIZE", "4")]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert!(text(&central(&["--version"], &[]).stdout).starts_with("smartpick-central "));
    assert!(text(&central(&["--help"], &[]).stdout).contains("check-config"));
}

/// The last words of a central that is told to run with this file, and of a check of the same file.
fn refused_by_both(file: &Path, url: &str) -> String {
    let [checked, run] = ["check-config", "run"].map(|command| {
        let output = central(&[command, "--config", file.to_str().expect("UTF-8")], &[("DATABASE_URL", url)]);
        assert_eq!(output.status.code(), Some(78), "{command}: {output:?}");
        text(&output.stderr)
    });
    assert_eq!(checked, run);
    run
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_refused_by_a_check_and_before_the_database_is_touched() {
    let url = servers::empty_database().await;
    let dir = tempfile::tempdir().expect("a directory");
    let (file, at) = (dir.path().join("central.toml"), |name: &str| dir.path().join(name).display().to_string());
    for name in ["one", "other"] {
        Authority::make(&dir.path().join(name), name, clock::now()).expect("made");
    }
    std::fs::create_dir(dir.path().join("half")).expect("made");
    std::fs::copy(at("one/ca.crt"), at("half/ca.crt")).expect("copied");
    let files = |certificate: &str, key: &str, more: &str| {
        let (ca, certificate, key) = (at("ca"), at(certificate), at(key));
        format!("ca_dir = \"{ca}\"\nmode = \"files\"\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n{more}")
    };
    let own = |ca: &str, more: &str| format!("ca_dir = \"{}\"\nmode = \"own\"\n{more}", at(ca));
    for (tls, says) in [
        (own("ca", "names = [\"no name\"]"), ["tls.names", "\"no name\" is no name or address"]),
        (own("half", "names = [\"a.example\"]"), ["tls.ca_dir", "half/ca.key"]),
        (own("one/ca.crt", "names = [\"a.example\"]"), ["tls.ca_dir", "is not a directory"]),
        (own("one/ca.crt/below", "names = [\"a.example\"]"), ["tls.ca_dir", "ca.crt is not a directory"]),
        (files("nowhere.pem", "one/ca.key", ""), ["tls.certificate", "No such file"]),
        (files("other/ca.key", "one/ca.key", ""), ["tls.certificate", "holds no certificate"]),
        (files("one/ca.crt", "one/ca.crt", ""), ["tls.key", "holds no private key"]),
        (files("one/ca.crt", "other/ca.key", ""), ["tls.certificate", "does not go with the key"]),
        (
            files("one/ca.crt", "one/ca.key", &format!("authority = \"{}\"", at("other/ca.key"))),
            ["tls.authority", "holds no certificate"],
        ),
    ] {
        std::fs::write(&file, format!("[tls]\n{tls}\n")).expect("written");
        let error = refused_by_both(&file, &url);
        assert!(says.iter().all(|part| error.contains(part)), "{says:?}: {error}");
    }
    let pool = sqlx::PgPool::connect(&url).await.expect("a pool");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(servers::number(&pool, tables).await, 0, "nothing was migrated");
    for good in [files("one/ca.crt", "one/ca.key", ""), own("one", "names = [\"a.example\", \"192.0.2.7\"]")] {
        std::fs::write(&file, format!("[tls]\n{good}\n")).expect("written");
        let output = central(&["check-config", "--config", file.to_str().expect("UTF-8")], &[]);
        assert!(output.status.success(), "{good}: {output:?}");
    }
}

#[test]
fn speaking_plain_http_beyond_the_host_is_warned_of_by_a_check_as_by_a_central_that_runs() {
    const WORDS: &str = "central speaks plain HTTP beyond this host";
    let env = [("DATABASE_URL", "postgres://somebody@127.0.0.1:1/elsewhere"), ("SMARTPICK_LISTEN", "0.0.0.0:0")];
    let checked = central(&["check-config"], &env);
    assert!(checked.status.success() && text(&checked.stdout).contains(WORDS), "{checked:?}");
    let inside = central(&["check-config", "--set", "listen=127.0.0.1:0"], &env);
    assert!(inside.status.success() && !text(&inside.stdout).contains(WORDS), "{inside:?}");
    let mut run = Command::new(env!("CARGO_BIN_EXE_smartpick-central"))
        .arg("run")
        .env_clear()
        .envs(env)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let log = BufReader::new(run.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let lines: Vec<String> = log.take_while(|line| !line.contains("Waiting for Postgres")).collect();
    run.kill().expect("it still waits");
    run.wait().expect("killed");
    assert!(lines.iter().any(|line| line.contains(WORDS)), "{lines:?}");
}

#[tokio::test]
async fn a_port_in_use_and_a_redis_that_is_not_there_are_exit_code_69() {
    let url = servers::empty_database().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("one").to_string();
    let output = central(&["run"], &[("DATABASE_URL", url.as_str()), ("SMARTPICK_LISTEN", listen.as_str())]);
    assert_eq!(output.status.code(), Some(69), "EX_UNAVAILABLE: {output:?}");
    assert!(text(&output.stderr).contains(&format!("listen on {listen}")), "{output:?}");
    let early = central(&["tokens", "list"], &[("DATABASE_URL", url.as_str())]);
    assert!(text(&early.stderr).contains("no schema yet"), "it was not migrated for nothing: {early:?}");
    let env = [("DATABASE_URL", url.as_str()), ("REDIS_URL", "redis://127.0.0.1:1")];
    let output = central(&["replay", "stream", "--dry-run"], &env);
    assert_eq!(output.status.code(), Some(69), "EX_UNAVAILABLE: {output:?}");
    let error = text(&output.stderr);
    assert_eq!(error.matches("Connection refused").count(), 1, "{error}");
}

#[tokio::test]
async fn a_user_that_postgres_does_not_let_in_is_told_once_and_with_the_fix() {
    let (url, _) = servers::database().await;
    let url = url.replace("user=postgres", "user=stranger");
    let output = central(&["tokens", "list"], &[("DATABASE_URL", url.as_str())]);
    assert_eq!(output.status.code(), Some(77), "EX_NOPERM: {output:?}");
    let error = text(&output.stderr);
    assert_eq!(error.matches("role \"stranger\" does not exist").count(), 1, "{error}");
    assert!(error.contains("sudo -u smartpick-central smartpick-central") && error.contains("database.url"), "{error}");
    assert!(error.len() < 500, "{error}");
}

#[test]
fn a_database_that_is_not_there_is_named_with_the_key_that_says_so() {
    let url = "postgres://somebody:secret@127.0.0.1:1/elsewhere";
    let named = |error: &str| {
        for part in ["database.url", "127.0.0.1:1", "elsewhere"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    };
    let output = central(&["tokens", "list"], &[("DATABASE_URL", url)]);
    assert_eq!(output.status.code(), Some(69), "EX_UNAVAILABLE");
    let error = text(&output.stderr);
    named(&error);
    assert_eq!(error.matches("Connection refused").count(), 1, "not that a pool has waited: {error}");
    // `run` waits for it, and says so.
    let mut run = Command::new(env!("CARGO_BIN_EXE_smartpick-central"))
        .arg("run")
        .env_clear()
        .env("DATABASE_URL", url)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let log = BufReader::new(run.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let waiting = log.into_iter().find(|line| line.contains("Waiting for Postgres"));
    // It can be stopped meanwhile, by systemd for one.
    let told = Command::new("kill").arg(run.id().to_string()).status().expect("kill runs");
    assert!(told.success() && run.wait().expect("it ends").success());
    let waiting = waiting.expect("it says so");
    named(&waiting);
    assert_eq!(waiting.matches("Connection refused").count(), 1, "{waiting}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let (url, pool) = servers::database().await;
    servers::execute(
        &pool,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of a later version', true, '', 0)",
    )
    .await;
    let output = central(&["run"], &[("DATABASE_URL", url.as_str())]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    for part in ["schema 9999", "newer smartpick-central", "install it again"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(servers::number(&pool, "SELECT count(*) FROM _sqlx_migrations WHERE version = 9999").await, 1);
}

#[tokio::test]
async fn credentials_are_made_listed_and_revoked() {
    let (url, pool) = servers::database().await;
    let env = [("DATABASE_URL", url.as_str())];
    let json = |args: &[&str]| -> Value {
        let output = central(args, &env);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one line of JSON")
    };
    let warehouse = "00000000-0000-0000-0000-00000000000a";
    let edge = json(&["edges", "add", "--warehouse", warehouse, "--name", "dock", "--json"]);
    assert_eq!(edge["warehouse_id"], warehouse);
    let hidden = central(&["edges", "add", "--warehouse", warehouse, "--name", "do\u{202e}ck"], &env);
    assert!(hidden.status.code() == Some(64) && text(&hidden.stderr).contains("nobody would see"), "{hidden:?}");
    let (id, token) = (edge["edge_id"].as_str().expect("an id"), edge["token"].as_str().expect("a token"));
    assert!(token.starts_with("spe_"));
    assert_eq!(json(&["edges", "list", "--json"])[0]["name"], "dock");
    let stored = format!("SELECT count(*) FROM edges WHERE credential_sha256 = sha256('{token}')");
    assert_eq!(servers::number(&pool, &stored).await, 1, "only its hash is stored");
    assert_eq!(central(&["edges", "add", "--warehouse", warehouse, "--edge-id", id], &env).status.code(), Some(73));
    assert!(central(&["edges", "revoke", id], &env).status.success());
    let again = central(&["edges", "revoke", id], &env);
    assert!(again.status.code() == Some(1) && text(&again.stderr).contains("shut out already"), "{again:?}");
    let stranger = central(&["edges", "revoke", warehouse], &env);
    assert!(stranger.status.code() == Some(66) && text(&stranger.stderr).contains("edges list"), "{stranger:?}");
    assert!(text(&central(&["edges", "list"], &env).stdout).contains("revoked"));
    let nowhere = central(&["edges", "add", "--warehouse", "00000000-0000-0000-0000-000000000000"], &env);
    assert_eq!(nowhere.status.code(), Some(64), "{nowhere:?}");
    assert!(text(&nowhere.stderr).contains("no site yet"), "{nowhere:?}");

    let made = json(&["tokens", "add", "grafana", "--json"]);
    assert_eq!(made["name"], "grafana");
    assert!(made["token"].as_str().expect("a token").starts_with("spt_"));
    assert_eq!(central(&["tokens", "add", "grafana"], &env).status.code(), Some(73), "the name is taken");
    assert_eq!(json(&["tokens", "list", "--json"])[0]["name"], "grafana");
    assert!(central(&["tokens", "revoke", "grafana"], &env).status.success());
    let unknown = central(&["tokens", "revoke", "grafana"], &env);
    assert_eq!(unknown.status.code(), Some(66), "EX_NOINPUT");
    assert!(text(&unknown.stderr).contains("no valid token called grafana; there are: none"), "{unknown:?}");
    assert!(text(&central(&["tokens", "list"], &env).stdout).contains("grafana  revoked  read,act"));
    let people = json(&["tokens", "add", "report", "--scope", "read", "--scope", "people", "--json"]);
    assert_eq!(people["name"], "report");
    assert_eq!(json(&["tokens", "list", "--json"])[1]["scopes"], serde_json::json!(["read", "people"]));
    let audit = text(&central(&["audit"], &env).stdout);
    for part in [&*format!("edge_revoked  edge {id}"), "token_added  token report  read, people", " on "] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
    let last = text(&central(&["audit", "--json", "--lines", "1", "--action", "token_revoked"], &env).stdout);
    let last: Value = serde_json::from_str(&last).expect("one line");
    assert_eq!(last["subject"], "token grafana");
}

/// Runs a command with a password on its standard input.
fn with_password(args: &[&str], env: &[(&str, &str)], password: &str) -> Output {
    use std::io::Write as _;
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-central"));
    command.args(args).arg("--password-stdin").env_clear().envs(env.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    // A command that refuses before it asks is gone already.
    writeln!(child.stdin.take().expect("piped"), "{password}").ok();
    child.wait_with_output().expect("it ends")
}

#[tokio::test]
async fn accounts_are_made_changed_and_removed() {
    let (url, pool) = servers::database().await;
    let env = [("DATABASE_URL", url.as_str())];
    let done = |output: &Output| {
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let ended = |output: &Output, code: i32, says: &str| {
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(text(&output.stderr).contains(says), "{says}: {}", text(&output.stderr));
    };
    let refused = |output: &Output, says: &str| ended(output, 1, says);
    let add = |name: &str, role: &str| with_password(&["users", "add", name, "--role", role], &env, "a long password");
    assert!(done(&central(&["users", "list"], &env)).contains("users add NAME --role administrator"));
    assert_eq!(done(&add("anna", "administrator")), "Added anna as administrator.\n");
    done(&add("ben", "viewer"));
    ended(&add("anna", "viewer"), 73, "`users password anna` changes its password");
    ended(&add("a b", "viewer"), 64, "letters, digits, and . _ - @");
    ended(&central(&["tokens", "add", "a b"], &env), 64, "letters, digits, and . _ - @");
    ended(&central(&["sites", "add", "Do\u{202e}ck"], &env), 64, "nobody would see");
    ended(&central(&["sites", "add", "Dock"], &env), 78, "tls.mode: boxes cannot join by certificates");
    assert_eq!(servers::number(&pool, "SELECT count(*) FROM warehouses").await, 0, "it is not half done");
    ended(&with_password(&["users", "add", "carl"], &env, "short"), 64, "10 characters are the least");
    ended(&with_password(&["users", "add", "carl"], &env, &" ".repeat(12)), 64, "10 characters are the least");
    refused(&central(&["users", "remove", "anna"], &env), "anna is the last administrator");
    refused(&central(&["users", "role", "anna", "viewer"], &env), "--role administrator");
    ended(&central(&["users", "remove", "nobody"], &env), 66, "there are: anna, ben");
    ended(&with_password(&["users", "password", "nobody"], &env, "a long password"), 66, "there are: anna, ben");
    let before = servers::number(&pool, "SELECT count(DISTINCT password) FROM users").await;
    assert_eq!(before, 2, "salted");
    done(&with_password(&["users", "password", "ben"], &env, "another password"));
    done(&central(&["users", "role", "ben", "safety-manager"], &env));
    let list = done(&central(&["users", "list"], &env));
    assert!(list.contains("ben   safety-manager") && list.contains("never"), "{list}");
    done(&central(&["users", "remove", "Ben"], &env));
    let audit = done(&central(&["audit", "--subject", "user ben"], &env));
    for part in ["user_added", "user_password", "user_role  user ben  viewer to safety-manager", "user_removed"] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
    assert!(!audit.contains("password  user ben  "), "no word of the password: {audit}");
}

#[tokio::test]
async fn migrate_makes_an_empty_database_ready_and_can_be_repeated() {
    let url = servers::empty_database().await;
    let env = [("DATABASE_URL", url.as_str())];
    let early = central(&["tokens", "list"], &env);
    assert!(text(&early.stderr).contains("migrate"), "it says what to do: {}", text(&early.stderr));
    for _ in 0..2 {
        let output = central(&["migrate"], &env);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert!(central(&["tokens", "list"], &env).status.success());
}

#[tokio::test]
async fn status_tells_people_and_scripts_and_sigterm_ends_it_in_time() {
    let (url, _) = servers::database().await;
    let redis = Redis::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
    let listen = format!("127.0.0.1:{port}");
    let env = [
        ("DATABASE_URL", url.as_str()),
        ("REDIS_URL", redis.url.as_str()),
        ("SMARTPICK_LISTEN", listen.as_str()),
        ("WORKER_RETRY_ATTEMPTS", "3"),
    ];
    let alone = central(&["status"], &env);
    assert!(text(&alone.stderr).contains("is central running?"), "{}", text(&alone.stderr));
    assert_eq!(alone.status.code(), Some(69), "EX_UNAVAILABLE");
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-central"));
    command.arg("run").env_clear().envs(env).stderr(std::process::Stdio::piped());
    let mut running = command.spawn().expect("it runs");
    let status = servers::eventually("it is healthy", async || {
        let output = central(&["status", "--json"], &env);
        output.status.success().then_some(output)
    })
    .await;
    let page: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(page["status"], "healthy");
    assert!(text(&central(&["status"], &env).stdout).contains("status    healthy"));
    let started = std::time::Instant::now();
    assert!(Command::new("kill").arg(running.id().to_string()).status().expect("kill").success());
    assert!(running.wait().expect("it ends").success());
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
    let mut log = String::new();
    std::io::Read::read_to_string(&mut running.stderr.take().expect("piped"), &mut log).expect("text");
    assert_eq!(log.matches("WORKER_RETRY_ATTEMPTS is ignored").count(), 1, "{log}");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is_one() {
    let (url, _) = servers::database().await;
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    for args in [&["check-config"][..], &["ledger"], &["users", "list"]] {
        let run = |to: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-central"));
            command.args(args).env_clear().env("DATABASE_URL", &url).stdout(to).stderr(Stdio::piped());
            let output = command.spawn().expect("it runs").wait_with_output().expect("it ends");
            (output.status.code(), text(&output.stderr))
        };
        assert_eq!(run(writer.try_clone().expect("a copy").into()), (Some(0), String::new()), "{args:?}");
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux");
        let (code, error) = run(full.into());
        assert!(code == Some(74) && error.contains("No space left"), "{args:?}: {code:?} {error}");
    }
}

/// For the one that somebody made by mistake; whatever may be missed keeps its site.
#[tokio::test]
async fn a_site_that_nothing_ever_came_from_can_be_removed() {
    let (url, pool) = servers::database().await;
    let env = [("DATABASE_URL", url.as_str())];
    let [wrong, right] = [Uuid::new_v4(), Uuid::new_v4()].map(|id| id.to_string());
    let add = |site: &str| {
        let added = central(&["edges", "add", "--warehouse", site, "--json"], &env);
        let added: Value = serde_json::from_slice(&added.stdout).expect("JSON");
        added["edge_id"].as_str().expect("an id").to_owned()
    };
    let edges = [&wrong, &right].map(|site| add(site));
    let remove = |site: &str| central(&["sites", "remove", site], &env);
    let refused = remove(&wrong);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("has an edge"), "{refused:?}");
    for edge in &edges {
        assert!(central(&["edges", "revoke", edge], &env).status.success());
    }
    // The right one's edge has told of a record that is nowhere: somebody may look for it.
    let told = "INSERT INTO edge_epochs (edge_id, epoch, warehouse_id, head) SELECT edge_id, gen_random_uuid(), warehouse_id, ";
    for (edge, head) in edges.iter().zip([0, 1]) {
        servers::execute(&pool, &format!("{told}{head} FROM edges WHERE edge_id = '{edge}'")).await;
    }
    let refused = remove(&right);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("has sent data"), "{refused:?}");
    let removed = remove(&wrong);
    assert!(text(&removed.stdout).starts_with(&format!("Removed site {wrong}")), "{removed:?}");
    assert_eq!(remove(&wrong).status.code(), Some(66));
    let count = |what: &str| format!("SELECT count(*) FROM {what}");
    for table in ["warehouses", "edges", "edge_epochs"] {
        assert_eq!(servers::number(&pool, &count(table)).await, 1, "{table}");
    }
    assert_eq!(servers::number(&pool, &count("audit_log WHERE action = 'site_removed'")).await, 1);
}
