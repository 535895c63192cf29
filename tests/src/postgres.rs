//! A Postgres of our own, with fsync on: free port on 127.0.0.1, own data directory, password.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::dir::Dir;
use crate::ports;
use crate::process::{self, Service, Spec, system_binary};

const USER: &str = "smartpick";
/// Enough for several stacks that share one server.
const CONNECTIONS_MAX: u32 = 200;
/// An immediate stop only signals and waits for backends.
const STOP_WITHIN: Duration = Duration::from_secs(20);

pub struct Postgres {
    /// Of the server, without a database.
    base_url: String,
    data: PathBuf,
    user: Option<&'static str>,
    log: PathBuf,
    service: Service,
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// If Postgres is missing or does not start.
    pub async fn start(dir: &Dir) -> anyhow::Result<Self> {
        Self::start_in(dir, &dir.sub("pg")?).await
    }

    /// The same with the cluster in a directory that may outlive us: one that is there already goes on.
    ///
    /// # Errors
    /// If Postgres is missing or does not start.
    pub async fn start_in(dir: &Dir, home: &Path) -> anyhow::Result<Self> {
        let user = server_user().await?;
        let password = if home.join("data/PG_VERSION").exists() {
            std::fs::read_to_string(home.join("password")).context("cannot read the password file")?
        } else {
            init(dir, home, user).await?
        };
        let port = ports::free()?;
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("max_connections={CONNECTIONS_MAX}"),
            "fsync=on".to_owned(),
            "full_page_writes=on".to_owned(),
            "synchronous_commit=on".to_owned(),
            // Small statements only: compiling them costs more than it saves.
            "jit=off".to_owned(),
        ];
        let data = home.join("data");
        let mut args = vec!["-D".to_owned(), data.display().to_string()];
        args.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        let mut spec = plain(dir, "postgres", system_binary("postgres", &debian_dirs())?, args, user);
        // An immediate shutdown: SIGKILL would leave shared memory behind.
        spec.last_signal = Signal::QUIT;
        let service = Service::start(spec).await?;
        let postgres = Self {
            base_url: format!("postgres://{USER}:{password}@127.0.0.1:{port}"),
            data,
            user,
            log: dir.path().join("postgres-files.log"),
            service,
        };
        postgres.ready().await?;
        Ok(postgres)
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let url = self.url("postgres");
        self.service
            .ready(|| async {
                PgConnection::connect(&url).await?.close().await?;
                Ok(Some(()))
            })
            .await
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base_url)
    }

    /// Makes a database with a name that no other has, and returns its address.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn create_database(&self) -> anyhow::Result<String> {
        self.database_named(&format!("smartpick_{}", Uuid::new_v4().simple())).await
    }

    /// Makes a database unless there is one of this name, and returns its address.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn database_named(&self, name: &str) -> anyhow::Result<String> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.context("connect to postgres")?;
        let there = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)").bind(name);
        if !there.fetch_one(&mut connection).await.context("look for the database")? {
            let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
            sqlx::raw_sql(statement).execute(&mut connection).await.context("create the database")?;
        }
        connection.close().await.context("close the connection")?;
        Ok(self.url(name))
    }

    /// What `pg_ctl -m immediate restart` does: no checkpoint, every connection cut, recovery from the log.
    ///
    /// # Errors
    /// If it does not come back.
    pub async fn restart_immediate(&self) -> anyhow::Result<()> {
        self.service.stop(Signal::QUIT, STOP_WITHIN).await?;
        self.service.start_again().await?;
        self.ready().await
    }

    /// Copies its data directory while it is down for a moment, as a snapshot of the disk would.
    ///
    /// # Errors
    /// If it cannot be copied, or the server does not come back.
    pub async fn snapshot(&self) -> anyhow::Result<PathBuf> {
        let to = self.data.with_extension("snapshot");
        self.stop_immediate().await?;
        self.files("cp", &["-a", &self.data.display().to_string(), &to.display().to_string()]).await?;
        self.start_again().await?;
        Ok(to)
    }

    /// Puts a snapshot in the place of the data directory: all that was committed since is gone. `promoted`: as the end of a
    /// recovery from an archive, which begins a new timeline; else as a disk that is rolled back, which does not.
    ///
    /// # Errors
    /// If it cannot be put there, or the server does not come back.
    pub async fn roll_back(&self, snapshot: &Path, promoted: bool) -> anyhow::Result<()> {
        self.stop_immediate().await?;
        let data = self.data.display().to_string();
        self.files("rm", &["-r", &data]).await?;
        self.files("cp", &["-a", &snapshot.display().to_string(), &data]).await?;
        if promoted {
            self.files("touch", &[&format!("{data}/recovery.signal")]).await?;
            let setting = format!("echo \"restore_command = 'false'\" >> {data}/postgresql.auto.conf");
            self.files("sh", &["-c", &setting]).await?;
        }
        self.start_again().await
    }

    /// Runs a program on its files, as its user.
    async fn files(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (name, program, log) = (program.to_owned(), program.into(), self.log.clone());
        process::run(Spec { name, program, args, user: self.user, log, last_signal: Signal::KILL }).await.map(drop)
    }

    /// # Errors
    /// If it was not running.
    pub async fn stop_immediate(&self) -> anyhow::Result<()> {
        self.service.stop(Signal::QUIT, STOP_WITHIN).await.map(drop)
    }

    /// # Errors
    /// If it does not come back.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        self.service.start_again().await?;
        self.ready().await
    }

    pub fn service(&self) -> &Service {
        &self.service
    }
}

/// Makes a cluster in `home`; answers its password.
async fn init(dir: &Dir, home: &Path, user: Option<&'static str>) -> anyhow::Result<String> {
    let password = Uuid::new_v4().simple().to_string();
    let password_file = home.join("password");
    std::fs::write(&password_file, &password).context("cannot write the password file")?;
    if let Some(user) = user {
        let id = process::run(plain(dir, "id", "id".into(), vec!["-u".into(), user.into()], None)).await?;
        let id: u32 = id.trim().parse().context("id -u postgres")?;
        for path in [home, &password_file] {
            std::os::unix::fs::chown(path, Some(id), None).context("cannot give Postgres its directory")?;
        }
    }
    let data = home.join("data").display().to_string();
    let pwfile = format!("--pwfile={}", password_file.display());
    // No sync while making it: only what happens once it runs must survive.
    let args = ["-D", &data, "-U", USER, &pwfile, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "-N"];
    let args = args.map(str::to_owned).to_vec();
    process::run(plain(dir, "initdb", system_binary("initdb", &debian_dirs())?, args, user)).await?;
    Ok(password)
}

fn plain(dir: &Dir, name: &str, program: PathBuf, args: Vec<String>, user: Option<&'static str>) -> Spec {
    let log = dir.path().join(format!("{name}.log"));
    Spec { name: name.to_owned(), program, args, user, log, last_signal: Signal::KILL }
}

/// Debian keeps the server's programs out of PATH. The newest version comes first.
fn debian_dirs() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    versions.sort_by_key(number);
    versions.into_iter().rev().map(|path| path.join("bin")).collect()
}

/// Postgres refuses to run as root; Debian's package makes a user for it.
async fn server_user() -> anyhow::Result<Option<&'static str>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = tokio::fs::read_to_string("/etc/passwd").await.context("cannot read /etc/passwd")?;
    if passwd.lines().any(|line| line.starts_with("postgres:")) {
        return Ok(Some("postgres"));
    }
    bail!("there is no user postgres to run the server as; run `make setup` (or: apt-get install postgresql)")
}
