//! The whole system, composed: servers, central, edges, and on request the links between them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::camera::{Camera, Ledger};
use crate::central::{Central, Setup, Tls};
use crate::dir::Dir;
use crate::edge::{self, Edge, Entry};
use crate::events::{NORTH, SOUTH};
use crate::link::Link;
use crate::postgres::Postgres;
use crate::process::Service;
use crate::redis::{Durability, Redis};

/// What the database of a stack's own Postgres is called.
pub const DATABASE: &str = "smartpick";

/// What a stack is made of.
#[derive(Debug, Clone)]
pub struct Options {
    pub edges: usize,
    /// All edges stand in the warehouse of the first.
    pub one_site: bool,
    pub centrals: usize,
    /// Put a [`Link`] between each edge and central.
    pub linked: bool,
    /// Start processes again that somebody else kills.
    pub supervised: bool,
    /// Take the Postgres that all such stacks of this process share, with a database of our own.
    pub shared_postgres: bool,
    /// Give each edge a Redis.
    pub edge_redis: bool,
    pub stream_max_length: Option<u64>,
    pub spill: Option<String>,
    pub alerts: Option<String>,
    pub data_dir: Option<std::path::PathBuf>,
    /// Edges come in by certificates that hold for so many seconds, over TLS; else by tokens.
    pub certificate_seconds: Option<u64>,
    /// Central's own certificate is one that was given to it, and not of its own authority.
    pub given_certificate: bool,
    /// Where Postgres has its cluster, instead of in the stack's directory; what is there goes on.
    pub postgres_home: Option<std::path::PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            edges: 1,
            one_site: false,
            centrals: 1,
            linked: false,
            supervised: false,
            shared_postgres: false,
            edge_redis: true,
            stream_max_length: None,
            spill: None,
            alerts: None,
            data_dir: None,
            certificate_seconds: None,
            given_certificate: false,
            postgres_home: None,
        }
    }
}

/// Declared, and so dropped, in the order in which things stop.
pub struct Stack {
    pub edges: Vec<Edge>,
    /// By edge; empty if not asked for.
    pub links: Vec<Link>,
    pub centrals: Vec<Central>,
    pub setup: Setup,
    /// By edge; empty if the edges have none.
    pub edge_redis: Vec<Redis>,
    pub central_redis: Redis,
    /// `None` if shared.
    pub postgres: Option<Postgres>,
    pub database_url: String,
    /// What the cameras of this stack know.
    pub ledger: Arc<Ledger>,
    pub dir: Dir,
}

impl Stack {
    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// The first thing that does not start, with the fix or the end of its log.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let dir = Dir::new()?;
        let (postgres, database_url) = if options.shared_postgres {
            (None, shared_postgres().await?.create_database().await?)
        } else {
            let postgres = match &options.postgres_home {
                Some(home) => Postgres::start_in(&dir, home).await?,
                None => Postgres::start(&dir).await?,
            };
            let database_url = postgres.database_named(DATABASE).await?;
            (Some(postgres), database_url)
        };
        let central_redis = Redis::start(&dir, "central-redis", Durability::None).await?;
        let tls = options.certificate_seconds.map(|seconds| Tls::new(&dir, seconds, options.given_certificate));
        let setup = Setup::new(&dir, &database_url, &central_redis.url, tls.transpose()?).await?;
        let token = setup.add_token("harness").await?;
        let mut centrals = Vec::new();
        for index in 0..options.centrals {
            centrals.push(Central::start(&dir, &setup, index, &token).await?);
        }
        let is_tls = options.certificate_seconds.is_some();
        let (mut edges, mut links, mut edge_redis) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..options.edges {
            let central = &centrals[index % centrals.len()];
            let mut central_url = central.url.clone();
            if options.linked {
                let link = Link::start(address(&central.url)?).await?;
                // The link carries TLS as it is.
                central_url =
                    format!("{}{}", if is_tls { "https" } else { "http" }, link.url.trim_start_matches("http"));
                links.push(link);
            }
            let mut redis_url = None;
            if options.edge_redis {
                let redis = Redis::start(&dir, &format!("edge-{index}-redis"), Durability::Always).await?;
                redis_url = Some(redis.url.clone());
                edge_redis.push(redis);
            }
            let (warehouse_id, edge_id) = ids(index, options.one_site);
            let entry = if is_tls {
                Entry::Join(setup.join_token(warehouse_id, &central_url, None).await?)
            } else {
                Entry::Token(setup.add_edge(warehouse_id, edge_id).await?)
            };
            let options = edge::Options {
                name: format!("edge-{index}"),
                warehouse_id,
                edge_id,
                central_url,
                entry,
                redis_url,
                stream_max_length: options.stream_max_length,
                data_dir: options.data_dir.clone(),
                spill: options.spill.clone(),
                alerts: options.alerts.clone(),
            };
            edges.push(Edge::start(&dir, options).await?);
        }
        let ledger = Arc::default();
        let stack =
            Self { edges, links, centrals, setup, edge_redis, central_redis, postgres, database_url, ledger, dir };
        if options.supervised {
            stack.services().for_each(Service::supervise);
        }
        Ok(stack)
    }

    /// All processes, in the order of the data.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        let edges = self.edges.iter().map(Edge::service);
        let redis = self.edge_redis.iter().chain([&self.central_redis]).map(Redis::service);
        let centrals = self.centrals.iter().map(Central::service);
        edges.chain(redis).chain(centrals).chain(self.postgres.iter().map(Postgres::service))
    }

    /// A camera of the `index`th edge, whose verdicts go into this stack's ledger.
    ///
    /// # Errors
    /// If its HTTP client cannot be made.
    pub fn camera(&self, index: usize) -> anyhow::Result<Camera> {
        Camera::new(&self.edges[index], Arc::clone(&self.ledger))
    }

    /// Runs a test's body; if it fails, says how things stood and keeps the logs.
    ///
    /// # Errors
    /// The body's.
    pub async fn explain<T>(&self, body: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let result = body.await;
        let Err(error) = result else { return result };
        self.dir.keep();
        Err(anyhow::anyhow!("{error:#}\n{}", self.describe().await))
    }

    /// How things stand, for the message of a failed check.
    pub async fn describe(&self) -> String {
        let mut text = String::new();
        // A String takes everything.
        let _infallible: std::fmt::Result = async {
            writeln!(text, "acknowledged to cameras: {}", self.ledger.acknowledged())?;
            for edge in &self.edges {
                match edge.stats().await {
                    Ok(stats) => writeln!(text, "edge {}: {stats:?}", edge.edge_id)?,
                    Err(error) => writeln!(text, "edge {}: {error:#}", edge.edge_id)?,
                }
            }
            if let Some(central) = self.centrals.first() {
                match central.ledger().await {
                    Ok(accounts) => writeln!(text, "ledger: {accounts:#?}")?,
                    Err(error) => writeln!(text, "ledger: {error:#}")?,
                }
            }
            for service in self.services() {
                writeln!(text, "--- {} logged last:\n{}", service.name(), service.log_tail())?;
            }
            Ok(())
        }
        .await;
        text
    }
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    url.trim_start_matches("https://")
        .trim_start_matches("http://")
        .parse()
        .with_context(|| format!("{url} is not http://address:port"))
}

/// The warehouse and edge ids of the `index`th edge: the two sites of the recorded data first, then made-up ones that
/// are the same in each run.
fn ids(index: usize, one_site: bool) -> (Uuid, Uuid) {
    if one_site {
        return (NORTH, Uuid::new_v5(&NORTH, format!("edge-{}", index + 1).as_bytes()));
    }
    let warehouse_id = match index {
        0 => NORTH,
        1 => SOUTH,
        _ => Uuid::new_v5(&NORTH, format!("warehouse-{index}").as_bytes()),
    };
    (warehouse_id, Uuid::new_v5(&warehouse_id, b"edge-1"))
}

/// One server for all stacks that do not harm theirs: making one costs a second. It dies with the process.
async fn shared_postgres() -> anyhow::Result<&'static Postgres> {
    static SHARED: OnceCell<(Postgres, Dir)> = OnceCell::const_new();
    let start = || async {
        let dir = Dir::new()?;
        anyhow::Ok((Postgres::start(&dir).await?, dir))
    };
    SHARED.get_or_try_init(start).await.map(|(postgres, _)| postgres)
}
