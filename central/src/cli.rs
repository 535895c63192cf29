//! The command line: run central, check its configuration, ask how it is, manage credentials.

mod admin;
mod audit;
mod ledger;
mod privacy;
mod status;
mod users;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common::ids::{EdgeId, WarehouseId};
use common::telemetry;
use tracing::{error, warn};

use crate::access::Scope;
use crate::central::Central;
use crate::config::{Config, FILE};
use crate::store::{Db, StoreError};

/// EX_USAGE of sysexits.h; supervisors know not to try again.
const EXIT_CONFIG: u8 = 64;

/// SmartPick's headquarters: takes batches from edges, stores them in Postgres exactly once.
#[derive(Parser)]
#[command(name = "smartpick-central", version)]
struct Cli {
    /// The configuration file; its drop-ins are in the directory of the same name ending in .d
    #[arg(long, global = true, value_name = "FILE", help = format!("The configuration file [default: {FILE}]"))]
    config: Option<PathBuf>,
    /// Sets one key, as section.key=value; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take batches, store them, answer questions; until SIGTERM
    Run,
    /// Read the configuration from all its places and say whether it is good
    CheckConfig,
    /// Ask the central that runs with this configuration how it is
    Status {
        /// As JSON, all of it
        #[arg(long)]
        json: bool,
    },
    /// How complete the data of the sites is, by shift, day or hour
    Ledger(ledger::Args),
    /// Apply the database migrations; `run` does so too
    Migrate,
    /// Credentials of edges
    #[command(subcommand)]
    Edges(Edges),
    /// Accounts of people
    #[command(subcommand)]
    Users(users::Users),
    /// Tokens for the API
    #[command(subcommand)]
    Tokens(Tokens),
    /// Forget workers
    #[command(subcommand)]
    Privacy(privacy::Privacy),
    /// Show who did what; oldest first
    Audit(audit::AuditArgs),
}

#[derive(Subcommand)]
enum Edges {
    /// Make a credential for an edge; its token is shown this once
    Add {
        #[arg(long, value_name = "UUID")]
        warehouse: WarehouseId,
        /// Random if not given
        #[arg(long, value_name = "UUID")]
        edge_id: Option<EdgeId>,
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// One line of JSON: edge_id, warehouse_id, token
        #[arg(long)]
        json: bool,
    },
    /// List edges
    List {
        #[arg(long)]
        json: bool,
    },
    /// Make an edge's credential invalid; what it has stored stays
    Revoke { edge_id: EdgeId },
}

#[derive(Subcommand)]
enum Tokens {
    /// Make a token for the API; it is shown this once
    Add {
        /// 1 to 64 letters, digits, and . _ - @
        name: String,
        /// What it may do; may be repeated
        #[arg(long = "scope", value_enum, default_values_t = [Scope::Read, Scope::Act])]
        scopes: Vec<Scope>,
        /// One line of JSON: name, token
        #[arg(long)]
        json: bool,
    },
    /// List tokens
    List {
        #[arg(long)]
        json: bool,
    },
    /// Make a token invalid
    Revoke { name: String },
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as section.key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        // Help and version are "errors" of clap's, with exit code 0.
        Err(error) => error.exit(),
    };
    let env = |name: &str| std::env::var(name).ok();
    let config = match Config::load(cli.config.as_deref(), &cli.set, &env) {
        Ok(config) => config,
        Err(error) => return failed(&error.to_string(), EXIT_CONFIG),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}"), 1),
    };
    match runtime.block_on(command(cli.command, config)) {
        Ok(code) => code,
        Err(error) if error.is::<common::config::ConfigError>() => failed(&format!("{error:#}"), EXIT_CONFIG),
        Err(error) => failed(&format!("{error:#}"), 1),
    }
}

/// The last words on stderr, where people look for them.
fn failed(message: &str, code: u8) -> ExitCode {
    // Nowhere to report a closed stderr.
    drop(writeln!(std::io::stderr(), "smartpick-central: {message}"));
    ExitCode::from(code)
}

async fn command(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    match command {
        Command::Run => serve(config).await?,
        Command::CheckConfig => {
            // Also what only the stages check.
            Db::open(&config.database)?;
            crate::stream::Stream::open(&config.redis, &config.stream)?;
            filter(&config)?;
            writeln!(out, "The configuration is good.")?;
        }
        Command::Status { json } => return status::show(&config, json, &mut out).await,
        Command::Migrate => {
            init_log(&config)?;
            Db::open(&config.database)?.prepare().await?;
            writeln!(out, "The database schema is up to date.")?;
        }
        Command::Ledger(args) => named(&config, ledger::show(&config, args, &mut out).await)?,
        Command::Edges(edges) => named(&config, admin::edges(&config, edges, &mut out).await)?,
        Command::Users(users) => named(&config, users::run(&config, users, &mut out).await)?,
        Command::Tokens(tokens) => named(&config, admin::tokens(&config, tokens, &mut out).await)?,
        Command::Privacy(privacy) => named(&config, privacy::run(&config, privacy, &mut out).await)?,
        Command::Audit(args) => named(&config, audit::show(&config, args, &mut out).await)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Who is at this command line, for the audit. The blank in it keeps it apart from accounts' and tokens' names.
fn actor() -> String {
    format!("{} on {}", common::cli::who(), gethostname::gethostname().to_string_lossy())
}

/// Names for a sentence.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Says which database it was that did not do it, and where that is set.
fn named(config: &Config, result: anyhow::Result<()>) -> anyhow::Result<()> {
    result.map_err(|error| match Db::open(&config.database) {
        Ok(db) if error.is::<StoreError>() => error.context(format!("cannot use {}", db.place())),
        _ => error,
    })
}

async fn serve(config: Config) -> anyhow::Result<()> {
    init_log(&config)?;
    if std::env::var_os("WORKER_RETRY_ATTEMPTS").is_some() {
        warn!("WORKER_RETRY_ATTEMPTS is ignored: events are tried until they are stored, none is dropped by counting");
    }
    let central = Central::start(config).await?;
    central.run().await.inspect_err(|error| error!("Ended by a failure: {error:#}"))
}

fn init_log(config: &Config) -> anyhow::Result<()> {
    filter(config)?;
    telemetry::init(&config.log)?;
    Ok(())
}

fn filter(config: &Config) -> Result<(), common::config::ConfigError> {
    telemetry::check(&config.log)
        .map_err(|e| common::config::ConfigError::new(format!("log = {:?}: {e}; try \"info\"", config.log)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
