//! What Redis says of itself, judged; pure. Who asks it is each binary's own file for Redis.

use std::collections::HashMap;

use super::Check;

/// Its version, and the settings that decide what it keeps.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// `redis_version`, if it may be asked.
    pub version: Option<String>,
    /// By name; empty if CONFIG GET is not allowed.
    pub settings: HashMap<String, String>,
}

/// What CONFIG GET is asked for.
pub const SETTINGS: [&str; 5] =
    ["appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory", "maxmemory-policy"];

impl Asked {
    fn is(&self, name: &str, value: &str) -> bool {
        self.settings.get(name).is_some_and(|v| v == value)
    }

    pub fn major(&self) -> Option<u32> {
        self.version.as_deref()?.split('.').next()?.parse().ok()
    }

    /// Which settings can make it drop entries to make room.
    pub fn may_evict(&self) -> bool {
        !self.is("maxmemory", "0") && !self.is("maxmemory-policy", "noeviction")
    }

    /// Each durable setting as a check of its own, for a Redis that must keep what it acknowledged.
    pub fn durability(&self) -> Vec<Check> {
        if self.settings.is_empty() {
            return vec![Check::warning(
                "redis settings",
                "cannot be read, so it is taken for not durable and everything goes to SQLite",
                "allow CONFIG GET to the user of redis.url",
            )];
        }
        let mut checks = Vec::new();
        for (name, key, wanted, why) in [
            ("redis appendonly", "appendonly", "yes", "a restart loses everything"),
            ("redis fsync", "appendfsync", "always", "a power cut loses acknowledged events"),
            ("redis rewrite", "no-appendfsync-on-rewrite", "no", "while it rewrites its file, fsync is off"),
        ] {
            let value = self.settings.get(key).map_or("not set", String::as_str);
            checks.push(if value == wanted {
                Check::ok(name, format!("{key} {wanted}"))
            } else {
                Check::failure(
                    name,
                    format!("{key} is {value}: {why}"),
                    format!("`redis-cli CONFIG SET {key} {wanted}`, and in redis.conf, so that it stays"),
                )
            });
        }
        checks.push(self.eviction());
        checks
    }

    /// Whether it drops entries to make room.
    pub fn eviction(&self) -> Check {
        let policy = self.settings.get("maxmemory-policy").map_or("not known", String::as_str);
        if self.settings.is_empty() {
            Check::skipped("redis memory", "its policy cannot be read: allow CONFIG GET")
        } else if self.may_evict() {
            Check::failure(
                "redis memory",
                format!("maxmemory-policy is {policy}: it drops entries to make room"),
                "`redis-cli CONFIG SET maxmemory-policy noeviction`, and in redis.conf, so that it stays",
            )
        } else {
            Check::ok("redis memory", "nothing is dropped to make room")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Mark;

    fn asked(pairs: &[(&str, &str)]) -> Asked {
        let settings = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Asked { version: Some("7.0.15".to_owned()), settings }
    }

    #[test]
    fn every_setting_that_loses_something_is_named() {
        let durable = [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("no-appendfsync-on-rewrite", "no"),
            ("maxmemory", "0"),
            ("maxmemory-policy", "allkeys-lru"),
        ];
        assert!(asked(&durable).durability().iter().all(|check| check.mark == Mark::Ok));
        for (key, bad) in [
            ("appendonly", "no"),
            ("appendfsync", "everysec"),
            ("no-appendfsync-on-rewrite", "yes"),
            ("maxmemory", "9"),
        ] {
            let settings = durable.map(|(name, value)| if name == key { (name, bad) } else { (name, value) });
            let bad: Vec<Check> =
                asked(&settings).durability().into_iter().filter(|check| check.mark == Mark::Failure).collect();
            assert_eq!(bad.len(), 1, "{key}");
        }
        assert_eq!(asked(&[]).durability()[0].mark, Mark::Warning);
        assert_eq!(asked(&[]).major(), Some(7));
    }
}
