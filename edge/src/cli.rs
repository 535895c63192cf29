//! The command line.

mod accounts;
mod alerts;
mod backlog;
mod bundle;
mod ca;
mod dead_letters;
mod doctor;
mod enroll;
mod fsck;
mod local;
mod replay;
mod rules;
mod running;
mod status;
mod tail;
mod tokens;
mod users;
mod zones;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use common::cli::exit::{self, Exit, say};
use common::cli::{is_unread, pages};
use common::config::{ConfigError, Loaded, shown};
use common::lifecycle::Signals;
use common::telemetry;
use tracing::{error, warn};

use crate::access::store::TokenKind;
use crate::config::{Config, ENV_OBSOLETE, SCHEMA};
use crate::edge::{self, Edge};
use crate::simulate;
use crate::usable::Usable;

const NAME: &str = "smartpick-edge";

/// Takes camera events in a warehouse, keeps them safe, and forwards them to headquarters.
#[derive(Debug, Parser)]
#[command(name = NAME, version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the edge until SIGTERM or Ctrl-C.
    Run(ConfigArgs),
    /// Say whether the configuration can be used.
    CheckConfig(ConfigArgs),
    /// Join headquarters with a token of `smartpick-central sites add`.
    Enroll(enroll::EnrollArgs),
    /// Show the authority behind this box's HTTPS, and how devices come to trust it.
    Ca(ca::CaArgs),
    /// Show the configuration in force.
    #[command(subcommand)]
    Config(ShowConfig),
    /// Look at everything that must be right on this box, and say how to mend what is not. Exits with 0 if all is fine, 1
    /// if something is to be looked at, 2 if something is to be mended.
    Doctor(doctor::DoctorArgs),
    /// Ask the running edge how it is. Exits with 0 if healthy, 1 if degraded, 2 if unhealthy, 69 if nothing answers.
    Status(status::StatusArgs),
    /// Show what waits for headquarters.
    Backlog(backlog::BacklogArgs),
    /// Show alerts and acknowledge them.
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    /// Show records that were found damaged on this box.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// Follow the alerts of the running edge, until Ctrl-C; it waits for one that is away.
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
    /// Send to headquarters again what it has confirmed; it changes nothing there that is not missing.
    Replay(replay::ReplayArgs),
    /// Examine the files of an edge that does not run. Exits with 0 if they are whole or mended, 1 if not.
    Fsck(fsck::FsckArgs),
    /// Show the alert rules in force, and try rules on recorded events.
    Rules(rules::RulesArgs),
    /// Put everything that helps to find a fault into one file, without secrets and without personal data.
    SupportBundle(bundle::BundleArgs),
    /// Be a row of cameras: for demos, load, and trying an installation.
    Simulate(Box<simulate::Args>),
    /// Print what a shell reads to complete these commands.
    Completions { shell: Shell },
    /// Write the manual pages, one for each command, into a directory.
    Man { dir: PathBuf },
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file [default: /etc/smartpick/edge.toml if it is there].
    #[arg(long, value_name = "FILE", env = "SMARTPICK_EDGE_CONFIG")]
    config: Option<PathBuf>,
    /// Set one key, for example --set redis.url=redis://127.0.0.1:6379, or --set 'tls.names=["a", "b"]'. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum ShowConfig {
    /// Print every key in force, as a configuration file, with secrets left out.
    Show {
        /// Say of each key where it is from.
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("start the runtime: {error}"), Exit::Failure),
    };
    match cli.command {
        Command::Run(args) => given(load_usable(&args), |config| runtime.block_on(run(config, &args))),
        Command::CheckConfig(args) => told(runtime.block_on(check_config(&args))),
        Command::Status(args) => runtime.block_on(status::show(load(&args.config), &args)),
        Command::Config(ShowConfig::Show { origin, config }) => {
            told(load(&config).map(|l| shown(&l.config, &SCHEMA, origin.then_some(&l.origins))).map_err(Into::into))
        }
        Command::Doctor(args) => runtime.block_on(doctor::examine(load_usable(&args.config))).print(args.json),
        Command::Backlog(args) => with(&args.config, |config| told(runtime.block_on(backlog::show(&config, &args)))),
        Command::Alerts(command) => {
            with(command.config(), |config| told(runtime.block_on(alerts::run(&command, &config))))
        }
        Command::DeadLetters(command) => {
            with(command.config(), |config| told(runtime.block_on(dead_letters::run(&command, &config))))
        }
        Command::SupportBundle(args) => told(runtime.block_on(bundle::make(&args))),
        Command::Tail(args) => with(&args.config, |config| runtime.block_on(tail::follow(&config, &args))),
        Command::Users(command) => with(command.config(), |config| told(users::run(&command, &config))),
        Command::Kiosk(command) => {
            with(command.config(), |config| told(tokens::run(TokenKind::Kiosk, &command, &config)))
        }
        Command::Cameras(command) => {
            with(command.config(), |config| told(tokens::run(TokenKind::Camera, &command, &config)))
        }
        Command::Enroll(args) => {
            with(&args.config, |config| told(runtime.block_on(Box::pin(enroll::run(&args, &config)))))
        }
        Command::Ca(args) => with(&args.config, |config| told(ca::run(&args, &config))),
        Command::Rules(args) => told(runtime.block_on(rules::run(&args))),
        Command::Simulate(args) => told(runtime.block_on(simulate::run(*args)).map(|()| String::new())),
        Command::Completions { shell } => {
            told(Ok(String::from_utf8_lossy(&pages::completions(Cli::command(), shell)).into_owned()))
        }
        Command::Man { dir } => told(pages::man(Cli::command(), &dir).map(|()| String::new())),
        Command::Replay(args) => with(&args.config, |config| told(replay::run(&config, &args))),
        Command::Fsck(args) => with(&args.config, |config| match fsck::run(&config, &args) {
            Ok(said) if said.well => say(&said.text),
            Ok(said) => {
                say(&said.text);
                Exit::Failure.into()
            }
            Err(error) => told(Err(error)),
        }),
    }
}

fn load(args: &ConfigArgs) -> Result<Loaded<Config>, ConfigError> {
    Config::load(args.config.as_ref(), &args.set)
}

/// The same, if it can be used.
fn load_usable(args: &ConfigArgs) -> Result<Loaded<Config>, ConfigError> {
    let loaded = load(args)?;
    match Usable::new(&loaded.config) {
        Ok(_) => Ok(loaded),
        Err(error) => Err(loaded.origins.place(error)),
    }
}

async fn check_config(args: &ConfigArgs) -> anyhow::Result<String> {
    let Loaded { config, origins } = load(args)?;
    let usable = Usable::new(&config).map_err(|error| origins.place(error))?;
    let Usable { dir, config, enrolled } = usable;
    let (rules, trouble) = rules::in_force(&config)?;
    let mut out = "The configuration is good.\n".to_owned();
    // A String takes everything.
    let _infallible = writeln!(out, "Data is kept in {}; the rules in force are {rules}.", dir.display());
    match enrolled {
        Ok(Some(enrolled)) => {
            let until = common::cli::time(enrolled.not_after);
            let _infallible =
                writeln!(out, "# joined as edge {}; its certificate holds until {until}", enrolled.edge_id);
        }
        Ok(None) => {}
        Err(error) => {
            let _infallible = writeln!(out, "# whether this box has joined is not known: {error:#}; try sudo");
        }
    }
    if rules.rules.is_empty() {
        let _infallible = writeln!(out, "# {}", rules::ALERTS_OFF);
    }
    let zones = zones::warnings(&config, &rules.configs).await;
    for words in trouble.into_iter().chain(config.warnings()).chain(zones) {
        let _infallible = writeln!(out, "# {words}");
    }
    Ok(out)
}

/// A command that needs the configuration.
fn with(args: &ConfigArgs, work: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    given(load(args), work)
}

fn given(loaded: Result<Loaded<Config>, ConfigError>, work: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    match loaded {
        Ok(loaded) => work(loaded.config),
        Err(error) => complain(&error.to_string(), Exit::Config),
    }
}

/// What came of a command that answers with a text.
fn told(result: anyhow::Result<String>) -> ExitCode {
    match result {
        Ok(text) => say(&text),
        Err(error) if is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("{error:#}"), Exit::of(&error)),
    }
}

async fn run(config: Config, args: &ConfigArgs) -> ExitCode {
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return complain(&format!("{error:#}"), Exit::of(&error)),
    };
    if let Err(error) = telemetry::init(&config.log) {
        return complain(&format!("log: {error}; for example \"info\" or \"edge=debug,info\""), Exit::Config);
    }
    for (name, why) in ENV_OBSOLETE {
        if std::env::var_os(name).is_some() {
            warn!("{name} has no effect on the edge: {why}");
        }
    }
    let result = async {
        let Edge { life, mut reloader, .. } = Box::pin(edge::start(config)).await?;
        life.run(signals, async || reloader.take(load_usable(args)).await).await.context("run")
    };
    let result = result.await;
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            Exit::of(&error).into()
        }
    }
}

fn complain(text: &str, exit: Exit) -> ExitCode {
    exit::complain(NAME, text, exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
