//! The command line: run central, check its configuration, ask how it is, manage credentials.

mod admin;
mod alerts;
mod audit;
mod backlog;
mod bundle;
mod dead_letters;
mod doctor;
mod exit;
mod ledger;
mod privacy;
mod replay;
mod running;
mod sites;
mod status;
mod users;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use common::cli::exit::{complain, say, usage};
use common::cli::{Output, is_unread, pages};
use common::config::{ConfigError, Loaded, shown};
use common::ids::{EdgeId, WarehouseId};
use common::lifecycle::Signals;
use common::telemetry;
use tracing::{error, info, warn};

use crate::access::Scope;
use crate::central::Central;
use crate::config::{Config, FILE, SCHEMA};
use crate::store::{Db, StoreError};
use crate::usable::Usable;

const NAME: &str = "smartpick-central";

/// SmartPick's headquarters: takes batches from edges, stores them in Postgres exactly once.
#[derive(Parser)]
#[command(name = NAME, version)]
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
    /// Show the configuration in force
    #[command(subcommand)]
    Config(ShowConfig),
    /// Look at everything that must be right at headquarters, and say how to mend what is not. Exits with 0 if all is fine, 1 if
    /// something is to be looked at, 2 if something is to be mended
    Doctor {
        /// As JSON, all of it
        #[arg(long)]
        json: bool,
    },
    /// Show how central and the sites are. Exits with 0 if central is healthy, 1 if degraded, 2 if unhealthy, 69 if nothing answers
    Status(status::Args),
    /// Show what waits at the sites for headquarters, as their edges last said
    Backlog(backlog::Args),
    /// Show alerts of all sites, and acknowledge them
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    /// Show, replay and discard what could never be stored
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// Put everything that helps to find a fault into one file, without secrets and without personal data
    SupportBundle(bundle::Args),
    /// How complete the data of the sites is, by shift, day or hour
    Ledger(ledger::Args),
    /// Apply the database migrations; `run` does so too
    Migrate,
    /// Sites, and the tokens by which boxes join them
    #[command(subcommand)]
    Sites(sites::Sites),
    /// Central's own certificate authority
    #[command(subcommand)]
    Ca(sites::Ca),
    /// Edges, and credentials of those behind a proxy
    #[command(subcommand)]
    Edges(Edges),
    /// Accounts of people
    #[command(subcommand)]
    Users(users::Users),
    /// Tokens for the API
    #[command(subcommand)]
    Tokens(Tokens),
    /// Store dead letters, or what is still in the stream, once more
    #[command(subcommand)]
    Replay(replay::Replay),
    /// Forget workers
    #[command(subcommand)]
    Privacy(privacy::Privacy),
    /// Show who did what; oldest first
    Audit(audit::AuditArgs),
    /// Print what a shell reads to complete these commands
    Completions { shell: Shell },
    /// Write the manual pages, one for each command, into a directory
    Man { dir: PathBuf },
}

#[derive(Subcommand)]
enum ShowConfig {
    /// Print every key in force, as a configuration file, with secrets left out
    Show {
        /// Say of each key where it is from
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Subcommand)]
enum Edges {
    /// Make a bearer token for an edge, for a central behind a proxy that ends TLS; shown this once. Else see `sites add`
    Add {
        #[arg(long, value_name = "UUID", value_parser = some_warehouse)]
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
    /// Shut an edge out, token and certificates; what it has stored stays
    Revoke { edge_id: EdgeId },
}

#[derive(Subcommand)]
enum Tokens {
    /// Make a token for the API; it is shown this once
    Add {
        /// 1 to 64 lower-case Latin letters, digits, and . _ - @
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
    // Once per process, before anything speaks TLS. It fails only if it was done already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // These two need no configuration.
    match cli.command {
        Command::Completions { shell } => {
            return say(&String::from_utf8_lossy(&pages::completions(Cli::command(), shell)));
        }
        Command::Man { dir } => {
            return match pages::man(Cli::command(), &dir) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            };
        }
        _ => {}
    }
    let env = |name: &str| std::env::var(name).ok();
    let read = || Config::load(cli.config.as_deref(), &cli.set, &env);
    let file = cli.config.as_deref().unwrap_or(Path::new(FILE));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start")),
    };
    // These two say what is wrong with a configuration among the rest.
    match &cli.command {
        Command::Doctor { json } => return runtime.block_on(doctor::examine(read(), file)).print(*json),
        Command::SupportBundle(args) => {
            let made = runtime.block_on(bundle::make(read(), file, args, &mut std::io::stdout()));
            return made.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS);
        }
        _ => {}
    }
    let loaded = match read() {
        Ok(loaded) => loaded,
        Err(error) => return failed(&error.into()),
    };
    let origins = loaded.origins.clone();
    runtime.block_on(Box::pin(command(cli.command, loaded, &read))).unwrap_or_else(|error| {
        if is_unread(&error) {
            return ExitCode::SUCCESS;
        }
        // What only a stage finds wrong has a place in a file too.
        let placed = error.downcast_ref::<ConfigError>().map(|error| origins.place(error.clone()).into());
        failed(&placed.unwrap_or(error))
    })
}

/// The last words, with the code that says what kind of failure it was.
fn failed(error: &anyhow::Error) -> ExitCode {
    complain(NAME, &format!("{error:#}"), exit::of(error))
}

/// Reads the configuration once more.
type Read<'a> = &'a dyn Fn() -> Result<Loaded<Config>, ConfigError>;

async fn command(command: Command, loaded: Loaded<Config>, read: Read<'_>) -> anyhow::Result<ExitCode> {
    let mut out = Output::default();
    let Loaded { config, origins } = loaded;
    match command {
        Command::Run => serve(config, read).await?,
        Command::CheckConfig => {
            // Also what only the stages check.
            let usable = Usable::new(&config)?;
            writeln!(out, "The configuration is good.")?;
            for words in usable.warnings(&config) {
                writeln!(out, "# {words}")?;
            }
        }
        Command::Config(ShowConfig::Show { origin }) => {
            return Ok(say(&shown(&config, &SCHEMA, origin.then_some(&origins))));
        }
        Command::Status(args) => return status::show(&config, &args).await,
        Command::Backlog(args) => named(&config, backlog::show(&config, args, &mut out).await).await?,
        Command::Alerts(command) => named(&config, Box::pin(alerts::run(&config, command, &mut out)).await).await?,
        Command::DeadLetters(command) => named(&config, dead_letters::run(&config, command, &mut out).await).await?,
        Command::Migrate => {
            init_log(&config)?;
            Db::open(&config.database)?.prepare().await?;
            writeln!(out, "The database schema is up to date.")?;
        }
        Command::Ledger(args) => named(&config, ledger::show(&config, args, &mut out).await).await?,
        Command::Sites(sites) => named(&config, sites::run(&config, sites, &mut out).await).await?,
        Command::Ca(ca) => named(&config, sites::ca(&config, ca, &mut out).await).await?,
        Command::Edges(edges) => named(&config, admin::edges(&config, edges, &mut out).await).await?,
        Command::Users(users) => named(&config, users::run(&config, users, &mut out).await).await?,
        Command::Tokens(tokens) => named(&config, admin::tokens(&config, tokens, &mut out).await).await?,
        Command::Replay(replay) => named(&config, Box::pin(replay::run(&config, replay, &mut out)).await).await?,
        Command::Privacy(privacy) => named(&config, privacy::run(&config, privacy, &mut out).await).await?,
        Command::Audit(args) => named(&config, audit::show(&config, args, &mut out).await).await?,
        Command::Completions { .. } | Command::Man { .. } | Command::Doctor { .. } | Command::SupportBundle(_) => {
            unreachable!("done before the configuration was needed")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Who is at this command line, for the audit. The blank in it keeps it apart from accounts' and tokens' names.
fn actor() -> String {
    format!("{} on {}", common::cli::who(), gethostname::gethostname().to_string_lossy())
}

/// An empty text is part of every text: whoever gives one has a variable that is not set.
fn some_text(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("it is empty") } else { Ok(text.to_owned()) }
}

/// All zeros is what an edge says that has not joined a site yet.
fn some_warehouse(text: &str) -> Result<WarehouseId, String> {
    let id: WarehouseId = text.parse().map_err(|error| format!("{error}"))?;
    if id.uuid().is_nil() { Err("all zeros stands for no site yet".to_owned()) } else { Ok(id) }
}

/// Names for a sentence.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Says which database it was that did not do it, and where that is set.
async fn named(config: &Config, result: anyhow::Result<()>) -> anyhow::Result<()> {
    let Err(error) = result else { return Ok(()) };
    let Some(failed) = error.downcast_ref::<StoreError>() else { return Err(error) };
    let db = Db::open(&config.database)?;
    let error = match db.behind(failed).await {
        Some(cause) => cause.into(),
        None => error,
    };
    Err(error.context(format!("cannot use {}", db.place())))
}

async fn serve(config: Config, read: Read<'_>) -> anyhow::Result<()> {
    init_log(&config)?;
    if std::env::var_os("WORKER_RETRY_ATTEMPTS").is_some() {
        warn!("WORKER_RETRY_ATTEMPTS is ignored: events are tried until they are stored, none is dropped by counting");
    }
    let mut signals = Signals::new()?;
    let central = tokio::select! {
        started = Central::start(config) => started?,
        // It may have waited for Postgres for long.
        () = signals.stop() => {
            info!("Stopped before it had started");
            return Ok(());
        }
    };
    central.run(signals, read).await.inspect_err(|error| error!("Ended by a failure: {error:#}"))
}

fn init_log(config: &Config) -> anyhow::Result<()> {
    telemetry::init(&config.log)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
