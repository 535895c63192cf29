//! Private servers. Each runs under a shell that waits on our pipe: when this process is gone, however it went, the
//! pipe closes, the shell stops the server and removes its directory.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use central::config::{self, Config};
use central::store::{Db, partitions};
use sqlx::postgres::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// Everything here is ready within a second or two; a loaded machine gets more.
pub const PATIENCE: Duration = Duration::from_secs(30);

const TEMPLATE: &str = "migrated";

/// Waits for a condition; panics with `what` if it does not come true.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A server under its shell.
struct Guarded {
    shell: Child,
}

impl Guarded {
    /// Runs `server`, a shell command, until our end of the pipe closes, then sends it `signal`.
    fn start(server: &str, signal: &str, dir: &Path, as_postgres: bool) -> Self {
        let dir = dir.display();
        let script = format!(
            "{server} >{dir}/log 2>&1 & pid=$!; echo started; cat >/dev/null; kill -{signal} $pid; wait $pid; rm -rf {dir}"
        );
        let mut command = if as_postgres {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh", "-c", &script]);
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        };
        // A process group of its own, so that Ctrl-C reaches only us, and the shell stays to clean up.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut shell =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a shell");
        let mut line = String::new();
        BufReader::new(shell.stdout.take().expect("piped")).read_line(&mut line).expect("the shell speaks");
        assert_eq!(line, "started\n");
        Self { shell }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
    }
}

fn root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout == b"0\n"
}

fn temp_dir(name: &str) -> PathBuf {
    let made = tempfile::Builder::new().prefix(&format!("smartpick-{name}-")).tempdir().expect("a directory");
    made.keep()
}

/// The newest Postgres of the machine: Debian keeps its programs out of PATH.
fn postgres_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .max()
        .map(|(_, path)| path.join("bin").join(name));
    newest.unwrap_or_else(|| name.into())
}

/// The cluster that all tests of this binary share; each has a database of its own.
struct Postgres {
    dir: PathBuf,
    _server: Mutex<Guarded>,
}

fn postgres() -> &'static Postgres {
    static POSTGRES: OnceLock<Postgres> = OnceLock::new();
    POSTGRES.get_or_init(|| {
        let dir = temp_dir("pg");
        let as_postgres = root();
        if as_postgres {
            let chowned = Command::new("chown").arg("postgres").arg(&dir).status().expect("chown");
            assert!(chowned.success());
        }
        let (initdb, server, at) = (postgres_program("initdb"), postgres_program("postgres"), dir.display());
        let server = format!(
            "{{ {initdb} -D {at}/data -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N && exec {server} -D {at}/data \
             -c listen_addresses= -c unix_socket_directories={at} -c max_connections=300 -c fsync=on; }}",
            initdb = initdb.display(),
            server = server.display(),
        );
        let guarded = Guarded::start(&server, "QUIT", &dir, as_postgres);
        let postgres = Postgres { dir, _server: Mutex::new(guarded) };
        // Tests have runtimes of their own; this work must outlive whichever asked first.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Runtime::new().expect("a runtime");
                runtime.block_on(make_template(&postgres));
            });
        });
        postgres
    })
}

impl Postgres {
    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.dir.display())
    }
}

async fn make_template(postgres: &Postgres) {
    let maintenance = postgres.url("postgres");
    let pool = eventually("Postgres starts", async || PgPool::connect(&maintenance).await.ok()).await;
    execute(&pool, &format!("CREATE DATABASE {TEMPLATE}")).await;
    let db = Db::open(&config::Database { url: postgres.url(TEMPLATE), connections_max: 2 }).expect("a URL");
    let connection = db.connect().await.expect("connected");
    db.migrate(connection).await.expect("migrated");
    partitions::upkeep(&db, &config::Retention::default(), common::clock::now()).await.expect("partitions");
}

/// Runs any SQL.
pub async fn execute(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// The one number that a query answers.
pub async fn number(pool: &PgPool, sql: &str) -> i64 {
    let query = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql));
    query.fetch_one(pool).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// A migrated database of one's own: its URL and a pool.
pub async fn database() -> (String, PgPool) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // One at a time: copying a template needs it to be unused.
    static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let postgres = tokio::task::spawn_blocking(postgres).await.expect("Postgres started");
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let copying = COPYING.lock().await;
    let maintenance = PgPool::connect(&postgres.url("postgres")).await.expect("connected");
    execute(&maintenance, &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
    maintenance.close().await;
    drop(copying);
    let url = postgres.url(&name);
    let pool = PgPool::connect(&url).await.expect("connected");
    (url, pool)
}

/// An empty database, not migrated.
pub async fn empty_database() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let postgres = tokio::task::spawn_blocking(postgres).await.expect("Postgres started");
    let name = format!("empty_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let maintenance = PgPool::connect(&postgres.url("postgres")).await.expect("connected");
    execute(&maintenance, &format!("CREATE DATABASE {name}")).await;
    postgres.url(&name)
}

/// A way to Postgres that can hang, as if its machine did: connections stay, nothing gets through.
pub struct Way {
    /// Of the database behind it.
    pub url: String,
    hangs: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Way {
    pub fn to(database_url: &str) -> Self {
        let (before, rest) = database_url.split_once("host=").expect("by a socket");
        let (host, after) = rest.split_once('&').expect("more parameters");
        let dir = tempfile::tempdir().expect("a directory");
        let url = format!("{before}host={}&{after}", dir.path().display());
        let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).expect("a socket");
        let target = PathBuf::from(host).join(".s.PGSQL.5432");
        let hangs = watch::Sender::new(false);
        let gate = hangs.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&target).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, gate.clone()));
                tokio::spawn(pass(from_server, to_client, gate.clone()));
            }
        });
        Self { url, hangs, _dir: dir }
    }

    pub fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut gate: watch::Receiver<bool>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let open = gate.wait_for(|hangs| !hangs).await.is_ok();
        if !open || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// A Redis of one's own, on a socket, that keeps nothing.
pub struct Redis {
    pub url: String,
    dir: PathBuf,
    server: Option<Guarded>,
}

impl Redis {
    pub async fn start() -> Self {
        let dir = temp_dir("redis");
        let mut redis = Self { url: format!("redis+unix://{}/socket", dir.display()), dir, server: None };
        redis.start_again().await;
        redis
    }

    pub async fn start_again(&mut self) {
        std::fs::create_dir_all(&self.dir).expect("a directory");
        let at = self.dir.display();
        let server = format!("redis-server --port 0 --unixsocket {at}/socket --save '' --appendonly no --dir {at}");
        self.server = Some(Guarded::start(&server, "KILL", &self.dir, false));
        eventually("Redis starts", async || self.connect().await.ok()).await;
    }

    /// As if its machine lost power; it held nothing on disk.
    pub fn kill(&mut self) {
        self.server = None;
    }

    pub async fn connect(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        redis::Client::open(self.url.as_str())?.get_multiplexed_async_connection().await
    }

    pub async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.connect().await.expect("connected");
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }
}

/// The configuration of a central for tests.
pub fn config(database_url: &str, redis: &Redis) -> Config {
    let mut config = Config { listen: "127.0.0.1:0".to_owned(), ..Config::default() };
    config.database.url = database_url.to_owned();
    config.database.connections_max = 5;
    config.redis.url.clone_from(&redis.url);
    config.stream.block_ms = 50;
    config.workers.retry_delay_ms = 20;
    config.workers.concurrency = 2;
    config
}
