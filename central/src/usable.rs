//! Whether a configuration can be used, as far as it alone decides: nothing is asked of a server, and nothing is changed.
//! `run` begins with it, `check-config` is it, and a reload goes by it, so none takes what another refuses.

use std::net::SocketAddr;

use common::config::ConfigError;
use common::durable;
use common::tls::Mode;
use common::tls::authority::{Authority, check_names};

use crate::config::{Config, Tls};
use crate::enrolment;
use crate::store::Db;
use crate::stream::Stream;

const PLAIN: &str = "central speaks plain HTTP beyond this host: let a proxy before it end TLS, or set [tls] mode";

/// What can be made of a configuration without any server.
pub struct Usable {
    pub listen: SocketAddr,
    pub db: Db,
    pub stream: Stream,
}

impl Usable {
    /// # Errors
    /// The key that cannot be used, and why.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let listen = config.listen.parse::<SocketAddr>();
        let listen = listen.map_err(|error| ConfigError::of("listen", error.to_string()))?;
        let db = Db::open(&config.database)?;
        let stream = Stream::open(&config.redis, &config.stream)?;
        certificates(config)?;
        Ok(Self { listen, db, stream })
    }

    /// What can be used, and is hardly meant.
    pub fn warnings(&self, config: &Config) -> Vec<&'static str> {
        let plain = config.tls.mode == Mode::Off && !self.listen.ip().is_loopback();
        plain.then_some(PLAIN).into_iter().collect()
    }
}

/// All that TLS is made of. An authority that is not there yet is made by the first central that runs.
fn certificates(config: &Config) -> Result<(), ConfigError> {
    let tls = &config.tls;
    if tls.mode == Mode::Off {
        return Ok(());
    }
    let dir = tls.ca_dir()?;
    if Authority::open(&dir).map_err(|error| error.about("tls.ca_dir"))?.is_none() {
        let unfit = |error| ConfigError::of("tls.ca_dir", format!("this user cannot make an authority there: {error}"));
        durable::writable(&dir).map_err(unfit)?;
    }
    match tls.files() {
        Some(files) => files.check().map_err(|error| {
            let key = key(tls, error.path());
            error.about(key)
        }),
        None => check_names(&enrolment::names(config)).map_err(|error| error.about("tls.names")),
    }
}

/// Which of the files it is.
fn key(tls: &Tls, path: Option<&str>) -> &'static str {
    match path {
        Some(path) if path == tls.key => "tls.key",
        Some(path) if path == tls.authority => "tls.authority",
        _ => "tls.certificate",
    }
}
