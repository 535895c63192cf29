//! Postgres. This folder is the only place that knows sqlx; every statement is a constant of the file that uses it and
//! listed in [`statements`], so that a test can prepare them all against the migrated schema.

pub mod alerts;
pub mod audit;
pub mod batch;
pub mod certificates;
pub mod dead_letters;
pub mod edges;
pub mod enrolment;
mod error;
pub mod events;
pub mod examine;
pub mod facts;
pub mod fleet;
pub mod forgotten;
pub mod heartbeats;
pub mod ledger;
pub mod partitions;
pub mod queries;
pub mod retention;
pub mod rollups;
pub mod rule_sets;
pub mod sessions;
pub mod site_reports;
pub mod sites;
pub mod tokens;
pub mod users;

pub use error::StoreError;

use std::ops::{Deref, DerefMut};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use common::backoff::Backoff;
use common::config::ConfigError;
use common::lifecycle;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{info, warn};

use crate::config;

/// A connection of one's own; dropping it closes it.
pub type Connection = PgConnection;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// A request's statement takes longer only if something is wrong.
const QUERY_TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// One in so many of the pool's connections may work out a dashboard at a time: that is a tenth of a second of a core for
/// each, and storing events goes first.
const DASHBOARDS_SHARE: u32 = 5;
/// What a dashboard waits for its turn.
const DASHBOARD_TIMEOUT: Duration = Duration::from_secs(5);
/// A migration may rewrite a table.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(3_600);
/// A connection that was idle for longer is asked for a sign of life before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// Postgres is often started together with us.
const START_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));

const FSYNC: &str = "SELECT current_setting('fsync')";
/// How many pages a bitmap scan asks the disk for at once, which only dashboards do. Postgres knows how many at most; none where
/// the system cannot. To find that out takes it a millisecond.
const READ_AHEAD: &str = "\
SELECT set_config(name, least(256, max_val::int)::text, false) FROM pg_settings WHERE name = 'effective_io_concurrency'";

/// Every statement of the store that can be prepared.
pub fn statements() -> Vec<&'static str> {
    let mut all = vec![FSYNC, READ_AHEAD];
    for file in [
        alerts::STATEMENTS,
        audit::STATEMENTS,
        batch::STATEMENTS,
        certificates::STATEMENTS,
        dead_letters::STATEMENTS,
        edges::STATEMENTS,
        enrolment::STATEMENTS,
        events::STATEMENTS,
        examine::STATEMENTS,
        facts::STATEMENTS,
        fleet::STATEMENTS,
        forgotten::STATEMENTS,
        heartbeats::STATEMENTS,
        ledger::STATEMENTS,
        ledger::hours::STATEMENTS,
        partitions::STATEMENTS,
        queries::STATEMENTS,
        retention::STATEMENTS,
        rollups::STATEMENTS,
        rollups::coarse::STATEMENTS,
        rollups::due::STATEMENTS,
        rollups::people::STATEMENTS,
        sessions::STATEMENTS,
        rule_sets::STATEMENTS,
        site_reports::STATEMENTS,
        sites::STATEMENTS,
        tokens::STATEMENTS,
        users::STATEMENTS,
    ] {
        all.extend_from_slice(file);
    }
    all
}

/// The database: how to reach it, and a pool of connections for requests.
pub struct Db {
    options: PgConnectOptions,
    pool: PgPool,
    dashboards: Arc<Semaphore>,
}

impl Db {
    /// Does not connect yet.
    ///
    /// # Errors
    /// If the URL cannot be read.
    pub fn open(config: &config::Database) -> Result<Self, ConfigError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| config.url.starts_with(scheme)) {
            return Err(ConfigError::of("database.url", "is not a Postgres URL: it does not start with postgres://"));
        }
        let options = PgConnectOptions::from_str(&config.url)
            .map_err(|e| ConfigError::of("database.url", format!("is not a Postgres URL: {e}")))?
            .application_name("smartpick-central")
            // Every session ends by itself what its client has forgotten, before the client does. The socket's are for the
            // server's side.
            .options([
                // A COMMIT is what edges rely on, whatever the role's or the database's default is.
                ("synchronous_commit", "on"),
                ("statement_timeout", "8s"),
                ("lock_timeout", "4s"),
                ("idle_in_transaction_session_timeout", "15s"),
                // "Exists already, skipping" is no news.
                ("client_min_messages", "warning"),
                // Our statements are small; compiling them would cost more than it saves.
                ("jit", "off"),
                ("tcp_keepalives_idle", "15"),
                ("tcp_keepalives_interval", "5"),
                ("tcp_keepalives_count", "3"),
                ("tcp_user_timeout", "20s"),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(config.connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // One that was in use a moment ago is not asked whether it is still there: that would be every other round trip.
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::query(READ_AHEAD).execute(connection).await.map(drop) })
            })
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for > TRUSTED_FOR {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.clone());
        let dashboards = Arc::new(Semaphore::new((config.connections_max / DASHBOARDS_SHARE).max(1) as usize));
        Ok(Self { options, pool, dashboards })
    }

    /// Which database this is, and which setting says so. Nothing secret is in it.
    pub fn place(&self) -> String {
        let database = self.options.get_database().unwrap_or("(the user's own)");
        let at = match self.options.get_socket() {
            Some(socket) => format!("in {}", socket.display()),
            None => format!("at {}:{}", self.options.get_host(), self.options.get_port()),
        };
        format!("Postgres {at}, database {database}, as database.url says")
    }

    /// A connection of one's own. Dropping it closes it.
    ///
    /// # Errors
    /// If there is none within a few seconds.
    pub async fn connect(&self) -> Result<PgConnection, StoreError> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.options.connect())
            .await
            .map_err(|_| StoreError::Timeout)?
            .map_err(StoreError::from)
    }

    /// What stands in the way of a connection, where the pool only says that it has tried for long enough.
    pub async fn behind(&self, error: &StoreError) -> Option<StoreError> {
        match error {
            StoreError::Sql(sqlx::Error::PoolTimedOut) => self.connect().await.err(),
            _ => None,
        }
    }

    /// A connection from the pool.
    ///
    /// # Errors
    /// If none gets free in time or Postgres is not there.
    pub async fn lease(&self) -> Result<Lease, StoreError> {
        Ok(Lease { connection: Some(self.pool.acquire().await?), clean: false, _turn: None })
    }

    /// The same for a question that reads thousands of rows. Only a few are answered at a time, in the order they came.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if the turn does not come in time, and as [`Db::lease`].
    async fn lease_for_dashboard(&self) -> Result<Lease, StoreError> {
        let turn = tokio::time::timeout(DASHBOARD_TIMEOUT, Arc::clone(&self.dashboards).acquire_owned());
        let turn = turn.await.map_err(|_| StoreError::Busy)?.expect("nobody closes it");
        let mut lease = self.lease().await?;
        lease._turn = Some(turn);
        Ok(lease)
    }

    /// Waits for Postgres, then makes it ready: migrations applied, and durable. Safe to run in several instances at
    /// once: the migrator takes an advisory lock.
    ///
    /// # Errors
    /// If the server is not durable or the schema cannot be migrated.
    pub async fn prepare(&self) -> anyhow::Result<()> {
        let mut attempt = 0;
        let connection = loop {
            match self.connect().await {
                Ok(connection) => break connection,
                Err(error) => {
                    lifecycle::say(&format!("waiting for {}", self.place()));
                    let wait = START_BACKOFF.delay(attempt, None, &mut rand::rng());
                    warn!("Waiting for {}: {:#}", self.place(), anyhow::Error::new(error));
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
            }
        };
        self.migrate(connection).await
    }

    /// Applies the migrations that are missing and refuses a server that is not durable.
    ///
    /// # Errors
    /// What could not be applied, or that fsync is off.
    pub async fn migrate(&self, mut connection: PgConnection) -> anyhow::Result<()> {
        let fsync: String = sqlx::query_scalar(FSYNC)
            .fetch_one(&mut connection)
            .await
            .map_err(StoreError::from)
            .context("ask for fsync")?;
        if fsync != "on" {
            bail!(
                "Postgres runs with fsync = {fsync}: a power cut could lose what edges have forgotten; set fsync = on"
            );
        }
        let unlimited = sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut connection).await;
        unlimited.map_err(StoreError::from)?;
        tokio::time::timeout(MIGRATE_TIMEOUT, MIGRATIONS.run_direct(None, &mut connection, false))
            .await
            .context("migrations did not end in time")?
            .map_err(|error| match error {
                MigrateError::VersionMissing(version) => anyhow!(
                    "{} was brought to schema {version} by a newer smartpick-central; it was left as it is, and only that \
                     version or a newer one can use it: install it again",
                    self.place()
                ),
                MigrateError::Execute(error) => anyhow!(StoreError::Sql(error)).context("apply the migrations"),
                MigrateError::ExecuteMigration(error, version) => {
                    anyhow!(StoreError::Sql(error)).context(format!("apply migration {version}"))
                }
                // Its text has its cause's in it.
                error => anyhow!("{error}").context("apply the migrations"),
            })?;
        // A failure to say goodbye changes nothing.
        drop(connection.close().await);
        info!("The database schema is up to date");
        Ok(())
    }

    /// Connections in use and idle.
    pub fn pool_size(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }
}

/// A pooled connection that goes back only after [`Lease::done`]: one that was left in the middle of a statement, by an
/// error, a timeout or a client that went away, is closed instead, because the pool would wait for its end.
pub struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    clean: bool,
    /// Held as long as the connection.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Lease {
    pub fn done(mut self) {
        self.clean = true;
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("taken only by drop")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("taken only by drop")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.clean
        {
            drop(connection.detach());
        }
    }
}

/// Runs `work` in one transaction of a pooled connection: all of it, or nothing after an error or a client that went
/// away.
async fn transaction<T>(
    db: &Db,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<T, StoreError> {
    let mut lease = db.lease().await?;
    let connection = &mut *lease;
    let result = within(async {
        sqlx::raw_sql(batch::BEGIN).execute(&mut *connection).await?;
        let result = work(&mut *connection).await?;
        sqlx::raw_sql(batch::COMMIT).execute(connection).await?;
        Ok(result)
    })
    .await?;
    lease.done();
    Ok(result)
}

/// Runs one statement with the client's own timeout: sqlx has none, and a dead peer would be waited for until TCP
/// gives up.
async fn within<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(QUERY_TIMEOUT, statement).await {
        Ok(result) => result.map_err(StoreError::from),
        Err(_) => Err(StoreError::Timeout),
    }
}
