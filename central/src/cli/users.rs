//! `smartpick-central users`: the accounts of people. Every running central follows within a few seconds.

use std::io::Write;

use anyhow::bail;
use clap::Subcommand;
use common::cli::exit::Exit;
use common::cli::{password, table, time};
use common::credentials::check_name;

use super::actor;
use crate::access::Role;
use crate::config::Config;
use crate::store::Db;
use crate::store::users::{self, Change, Changed};

#[derive(Subcommand)]
pub enum Users {
    /// Make an account; the password is asked for
    Add {
        /// 1 to 64 lower-case Latin letters, digits, and . _ - @
        name: String,
        /// viewer looks; safety-manager acts on alerts, sets rules and may see who it was; administrator acts, and manages
        /// users and tokens
        #[arg(long, value_enum, default_value = "viewer")]
        role: Role,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List accounts
    List {
        #[arg(long)]
        json: bool,
    },
    /// Change a role
    Role {
        name: String,
        #[arg(value_enum)]
        role: Role,
    },
    /// Change a password; whoever is signed in with the account is signed out
    Password {
        name: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove an account; whoever is signed in with it is signed out
    Remove { name: String },
}

pub async fn run(config: &Config, command: Users, out: &mut impl Write) -> anyhow::Result<()> {
    let db = Db::open(&config.database)?;
    match command {
        Users::Add { name, role, password_stdin } => {
            check_name(&name)?;
            // Said at once, not after the password.
            if users::find(&db, &name).await?.is_some() {
                let words =
                    format!("there is an account called {name} already; `users password {name}` changes its password");
                bail!(Exit::CantCreate.because(words));
            }
            let hash = password::hashed(&name, password_stdin)?;
            if !users::add(&db, &actor(), &name, role, &hash).await? {
                let words = format!("there is an account or a token called {name} already; choose another name");
                bail!(Exit::CantCreate.because(words));
            }
            writeln!(out, "Added {name} as {role}.")?;
        }
        Users::List { json } => {
            let users = users::list(&db).await?;
            if json {
                writeln!(out, "{}", serde_json::to_string(&users)?)?;
            } else if users.is_empty() {
                writeln!(out, "No accounts. `smartpick-central users add NAME --role administrator` makes the first.")?;
            } else {
                let rows = users.into_iter().map(|user| {
                    let used = user.last_used_at.map_or_else(|| "never".to_owned(), time);
                    [user.name, user.role.to_string(), time(user.created_at), used]
                });
                write!(out, "{}", table(["NAME", "ROLE", "MADE", "LAST USED"], rows))?;
            }
        }
        Users::Role { name, role } => {
            let change = Change { role: Some(role), password: None };
            done(&db, &name, users::change(&db, &actor(), &name, &change).await?).await?;
            writeln!(out, "{name} is {role} now.")?;
        }
        Users::Password { name, password_stdin } => {
            if users::find(&db, &name).await?.is_none() {
                done(&db, &name, Changed::Unknown).await?;
            }
            let change = Change { role: None, password: Some(password::hashed(&name, password_stdin)?) };
            done(&db, &name, users::change(&db, &actor(), &name, &change).await?).await?;
            writeln!(out, "Changed; whoever is signed in as {name} is signed out within a few seconds.")?;
        }
        Users::Remove { name } => {
            done(&db, &name, users::remove(&db, &actor(), &name).await?).await?;
            writeln!(out, "Removed {name}; whoever is signed in with it is signed out within a few seconds.")?;
        }
    }
    Ok(())
}

async fn done(db: &Db, name: &str, changed: Changed) -> anyhow::Result<()> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Unknown => {
            let names: Vec<String> = users::list(db).await?.into_iter().map(|user| user.name).collect();
            let words = format!("there is no account called {name}; there are: {}", super::listed(&names));
            bail!(Exit::NoInput.because(words));
        }
        Changed::LastAdministrator => bail!(
            "{name} is the last administrator, and nobody could manage accounts any more; make another one first: \
             `smartpick-central users add NAME --role administrator`"
        ),
    }
}
