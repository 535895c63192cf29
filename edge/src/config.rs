//! The edge's configuration. `packaging/edge.toml` is its reference for people; a test holds the two together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::config::{ConfigError, Loaded, Named, Schema, Sources, load, within};
use common::ids::{EdgeId, WarehouseId};
use common::join::check_address;
use common::site;
use common::telemetry;
use common::tls::Mode;
use serde::{Deserialize, Serialize};

use crate::alerts::rules::{self, Rule, RuleConfig, ScopeKind};
use crate::alerts::system::Thresholds;
use crate::intake::WorkerIdentity;
use crate::site::{Site, SiteConfig};

/// Where the package puts it.
pub const DEFAULT_FILE: &str = "/etc/smartpick/edge.toml";

/// SQLite's log grows to about 4 MiB before it is written back (1,000 pages), and deleting needs as much again.
const BALLAST_BYTES_MIN: u64 = 8 * 1024 * 1024;

/// A hundred years: times are still times then.
const DAYS_MAX: u64 = 36_500;
const REDIS_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Less than this would hold hardly a minute.
const SPILL_BYTES_MIN: u64 = 1024 * 1024;
/// Less than this would hold hardly a shift.
const HISTORY_BYTES_MIN: u64 = 1024 * 1024;
/// Less than this would hold hardly a minute.
const ARCHIVE_BYTES_MIN: u64 = 1024 * 1024;
/// More would not fit into the files the service may have open (`LimitNOFILE`).
const LIVE_CLIENTS_LIMIT: u64 = 50_000;

/// Environment variables and what they set. Those without a prefix are the original system's.
const ENV: &[Named] = &[
    ("SMARTPICK_LISTEN", "listen"),
    ("SMARTPICK_DATA_DIR", "data_dir"),
    ("SMARTPICK_LOG", "log"),
    ("SMARTPICK_EDGE_ID", "edge_id"),
    ("SMARTPICK_WAREHOUSE_ID", "warehouse_id"),
    ("SMARTPICK_CAMERA_TOKEN", "camera_token"),
    ("SMARTPICK_CENTRAL_URL", "central.url"),
    ("SMARTPICK_CENTRAL_TOKEN", "central.token"),
    ("REDIS_URL", "redis.url"),
    ("STREAM_MAX_LENGTH", "stream.max_length"),
    ("STREAM_CONSUMER_GROUP", "stream.consumer_group"),
    ("IDEMPOTENCY_TTL_SECONDS", "idempotency.ttl_seconds"),
];

/// What the configuration can be set by, and what of it is never shown.
pub static SCHEMA: Schema = Schema {
    env: ENV,
    secrets: &["camera_token", "central.token"],
    urls: &["redis.url"],
    reference: include_str!("../../packaging/edge.toml"),
};

/// The original's variables that mean nothing here any more, and why.
pub const ENV_OBSOLETE: &[(&str, &str)] = &[
    ("STREAM_BATCH_SIZE", "batches to central are as large as what waits, up to 500 records; central honours it"),
    ("STREAM_BLOCK_MS", "the edge waits for nothing; central honours it"),
    ("WORKER_CONCURRENCY", "the edge sends four batches at a time; central honours it"),
    ("WORKER_RETRY_ATTEMPTS", "retries never give up"),
    ("WORKER_RETRY_DELAY_MS", "retries wait 1 to 60 s with jitter; central honours it"),
];

/// Everything that can be configured.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where cameras and the local page reach the edge.
    pub listen: SocketAddr,
    /// Where the spill lives; empty = systemd's state directory, else one below the user's home.
    pub data_dir: String,
    /// A `tracing` filter.
    pub log: String,
    /// Given by `smartpick-central edges add`; a box that has joined by `smartpick-edge enroll` knows them by itself.
    pub edge_id: Option<EdgeId>,
    pub warehouse_id: Option<WarehouseId>,
    /// One token that all cameras may send as `Authorization: Bearer …`, beside those of `smartpick-edge cameras add`.
    pub camera_token: Option<String>,
    pub tls: TlsConfig,
    pub central: CentralConfig,
    pub redis: RedisConfig,
    pub stream: StreamConfig,
    pub spill: SpillConfig,
    pub idempotency: IdempotencyConfig,
    pub intake: IntakeConfig,
    pub privacy: PrivacyConfig,
    pub site: SiteConfig,
    pub history: HistoryConfig,
    pub archive: ArchiveConfig,
    pub live: LiveConfig,
    pub alerts: AlertsConfig,
}

/// How `listen` speaks TLS.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    pub mode: Mode,
    /// Names and addresses under which people reach the box, beside those that it knows itself.
    pub names: Vec<String>,
    /// For `files`: PEM files of the certificate with its chain, and its key.
    pub certificate: String,
    pub key: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CentralConfig {
    /// Without it events stay in the buffer.
    pub url: Option<String>,
    pub token: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// Without it the edge runs on SQLite alone.
    pub url: Option<String>,
    /// Use a Redis that may lose acknowledged events in a power cut.
    pub accept_weak_durability: bool,
    /// A Redis slower than this is treated as gone.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamConfig {
    pub name: String,
    /// Entries at which new events go to SQLite instead. Nothing is ever trimmed.
    pub max_length: u64,
    pub consumer_group: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpillConfig {
    /// The most SQLite may hold.
    pub bytes_max: u64,
    /// Free disk at which nothing more is appended.
    pub disk_free_min: u64,
    /// Kept to be given up when a full disk must be drained.
    pub ballast_bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdempotencyConfig {
    /// How long a key is remembered at least, unless there are more than `keys_max`.
    pub ttl_seconds: u64,
    /// The most keys remembered; each costs about 100 bytes of Redis.
    pub keys_max: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntakeConfig {
    /// An event older than this is stored under its ingest time, marked `clock_suspect`.
    pub event_age_max_days: u64,
    /// Memory for request bodies being read.
    pub bytes_max: u64,
    /// A camera that sends more is told to wait; 0 = none is.
    pub camera_events_per_second_max: u32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// What of a `worker_id` goes any further than the intake.
    pub worker_identity: WorkerIdentity,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryConfig {
    /// How long alerts, what was said of them, and the shifts' figures are kept.
    pub keep_days: u64,
    /// The most the history may hold; the oldest cleared alerts go first.
    pub bytes_max: u64,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        // A quarter, as shift reports want it. An alert with curve and posture takes about 2 KiB, a minute of a camera
        // 100 bytes: 512 MiB are enough for 20 cameras round the clock and a thousand alerts a day.
        Self { keep_days: 90, bytes_max: 512 * 1024 * 1024 }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveConfig {
    /// How long what headquarters has confirmed is kept to be sent again; 0s = not at all.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// The most the archive may hold; the oldest goes first.
    pub bytes_max: u64,
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        // Longer than it takes to notice that a database was restored, and a day's backup is not older.
        Self { keep: Duration::from_secs(86_400), bytes_max: 5 * 1024 * 1024 * 1024 }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveConfig {
    /// Screens and other clients of `/ws/live` at a time.
    pub clients_max: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// A camera that sends nothing for this long is reported; 0s = never.
    #[serde(with = "humantime_serde")]
    pub camera_silent_after: Duration,
    /// Headquarters out of reach for this long is reported.
    #[serde(with = "humantime_serde")]
    pub wan_down_after: Duration,
    /// Share of the spill in use at which it is reported.
    pub buffer_filling_at: f64,
    /// Free disk below which it is reported.
    pub disk_low_bytes: u64,
    /// Given here or in a drop-in, they replace the built-in rule. Last, as TOML wants it.
    pub rules: Vec<RuleConfig>,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            camera_silent_after: Duration::from_secs(300),
            // A restarted router is back by then.
            wan_down_after: Duration::from_secs(30),
            buffer_filling_at: 0.8,
            // Four times what the spill leaves free: hours, at a usual site's rate.
            disk_low_bytes: 1024 * 1024 * 1024,
            rules: vec![RuleConfig::sustained_risk()],
        }
    }
}

impl AlertsConfig {
    /// The rules, checked.
    ///
    /// # Errors
    /// The first rule and field that cannot be used, with the fix.
    pub fn rules(&self) -> Result<Vec<Rule>, ConfigError> {
        rules::check(&self.rules).map_err(|error| ConfigError::of("alerts.rules", error.to_string()))
    }

    pub const fn thresholds(&self) -> Thresholds {
        Thresholds {
            camera_silent_after: self.camera_silent_after,
            wan_down_after: self.wan_down_after,
            buffer_filling_at: self.buffer_filling_at,
            disk_low_bytes: self.disk_low_bytes,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: String::new(),
            log: "info".to_owned(),
            edge_id: None,
            warehouse_id: None,
            camera_token: None,
            tls: TlsConfig::default(),
            central: CentralConfig::default(),
            redis: RedisConfig::default(),
            stream: StreamConfig::default(),
            spill: SpillConfig::default(),
            idempotency: IdempotencyConfig::default(),
            intake: IntakeConfig::default(),
            privacy: PrivacyConfig::default(),
            site: SiteConfig::default(),
            history: HistoryConfig::default(),
            archive: ArchiveConfig::default(),
            live: LiveConfig::default(),
            alerts: AlertsConfig::default(),
        }
    }
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self { url: None, accept_weak_durability: false, timeout: Duration::from_millis(200) }
    }
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            name: "ergonomics:events".to_owned(),
            max_length: 10_000,
            consumer_group: "ergonomics-processor".to_owned(),
        }
    }
}

impl Default for SpillConfig {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        // 10 GiB is about ten million events: half a day at 250 a second, weeks at a usual site's rate.
        Self { bytes_max: 10 * 1024 * MIB, disk_free_min: 256 * MIB, ballast_bytes: 16 * MIB }
    }
}

impl Default for IdempotencyConfig {
    fn default() -> Self {
        // 24 h as in the original; two million keys are 200 MB of Redis.
        Self { ttl_seconds: 86_400, keys_max: 2_000_000 }
    }
}

impl Default for IntakeConfig {
    fn default() -> Self {
        // 35 days: a month's outage of a camera gateway, and some.
        Self { event_age_max_days: 35, bytes_max: 32 * 1024 * 1024, camera_events_per_second_max: 0 }
    }
}

impl Default for LiveConfig {
    fn default() -> Self {
        // Several times what a large site has on its walls and in its hands; each costs about 30 KiB and a file.
        Self { clients_max: 1_000 }
    }
}

impl Config {
    /// Loads and checks the configuration.
    ///
    /// # Errors
    /// What cannot be used, where it was said, and the fix.
    pub fn load(file: Option<&PathBuf>, overrides: &[(String, String)]) -> Result<Loaded<Self>, ConfigError> {
        let default = PathBuf::from(DEFAULT_FILE);
        let path = file.unwrap_or(&default);
        let sources = Sources {
            schema: &SCHEMA,
            file: path,
            file_required: file.is_some(),
            dir: &path.with_extension("d"),
            env: &|name| std::env::var(name).ok(),
            service_credentials: Path::new("/run/credentials/smartpick-edge.service"),
            overrides,
        };
        load(&sources, Self::check)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fail = |key: &str, problem: &str| Err(ConfigError::of(key, problem));
        if let Some(url) = &self.central.url {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return fail("central.url", "must begin with https:// or http://");
            }
            check_address(url).map_err(|problem| ConfigError::of("central.url", problem))?;
        }
        if self.tls.mode == Mode::Files && (self.tls.certificate.is_empty() || self.tls.key.is_empty()) {
            return fail("tls.mode", "is \"files\", so tls.certificate and tls.key are needed: PEM files");
        }
        if let Some(url) = &self.redis.url
            && let Err(error) = ::redis::Client::open(url.as_str())
        {
            return Err(ConfigError::of("redis.url", error.to_string()));
        }
        if self.redis.timeout.is_zero() || self.redis.timeout > REDIS_TIMEOUT_MAX {
            return fail("redis.timeout", "must be more than 0, and at most a minute: so long a camera would wait");
        }
        for (key, name) in [("stream.name", &self.stream.name), ("stream.consumer_group", &self.stream.consumer_group)]
        {
            if name.is_empty() {
                return fail(key, "is empty; give it a name, or leave it out");
            }
        }
        if self.stream.max_length == 0 {
            return fail("stream.max_length", "must be more than 0; without redis.url there is SQLite alone");
        }
        if self.warehouse_id.is_some_and(|id| id.uuid().is_nil()) {
            return fail(
                "warehouse_id",
                "is that of no site; `smartpick-central sites list` at headquarters shows them",
            );
        }
        if self.edge_id.is_some_and(|id| id.uuid().is_nil()) {
            return fail("edge_id", "is that of no edge; `smartpick-central edges add` makes one");
        }
        if self.spill.bytes_max < SPILL_BYTES_MIN {
            return Err(ConfigError::of(
                "spill.bytes_max",
                format!("must be at least {SPILL_BYTES_MIN}, or nothing could be taken while Redis is away"),
            ));
        }
        if self.spill.ballast_bytes < BALLAST_BYTES_MIN {
            return Err(ConfigError::of(
                "spill.ballast_bytes",
                format!("at least {BALLAST_BYTES_MIN}, or giving it up would not be enough to drain a full disk"),
            ));
        }
        for (key, value, most) in [
            ("idempotency.ttl_seconds", self.idempotency.ttl_seconds, DAYS_MAX * 86_400),
            ("idempotency.keys_max", self.idempotency.keys_max, u64::MAX),
            ("intake.event_age_max_days", self.intake.event_age_max_days, DAYS_MAX),
            ("history.keep_days", self.history.keep_days, DAYS_MAX),
        ] {
            within(key, value, 1..=most)?;
        }
        within("history.bytes_max", self.history.bytes_max, HISTORY_BYTES_MIN..=u64::MAX)?;
        if !self.archive.keep.is_zero() && self.archive.bytes_max < ARCHIVE_BYTES_MIN {
            return Err(ConfigError::new(format!(
                "archive.bytes_max: at least {ARCHIVE_BYTES_MIN}; archive.keep = \"0s\" switches the archive off"
            )));
        }
        within("live.clients_max", self.live.clients_max as u64, 1..=LIVE_CLIENTS_LIMIT)?;
        Site::new(&self.site)?;
        if !(0.0..=1.0).contains(&self.alerts.buffer_filling_at) {
            return fail("alerts.buffer_filling_at", "must be a share from 0 to 1");
        }
        telemetry::check(&self.log).map_err(|error| ConfigError::of("log", error))?;
        self.alerts.rules().map(drop)
    }

    /// Whether there is all that a box needs which has not joined by a token of `sites add`.
    ///
    /// # Errors
    /// If there is a central, and not who we are.
    pub fn check_central(&self) -> Result<(), ConfigError> {
        let known = self.edge_id.is_some() && self.warehouse_id.is_some() && self.central.token.is_some();
        if self.central.url.is_none() || known {
            return Ok(());
        }
        Err(ConfigError::new(
            "central.url is set, and this box has not joined: run `smartpick-edge enroll TOKEN` with a token of \
             `smartpick-central sites add NAME`; or, for a central behind a proxy, set edge_id, warehouse_id and \
             central.token too, which `smartpick-central edges add --warehouse ID` prints",
        ))
    }

    /// As whom headquarters knows us, if there is one.
    pub fn headquarters(&self) -> Option<(EdgeId, WarehouseId)> {
        self.central.url.as_ref()?;
        self.edge_id.zip(self.warehouse_id)
    }

    /// What can be used and yet is hardly meant, each in words with the fix.
    pub fn warnings(&self) -> Vec<String> {
        self.unused_identity().into_iter().chain(self.unheard_rules()).chain(self.overlapping_shifts()).collect()
    }

    /// Said by somebody who expects the edge to send something.
    fn unused_identity(&self) -> Option<String> {
        let key = match self.central.url {
            Some(_) => return None,
            None if self.central.token.is_some() => "central.token",
            None if self.edge_id.is_some() => "edge_id",
            None => return None,
        };
        Some(format!("{key} has no effect without central.url, and events stay in the buffer; set both, or neither"))
    }

    /// Both sides go by the first of them, so figures come out; but somebody's hours count as somebody else's.
    fn overlapping_shifts(&self) -> Option<String> {
        let shifts = site::shifts(&self.site.shifts).ok()?;
        site::overlap(&shifts).map(|error| format!("site.{error}; as long as both are on, the one listed first counts"))
    }

    /// What to say of rules that will never see anybody, because the intake drops who it is.
    fn unheard_rules(&self) -> Option<String> {
        if self.privacy.worker_identity != WorkerIdentity::Drop {
            return None;
        }
        let rules = self.alerts.rules.iter().filter(|rule| rule.scope == ScopeKind::Worker);
        let names: Vec<&str> = rules.map(|rule| rule.name.as_str()).collect();
        (!names.is_empty()).then(|| {
            format!(
                "privacy.worker_identity = \"drop\" leaves no worker_id, so these rules with scope = \"worker\" never \
                 raise an alert: {}; give them scope = \"person\" or \"unidentified\" in [[alerts.rules]], or choose \
                 \"pseudonym\"",
                names.join(", ")
            )
        })
    }

    /// Where the spill lives.
    ///
    /// # Errors
    /// If there is no default for this user.
    pub fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        if !self.data_dir.is_empty() {
            return Ok(PathBuf::from(&self.data_dir));
        }
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        var("STATE_DIRECTORY")
            .map(PathBuf::from)
            .or_else(|| var("XDG_STATE_HOME").map(|dir| PathBuf::from(dir).join("smartpick-edge")))
            .or_else(|| var("HOME").map(|home| PathBuf::from(home).join(".local/state/smartpick-edge")))
            .ok_or_else(|| {
                ConfigError::new("data_dir: set it, there is neither STATE_DIRECTORY nor HOME to derive it from")
            })
    }
}

#[cfg(test)]
mod tests {
    use common::site::{Day, ShiftConfig};

    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let overrides: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let sources = Sources {
            schema: &SCHEMA,
            file: &PathBuf::from("/nonexistent"),
            file_required: false,
            dir: &PathBuf::from("/nonexistent"),
            env: &|_| None,
            service_credentials: Path::new("/nonexistent"),
            overrides: &overrides,
        };
        load(&sources, Config::check).and_then(|loaded| loaded.config.check_central().map(|()| loaded.config))
    }

    #[test]
    fn nothing_configured_works() {
        assert!(set(&[]).is_ok());
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_fix() {
        for (pairs, fix) in [
            (&[("central.url", "https://hq")][..], "edges add"),
            (&[("central.url", "hq")], "https://"),
            (&[("tls.mode", "files")], "tls.certificate"),
            (&[("tls.mode", "on")], "own"),
            (&[("redis.url", "localhost")], "unix://"),
            (&[("redis.timeout", "0s")], "200ms"),
            (&[("edge_id", "box-1")], "edge_id"),
            (&[("live.clients_max", "0")], "live.clients_max: 0 is out of range; choose 1 to 50000"),
            (&[("spill.ballast_bytes", "1000000")], "8388608"),
            (&[("spill.bytes_max", "0")], "spill.bytes_max: must be at least 1048576"),
            (&[("stream.name", "")], "stream.name: is empty"),
            (&[("stream.consumer_group", "")], "stream.consumer_group: is empty"),
            (&[("stream.max_length", "0")], "without redis.url"),
            (&[("intake.event_age_max_days", "0")], "intake.event_age_max_days: 0 is out of range; choose 1 to 36500"),
            (&[("intake.event_age_max_days", "1000000000")], "choose 1 to 36500"),
            (&[("idempotency.ttl_seconds", "0")], "choose 1 to"),
            (&[("redis.timeout", "10days")], "at most a minute"),
            (&[("central.url", "https://user:secret@hq")], "central.url: has a name or a password"),
            (&[("warehouse_id", "00000000-0000-0000-0000-000000000000")], "sites list"),
            (&[("edge_id", "00000000-0000-0000-0000-000000000000")], "edges add"),
            (&[("site.time_zone", "Europe/Berln")], "Europe/Berlin"),
            (&[("history.keep_days", "0")], "choose 1 to 36500"),
            (&[("history.bytes_max", "1000")], "choose at least"),
            (&[("archive.bytes_max", "1000")], "switches the archive off"),
            (&[("log", "wran")], "error, warn, info"),
            (&[("log", "info,noisy")], "noisy"),
        ] {
            let error = set(pairs).expect_err(fix).to_string();
            assert!(error.contains(fix), "{error}");
        }
    }

    #[test]
    fn a_rule_that_will_never_see_anybody_is_warned_of_with_the_fix() {
        assert_eq!(set(&[]).expect("valid").unheard_rules(), None);
        assert_eq!(set(&[("privacy.worker_identity", "pseudonym")]).expect("valid").unheard_rules(), None);
        let mut config = set(&[("privacy.worker_identity", "drop")]).expect("valid");
        let warning = config.unheard_rules().expect("the built-in rule is by worker");
        assert!(warning.contains("sustained-risk") && warning.contains("scope = \"person\""), "{warning}");
        config.alerts.rules[0].scope = ScopeKind::Person;
        assert_eq!(config.unheard_rules(), None);
        assert!(set(&[("privacy.worker_identity", "hide")]).is_err());
    }

    #[test]
    fn an_identity_without_a_headquarters_is_warned_of() {
        let id = "366ed0a5-3794-5421-a05c-cd4828bbf97c";
        for (pairs, key) in [
            (&[][..], None),
            (&[("warehouse_id", id)], None),
            (&[("edge_id", id)], Some("edge_id")),
            (&[("edge_id", id), ("central.token", "t")], Some("central.token")),
            (&[("edge_id", id), ("warehouse_id", id), ("central.token", "t"), ("central.url", "https://hq")], None),
        ] {
            let warnings = set(pairs).expect("valid").warnings();
            assert_eq!(warnings.len(), usize::from(key.is_some()), "{pairs:?}: {warnings:?}");
            assert!(key.is_none_or(|key| warnings[0].starts_with(&format!("{key} has no effect"))), "{warnings:?}");
        }
    }

    #[test]
    fn shifts_that_overlap_are_warned_of_and_taken() {
        let shift = |name: &str, start: &str, end: &str| ShiftConfig {
            name: name.to_owned(),
            days: vec![Day::Mon],
            start: start.to_owned(),
            end: end.to_owned(),
        };
        let mut config = set(&[]).expect("valid");
        config.site.shifts = vec![shift("early", "06:00", "14:00"), shift("late", "14:00", "22:00")];
        assert_eq!((config.check().is_ok(), config.warnings()), (true, Vec::new()));
        config.site.shifts.push(shift("office", "09:00", "17:00"));
        let warnings = config.warnings();
        assert!(config.check().is_ok() && warnings.len() == 1, "{warnings:?}");
        for part in ["site.shifts: ", "\"early\" and \"office\"", "Mon at 09:00", "the one listed first counts"] {
            assert!(warnings[0].contains(part), "{part}: {warnings:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = set(&[("camera_token", "hunter2"), ("redis.url", "redis://u:hunter2@h:1")]).expect("valid");
        let shown = common::config::shown(&config, &SCHEMA, None);
        assert!(!shown.contains("hunter2") && shown.contains("redis://(set)@h:1"), "{shown}");
    }

    #[test]
    fn every_variable_sets_a_key_that_exists() {
        for (name, key) in ENV {
            let value = match *key {
                "edge_id" | "warehouse_id" => "366ed0a5-3794-5421-a05c-cd4828bbf97c",
                "listen" => "127.0.0.1:1",
                "redis.url" => "redis://h",
                "stream.max_length" | "idempotency.ttl_seconds" => "7",
                "central.url" => continue,
                "log" => "debug",
                _ => "text",
            };
            assert!(set(&[(key, value)]).is_ok(), "{name} sets {key}");
        }
    }

    /// The shipped file shows every key, and says the defaults.
    #[test]
    fn the_shipped_file_is_the_reference() {
        let shipped = include_str!("../../packaging/edge.toml");
        let uncommented: String = shipped
            .lines()
            .filter_map(|line| match line.strip_prefix("#") {
                Some(rest) if rest.starts_with(' ') || rest.is_empty() => None,
                Some(setting) => Some(format!("{setting}\n")),
                None => Some(format!("{line}\n")),
            })
            .collect();
        let config: Config = toml::from_str(&uncommented).expect("the shipped file with all settings in is valid");
        let shown: toml::Table = toml::from_str(&uncommented).expect("a table");
        // The package's own places, which whoever runs the program by hand does not have.
        let mut set: toml::Table = toml::from_str(shipped).expect("a table");
        set.retain(|_, value| value.as_table().is_none_or(|section| !section.is_empty()));
        assert_eq!(set.keys().collect::<Vec<_>>(), ["data_dir", "redis"]);
        let defaults = toml::Table::try_from(Config::default()).expect("a table");
        for (key, value) in &defaults {
            let Some(section) = value.as_table() else {
                if set.contains_key(key) {
                    continue;
                }
                assert_eq!(shown.get(key), Some(value), "{key}");
                continue;
            };
            for (name, value) in section {
                if value.as_array().is_some_and(Vec::is_empty) {
                    // A list that is empty by default is shown by an example.
                    let example = shown.get(key).and_then(|s| s.get(name)?.as_array());
                    assert!(example.is_some_and(|list| !list.is_empty()), "{key}.{name}");
                    continue;
                }
                assert_eq!(shown.get(key).and_then(|s| s.get(name)), Some(value), "{key}.{name}");
            }
        }
        assert!(config.check().is_ok(), "the examples can be used");
        assert!(config.edge_id.is_some() && config.central.url.is_some() && config.redis.url.is_some());
    }
}
