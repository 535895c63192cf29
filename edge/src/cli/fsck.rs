//! `smartpick-edge fsck`: examines the files of an edge that does not run, and mends them. Nothing damaged is deleted. What
//! cannot be mended is counted: as missing in headquarters' ledger, because its seqs were given out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use common::cli::exit::Exit;
use common::clock;

use super::ConfigArgs;
use super::running::data_dir_there;
use crate::access::store::{self as access, Store};
use crate::buffer::fsck::{DirLock, Examined, examine, mend, take_over};
use crate::config::Config;
use crate::owner::give_to_the_owner;
use crate::sqlite;

/// Files that hold nothing that is nowhere else, or nothing that is needed: the edge begins them anew.
const BEGUN_ANEW: [(&str, &str); 2] =
    [("archive", "what headquarters has confirmed"), ("history", "alerts, what was said of them, and shifts' figures")];

#[derive(Debug, Args)]
pub struct FsckArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Mend what is damaged: move it aside, and take over what is whole.
    #[arg(long)]
    repair: bool,
    /// Take over what is whole in a file that was moved aside earlier.
    #[arg(long, value_name = "FILE", conflicts_with = "repair")]
    from: Option<PathBuf>,
}

/// What to say, and whether all is well now.
pub struct Said {
    pub text: String,
    pub well: bool,
}

pub fn run(config: &Config, args: &FsckArgs) -> anyhow::Result<Said> {
    let (dir, now) = (data_dir_there(config)?, clock::now());
    let lock = || {
        DirLock::take(&dir).map_err(|error| match Exit::of(&error) {
            Exit::TempFail => error.context("stop the edge first: `systemctl stop smartpick-edge`"),
            _ => error,
        })
    };
    let mut said = Said { text: String::new(), well: true };
    match &args.from {
        Some(from) => {
            let salvaged = take_over(&dir, from, lock()?, now)?;
            if salvaged.records == 0 && salvaged.damaged == 0 && salvaged.stopped.is_none() {
                bail!("there is nothing of a spill in {}; nothing was taken over", from.display());
            }
            writeln!(said.text, "spill    {} records were taken over from {}", salvaged.records, from.display())?;
            if let Some(why) = salvaged.stopped {
                said.well = false;
                writeln!(said.text, "         there may be more: {why}")?;
            }
        }
        None => {
            let held = lock()?;
            let examined = examine(&dir, &held);
            spill(&dir, args.repair, held, examined, now, &mut said)?;
            let _held = lock()?;
            others(&dir, args.repair, now, &mut said)?;
        }
    }
    // Root may have made files for the service, if only an empty log by looking.
    for entry in std::fs::read_dir(&dir)?.flatten() {
        give_to_the_owner(&dir, &entry.path()).with_context(|| format!("give away {}", entry.path().display()))?;
    }
    if !said.well && !args.repair && args.from.is_none() {
        writeln!(
            said.text,
            "\n`smartpick-edge fsck --repair` moves what is damaged aside and takes over what is whole."
        )?;
    }
    Ok(said)
}

fn spill(
    dir: &Path,
    repair: bool,
    lock: DirLock,
    examined: Examined,
    now: DateTime<Utc>,
    said: &mut Said,
) -> anyhow::Result<()> {
    let Examined { faults, records, damaged } = examined;
    if faults.is_empty() {
        writeln!(said.text, "spill    whole, {records} records wait for headquarters")?;
        if damaged > 0 {
            writeln!(
                said.text,
                "         {damaged} more have a wrong checksum; the edge puts them to its dead letters"
            )?;
        }
        return Ok(());
    }
    writeln!(said.text, "spill    damaged; {records} whole records can be read in order")?;
    for fault in &faults {
        writeln!(said.text, "         - {fault}")?;
    }
    if !repair {
        said.well = false;
        return Ok(());
    }
    let (aside, salvaged) = mend(dir, lock, now)?;
    writeln!(
        said.text,
        "         moved to {}\n         {} records were taken over, {} were found damaged; what is missing is in \
         headquarters' ledger",
        aside.display(),
        salvaged.records,
        salvaged.damaged
    )?;
    if let Some(why) = salvaged.stopped {
        said.well = false;
        writeln!(
            said.text,
            "         there may be more: {why}; make room, then `smartpick-edge fsck --from {}`",
            aside.display()
        )?;
    }
    Ok(())
}

fn others(dir: &Path, repair: bool, now: DateTime<Utc>, said: &mut Said) -> anyhow::Result<()> {
    for (name, what) in BEGUN_ANEW {
        if !is_damaged(dir, name, said)? {
            continue;
        }
        if repair {
            let aside = sqlite::move_aside(dir, name, now)?;
            writeln!(said.text, "         moved to {}; the edge begins it anew ({what})", aside.display())?;
        } else {
            said.well = false;
        }
    }
    if is_damaged(dir, access::NAME, said)? {
        if repair {
            let (aside, rows, faults) = Store::repair(dir, now)?;
            writeln!(
                said.text,
                "         moved to {}; {rows} rows of accounts, tokens and the audit were taken over",
                aside.display()
            )?;
            for fault in faults {
                writeln!(said.text, "         - not all of {fault}; see `smartpick-edge users list`, `cameras list`")?;
            }
        } else {
            said.well = false;
        }
    }
    Ok(())
}

fn is_damaged(dir: &Path, name: &str, said: &mut Said) -> anyhow::Result<bool> {
    let path = dir.join(format!("{name}.db"));
    if !path.exists() {
        writeln!(said.text, "{name:<9}none")?;
        return Ok(false);
    }
    let faults = match sqlite::faults(&path) {
        Ok(faults) => faults,
        Err(error) if sqlite::is_damage(&error) => vec![error.to_string()],
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    writeln!(said.text, "{name:<9}{}", if faults.is_empty() { "whole" } else { "damaged" })?;
    for fault in &faults {
        writeln!(said.text, "         - {fault}")?;
    }
    Ok(!faults.is_empty())
}
