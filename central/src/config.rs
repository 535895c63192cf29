//! What central can be told, with its defaults. `packaging/central.toml` shows the same with explanations.

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::config::{ConfigError, Loaded, Named, Schema, Sources, within};
use common::join::check_address;
use common::protocol::FRAME_BYTES_MAX;
use common::telemetry;
use common::tls::Mode;
use serde::{Deserialize, Serialize};

pub const FILE: &str = "/etc/smartpick/central.toml";

/// Events come as late as the edges' `event_age_max`, 35 days, and a second that its minute has forgotten would count twice.
const MINUTES_DAYS_MIN: u64 = 40;

/// The original system's variables keep their meaning; ours start with SMARTPICK_.
const ENV: &[Named] = &[
    ("SMARTPICK_LISTEN", "listen"),
    ("SMARTPICK_LOG", "log"),
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "redis.url"),
    ("STREAM_CONSUMER_GROUP", "stream.consumer_group"),
    ("STREAM_BLOCK_MS", "stream.block_ms"),
    ("STREAM_BATCH_SIZE", "stream.batch_size"),
    ("WORKER_CONCURRENCY", "workers.concurrency"),
    ("WORKER_RETRY_DELAY_MS", "workers.retry_delay_ms"),
];

/// What the configuration can be set by, and what of it is never shown: passwords, which are in its URLs.
pub static SCHEMA: Schema = Schema {
    env: ENV,
    secrets: &[],
    urls: &["database.url", "redis.url"],
    reference: include_str!("../../packaging/central.toml"),
};

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    /// A `tracing` filter.
    pub log: String,
    pub tls: Tls,
    pub database: Database,
    pub redis: Redis,
    pub stream: Stream,
    pub workers: Workers,
    pub receive: Receive,
    pub retention: Retention,
    pub live: Live,
    pub metrics: Metrics,
}

/// How the port speaks TLS, and edges' certificates.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    pub mode: Mode,
    /// Names and addresses under which clients reach us; empty: the host's name.
    pub names: Vec<String>,
    /// How edges reach us, for join tokens; empty: by the first name, on the port of `listen`.
    pub url: String,
    /// For `files`: PEM files of the certificate with its chain, its key, and its authority if that is none that every
    /// browser knows.
    pub certificate: String,
    pub key: String,
    pub authority: String,
    /// Where our own authority is kept; empty: below systemd's state directory, else below the user's home.
    pub ca_dir: String,
    /// How long an edge's certificate holds.
    pub edge_certificate_seconds: u64,
    /// For how long after its certificate expired an edge may come back with it.
    pub return_within_days: u32,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            names: Vec::new(),
            url: String::new(),
            certificate: String::new(),
            key: String::new(),
            authority: String::new(),
            ca_dir: String::new(),
            // Renewed after 60; a month is left to notice that it does not work.
            edge_certificate_seconds: 90 * 86_400,
            return_within_days: 365,
        }
    }
}

/// No `Debug`: the URL may hold a password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    pub url: String,
    /// For requests; each persist worker has one more of its own.
    pub connections_max: u32,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    pub url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    pub partitions: u16,
    pub consumer_group: String,
    pub block_ms: u64,
    /// Frames per partition and read.
    pub batch_size: usize,
    /// How long acknowledged frames stay for other consumer groups.
    pub retain_seconds: u64,
    /// And how many bytes of them, over all partitions.
    pub retain_bytes_max: u64,
    /// A frame that its worker has held for this long is taken over by another.
    pub claim_idle_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workers {
    pub min: usize,
    /// The most.
    pub concurrency: usize,
    pub retry_delay_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Receive {
    /// How long an edge waits for its receipt before it is told to try again.
    pub timeout_seconds: u64,
    /// Bytes of frames waiting for their receipts in this instance; above it edges are told to try again.
    pub in_flight_bytes_max: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    pub snapshots_days: u32,
    /// Minutes: what the last hours are read from, and what makes late events exact.
    pub zone_minutes_days: u32,
    /// Quarters of an hour and days, and with them whatever dashboards show of the past.
    pub zone_quarters_days: u32,
    /// Epochs of the ledger that are over, with all their hours.
    pub ledger_days: u32,
    /// Dead letters that were replayed or discarded; open ones stay.
    pub dead_letters_days: u32,
    /// Alerts that are over, and what was said of them.
    pub alerts_days: u32,
    /// Lines of the audit.
    pub audit_days: u32,
    /// How sites and edges were.
    pub site_states_days: u32,
    /// What edges said of themselves, one in five minutes.
    pub heartbeats_days: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Live {
    /// Screens and other clients of `/ws/fleet` at a time, per instance.
    pub clients_max: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// With more sites than this only totals are scraped.
    pub site_labels_max: usize,
}

impl Default for Live {
    fn default() -> Self {
        Self { clients_max: 1_000 }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { site_labels_max: 1_000 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8090".to_owned(),
            log: "info".to_owned(),
            tls: Tls::default(),
            database: Database::default(),
            redis: Redis::default(),
            stream: Stream::default(),
            workers: Workers::default(),
            receive: Receive::default(),
            retention: Retention::default(),
            live: Live::default(),
            metrics: Metrics::default(),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "postgres:///smartpick?host=/run/postgresql&user=smartpick-central".to_owned(),
            connections_max: 10,
        }
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self { url: "redis://127.0.0.1:6379/0".to_owned() }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            partitions: 8,
            consumer_group: "ergonomics-processor".to_owned(),
            block_ms: 1_000,
            batch_size: 8,
            retain_seconds: 60,
            retain_bytes_max: 64 * 1024 * 1024,
            claim_idle_ms: 15_000,
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self { min: 1, concurrency: 4, retry_delay_ms: 100 }
    }
}

impl Default for Receive {
    fn default() -> Self {
        Self { timeout_seconds: 10, in_flight_bytes_max: 256 * 1024 * 1024 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            snapshots_days: 400,
            zone_minutes_days: 100,
            zone_quarters_days: 1_100,
            ledger_days: 1_100,
            dead_letters_days: 90,
            alerts_days: 400,
            audit_days: 1_100,
            site_states_days: 400,
            heartbeats_days: 30,
        }
    }
}

impl Config {
    /// Loads from all places, reading the environment with `env`.
    ///
    /// # Errors
    /// What is wrong, where, and how to mend it.
    pub fn load(
        file: Option<&Path>,
        overrides: &[(String, String)],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded<Self>, ConfigError> {
        let file_required = file.is_some();
        let file = file.unwrap_or(Path::new(FILE));
        // `central.toml` has its drop-ins in `central.d`.
        let dir: PathBuf = file.with_extension("d");
        let service_credentials = Path::new("/run/credentials/smartpick-central.service");
        let sources = Sources { schema: &SCHEMA, file, file_required, dir: &dir, env, service_credentials, overrides };
        common::config::load(&sources, Self::check)
    }

    fn check(&self) -> Result<(), ConfigError> {
        within("stream.partitions", u64::from(self.stream.partitions), 1..=1_024)?;
        within("stream.block_ms", self.stream.block_ms, 1..=2_000)?;
        within("stream.batch_size", self.stream.batch_size as u64, 1..=1_000)?;
        within("stream.claim_idle_ms", self.stream.claim_idle_ms, 1_000..=3_600_000)?;
        within("workers.min", self.workers.min as u64, 1..=256)?;
        within("workers.concurrency", self.workers.concurrency as u64, self.workers.min as u64..=256)?;
        within("workers.retry_delay_ms", self.workers.retry_delay_ms, 1..=10_000)?;
        within("receive.in_flight_bytes_max", self.receive.in_flight_bytes_max, FRAME_BYTES_MAX as u64..=u64::MAX)?;
        within("receive.timeout_seconds", self.receive.timeout_seconds, 1..=300)?;
        within("database.connections_max", u64::from(self.database.connections_max), 2..=1_000)?;
        within("retention.snapshots_days", u64::from(self.retention.snapshots_days), 1..=36_500)?;
        within("retention.zone_minutes_days", u64::from(self.retention.zone_minutes_days), MINUTES_DAYS_MIN..=36_500)?;
        within(
            "retention.zone_quarters_days",
            u64::from(self.retention.zone_quarters_days),
            MINUTES_DAYS_MIN..=36_500,
        )?;
        within("retention.ledger_days", u64::from(self.retention.ledger_days), 1..=36_500)?;
        within("retention.dead_letters_days", u64::from(self.retention.dead_letters_days), 1..=36_500)?;
        within("retention.alerts_days", u64::from(self.retention.alerts_days), 1..=36_500)?;
        within("retention.audit_days", u64::from(self.retention.audit_days), 1..=36_500)?;
        within("retention.site_states_days", u64::from(self.retention.site_states_days), 1..=36_500)?;
        within("retention.heartbeats_days", u64::from(self.retention.heartbeats_days), 1..=36_500)?;
        within("live.clients_max", self.live.clients_max as u64, 1..=50_000)?;
        within("metrics.site_labels_max", self.metrics.site_labels_max as u64, 0..=100_000)?;
        self.tls.check()?;
        if self.stream.consumer_group.is_empty() {
            return Err(ConfigError::of("stream.consumer_group", "is empty; give the group a name"));
        }
        if let Err(error) = self.listen.parse::<std::net::SocketAddr>() {
            return Err(ConfigError::of("listen", error.to_string()));
        }
        telemetry::check(&self.log).map_err(|error| ConfigError::of("log", error))
    }
}

impl Tls {
    fn check(&self) -> Result<(), ConfigError> {
        let fail = |text: &str| Err(ConfigError::new(text));
        if self.mode == Mode::Files && (self.certificate.is_empty() || self.key.is_empty()) {
            return fail("tls.mode is \"files\", so tls.certificate and tls.key are needed: PEM files");
        }
        if !self.url.is_empty() && !self.url.starts_with("https://") {
            return fail("tls.url: must begin with https://, for example https://smartpick.example.com:8090");
        }
        if !self.url.is_empty() {
            check_address(&self.url).map_err(|problem| ConfigError::of("tls.url", problem))?;
        }
        within("tls.edge_certificate_seconds", self.edge_certificate_seconds, 1..=10 * 366 * 86_400)?;
        within("tls.return_within_days", u64::from(self.return_within_days), 0..=36_500)
    }

    /// Where our own authority is kept.
    ///
    /// # Errors
    /// If there is no default for this user.
    pub fn ca_dir(&self) -> Result<PathBuf, ConfigError> {
        if !self.ca_dir.is_empty() {
            return Ok(PathBuf::from(&self.ca_dir));
        }
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(PathBuf::from);
        var("STATE_DIRECTORY")
            .or_else(|| var("XDG_STATE_HOME").map(|dir| dir.join("smartpick-central")))
            .or_else(|| var("HOME").map(|home| home.join(".local/state/smartpick-central")))
            .map(|dir| dir.join("ca"))
            .ok_or_else(|| {
                ConfigError::new("tls.ca_dir: set it, there is neither STATE_DIRECTORY nor HOME to derive it from")
            })
    }
}

impl Receive {
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(overrides: &[(&str, &str)]) -> Result<Loaded<Config>, ConfigError> {
        let overrides: Vec<_> = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::load(None, &overrides, &|_| None)
    }

    #[test]
    fn the_shipped_file_names_every_key_with_its_default() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/central.toml");
        let text = std::fs::read_to_string(shipped).expect("shipped");
        // Every setting in it is commented out: with the comment signs gone it must be the default.
        let all: String = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        let parsed: Config = toml::from_str(&all).expect("every key is known");
        let parsed = toml::Table::try_from(parsed).expect("plain");
        let default = toml::Table::try_from(Config::default()).expect("plain");
        assert_eq!(parsed, default);
        let named: toml::Table = toml::from_str(&all).expect("a table");
        assert_eq!(named, default, "a key is not shown in packaging/central.toml");
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_range() {
        let error = load(&[("workers.concurrency", "0")]).err().expect("invalid").to_string();
        assert!(error.contains("workers.concurrency: 0") && error.contains("1 to 256"), "{error}");
        let error = load(&[("listen", "everywhere")]).err().expect("invalid").to_string();
        assert!(error.contains("listen") && error.contains("127.0.0.1:8090"), "{error}");
    }
}
