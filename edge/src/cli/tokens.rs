//! `smartpick-edge cameras` and `smartpick-edge kiosk`: the tokens of machines. A token is shown once, when it is made.
//! The running edge follows within two seconds.

use std::fmt::Write as _;

use clap::Subcommand;
use common::cli::{table, time};
use common::credentials::check_name;
use common::tls::Mode;
use serde_json::json;

use super::ConfigArgs;
use super::accounts::{Accounts, refused};
use crate::access::store::TokenKind;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// Make a token. It is shown once.
    Add {
        /// 1 to 64 lower-case Latin letters, digits, and . _ - @
        name: String,
        /// How its address begins for the screen or camera [default: http or https, this host's name, and the port of `listen`].
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Show who has a token, and when it was last used.
    List {
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Make a token worthless.
    Remove {
        name: String,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

impl Tokens {
    pub const fn config(&self) -> &ConfigArgs {
        match self {
            Self::Add { config, .. } | Self::List { config, .. } | Self::Remove { config, .. } => config,
        }
    }
}

/// Does it, and returns what to say.
pub fn run(kind: TokenKind, command: &Tokens, config: &Config) -> anyhow::Result<String> {
    let mut accounts = Accounts::open(config)?;
    let mut out = String::new();
    match command {
        Tokens::Add { name, url, json, .. } => {
            check_name(name)?;
            let (store, by) = accounts.change();
            let token = store.add_token(kind, name, by).map_err(refused)?;
            let base = url.as_ref().map_or_else(|| base(config), |url| url.trim_end_matches('/').to_owned());
            let url = match kind {
                TokenKind::Camera => format!("{base}/ingestion/ergonomics"),
                // Behind the # it is neither sent nor logged by anything on the way.
                TokenKind::Kiosk => format!("{base}/?kiosk#token={token}"),
            };
            if *json {
                writeln!(out, "{}", json!({ "name": name, "token": token, "url": url }))?;
                return Ok(out);
            }
            writeln!(out, "name   {name}\ntoken  {token}\nurl    {url}")?;
            match kind {
                TokenKind::Camera => {
                    writeln!(out, "The camera sends it as `Authorization: Bearer TOKEN`. It is not shown again.")?;
                    if accounts.store.tokens(kind)?.len() == 1 && config.camera_token.is_none() {
                        writeln!(out, "This is the first one: from now on no camera is let in without a token.")?;
                    }
                }
                TokenKind::Kiosk => {
                    writeln!(
                        out,
                        "Open this address on the screen, which may look and no more. It is not shown again."
                    )?;
                }
            }
        }
        Tokens::List { json, .. } => {
            let tokens = accounts.store.tokens(kind)?;
            if *json {
                writeln!(out, "{}", serde_json::to_string(&tokens)?)?;
            } else if tokens.is_empty() {
                let command = if kind == TokenKind::Camera { "cameras" } else { "kiosk" };
                writeln!(out, "None. `smartpick-edge {command} add NAME` makes one.")?;
            } else {
                let rows = tokens.iter().map(|token| {
                    let used = token.used_at.map_or_else(|| "never".to_owned(), time);
                    [token.name.clone(), time(token.created_at), used]
                });
                out += &table(["NAME", "MADE", "LAST USED"], rows);
            }
        }
        Tokens::Remove { name, .. } => {
            let (store, by) = accounts.change();
            store.remove_token(kind, name, by).map_err(refused)?;
            writeln!(out, "Removed; the token of {name} is worthless within two seconds.")?;
            if kind == TokenKind::Camera && accounts.store.tokens(kind)?.is_empty() && config.camera_token.is_none() {
                writeln!(
                    out,
                    "That was the last one: events are taken from this box itself only, and without a token."
                )?;
            }
        }
    }
    Ok(out)
}

/// How the edge is reached from elsewhere, as far as the box can know.
fn base(config: &Config) -> String {
    let port = config.listen.port();
    let scheme = if config.tls.mode == Mode::Off { "http" } else { "https" };
    if config.listen.ip().is_unspecified() {
        return format!("{scheme}://{}:{port}", gethostname::gethostname().to_string_lossy());
    }
    format!("{scheme}://{}", config.listen)
}
