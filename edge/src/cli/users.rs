//! `smartpick-edge users`: the accounts of people. The running edge follows within two seconds.

use std::fmt::Write as _;

use anyhow::bail;
use clap::Subcommand;
use common::cli::exit::Exit;
use common::cli::{password, table, time};
use common::credentials::check_name;
use serde_json::json;

use super::ConfigArgs;
use super::accounts::{Accounts, refused};
use crate::access::{OPEN_NAME, Role};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Users {
    /// Make an account. The password is asked for.
    Add {
        /// 1 to 64 lower-case Latin letters, digits, and . _ - @
        name: String,
        /// viewer looks, supervisor acknowledges and silences, admin sees everything.
        #[arg(long, value_enum, default_value = "viewer")]
        role: Role,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Show the accounts.
    List {
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Remove an account; whoever is signed in with it is signed out.
    Remove {
        name: String,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Change a password; whoever is signed in with the account is signed out.
    Password {
        name: String,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Change a role.
    Role {
        name: String,
        #[arg(value_enum)]
        role: Role,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Show who changed accounts and tokens, and when; oldest first.
    Audit {
        /// How many lines, from the latest backwards.
        #[arg(long, default_value_t = 100)]
        lines: u32,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

impl Users {
    pub const fn config(&self) -> &ConfigArgs {
        match self {
            Self::Add { config, .. }
            | Self::List { config, .. }
            | Self::Remove { config, .. }
            | Self::Password { config, .. }
            | Self::Role { config, .. }
            | Self::Audit { config, .. } => config,
        }
    }
}

/// Does it, and returns what to say.
pub fn run(command: &Users, config: &Config) -> anyhow::Result<String> {
    let mut accounts = Accounts::open(config)?;
    let mut out = String::new();
    match command {
        Users::Add { name, role, password_stdin, .. } => {
            check_name(name)?;
            if name.eq_ignore_ascii_case(OPEN_NAME) {
                let words = format!("{OPEN_NAME} is whoever works on a box without accounts; choose another name");
                bail!(Exit::Usage.because(words));
            }
            if accounts.store.users()?.iter().any(|user| user.name.to_lowercase() == name.to_lowercase()) {
                let words =
                    format!("there is an account called {name} already; `users password {name}` changes its password");
                bail!(Exit::CantCreate.because(words));
            }
            let hash = password::hashed(name, *password_stdin)?;
            let (store, by) = accounts.change();
            store.add_user(name, *role, &hash, by).map_err(refused)?;
            writeln!(out, "Added {name} as {}, in {}.", role.as_str(), accounts.dir().display())?;
            if accounts.store.users()?.len() == 1 {
                writeln!(out, "This is the first account: from now on everybody signs in, on this box too.")?;
            }
        }
        Users::List { json, .. } => {
            let users = accounts.store.users()?;
            if *json {
                writeln!(out, "{}", serde_json::to_string(&users)?)?;
            } else if users.is_empty() {
                writeln!(out, "No accounts: only who works on this box itself is let in.")?;
                writeln!(out, "smartpick-edge users add NAME --role admin")?;
            } else {
                let rows = users.iter().map(|user| {
                    let role = user.role.as_str().to_owned();
                    [user.name.clone(), role, time(user.created_at), user.sessions.to_string()]
                });
                out += &table(["NAME", "ROLE", "MADE", "SESSIONS"], rows);
            }
        }
        Users::Remove { name, .. } => {
            let (store, by) = accounts.change();
            let left = store.remove_user(name, by).map_err(refused)?;
            writeln!(out, "Removed {name}; whoever is signed in with it is signed out within two seconds.")?;
            if !left {
                writeln!(
                    out,
                    "That was the last account: whoever works on this box itself is let in without one now."
                )?;
            }
        }
        Users::Password { name, password_stdin, .. } => {
            if !accounts.store.users()?.iter().any(|user| user.name.to_lowercase() == name.to_lowercase()) {
                let words = format!("there is no account called {name}; `users list` shows those there are");
                bail!(Exit::NoInput.because(words));
            }
            let hash = password::hashed(name, *password_stdin)?;
            let (store, by) = accounts.change();
            store.set_password(name, &hash, by).map_err(refused)?;
            writeln!(out, "Changed; whoever is signed in as {name} is signed out within two seconds.")?;
        }
        Users::Role { name, role, .. } => {
            let (store, by) = accounts.change();
            store.set_role(name, *role, by).map_err(refused)?;
            writeln!(out, "{name} is {} now.", role.as_str())?;
        }
        Users::Audit { lines, json, .. } => {
            for line in accounts.store.audit(*lines)? {
                if *json {
                    writeln!(out, "{}", json!({ "at": line.at, "who": line.who, "what": line.what }))?;
                } else {
                    writeln!(out, "{}  {}  {}", time(line.at), line.who, line.what)?;
                }
            }
        }
    }
    Ok(out)
}
