//! What `users`, `kiosk` and `cameras` have in common: whose file it is that they change, and who changes it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use common::cli::exit::Exit;

use super::running::data_dir;
use crate::access::store::{By, Store, StoreError};
use crate::config::Config;

/// An opened `access.db`.
pub struct Accounts {
    pub store: Store,
    dir: PathBuf,
    who: String,
    pub now: DateTime<Utc>,
}

impl Accounts {
    /// Opens the file of the edge that this configuration is for, running or not.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let dir = data_dir(config)?;
        // As `run` does it, so that accounts can be made first.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .and_then(|()| fs::metadata(dir.join(".")))
            .with_context(|| {
                format!("use the data directory {}; it may be the service's, so try sudo", dir.display())
            })?;
        let store = Store::open(&dir).with_context(|| {
            format!("open the accounts in {}; they may be the service's, so try sudo", dir.display())
        })?;
        Ok(Self { store, dir, who: common::cli::who(), now: common::clock::now() })
    }

    /// The file, and who changes it.
    pub fn change(&mut self) -> (&mut Store, By<'_>) {
        (&mut self.store, By { who: &self.who, now: self.now })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// What the store does not do, as a command ends with it.
pub fn refused(error: StoreError) -> anyhow::Error {
    let exit = match error {
        StoreError::Unknown(..) => Exit::NoInput,
        StoreError::Taken(..) => Exit::CantCreate,
        _ => return error.into(),
    };
    exit.because(error.to_string()).into()
}
