//! `smartpick-edge enroll`: the box joins headquarters.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;

use anyhow::Context as _;
use clap::Args;
use common::cli::exit::Exit;
use common::clock;
use common::join::{BadToken, JoinToken};

use super::ConfigArgs;
use super::running::data_dir;
use crate::config::Config;
use crate::enrolment::join;

#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// As `smartpick-central sites add` or `sites token` printed it.
    token: String,
    /// How this box reaches central, if not as the token says.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Give a box that has joined already another identity.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Does it, and returns what to say.
pub async fn run(args: &EnrollArgs, config: &Config) -> anyhow::Result<String> {
    let token: JoinToken = args.token.parse().map_err(|error: BadToken| Exit::Usage.because(error.to_string()))?;
    let dir = data_dir(config)?;
    // As `run` does it, so that a box can join first.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(|| Exit::CantCreate.because(format!("make the data directory {}", dir.display())))?;
    fs::read_dir(&dir)
        .with_context(|| format!("use the data directory {}; it may be the service's, so try sudo", dir.display()))?;
    let joined = join::join(&dir, config, &token, args.url.as_deref(), args.replace).await?;
    let join::Joined { enrolled, before } = joined;
    let again = before.as_ref().is_some_and(|before| before.edge_id == enrolled.edge_id);
    let mut out = String::new();
    writeln!(out, "edge         {}", enrolled.edge_id)?;
    writeln!(out, "site         {}", enrolled.warehouse_id)?;
    writeln!(out, "central      {}", enrolled.url)?;
    writeln!(out, "certificate  until {}, renewed by itself", join::until(&enrolled, clock::now()))?;
    if let Some(before) = before.as_ref().filter(|before| before.edge_id != enrolled.edge_id) {
        writeln!(
            out,
            "It was edge {} before. What it still holds is sent as the new one's, so the ledger goes on calling it missing at the \
             old one. Headquarters waits for that one until it is told not to: smartpick-central edges revoke {}",
            before.edge_id, before.edge_id
        )?;
    }
    if before.is_none() {
        writeln!(
            out,
            "Cameras of this site say \"warehouse_id\": \"{}\". What they sent of another one before, and waits here, becomes dead \
             letters at headquarters; once the edge has started again it refuses such events.",
            enrolled.warehouse_id
        )?;
    }
    if config.central.token.is_some() {
        writeln!(out, "Leave central.token out of the configuration, it has no effect any more.")?;
    }
    if again {
        writeln!(out, "A running edge takes it up by itself.")?;
    } else {
        writeln!(out, "A running edge takes it up when it starts again: sudo systemctl restart smartpick-edge")?;
    }
    Ok(out)
}
