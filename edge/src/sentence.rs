//! How the edge is, in one sentence: what `systemctl status smartpick-edge` shows.

use common::clock;
use common::health::Health;
use common::words::{duration, grouped, rate};

use crate::heartbeat::Outlook;
use crate::http::State;

/// As of now; the rates as of the last heartbeat.
pub fn sentence(state: &State) -> String {
    let contents = state.buffer.contents();
    let waiting = contents.live_records + contents.backlog_records;
    compose(&state.health(clock::now()), waiting, &state.outlook())
}

fn compose(health: &Health, waiting: u64, outlook: &Outlook) -> String {
    let mut figures = vec![format!("{} in", rate(outlook.accepted_per_second))];
    if waiting == 0 {
        figures.push("nothing waiting".to_owned());
    } else {
        figures.push(format!("{} waiting", grouped(waiting)));
        figures.extend(outlook.drain_seconds.map(|seconds| format!("gone in {}", duration(seconds))));
        figures.extend(outlook.room_hours.map(|hours| format!("room for {}", duration(hours * 3_600.0))));
    }
    health.sentence(&figures.join(", "))
}

#[cfg(test)]
mod tests {
    use common::health::{Code, Status};

    use super::*;

    #[test]
    fn it_says_how_much_waits_and_for_how_long_there_is_room() {
        let busy = Outlook { accepted_per_second: 120.2, ..Outlook::default() };
        assert_eq!(compose(&Health::healthy(), 0, &busy), "healthy: 120 events/s in, nothing waiting");
        let mut cut = Health::healthy();
        cut.add(Status::Degraded, Code::CentralUnreachable, "central not reached");
        let outlook = Outlook { room_hours: Some(31.0), ..busy };
        let words = "degraded: central not reached; 120 events/s in, 12,400 waiting, room for 31 h";
        assert_eq!(compose(&cut, 12_400, &outlook), words);
        let draining = Outlook { drain_seconds: Some(300.0), ..outlook };
        let words = "healthy: 120 events/s in, 12,400 waiting, gone in 5 min, room for 31 h";
        assert_eq!(compose(&Health::healthy(), 12_400, &draining), words);
    }
}
