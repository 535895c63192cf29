//! Whether a configuration can be used, as far as it and what is on this box decide: nobody is asked, and nothing is changed.
//! `run` begins with it, `check-config` is it, and a reload goes by it, so none takes what another refuses.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use common::cli::exit::Exit;
use common::config::ConfigError;
use common::durable;
use common::tls::authority::{Authority, check_names};
use common::tls::server::Files;
use common::tls::{Mode, TlsError};

use crate::access::store;
use crate::config::{Config, TlsConfig};
use crate::enrolment::{Enrolled, take_on};
use crate::tls;

/// What can be made of a configuration before anything runs.
pub struct Usable {
    pub dir: PathBuf,
    /// With what joining has added.
    pub config: Config,
    /// Others than the service may not read it.
    pub enrolled: anyhow::Result<Option<Enrolled>>,
}

impl Usable {
    /// # Errors
    /// The key that cannot be used, and why.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let (dir, mut config) = (config.data_dir()?, config.clone());
        match durable::writable(&dir) {
            // Others than the service may not write there.
            Err(error) if error.kind() != ErrorKind::PermissionDenied => {
                return Err(ConfigError::of("data_dir", error.to_string()));
            }
            _ => {}
        }
        room(&config, &dir)?;
        let enrolled = Enrolled::load(&dir);
        match &enrolled {
            Ok(enrolled) => take_on(&mut config, enrolled.as_ref())?,
            Err(error) if Exit::of(error) == Exit::NoPermission => {}
            // It would not heal by being tried again.
            Err(error) => return Err(ConfigError::new(format!("{error:#}"))),
        }
        if let Some(cameras) = store::cameras_there(&dir) {
            beyond_loopback(&config, cameras || config.camera_token.is_some())?;
        }
        certificates(&config.tls, &tls::names(&config), &dir.join(tls::DIR))?;
        Ok(Self { dir, config, enrolled })
    }
}

/// A disk that is too small for what has to stay free takes nothing, however empty it is.
fn room(config: &Config, dir: &Path) -> Result<(), ConfigError> {
    let there = durable::nearest(dir);
    let Ok(whole) = fs4::total_space(there) else { return Ok(()) };
    for (key, bytes) in
        [("spill.disk_free_min", config.spill.disk_free_min), ("spill.ballast_bytes", config.spill.ballast_bytes)]
    {
        if bytes >= whole {
            let words = format!("is {bytes}, and the whole disk of {} has {whole} bytes", there.display());
            return Err(ConfigError::of(key, words));
        }
    }
    Ok(())
}

/// Beyond this box only cameras that show a token are let in.
///
/// # Errors
/// If none has one.
pub fn beyond_loopback(config: &Config, has_cameras: bool) -> Result<(), ConfigError> {
    if has_cameras || config.listen.ip().is_loopback() {
        return Ok(());
    }
    let words = format!(
        "is {}, beyond loopback, and no camera has a token, so anybody on the network could send events; run \
         `smartpick-edge cameras add NAME`, or listen on 127.0.0.1",
        config.listen
    );
    Err(ConfigError::of("listen", words))
}

/// All that TLS is made of. An authority that is not there yet is made by the first edge that runs.
fn certificates(tls: &TlsConfig, names: &[String], dir: &Path) -> Result<(), ConfigError> {
    match tls.mode {
        Mode::Off => Ok(()),
        Mode::Own => {
            check_names(names).map_err(|error| error.about("tls.names"))?;
            match Authority::open(dir) {
                // Others than the service may not read it.
                Err(TlsError::File { source, .. }) if source.kind() == ErrorKind::PermissionDenied => Ok(()),
                opened => opened.map(drop).map_err(|error| error.about("tls.mode")),
            }
        }
        Mode::Files => {
            let files = Files { certificate: (&tls.certificate).into(), key: (&tls.key).into(), authority: None };
            files.check().map_err(|error| {
                let key = key(tls, error.path());
                error.about(key)
            })
        }
    }
}

/// Which of the files it is.
fn key(tls: &TlsConfig, path: Option<&str>) -> &'static str {
    if path == Some(&*tls.key) { "tls.key" } else { "tls.certificate" }
}
