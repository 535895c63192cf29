//! The command line.

mod accounts;
mod rules;
mod status;
mod tail;
mod tokens;
mod users;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use common::config::ConfigError;
use common::telemetry;
use tracing::{error, warn};

use crate::access::store::TokenKind;
use crate::config::{Config, ENV_OBSOLETE};
use crate::{edge, simulate};

/// Exit code for a configuration that cannot be used (`EX_USAGE`), so that systemd need not try it again.
const EXIT_USAGE: u8 = 64;

/// Takes camera events in a warehouse, keeps them safe, and forwards them to headquarters.
#[derive(Debug, Parser)]
#[command(name = "smartpick-edge", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the edge until SIGTERM or Ctrl-C.
    Run(ConfigArgs),
    /// Say whether the configuration can be used, and what is in force.
    CheckConfig(ConfigArgs),
    /// Ask the running edge how it is. Exits with 0 if healthy, 1 if degraded, 2 if unhealthy or not running.
    Status(StatusArgs),
    /// Follow the alerts of the running edge, until Ctrl-C.
    Tail(tail::TailArgs),
    /// Make, show, change and remove the accounts of people, and see who did.
    #[command(subcommand)]
    Users(users::Users),
    /// Make, show and remove the read-only tokens of screens.
    #[command(subcommand)]
    Kiosk(tokens::Tokens),
    /// Make, show and remove the tokens by which cameras may send events.
    #[command(subcommand)]
    Cameras(tokens::Tokens),
    /// Show the alert rules in force, and try rules on recorded events.
    Rules(rules::RulesArgs),
    /// Be a row of cameras: for demos, load, and trying an installation.
    Simulate(Box<simulate::Args>),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file [default: /etc/smartpick/edge.toml if it is there].
    #[arg(long, value_name = "FILE", env = "SMARTPICK_EDGE_CONFIG")]
    config: Option<PathBuf>,
    /// Set one key, for example --set redis.url=redis://127.0.0.1:6379. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the edge listens [default: `listen` of the configuration].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print the whole answer as JSON.
    #[arg(long)]
    json: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "must be KEY=VALUE, for example listen=127.0.0.1:8081".to_owned())
}

/// Reads the command line and does it.
pub fn main() -> ExitCode {
    // Once per process, before anything speaks TLS. It fails only if it was done already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("start the runtime: {error}"), 1),
    };
    match cli.command {
        Command::Run(args) => match load(&args) {
            Ok(config) => runtime.block_on(run(config)),
            Err(error) => complain(&error.to_string(), EXIT_USAGE),
        },
        Command::CheckConfig(args) => match check_config(&args) {
            Ok(text) => say(&text),
            Err(error) => complain(&format!("{error:#}"), EXIT_USAGE),
        },
        Command::Status(args) => match load(&args.config) {
            Ok(config) => runtime.block_on(status::show(&config, args.url.as_deref(), args.json)),
            Err(error) => complain(&error.to_string(), EXIT_USAGE),
        },
        Command::Tail(args) => match load(&args.config) {
            Ok(config) => runtime.block_on(tail::follow(&config, &args)),
            Err(error) => complain(&error.to_string(), EXIT_USAGE),
        },
        Command::Users(command) => manage(command.config(), |config| users::run(&command, config)),
        Command::Kiosk(command) => manage(command.config(), |config| tokens::run(TokenKind::Kiosk, &command, config)),
        Command::Cameras(command) => {
            manage(command.config(), |config| tokens::run(TokenKind::Camera, &command, config))
        }
        Command::Rules(args) => rules::run(&args),
        Command::Simulate(args) => match runtime.block_on(simulate::run(*args)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&format!("{error:#}"), 1),
        },
    }
}

fn load(args: &ConfigArgs) -> Result<Config, ConfigError> {
    Config::load(args.config.as_ref(), &args.set)
}

fn check_config(args: &ConfigArgs) -> anyhow::Result<String> {
    let config = load(args)?;
    let dir = config.data_dir()?;
    let (rules, trouble) = rules::in_force(&config)?;
    let mut out = format!("{}# data_dir in force: {}\n# rules in force: {rules}\n", config.shown(), dir.display());
    for words in trouble.into_iter().chain(config.unheard_rules()) {
        let _infallible = writeln!(out, "# {words}");
    }
    Ok(out)
}

/// A command that changes the accounts' file, running edge or not.
fn manage(args: &ConfigArgs, work: impl FnOnce(&Config) -> anyhow::Result<String>) -> ExitCode {
    match load(args).map(|config| work(&config)) {
        Ok(Ok(text)) => say(&text),
        Ok(Err(error)) => complain(&format!("{error:#}"), 1),
        Err(error) => complain(&error.to_string(), EXIT_USAGE),
    }
}

async fn run(config: Config) -> ExitCode {
    if let Err(error) = telemetry::init(&config.log) {
        return complain(&format!("log: {error}; for example \"info\" or \"edge=debug,info\""), EXIT_USAGE);
    }
    for (name, why) in ENV_OBSOLETE {
        if std::env::var_os(name).is_some() {
            warn!("{name} has no effect on the edge: {why}");
        }
    }
    let result = async { Box::pin(edge::start(config)).await?.life.run().await.context("run") }.await;
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> ExitCode {
    // A reader that has gone away, such as `head`, has seen enough.
    drop(std::io::stdout().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

fn complain(text: &str, code: u8) -> ExitCode {
    drop(writeln!(std::io::stderr(), "smartpick-edge: {text}"));
    ExitCode::from(code)
}
