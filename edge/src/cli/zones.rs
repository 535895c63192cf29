//! Which zones this site has, as far as this box knows: those that the configuration names, and those that events came
//! from. A rule for any other raises nothing, and from silence nobody would notice.

use std::collections::BTreeSet;
use std::time::Duration;

use common::ids::ZoneId;
use common::rules::{RuleConfig, unknown_zones};
use serde::Deserialize;

use super::local;
use crate::alerts::history;
use crate::config::Config;

/// It runs on the same box.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What to say of rules for zones that are not known here, a line for each.
pub async fn warnings(config: &Config, rules: &[RuleConfig]) -> Vec<String> {
    if rules.iter().all(|rule| rule.zones.is_empty()) {
        return Vec::new();
    }
    let (site, seen) = (&config.site, seen(config).await);
    let named = site.zones.iter().map(|zone| zone.zone_id).chain(site.cameras.iter().filter_map(|one| one.zone_id));
    let known: BTreeSet<ZoneId> = named.chain(seen).collect();
    unknown_zones(rules, |zone| known.contains(&zone))
        .map(|(_, RuleConfig { name, .. }, zone)| {
            format!(
                "warning: rule {name:?} names zone {zone}, which neither [[site.zones]] nor any event received here \
                 knows: it raises no alert there; correct the id, or name the zone in [[site.zones]]"
            )
        })
        .collect()
}

/// Zones that events came from.
async fn seen(config: &Config) -> BTreeSet<ZoneId> {
    // A running edge has the file to itself; then it can be asked instead.
    match config.data_dir().map(|dir| history::zones_seen(&dir)) {
        Ok(Ok(zones)) => zones,
        _ => ask(config).await.unwrap_or_default(),
    }
}

#[derive(Deserialize)]
struct Stats {
    cameras: Vec<Camera>,
}

#[derive(Deserialize)]
struct Camera {
    zone_id: ZoneId,
}

async fn ask(config: &Config) -> reqwest::Result<BTreeSet<ZoneId>> {
    let url = format!("{}/streams/stats", local::base(config));
    let stats: Stats = local::http().build()?.get(url).timeout(TIMEOUT).send().await?.json().await?;
    Ok(stats.cameras.into_iter().map(|camera| camera.zone_id).collect())
}
