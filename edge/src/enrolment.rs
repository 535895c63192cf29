//! Who this box is for headquarters, once it has joined: its ids, its key, its certificate, and whom to believe, all in one file
//! of the data directory, so that they are always of one piece.
//!
//! | file | what |
//! |---|---|
//! | `identity.json` | the identity in use |
//! | `identity.next.json` | the next one, until a request has proved that central takes it |
//! | `identity.joining.json` | the key of an enrolment that has not been answered yet |
//!
//! All are for the service alone (0600): who has the key is the edge.

pub mod join;
pub mod keeper;

use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use common::cli::exit::Exit;
use common::config::ConfigError;
use common::durable;
use common::ids::{EdgeId, WarehouseId};
use common::join::Admission;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::Config;

const IDENTITY: &str = "identity.json";
const NEXT: &str = "identity.next.json";
const JOINING: &str = "identity.joining.json";

/// An identity. See the module.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
    /// Central's, as the box reached it when it joined.
    pub url: String,
    /// PEM, all of them.
    pub certificate: String,
    pub key: String,
    pub authorities: Vec<String>,
    /// Whether central's certificate may be of an authority that this box's system knows.
    pub public_authorities: bool,
    pub not_after: DateTime<Utc>,
    pub renew_at: DateTime<Utc>,
}

/// Shows no key.
impl std::fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolled")
            .field("edge_id", &self.edge_id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Enrolled {
    fn new(admission: Admission, url: &str, key: String) -> Self {
        Self {
            edge_id: admission.edge_id,
            warehouse_id: admission.warehouse_id,
            url: url.to_owned(),
            certificate: admission.certificate,
            key,
            authorities: admission.authorities,
            public_authorities: admission.public_authorities,
            not_after: admission.not_after,
            renew_at: admission.renew_at,
        }
    }

    /// The identity in use, `None` for a box that has not joined.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn load(dir: &Path) -> anyhow::Result<Option<Self>> {
        load(&dir.join(IDENTITY))
    }

    /// One that is still to be tried.
    fn load_next(dir: &Path) -> anyhow::Result<Option<Self>> {
        load(&dir.join(NEXT))
    }

    fn store_next(&self, dir: &Path) -> anyhow::Result<()> {
        store(&dir.join(NEXT), self)
    }

    /// Puts it into use.
    fn store(&self, dir: &Path) -> anyhow::Result<()> {
        store(&dir.join(IDENTITY), self)
    }
}

fn load<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("read {}", path.display()))?,
    };
    let fix =
        "move it aside and enrol the box again with a new token of `smartpick-central sites token SITE --edge EDGE`";
    serde_json::from_slice(&text).with_context(|| format!("read {}; it is damaged: {fix}", path.display())).map(Some)
}

fn store(path: &Path, what: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(what).context("write an identity")?;
    durable::write(path, &text, 0o600).with_context(|| Exit::CantCreate.because(format!("write {}", path.display())))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    durable::remove(path).with_context(|| format!("remove {}", path.display()))
}

/// Completes the configuration with the identity.
///
/// # Errors
/// If they do not agree, or the configuration alone names a central and not who we are.
pub fn take_on(config: &mut Config, enrolled: Option<&Enrolled>) -> Result<(), ConfigError> {
    if let Some(enrolled) = enrolled {
        agree("edge_id", config.edge_id, enrolled.edge_id)?;
        agree("warehouse_id", config.warehouse_id, enrolled.warehouse_id)?;
        config.edge_id = Some(enrolled.edge_id);
        config.warehouse_id = Some(enrolled.warehouse_id);
        // A central that has moved.
        config.central.url.get_or_insert_with(|| enrolled.url.clone());
        if config.central.url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
            return Err(ConfigError::new(
                "central.url: this box comes in by a certificate, so it must begin with https://; or leave it out",
            ));
        }
        return Ok(());
    }
    config.check_central()
}

fn agree<T: PartialEq + std::fmt::Display>(key: &str, configured: Option<T>, enrolled: T) -> Result<(), ConfigError> {
    match configured {
        Some(configured) if configured != enrolled => Err(ConfigError::new(format!(
            "{key} is {configured}, but this box joined headquarters as {enrolled}; leave {key} out of the configuration, or \
             enrol the box as that one: `smartpick-central sites token SITE --edge EDGE`"
        ))),
        _ => Ok(()),
    }
}

/// The configuration as the running edge has it, as far as whoever asks may read the identity.
///
/// # Errors
/// If they do not agree.
pub fn in_force(config: &Config) -> Result<Config, ConfigError> {
    let mut config = config.clone();
    if let Ok(Some(enrolled)) = config.data_dir().map(|dir| Enrolled::load(&dir).ok().flatten()) {
        take_on(&mut config, Some(&enrolled))?;
    }
    Ok(config)
}
