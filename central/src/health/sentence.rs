//! How central is, in one sentence: what `systemctl status smartpick-central` shows.

use common::clock;
use common::health::Health;
use common::reload::Reloaded;
use common::words::{grouped, rate};

use super::sampler::Look;
use super::{Facts, Observed, judge};
use crate::fleet::{Fleet, FleetSnapshot};

/// As of now.
pub fn sentence(observed: &Observed, fleet: &Fleet, reloaded: &Reloaded) -> String {
    let (samples, seen) = (observed.samples(), observed.progress());
    if [&samples.redis, &samples.postgres].contains(&&Look::default()) {
        return "looking at Redis and Postgres for the first time".to_owned();
    }
    let trouble = reloaded.trouble();
    let health = judge(&Facts { now: clock::now(), samples: &samples, seen: &seen, config: trouble.as_deref() });
    compose(&health, samples.load.waiting, fleet.latest().as_deref())
}

fn compose(health: &Health, frames: u64, fleet: Option<&FleetSnapshot>) -> String {
    let mut figures = Vec::new();
    if let Some(fleet) = fleet {
        let sites = fleet.sites.len();
        figures.push(match sites {
            0 => "no sites yet".to_owned(),
            _ => format!("{} of {sites} sites healthy", fleet.counts.healthy),
        });
        figures.push(rate(fleet.events_per_second));
    }
    figures.push(match frames {
        0 => "nothing waiting".to_owned(),
        frames => format!("{} batches waiting", grouped(frames)),
    });
    health.sentence(&figures.join(", "))
}

#[cfg(test)]
mod tests {
    use common::health::{Code, Status};

    use super::*;

    #[test]
    fn it_goes_without_a_look_at_the_fleet() {
        assert_eq!(compose(&Health::healthy(), 0, None), "healthy: nothing waiting");
        let mut away = Health::healthy();
        away.add(Status::Unhealthy, Code::PostgresUnavailable, "Postgres does not answer");
        assert_eq!(compose(&away, 1_200, None), "unhealthy: Postgres does not answer; 1,200 batches waiting");
    }
}
